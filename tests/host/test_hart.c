/* SPDX-License-Identifier: BSD-2-Clause */
/* What RISC-V's device trees say of a hart, in every way that they say it; and what its CBO.ZERO shows of itself. */
#include "drivers/riscv64/hart.c"
#include "drivers/riscv64/rintc.c"

#include <stdio.h>

#include "include/arch/riscv64/zero_block.h"
#include "tests/host/host.h"

/* A tree that has one hart, with one property. */
static void set(const char *name, const void *value, size_t size)
{
	static uint64_t trees[2][KIB(4) / sizeof(uint64_t)]; /* another tree is known by its address */
	static struct platform platform;
	static bool other;
	uint64_t *now = trees[other = !other];
	int cpus, cpu;

	assert_int_equal(fdt_create_empty_tree(now, sizeof(trees[0])), 0);
	cpus = fdt_add_subnode(now, 0, "cpus");
	assert_int_equal(fdt_setprop_u32(now, cpus, "#address-cells", 1), 0);
	cpu = fdt_add_subnode(now, cpus, "cpu@0");
	assert_int_equal(fdt_setprop(now, cpu, "device_type", "cpu", 4), 0);
	assert_int_equal(fdt_setprop_u32(now, cpu, "reg", 0), 0);
	assert_int_equal(fdt_setprop(now, cpu, name, value, (int)size), 0);
	platform.fdt = now;
	platform_set(&platform);
}

static void set_isa(const char *isa)
{
	set("riscv,isa", isa, strlen(isa) + 1);
}

/* Of these names, separated by spaces, all and none of the others. */
static void check(const char *has, const char *lacks)
{
	char text[256], *rest = text;

	snprintf(text, sizeof(text), "%s", has);
	for (const char *name; (name = strsep(&rest, " ")) != NULL;)
		CHECK(*name == '\0' || hart_has_extension(name), "%s is missed", name);
	snprintf(text, sizeof(text), "%s", lacks);
	rest = text;
	for (const char *name; (name = strsep(&rest, " ")) != NULL;)
		CHECK(*name == '\0' || !hart_has_extension(name), "%s is made up", name);
}

static void strings(void **state)
{
	(void)state;
	set_isa("rv64imafdch_zicsr_zba_sstc");
	check("i m a f d c h zicsr zba sstc", "v zbb zb zicsr_zba s z e x zbas");
	set_isa("RV64IMAC_Zicsr_SSTC");
	check("i m a c zicsr sstc", "d f h");
	set_isa("rv64imafdcv");
	check("v c", "h");
	set_isa("rv64");
	check("", "i m r v zba");
	set_isa("rv32imac_zba");
	check("", "i zba");
}

static void versions(void **state)
{
	(void)state;
	set_isa("rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_v1p0_zicsr2p0_zba1p0_zvl128b1p0_sstc1p0");
	check("i m a f d c v zicsr zba zvl128b sstc", "p h z zvl zvl128 zvl128b1p0_ zicsr2 b");
	set_isa("rv64i2p1m2p0a2p1c2_zicboz1p0_svinval");
	check("i m a c zicboz svinval", "p zicbom");
	set_isa("rv64i2_m3_zifencei2");
	check("i m zifencei", "a p");
	set_isa("rv64i2p_zic64b");
	check("i p zic64b", "zic64 zic");
	set_isa("rv64imac_zcmp_zcmt1p0");
	check("zcmp zcmt", "zcm");
}

static void without_underscores(void **state)
{
	(void)state;
	set_isa("rv64imafdczicsr_zifencei");
	check("i m a f d c zicsr zifencei", "z s r n e");
	set_isa("rv64imacxventana_zba");
	check("c xventana zba", "v e n t");
	set_isa("rv64imafdcsu");
	check("c d", "u v");
	set_isa("rv64imac__zba_");
	check("i zba", "_");
}

