/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serial ports that a layout of registers describes, each against a model of what its manual says of the registers: what is read,
 * what a read or a write does, how wide accesses may be.
 */
#include "tests/host/uart_model.h"

#include "drivers/uart_layout.c"

#include "tests/host/host.h"

/* Registers that nobody has to read or write. */
static uint32_t bad_read(uint32_t at)
{
	CHECK(false, "a read at %#x", at);
	return 0;
}

static void bad_write(uint32_t at, uint32_t value)
{
	CHECK(false, "%#x is written to %#x", value, at);
}

/* --- PL011. ARM DDI 0183, 3.3.1 "UARTDR", 3.3.3 "UARTFR", 3.3.10 "UARTIMSC" --- */

static uint32_t pl011_read(uint32_t at)
{
	switch (at) {
	case 0x00:
		return 0x400u | uart_line_take(); /* with a break error */
	case 0x18:
		return (uart_line_has_input() ? 0 : 1u << 4) | (uart_line_has_room() ? 0 : 1u << 5) | 0x80;
	}
	return bad_read(at);
}

static void pl011_write(uint32_t at, uint32_t value)
{
	if (at == 0x00)
		uart_line_send(value);
	else if (at == 0x38)
		uart_line.control = value;
	else
		bad_write(at, value);
}

/* --- i.MX 8M Mini Reference Manual, 16.2.8: URXD, UTXD, UCR1, USR2, UTS. UCR1: UARTEN is bit 0 --- */

static uint32_t imx_read(uint32_t at)
{
	switch (at) {
	case 0x00:
		return 1u << 15 | 1u << 12 | uart_line_take(); /* CHARRDY, FRMERR */
	case 0x80:
		return uart_line.control;
	case 0x98:
		return 0x4000u | uart_line_has_input();
	case 0xb4:
		return uart_line_has_room() ? 0x60 : 0x10;
	}
	return bad_read(at);
}

static void imx_write(uint32_t at, uint32_t value)
{
	if (at == 0x40)
		uart_line_send(value);
	else if (at == 0x80)
		uart_line.control = value;
	else
		bad_write(at, value);
}

/* --- i.MX 8ULP Reference Manual, "LPUART register descriptions": STAT, CTRL, DATA; TE and RE are bits 19 and 18 of CTRL --- */

static uint32_t lpuart_base;

static uint32_t lpuart_read(uint32_t at)
{
	switch (at - lpuart_base) {
	case 0x04:
		return (uart_line_has_room() ? 1u << 23 : 0) | (uart_line_has_input() ? 1u << 21 : 0) | 1u << 30;
	case 0x08:
		return uart_line.control;
	case 0x0c:
		return 1u << 13 | uart_line_take(); /* "frame error" */
	}
	return bad_read(at);
}

static void lpuart_write(uint32_t at, uint32_t value)
{
	if (at - lpuart_base == 0x08)
		uart_line.control = value;
	else if (at - lpuart_base == 0x0c)
		uart_line_send(value);
	else
		bad_write(at, value);
}

/* --- VF6xx Reference Manual, "UART memory map": C2 (TE, RE are bits 3 and 2), S1, D --- */

static uint32_t vybrid_read(uint32_t at)
{
	switch (at) {
	case 0x03:
		return uart_line.control;
	case 0x04:
		return (uart_line_has_room() ? 0x80u : 0) | (uart_line_has_input() ? 0x20 : 0) | 0x40;
	case 0x07:
		return uart_line_take();
	}
	return bad_read(at);
}

static void vybrid_write(uint32_t at, uint32_t value)
{
	if (at == 0x03)
		uart_line.control = value;
	else if (at == 0x07)
		uart_line_send(value);
	else
		bad_write(at, value);
}

/* --- Amlogic S905 Datasheet, 45.3: WFIFO, RFIFO, CONTROL (TX and RX enabled by bits 12 and 13), STATUS --- */

static uint32_t meson_read(uint32_t at)
{
	switch (at) {
	case 0x04:
		return uart_line_take();
	case 0x08:
		return uart_line.control;
	case 0x0c:
		return (uart_line_has_room() ? 0 : 1u << 21) | (uart_line_has_input() ? 0 : 1u << 20) | 1u << 25;
	}
	return bad_read(at);
}

static void meson_write(uint32_t at, uint32_t value)
{
	if (at == 0x00)
		uart_line_send(value);
	else if (at == 0x08)
		uart_line.control = value;
	else
		bad_write(at, value);
}

/* --- UG1087, "UART Module": Intrpt_dis, where ones count, Channel_sts, TX_RX_FIFO --- */

static uint32_t cadence_read(uint32_t at)
{
	if (at == 0x2c)
		return (uart_line_has_room() ? 0 : 1u << 4) | (uart_line_has_input() ? 0 : 1u << 1) | 1u << 11;
	return at == 0x30 ? uart_line_take() : bad_read(at);
}

