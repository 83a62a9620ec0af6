/* SPDX-License-Identifier: BSD-2-Clause */
/* Where only pages execute (npt_config.page_exec): what hardware finds in large leaves, and what a fetch makes of them. */
#include "tests/host/space.h"

#define EPT_EXECUTE UINT64_C(4)
#define AT          MIB(2)

static struct space *new_space(void)
{
	static struct format_case format;

	for (size_t f = 0; f < format_count; f++)
		if (formats[f].ops == &npt_ept && formats[f].config.max_leaf > 0)
			format = formats[f];
	format.config.page_exec = true;
	return space_new(&format, SPACE_RAM_SIZE);
}

static enum fault_outcome fault(struct space *s, uint64_t gpa, unsigned access)
{
	struct npt_fault fault = { .gpa = GPA(gpa), .access = (uint8_t)access };

	return addr_space_handle_fault(&s->as.view, &fault);
}

/* The leaf around `gpa`, and whether hardware may execute from it. */
static struct npt_leaf leaf_at(struct space *s, uint64_t gpa, bool *executes)
{
	struct npt_cursor cursor;
	struct npt_leaf leaf;

	CHECK_EQ(npt_find(&s->as.npt, GPA(gpa), &cursor), NPT_LEAF);
	npt_decode(&s->as.npt, &cursor, GPA(gpa), &leaf);
	*executes = cursor.pte & EPT_EXECUTE;
	return leaf;
}

static void check_leaf(struct space *s, uint64_t gpa, unsigned level, unsigned prot, bool executes)
{
	bool hardware;
	struct npt_leaf leaf = leaf_at(s, gpa, &hardware);

	CHECK_EQ(leaf.level, level);
	CHECK_EQ(leaf.attr.prot, prot);
	CHECK_EQ(hardware, executes);
}

/* A block given at once is all there, and executes by pages only. */
static void a_fetch_splits(void **state)
{
	struct space *s = new_space();

	(void)state;
	CHECK_ERR(addr_space_map_alloc(&s->as, GPA(0), MIB(8), NPT_RWX, ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(fault(s, AT, NPT_W), FAULT_HANDLED);
	check_leaf(s, AT, 1, NPT_RWX, false);
	CHECK_EQ(fault(s, AT + KIB(8), NPT_R), FAULT_SPURIOUS);
	CHECK_EQ(fault(s, AT + KIB(8), NPT_X), FAULT_HANDLED);
	for (uint64_t at = 0; at < MIB(2); at += PAGE_SIZE)
		check_leaf(s, AT + at, 0, NPT_RWX, true);
	CHECK_EQ(fault(s, AT, NPT_X), FAULT_SPURIOUS);
	space_free(s);
}

/* The same of the zero page, which nobody may write. */
static void a_fetch_from_zeros(void **state)
{
	struct space *s = new_space();

	(void)state;
	CHECK_ERR(addr_space_map_alloc(&s->as, GPA(0), MIB(8), NPT_RWX, ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(fault(s, AT, NPT_R), FAULT_HANDLED);
	check_leaf(s, AT, 1, NPT_RX, false);
	CHECK_EQ(fault(s, AT, NPT_X), FAULT_HANDLED);
	check_leaf(s, AT, 0, NPT_RX, true);
	space_free(s);
}

/* What an area takes away and gives back goes the same way, and data stays in large leaves. */
static void protections(void **state)
{
	struct space *s = new_space();

	(void)state;
	CHECK_ERR(addr_space_map_alloc(&s->as, GPA(0), MIB(8), NPT_RWX, ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(fault(s, AT, NPT_W), FAULT_HANDLED);
	CHECK_ERR(addr_space_protect(&s->as, GPA(0), MIB(8), NPT_RW), ERR_OK);
	check_leaf(s, AT, 1, NPT_RW, false);
	CHECK_EQ(fault(s, AT, NPT_X), FAULT_DENIED);
	CHECK_ERR(addr_space_protect(&s->as, GPA(0), MIB(8), NPT_RX), ERR_OK);
	check_leaf(s, AT, 1, NPT_RX, false);
	CHECK_EQ(fault(s, AT, NPT_X), FAULT_HANDLED);
	check_leaf(s, AT, 0, NPT_RX, true);
	CHECK_ERR(addr_space_protect(&s->as, GPA(0), MIB(8), NPT_X), ERR_UNSUPPORTED);
	space_free(s);
}

static void populated(void **state)
{
	struct space *s = new_space();

	(void)state;
	CHECK_ERR(addr_space_map_alloc(&s->as, GPA(0), MIB(4), NPT_RWX, ALLOC_POPULATE), ERR_OK);
	check_leaf(s, AT, 1, NPT_RWX, false);
	CHECK_EQ(fault(s, AT, NPT_X), FAULT_HANDLED);
	check_leaf(s, AT, 0, NPT_RWX, true);
	check_leaf(s, 0, 1, NPT_RWX, false);
	space_free(s);
}

/* Software keeps the accessed and dirty bits: a leaf may be access-tracked when it is split. */
static void hidden_leaves(void **state)
{
	struct space *s = new_space();
	uint64_t pages, bitmap[8];

	(void)state;
	s->as.npt.config.hardware_ad = false;
	CHECK_ERR(addr_space_map_alloc(&s->as, GPA(0), MIB(4), NPT_RWX, ALLOC_LAZY_2M), ERR_OK);
	CHECK_EQ(fault(s, AT, NPT_W), FAULT_HANDLED);
	CHECK_ERR(addr_space_scan_accessed(&s->as, GPA(AT), MIB(2), bitmap, &pages), ERR_OK);
	CHECK_EQ(fault(s, AT + KIB(4), NPT_X), FAULT_HANDLED);
	check_leaf(s, AT + KIB(4), 0, NPT_RWX, true);
	space_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fetch_splits), cmocka_unit_test(a_fetch_from_zeros), cmocka_unit_test(protections),
		cmocka_unit_test(populated),      cmocka_unit_test(hidden_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