static void letters_for_several(void **state)
{
	(void)state;
	set_isa("rv64gcb");
	check("i m a f d c g b zicsr zifencei zba zbb zbs", "zbc v h");
	set_isa("rv64g2p0_zbc");
	check("d zicsr zbc", "c zba");
}

static void lists(void **state)
{
	(void)state;
	set("riscv,isa-extensions", "i\0m\0a\0c\0zicsr\0zicboz\0sstc", sizeof("i\0m\0a\0c\0zicsr\0zicboz\0sstc"));
	check("i m a c zicsr zicboz sstc", "f d zicbo zic z icsr v");
	set("riscv,isa-extensions", "i\0zicsr", 5); /* no end */
	check("", "i zicsr zic");
	set("riscv,isa", "rv64imac", 8);
	check("", "i m");
	set("riscv,isa", "", 1);
	check("", "i m");
}

/* A tree of several harts. */
struct node {
	uint32_t id;
	const char *isa, *mmu, *status; /* NULL: it does not say */
	const char *list;               /* of extensions, separated by spaces; instead of `isa` */
};

static void set_text(void *fdt, int cpu, const char *name, const char *text)
{
	assert_int_equal(fdt_setprop(fdt, cpu, name, text, (int)strlen(text) + 1), 0);
}

static void set_list(void *fdt, int cpu, const char *list)
{
	char text[256];
	size_t size = strlen(list) + 1;

	memcpy(text, list, size);
	for (size_t i = 0; i < size; i++)
		if (text[i] == ' ')
			text[i] = '\0';
	assert_int_equal(fdt_setprop(fdt, cpu, "riscv,isa-extensions", text, (int)size), 0);
}

static void set_harts(const struct node *nodes, size_t count, bool boot_known, uint64_t boot)
{
	static uint64_t tree[2][KIB(8) / sizeof(uint64_t)];
	static bool other;
	uint64_t *now = tree[other = !other];
	const struct platform platform = { .fdt = now, .boot_hart = boot, .boot_hart_known = boot_known };
	int cpus, cpu;
	char name[32];

	assert_int_equal(fdt_create_empty_tree(now, sizeof(tree[0])), 0);
	cpus = fdt_add_subnode(now, 0, "cpus");
	assert_int_equal(fdt_setprop_u32(now, cpus, "#address-cells", 1), 0);
	for (size_t i = count; i-- > 0;) { /* a node that is added becomes the first */
		snprintf(name, sizeof(name), "cpu@%x", nodes[i].id);
		cpu = fdt_add_subnode(now, fdt_path_offset(now, "/cpus"), name);
		set_text(now, cpu, "device_type", "cpu");
		assert_int_equal(fdt_setprop_u32(now, cpu, "reg", nodes[i].id), 0);
		if (nodes[i].list)
			set_list(now, cpu, nodes[i].list);
		if (nodes[i].isa)
			set_text(now, cpu, "riscv,isa", nodes[i].isa);
		if (nodes[i].mmu)
			set_text(now, cpu, "mmu-type", nodes[i].mmu);
		if (nodes[i].status)
			set_text(now, cpu, "status", nodes[i].status);
	}
	platform_set(&platform);
}

#define CHECK_HARTS(nodes, known, boot, ...)                                    \
	do {                                                                    \
		const uint64_t wanted_[] = { __VA_ARGS__ };                     \
		uint64_t ids_[8] = { 0 };                                       \
		set_harts(nodes, ARRAY_LEN(nodes), known, boot);                \
		CHECK_EQ(hart_find(ids_, ARRAY_LEN(ids_)), ARRAY_LEN(wanted_)); \
		for (size_t i_ = 0; i_ < ARRAY_LEN(wanted_); i_++)              \
			CHECK_EQ(ids_[i_], wanted_[i_]);                        \
	} while (0)

