/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/fuzz/fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "drivers/uart.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* A check that fails ends the program, which is how libFuzzer learns of it. */
	return setenv("CMOCKA_TEST_ABORT", "1", 1);
}

void *fuzz_copy(const void *bytes, size_t size)
{
	void *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	return memcpy(copy, bytes, size);
}

uint8_t *fuzz_memory(uintptr_t address, size_t pages)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (address ? MAP_FIXED_NOREPLACE : 0);
	uint8_t *memory = mmap((void *)address, (pages + 1) * PAGE_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);

	assert_true(memory != MAP_FAILED);
	assert_int_equal(mprotect(memory + pages * PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	return memory;
}

void fuzz_check_reason(const char *why, size_t size)
{
	const char *end = memchr(why, '\0', size);

	CHECK(end && end > why, "no reason, or one without end");
	for (; why < end; why++)
		CHECK(*why >= ' ' || *why == '\t' || *why == '\r', "a byte %#x in the reason", (unsigned char)*why);
}

void fuzz_check_port(const struct serial_port *port)
{
	const struct uart_driver *const *driver = uart_drivers;

	while (*driver && *driver != port->driver)
		driver++;
	CHECK(*driver, "a driver that there is not");
	CHECK(port->size > 0 && port->size <= MIB(1), "%#jx bytes of registers", (uintmax_t)port->size);
	if (port->driver != &uart_16550)
		return;
	CHECK(port->width == 1 || port->width == 2 || port->width == 4, "width %u", port->width);
	CHECK(port->by_io_port || (port->shift <= 2 && port->width <= 1 << port->shift), "shift %u, width %u", port->shift,
	      port->width);
	CHECK(port->size >= UINT64_C(8) << port->shift, "%#jx bytes of registers", (uintmax_t)port->size);
}
