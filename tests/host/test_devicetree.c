/* SPDX-License-Identifier: BSD-2-Clause */
/* The console in device trees: of boards as they are, and of trees that make no sense. */
#include "drivers/devicetree.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/simple_framebuffer.h"
#include "drivers/uart.h"
#include "tests/host/host.h"

static uint64_t buffer[KIB(4) / sizeof(uint64_t)];

static void check(int error)
{
	CHECK(error >= 0, "%s", fdt_strerror(error));
}

static void set_string(int node, const char *name, const char *value)
{
	check(fdt_setprop(buffer, node, name, value, (int)strlen(value) + 1));
}

/* A new node with so many cells in its children's addresses and sizes. */
static int add_bus(int parent, const char *name, uint32_t address_cells, uint32_t size_cells)
{
	int node = parent < 0 ? 0 : fdt_add_subnode(buffer, parent, name);

	check(node);
	check(fdt_setprop_u32(buffer, node, "#address-cells", address_cells));
	check(fdt_setprop_u32(buffer, node, "#size-cells", size_cells));
	return node;
}

static void set_cells(int node, const char *name, const uint32_t *cells, int count)
{
	fdt32_t value[8];

	for (int i = 0; i < count; i++)
		value[i] = cpu_to_fdt32(cells[i]);
	check(fdt_setprop(buffer, node, name, value, count * (int)sizeof(*value)));
}

#define SET_CELLS(node, name, ...)                                     \
	do {                                                           \
		const uint32_t cells_[] = { __VA_ARGS__ };             \
		set_cells(node, name, cells_, (int)ARRAY_LEN(cells_)); \
	} while (0)

static int add_node(int parent, const char *name, const char *compatible)
{
	int node = fdt_add_subnode(buffer, parent, name);

	check(node);
	if (compatible)
		set_string(node, "compatible", compatible);
	return node;
}

static void set_console(const char *path)
{
	int chosen = fdt_path_offset(buffer, "/chosen");

	if (chosen < 0)
		chosen = add_node(0, "chosen", NULL);
	set_string(chosen, "stdout-path", path);
}

static int setup(void **state)
{
	(void)state;
	check(fdt_create_empty_tree(buffer, sizeof(buffer)));
	add_bus(-1, "", 2, 2);
	return 0;
}

static void check_port(const struct uart_driver *driver, uint64_t base, uint64_t size, uint8_t shift, uint8_t width)
{
	struct serial_port port;

	CHECK_ERR(devicetree_find_serial(buffer, NULL, &port), ERR_OK);
	CHECK(port.driver == driver, "another driver");
	CHECK_EQ(port.base, base);
	CHECK_EQ(port.size, size);
	CHECK_EQ(port.by_io_port, false);
	if (driver == &uart_16550) {
		CHECK_EQ(port.shift, shift);
		CHECK_EQ(port.width, width);
	}
}

static void check_none(enum err wanted)
{
	struct serial_port port;

	CHECK_ERR(devicetree_find_serial(buffer, NULL, &port), wanted);
}

static void qemu_arm(void **state)
{
	int uart = add_node(0, "pl011@9000000", NULL);

	(void)state;
	check(fdt_setprop(buffer, uart, "compatible", "arm,pl011\0arm,primecell", 24));
	SET_CELLS(uart, "reg", 0, 0x9000000, 0, 0x1000);
	set_console("/pl011@9000000");
	check_port(&uart_pl011, 0x9000000, 0x1000, 0, 0);
}

static void qemu_riscv(void **state)
{
	int soc = add_bus(0, "soc", 2, 2);
	int uart = add_node(soc, "serial@10000000", "ns16550a");

	(void)state;
	SET_CELLS(uart, "reg", 0, 0x10000000, 0, 0x100);
	check(fdt_setprop(buffer, fdt_path_offset(buffer, "/soc"), "ranges", NULL, 0));
	set_console("/soc/serial@10000000");
	check_port(&uart_16550, 0x10000000, 0x100, 0, 1);
}

