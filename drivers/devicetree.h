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

/* The same, as the bus that the node is on has it. */
MUST_CHECK enum err devicetree_bus_reg(const void *fdt, int node, unsigned n, uint64_t *address, uint64_t *size);

/* May a node be used? Its `status`, and that of all buses above it, is "okay", "ok" or absent. */
bool devicetree_is_enabled(const void *fdt, int node);

/*
 * The first serial port that is there, enabled, has a driver and is `accepted` (NULL: all are): the one that /chosen names,
 * else that with the alias serial0. Errors, of the first that is named: ERR_NOT_FOUND (none is, or leads nowhere, or is
 * disabled), ERR_UNSUPPORTED (a kind of port that has no driver), ERR_DENIED (not accepted); otherwise as devicetree_reg.
 */
MUST_CHECK enum err devicetree_find_serial(const void *fdt, serial_filter accepted, struct serial_port *port);

/*
 * Where the tree names no port that can be used: the first one that is there and enabled, to which nothing is wired, and of which
 * it is known that its registers answer. Errors: ERR_NOT_FOUND.
 */
MUST_CHECK enum err devicetree_guess_serial(const void *fdt, serial_filter accepted, struct serial_port *port);

#endif
