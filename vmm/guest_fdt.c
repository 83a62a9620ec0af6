/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a guest's device tree, front to back, by libfdt's sequential interface. */
#include "vmm/guest_fdt.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "drivers/random.h"

/* What other nodes refer to. */
enum { PHANDLE_CLOCK = 1, PHANDLE_INTC, PHANDLE_HART_INTC /* of the first hart; the others follow */ };

/* A hart's own number of the external interrupt of supervisor mode. */
enum { HART_EXTERNAL_INTERRUPT = 9 };

/* Of a GIC: kinds of interrupts, the id of the first one of a device, and "by a high level". */
enum { GIC_SPI = 0, GIC_PPI = 1, GIC_SPI_FIRST = 32, GIC_EDGE_RISING = 1, GIC_LEVEL_HIGH = 4, GIC_CPUS_SHIFT = 8 };

enum { NAME_MAX_BYTES = 32, ISA_MAX_BYTES = 256 };

/* The first error stands; nothing is written after it. */
struct tree {
	void *fdt;
	int error;
};

static void begin(struct tree *tree, const char *name)
{
	if (!tree->error)
		tree->error = fdt_begin_node(tree->fdt, name);
}

static void end(struct tree *tree)
{
	if (!tree->error)
		tree->error = fdt_end_node(tree->fdt);
}

static void put_bytes(struct tree *tree, const char *name, const void *value, size_t bytes)
{
	if (!tree->error)
		tree->error = fdt_property(tree->fdt, name, value, (int)bytes);
}

static void put_string(struct tree *tree, const char *name, const char *value)
{
	if (value)
		put_bytes(tree, name, value, strlen(value) + 1);
}

static void put_cell(struct tree *tree, const char *name, uint32_t value)
{
	fdt32_t cell = cpu_to_fdt32(value);

	put_bytes(tree, name, &cell, sizeof(cell));
}

static void put_range(struct tree *tree, gpa_t start, uint64_t size)
{
	fdt64_t reg[] = { cpu_to_fdt64(start.raw), cpu_to_fdt64(size) };

	put_bytes(tree, "reg", reg, sizeof(reg));
}

/* `text` has room for every name here. */
static const char *unit_name(char *text, const char *name, uint64_t unit)
{
	snprintf(text, NAME_MAX_BYTES, "%s@%lx", name, unit);
	return text;
}

static void put_memory(struct tree *tree, const struct vm *vm)
{
	char name[NAME_MAX_BYTES];

	for (size_t i = 0; i < vm->ram_ranges; i++) {
		begin(tree, unit_name(name, "memory", vm->ram[i].start.raw));
		put_string(tree, "device_type", "memory");
		put_range(tree, vm->ram[i].start, vm->ram[i].size);
		end(tree);
	}
}

/* Where a hart's own interrupts go: bindings/interrupt-controller/riscv,cpu-intc.yaml. */
static void put_hart_interrupts(struct tree *tree, unsigned hart)
{
	begin(tree, "interrupt-controller");
	put_string(tree, "compatible", "riscv,cpu-intc");
	put_cell(tree, "#interrupt-cells", 1);
	put_bytes(tree, "interrupt-controller", NULL, 0);
	put_cell(tree, "phandle", PHANDLE_HART_INTC + hart);
	end(tree);
}

/*
 * bindings/riscv/extensions.yaml: the ISA string, and the same taken apart, which is what newer kernels want: "rv64imac_zba" is
 * based on "rv64i", with "i", "m", "a", "c" and "zba".
 */
static void put_isa(struct tree *tree, const char *isa)
{
	static const char base[] = "rv64i";
	char list[2 * ISA_MAX_BYTES];
	size_t used = 0;

	if (!isa)
		return;
	put_string(tree, "riscv,isa", isa);
	put_bytes(tree, "riscv,isa-base", base, sizeof(base));
	for (const char *at = isa + strlen("rv64"); *at && used < sizeof(list) - 1;) {
		size_t length = *at == '_' ? strcspn(++at, "_") : 1;

		length = min_u64(length, sizeof(list) - 1 - used);
		memcpy(list + used, at, length);
		list[used + length] = '\0';
		used += length + 1;
		at += length;
	}
	put_bytes(tree, "riscv,isa-extensions", list, used);
}

static void put_block_size(struct tree *tree, const char *name, uint32_t bytes)
{
	if (bytes != 0)
		put_cell(tree, name, bytes);
}