/* The mini UART, on a bus with addresses of its own, by alias and with options behind it. */
static void raspberry_pi_3(void **state)
{
	int soc, uart;

	(void)state;
	add_bus(-1, "", 1, 1);
	soc = add_bus(0, "soc", 1, 1);
	SET_CELLS(soc, "ranges", 0x7e000000, 0x3f000000, 0x01000000, 0x40000000, 0x40000000, 0x1000);
	uart = add_node(soc, "serial@7e215040", "brcm,bcm2835-aux-uart");
	SET_CELLS(uart, "reg", 0x7e215040, 0x40);
	set_string(add_node(0, "aliases", NULL), "serial1", "/soc/serial@7e215040");
	set_console("serial1:115200n8");
	check_port(&uart_16550, 0x3f215040, 0x40, 2, 4);
}

static void registers_lie_as_the_node_says(void **state)
{
	int uart = add_node(0, "serial@feb50000", "snps,dw-apb-uart");

	(void)state;
	SET_CELLS(uart, "reg", 0, 0xfeb50000, 0, 0x100);
	SET_CELLS(uart, "reg-shift", 2);
	SET_CELLS(uart, "reg-io-width", 4);
	set_console("/serial@feb50000:1500000n8");
	uart = fdt_path_offset(buffer, "/serial@feb50000");
	check_port(&uart_16550, 0xfeb50000, 0x100, 2, 4);
	SET_CELLS(uart, "reg-io-width", 1);
	SET_CELLS(uart, "reg-offset", 0x100);
	check_port(&uart_16550, 0xfeb50100, 0x100, 2, 1);
	SET_CELLS(uart, "reg-offset", 0);
	SET_CELLS(uart, "reg-io-width", 8);
	check_none(ERR_UNSUPPORTED);
	SET_CELLS(uart, "reg-io-width", 3);
	check_none(ERR_UNSUPPORTED);
	SET_CELLS(uart, "reg-io-width", 4);
	SET_CELLS(uart, "reg-shift", 1); /* accesses would overlap */
	check_none(ERR_UNSUPPORTED);
	SET_CELLS(uart, "reg-shift", 2);
	SET_CELLS(uart, "reg", 0, 0xfeb50002, 0, 0x100);
	check_none(ERR_UNSUPPORTED); /* and be unaligned */
}

