/* SPDX-License-Identifier: BSD-2-Clause */
/* nestling.cfg: what it may say, and that nothing in it can do harm. */
#include "boot/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/host.h"

/* What was read; as many VMs as any text here describes. */
struct parsed {
	struct config config;
	struct machine_vm vm[300];
};

/* Parse a copy that is not a byte longer than said, so that the sanitizer sees what is read beyond. */
static enum err parse_all(struct parsed *parsed, const char *text, size_t size, char *why, size_t why_size)
{
	char *copy = malloc(size ? size : 1);
	enum err err;

	assert_non_null(copy);
	memcpy(copy, text, size);
	CHECK(config_room(copy, size) <= ARRAY_LEN(parsed->vm), "too many sections for this test");
	config_defaults(&parsed->config, parsed->vm);
	memset(why, '?', why_size);
	err = config_parse(&parsed->config, copy, size, why, why_size);
	if (err == ERR_OK)
		CHECK(parsed->config.machine.count > 0 && parsed->config.machine.count <= config_room(copy, size), "%u VMs",
		      parsed->config.machine.count);
	free(copy);
	if (err != ERR_OK) {
		CHECK(memchr(why, '\0', why_size), "the reason has no end");
		CHECK(!strchr(why, '\n'), "the reason has two lines: %s", why);
	}
	return err;
}

/* Of a text about one VM. */
static enum err parse(struct vm_options *options, const char *text, size_t size, char *why, size_t why_size)
{
	static struct parsed parsed;
	enum err err = parse_all(&parsed, text, size, why, why_size);

	*options = parsed.vm[0].options;
	return err;
}

static enum err parse_string(struct parsed *parsed, const char *text)
{
	char why[256];

	return parse_all(parsed, text, strlen(text), why, sizeof(why));
}

static void defaults_hold_where_nothing_is_said(void **state)
{
	static const char *const texts[] = {
		"", "\n", "\r\n\r\n", "# nothing", "   \t \n#ram = 7\n  # x = y", "\n\n\n",
	};
	struct vm_options options;
	char why[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CHECK_ERR(parse(&options, texts[i], strlen(texts[i]), why, sizeof(why)), ERR_OK);
		assert_string_equal(options.demo, CONFIG_DEFAULT_DEMO);
		assert_string_equal(options.guest, "");
		CHECK_EQ(options.ram, CONFIG_DEFAULT_RAM);
		CHECK_EQ(options.policy, ALLOC_LAZY_4K);
		CHECK(!options.software_tracking, "tracking");
		CHECK(!options.trace, "trace");
		CHECK(!options.progress, "progress");
		assert_string_equal(options.name, CONFIG_DEFAULT_NAME);
		assert_string_equal(options.after, "");
	}
}

