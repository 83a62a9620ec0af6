/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device trees of boards that Debian's kernels carry (build/boards, build/linux, of tools/setup), read by all that reads a tree
 * here, and compared with what another reader finds in them: tests/host/boards.py. With --consoles it tells what the console of
 * each would be.
 */
#include "drivers/devicetree.h"

#include <stdio.h>
#include <stdlib.h>

#define find_node find_psci
#include "drivers/aarch64/psci.c"
#undef find_node
#define find_node find_controller_node
#include "drivers/aarch64/controller.c"
#include "drivers/aarch64/cpu_tables.c"
#undef find_node
#define find_node find_hart_node
#include "drivers/riscv64/hart.c"
#include "drivers/riscv64/rintc.c"
#undef find_node

#include "boot/memory.h"
#include "boot/reserved.h"
#include "drivers/simple_framebuffer.h"
#include "drivers/uart.h"
#include "tests/host/host.h"

/* Where Debian's arm64 kernel has 577 trees, so many of them and all of the riscv64 kernel's have a console: docs/boards.md. */
#define ARM_TREES    577
#define ARM_CONSOLES 550
#define RISCV_TREES  35
#define ORACLE       "python3 tests/host/boards.py build/boards/arm64 build/linux/riscv64/trees"
/* For `make test-all`, what the later kernel has for AArch64, too. */
#define ORACLE_ALL   "python3 tests/host/boards.py build/boards/arm64 build/linux/riscv64/trees build/linux/aarch64/trees"
#define LINE_ROOM    65536

const struct controller_driver gicv2 = { .name = "GICv2" }, gicv3 = { .name = "GICv3" }, bcm2836 = { .name = "bcm2836" };

static const struct {
	const struct uart_driver *driver;
	const char *name;
} families[] = {
	{ &uart_16550, "16550" },     { &uart_armada, "armada" }, { &uart_cadence, "cadence" }, { &uart_geni, "geni" },
	{ &uart_imx, "imx" },         { &uart_litex, "litex" },   { &uart_lpuart, "lpuart" },   { &uart_meson, "meson" },
	{ &uart_msm, "msm" },         { &uart_pl011, "pl011" },   { &uart_scif, "scif" },       { &uart_sifive, "sifive" },
	{ &uart_samsung, "samsung" },
};

static struct platform platform;
static FILE *answer;

/* --- What is read, as text --- */

static void tell_port(const struct serial_port *port)
{
	const char *name = "?";

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].driver == port->driver)
			name = families[i].name;
	fprintf(answer, "%s %#jx %u %u", name, (uintmax_t)port->base, port->shift, port->width);
}

static void tell_console(const char *unused)
{
	struct serial_port port;
	struct framebuffer screen;

	(void)unused;
	if (devicetree_find_serial(platform.fdt, NULL, &port) == ERR_OK) {
		tell_port(&port);
	} else if (simple_framebuffer_find(platform.fdt, &screen) == ERR_OK) {
		fprintf(answer, "screen %#jx %u %u %u", (uintmax_t)screen.base.raw, screen.width, screen.height, screen.stride);
	} else if (devicetree_guess_serial(platform.fdt, NULL, &port) == ERR_OK) {
		fprintf(answer, "guess ");
		tell_port(&port);
	} else {
		fprintf(answer, "none");
	}
}

/* A list of ranges is "none", or has a blank between two. */
static unsigned told;

static void tell_range(uint64_t start, uint64_t size)
{
	fprintf(answer, "%s%jx+%jx", told++ ? " " : "", (uintmax_t)start, (uintmax_t)size);
}

static void end_ranges(void)
{
	if (told == 0)
		fprintf(answer, "none");
	told = 0;
}

enum err memory_exclude(hpa_t start, uint64_t size)
{
	tell_range(start.raw, size);
	return ERR_OK;
}

static void tell_reserved(const char *unused)
{
	(void)unused;
	reserved_exclude(platform.fdt);
	end_ranges();
}

static void tell_memory(const char *unused)
{
	const void *fdt = platform.fdt;

	(void)unused;
	for (int node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", 7); node >= 0;
	     node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7)) {
		uint64_t start, size;

		for (unsigned n = 0; devicetree_reg(fdt, node, n, &start, &size) == ERR_OK; n++)
			tell_range(start, size);
	}
	end_ranges();
}

static void tell_psci(const char *unused)
{
	(void)unused;
	fprintf(answer, psci_takes_smc() ? "smc" : "none");
}

static void tell_cpus(const char *unused)
{
	struct cpu_place places[256];
	unsigned count = cpu_tables_read(&platform, places, ARRAY_LEN(places));

	(void)unused;
	if (count == 0)
		fprintf(answer, "none");
	for (unsigned i = 0; i < count; i++) {
		fprintf(answer, "%s%jx:", i ? " " : "", (uintmax_t)places[i].affinity);
		if (places[i].start == CPU_START_SPIN)
			fprintf(answer, "%#jx", (uintmax_t)places[i].release);
		else
			fprintf(answer, places[i].start == CPU_START_PSCI ? "psci" : "0");
	}
}

static void tell_controller(const char *unused)
{
	static struct controller found;

	(void)unused;
	if (!controller_find(&platform, &found)) {
		fprintf(answer, "none");
		return;
	}
	fprintf(answer, "%s %u %u %u %u ", found.driver->name, found.timer, found.guest_timer[GUEST_TIMER_VIRTUAL],
		found.guest_timer[GUEST_TIMER_PHYSICAL], found.maintenance);
	for (unsigned i = 0; i < found.regions; i++)
		tell_range(found.region[i].start, found.region[i].size);
	end_ranges();
}