/* Where a binding leaves out how registers lie, the name says it. */
static void names_stand_for_layouts(void **state)
{
	static const struct {
		const char *name;
		uint8_t shift, width;
	} cases[] = {
		{ "nvidia,tegra20-uart", 2, 4 }, { "nvidia,tegra194-uart", 2, 4 },    { "mediatek,mt6577-uart", 2, 4 },
		{ "brcm,bcm7271-uart", 2, 4 },   { "intel,xscale-uart", 2, 4 },       { "ti,am654-uart", 2, 1 },
		{ "fsl,ns16550", 0, 1 },         { "marvell,armada-38x-uart", 2, 1 }, { "aspeed,ast2400-vuart", 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int uart;

		setup(state);
		uart = add_node(0, "serial@1000", cases[i].name);
		SET_CELLS(uart, "reg", 0, 0x1000, 0, 0x100);
		set_console("/serial@1000");
		check_port(&uart_16550, 0x1000, 0x100, cases[i].shift, cases[i].width);
	}
}

static void registers_may_be_big_endian(void **state)
{
	int uart = add_node(0, "serial@1000", "ns16550a");
	struct serial_port port;

	(void)state;
	SET_CELLS(uart, "reg", 0, 0x1000, 0, 0x100);
	set_console("/serial@1000");
	CHECK_ERR(devicetree_find_serial(buffer, NULL, &port), ERR_OK);
	assert_false(port.big_endian);
	check(fdt_setprop(buffer, fdt_path_offset(buffer, "/serial@1000"), "big-endian", NULL, 0));
	CHECK_ERR(devicetree_find_serial(buffer, NULL, &port), ERR_OK);
	assert_true(port.big_endian);
}

/* Of three cells the first one is a kind of address: the same number of another kind is another address. */
static void buses_of_three_cells_translate(void **state)
{
	int bus = add_bus(0, "bus", 3, 2), uart;
	const fdt32_t ranges[] = { cpu_to_fdt32(0x81000000),
				   0,
				   cpu_to_fdt32(0x4000),
				   0,
				   cpu_to_fdt32(0xf0000000),
				   0,
				   cpu_to_fdt32(0x1000),
				   cpu_to_fdt32(0x82000000),
				   0,
				   cpu_to_fdt32(0x4000),
				   cpu_to_fdt32(8),
				   cpu_to_fdt32(0xe0000000),
				   0,
				   cpu_to_fdt32(0x1000) };

	(void)state;
	check(fdt_setprop(buffer, bus, "ranges", ranges, sizeof(ranges)));
	uart = add_node(bus, "serial", "ns16550");
	SET_CELLS(uart, "reg", 0x82000000, 0, 0x4010, 0, 0x10);
	set_console("/bus/serial");
	check_port(&uart_16550, 0x8e0000010, 0x10, 0, 1);
	SET_CELLS(fdt_path_offset(buffer, "/bus/serial"), "reg", 0x81000000, 0, 0x4010, 0, 0x10);
	check_port(&uart_16550, 0xf0000010, 0x10, 0, 1);
	SET_CELLS(fdt_path_offset(buffer, "/bus/serial"), "reg", 0x82000810, 0, 0x4010, 0, 0x10);
	check_none(ERR_RANGE);
	/* PCI's has the device's number there, too. */
	set_string(fdt_path_offset(buffer, "/bus"), "device_type", "pci");
	check_port(&uart_16550, 0x8e0000010, 0x10, 0, 1);
}

/* Where no name leads to a port: one that answers, and that nothing is wired to. */
static void an_unnamed_port_is_guessed(void **state)
{
	struct serial_port port;
	int uart = add_node(0, "a@1000", "fsl,imx6q-uart"); /* its clock may be off */

	(void)state;
	SET_CELLS(uart, "reg", 0, 0x1000, 0, 0x1000);
	CHECK_ERR(devicetree_guess_serial(buffer, NULL, &port), ERR_NOT_FOUND);
	uart = add_node(0, "b@2000", "ns16550a");
	SET_CELLS(uart, "reg", 0, 0x2000, 0, 0x1000);
	CHECK_ERR(devicetree_guess_serial(buffer, NULL, &port), ERR_OK);
	CHECK_EQ(port.base, 0x2000);
	add_node(fdt_path_offset(buffer, "/b@2000"), "bluetooth", NULL);
	CHECK_ERR(devicetree_guess_serial(buffer, NULL, &port), ERR_NOT_FOUND);
	uart = add_node(0, "c@3000", "arm,pl011");
	SET_CELLS(uart, "reg", 0, 0x3000, 0, 0x1000);
	CHECK_ERR(devicetree_guess_serial(buffer, NULL, &port), ERR_OK);
	CHECK_EQ(port.base, 0x3000);
	set_string(fdt_path_offset(buffer, "/c@3000"), "status", "disabled");
	CHECK_ERR(devicetree_guess_serial(buffer, NULL, &port), ERR_NOT_FOUND);
}

/* Two buses, with one cell of address below, three ranges, and two cells above. */
static void buses_translate(void **state)
{
	int outer = add_bus(0, "outer", 2, 1), inner, uart;
	struct serial_port port;

	(void)state;
	SET_CELLS(outer, "ranges", 1, 0, 0x20, 0x40000000, 0x10000);
	inner = add_bus(outer, "inner", 1, 1);
	SET_CELLS(inner, "ranges", 0x1000, 1, 0x8000, 0x1000, 0x3000, 1, 0xf000, 0x1000);
	uart = add_node(inner, "serial", "ns16550");
	set_console("/outer/inner/serial");
	uart = fdt_path_offset(buffer, "/outer/inner/serial");
	SET_CELLS(uart, "reg", 0x1100, 0x10);
	check_port(&uart_16550, 0x2040008100, 0x10, 0, 1);
	uart = fdt_path_offset(buffer, "/outer/inner/serial");
	SET_CELLS(uart, "reg", 0x3ff0, 0x10);
	check_port(&uart_16550, 0x204000fff0, 0x10, 0, 1);
	SET_CELLS(uart, "reg", 0x3ff1, 0x10); /* the last byte is outside */
	check_none(ERR_RANGE);
	SET_CELLS(uart, "reg", 0x2000, 0x10);
	check_none(ERR_RANGE);
	check(fdt_delprop(buffer, fdt_path_offset(buffer, "/outer"), "ranges"));
	uart = fdt_path_offset(buffer, "/outer/inner/serial");
	SET_CELLS(uart, "reg", 0x1100, 0x10);
	check_none(ERR_RANGE); /* no ranges at all: nothing comes through */
	CHECK_ERR(devicetree_find_serial(buffer, NULL, &port), ERR_RANGE);
}

static void what_is_missing_is_missed(void **state)
{
	int uart;

	(void)state;
	check_none(ERR_NOT_FOUND);
	set_console("/nowhere");
	check_none(ERR_NOT_FOUND);
	set_console("serial0");
	check_none(ERR_NOT_FOUND);
	set_console("");
	check_none(ERR_NOT_FOUND);
	check(fdt_setprop(buffer, fdt_path_offset(buffer, "/chosen"), "stdout-path", "/x", 2)); /* no end */
	check_none(ERR_CORRUPT);
	uart = add_node(0, "uart", NULL);
	set_console("/uart");
	check_none(ERR_UNSUPPORTED);
	uart = fdt_path_offset(buffer, "/uart");
	set_string(uart, "compatible", "acme,uart");
	check_none(ERR_UNSUPPORTED);
	set_string(uart, "compatible", "arm,pl011");
	check_none(ERR_NOT_FOUND);
	SET_CELLS(uart, "reg", 0, 0x1000, 0); /* a cell is missing */
	check_none(ERR_NOT_FOUND);
	add_bus(-1, "", 3, 2);
	uart = fdt_path_offset(buffer, "/uart");
	SET_CELLS(uart, "reg", 0, 0, 0x1000, 0, 0x1000);
	check_none(ERR_CORRUPT);
}

static void the_first_port_is_better_than_none(void **state)
{
	int uart = add_node(0, "uart@1000", "arm,pl011");

	(void)state;
	SET_CELLS(uart, "reg", 0, 0x1000, 0, 0x1000);
	check_none(ERR_NOT_FOUND);
	set_string(add_node(0, "aliases", NULL), "serial0", "/uart@1000");
	check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
	add_node(0, "chosen", NULL);
	check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
	set_console("/nowhere");
	check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
	set_console("serial9:115200");
	check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
	check(fdt_setprop(buffer, fdt_path_offset(buffer, "/chosen"), "stdout-path", "/x", 2)); /* no end */
	check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
	add_node(0, "uart@2000", "acme,uart");
	set_console("/uart@2000"); /* nothing drives it */
	check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
	/* A bad first choice, and no other: what was wrong with the first is told. */
	set_string(fdt_path_offset(buffer, "/aliases"), "serial0", "/uart@3000");
	check_none(ERR_UNSUPPORTED);
}

/* A console on a bus, and the first port beside it: the first that can be used is taken. */
static void make_two_ports(void)
{
	int bus, uart;

	check(fdt_create_empty_tree(buffer, sizeof(buffer)));
	add_bus(-1, "", 2, 2);
	uart = add_node(0, "uart@1000", "arm,pl011");
	SET_CELLS(uart, "reg", 0, 0x1000, 0, 0x1000);
	bus = add_bus(0, "bus", 2, 2);
	check(fdt_setprop(buffer, bus, "ranges", NULL, 0));
	uart = add_node(bus, "uart@2000", "arm,pl011");
	SET_CELLS(uart, "reg", 0, 0x2000, 0, 0x1000);
	set_string(add_node(0, "aliases", NULL), "serial0", "/uart@1000");
	set_console("/bus/uart@2000");
}

static void what_is_disabled_is_not_used(void **state)
{
	static const char *const bad[] = { "disabled", "reserved", "fail", "fail-sss", "", "okay ", "oka", "o" };
	static const char *const good[] = { "okay", "ok" };
	static const char *const places[] = { "/bus/uart@2000", "/bus", "/" };

	(void)state;
	for (size_t place = 0; place < ARRAY_LEN(places); place++) {
		for (size_t i = 0; i < ARRAY_LEN(good); i++) {
			make_two_ports();
			set_string(fdt_path_offset(buffer, places[place]), "status", good[i]);
			check_port(&uart_pl011, 0x2000, 0x1000, 0, 0);
		}
		for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
			make_two_ports();
			set_string(fdt_path_offset(buffer, places[place]), "status", bad[i]);
			if (place < 2)
				check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
			else
				check_none(ERR_NOT_FOUND);
		}
	}
	make_two_ports();
	set_string(fdt_path_offset(buffer, "/bus"), "status", "disabled");
	set_string(fdt_path_offset(buffer, "/uart@1000"), "status", "disabled");
	check_none(ERR_NOT_FOUND);
	CHECK_EQ(devicetree_is_enabled(buffer, fdt_path_offset(buffer, "/bus/uart@2000")), false);
	CHECK_EQ(devicetree_is_enabled(buffer, fdt_path_offset(buffer, "/chosen")), true);
	CHECK_EQ(devicetree_is_enabled(buffer, 4), false); /* no node begins there */
	/* A string without its end. */
	make_two_ports();
	check(fdt_setprop(buffer, fdt_path_offset(buffer, "/bus"), "status", "okay", 4));
	check_port(&uart_pl011, 0x1000, 0x1000, 0, 0);
}