/* bindings/arm/cpus.yaml, bindings/riscv/cpus.yaml */
static void put_cpu(struct tree *tree, const struct guest_fdt *guest, unsigned id)
{
	char name[NAME_MAX_BYTES];

	begin(tree, unit_name(name, "cpu", id));
	put_string(tree, "device_type", "cpu");
	put_cell(tree, "reg", id);
	put_string(tree, "status", "okay");
	put_string(tree, "compatible", guest->cpu.compatible);
	put_string(tree, "enable-method", guest->cpu.enable_method);
	put_isa(tree, guest->cpu.riscv_isa);
	put_block_size(tree, "riscv,cbom-block-size", guest->cpu.cbom_block);
	put_block_size(tree, "riscv,cboz-block-size", guest->cpu.cboz_block);
	put_string(tree, "mmu-type", guest->cpu.mmu_type);
	if (guest->cpu.riscv_isa)
		put_hart_interrupts(tree, id);
	end(tree);
}

static void put_cpus(struct tree *tree, const struct vm *vm, const struct guest_fdt *guest)
{
	begin(tree, "cpus");
	put_cell(tree, "#address-cells", 1);
	put_cell(tree, "#size-cells", 0);
	if (guest->timebase_hz)
		put_cell(tree, "timebase-frequency", guest->timebase_hz);
	for (unsigned id = 0; id < vm->vcpus && (guest->intc != GUEST_FDT_GICV2 || id < guest->intc_cpus); id++)
		put_cpu(tree, guest, id);
	end(tree);
}

/* bindings/arm/psci.yaml; from 0.2 on the numbers of the calls are fixed. */
static void put_psci(struct tree *tree)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	begin(tree, "psci");
	put_bytes(tree, "compatible", compatible, sizeof(compatible));
	put_string(tree, "method", "hvc");
	end(tree);
}

/* bindings/interrupt-controller/sifive,plic-1.0.0.yaml: context by context, where it interrupts. */
static void put_plic(struct tree *tree, const struct vm *vm, const struct guest_fdt *guest)
{
	static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
	fdt32_t contexts[2 * VCPU_MAX];
	char name[NAME_MAX_BYTES];

	for (unsigned i = 0; i < vm->vcpus; i++) {
		contexts[2 * i] = cpu_to_fdt32(PHANDLE_HART_INTC + i);
		contexts[2 * i + 1] = cpu_to_fdt32(HART_EXTERNAL_INTERRUPT);
	}
	begin(tree, unit_name(name, "plic", guest->intc_base.raw));
	put_bytes(tree, "compatible", compatible, sizeof(compatible));
	put_range(tree, guest->intc_base, guest->intc_size);
	put_cell(tree, "#address-cells", 0);
	put_cell(tree, "#interrupt-cells", 1);
	put_bytes(tree, "interrupt-controller", NULL, 0);
	put_bytes(tree, "interrupts-extended", contexts, 2 * vm->vcpus * sizeof(contexts[0]));
	put_cell(tree, "riscv,ndev", guest->intc_lines - 1);
	put_cell(tree, "phandle", PHANDLE_INTC);
	end(tree);
}

static bool has_gic(const struct guest_fdt *guest)
{
	return guest->intc == GUEST_FDT_GICV2 || guest->intc == GUEST_FDT_GICV3;
}