static void tell_harts(const char *unused)
{
	uint64_t ids[256];
	unsigned count = hart_find(ids, ARRAY_LEN(ids));

	(void)unused;
	for (unsigned i = 0; i < count; i++)
		fprintf(answer, "%s%ju", i ? "," : "", (uintmax_t)ids[i]);
	hart_read_timebase();
	fprintf(answer, " %u %s", hart_timebase_hz(), hart_has_extension("h") ? "h" : "-");
}

/* What is asked for begins with the node's path. */
static void tell_reg(const char *asked)
{
	int length = (int)strcspn(asked, " "), node = fdt_path_offset_namelen(platform.fdt, asked, length);
	uint64_t start, size;

	fprintf(answer, "%.*s %s ", length, asked, devicetree_is_enabled(platform.fdt, node) ? "yes" : "no");
	if (devicetree_reg(platform.fdt, node, 0, &start, &size) == ERR_OK)
		tell_range(start, size);
	end_ranges();
}

static const struct {
	const char *word;
	void (*tell)(const char *asked);
} readers[] = {
	{ "console", tell_console }, { "reserved", tell_reserved },     { "memory", tell_memory }, { "psci", tell_psci },
	{ "cpus", tell_cpus },       { "controller", tell_controller }, { "harts", tell_harts },   { "reg", tell_reg },
};

/* --- Trees --- */

static void *tree;
static char file_name[512];
static unsigned trees[2], consoles[2]; /* of build/boards, and of RISC-V */

/* Of just its size: what reads beyond it is caught. */
static void read_tree_file(const char *name)
{
	FILE *file = fopen(name, "rb");
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size > 0);
	rewind(file);
	free(tree);
	tree = malloc((size_t)size);
	assert_int_equal(fread(tree, 1, (size_t)size, file), (size_t)size);
	fclose(file);
	CHECK(fdt_check_header(tree) == 0 && fdt_totalsize(tree) <= (size_t)size, "%s is no device tree", name);
	snprintf(file_name, sizeof(file_name), "%s", name);
	platform = (struct platform){ .fdt = tree };
	platform_set(&platform);
}

static void count(const char *word, const char *text)
{
	bool is_riscv = strstr(file_name, "/riscv64/") != NULL;

	if (strcmp(word, "console") != 0 || strstr(file_name, "/aarch64/"))
		return;
	trees[is_riscv]++;
	consoles[is_riscv] += strcmp(text, "none") != 0;
}

/* A line of the other reader: a word, and what it has found. */
static void compare(char *line)
{
	char *wanted = strchr(line, ' ') + 1, *text;
	size_t size;

	wanted[-1] = '\0';
	wanted[strcspn(wanted, "\n")] = '\0';
	if (strcmp(line, "tree") == 0) {
		read_tree_file(wanted);
		return;
	}
	answer = open_memstream(&text, &size);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		if (strcmp(line, readers[i].word) == 0)
			readers[i].tell(wanted);
	fclose(answer);
	CHECK(strcmp(text, wanted) == 0, "%s: %s\n  is read as %s\n  and should be %s", file_name, line, text, wanted);
	count(line, text);
	free(text);
}

static void every_tree_is_read_as_another_reader_reads_it(void **state)
{
	static char line[LINE_ROOM];
	const char *tests = getenv("TESTS");
	FILE *oracle = popen(tests && strcmp(tests, "all") == 0 ? ORACLE_ALL : ORACLE, "r");

	(void)state;
	assert_non_null(oracle);
	while (fgets(line, sizeof(line), oracle))
		compare(line);
	CHECK(pclose(oracle) == 0, "the other reader failed");
	free(tree);
	CHECK(trees[0] > 0 && trees[1] > 0, "there are no device trees: tools/setup boards linux-riscv64 fetches them");
}

static void boards_have_consoles(void **state)
{
	(void)state;
	CHECK(trees[0] != ARM_TREES || consoles[0] == ARM_CONSOLES, "of AArch64 %u of %u", consoles[0], trees[0]);
	CHECK(consoles[0] * 100 >= trees[0] * 93, "of AArch64 %u of %u", consoles[0], trees[0]);
	CHECK(consoles[1] == trees[1] && trees[1] >= RISCV_TREES, "of RISC-V %u of %u", consoles[1], trees[1]);
}

/* --consoles [DIRECTORY]: without another reader. */
static int list_consoles(const char *directory)
{
	char command[600], name[512];
	FILE *files;

	snprintf(command, sizeof(command), "find %s -name '*.dtb' | sort",
		 directory ? directory : "build/boards/arm64 build/linux/riscv64/trees");
	files = popen(command, "r");
	answer = stdout;
	while (files && fgets(name, sizeof(name), files)) {
		name[strcspn(name, "\n")] = '\0';
		read_tree_file(name);
		printf("%s: ", name);
		tell_console(NULL);
		printf("\n");
	}
	free(tree);
	return files ? pclose(files) : 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tree_is_read_as_another_reader_reads_it),
		cmocka_unit_test(boards_have_consoles),
	};

	if (argc > 1 && strcmp(argv[1], "--consoles") == 0)
		return list_consoles(argv[2]);
	return cmocka_run_group_tests_name("boards", tests, NULL, NULL);
}
