/* SPDX-License-Identifier: BSD-2-Clause */
/* What a space says of itself: line by line, and never more of them than was promised. */
#include "tests/host/space.h"

#include <stdio.h>
#include <string.h>

#define DUMP_LINES 16 /* as mm/addr_space.h promises */

static void dump_is_short_and_says_it_all(void **state)
{
	struct space *s = *state;

	host_log_clear();
	addr_space_dump(&s->as);
	CHECK(host_log_lines() <= DUMP_LINES, "%u lines for nothing", host_log_lines());
	CHECK_ERR(space_alloc(s, MIB(2), MIB(2), NPT_RX, ALLOC_POPULATE), ERR_OK);
	host_log_clear();
	addr_space_dump(&s->as);
	CHECK(host_log_lines() >= 2 && host_log_lines() <= 4, "%u lines", host_log_lines());
	CHECK(strstr(host_log_line(0), "0x200000") && strstr(host_log_line(0), "0x400000"), "%s", host_log_line(0));
	CHECK_ERR(space_alloc(s, GIB(1), MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(space_fault(s, GIB(1) + i * KIB(8), NPT_R), FAULT_HANDLED);
	host_log_clear();
	addr_space_dump(&s->as);
	CHECK(host_log_lines() <= DUMP_LINES, "%u lines", host_log_lines());
	CHECK(!s->as.view.lock.held, "the lock is still held");
}

static void dump(struct space *s)
{
	host_log_clear();
	addr_space_dump(&s->as);
}

static void expect_line(unsigned index, const char *line)
{
	CHECK(strcmp(host_log_line(index), line) == 0, "line %u is \"%s\"", index, host_log_line(index));
}

/* Areas of every policy, with nothing in them. */
static void areas_are_told_by_policy_and_permissions(void **state)
{
	struct space *s = *state;
	const char *const policies[] = {
		"4k", "64k", "2m", "auto", "populate",
	};
	const struct {
		unsigned prot;
		const char *text;
	} prots[] = { { NPT_R, "r--" }, { NPT_RW, "rw-" }, { NPT_RX, "r-x" }, { NPT_RWX, "rwx" }, { NPT_X, "--x" } };
	unsigned lines = 0;
	char line[96];

	for (unsigned policy = ALLOC_LAZY_4K; policy < ALLOC_POLICIES; policy++)
		CHECK_ERR(space_alloc(s, policy * MIB(2), MIB(2), NPT_RW, policy), ERR_OK);
	CHECK_ERR(space_discard(s, 0, ALLOC_POLICIES * MIB(2)), ERR_OK);
	dump(s);
	CHECK_EQ(host_log_lines(), ALLOC_POLICIES);
	for (unsigned policy = ALLOC_LAZY_4K; policy < ALLOC_POLICIES; policy++) {
		snprintf(line, sizeof(line), "mem: area %#lx-%#lx rw- %s", policy * MIB(2), (policy + 1) * MIB(2),
			 policies[policy]);
		expect_line(policy, line);
	}
	space_clear(s);
	for (unsigned i = 0; i < ARRAY_LEN(prots); i++)
		if (format_has_prot(s->format, prots[i].prot))
			CHECK_ERR(space_alloc(s, i * MIB(2), MIB(2), prots[i].prot, ALLOC_LAZY_4K), ERR_OK);
	dump(s);
	for (unsigned i = 0; i < ARRAY_LEN(prots); i++)
		if (format_has_prot(s->format, prots[i].prot)) {
			snprintf(line, sizeof(line), "mem: area %#lx-%#lx %s 4k", i * MIB(2), (i + 1) * MIB(2), prots[i].text);
			expect_line(lines++, line);
		}
	CHECK_EQ(host_log_lines(), lines);
}

/* Leaves in a row in both address spaces make one line; a jump, other permissions or an end make another. */
static void leaves_in_a_row_are_one_line(void **state)
{
	struct space *s = *state;
	struct space *child;
	uint64_t block;
	char line[96];

	CHECK_ERR(space_linear(s, MIB(2), MIB(102), MIB(2) + KIB(8), NPT_RW), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(8), MIB(200), KIB(8), NPT_RX), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(8) + KIB(8), MIB(300), KIB(4), NPT_RX), ERR_OK);
	CHECK_ERR(space_linear(s, MIB(8) + KIB(16), MIB(300) + KIB(4), KIB(4), NPT_RX), ERR_OK);
	dump(s);
	CHECK_EQ(host_log_lines(), 8);
	expect_line(0, "mem: area 0x200000-0x402000 rw- linear");
	expect_line(1, "mem:   0x200000-0x402000 -> 0x6600000 rw-");
	expect_line(2, "mem: area 0x800000-0x802000 r-x linear");
	expect_line(3, "mem:   0x800000-0x802000 -> 0xc800000 r-x");
	expect_line(5, "mem:   0x802000-0x803000 -> 0x12c00000 r-x");
	expect_line(7, "mem:   0x804000-0x805000 -> 0x12c01000 r-x");
	space_clear(s);
	/* Zeros, wherever in their block, and memory between them; what is shared, and what is not any more. */
	CHECK_ERR(space_alloc(s, 0, MIB(4), NPT_RW, ALLOC_LAZY_2M), ERR_OK);
	space_touch(s, 0, NPT_R);
	CHECK_ERR(space_set_policy(s, 0, MIB(4), ALLOC_LAZY_4K), ERR_OK);
	space_store(s, KIB(64), 1);
	space_store(s, MIB(2), 1);
	block = view_walk(&s->view, KIB(64), 0).hpa;
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_store(s, MIB(2), 2); /* a copy */
	dump(s);
	CHECK_EQ(host_log_lines(), 5);
	expect_line(0, "mem: area 0-0x400000 rw- 4k");
	expect_line(1, "mem:   0-0x10000 -> zeros r--");
	snprintf(line, sizeof(line), "mem:   0x10000-0x11000 -> %#lx r-- shared", block);
	expect_line(2, line);
	expect_line(3, "mem:   0x11000-0x200000 -> zeros r--");
	snprintf(line, sizeof(line), "mem:   0x200000-0x201000 -> %#lx rw-", view_walk(&s->view, MIB(2), 0).hpa);
	expect_line(4, line);
}

