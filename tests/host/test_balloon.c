/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio transport and its balloon: what is agreed, what a report gives back, and what a driver may not do. */
#include "vmm/devices/balloon.h"

#include <string.h>

#include "tests/host/virtio.h"

#define BASE       0xa000000
#define LINE       5
#define STATISTICS BIT(1)
#define REPORTING  BIT(5)
#define MODERN     VIRTIO_F_VERSION_1
#define RAM        MIB(32) /* of the guest */
#define FREE       MIB(8)  /* where it has what it reports */
#define QUEUE(n)   (MIB(1) + (n)*2 * PAGE_SIZE)
#define TABLE      MIB(2)
#define NUMBERS    (MIB(2) + PAGE_SIZE)

static struct balloon balloon;
static struct virtio_machine machine;
static struct space *space;

static void set_up(void **state)
{
	space = *state;
	CHECK_ERR(space_alloc(space, 0, RAM, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
	balloon_init(&balloon, BASE, LINE);
	virtio_machine(&machine, space, &balloon.virtio.device);
}

/* Only with reporting, whose queue is then the third; or with all. */
static void start(uint64_t features)
{
	assert_true(driver_begin(&machine, features));
	for (unsigned i = 0; i < 4; i++)
		driver_queue(&machine, i, QUEUE(i), QUEUE_SIZE);
	driver_go(&machine);
}

static void fill(uint64_t gpa, uint64_t size)
{
	for (uint64_t at = gpa; at < gpa + size; at += PAGE_SIZE)
		space_store(space, at, 0x5a);
}

static uint64_t resident(void)
{
	return space_stats(space).resident;
}

/* --- Agreeing -------------------------------------------------------------------------------------------------------- */

static void registers_say_what_it_is(void **state)
{
	set_up(state);
	CHECK_EQ(driver_read(&machine, 0), 0x74726976);
	CHECK_EQ(driver_read(&machine, 4), 2);
	CHECK_EQ(driver_read(&machine, 8), 5);
	CHECK_EQ(driver_read(&machine, REG_DEVICE_FEATURES), BIT(1) | BIT(2) | BIT(5) | BIT(28));
	driver_write(&machine, REG_DEVICE_FEATURES_SEL, 1);
	CHECK_EQ(driver_read(&machine, REG_DEVICE_FEATURES), 1);
	driver_write(&machine, REG_DEVICE_FEATURES_SEL, 2);
	CHECK_EQ(driver_read(&machine, REG_DEVICE_FEATURES), 0);
	CHECK_EQ(driver_read(&machine, REG_QUEUE_NUM_MAX), VIRTIO_QUEUE_MAX);
	driver_write(&machine, REG_QUEUE_SEL, 4);
	CHECK_EQ(driver_read(&machine, REG_QUEUE_NUM_MAX), 0);
	CHECK_EQ(driver_read(&machine, 0xb0), UINT32_MAX);
}

static void only_what_is_offered_is_agreed(void **state)
{
	set_up(state);
	assert_false(driver_begin(&machine, REPORTING)); /* of a legacy driver */
	assert_false(driver_begin(&machine, MODERN | BIT(0)));
	assert_false(driver_begin(&machine, MODERN | BIT(63)));
	driver_go(&machine);
	CHECK_EQ(driver_read(&machine, REG_STATUS) & STAT_DRIVER_OK, 0);
	assert_true(driver_begin(&machine, MODERN | REPORTING));
	driver_write(&machine, REG_DRIVER_FEATURES_SEL, 0);
	driver_write(&machine, REG_DRIVER_FEATURES, BIT(0)); /* too late */
	CHECK_EQ(balloon.virtio.features, MODERN | REPORTING);
}

static void a_queue_that_cannot_be_is_not_ready(void **state)
{
	static const struct {
		uint32_t offset, value;
	} wrong[] = { { REG_QUEUE_NUM, 0 },          { REG_QUEUE_NUM, 3 },         { REG_QUEUE_NUM, 256 },
		      { REG_QUEUE_NUM, 0x10040 },    { REG_QUEUE_DESC, 0x100008 }, { REG_QUEUE_DRIVER, 0x100001 },
		      { REG_QUEUE_DEVICE, 0x101002 } };

	set_up(state);
	assert_true(driver_begin(&machine, MODERN));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		driver_queue(&machine, 0, QUEUE(0), QUEUE_SIZE);
		driver_write(&machine, wrong[i].offset, wrong[i].value); /* ready as it is, it does not move */
		CHECK_EQ(balloon.virtio.queue[0].size, QUEUE_SIZE);
		CHECK_EQ(balloon.virtio.queue[0].descriptors, QUEUE(0));
		driver_write(&machine, REG_QUEUE_READY, 0);
		CHECK_EQ(driver_read(&machine, REG_QUEUE_READY), 0);
		driver_write(&machine, REG_QUEUE_NUM, QUEUE_SIZE);
		driver_write(&machine, wrong[i].offset, wrong[i].value);
		driver_write(&machine, REG_QUEUE_READY, 1);
		CHECK(driver_read(&machine, REG_QUEUE_READY) == 0, "%zu", i);
	}
}

/* --- Reports --------------------------------------------------------------------------------------------------------- */

/* Blocks side by side, in a chain of descriptors or a table of them. */
static void describe_blocks(uint64_t table, unsigned count, uint64_t size)
{
	for (unsigned i = 0; i < count; i++)
		driver_describe(&machine, table, i,
				(struct virtio_descriptor){ FREE + i * size, (uint32_t)size,
							    DESC_WRITE | (i + 1 < count ? DESC_NEXT : 0), (uint16_t)(i + 1) });
}

static void a_report_is_one_flush(void **state)
{
	uint64_t before, flushes;

	set_up(state);
	start(MODERN | REPORTING);
	fill(FREE, 32 * PAGE_SIZE * 4);
	before = resident();
	flushes = space->flushes;
	describe_blocks(QUEUE(2), 32, PAGE_SIZE * 4);
	driver_offer(&machine, QUEUE(2), 0, 0);
	driver_notify(&machine, 2);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 1);
	CHECK_EQ(before - resident(), 32 * PAGE_SIZE * 4);
	CHECK_EQ(balloon.reported, 32 * PAGE_SIZE * 4);
	CHECK_EQ(space->flushes - flushes, 1);
	CHECK_EQ(machine.pieces, 1);
	CHECK_EQ(machine.raised, 1);
	CHECK_EQ(driver_read(&machine, REG_INTERRUPT_STATUS), 1);
	driver_write(&machine, REG_INTERRUPT_ACK, 1);
	assert_false(machine.level);
	CHECK_EQ(space_load(space, FREE), 0);
}

