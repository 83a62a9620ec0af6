/* SPDX-License-Identifier: BSD-2-Clause */
/* x86: kernels that are packed in bzImages: what is unpacked, where that is put, and what is left to the guest or refused. */
#include "vmm/x86_64/bzimage.c"
#include "vmm/x86_64/vmlinux.c"
#include "vmm/x86_64/unzstd.c"

#include "tests/host/host_vm.h"

#define MACHINE   62 /* System V ABI, AMD64 supplement: EM_X86_64 */
#define PLACE     MIB(16)
#define SETUP     (5 * SECTOR)
#define PAYLOAD   0x300 /* from the kernel's start */
#define TEXT      PAGE_SIZE
#define TEXT_SIZE 6000
#define DATA      (4 * PAGE_SIZE)
#define DATA_SIZE 5000
#define BEHIND    704 /* bytes that no segment has */

static struct ram ram;
static struct vm *vm;

uint16_t arch_elf_machine(void)
{
	return MACHINE;
}

gpa_t arch_guest_load_floor(const struct vm *of)
{
	(void)of;
	return GPA(MIB(1));
}

/* The kernel: code at its beginning, and data a little above. */
static struct {
	struct elf_header header;
	struct elf_segment segment[2];
	uint8_t rest[DATA + DATA_SIZE + BEHIND - sizeof(struct elf_header) - 2 * sizeof(struct elf_segment)];
} kernel;
_Static_assert(sizeof(kernel) == DATA + DATA_SIZE + BEHIND, "no padding");

/* RFC 8878: "Zstandard Frames": a header that says how much there is, a block of bytes as they are, one of a byte repeated. */
#define REPEATED 1000 /* the kernel's last bytes */
static struct {
	uint32_t magic;
	uint8_t descriptor;
	uint32_t content_size;
	uint8_t block[3];
	uint8_t bytes[sizeof(kernel) - REPEATED];
	uint8_t last_block[3], byte;
} __attribute__((packed)) frame;

static struct {
	uint8_t bytes[SETUP + PAYLOAD];
	uint8_t frame[sizeof(frame)];
	uint32_t unpacked;
	uint8_t signature[100];
} __attribute__((packed)) file;
static struct setup_header *header = (struct setup_header *)(file.bytes + SETUP_HEADER_AT);
static size_t size;

static char why[160];
static uint8_t to[sizeof(kernel)];
static uint64_t work[KIB(128) / 8];

static void set_block(uint8_t *block, bool last, unsigned type, uint32_t bytes)
{
	const uint32_t word = last | type << 1 | bytes << 3;

	memcpy(block, &word, 3);
}

static void pack(void)
{
	frame.magic = 0xfd2fb528;
	frame.descriptor = 2 << 6 | 1 << 5;
	frame.content_size = sizeof(kernel);
	set_block(frame.block, false, 0, sizeof(frame.bytes));
	memcpy(frame.bytes, &kernel, sizeof(frame.bytes));
	set_block(frame.last_block, true, 1, REPEATED);
	frame.byte = 0x77;
	memcpy(file.frame, &frame, sizeof(frame));
	file.unpacked = sizeof(kernel);
}

static void make_kernel(void)
{
	memset(&kernel, 0x33, sizeof(kernel));
	memset((uint8_t *)&kernel + sizeof(kernel) - REPEATED, 0x77, REPEATED);
	kernel.header = (struct elf_header){
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
		.type = ET_EXEC,
		.machine = MACHINE,
		.entry = PLACE + 0x123,
		.phoff = sizeof(kernel.header),
		.phentsize = sizeof(struct elf_segment),
		.phnum = 2,
	};
	kernel.segment[0] = (struct elf_segment){ PT_LOAD, PF_X, TEXT, ~UINT64_C(0) << 31, PLACE, TEXT_SIZE, TEXT_SIZE, MIB(2) };
	kernel.segment[1] = (struct elf_segment){ PT_LOAD, 0, DATA, 0, PLACE + MIB(2), DATA_SIZE, DATA_SIZE + MIB(1), MIB(2) };
}

static void make_header(void)
{
	memset(header, 0, sizeof(*header));
	header->setup_sects = SETUP / SECTOR - 1;
	header->syssize = (PAYLOAD + sizeof(frame) + 4) / SYSSIZE_UNIT + 1;
	header->boot_flag = SETUP_BOOT_FLAG;
	header->jump = 0xeb;
	header->length = 0x6a;
	header->header = SETUP_MAGIC;
	header->version = 0x20f;
	header->loadflags = LOADED_HIGH;
	header->kernel_alignment = MIB(2);
	header->relocatable_kernel = 1;
	header->xloadflags = XLF_KERNEL_64 | XLF_ABOVE_4G;
	header->cmdline_size = 2047;
	header->pref_address = PLACE;
	header->init_size = MIB(20);
	header->payload_offset = PAYLOAD;
	header->payload_length = sizeof(frame) + 4;
}