static unsigned refusals;

static bool above_0x1fff(const struct serial_port *port)
{
	return port->base >= 0x2000 || (refusals++, false);
}

static bool below_0x2000(const struct serial_port *port)
{
	return port->base < 0x2000 || (refusals++, false);
}

static void who_asks_may_refuse(void **state)
{
	struct serial_port port;

	(void)state;
	make_two_ports();
	CHECK_ERR(devicetree_find_serial(buffer, above_0x1fff, &port), ERR_OK);
	CHECK_EQ(port.base, 0x2000);
	CHECK_ERR(devicetree_find_serial(buffer, below_0x2000, &port), ERR_OK);
	CHECK_EQ(port.base, 0x1000);
	CHECK_EQ(refusals, 1);
	/* Two names for one port: it is asked about once. */
	set_console("/uart@1000");
	refusals = 0;
	CHECK_ERR(devicetree_find_serial(buffer, above_0x1fff, &port), ERR_DENIED);
	CHECK_EQ(refusals, 1);
}

static void reg_has_an_index(void **state)
{
	int node = add_node(0, "device", NULL);
	uint64_t address, size;

	(void)state;
	SET_CELLS(node, "reg", 1, 2, 3, 4, 5, 6, 7, 8);
	CHECK_ERR(devicetree_reg(buffer, node, 1, &address, &size), ERR_OK);
	CHECK_EQ(address, 0x500000006);
	CHECK_EQ(size, 0x700000008);
	CHECK_ERR(devicetree_reg(buffer, node, 2, &address, &size), ERR_NOT_FOUND);
	CHECK_ERR(devicetree_reg(buffer, node, 0x40000000, &address, &size), ERR_NOT_FOUND);
}