static void all_keys_are_read(void **state)
{
	const char *text = "# a comment\r\n"
			   "demo=hello\r\n"
			   "\tguest =  \\EFI\\my guest.elf \t# with a blank in its name\n"
			   "\n"
			   "  ram   = 64M\n"
			   "policy= populate#at once\n"
			   "tracking\t= software\n"
			   "progress = on\n"
			   "trace =on"; /* and no end of line */
	struct vm_options options;
	char why[128];

	(void)state;
	CHECK_ERR(parse(&options, text, strlen(text), why, sizeof(why)), ERR_OK);
	assert_string_equal(options.demo, "hello");
	assert_string_equal(options.guest, "\\EFI\\my guest.elf");
	CHECK_EQ(options.ram, MIB(64));
	CHECK_EQ(options.policy, ALLOC_POPULATE);
	CHECK(options.software_tracking, "tracking");
	CHECK_EQ(options.trace, TRACE_ON);
	CHECK(options.progress, "progress");
	CHECK_ERR(parse(&options, "trace = json\nprogress = off", 27, why, sizeof(why)), ERR_OK);
	CHECK_EQ(options.trace, TRACE_JSON);
	assert_false(options.end_at_reboot);
	CHECK_ERR(parse(&options, "on_reboot = end", 15, why, sizeof(why)), ERR_OK);
	assert_true(options.end_at_reboot);
	CHECK_ERR(parse(&options, "on_reboot = restart", 19, why, sizeof(why)), ERR_OK);
	assert_false(options.end_at_reboot);
	CHECK(!options.progress, "progress = off");
	assert_false(options.packed);
	CHECK_ERR(parse(&options, "unpack = off", 12, why, sizeof(why)), ERR_OK);
	assert_true(options.packed);
	CHECK_ERR(parse(&options, "unpack = on", 11, why, sizeof(why)), ERR_OK);
	assert_false(options.packed);
	assert_false(options.virtio_console);
	CHECK_ERR(parse(&options, "console = virtio", 16, why, sizeof(why)), ERR_OK);
	assert_true(options.virtio_console);
	CHECK_EQ(options.clones, 0);
	text = "clones = 1000\nclone_when = \"ready # \"";
	CHECK_ERR(parse(&options, text, strlen(text), why, sizeof(why)), ERR_OK);
	CHECK_EQ(options.clones, 1000);
	assert_string_equal(options.clone_when, "ready # ");
	text = "clones = 1001";
	CHECK_ERR(parse(&options, text, strlen(text), why, sizeof(why)), ERR_INVALID);
	text = "clone_when = 0123456789012345678901234567890123456789012345678901234567890123";
	CHECK_ERR(parse(&options, text, strlen(text), why, sizeof(why)), ERR_INVALID);
	CHECK_ERR(parse(&options, "trace = off\npolicy = 4k", 23, why, sizeof(why)), ERR_OK);
	CHECK(!options.trace && options.policy == ALLOC_LAZY_4K, "the other values");
	CHECK_ERR(parse(&options, "tracking = hardware", 19, why, sizeof(why)), ERR_OK);
	CHECK(!options.software_tracking, "tracking = hardware");
}

static void the_machines_keys_are_read(void **state)
{
	static struct parsed parsed;

	(void)state;
	CHECK_ERR(parse_string(&parsed, "serial = none\ngdb = on\nvhe = on\n[vm a]\n"), ERR_OK);
	CHECK(parsed.config.no_serial && parsed.config.gdb && parsed.config.vhe, "serial, gdb, vhe");
	CHECK_ERR(parse_string(&parsed, "serial = auto\ngdb = off\nvhe = auto\n"), ERR_OK);
	CHECK(!parsed.config.no_serial && !parsed.config.gdb && !parsed.config.vhe, "the other values of serial, gdb, vhe");
	CHECK_EQ(parsed.config.machine.cpus, 0);
	CHECK_EQ(parsed.config.machine.slice, CONFIG_DEFAULT_SLICE);
	CHECK_ERR(parse_string(&parsed, "[vm a]\n[vm a.x1]\n[vm a.]\n[vm b.1]\n[vm .1]\n[vm a.1x]\n"), ERR_OK);
	CHECK_ERR(parse_string(&parsed, "slice = 1\ncpus = 64 # or fewer\n[vm a]\n"), ERR_OK);
	CHECK_EQ(parsed.config.machine.cpus, 64);
	CHECK_EQ(parsed.config.machine.slice, 1000);
	CHECK_ERR(parse_string(&parsed, "cpus = all\nslice=1000\n"), ERR_OK);
	CHECK_EQ(parsed.config.machine.cpus, 0);
	CHECK_EQ(parsed.config.machine.slice, 1000000);
}

