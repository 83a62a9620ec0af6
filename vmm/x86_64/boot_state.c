/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest finds in its memory and registers when it starts: docs/guest-abi.md for x86-64.
 * Source of the conventions: Linux Documentation/arch/x86/boot.rst "64-bit Boot Protocol" and zero-page.rst.
 *
 *     0x1000   boot_params, and in its unused tail at 0x1f00 the GDT
 *     0x2000   PML4
 *     0x3000   PDPTs, one for each 512 GiB; then, without 1 GiB pages, page directories, one for each GiB
 *     then     the command line's page, if there is one; the ACPI tables' page, if it is a kernel; the start info's, if PVH's
 *     0xff000  if it is a kernel, a page with the id of its generation, and what the CPU would execute after a reset
 *
 * The tables map memory one to one, up to the end of RAM and at least 4 GiB. With 1 GiB pages, or without them up to
 * 12 GiB, all of it ends below 0x10000; a larger map goes on from there, and the memory map shows that as reserved.
 */
#include "include/arch/virt.h"

#include <string.h>

#include "include/arch/x86_64/msr.h"
#include "include/log.h"
#include "vmm/x86_64/acpi_tables.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/pvh.h"
#include "vmm/x86_64/virt_ops.h"

#define BOOT_PARAMS   UINT64_C(0x1000)
#define GDT_BASE      (BOOT_PARAMS + 0xf00)
#define PML4          UINT64_C(0x2000)
#define BOOT_DATA     UINT64_C(0x10000) /* memory that guests leave alone without a reservation */
#define BOOT_DATA_MAX MIB(1)            /* the load floor */

/* struct boot_params */
#define BOOT_PARAMS_ACPI_RSDP    0x070
#define BOOT_PARAMS_EXT_RAMDISK  0x0c0 /* upper halves of address and size */
#define BOOT_PARAMS_E820_ENTRIES 0x1e8
#define BOOT_PARAMS_E820_TABLE   0x2d0

#define RESET_VECTOR UINT64_C(0xffff0)               /* f000:fff0 */
#define RESET_PAGE   UINT64_C(GUEST_GENERATION_PAGE) /* which the id of the generation begins */

#define NO_CMDLINE (BOOT_PARAMS + 0xff0) /* a zero in its unused tail */

#define HEADER_VERSION 0x020c /* what a guest without a header of its own is told: the first one with a 64-bit entry */

enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };

struct e820_entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

static const uint64_t gdt[] = { 0, 0, GDT_CODE64, GDT_DATA }; /* ENTRY_CS, ENTRY_DS */

/* Accessed and dirty are set from the start, so that the CPU's walk writes nothing. */
#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_A)
#define LEAF_FLAGS  (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_PS)

/* The identity map: where its tables lie and how much they map. */
struct identity_map {
	uint64_t gibs;     /* mapped from 0 */
	uint64_t pdpts;    /* how many, from PML4 + 4 KiB */
	uint64_t pds;      /* how many, after them; 0: 1 GiB leaves */
	uint64_t end;      /* of the last table */
	uint64_t cmdline;  /* where the command line lies */
	uint64_t acpi;     /* the ACPI tables; 0: there are none */
	uint64_t pvh;      /* the start info; 0: it is not entered by the PVH boot protocol */
	uint64_t data_end; /* of all of this */
};

/* Write one table: its first `count` entries are first, first + step, ..., the others 0. */
static enum err write_table(struct addr_space *as, uint64_t table, uint64_t first, uint64_t step, uint64_t count)
{
	uint64_t entries[64];
	enum err err = ERR_OK;

	for (unsigned i = 0; err == ERR_OK && i < 512; i += ARRAY_LEN(entries)) {
		for (unsigned j = 0; j < ARRAY_LEN(entries); j++)
			entries[j] = i + j < count ? first + (i + j) * step : 0;
		err = addr_space_write(as, GPA(table + i * sizeof(*entries)), entries, sizeof(entries));
	}
	return err;
}

/* Was it loaded from a bzImage? */
static bool has_setup_header(const struct vm *vm)
{
	return vm->arch.setup.header == SETUP_MAGIC;
}

static bool is_kernel(const struct vm *vm)
{
	return has_setup_header(vm) || vm->arch.pvh;
}

static struct identity_map plan_identity_map(const struct vm *vm)
{
	const struct ram_range_gpa *last = &vm->ram[vm->ram_ranges - 1];
	uint64_t top = max_u64(last->start.raw + last->size, GIB(4));
	bool leaves_1g = guest_cpuid(vm, 0x80000001, 0).edx & CPUID_81_EDX_PDPE1GB;
	struct identity_map map = { .gibs = align_up(top, GIB(1)) / GIB(1) };

	map.pdpts = align_up(map.gibs, 512) / 512;
	map.pds = leaves_1g ? 0 : map.gibs;
	map.end = PML4 + PAGE_SIZE * (1 + map.pdpts + map.pds);
	map.cmdline = vm->options.cmdline[0] != '\0' ? map.end : NO_CMDLINE;
	map.data_end = vm->options.cmdline[0] != '\0' ? map.end + PAGE_SIZE : map.end;
	if (is_kernel(vm)) {
		map.acpi = map.data_end;
		map.data_end += ACPI_TABLES_SIZE;
	}
	if (vm->arch.pvh) {
		map.pvh = map.data_end;
		map.data_end += PVH_START_INFO_SIZE;
	}
	return map;
}