/* Ids are sparse and in any order; the hart that runs us comes first. */
static void several(void **state)
{
	static const struct node nodes[] = {
		{ .id = 4, .isa = "rv64imafdch_zicsr", .mmu = "riscv,sv48" },
		{ .id = 1, .isa = "rv64imafdch_zicsr", .mmu = "riscv,sv48" },
		{ .id = 0x1000, .isa = "rv64imafdch_zicsr", .mmu = "riscv,sv48", .status = "okay" },
		{ .id = 7, .isa = "rv64imafdch_zicsr", .mmu = "riscv,sv48", .status = "disabled" },
	};
	uint64_t ids[2];

	(void)state;
	CHECK_HARTS(nodes, true, 4, 4, 1, 0x1000);
	CHECK_HARTS(nodes, true, 0x1000, 0x1000, 4, 1);
	CHECK_HARTS(nodes, false, 0, 4, 1, 0x1000);
	CHECK_EQ(hart_find(ids, 2), 3); /* there are more than there is room for */
	CHECK_EQ(ids[1], 1);
	set_harts(nodes, ARRAY_LEN(nodes), true, 9); /* named, and not there */
	CHECK_EQ(hart_find(ids, 2), 0);
}

/* Only those that have what the boot hart has. */
static void unlike(void **state)
{
	static const struct node strings[] = {
		{ .id = 0, .isa = "rv64imac", .mmu = "riscv,none" },
		{ .id = 1, .isa = "rv64gch_zba_sstc", .mmu = "riscv,sv48" },
		{ .id = 2, .isa = "rv64gc_zba_sstc", .mmu = "riscv,sv48" },
		{ .id = 3, .isa = "rv64imafdch_zicsr_zifencei_sstc_zba_zbb", .mmu = "riscv,sv48" },
		{ .id = 4, .isa = "rv64gch_zba_sstc", .mmu = "riscv,sv39" },
		{ .id = 5, .mmu = "riscv,sv48" },
	}, lists[] = {
		{ .id = 0, .list = "i m a c h sstc" },
		{ .id = 1, .list = "i m a c sstc" },
		{ .id = 2, .list = "sstc i m a c h zba" },
		{ .id = 3, .isa = "rv64imach_sstc" },
	}, silent[] = { { .id = 0 }, { .id = 1 } };

	(void)state;
	CHECK_HARTS(strings, true, 1, 1, 3);
	CHECK_HARTS(lists, true, 0, 0, 2, 3);
	CHECK_HARTS(lists, true, 2, 2);
	CHECK_HARTS(silent, true, 0, 0, 1);
}

/* --- ACPI ------------------------------------------------------------------------------------------------------------- */

static uint8_t tables[512];
enum { RSDP = 0, XSDT = 64, MADT = 128, RHCT = 320 };

static const void *read_table(uint64_t address, uint64_t size)
{
	uint64_t start = (uintptr_t)tables;

	return address >= start && address - start <= sizeof(tables) && size <= sizeof(tables) - (address - start) ?
		       tables + (address - start) :
		       NULL;
}

static void put(unsigned at, uint64_t value, size_t bytes)
{
	memcpy(tables + at, &value, bytes);
}

static void finish(unsigned at, const char *signature, unsigned size)
{
	uint8_t sum = 0;

	memcpy(tables + at, signature, 4);
	put(at + 4, size, 4);
	tables[at + 9] = 0;
	for (unsigned i = 0; i < size; i++)
		sum = (uint8_t)(sum + tables[at + i]);
	tables[at + 9] = (uint8_t)-sum;
}

static unsigned put_rintc(unsigned at, uint64_t hart, uint32_t flags, uint8_t length)
{
	tables[at] = 0x18;
	tables[at + 1] = length;
	tables[at + 2] = 1;
	put(at + 4, flags, 4);
	if (length >= 16)
		put(at + 8, hart, 8);
	return at + length;
}

