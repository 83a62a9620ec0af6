/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeps until its UART interrupts it for what is typed, and has not halted meanwhile; ends with the first line. */
#include "guest/rt/irq.h"
#include "tests/guests/check.h"

#define UART_IER    ((volatile uint8_t *)0x10000001)
#define IER_RECEIVE 1

static char line[64];
static size_t length;
static unsigned interrupts;

static void taken(enum rt_irq irq)
{
	int byte;

	interrupts += irq == RT_IRQ_UART;
	while ((byte = rt_getc()) != -1)
		if (length < sizeof(line) - 1)
			line[length++] = (char)byte;
}

int guest_main(void)
{
	rt_irq_init(taken);
	rt_irq_uart();
	rt_irq_wait();
	CHECK(interrupts == 1 && length == 0);
	*UART_IER = IER_RECEIVE;
	rt_printf("listens: type a line> ");
	rt_flush_line();
	while (length == 0 || line[length - 1] != '\n')
		rt_irq_wait();
	line[length - 1] = '\0';
	rt_printf("\nlistens: heard \"%s\"\n", line);
	CHECK(interrupts > 1);
	return check_status("listens");
}