static void a_table_of_descriptors_is_a_report_too(void **state)
{
	uint64_t before;

	set_up(state);
	start(MODERN | REPORTING | STATISTICS | VIRTIO_F_INDIRECT); /* then its queue is the fourth */
	fill(FREE, 32 * PAGE_SIZE);
	fill(TABLE, 1);
	before = resident();
	describe_blocks(TABLE, 32, PAGE_SIZE);
	driver_describe(&machine, QUEUE(3), 7, (struct virtio_descriptor){ TABLE, 32 * 16, DESC_INDIRECT, 0 });
	driver_offer(&machine, QUEUE(3), 0, 7);
	driver_notify(&machine, 3);
	CHECK_EQ(driver_used(&machine, QUEUE(3)), 1);
	CHECK_EQ(before - resident(), 32 * PAGE_SIZE);
}

/* A report of 8 MiB whose pages lie apart on the host: even ones were touched first. */
static void offer_long_report(void)
{
	for (uint64_t page = 0; page < 2048; page++)
		space_store(space, FREE + (page % 1024 * 2 + page / 1024) * PAGE_SIZE, 1);
	describe_blocks(QUEUE(2), 2, MIB(4));
	driver_offer(&machine, QUEUE(2), 0, 0);
}

/* That takes its time: after a piece the CPU may be taken. */
static void a_long_report_goes_in_pieces(void **state)
{
	uint64_t before;

	set_up(state);
	start(MODERN | REPORTING);
	before = resident();
	offer_long_report();
	before += MIB(8);
	driver_notify(&machine, 2);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 1);
	CHECK_EQ(before - resident(), MIB(8));
	CHECK(machine.pieces > 1, "%u pieces", machine.pieces);
	CHECK_EQ(machine.raised, 1);
}

