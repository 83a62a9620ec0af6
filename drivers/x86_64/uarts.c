/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial ports of PCs. */
#include "drivers/uart.h"

const struct uart_driver *const uart_drivers[] = { &uart_16550, NULL };