static void a_vms_share_of_the_cpus_is_read(void **state)
{
	static struct parsed parsed;
	const struct machine_vm *vm = parsed.vm;

	(void)state;
	CHECK_ERR(parse_string(&parsed, "vcpus = 4\npin = 0-3\ntime_max = 0.5\ncpus = 2\n[vm a]\n"
					"[vm b]\nvcpus = 16\npin = 1,3 # only 1 is there\ntime_max = 60\n"
					"[vm c]\nvcpus = 1\npin = all\ntime_max = none\n"),
		  ERR_OK);
	CHECK_EQ(vm[0].options.vcpus, 4);
	CHECK_EQ(vm[0].options.pin, 15);
	CHECK_EQ(vm[0].options.time_max, 500000);
	CHECK_EQ(vm[1].options.vcpus, 16);
	CHECK_EQ(vm[1].options.pin, 10);
	CHECK_EQ(vm[1].options.time_max, 60000000);
	CHECK_EQ(vm[2].options.vcpus, 1);
	CHECK_EQ(vm[2].options.pin, 0);
	CHECK_EQ(vm[2].options.time_max, 0);
}

/* One VM's `guest`, however an editor or a person may have written it. */
static void files_as_editors_leave_them(void **state)
{
	static const struct {
		const char *text, *guest;
	} cases[] = {
		{ "\xef\xbb\xbfguest = a", "a" },
		{ "\xef\xbb\xbf", "" },
		{ "guest = a\r\nram = 2M\r\n", "a" },
		{ "# old\rguest = a\rram = 2M\r", "a" },
		{ "guest = a \t \r\n\t \r\n", "a" },
		{ "guest = \"a\"", "a" },
		{ "guest = 'a'", "a" },
		{ "guest = \" a # b \" # and more", " a # b " },
		{ "guest = 'a\"b'", "a\"b" },
		{ "guest = a#b", "a#b" },
		{ "guest = a#b # c", "a#b" },
		{ "guest = a b\t# c", "a b" },
		{ "guest = a \"b # c\"", "a \"b" },
		{ "guest=a=b", "a=b" },
		{ "# gr\xc3\xb6\xc3\x9f"
		  "er\nguest = a # \xe2\x80\x9cquoted\xe2\x80\x9d",
		  "a" },
		{ "guest = a\n\n\n# the end", "a" },
	};
	struct vm_options options;
	char why[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CHECK(parse(&options, cases[i].text, strlen(cases[i].text), why, sizeof(why)) == ERR_OK, "%zu: %s", i, why);
		CHECK(strcmp(options.guest, cases[i].guest) == 0, "%zu: \"%s\"", i, options.guest);
	}
	CHECK_ERR(parse(&options, "ram = \"64M\"\npolicy = '2m'\ntracking = software#all", 48, why, sizeof(why)), ERR_OK);
	CHECK_EQ(options.ram, MIB(64));
	CHECK_EQ(options.policy, ALLOC_LAZY_2M);
}

static void utf16_is_refused_by_its_name(void **state)
{
	static const char *const texts[] = { "\xff\xfe"
					     "r\0a\0",
					     "\xfe\xff\0r\0a", "r\0a\0m\0", "\0r\0a\0m", "\xff\xfe\0\0r\0\0\0" };
	static const size_t sizes_of[] = { 6, 6, 6, 6, 8 };
	struct vm_options options;
	char why[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CHECK_ERR(parse(&options, texts[i], sizes_of[i], why, sizeof(why)), ERR_INVALID);
		CHECK(strstr(why, "UTF-16") && strstr(why, "UTF-8"), "%zu: %s", i, why);
	}
}