/* What is reported beyond RAM, or of a length that no page has, is left alone; the rest of the report is not. */
static void what_is_no_memory_is_left_alone(void **state)
{
	const struct virtio_descriptor wild[] = {
		{ RAM, PAGE_SIZE, DESC_WRITE | DESC_NEXT, 1 },
		{ RAM - PAGE_SIZE, 2 * PAGE_SIZE, DESC_WRITE | DESC_NEXT, 2 },
		{ FREE + 8, PAGE_SIZE, DESC_WRITE | DESC_NEXT, 3 },
		{ FREE, PAGE_SIZE - 1, DESC_WRITE | DESC_NEXT, 4 },
		{ -PAGE_SIZE, 2 * PAGE_SIZE, DESC_WRITE | DESC_NEXT, 5 },
		{ FREE, 0, DESC_WRITE | DESC_NEXT, 6 },
		{ FREE, PAGE_SIZE, DESC_NEXT, 7 }, /* not for the device to write */
		{ FREE + PAGE_SIZE, PAGE_SIZE, DESC_WRITE, 0 },
	};

	set_up(state);
	start(MODERN | REPORTING);
	fill(FREE, 2 * PAGE_SIZE);
	for (unsigned i = 0; i < ARRAY_LEN(wild); i++)
		driver_describe(&machine, QUEUE(2), i, wild[i]);
	driver_offer(&machine, QUEUE(2), 0, 0);
	driver_notify(&machine, 2);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 1);
	CHECK_EQ(balloon.reported, PAGE_SIZE);
	CHECK_EQ(space_load(space, FREE), 0x5a);
	CHECK_EQ(space_load(space, FREE + PAGE_SIZE), 0);
	CHECK_EQ(driver_read(&machine, REG_STATUS) & STAT_NEEDS_RESET, 0);
}

/* A large leaf that is reported whole goes whole; of one that is reported in part, the rest stays. */
static void large_leaves_go_whole(void **state)
{
	set_up(state);
	if (!space->format->config.max_leaf)
		return;
	CHECK_ERR(space_set_policy(space, FREE, MIB(8), ALLOC_LAZY_2M), ERR_OK);
	start(MODERN | REPORTING);
	space_store(space, FREE, 1);
	space_store(space, FREE + MIB(2), 1);
	space_store(space, FREE + MIB(2) + KIB(8), 1);
	CHECK_EQ(space_level(space, FREE), 1);
	driver_describe(&machine, QUEUE(2), 0, (struct virtio_descriptor){ FREE, MIB(2) + KIB(8), DESC_WRITE, 0 });
	driver_offer(&machine, QUEUE(2), 0, 0);
	driver_notify(&machine, 2);
	CHECK_EQ(balloon.reported, MIB(2) + KIB(8));
	CHECK_EQ(space_load(space, FREE + MIB(2)), 0);
	CHECK_EQ(space_load(space, FREE + MIB(2) + KIB(8)), 1);
}

/* --- Inflating ------------------------------------------------------------------------------------------------------- */

static void inflated_pages_are_given_back(void **state)
{
	uint32_t numbers[256];
	uint64_t before;

	set_up(state);
	start(MODERN);
	fill(FREE, sizeof(numbers) / 4 * PAGE_SIZE);
	for (unsigned i = 0; i < 256; i++)
		numbers[i] = (uint32_t)(FREE / PAGE_SIZE) + (i % 2 ? i : 254 - i);
	numbers[3] = UINT32_MAX; /* is nowhere */
	CHECK_ERR(addr_space_write(&space->as, GPA(NUMBERS), numbers, sizeof(numbers)), ERR_OK);
	before = resident();
	driver_describe(&machine, QUEUE(0), 0, (struct virtio_descriptor){ NUMBERS, sizeof(numbers), 0, 0 });
	driver_offer(&machine, QUEUE(0), 0, 0);
	driver_notify(&machine, 0);
	CHECK_EQ(driver_used(&machine, QUEUE(0)), 1);
	CHECK_EQ(before - resident(), 255 * PAGE_SIZE);
	CHECK_EQ(balloon.inflated, 255 * PAGE_SIZE);
	CHECK_EQ(space_load(space, FREE + 3 * PAGE_SIZE), 0x5a);
	/* They come back by being touched. */
	driver_describe(&machine, QUEUE(1), 0, (struct virtio_descriptor){ NUMBERS, sizeof(numbers), 0, 0 });
	driver_offer(&machine, QUEUE(1), 0, 0);
	driver_notify(&machine, 1);
	CHECK_EQ(driver_used(&machine, QUEUE(1)), 1);
	CHECK_EQ(space_load(space, FREE), 0);
}

