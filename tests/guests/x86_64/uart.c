/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at the emulated UART as a driver would: National Semiconductor PC16550D, "Registers". */
#include "tests/guests/check.h"

#define UART 0x3f8

enum { THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

static uint8_t get(unsigned reg)
{
	uint8_t value;

	__asm__ volatile("inb %w1, %0" : "=a"(value) : "d"(UART + reg));
	return value;
}

static void set(unsigned reg, uint8_t value)
{
	__asm__ volatile("outb %0, %w1" : : "a"(value), "d"(UART + reg));
}

static void check_latch(void)
{
	set(LCR, 0x83); /* DLAB: registers 0 and 1 are the divisor */
	set(DLL, 'D');
	set(DLM, 0x12);
	CHECK(get(DLL) == 'D' && get(DLM) == 0x12);
	set(LCR, 0x03);
	CHECK(get(LCR) == 0x03);
	CHECK(get(IER) == 0);
}

/* The usual way to see whether there is a UART, by Linux' 8250 driver and others: what is sent comes back, and so do the lines. */
static void check_loop(void)
{
	set(LCR, 0x03);
	set(FCR, 0xc7);
	set(MCR, 0x1e);
	set(THR, '!');
	CHECK(get(LSR) == 0x61);
	CHECK(get(THR) == '!');
	CHECK(get(LSR) == 0x60);
	set(MCR, 0x1a);
	CHECK((get(MSR) & 0xf0) == 0x90);
	set(MCR, 0x0b);
	CHECK((get(MSR) & 0xf0) == 0xb0);
	set(FCR, 0x00);
}

int guest_main(void)
{
	check_loop();
	CHECK((get(LSR) & 0x60) == 0x60); /* empty */
	CHECK((get(LSR) & 0x01) == 0);    /* nothing received */
	CHECK((get(IIR) & 0x0f) == 0x01); /* no interrupt */
	set(SCR, 0x5a);
	CHECK(get(SCR) == 0x5a);
	set(SCR, 0xa5);
	CHECK(get(SCR) == 0xa5);
	check_latch();
	set(FCR, 0x01);
	CHECK((get(IIR) & 0xc0) == 0xc0); /* FIFOs on */
	set(MCR, 0x0b);
	CHECK((get(MCR) & 0x1f) == 0x0b);
	set(IER, 0x00);
	for (const char *text = "uart: a line of its own\n"; *text; text++) {
		while (!(get(LSR) & 0x20))
			;
		set(THR, (uint8_t)*text);
	}
	return check_status("uart");
}