static void sections_describe_several_vms(void **state)
{
	static struct parsed parsed;
	const struct machine_vm *vm = parsed.vm;

	(void)state;
	CHECK_ERR(parse_string(&parsed, "ram = 64M\nguest = g\n[vm web]\ndemo = hello # not the guest\n  [ vm x]"), ERR_INVALID);
	CHECK_ERR(parse_string(&parsed, "ram = 64M\nguest = g\npolicy = 2m\n"
					"[vm web] # the first\ndemo = hello\nafter = d-b.1\n"
					"[vm\td-b.1 ]\nram = 2M\n\n[vm last]\ntracking = software"),
		  ERR_OK);
	CHECK_EQ(parsed.config.machine.count, 3);
	assert_string_equal(vm[0].options.name, "web");
	assert_string_equal(vm[0].options.demo, "hello");
	assert_string_equal(vm[0].options.guest, "");
	assert_string_equal(vm[0].options.after, "d-b.1");
	CHECK_EQ(vm[0].options.ram, MIB(64));
	assert_string_equal(vm[1].options.name, "d-b.1");
	assert_string_equal(vm[1].options.guest, "g");
	assert_string_equal(vm[1].options.after, "");
	CHECK_EQ(vm[1].options.ram, MIB(2));
	CHECK_EQ(vm[1].options.policy, ALLOC_LAZY_2M);
	assert_string_equal(vm[2].options.demo, CONFIG_DEFAULT_DEMO);
	assert_string_equal(vm[2].options.guest, "g");
	CHECK(vm[2].options.software_tracking && !vm[1].options.software_tracking, "tracking");
}

/* Those of a section take the place of those that hold for all. */
static void disks_are_a_list(void **state)
{
	const char *text = "disk = \\a.img\ndisk = \\b.img,ro\n[vm x]\n[vm y]\ndisk = ',ro.img'\n[vm z]\ndisk = none\n";
	static struct parsed parsed;

	(void)state;
	CHECK_ERR(parse_string(&parsed, text), ERR_OK);
	CHECK_EQ(parsed.vm[0].options.disks, 2);
	assert_string_equal(parsed.vm[0].options.disk[0].file, "\\a.img");
	assert_string_equal(parsed.vm[0].options.disk[1].file, "\\b.img");
	assert_false(parsed.vm[0].options.disk[0].read_only);
	assert_true(parsed.vm[0].options.disk[1].read_only);
	CHECK_EQ(parsed.vm[1].options.disks, 1);
	assert_string_equal(parsed.vm[1].options.disk[0].file, ",ro.img");
	CHECK_EQ(parsed.vm[2].options.disks, 0);
}

static void many_sections_have_room(void **state)
{
	static struct parsed parsed;
	static char text[8192];
	size_t size = 0;

	(void)state;
	for (unsigned i = 0; i < 299; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "[vm %u]\nafter = %u\n", i, (i + 1) % 299);
	CHECK_ERR(parse_string(&parsed, text), ERR_INVALID);
	strcpy(text + size - strlen("after = 0\n"), "ram = 1G");
	CHECK_ERR(parse_string(&parsed, text), ERR_OK);
	CHECK_EQ(parsed.config.machine.count, 299);
}

static void each_policy_has_its_name(void **state)
{
	static const char *const texts[ALLOC_POLICIES] = {
		[ALLOC_LAZY_4K] = "policy = 4k",     [ALLOC_LAZY_64K] = "policy = 64k",      [ALLOC_LAZY_2M] = "policy = 2m",
		[ALLOC_LAZY_AUTO] = "policy = auto", [ALLOC_POPULATE] = "policy = populate",
	};
	struct vm_options options;
	char why[128];

	(void)state;
	for (unsigned i = 0; i < ALLOC_POLICIES; i++) {
		CHECK_ERR(parse(&options, texts[i], strlen(texts[i]), why, sizeof(why)), ERR_OK);
		CHECK_EQ(options.policy, i);
	}
}

struct refused {
	const char *text;
	const char *named; /* what the reason must contain */
};

