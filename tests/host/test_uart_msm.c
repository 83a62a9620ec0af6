/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Qualcomm's UARTDM: bytes are announced by number, four make a word of the receive FIFO, and fewer than that come when they are
 * called stale. Source of the model: Snapdragon 410E Technical Reference Manual, 6.2.5.
 */
#include "tests/host/uart_model.h"

#include "drivers/uart/msm.c"

#include "tests/host/host.h"

static uint32_t announced;
static bool stale, open; /* the rest has been called stale; bytes may come */
static bool old;         /* before version 1.4 */

static size_t waiting(void)
{
	return uart_line.came - uart_line.taken;
}

static uint32_t take_packed(void)
{
	uint32_t value = 0;

	CHECK(waiting() >= 4 || (stale && waiting() > 0), "a word is read that has %zu bytes", waiting());
	stale = stale && waiting() > 4;
	for (unsigned i = 0; i < 4 && uart_line_has_input(); i++)
		value |= (uint32_t)uart_line_take() << 8 * i;
	return value;
}

static uint32_t read_uart(uint32_t at)
{
	switch (at) {
	case 0x40:
		return announced;
	case 0x50:
		return (uint32_t)(waiting() % 4) << 7 | (uint32_t)(waiting() / 4);
	case 0xa4:
		return (open && waiting() >= 4) | 4u | (uart_line_has_room() ? 8u : 0);
	case 0xb4:
		return 0;
	}
	CHECK(at == (old ? 0x70 : 0x140), "a read at %#x", at);
	return take_packed();
}

static void command(uint32_t value)
{
	CHECK(value == 0x80 || value == 0x300 || value == 0x400 || value == 0x500, "command %#x", value);
	stale = stale || value == 0x400;
	open = open || value == 0x500;
}

static void write_uart(uint32_t at, uint32_t value)
{
	switch (at) {
	case 0x34:
		CHECK_EQ(value, 0xffffff);
		break;
	case 0x40:
		announced = value;
		break;
	case 0xa8:
		command(value);
		break;
	case 0xb0:
		uart_line.control = value;
		break;
	default:
		CHECK(at == (old ? 0x70 : 0x100), "%#x is written to %#x", value, at);
		CHECK_EQ(announced, 1);
		announced = 0;
		uart_line_send(value);
	}
}

static void both_versions(void **state)
{
	static const char *const names[] = { "qcom,msm-uartdm-v1.4", "qcom,msm-uartdm" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct uart_model model = {
			.name = names[i], .width = 4, .control = 0x99, .read = read_uart, .write = write_uart
		};

		old = i == 1;
		stale = open = false;
		uart_model_check(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(both_versions) };

	return cmocka_run_group_tests_name("uart_msm", tests, NULL, NULL);
}
