/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial ports of RISC-V machines. */
#include "drivers/uart.h"

const struct uart_driver *const uart_drivers[] = { &uart_16550, &uart_pl011, &uart_sifive, &uart_litex, &uart_scif, NULL };