static const struct refused refused[] = {
	{ "hello", ":1:" },
	{ "\n\nhello", ":3:" },
	{ "= 4", ":1:" },
	{ "=", ":1:" },
	{ "ram 64M", ":1:" },
	{ "ram =", "ram" },
	{ "ram = # 64M", "ram" },
	{ "cmdline = a\ncmdline = b", "twice" },
	{ "cmdline = \"a", "quote" },
	{ "ram = 64X", "64X" },
	{ "ram = 64 M", "ram" },
	{ "ram = -64M", "ram" },
	{ "ram = 0", "ram" },
	{ "memory_max = 0", "memory_max" },
	{ "memory_max = 4097", "memory_max" },
	{ "memory_max = None", "memory_max" },
	{ "ram = 4097", "ram" },
	{ "ram = 99999999999T", "ram" },
	{ "demo = hello\nram = 1", ":2:" },
	{ "ram = 1G\nram = 1G", "twice" },
	{ "demo =", "demo" },
	{ "demo = a-name-of-all-thirty-two-letters", "demo" },
	{ "policy = 1g", "policy" },
	{ "tracking =", "tracking" },
	{ "tracking = soft", "tracking" },
	{ "itlb_multihit = off", "itlb_multihit" },
	{ "tracking = software\ntracking = software", "twice" },
	{ "policy = 4K", "policy" },
	{ "trace = yes", "trace" },
	{ "trace = ONN", "trace" },
	{ "trace = jsonl", "trace" },
	{ "trace = on\ntrace = json", "twice" },
	{ "gdb = yes", "gdb" },
	{ "vhe = off", "vhe" },
	{ "cpus = 0", "cpus" },
	{ "cpus = 65", "cpus" },
	{ "cpus = many", "cpus" },
	{ "cpus = 1\ncpus = 1", "twice" },
	{ "slice = 0", "slice" },
	{ "slice = 1001", "slice" },
	{ "slice = 10ms", "slice" },
	{ "slice = 0.5", "slice" },
	{ "vcpus = 0", "vcpus" },
	{ "vcpus = 17", "vcpus" },
	{ "vcpus = -1", "vcpus" },
	{ "pin =", "pin" },
	{ "pin = none", "pin" },
	{ "pin = 64", "pin" },
	{ "pin = 2-1", "pin" },
	{ "time_max = 0", "time_max" },
	{ "time_max = 1m", "time_max" },
	{ "time_max = 0.0000001", "time_max" },
	{ "pin = 2-3\ncpus = 2", ":2: pin names no CPU that is used: with cpus = 2 there are 0 to 1" },
	{ "cpus = 2\n[vm a]\nram = 64M\npin = 2", ":4: pin" },
	{ "[vm a]\ncpus = 2", "cpus is the machine's" },
	{ "[vm a]\nslice = 2", "slice is the machine's" },
	{ "serial = com2", "serial" },
	{ "progress = maybe", "progress" },
	{ "on_reboot = perhaps", "on_reboot" },
	{ "unpack = 1", "unpack" },
	{ "console = hvc0", "console = hvc0: wanted uart or virtio" },
	{ "disk =", "disk" },
	{ "disk = ,ro", "disk" },
	{ "disk = \\a\ndisk = none", "disk = none: wanted" },
	{ "disk = a\ndisk = b\ndisk = c\ndisk = d\ndisk = e\ndisk = f\ndisk = g\ndisk = h\ndisk = i", ":9:" },
	{ "Ram = 64M", "Ram" },
	{ "ram\xff = 64M", ":1:" },
	{ "demo = he\x1bllo", ":1: the line has a control character" },
	{ "cmdline = \x7f", ":1: the line has a control character" },
	{ "guest = gr\xc3\xb6\xc3\x9f"
	  "e",
	  "guest = gr????e: wanted a file name of less than 128 ASCII characters" },
	{ "disk = \xc3\xb6,ro", "disk = ??,ro: wanted a file name" },
	{ "[vm a]\n[vm b]\nafter = \xe4", "after = ?: wanted" },
	{ "colour = blue", "colour" },
	{ "demo = \"hello", "demo: a quote that has no end" },
	{ "demo = \"hello\" you # there", "demo: \"you # there\" behind the quote's end" },
	{ "[vm]", "name" },
	{ "[vm  ]", "name" },
	{ "[vm a b]", "name" },
	{ "[vm a", "[vm NAME]" },
	{ "[vm a] b", "[vm NAME]" },
	{ "[vm a-name-of-all-thirty-two-letters]", "name" },
	{ "[vm a.2]\n[vm a]", "fork" },
	{ "[vm a]\n[vm a.b]\n[vm a.b.17]", "[vm a.b.17]: a fork of [vm a.b]" },
	{ "[vma]", "unknown section" },
	{ "[disk]", "unknown section" },
	{ "[", "[vm NAME]" },
	{ "[vm a]\nram = 1G\n[vm b]\n[vm a]", ":4:" },
	{ "[vm a]\nram = 1G\nram = 1G", "twice" },
	{ "[vm a]\nserial = auto", "serial" },
	{ "[vm a]\ngdb = on", "gdb" },
	{ "[vm a]\nvhe = on", "vhe" },
	{ "after = a", "[vm NAME]" },
	{ "[vm a]\nafter =", "after" },
	{ "[vm a]\nafter = b", "[vm a]" },
	{ "[vm a]\nafter = a", "[vm a]" },
	{ "[vm a]\nafter = b\n[vm b]\nafter = a", "[vm a]" },
	{ "[vm c]\n[vm a]\nafter = b\n[vm b]\nafter = b", "[vm " },
};

