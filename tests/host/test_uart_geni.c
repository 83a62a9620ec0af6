/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Qualcomm's serial engine: a command names a number of bytes, and ends when so many have gone through the FIFO. Source of the
 * model: Linux, include/linux/soc/qcom/geni-se.h.
 */
#include "tests/host/uart_model.h"

#include "drivers/uart/geni.c"

#include "tests/host/host.h"

static unsigned packing = 4; /* bytes that a word of the receive FIFO has, as firmware has set it */
static uint32_t length;      /* of a command that has not begun */
static bool active, reading;

static uint32_t packing_register(unsigned first)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 2; i++)
		if (first + i + 1 == packing)
			value |= 1u << 10 * i;
	return value | 0xeu | 0x4eu << 10; /* eight bits each */
}

static uint32_t take_packed(void)
{
	uint32_t value = 0;

	CHECK(uart_line_has_input(), "a word is read where there is none");
	for (unsigned i = 0; i < packing && uart_line_has_input(); i++)
		value |= (uint32_t)uart_line_take() << 8 * i;
	return value;
}

/* Words, and of the last one how many bytes count. */
static uint32_t fifo_status(void)
{
	uint32_t waiting = (uint32_t)(uart_line.came - uart_line.taken), words = (waiting + packing - 1) / packing;

	if (!reading || waiting == 0)
		return 0;
	return words | 1u << 31 | (waiting % packing) << 28;
}

static uint32_t read_engine(uint32_t at)
{
	switch (at) {
	case 0x040:
		return (active || !uart_line_has_room()) | (reading ? 1u << 12 : 0);
	case 0x284:
		return packing_register(0);
	case 0x288:
		return packing_register(2);
	case 0x780:
		return take_packed();
	case 0x804:
		return fifo_status();
	}
	CHECK(false, "a read at %#x", at);
	return 0;
}

static void write_engine(uint32_t at, uint32_t value)
{
	switch (at) {
	case 0x270:
		length = value;
		break;
	case 0x600:
		CHECK(value == 1u << 27 && !active && length == 1, "command %#x for %u bytes", value, length);
		active = true;
		break;
	case 0x614:
	case 0x644:
		uart_line.control &= value | (at == 0x614 ? 0xf0u : 0x0f);
		break;
	case 0x618:
	case 0x648:
		break;
	case 0x630:
		CHECK_EQ(value, 1u << 27);
		reading = true;
		break;
	case 0x700:
		CHECK(active, "a byte without a command");
		uart_line_send(value);
		active = false;
		break;
	default:
		CHECK(false, "%#x is written to %#x", value, at);
	}
}

static void words_of_any_packing(void **state)
{
	const struct uart_model model = {
		.name = "qcom,geni-debug-uart", .width = 4, .control = 0xff, .quiet = 0, .read = read_engine, .write = write_engine
	};

	(void)state;
	for (packing = 1; packing <= 4; packing++) {
		active = reading = false;
		uart_model_check(&model);
		assert_true(reading);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words_of_any_packing) };

	return cmocka_run_group_tests_name("uart_geni", tests, NULL, NULL);
}