static int setup(void **state)
{
	(void)state;
	vm = host_vm_new(&ram, 0, MIB(64));
	size = sizeof(file);
	memset(&file, 0x5a, sizeof(file));
	make_header();
	make_kernel();
	pack();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_vm_free(&ram, vm);
	return 0;
}

static bool find(struct packed_kernel *packed)
{
	return bzimage_is(&file, size) && bzimage_find_packed(&file, size, packed);
}

static enum err unpack(size_t *used)
{
	struct packed_kernel packed;

	CHECK(find(&packed), "it is not found");
	CHECK(packed.work <= sizeof(work), "%zu", packed.work);
	memset(to, 0, sizeof(to));
	return bzimage_unpack(&file, &packed, to, work, used);
}

/* With the changes to the kernel that were made. */
static void check_not_loadable(void)
{
	size_t used;

	pack();
	CHECK_ERR(unpack(&used), ERR_UNSUPPORTED);
	make_kernel();
	make_header();
}

static enum err load(gpa_t *entry)
{
	size_t used = 0;
	enum err err = unpack(&used);
	struct guest_image unpacked = { .bytes = to, .size = used };
	const struct guest_image image = { .bytes = &file, .size = SETUP_HEADER_AT + sizeof(*header), .unpacked = &unpacked };

	return err == ERR_OK ? bzimage_load(vm, &image, entry, why, sizeof(why)) : err;
}

static void check_loaded_at(uint64_t wanted)
{
	static uint8_t back[TEXT_SIZE];
	gpa_t entry;

	CHECK_ERR(load(&entry), ERR_OK);
	CHECK_EQ(entry.raw, wanted + 0x123);
	CHECK_EQ(vm->image.start.raw, wanted);
	CHECK_EQ(vm->image.size, MIB(20));
	CHECK_EQ(vm->arch.setup.header, SETUP_MAGIC);
	CHECK_ERR(addr_space_read(&vm->as, GPA(wanted), back, TEXT_SIZE), ERR_OK);
	assert_memory_equal(back, (uint8_t *)&kernel + TEXT, TEXT_SIZE);
	CHECK_ERR(addr_space_read(&vm->as, GPA(wanted + MIB(2)), back, DATA_SIZE), ERR_OK);
	assert_memory_equal(back, (uint8_t *)&kernel + DATA, DATA_SIZE);
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, 4 * PAGE_SIZE);
}

static void what_is_packed_is_found_and_unpacked(void **state)
{
	struct packed_kernel packed;
	size_t used;

	(void)state;
	CHECK(find(&packed), "it is not found");
	CHECK_EQ(packed.at, SETUP + PAYLOAD);
	CHECK_EQ(packed.size, sizeof(frame));
	CHECK_EQ(packed.unpacked, sizeof(kernel));
	CHECK_EQ(packed.head, SETUP_HEADER_AT + sizeof(*header));
	CHECK_ERR(unpack(&used), ERR_OK);
	CHECK_EQ(used, DATA + DATA_SIZE);
	assert_memory_equal(to, &kernel, sizeof(kernel));
}

static void its_segments_lie_where_they_prefer_to(void **state)
{
	(void)state;
	check_loaded_at(PLACE);
}

static void or_are_moved_together(void **state)
{
	(void)state;
	vm->ram[0].size = MIB(30);
	check_loaded_at(MIB(2));
}

/* Linux 7.3, whose first instructions are among its data. */
static void it_is_entered_wherever_its_entry_is(void **state)
{
	gpa_t entry;

	(void)state;
	kernel.header.entry = PLACE + MIB(2) + 0x10;
	pack();
	CHECK_ERR(load(&entry), ERR_OK);
	CHECK_EQ(entry.raw, PLACE + MIB(2) + 0x10);
}

static void what_cannot_be_moved_is_not(void **state)
{
	gpa_t entry;

	(void)state;
	vm->ram[0].size = MIB(30);
	header->relocatable_kernel = 0;
	CHECK_ERR(load(&entry), ERR_RANGE);
	CHECK(strstr(why, "does not fit guest RAM"), "%s", why);
}

static void other_payloads_are_left_to_the_guest(void **state)
{
	static const char *const magic[] = { "\x1f\x8b\x08",
					     "\xfd"
					     "7zX",
					     "BZh9",
					     "\x5d\0\0\x10",
					     "\x02\x21\x4c\x18",
					     "\x89LZO" };
	struct packed_kernel packed;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(magic); i++) {
		memcpy(file.frame, magic[i], 4);
		CHECK(!find(&packed), "%zu", i);
	}
	pack();
	header->payload_length = 4 + 3;
	CHECK(!find(&packed), "less than its magic number");
	header->payload_length = 3;
	CHECK(!find(&packed), "less than its size");
}