/* Neighbours for guest and host that differ: each in its own line. */
static void what_is_not_alike_is_told_apart(void **state)
{
	struct space *s = *state, *child;
	uint64_t hpa, bits;
	char line[96];

	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned page = 0; page < 3; page++)
		space_store(s, page * PAGE_SIZE, 1);
	hpa = view_walk(&s->view, 0, 0).hpa;
	CHECK_EQ(view_walk(&s->view, KIB(8), 0).hpa, hpa + KIB(8));
	if (!s->format->config.hardware_ad) { /* a page that was harvested has lost the permission to write */
		space_test_and_clear(s, NPT_DIRTY, KIB(4), KIB(4), false, &bits);
		dump(s);
		CHECK_EQ(host_log_lines(), 4);
		space_store(s, KIB(4), 1);
	}
	CHECK_ERR(space_fork(s, &child), ERR_OK);
	space_end(child);
	space_store(s, KIB(4), 2); /* its own again */
	for (unsigned narrow = 0; narrow < 2; narrow++) {
		if (narrow)
			CHECK_ERR(space_protect(s, 0, MIB(2), NPT_R), ERR_OK);
		dump(s);
		CHECK_EQ(host_log_lines(), 4);
		snprintf(line, sizeof(line), "mem:   0-0x1000 -> %#lx r-- shared", hpa);
		expect_line(1, line);
		snprintf(line, sizeof(line), "mem:   0x1000-0x2000 -> %#lx %s", hpa + KIB(4), narrow ? "r--" : "rw-");
		expect_line(2, line);
		snprintf(line, sizeof(line), "mem:   0x2000-0x3000 -> %#lx r-- shared", hpa + KIB(8));
		expect_line(3, line);
	}
	space_clear(s);
	/* One page of zeros, many times; and after a hole. */
	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned page = 0; page < 5; page++)
		if (page != 3)
			space_touch(s, page * PAGE_SIZE, NPT_R);
	dump(s);
	CHECK_EQ(host_log_lines(), 3);
	expect_line(1, "mem:   0-0x3000 -> zeros r--");
	expect_line(2, "mem:   0x4000-0x5000 -> zeros r--");
}

/* Up to the last line that there may be, and one more than that, wherever it is that too much begins. */
static void the_last_line_says_that_there_is_more(void **state)
{
	struct space *s = *state;

	for (unsigned areas = 1; areas <= DUMP_LINES + 1; areas++) {
		CHECK_ERR(space_alloc(s, areas * MIB(2), MIB(1), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
		dump(s);
		CHECK_EQ(host_log_lines(), areas < DUMP_LINES ? areas : DUMP_LINES);
		CHECK_EQ(strcmp(host_log_line(host_log_lines() - 1), "mem: ... and more") == 0, areas >= DUMP_LINES);
	}
	space_clear(s);
	CHECK_ERR(space_alloc(s, 0, MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	CHECK_ERR(space_alloc(s, GIB(1), MIB(2), NPT_RW, ALLOC_LAZY_4K), ERR_OK);
	for (unsigned leaves = 1; leaves <= 2 * DUMP_LINES; leaves++) {
		unsigned lines = leaves + 2; /* one for each area */

		space_store(s, leaves * KIB(8), 1);
		dump(s);
		CHECK_EQ(host_log_lines(), lines < DUMP_LINES ? lines : DUMP_LINES);
		CHECK_EQ(strcmp(host_log_line(host_log_lines() - 1), "mem: ... and more") == 0, lines >= DUMP_LINES);
	}
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "dump_is_short_and_says_it_all", dump_is_short_and_says_it_all },
		{ "areas_are_told_by_policy_and_permissions", areas_are_told_by_policy_and_permissions },
		{ "leaves_in_a_row_are_one_line", leaves_in_a_row_are_one_line },
		{ "what_is_not_alike_is_told_apart", what_is_not_alike_is_told_apart },
		{ "the_last_line_says_that_there_is_more", the_last_line_says_that_there_is_more },
	};

	return space_suite("dump", tests, ARRAY_LEN(tests));
}