static void statistics_are_kept_and_asked_for(void **state)
{
	struct {
		uint16_t tag;
		uint64_t value;
	} __attribute__((packed)) tags[] = { { 4, MIB(5) }, { 5, MIB(32) }, { 99, 1 }, { UINT16_MAX, 2 } };
	uint64_t value;

	set_up(state);
	start(MODERN | STATISTICS);
	assert_false(balloon_statistic(&balloon, BALLOON_FREE, &value));
	CHECK_ERR(addr_space_write(&space->as, GPA(NUMBERS), tags, sizeof(tags)), ERR_OK);
	driver_describe(&machine, QUEUE(2), 0, (struct virtio_descriptor){ NUMBERS, sizeof(tags), 0, 0 });
	driver_offer(&machine, QUEUE(2), 0, 0);
	driver_notify(&machine, 2);
	assert_true(balloon_statistic(&balloon, BALLOON_FREE, &value));
	CHECK_EQ(value, MIB(5));
	assert_false(balloon_statistic(&balloon, BALLOON_CACHES, &value));
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 0);
	balloon_ask(&balloon);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 1);
	CHECK_EQ(machine.raised, 1);
	balloon_ask(&balloon); /* it has none */
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 1);
}

/* Linux' driver does so with its statistics. */
static void what_was_there_before_the_driver_was_ready_is_seen(void **state)
{
	set_up(state);
	assert_true(driver_begin(&machine, MODERN | REPORTING));
	driver_queue(&machine, 2, QUEUE(2), QUEUE_SIZE);
	fill(FREE, PAGE_SIZE);
	describe_blocks(QUEUE(2), 1, PAGE_SIZE);
	driver_offer(&machine, QUEUE(2), 0, 0);
	driver_notify(&machine, 2);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 0);
	driver_go(&machine);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 1);
	CHECK_EQ(balloon.reported, PAGE_SIZE);
}

/* --- What a driver may not do ---------------------------------------------------------------------------------------- */

static void expect_stopped(const char *what)
{
	CHECK(driver_read(&machine, REG_STATUS) & STAT_NEEDS_RESET, "%s", what);
	CHECK(driver_read(&machine, REG_INTERRUPT_STATUS) & 2, "%s", what);
	assert_true(machine.level);
	driver_notify(&machine, 2); /* it does nothing more */
	CHECK_EQ(machine.pieces, 0);
}

static void what_is_no_chain_stops_the_device(void **state)
{
	static const struct virtio_descriptor wrong[] = {
		{ FREE, PAGE_SIZE, DESC_NEXT, 0 },              /* bites its tail */
		{ FREE, PAGE_SIZE, DESC_NEXT, QUEUE_SIZE },     /* leads out of the table */
		{ TABLE, 0, DESC_INDIRECT, 0 },                 /* an empty table */
		{ TABLE, 24, DESC_INDIRECT, 0 },                /* one and a half descriptors */
		{ TABLE, 32, DESC_INDIRECT | DESC_NEXT, 1 },    /* a table and a chain */
		{ TABLE, 16, DESC_INDIRECT, 0 },                /* a table of a table */
		{ RAM, 32, DESC_INDIRECT, 0 },                  /* nowhere */
		{ UINT64_MAX - 15, 32, DESC_INDIRECT, 0 },      /* around the end of all addresses */
		{ TABLE + 2 * PAGE_SIZE, 32, DESC_INDIRECT, 0 } /* bites its tail, in a table */
	};

	set_up(state);
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		start(MODERN | REPORTING | VIRTIO_F_INDIRECT);
		driver_describe(&machine, TABLE, 0, (struct virtio_descriptor){ TABLE, 16, DESC_INDIRECT, 0 });
		driver_describe(&machine, TABLE + 2 * PAGE_SIZE, 0, (struct virtio_descriptor){ FREE, 16, DESC_NEXT, 1 });
		driver_describe(&machine, TABLE + 2 * PAGE_SIZE, 1, (struct virtio_descriptor){ FREE, 16, DESC_NEXT, 0 });
		driver_describe(&machine, QUEUE(2), 0, wrong[i]);
		driver_offer(&machine, QUEUE(2), 0, 0);
		driver_notify(&machine, 2);
		CHECK_EQ(driver_used(&machine, QUEUE(2)), 0);
		expect_stopped("a chain");
	}
}

