/* SPDX-License-Identifier: BSD-2-Clause */
/* The device tree of a guest, read back as a guest would read it. */
#include "vmm/guest_fdt.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/devicetree.h"
#include "drivers/random.h"
#include "drivers/uart.h"
#include "tests/host/host.h"

static struct vm *vm;
static uint64_t fdt[GUEST_FDT_MAX_BYTES / sizeof(uint64_t)];
static size_t size;

static const struct guest_fdt arm = {
	.compatible = "linux,dummy-virt",
	.bootargs = "console=ttyAMA0 quiet",
	.cpu = { .compatible = "arm,armv8", .enable_method = "psci" },
	.psci = true,
	.intc = GUEST_FDT_GICV3,
	.intc_base = GPA(0x8000000),
	.intc_size = 0x10000,
	.intc_cpus_base = GPA(0x80a0000),
	.intc_cpus_size = 0x20000,
	.uart_line = 33,
	.uart = GUEST_FDT_PL011,
	.uart_base = GPA(0x9000000),
	.uart_size = 0x1000,
	.uart_hz = 24000000,
	.virtio_base = GPA(0xa000000),
	.virtio_step = 0x200,
	.virtio_line = 48,
	.virtio_count = 4,
	.generation_line = 40,
};

static const struct guest_fdt riscv = {
	.compatible = "riscv-virtio",
	.cpu = { .compatible = "riscv", .riscv_isa = "rv64imafdc_zicsr_zba", .mmu_type = "riscv,sv48", .cboz_block = 64 },
	.timebase_hz = 10000000,
	.uart = GUEST_FDT_NS16550,
	.uart_base = GPA(0x10000000),
	.uart_size = 0x100,
	.uart_hz = 3686400,
	.uart_line = 10,
	.intc = GUEST_FDT_PLIC,
	.intc_base = GPA(0xc000000),
	.intc_size = 0x600000,
	.intc_lines = 32,
	.generation_line = 16,
};

/* The first of four virtio devices and the second are there. */
static struct io_device devices[2];

static bool has_source; /* of random numbers */
static const uint8_t seed[32] = { [0 ... 31] = 0x5e };

void random_bytes(void *bytes, size_t count)
{
	memset(bytes, 0x5e, count);
}

bool random_has_source(void)
{
	return has_source;
}