static enum err write_identity_map(struct addr_space *as, const struct identity_map *map)
{
	uint64_t pdpts = PML4 + PAGE_SIZE;
	uint64_t pds = pdpts + PAGE_SIZE * map->pdpts;
	enum err err = write_table(as, PML4, pdpts | TABLE_FLAGS, PAGE_SIZE, map->pdpts);

	for (uint64_t i = 0; i < map->pdpts && err == ERR_OK; i++) {
		uint64_t pdpt = pdpts + PAGE_SIZE * i, count = map->gibs - 512 * i;

		if (map->pds)
			err = write_table(as, pdpt, (pds + PAGE_SIZE * 512 * i) | TABLE_FLAGS, PAGE_SIZE, count);
		else
			err = write_table(as, pdpt, GIB(512) * i | LEAF_FLAGS, GIB(1), count);
	}
	for (uint64_t i = 0; i < map->pds && err == ERR_OK; i++)
		err = write_table(as, pds + PAGE_SIZE * i, GIB(i) | LEAF_FLAGS, MIB(2), 512);
	return err;
}

static size_t add_e820(struct e820_entry *table, size_t n, uint64_t start, uint64_t end, enum e820_type type)
{
	if (start < end)
		table[n++] = (struct e820_entry){ start, end - start, type };
	return n;
}

/* A loader copies it from a bzImage and fills it in. Elsewhere it says only what a kernel reads that is entered at its 64-bit
 * entry. */
static struct setup_header make_header(const struct vm *vm, const struct identity_map *map)
{
	struct setup_header header = {
		.boot_flag = SETUP_BOOT_FLAG,
		.header = SETUP_MAGIC,
		.version = HEADER_VERSION,
		.loadflags = LOADED_HIGH,
		.cmdline_size = sizeof(vm->options.cmdline) - 1,
	};

	if (has_setup_header(vm))
		header = vm->arch.setup;
	header.type_of_loader = LOADER_UNDEFINED;
	header.cmd_line_ptr = (uint32_t)map->cmdline;
	header.ramdisk_image = (uint32_t)vm->initrd.start.raw;
	header.ramdisk_size = (uint32_t)vm->initrd.size;
	return header;
}

/* As far as they do not fit the header. */
static enum err write_high_halves(struct vm *vm)
{
	const uint32_t halves[] = { (uint32_t)(vm->initrd.start.raw >> 32), (uint32_t)(vm->initrd.size >> 32) };

	return addr_space_write(&vm->as, GPA(BOOT_PARAMS + BOOT_PARAMS_EXT_RAMDISK), halves, sizeof(halves));
}

/*
 * Linux takes a machine with hardware-reduced ACPI for one with EFI, and reboots it by that; where there is none it jumps to the
 * reset vector, in real mode (arch/x86/kernel/reboot.c, efi_reboot_required, machine_real_restart). So that one is for the reset
 * register.
 */
static enum err write_reset_vector(struct vm *vm)
{
	static const uint8_t code[] = {
		0xba,
		(POWER_PORT + POWER_RESET) & 0xff,
		(POWER_PORT + POWER_RESET) >> 8, /* mov dx, the register */
		0xb0,
		POWER_RESET_VALUE, /* mov al */
		0xee,              /* out dx, al */
		0xf4,
		0xeb,
		0xfd, /* hlt, and again */
	};

	return addr_space_write(&vm->as, GPA(RESET_VECTOR), code, sizeof(code));
}

static enum err write_acpi(struct vm *vm, const struct identity_map *map)
{
	if (map->acpi == 0)
		return ERR_OK;
	if (write_reset_vector(vm) != ERR_OK)
		return ERR_NO_MEMORY;
	return acpi_tables_write(vm, GPA(map->acpi));
}

static enum err write_header(struct vm *vm, const struct identity_map *map)
{
	const struct setup_header header = make_header(vm, map);
	enum err err = addr_space_write(&vm->as, GPA(BOOT_PARAMS + SETUP_HEADER_AT), &header, sizeof(header));

	return err == ERR_OK ? write_high_halves(vm) : err;
}

static enum err write_cmdline(struct vm *vm, const struct identity_map *map)
{
	const char *cmdline = vm->options.cmdline;

	if (cmdline[0] == '\0')
		return ERR_OK;
	return addr_space_write(&vm->as, GPA(map->cmdline), cmdline, strlen(cmdline) + 1);
}

/*
 * The first range of RAM: page tables that outgrow the boot data, ACPI tables, which are the last of it, and the reset vector's
 * page are set apart.
 */
