/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor reads in a machine's device tree. Source: Devicetree Specification 0.4. */
#ifndef NESTLING_DRIVERS_DEVICETREE_H
#define NESTLING_DRIVERS_DEVICETREE_H

#include "drivers/serial.h"
#include "include/err.h"
#include "include/types.h"

/*
 * The n-th address range of a node's `reg`, as the CPU sees it: translated by the `ranges` of all buses above the node.
 * Errors: ERR_NOT_FOUND (no such range), ERR_CORRUPT (malformed), ERR_RANGE (the CPU does not see it).
 */
MUST_CHECK enum err devicetree_reg(const void *fdt, int node, unsigned n, uint64_t *address, uint64_t *size);

/*
 * The serial port that /chosen names. Errors: ERR_NOT_FOUND; ERR_UNSUPPORTED for a kind of port that has no driver;
 * otherwise as devicetree_reg.
 */
MUST_CHECK enum err devicetree_find_serial(const void *fdt, struct serial_port *port);

#endif