static void make_tables(void)
{
	uint8_t sum = 0;
	unsigned end = MADT + 44;

	memset(tables, 0, sizeof(tables));
	memcpy(tables + RSDP, "RSD PTR ", 8);
	tables[RSDP + 15] = 2;
	put(RSDP + 20, 36, 4);
	put(RSDP + 24, (uintptr_t)tables + XSDT, 8);
	for (unsigned i = 0; i < 20; i++)
		sum = (uint8_t)(sum + tables[i]);
	tables[RSDP + 8] = (uint8_t)-sum;
	sum = 0;
	for (unsigned i = 0; i < 36; i++)
		sum = (uint8_t)(sum + tables[i]);
	tables[RSDP + 32] = (uint8_t)-sum;
	put(XSDT + 36, (uintptr_t)tables + MADT, 8);
	put(XSDT + 44, (uintptr_t)tables + RHCT, 8);
	finish(XSDT, "XSDT", 52);
	end = put_rintc(end, 3, 1, 36);
	end = put_rintc(end, 1, 2, 20); /* could be plugged in */
	end = put_rintc(end, BIT(40) + 7, 3, 20);
	end = put_rintc(end, 5, 1, 12); /* too short */
	end = put_rintc(end, 3, 1, 20); /* again */
	finish(MADT, "APIC", end - MADT);
	put(RHCT + 40, 24000000, 8);
	finish(RHCT, "RHCT", 56);
}

static void by_acpi(void **state)
{
	struct platform platform = { .acpi_rsdp = tables, .acpi_reader = read_table };
	uint64_t ids[4] = { 0 };
	struct cpu_ids list = { .ids = ids, .room = 4 };

	(void)state;
	make_tables();
	platform_set(&platform);
	CHECK_ERR(rintc_find(tables, read_table, &list), ERR_OK);
	CHECK_EQ(list.count, 2);
	CHECK_EQ(ids[0], 3);
	CHECK_EQ(ids[1], BIT(40) + 7);
	CHECK_EQ(hart_find(ids, 4), 0);
	hart_read_timebase();
	CHECK_EQ(hart_timebase_hz(), 24000000);
	finish(RHCT, "RHCT", 44); /* too short for it */
	hart_read_timebase();
	CHECK_EQ(hart_timebase_hz(), 0);
	finish(RHCT, "OTHR", 56);
	hart_read_timebase();
	CHECK_EQ(hart_timebase_hz(), 0);
}

/* Asked again and again while guests run, so the tree is not searched for it then. */
static void timebase_by_tree(void **state)
{
	const uint8_t hz[] = { 0, 0x98, 0x96, 0x80 };

	(void)state;
	set("timebase-frequency", hz, sizeof(hz));
	hart_read_timebase();
	CHECK_EQ(hart_timebase_hz(), 10000000);
	set_isa("rv64imac");
	CHECK_EQ(hart_timebase_hz(), 10000000);
	hart_read_timebase();
	CHECK_EQ(hart_timebase_hz(), 0);
}

static void zero_blocks(void **state)
{
	static uint64_t page[PAGE_SIZE / 8];

	(void)state;
	for (uint64_t size = 0; size <= PAGE_SIZE; size += 8) {
		bool block = size >= 8 && (size & (size - 1)) == 0 && size <= 512;

		memset(page, 0xff, sizeof(page));
		memset(page, 0, size);
		CHECK_EQ(zero_block_of(page), block ? size : 0);
	}
	memset(page, 0xff, sizeof(page));
	memset(page, 0, 64);
	page[100] = 0;
	CHECK_EQ(zero_block_of(page), 0);
	page[100] = ~UINT64_C(0);
	*((uint8_t *)page + 64) = 0;
	CHECK_EQ(zero_block_of(page), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),
		cmocka_unit_test(versions),
		cmocka_unit_test(without_underscores),
		cmocka_unit_test(letters_for_several),
		cmocka_unit_test(lists),
		cmocka_unit_test(several),
		cmocka_unit_test(unlike),
		cmocka_unit_test(by_acpi),
		cmocka_unit_test(timebase_by_tree),
		cmocka_unit_test(zero_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
