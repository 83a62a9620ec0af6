/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial port's registers as its manual has them, and what every driver must do with them. A test includes this before the
 * driver, whose accesses to device registers then come here.
 */
#ifndef NESTLING_TESTS_UART_MODEL_H
#define NESTLING_TESTS_UART_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The line's other end, and how long the device has no room. */
struct uart_line {
	uint8_t sent[64];
	size_t count;
	uint8_t typed[16];
	size_t came, taken;
	unsigned busy;    /* so often the status says that there is no room; UINT32_MAX: always */
	uint32_t control; /* the model's own: what it has for interrupts and the like */
};

extern struct uart_line uart_line;

struct uart_model {
	const char *name;
	uint8_t width, data_width; /* bytes of the accesses that registers take, and data registers */
	bool big_endian;
	uint32_t control, quiet; /* uart_line.control as firmware left it, and as the driver must leave it */
	uint32_t (*read)(uint32_t at);
	void (*write)(uint32_t at, uint32_t value);
	bool (*is_data)(uint32_t at);
};

/* For models. Is there room, now? Each time it is asked counts. */
bool uart_line_has_room(void);
/* A byte has been written; there must have been room. */
void uart_line_send(uint32_t byte);
bool uart_line_has_input(void);
/* The next byte that was typed; there must be one. */
uint8_t uart_line_take(void);

/* A port with this name, found in a device tree, by the driver for it: output, input, no interrupts, a device that never answers.
 */
void uart_model_check(const struct uart_model *model);

uint32_t model_read(uint64_t address, unsigned width);
void model_write(uint64_t address, unsigned width, uint32_t value);

/* Instead of include/mmio.h. */
#define NESTLING_MMIO_H

static inline uint8_t mmio_read8(uint64_t address)
{
	return (uint8_t)model_read(address, 1);
}

static inline uint16_t mmio_read16(uint64_t address)
{
	return (uint16_t)model_read(address, 2);
}

static inline uint32_t mmio_read32(uint64_t address)
{
	return model_read(address, 4);
}

static inline void mmio_write8(uint64_t address, uint8_t value)
{
	model_write(address, 1, value);
}

static inline void mmio_write16(uint64_t address, uint16_t value)
{
	model_write(address, 2, value);
}

static inline void mmio_write32(uint64_t address, uint32_t value)
{
	model_write(address, 4, value);
}

#endif