/* Any byte turned to any other: libfdt and we survive, within the bounds of the tree. */
static void random_damage_does_no_harm(void **state)
{
	struct host_rng rng = host_rng("devicetree", 7);
	static uint64_t whole[ARRAY_LEN(buffer)];
	size_t size;

	raspberry_pi_3(state);
	check(fdt_pack(buffer));
	memcpy(whole, buffer, sizeof(whole));
	size = fdt_totalsize(whole);
	for (unsigned i = host_steps(20000); i > 0; i--) {
		uint8_t *copy = test_malloc(size);
		struct serial_port port;

		memcpy(copy, whole, size);
		for (unsigned n = 1 + (unsigned)host_below(&rng, 4); n > 0; n--)
			copy[host_below(&rng, size)] = (uint8_t)host_random(&rng);
		if (fdt_check_header(copy) == 0 && fdt_totalsize(copy) <= size)
			(void)!devicetree_find_serial(copy, NULL, &port);
		test_free(copy);
	}
}

/* --- Screens --------------------------------------------------------------------------------------------------------- */

static void add_screen(const char *name, const char *format, uint32_t width, uint32_t stride)
{
	int screen = add_node(fdt_path_offset(buffer, "/chosen"), name, "simple-framebuffer");

	SET_CELLS(screen, "reg", 0, 0x9d400000, 0, 0x800000);
	SET_CELLS(screen, "width", width);
	SET_CELLS(screen, "height", 800);
	SET_CELLS(screen, "stride", stride);
	set_string(screen, "format", format);
}