static void cadence_write(uint32_t at, uint32_t value)
{
	if (at == 0x0c)
		uart_line.control &= ~value;
	else if (at == 0x30)
		uart_line_send(value);
	else
		bad_write(at, value);
}

/* --- 88F3720 Functional Specification, "UART1": receiver buffer, transmitter holding, control, status --- */

static uint32_t armada_read(uint32_t at)
{
	switch (at) {
	case 0x00:
		return 1u << 14 | uart_line_take();
	case 0x08:
		return uart_line.control;
	case 0x0c:
		return (uart_line_has_room() ? 0 : 1u << 11) | (uart_line_has_input() ? 1u << 4 : 1u << 12);
	}
	return bad_read(at);
}

static void armada_write(uint32_t at, uint32_t value)
{
	if (at == 0x04)
		uart_line_send(value);
	else if (at == 0x08)
		uart_line.control = value;
	else
		bad_write(at, value);
}

/* --- The same, "UART2", whose enables of receiver and transmitter interrupts are in a second control register --- */

static uint32_t armada_ext_read(uint32_t at)
{
	switch (at) {
	case 0x08:
		return uart_line.control & 0xffff;
	case 0x0c:
		return (uart_line_has_room() ? 0 : 1u << 11) | (uart_line_has_input() ? 1u << 14 : 1u << 12);
	case 0x18:
		return 1u << 14 | uart_line_take();
	case 0x20:
		return uart_line.control >> 16;
	}
	return bad_read(at);
}

static void armada_ext_write(uint32_t at, uint32_t value)
{
	if (at == 0x1c)
		uart_line_send(value);
	else if (at == 0x08)
		uart_line.control = (uart_line.control & 0xffff0000u) | value;
	else if (at == 0x20)
		uart_line.control = (uart_line.control & 0xffff) | value << 16;
	else
		bad_write(at, value);
}

/* --- FU540-C000 Manual, 13.4 to 13.9: txdata, rxdata, of which a read takes the byte, ie --- */

static uint32_t sifive_read(uint32_t at)
{
	if (at == 0x00)
		return uart_line_has_room() ? 0 : 1u << 31;
	if (at != 0x04)
		return bad_read(at);
	return uart_line_has_input() ? uart_line_take() : 1u << 31;
}

static void sifive_write(uint32_t at, uint32_t value)
{
	if (at == 0x00)
		uart_line_send(value);
	else if (at == 0x10)
		uart_line.control = value;
	else
		bad_write(at, value);
}

/* --- LiteX, cores/uart.py: the byte stays in RXTX until its event is cleared by a one --- */

static uint32_t litex_read(uint32_t at)
{
	switch (at) {
	case 0x00:
		assert_true(uart_line_has_input());
		return uart_line.typed[uart_line.taken];
	case 0x04:
		return !uart_line_has_room();
	case 0x08:
		return !uart_line_has_input();
	}
	return bad_read(at);
}

static void litex_write(uint32_t at, uint32_t value)
{
	if (at == 0x00)
		uart_line_send(value);
	else if (at == 0x10 && (value & 2))
		(void)uart_line_take();
	else if (at == 0x14)
		uart_line.control = value;
	else
		bad_write(at, value);
}

/* --- Exynos 5250 User's Manual, 28.6: UFCON (FIFO enable), UFSTAT (counts, full), UTXH, URXH, UINTM (ones mask) --- */

static uint32_t exynos_read(uint32_t at)
{
	size_t waiting = uart_line.came - uart_line.taken;

	switch (at) {
	case 0x08:
		return uart_line.control >> 8;
	case 0x18: /* a full FIFO counts as none */
		return (uart_line_has_room() ? 0 : 1u << 24) | (uint32_t)(waiting > 6 ? 1u << 8 : waiting);
	case 0x24:
		return uart_line_take();
	case 0x38:
		return uart_line.control & 0xff;
	}
	return bad_read(at);
}

static void exynos_write(uint32_t at, uint32_t value)
{
	if (at == 0x08)
		uart_line.control = (uart_line.control & 0xff) | value << 8;
	else if (at == 0x20)
		uart_line_send(value);
	else if (at == 0x38)
		uart_line.control = (uart_line.control & 0xff00) | value;
	else
		bad_write(at, value);
}

/* --- m1n1, src/uart_regs.h: UCON, UTRSTAT, UTXH, URXH --- */

static uint32_t apple_read(uint32_t at)
{
	switch (at) {
	case 0x04:
		return uart_line.control;
	case 0x10:
		return (uart_line_has_room() ? 2u : 0) | (uart_line_has_input() ? 1 : 0);
	case 0x24:
		return uart_line_take();
	}
	return bad_read(at);
}

static void apple_write(uint32_t at, uint32_t value)
{
	if (at == 0x04)
		uart_line.control = value;
	else if (at == 0x20)
		uart_line_send(value);
	else
		bad_write(at, value);
}