static void what_is_no_ring_stops_the_device(void **state)
{
	set_up(state);
	host_log_clear();
	start(MODERN | REPORTING);
	driver_offer(&machine, QUEUE(2), 0, QUEUE_SIZE); /* no such descriptor */
	driver_notify(&machine, 2);
	expect_stopped("a head");
	start(MODERN | REPORTING);
	driver_offer(&machine, QUEUE(2), QUEUE_SIZE, 0); /* one more than there is room */
	driver_notify(&machine, 2);
	expect_stopped("an index");
	assert_true(driver_begin(&machine, MODERN | REPORTING));
	driver_queue(&machine, 2, RAM - 2 * PAGE_SIZE, QUEUE_SIZE);
	driver_go(&machine);
	CHECK_ERR(space_unmap(space, RAM - PAGE_SIZE, PAGE_SIZE), ERR_OK); /* the used ring is not there */
	driver_describe(&machine, RAM - 2 * PAGE_SIZE, 0, (struct virtio_descriptor){ FREE, PAGE_SIZE, DESC_WRITE, 0 });
	driver_offer(&machine, RAM - 2 * PAGE_SIZE, 0, 0);
	driver_notify(&machine, 2);
	expect_stopped("a ring");
	for (unsigned i = 0; i < 4; i++) {
		start(MODERN | REPORTING);
		driver_offer(&machine, QUEUE(2), 0, UINT16_MAX);
		driver_notify(&machine, 2);
	}
	CHECK(host_log_lines() <= 4, "%u lines", host_log_lines());
}

static void a_reset_forgets_all(void **state)
{
	set_up(state);
	start(MODERN | REPORTING);
	driver_offer(&machine, QUEUE(2), 0, QUEUE_SIZE);
	driver_notify(&machine, 2);
	expect_stopped("a head");
	driver_write(&machine, REG_CONFIG + 4, 77);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 4), 77);
	driver_write(&machine, REG_CONFIG, 77);
	CHECK_EQ(driver_read(&machine, REG_CONFIG), 0); /* not the driver's to write */
	driver_write(&machine, REG_STATUS, 0);
	assert_false(machine.level);
	CHECK_EQ(driver_read(&machine, REG_STATUS), 0);
	CHECK_EQ(driver_read(&machine, REG_CONFIG + 4), 0);
	driver_write(&machine, REG_QUEUE_SEL, 2);
	CHECK_EQ(driver_read(&machine, REG_QUEUE_READY), 0);
	driver_notify(&machine, 2);
	CHECK_EQ(machine.pieces, 0);
	start(MODERN | REPORTING);
	fill(FREE, PAGE_SIZE);
	describe_blocks(QUEUE(2), 1, PAGE_SIZE);
	driver_flags(&machine, QUEUE(2), 1); /* it does not want to be interrupted */
	driver_offer(&machine, QUEUE(2), 0, 0);
	driver_notify(&machine, 2);
	CHECK_EQ(balloon.reported, PAGE_SIZE);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 1);
	assert_false(machine.level);
}

/* In the middle of a report: what is left of it is not the next report's. */
static void a_reset_in_a_report_ends_it(void **state)
{
	set_up(state);
	start(MODERN | REPORTING);
	offer_long_report();
	driver_write(&machine, REG_QUEUE_NOTIFY, 2);
	space_begin(space);
	assert_true(device_work(&machine.table));
	start(MODERN | REPORTING);
	while (device_wants(&machine.table))
		(void)device_work(&machine.table);
	CHECK_EQ(space_load(space, FREE), 0);
	CHECK_EQ(space_load(space, FREE + MIB(8) - PAGE_SIZE), 1);
	CHECK_EQ(driver_used(&machine, QUEUE(2)), 0);
	CHECK_EQ(driver_used(&machine, QUEUE(0)), 0);
}

int main(void)
{
	static const struct format_test tests[] = {
		{ "registers say what it is", registers_say_what_it_is },
		{ "only what is offered is agreed", only_what_is_offered_is_agreed },
		{ "a queue that cannot be is not ready", a_queue_that_cannot_be_is_not_ready },
		{ "a report is one flush", a_report_is_one_flush },
		{ "a table of descriptors is a report, too", a_table_of_descriptors_is_a_report_too },
		{ "a long report goes in pieces", a_long_report_goes_in_pieces },
		{ "what is no memory is left alone", what_is_no_memory_is_left_alone },
		{ "large leaves go whole", large_leaves_go_whole },
		{ "inflated pages are given back", inflated_pages_are_given_back },
		{ "statistics are kept, and asked for", statistics_are_kept_and_asked_for },
		{ "what was there before the driver was ready is seen", what_was_there_before_the_driver_was_ready_is_seen },
		{ "what is no chain stops the device", what_is_no_chain_stops_the_device },
		{ "what is no ring stops the device", what_is_no_ring_stops_the_device },
		{ "a reset forgets all", a_reset_forgets_all },
		{ "a reset in a report ends it", a_reset_in_a_report_ends_it },
	};

	return space_suite("balloon", tests, ARRAY_LEN(tests));
}