static void a_screen_is_what_its_node_says(void **state)
{
	struct framebuffer screen;

	(void)state;
	set_console("framebuffer0");
	SET_CELLS(fdt_path_offset(buffer, "/chosen"), "#address-cells", 2);
	SET_CELLS(fdt_path_offset(buffer, "/chosen"), "#size-cells", 2);
	check(fdt_setprop(buffer, fdt_path_offset(buffer, "/chosen"), "ranges", NULL, 0));
	CHECK_ERR(simple_framebuffer_find(buffer, &screen), ERR_NOT_FOUND);
	add_screen("a", "r5g6b5", 1080, 2160);
	CHECK_ERR(simple_framebuffer_find(buffer, &screen), ERR_UNSUPPORTED);
	add_screen("b", "a8r8g8b8", 1080, 1080 * 4 + 2);
	CHECK_ERR(simple_framebuffer_find(buffer, &screen), ERR_UNSUPPORTED);
	fdt_del_node(buffer, fdt_path_offset(buffer, "/chosen/b"));
	add_screen("c", "a8r8g8b8", 1080, 4352);
	CHECK_ERR(simple_framebuffer_find(buffer, &screen), ERR_OK);
	CHECK(screen.base.raw == 0x9d400000 && screen.size == 0x800000 && screen.width == 1080 && screen.height == 800 &&
		      screen.stride == 1088 && !screen.red_first,
	      "another screen");
	set_string(fdt_path_offset(buffer, "/chosen/c"), "status", "disabled");
	CHECK_ERR(simple_framebuffer_find(buffer, &screen), ERR_UNSUPPORTED);
	add_screen("d", "x8b8g8r8", 1080, 4352);
	CHECK_ERR(simple_framebuffer_find(buffer, &screen), ERR_OK);
	assert_true(screen.red_first);
	fdt_del_node(buffer, fdt_path_offset(buffer, "/chosen/a"));
	SET_CELLS(fdt_path_offset(buffer, "/chosen/d"), "width", 1089); /* more than a line has */
	CHECK_ERR(simple_framebuffer_find(buffer, &screen), ERR_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(qemu_arm),
		TEST(qemu_riscv),
		TEST(raspberry_pi_3),
		TEST(registers_lie_as_the_node_says),
		TEST(names_stand_for_layouts),
		TEST(registers_may_be_big_endian),
		TEST(buses_of_three_cells_translate),
		TEST(an_unnamed_port_is_guessed),
		TEST(buses_translate),
		TEST(a_screen_is_what_its_node_says),
		TEST(what_is_missing_is_missed),
		TEST(the_first_port_is_better_than_none),
		TEST(what_is_disabled_is_not_used),
		TEST(who_asks_may_refuse),
		TEST(reg_has_an_index),
		TEST(random_damage_does_no_harm),
	};

	return cmocka_run_group_tests_name("devicetree", tests, NULL, NULL);
}