static void nonsense_is_refused_by_line(void **state)
{
	struct vm_options options;
	char why[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		enum err err = parse(&options, refused[i].text, strlen(refused[i].text), why, sizeof(why));

		CHECK(err == ERR_INVALID, "\"%s\": %s", refused[i].text, host_err(err));
		CHECK(strstr(why, refused[i].named), "\"%s\": %s", refused[i].text, why);
		CHECK(strstr(why, CONFIG_FILE), "%s", why);
	}
	/* A NUL in the middle is no end. */
	CHECK_ERR(parse(&options, "demo = x\0y", 10, why, sizeof(why)), ERR_INVALID);
	CHECK_ERR(parse(&options, "\0", 1, why, sizeof(why)), ERR_INVALID);
}

static void long_things_are_cut_or_refused(void **state)
{
	static char text[CONFIG_MAX_BYTES];
	struct vm_options options;
	char why[512], little[8];

	(void)state;
	memset(text, 'a', sizeof(text));
	CHECK_ERR(parse(&options, text, sizeof(text), why, sizeof(why)), ERR_INVALID);
	memcpy(text, "guest = ", 8);
	for (size_t length = 120; length <= 300; length++) {
		enum err err = parse(&options, text, 8 + length, why, sizeof(why));

		CHECK(err == (length < sizeof(options.guest) ? ERR_OK : ERR_INVALID), "%zu: %s", length, host_err(err));
		if (err == ERR_OK)
			CHECK_EQ(strlen(options.guest), length);
	}
	for (size_t length = 28; length <= 34; length++) {
		memcpy(text, "demo  = ", 8);
		CHECK_ERR(parse(&options, text, 8 + length, why, sizeof(why)),
			  length < sizeof(options.demo) ? ERR_OK : ERR_INVALID);
	}
	/* The reason stands behind what is too long, and is there whole. */
	memcpy(text, "cmdline = ", 10);
	CHECK_ERR(parse(&options, text, 10 + 511, why, sizeof(why)), ERR_OK);
	CHECK_EQ(strlen(options.cmdline), 511);
	CHECK_ERR(parse(&options, text, 10 + 512, why, sizeof(why)), ERR_INVALID);
	CHECK(strstr(why, "aaa...: wanted a text of less than 512 bytes"), "%s", why);
	CHECK_ERR(parse(&options, text, 2047, why, sizeof(why)), ERR_INVALID);
	CHECK(strstr(why, "aaa...: wanted a text of less than 512 bytes"), "%s", why);
	CHECK_ERR(parse(&options, text, 2048, why, sizeof(why)), ERR_INVALID);
	CHECK(strstr(why, "the line has more than 2047 bytes"), "%s", why);
	CHECK_ERR(parse(&options, text + 10, 2000, why, sizeof(why)), ERR_INVALID);
	CHECK(strstr(why, "aaa...\" is not of the form key = value"), "%s", why);
	/* A comment may be as long as it likes; a reason is cut to what there is. */
	memset(text, '#', sizeof(text));
	CHECK_ERR(parse(&options, text, sizeof(text), why, sizeof(why)), ERR_OK);
	for (size_t room = 1; room <= sizeof(little); room++)
		CHECK_ERR(parse(&options, "nonsense", 8, little, room), ERR_INVALID);
	memset(text, '\n', sizeof(text));
	text[sizeof(text) - 1] = '=';
	CHECK_ERR(parse(&options, text, sizeof(text), why, sizeof(why)), ERR_INVALID);
	CHECK(strstr(why, ":65536:"), "%s", why);
}