/*
 * --- R-Car Series, 3rd Generation, chapter 52: SCSCR (TE and RE are bits 5 and 4), SCFTDR, SCFSR, SCFRDR, SCFDR. Of SCFSR, TDFE
 * stays set for a device that does not clear it, whether there is room or not ---
 */

static const uint8_t scif_rcar[] = { 0x08, 0x0c, 0x10, 0x14, 0x1c }, scif_rz[] = { 0x04, 0x06, 0x08, 0x0a, 0x0e };
static const uint8_t *scif_at;
static bool scif_uncleared;

static uint32_t scif_read(uint32_t at)
{
	if (at == scif_at[0])
		return uart_line.control;
	if (at == scif_at[2])
		return (scif_uncleared || uart_line_has_room() ? 0x60u : 0) | (uart_line_has_input() ? 3 : 0);
	if (at == scif_at[3])
		return uart_line_take();
	return at == scif_at[4] ? (uint32_t)(uart_line.came - uart_line.taken) | 0x100u : bad_read(at);
}

static void scif_write(uint32_t at, uint32_t value)
{
	if (at == scif_at[0])
		uart_line.control = value;
	else if (at == scif_at[1]) {
		uart_line_send(value);
		scif_uncleared = true;
	} else if (at == scif_at[2])
		scif_uncleared = scif_uncleared && (value & 0x20);
	else
		bad_write(at, value);
}

static bool scif_is_data(uint32_t at)
{
	return at == scif_at[1] || at == scif_at[3];
}

/* --------------------------------------------------------------------------------------------------------------------- */

static void every_device_sends_and_takes(void **state)
{
	static const struct uart_model models[] = {
		{ "arm,pl011", 4, .control = 0x7ff, .read = pl011_read, .write = pl011_write },
		{ "arm,sbsa-uart", 4, .control = 0x50, .read = pl011_read, .write = pl011_write },
		{ "fsl,imx6q-uart", 4, .control = 0x336d, .quiet = 1, .read = imx_read, .write = imx_write },
		{ "fsl,vf610-lpuart", 1, .control = 0xfc, .quiet = 0x0c, .read = vybrid_read, .write = vybrid_write },
		{ "amlogic,meson-gx-uart", 4, .control = 0x18003000, .quiet = 0x3000, .read = meson_read, .write = meson_write },
		{ "cdns,uart-r1p12", 4, .control = 0x1fff, .read = cadence_read, .write = cadence_write },
		{ "marvell,armada-3700-uart", 4, .control = 0x23ff, .quiet = 0x2200, .read = armada_read, .write = armada_write },
		{ "marvell,armada-3700-uart-ext", 4, .control = 0x006121ff, .quiet = 0x00012000, .read = armada_ext_read,
		  .write = armada_ext_write },
		{ "sifive,uart0", 4, .control = 3, .read = sifive_read, .write = sifive_write },
		{ "litex,liteuart", 4, .control = 3, .read = litex_read, .write = litex_write },
		{ "samsung,exynos4210-uart", 4, .control = 0x0000, .quiet = 0x010f, .read = exynos_read, .write = exynos_write },
		{ "samsung,exynos850-uart", 4, .control = 0x1103, .quiet = 0x110f, .read = exynos_read, .write = exynos_write },
		{ "apple,s5l-uart", 4, .control = 0x3e85, .quiet = 0x0485, .read = apple_read, .write = apple_write },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(models); i++)
		uart_model_check(&models[i]);
}

static void lpuarts_differ_in_place_and_order(void **state)
{
	static const struct {
		const char *name;
		uint32_t base;
		bool big_endian;
	} cases[] = {
		{ "fsl,imx7ulp-lpuart", 0x10, false },
		{ "fsl,imx8qxp-lpuart", 0x10, false },
		{ "fsl,ls1028a-lpuart", 0, false },
		{ "fsl,ls1021a-lpuart", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct uart_model model = { cases[i].name, 4,   0, cases[i].big_endian, 0xfc0000, 0x0c0000, lpuart_read,
						  lpuart_write,  NULL };

		lpuart_base = cases[i].base;
		uart_model_check(&model);
	}
}

static void scif(void **state)
{
	const struct uart_model rcar = { "renesas,rcar-gen3-scif", 2, 1, false, 0xf8, 0x30, scif_read, scif_write, scif_is_data };
	const struct uart_model rz = { "renesas,scif-r9a07g044", 2, 1, false, 0xf8, 0x30, scif_read, scif_write, scif_is_data };

	(void)state;
	scif_at = scif_rcar;
	scif_uncleared = false;
	uart_model_check(&rcar);
	scif_at = scif_rz;
	scif_uncleared = false;
	uart_model_check(&rz);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_device_sends_and_takes),
		cmocka_unit_test(lpuarts_differ_in_place_and_order),
		cmocka_unit_test(scif),
	};

	return cmocka_run_group_tests_name("uarts", tests, NULL, NULL);
}
