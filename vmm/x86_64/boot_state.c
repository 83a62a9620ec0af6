/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest finds in its memory and registers when it starts: docs/guest-abi.md for x86-64.
 * Source of the conventions: Linux Documentation/arch/x86/boot.rst "64-bit Boot Protocol" and zero-page.rst.
 *
 *     0x1000   boot_params, and in its unused tail at 0x1f00 the GDT
 *     0x2000   PML4
 *     0x3000   PDPTs, one for each 512 GiB; then, without 1 GiB pages, page directories, one for each GiB
 *     then     the command line's page, if there is one
 *
 * The tables map memory one to one, up to the end of RAM and at least 4 GiB. With 1 GiB pages, or without them up to
 * 12 GiB, all of it ends below 0x10000; a larger map goes on from there, and the memory map shows that as reserved.
 */
#include "include/arch/virt.h"

#include <string.h>

#include "include/arch/x86_64/msr.h"
#include "include/log.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/virt_ops.h"

#define BOOT_PARAMS   UINT64_C(0x1000)
#define GDT_BASE      (BOOT_PARAMS + 0xf00)
#define PML4          UINT64_C(0x2000)
#define BOOT_DATA     UINT64_C(0x10000) /* memory that guests leave alone without a reservation */
#define BOOT_DATA_MAX MIB(1)            /* the load floor */

/* struct boot_params */
#define BOOT_PARAMS_E820_ENTRIES 0x1e8
#define BOOT_PARAMS_HEADER       0x1f1
#define BOOT_PARAMS_E820_TABLE   0x2d0

#define NO_CMDLINE (BOOT_PARAMS + 0xff0) /* a zero in its unused tail */

/*
 * "The Real-Mode Kernel Header", which a loader copies from a bzImage and fills in. Here is none: it says only what a kernel
 * that is entered at its 64-bit entry reads, and what tells it from an old loader's.
 */
struct setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize;
	uint16_t ram_size, vid_mode, root_dev, boot_flag, jump;
	uint32_t header;
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg, kernel_version;
	uint8_t type_of_loader, loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver, ext_loader_type;
	uint32_t cmd_line_ptr, initrd_addr_max, kernel_alignment;
	uint8_t relocatable_kernel, min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size;
} __attribute__((packed));
_Static_assert(BOOT_PARAMS_HEADER + offsetof(struct setup_header, cmdline_size) == 0x238, "the layout of the boot protocol");

#define BOOT_FLAG        0xaa55
#define HEADER_MAGIC     0x53726448 /* "HdrS" */
#define HEADER_VERSION   0x020c     /* the first one with a 64-bit entry */
#define LOADER_UNDEFINED 0xff
#define LOADED_HIGH      BIT(0)

enum e820_type { E820_RAM = 1, E820_RESERVED = 2 };

struct e820_entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

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

static enum err write_header(struct vm *vm, const struct identity_map *map)
{
	const char *cmdline = vm->options.cmdline;
	const struct setup_header header = {
		.boot_flag = BOOT_FLAG,
		.header = HEADER_MAGIC,
		.version = HEADER_VERSION,
		.type_of_loader = LOADER_UNDEFINED,
		.loadflags = LOADED_HIGH,
		.cmd_line_ptr = (uint32_t)map->cmdline,
		.cmdline_size = sizeof(vm->options.cmdline) - 1,
	};
	enum err err = addr_space_write(&vm->as, GPA(BOOT_PARAMS + BOOT_PARAMS_HEADER), &header, sizeof(header));

	return err == ERR_OK && cmdline[0] != '\0' ? addr_space_write(&vm->as, GPA(map->cmdline), cmdline, strlen(cmdline) + 1) :
						     err;
}

static enum err write_boot_params(struct vm *vm, const struct identity_map *map)
{
	struct e820_entry table[VM_MAX_RAM_RANGES + 2];
	uint64_t low_end = vm->ram[0].start.raw + vm->ram[0].size;
	uint64_t tables_end = max_u64(map->data_end, BOOT_DATA);
	uint8_t entries;
	size_t n = 0;
	enum err err;

	if (tables_end > BOOT_DATA) {
		n = add_e820(table, n, 0, BOOT_DATA, E820_RAM);
		n = add_e820(table, n, BOOT_DATA, tables_end, E820_RESERVED);
		n = add_e820(table, n, tables_end, low_end, E820_RAM);
	} else {
		n = add_e820(table, n, 0, low_end, E820_RAM);
	}
	for (size_t i = 1; i < vm->ram_ranges; i++)
		n = add_e820(table, n, vm->ram[i].start.raw, vm->ram[i].start.raw + vm->ram[i].size, E820_RAM);

	entries = (uint8_t)n;
	err = addr_space_write(&vm->as, GPA(BOOT_PARAMS + BOOT_PARAMS_E820_TABLE), table, n * sizeof(table[0]));
	if (err == ERR_OK)
		err = addr_space_write(&vm->as, GPA(BOOT_PARAMS + BOOT_PARAMS_E820_ENTRIES), &entries, 1);
	return err == ERR_OK ? write_header(vm, map) : err;
}

enum err arch_vcpu_reset(struct vcpu *vcpu, gpa_t entry)
{
	static const uint64_t gdt[] = { 0, 0, GDT_CODE64, GDT_DATA }; /* ENTRY_CS, ENTRY_DS */
	struct vm *vm = vcpu->vm;
	struct identity_map map = plan_identity_map(vm);
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
	enum err err;

	if (map.data_end > BOOT_DATA_MAX) {
		log_vm_err(vm, "without 1 GiB pages, page tables for %lu GiB do not fit the guest's first MiB", map.gibs);
		return ERR_RANGE;
	}
	err = write_boot_params(vm, &map);
	if (err == ERR_OK)
		err = addr_space_write(&vm->as, GPA(GDT_BASE), gdt, sizeof(gdt));
	if (err == ERR_OK)
		err = write_identity_map(&vm->as, &map);
	if (err != ERR_OK)
		return err;

	vcpu_reset(vcpu, &state);
	vcpu->arch.gpr[RSI] = BOOT_PARAMS;
	return ERR_OK;
}
