/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial ports of AArch64 machines. */
#include "drivers/uart.h"

const struct uart_driver *const uart_drivers[] = {
	&uart_16550,  &uart_pl011, &uart_armada, &uart_cadence, &uart_geni, &uart_imx,
	&uart_lpuart, &uart_meson, &uart_msm,    &uart_samsung, &uart_scif, NULL,
};