/* bindings/interrupt-controller/arm,gic.yaml, arm,gic-v3.yaml */
static void put_gic(struct tree *tree, const struct guest_fdt *guest)
{
	const fdt64_t reg[] = { cpu_to_fdt64(guest->intc_base.raw), cpu_to_fdt64(guest->intc_size),
				cpu_to_fdt64(guest->intc_cpus_base.raw), cpu_to_fdt64(guest->intc_cpus_size) };
	char name[NAME_MAX_BYTES];

	begin(tree, unit_name(name, "intc", guest->intc_base.raw));
	put_string(tree, "compatible", guest->intc == GUEST_FDT_GICV2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
	put_bytes(tree, "reg", reg, sizeof(reg));
	put_cell(tree, "#address-cells", 0);
	put_cell(tree, "#interrupt-cells", 3);
	put_bytes(tree, "interrupt-controller", NULL, 0);
	put_cell(tree, "phandle", PHANDLE_INTC);
	end(tree);
}

/* bindings/timer/arm,arch_timer.yaml: EL3's, EL1's, the virtual and EL2's. A GICv2 wants to know which CPUs have them, too. */
static void put_arm_timer(struct tree *tree, const struct guest_fdt *guest)
{
	static const uint8_t ppi[] = { 13, 14, 11, 10 };
	fdt32_t interrupts[3 * ARRAY_LEN(ppi)];
	uint32_t flags = GIC_LEVEL_HIGH;

	if (guest->intc == GUEST_FDT_GICV2)
		flags |= ((1u << guest->intc_cpus) - 1) << GIC_CPUS_SHIFT;
	for (unsigned i = 0; i < ARRAY_LEN(ppi); i++) {
		interrupts[3 * i] = cpu_to_fdt32(GIC_PPI);
		interrupts[3 * i + 1] = cpu_to_fdt32(ppi[i]);
		interrupts[3 * i + 2] = cpu_to_fdt32(flags);
	}
	begin(tree, "timer");
	put_string(tree, "compatible", "arm,armv8-timer");
	put_cell(tree, "interrupt-parent", PHANDLE_INTC);
	put_bytes(tree, "interrupts", interrupts, sizeof(interrupts));
	put_bytes(tree, "always-on", NULL, 0);
	end(tree);
}

/*
 * A device's line. Each device says where it goes: as a property of the root that would hold for the harts' own controllers, too,
 * to which a PLIC itself goes.
 */
static void put_interrupt_kind(struct tree *tree, const struct guest_fdt *guest, unsigned line, unsigned kind)
{
	const fdt32_t of_gic[] = { cpu_to_fdt32(GIC_SPI), cpu_to_fdt32(line - GIC_SPI_FIRST), cpu_to_fdt32(kind) };

	if (guest->intc == GUEST_FDT_NO_INTC)
		return;
	put_cell(tree, "interrupt-parent", PHANDLE_INTC);
	if (has_gic(guest))
		put_bytes(tree, "interrupts", of_gic, sizeof(of_gic));
	else
		put_cell(tree, "interrupts", line);
}

static void put_interrupt(struct tree *tree, const struct guest_fdt *guest, unsigned line)
{
	put_interrupt_kind(tree, guest, line, GIC_LEVEL_HIGH);
}

/* bindings/clock/fixed-clock.yaml */
static void put_clock(struct tree *tree, uint32_t hz)
{
	begin(tree, "apb-pclk");
	put_string(tree, "compatible", "fixed-clock");
	put_cell(tree, "#clock-cells", 0);
	put_cell(tree, "clock-frequency", hz);
	put_string(tree, "clock-output-names", "clk24mhz");
	put_cell(tree, "phandle", PHANDLE_CLOCK);
	end(tree);
}

/* bindings/serial/pl011.yaml: one clock for the baud rate, one for the bus. */
static void put_pl011(struct tree *tree, const struct guest_fdt *guest)
{
	static const char compatible[] = "arm,pl011\0arm,primecell", clock_names[] = "uartclk\0apb_pclk";
	const fdt32_t clocks[] = { cpu_to_fdt32(PHANDLE_CLOCK), cpu_to_fdt32(PHANDLE_CLOCK) };

	put_bytes(tree, "compatible", compatible, sizeof(compatible));
	put_range(tree, guest->uart_base, guest->uart_size);
	put_bytes(tree, "clocks", clocks, sizeof(clocks));
	put_bytes(tree, "clock-names", clock_names, sizeof(clock_names));
}

/* bindings/serial/8250.yaml */
static void put_ns16550(struct tree *tree, const struct guest_fdt *guest)
{
	put_string(tree, "compatible", "ns16550a");
	put_range(tree, guest->uart_base, guest->uart_size);
	put_cell(tree, "clock-frequency", guest->uart_hz);
}

/* Devicetree schema, chosen.yaml: where the initrd begins and ends. */
static void put_initrd(struct tree *tree, const struct ram_range_gpa *initrd)
{
	const fdt64_t start = cpu_to_fdt64(initrd->start.raw), end = cpu_to_fdt64(initrd->start.raw + initrd->size);

	if (initrd->size == 0)
		return;
	put_bytes(tree, "linux,initrd-start", &start, sizeof(start));
	put_bytes(tree, "linux,initrd-end", &end, sizeof(end));
}

/*
 * Devicetree schema, chosen.yaml: what a kernel draws random numbers from before it has a device for that. It takes every bit for
 * random, so there is none where only differences of time make it.
 */
static void put_seed(struct tree *tree, const struct vm *vm)
{
	uint8_t seed[32];

	if (vm->generation.raw == 0)
		return;
	random_bytes(seed, sizeof(seed));
	if (random_has_source())
		put_bytes(tree, "rng-seed", seed, sizeof(seed));
	explicit_bzero(seed, sizeof(seed));
}

static void put_console(struct tree *tree, const struct vm *vm, const struct guest_fdt *guest)
{
	char path[NAME_MAX_BYTES] = "/";
	bool pl011 = guest->uart == GUEST_FDT_PL011;

	unit_name(path + 1, pl011 ? "pl011" : "serial", guest->uart_base.raw);
	if (pl011)
		put_clock(tree, guest->uart_hz);
	begin(tree, path + 1);
	if (pl011)
		put_pl011(tree, guest);
	else
		put_ns16550(tree, guest);
	put_interrupt(tree, guest, guest->uart_line);
	end(tree);
	begin(tree, "aliases");
	put_string(tree, "serial0", path);
	end(tree);
	begin(tree, "chosen");
	put_string(tree, "stdout-path", path);
	if (guest->bootargs && guest->bootargs[0] != '\0')
		put_string(tree, "bootargs", guest->bootargs);
	put_initrd(tree, &vm->initrd);
	put_seed(tree, vm);
	end(tree);
}

/* bindings/virtio/mmio.yaml */
static void put_virtio(struct tree *tree, const struct vm *vm, const struct guest_fdt *guest)
{
	char name[NAME_MAX_BYTES];

	for (unsigned i = 0; i < guest->virtio_count; i++) {
		gpa_t base = GPA(guest->virtio_base.raw + i * guest->virtio_step);

		if (!device_is_at(&vm->devices, IO_MEMORY, base.raw))
			continue;
		begin(tree, unit_name(name, "virtio_mmio", base.raw));
		put_string(tree, "compatible", "virtio,mmio");
		put_range(tree, base, guest->virtio_step);
		put_interrupt(tree, guest, guest->virtio_line + i);
		put_bytes(tree, "dma-coherent", NULL, 0);
		end(tree);
	}
}

/* bindings/rng/microsoft,vmgenid.yaml; its page, which is in RAM, is for nothing else: bindings/reserved-memory. */
static void put_generation(struct tree *tree, const struct vm *vm, const struct guest_fdt *guest)
{
	char name[NAME_MAX_BYTES];

	if (vm->generation.raw == 0)
		return;
	begin(tree, "reserved-memory");
	put_cell(tree, "#address-cells", 2);
	put_cell(tree, "#size-cells", 2);
	put_bytes(tree, "ranges", NULL, 0);
	begin(tree, unit_name(name, "generation", vm->generation.raw));
	put_range(tree, vm->generation, PAGE_SIZE);
	put_bytes(tree, "no-map", NULL, 0);
	end(tree);
	end(tree);
	begin(tree, unit_name(name, "rng", vm->generation.raw));
	put_string(tree, "compatible", "microsoft,vmgenid");
	put_range(tree, vm->generation, PAGE_SIZE);
	put_interrupt_kind(tree, guest, guest->generation_line, GIC_EDGE_RISING);
	end(tree);
}

/* Who runs the guest; docs/guest-abi.md */
static void put_hypervisor(struct tree *tree)
{
	begin(tree, "hypervisor");
	put_string(tree, "compatible", "nestling,hypervisor");
	end(tree);
}

/* The control page, which is ours; bindings/misc/pvpanic-mmio.txt. */
static void put_device(struct tree *tree, const char *name, const char *compatible, const struct io_device *device)
{
	char unit[NAME_MAX_BYTES];

	if (device->space != IO_MEMORY || device->size == 0)
		return;
	begin(tree, unit_name(unit, name, device->base));
	put_string(tree, "compatible", compatible);
	put_range(tree, GPA(device->base), device->size);
	end(tree);
}

static void put_root(struct tree *tree, const struct vm *vm, const struct guest_fdt *guest)
{
	begin(tree, "");
	put_cell(tree, "#address-cells", 2);
	put_cell(tree, "#size-cells", 2);
	put_string(tree, "compatible", guest->compatible);
	put_string(tree, "model", guest->compatible);
	put_memory(tree, vm);
	put_cpus(tree, vm, guest);
	if (guest->psci)
		put_psci(tree);
	if (guest->intc == GUEST_FDT_PLIC)
		put_plic(tree, vm, guest);
	if (has_gic(guest)) {
		put_gic(tree, guest);
		put_arm_timer(tree, guest);
	}
	put_console(tree, vm, guest);
	put_device(tree, "control", "nestling,control", &vm->control.device);
	put_device(tree, "pvpanic", "qemu,pvpanic-mmio", &vm->pvpanic.device);
	put_virtio(tree, vm, guest);
	put_generation(tree, vm, guest);
	put_hypervisor(tree);
	end(tree);
}

enum err guest_fdt_build(const struct vm *vm, const struct guest_fdt *guest, void *buffer, size_t room, size_t *bytes)
{
	struct tree tree = { .fdt = buffer };

	tree.error = fdt_create(buffer, (int)min_u64(room, INT32_MAX));
	if (!tree.error)
		tree.error = fdt_finish_reservemap(buffer);
	put_root(&tree, vm, guest);
	if (!tree.error)
		tree.error = fdt_finish(buffer);
	if (tree.error)
		return tree.error == -FDT_ERR_NOSPACE ? ERR_RANGE : ERR_INVALID;
	*bytes = fdt_totalsize(buffer);
	return ERR_OK;
}