static int setup(void **state)
{
	(void)state;
	vm = host_zeros(sizeof(*vm));
	assert_non_null(vm);
	vm->ram[0].start = GPA(0x40000000);
	vm->ram[0].size = GIB(3);
	vm->ram[1].start = GPA(0x1000000000);
	vm->ram[1].size = TIB(200) + PAGE_SIZE;
	vm->ram_ranges = 2;
	vm->vcpus = 1;
	for (unsigned i = 0; i < ARRAY_LEN(devices); i++) {
		devices[i] = (struct io_device){ .space = IO_MEMORY, .base = 0xa000000 + 0x200 * i, .size = 0x200 };
		device_add(&vm->devices, &devices[i]);
	}
	control_page_init(&vm->control, 0x9100000);
	pvpanic_init(&vm->pvpanic, IO_MEMORY, 0x9101000, 0x1000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(vm);
	return 0;
}

static int node(const char *path)
{
	int offset = fdt_path_offset(fdt, path);

	CHECK(offset >= 0, "%s: %s", path, fdt_strerror(offset));
	return offset;
}

static void check_bytes(const char *path, const char *name, const void *wanted, size_t bytes)
{
	int length;
	const void *value = fdt_getprop(fdt, node(path), name, &length);

	CHECK(value && (size_t)length == bytes, "%s of %s: %d", name, path, length);
	assert_memory_equal(value, wanted, bytes);
}

static void check_string(const char *path, const char *name, const char *wanted)
{
	check_bytes(path, name, wanted, strlen(wanted) + 1);
}

static void check_cell(const char *path, const char *name, uint32_t wanted)
{
	fdt32_t cell = cpu_to_fdt32(wanted);

	check_bytes(path, name, &cell, sizeof(cell));
}

static void check_absent(const char *path, const char *name)
{
	CHECK(!fdt_getprop(fdt, node(path), name, NULL), "%s of %s", name, path);
}

static void check_device(const char *path, const char *compatible, const struct io_device *device)
{
	uint64_t start, bytes;

	check_string(path, "compatible", compatible);
	CHECK_ERR(devicetree_reg(fdt, node(path), 0, &start, &bytes), ERR_OK);
	CHECK_EQ(start, device->base);
	CHECK_EQ(bytes, device->size);
}

static void check_common(const struct guest_fdt *guest)
{
	const char *paths[] = { "/memory@40000000", "/memory@1000000000" };

	CHECK_ERR(guest_fdt_build(vm, guest, fdt, sizeof(fdt), &size), ERR_OK);
	CHECK_EQ(fdt_check_header(fdt), 0);
	CHECK_EQ(fdt_totalsize(fdt), size);
	CHECK(size < sizeof(fdt) * 3 / 4, "%zu bytes: room gets scarce", size);
	check_string("/", "compatible", guest->compatible);
	for (size_t i = 0; i < vm->ram_ranges; i++) {
		uint64_t start, bytes;

		check_string(paths[i], "device_type", "memory");
		CHECK_ERR(devicetree_reg(fdt, node(paths[i]), 0, &start, &bytes), ERR_OK);
		CHECK_EQ(start, vm->ram[i].start.raw);
		CHECK_EQ(bytes, vm->ram[i].size);
	}
	check_string("/hypervisor", "compatible", "nestling,hypervisor");
	check_device("/control@9100000", "nestling,control", &vm->control.device);
	check_device("/pvpanic@9101000", "qemu,pvpanic-mmio", &vm->pvpanic.device);
}

/* The hypervisor's own reader of consoles takes a guest's. */
static void check_console(const struct uart_driver *driver, gpa_t base, uint64_t bytes)
{
	struct serial_port port;

	CHECK_ERR(devicetree_find_serial(fdt, NULL, &port), ERR_OK);
	CHECK(port.driver == driver, "another driver");
	CHECK_EQ(port.base, base.raw);
	CHECK_EQ(port.size, bytes);
	CHECK_EQ(fdt_path_offset(fdt, "serial0"),
		 fdt_path_offset(fdt, driver == &uart_pl011 ? "/pl011@9000000" : "/serial@10000000"));
}

static void a_guest_of_arm(void **state)
{
	uint32_t clock;

	(void)state;
	check_common(&arm);
	check_console(&uart_pl011, arm.uart_base, arm.uart_size);
	check_string("/chosen", "bootargs", "console=ttyAMA0 quiet");
	check_string("/cpus/cpu@0", "compatible", "arm,armv8");
	check_string("/cpus/cpu@0", "device_type", "cpu");
	check_string("/cpus/cpu@0", "enable-method", "psci");
	check_cell("/cpus/cpu@0", "reg", 0);
	check_absent("/cpus/cpu@0", "riscv,isa");
	check_absent("/cpus", "timebase-frequency");
	check_bytes("/psci", "compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
	check_string("/psci", "method", "hvc");
	check_string("/intc@8000000", "compatible", "arm,gic-v3");
	check_bytes("/intc@8000000", "reg",
		    (fdt64_t[]){ cpu_to_fdt64(0x8000000), cpu_to_fdt64(0x10000), cpu_to_fdt64(0x80a0000), cpu_to_fdt64(0x20000) },
		    32);
	check_cell("/pl011@9000000", "interrupt-parent", fdt_get_phandle(fdt, node("/intc@8000000")));
	check_bytes("/pl011@9000000", "interrupts", (fdt32_t[]){ 0, cpu_to_fdt32(1), cpu_to_fdt32(4) }, 12);
	check_string("/virtio_mmio@a000000", "compatible", "virtio,mmio");
	check_bytes("/virtio_mmio@a000200", "interrupts", (fdt32_t[]){ 0, cpu_to_fdt32(17), cpu_to_fdt32(4) }, 12);
	check_bytes("/virtio_mmio@a000200", "dma-coherent", NULL, 0);
	assert_true(fdt_path_offset(fdt, "/virtio_mmio@a000400") < 0);
	check_string("/timer", "compatible", "arm,armv8-timer");
	clock = fdt_get_phandle(fdt, node("/apb-pclk"));
	check_cell("/apb-pclk", "clock-frequency", 24000000);
	check_bytes("/pl011@9000000", "clocks", (fdt32_t[]){ cpu_to_fdt32(clock), cpu_to_fdt32(clock) }, 8);
	check_bytes("/pl011@9000000", "clock-names", "uartclk\0apb_pclk", 17);
}

/* A device's line goes to it, and each of its contexts to a hart's external interrupt. */
static void check_plic(void)
{
	static const char path[] = "/plic@c000000";
	fdt32_t contexts[2 * VCPU_MAX];
	uint64_t start, bytes;

	check_bytes(path, "compatible", "sifive,plic-1.0.0\0riscv,plic0", 30);
	CHECK_ERR(devicetree_reg(fdt, node(path), 0, &start, &bytes), ERR_OK);
	CHECK_EQ(start, 0xc000000);
	CHECK_EQ(bytes, 0x600000);
	check_bytes(path, "interrupt-controller", NULL, 0);
	check_cell(path, "#interrupt-cells", 1);
	check_cell(path, "#address-cells", 0);
	check_cell(path, "riscv,ndev", 31);
	for (unsigned id = 0; id < vm->vcpus; id++) {
		char hart[64];

		snprintf(hart, sizeof(hart), "/cpus/cpu@%x/interrupt-controller", id);
		contexts[2 * id] = cpu_to_fdt32(fdt_get_phandle(fdt, node(hart)));
		contexts[2 * id + 1] = cpu_to_fdt32(9);
	}
	check_bytes(path, "interrupts-extended", contexts, 8 * vm->vcpus);
	check_cell("/serial@10000000", "interrupt-parent", fdt_get_phandle(fdt, node(path)));
	check_cell("/serial@10000000", "interrupts", 10);
	CHECK_EQ(fdt_node_offset_by_phandle(fdt, fdt_get_phandle(fdt, node(path))), node(path));
	check_absent("/", "interrupt-parent");
}

static void a_guest_of_riscv(void **state)
{
	struct guest_fdt no_bootargs;

	(void)state;
	check_common(&riscv);
	check_console(&uart_16550, riscv.uart_base, riscv.uart_size);
	check_absent("/chosen", "bootargs");
	no_bootargs = riscv;
	no_bootargs.bootargs = "";
	check_common(&no_bootargs);
	check_absent("/chosen", "bootargs");
	check_common(&riscv);
	check_cell("/cpus", "timebase-frequency", 10000000);
	check_cell("/cpus/cpu@0", "reg", 0);
	check_string("/cpus/cpu@0", "riscv,isa", "rv64imafdc_zicsr_zba");
	check_string("/cpus/cpu@0", "riscv,isa-base", "rv64i");
	check_bytes("/cpus/cpu@0", "riscv,isa-extensions", "i\0m\0a\0f\0d\0c\0zicsr\0zba", 22);
	check_cell("/cpus/cpu@0", "riscv,cboz-block-size", 64);
	check_absent("/cpus/cpu@0", "riscv,cbom-block-size");
	check_string("/cpus/cpu@0", "mmu-type", "riscv,sv48");
	check_string("/cpus/cpu@0/interrupt-controller", "compatible", "riscv,cpu-intc");
	CHECK(fdt_path_offset(fdt, "/cpus/cpu@1") < 0, "there is one vCPU");
	check_cell("/serial@10000000", "clock-frequency", 3686400);
	CHECK(fdt_path_offset(fdt, "/psci") < 0, "a guest of RISC-V has no PSCI");
	check_plic();
}

/* One node for each, and all its references its own; the most vCPUs, with the longest string of extensions, fit. */
static void several_vcpus(void **state)
{
	char path[64], isa[256];
	struct guest_fdt guest = riscv;

	(void)state;
	memset(isa, 'x', sizeof(isa) - 1);
	isa[sizeof(isa) - 1] = '\0';
	guest.cpu.riscv_isa = isa;
	vm->vcpus = VCPU_MAX;
	check_common(&guest);
	for (unsigned id = 0; id < VCPU_MAX; id++) {
		snprintf(path, sizeof(path), "/cpus/cpu@%x", id);
		check_cell(path, "reg", id);
		check_string(path, "status", "okay");
		check_string(path, "riscv,isa", isa);
		snprintf(path, sizeof(path), "/cpus/cpu@%x/interrupt-controller", id);
		CHECK_EQ(fdt_node_offset_by_phandle(fdt, fdt_get_phandle(fdt, node(path))), node(path));
	}
	check_plic();
	check_common(&arm);
	check_string("/cpus/cpu@f", "enable-method", "psci");
	CHECK_EQ(fdt_node_offset_by_phandle(fdt, fdt_get_phandle(fdt, node("/apb-pclk"))), node("/apb-pclk"));
}

static void check_generation(const struct guest_fdt *guest, const void *interrupts, size_t bytes)
{
	const fdt64_t reg[] = { cpu_to_fdt64(0x40010000), cpu_to_fdt64(PAGE_SIZE) };

	vm->generation = GPA(0);
	has_source = true;
	check_common(guest);
	check_absent("/chosen", "rng-seed");
	CHECK(fdt_path_offset(fdt, "/reserved-memory") < 0, "nothing is reserved");
	CHECK(fdt_path_offset(fdt, "/rng@40010000") < 0, "there is no id");
	vm->generation = GPA(0x40010000);
	check_common(guest);
	check_bytes("/reserved-memory/generation@40010000", "reg", reg, sizeof(reg));
	check_bytes("/reserved-memory/generation@40010000", "no-map", NULL, 0);
	check_bytes("/reserved-memory", "ranges", NULL, 0);
	check_string("/rng@40010000", "compatible", "microsoft,vmgenid");
	check_bytes("/rng@40010000", "reg", reg, sizeof(reg));
	check_bytes("/rng@40010000", "interrupts", interrupts, bytes);
	check_bytes("/chosen", "rng-seed", seed, sizeof(seed));
	has_source = false;
	check_common(guest);
	check_absent("/chosen", "rng-seed");
}

/* By edge, where that can be said. */
static void the_id_of_the_generation(void **state)
{
	(void)state;
	check_generation(&arm, (fdt32_t[]){ 0, cpu_to_fdt32(8), cpu_to_fdt32(1) }, 12);
	check_generation(&riscv, (fdt32_t[]){ cpu_to_fdt32(16) }, 4);
}

/* Whatever the room, no byte beyond it is written, and a whole tree comes out or none. */
static void any_room_will_do_or_not(void **state)
{
	size_t needed, got;

	(void)state;
	CHECK_ERR(guest_fdt_build(vm, &riscv, fdt, sizeof(fdt), &needed), ERR_OK);
	for (size_t room = 0; room < sizeof(fdt); room += 4) {
		uint64_t *buffer = test_malloc(room ? room : 1);
		enum err err = guest_fdt_build(vm, &riscv, buffer, room, &got);

		CHECK(err == ERR_OK || err == ERR_RANGE, "%s", host_err(err));
		CHECK(err == ERR_OK ? got == needed : room < 2 * needed, "%zu of %zu bytes", room, needed);
		test_free(buffer);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_guest_of_arm),           TEST(a_guest_of_riscv),        TEST(several_vcpus),
		TEST(the_id_of_the_generation), TEST(any_room_will_do_or_not),
	};

	return cmocka_run_group_tests_name("guest_fdt", tests, NULL, NULL);
}