static size_t add_low_e820(struct e820_entry *table, uint64_t low_end, const struct identity_map *map)
{
	uint64_t data_end = map->acpi ? map->acpi : map->data_end, from = max_u64(data_end, BOOT_DATA);
	size_t n = 0;

	if (data_end > BOOT_DATA) {
		n = add_e820(table, n, 0, BOOT_DATA, E820_RAM);
		n = add_e820(table, n, BOOT_DATA, data_end, E820_RESERVED);
	} else if (map->acpi) {
		n = add_e820(table, n, 0, map->acpi, E820_RAM);
	} else {
		from = 0;
	}
	if (map->acpi) {
		n = add_e820(table, n, map->acpi, map->data_end, E820_ACPI);
		n = add_e820(table, n, map->data_end, RESET_PAGE, E820_RAM);
		n = add_e820(table, n, RESET_PAGE, BOOT_DATA_MAX, E820_RESERVED);
		from = BOOT_DATA_MAX;
	}
	return add_e820(table, n, from, low_end, E820_RAM);
}

#define E820_MAX (VM_MAX_RAM_RANGES + 5)

static size_t make_e820(const struct vm *vm, const struct identity_map *map, struct e820_entry table[E820_MAX])
{
	size_t n = add_low_e820(table, vm->ram[0].start.raw + vm->ram[0].size, map);

	for (size_t i = 1; i < vm->ram_ranges; i++)
		n = add_e820(table, n, vm->ram[i].start.raw, vm->ram[i].start.raw + vm->ram[i].size, E820_RAM);
	return n;
}

static enum err write_boot_params(struct vm *vm, const struct identity_map *map)
{
	struct e820_entry table[E820_MAX];
	uint8_t entries = (uint8_t)make_e820(vm, map, table);
	enum err err = addr_space_write(&vm->as, GPA(BOOT_PARAMS + BOOT_PARAMS_E820_TABLE), table, entries * sizeof(table[0]));

	if (err == ERR_OK)
		err = addr_space_write(&vm->as, GPA(BOOT_PARAMS + BOOT_PARAMS_E820_ENTRIES), &entries, 1);
	if (err == ERR_OK && map->acpi)
		err = addr_space_write(&vm->as, GPA(BOOT_PARAMS + BOOT_PARAMS_ACPI_RSDP), &map->acpi, sizeof(map->acpi));
	return err == ERR_OK ? write_header(vm, map) : err;
}

/* What the 64-bit boot protocol has besides. */
static enum err write_64(struct vm *vm, const struct identity_map *map)
{
	enum err err = write_boot_params(vm, map);

	if (err == ERR_OK)
		err = addr_space_write(&vm->as, GPA(GDT_BASE), gdt, sizeof(gdt));
	return err == ERR_OK ? write_identity_map(&vm->as, map) : err;
}

static enum err write_pvh(struct vm *vm, const struct identity_map *map)
{
	struct e820_entry table[E820_MAX];
	struct pvh_memory memory[E820_MAX];
	size_t n = make_e820(vm, map, table);

	for (size_t i = 0; i < n; i++)
		memory[i] = (struct pvh_memory){ table[i].addr, table[i].size, table[i].type, 0 };
	return pvh_write_start_info(vm, GPA(map->pvh), &(struct pvh_start){ map->cmdline, map->acpi, memory, (uint32_t)n });
}

/* 32-bit protected mode without paging; all else that the protocol fixes is as it is for all. */
static void enter_pvh(struct vcpu *vcpu, gpa_t entry, uint64_t start_info)
{
	const struct entry_state state = { .mode = ENTRY_32, .rip = entry.raw, .cr0 = CR0_PE | CR0_ET, .pat = PAT_RESET };

	vcpu_reset(vcpu, &state);
	vcpu->arch.gpr[RBX] = start_info;
}

static void enter_64(struct vcpu *vcpu, gpa_t entry)
{
	const struct entry_state state = {
		.mode = ENTRY_64,
		.rip = entry.raw,
		.cr0 = ENTRY_CR0,
		.cr3 = PML4,
		.cr4 = ENTRY_CR4,
		.efer = ENTRY_EFER,
		.pat = PAT_RESET,
		.gdt_base = GDT_BASE,
		.gdt_limit = sizeof(gdt) - 1,
	};

	vcpu_reset(vcpu, &state);
	vcpu->arch.gpr[RSI] = BOOT_PARAMS;
}

enum err arch_vcpu_reset(struct vcpu *vcpu, gpa_t entry)
{
	struct vm *vm = vcpu->vm;
	struct identity_map map = plan_identity_map(vm);
	enum err err;

	if (map.data_end > (map.acpi ? RESET_PAGE : BOOT_DATA_MAX)) {
		log_vm_err(vm, "without 1 GiB pages, page tables for %lu GiB do not fit the guest's first MiB", map.gibs);
		return ERR_RANGE;
	}
	err = map.pvh ? write_pvh(vm, &map) : write_64(vm, &map);
	if (err == ERR_OK)
		err = write_cmdline(vm, &map);
	if (err == ERR_OK)
		err = write_acpi(vm, &map);
	if (err != ERR_OK)
		return err;
	if (map.pvh)
		enter_pvh(vcpu, entry, map.pvh);
	else
		enter_64(vcpu, entry);
	return ERR_OK;
}