static void what_lies_outside_the_file_is_left_to_the_guest(void **state)
{
	const uint32_t lengths[] = { sizeof(frame) + 4 + 100, 0x80000000, UINT32_MAX, UINT32_MAX - PAYLOAD + 1 };
	struct packed_kernel packed;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		header->payload_length = lengths[i];
		CHECK(!find(&packed), "%#x bytes", lengths[i]);
	}
	header->payload_length = sizeof(frame) + 4;
	header->payload_offset = UINT32_MAX;
	CHECK(!find(&packed), "far outside");
	header->payload_offset = PAYLOAD;
	for (size = 0; size < SETUP + header->syssize * SYSSIZE_UNIT; size += 41)
		CHECK(!find(&packed), "%zu bytes", size);
}

static void senseless_sizes_are_left_to_the_guest(void **state)
{
	const uint32_t sizes[] = { 0, MIB(20) + 1, MIB(256) + 1, UINT32_MAX };
	struct packed_kernel packed;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		file.unpacked = sizes[i];
		CHECK(!find(&packed), "%#x bytes", sizes[i]);
	}
	header->init_size = UINT32_MAX;
	CHECK(!find(&packed), "4 GiB");
}

static void what_is_damaged_is_said_to_be(void **state)
{
	const struct guest_image image = { .bytes = &file, .size = sizeof(file), .damaged = true };
	const uint32_t all = sizeof(kernel);
	size_t used;
	gpa_t entry;

	(void)state;
	file.unpacked = all - 1;
	CHECK_ERR(unpack(&used), ERR_CORRUPT);
	file.unpacked = all;
	file.frame[offsetof(typeof(frame), last_block)] |= 3 << 1; /* a type that is reserved */
	CHECK_ERR(unpack(&used), ERR_CORRUPT);
	pack();
	header->payload_length -= 2;
	memcpy((uint8_t *)&file + SETUP + PAYLOAD + sizeof(frame) - 2, &all, sizeof(all));
	CHECK_ERR(unpack(&used), ERR_CORRUPT);
	CHECK_ERR(bzimage_load(vm, &image, &entry, why, sizeof(why)), ERR_CORRUPT);
	CHECK(strstr(why, "damaged"), "%s", why);
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, 0);
}

/* It may look for what is not in the file. */
static void other_frames_are_left_to_the_guest(void **state)
{
	size_t used;

	(void)state;
	file.frame[4] |= 1 << 3; /* the descriptor's reserved bit */
	CHECK_ERR(unpack(&used), ERR_UNSUPPORTED);
}

static void other_programs_are_left_to_the_guest(void **state)
{
	(void)state;
	kernel.header.ident[0] = 0;
	check_not_loadable();
	kernel.header.type = ET_DYN;
	check_not_loadable();
	kernel.header.machine = 3;
	check_not_loadable();
	kernel.header.phnum = 0xffff;
	check_not_loadable();
	kernel.header.entry = kernel.segment[0].vaddr + 0x123;
	check_not_loadable();
	kernel.header.entry = PLACE + TEXT_SIZE;
	check_not_loadable();
	kernel.header.entry = PLACE + MIB(2) + DATA_SIZE;
	check_not_loadable();
}

static void misplaced_segments_are_left_to_the_guest(void **state)
{
	(void)state;
	kernel.segment[1].paddr = PLACE + PAGE_SIZE; /* on the code */
	check_not_loadable();
	kernel.segment[1].paddr = PLACE - PAGE_SIZE;
	check_not_loadable();
	kernel.segment[1].paddr = PLACE + MIB(20);
	check_not_loadable();
	kernel.segment[1].memsz = MIB(18) + 1;
	check_not_loadable();
	kernel.segment[1].memsz = UINT64_MAX;
	check_not_loadable();
	kernel.segment[1].memsz = DATA_SIZE - 1;
	check_not_loadable();
	kernel.segment[1].filesz = DATA_SIZE + BEHIND + 1;
	check_not_loadable();
	kernel.segment[1].offset = UINT64_MAX - 100;
	check_not_loadable();
	kernel.segment[1].offset += 8; /* other bytes of its pages than in memory */
	check_not_loadable();
}

static void senseless_places_are_left_to_the_guest(void **state)
{
	(void)state;
	header->kernel_alignment = MIB(1);
	check_not_loadable();
	header->pref_address = PLACE + PAGE_SIZE;
	check_not_loadable();
	header->pref_address = align_down(UINT64_MAX, MIB(2));
	check_not_loadable();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_packed_is_found_and_unpacked),
		TEST(its_segments_lie_where_they_prefer_to),
		TEST(or_are_moved_together),
		TEST(it_is_entered_wherever_its_entry_is),
		TEST(what_cannot_be_moved_is_not),
		TEST(other_payloads_are_left_to_the_guest),
		TEST(what_lies_outside_the_file_is_left_to_the_guest),
		TEST(senseless_sizes_are_left_to_the_guest),
		TEST(what_is_damaged_is_said_to_be),
		TEST(other_frames_are_left_to_the_guest),
		TEST(other_programs_are_left_to_the_guest),
		TEST(misplaced_segments_are_left_to_the_guest),
		TEST(senseless_places_are_left_to_the_guest),
	};

	return cmocka_run_group_tests_name("packed kernels", tests, NULL, NULL);
}