/* A kernel's command line, and what a guest prints, may be in any language. */
static void texts_may_be_utf_8(void **state)
{
	static const char text[] = "cmdline = a=\"\xc3\xa9\" b='\xe2\x82\xac'\nclone_when = gr\xc3\xbc\xc3\x9f dich # \xff";
	struct vm_options options;
	char why[512];

	(void)state;
	CHECK_ERR(parse(&options, text, strlen(text), why, sizeof(why)), ERR_OK);
	assert_string_equal(options.cmdline, "a=\"\xc3\xa9\" b='\xe2\x82\xac'");
	assert_string_equal(options.clone_when, "gr\xc3\xbc\xc3\x9f dich");
}

/* Any bytes: an answer, and options that keep to their rules. */
static void random_bytes_do_no_harm(void **state)
{
	static const char *const words[] = {
		"ram",   "demo", "guest", "policy", "trace", "=",   "=",  "#",  "tracking", "[vm ", "]\n",
		"after", "\"",   "\n",    "\n",     " ",     "64M", "on", "4k", "\r\n",     "\t",   "software",
	};
	struct host_rng rng = host_rng("config", 99);
	unsigned steps = host_steps(20000), good = 0;
	struct vm_options options;
	char text[600], why[100];

	(void)state;
	for (unsigned i = 0; i < steps; i++) {
		size_t size = 0;

		while (size < 200 && !host_chance(&rng, 7)) {
			const char *word = words[host_below(&rng, ARRAY_LEN(words))];

			if (host_chance(&rng, 2))
				text[size++] = (char)host_random(&rng);
			else
				size += (size_t)snprintf(text + size, 16, "%s", word);
		}
		if (parse(&options, text, size, why, 1 + host_below(&rng, sizeof(why))) != ERR_OK)
			continue;
		good++;
		CHECK(options.ram > 0 && is_aligned(options.ram, PAGE_SIZE), "ram %#jx", (uintmax_t)options.ram);
		CHECK(memchr(options.demo, '\0', sizeof(options.demo)) && options.demo[0], "demo");
		CHECK(memchr(options.guest, '\0', sizeof(options.guest)), "guest");
	}
	CHECK(good > 0 || steps < 20000, "nothing was ever right");
}

/* Take the # away from a line "#key = value": of the n-th such line, or of all. Returns how many there are. */
static unsigned enable(char *text, size_t size, unsigned n, bool all, bool *guest, bool *initrd)
{
	unsigned keys = 0;

	*guest = *initrd = false;
	for (size_t at = 0; at + 1 < size; at++) {
		if (text[at] != '#' || (at > 0 && text[at - 1] != '\n') || text[at + 1] < 'a' || text[at + 1] > 'z')
			continue;
		if (all || keys == n) {
			text[at] = ' ';
			*guest = *guest || strncmp(text + at + 1, "guest", 5) == 0;
			*initrd = *initrd || strncmp(text + at + 1, "initrd", 6) == 0;
		}
		keys++;
	}
	return keys;
}

