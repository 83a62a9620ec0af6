/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of serial port drivers. */
#include "drivers/uart.h"

const struct uart_driver *const uart_drivers[] = { &uart_16550, &uart_pl011, NULL };