/* What is on the disk image: as it comes, with each of its keys enabled, and with all of them, it says what holds anyway. */
static void the_file_as_shipped_says_the_defaults(void **state)
{
	static char shipped[CONFIG_MAX_BYTES], text[CONFIG_MAX_BYTES];
	FILE *file = fopen("boot/" CONFIG_FILE, "r");
	struct config config;
	struct machine_vm vm;
	struct vm_options options, defaults;
	size_t size;
	unsigned keys = 1;
	bool guest, initrd;
	char why[128];

	(void)state;
	assert_non_null(file);
	size = fread(shipped, 1, sizeof(shipped), file);
	fclose(file);
	CHECK(size > 0 && size < sizeof(shipped), "%zu bytes", size);
	config_defaults(&config, &vm);
	defaults = vm.options;
	CHECK_ERR(parse(&options, shipped, size, why, sizeof(why)), ERR_OK);
	CHECK(memcmp(&options, &defaults, sizeof(options)) == 0, "as shipped");
	for (unsigned n = 0; n <= keys; n++) {
		memcpy(text, shipped, size);
		keys = enable(text, size, n, n == keys, &guest, &initrd);
		CHECK(parse(&options, text, size, why, sizeof(why)) == ERR_OK, "key %u: %s", n, why);
		/* There is no file that would be meant by default. */
		CHECK(guest == (options.guest[0] != '\0'), "key %u: guest", n);
		CHECK(initrd == (options.initrd[0] != '\0'), "key %u: initrd", n);
		memset(options.guest, 0, sizeof(options.guest));
		memset(options.initrd, 0, sizeof(options.initrd));
		CHECK(memcmp(&options, &defaults, sizeof(options)) == 0, "key %u is not the default", n);
	}
	CHECK(keys >= 6, "only %u keys", keys);
}

static void a_command_line_is_any_text(void **state)
{
	static const struct {
		const char *text, *cmdline;
	} lines[] = {
		{ "ram = 64M", "" },
		{ "cmdline = console=ttyS0 root=/dev/vda rw # the disk", "console=ttyS0 root=/dev/vda rw" },
		{ "cmdline = 'init=\"/bin/sh -c ls\" # quiet'", "init=\"/bin/sh -c ls\" # quiet" },
		{ "cmdline =", "" },
		{ "cmdline = a\n[vm one]\ncmdline = \"\"", "" },
		{ "cmdline = a\n[vm one]\nram = 64M", "a" },
	};
	static struct parsed parsed;
	char text[600] = "cmdline = ";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		CHECK_ERR(parse_string(&parsed, lines[i].text), ERR_OK);
		assert_string_equal(parsed.vm[0].options.cmdline, lines[i].cmdline);
	}
	memset(text + 10, 'x', 511);
	CHECK_ERR(parse_string(&parsed, text), ERR_OK);
	CHECK_EQ(strlen(parsed.vm[0].options.cmdline), 511);
	text[10 + 511] = 'x';
	CHECK_ERR(parse_string(&parsed, text), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_line_is_any_text),
		cmocka_unit_test(defaults_hold_where_nothing_is_said),
		cmocka_unit_test(all_keys_are_read),
		cmocka_unit_test(the_machines_keys_are_read),
		cmocka_unit_test(a_vms_share_of_the_cpus_is_read),
		cmocka_unit_test(files_as_editors_leave_them),
		cmocka_unit_test(utf16_is_refused_by_its_name),
		cmocka_unit_test(sections_describe_several_vms),
		cmocka_unit_test(disks_are_a_list),
		cmocka_unit_test(many_sections_have_room),
		cmocka_unit_test(each_policy_has_its_name),
		cmocka_unit_test(nonsense_is_refused_by_line),
		cmocka_unit_test(long_things_are_cut_or_refused),
		cmocka_unit_test(texts_may_be_utf_8),
		cmocka_unit_test(random_bytes_do_no_harm),
		cmocka_unit_test(the_file_as_shipped_says_the_defaults),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
