/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control page: a page of registers by which whoever may map it, a program of an unmodified kernel for example, finds what its
 * VM costs and makes some of the calls of include/abi.h. docs/guest-abi.md has its layout for guest writers.
 */
#ifndef NESTLING_VMM_DEVICES_CONTROL_PAGE_H
#define NESTLING_VMM_DEVICES_CONTROL_PAGE_H

#include "include/types.h"
#include "vmm/devices/device.h"

/* Offsets of registers. All have 64 bits, and can be accessed whole or by aligned halves. */
enum {
	CONTROL_ID = 0x000,     /* low half: CONTROL_MAGIC; high half: CONTROL_VERSION */
	CONTROL_CALL = 0x008,   /* written whole, or its low half: make the call of this number. Its high half alone does nothing */
	CONTROL_RESULT = 0x010, /* of the last call that is done */
	CONTROL_ARGS = 0x020,   /* arguments of the next call, CONTROL_ARG_COUNT of them */
	CONTROL_FIGURES = 0x100,     /* MEMORY_INFO by number */
	CONTROL_FIGURES_KIB = 0x200, /* the same, in 1024s */
	CONTROL_SIZE = 0x1000,
};

#define CONTROL_MAGIC     0x4c54534e /* "NSTL" */
#define CONTROL_VERSION   1
#define CONTROL_ARG_COUNT 4

struct control_page {
	struct io_device device;
	uint64_t arg[CONTROL_ARG_COUNT];
	uint64_t call, result;

	/* What the VM behind it does. With the lock of the device's table; both NULL: it is not connected yet. */
	uint64_t (*figure)(struct control_page *page, unsigned vcpu, unsigned number);
	void (*make_call)(struct control_page *page, unsigned vcpu, uint64_t number);
};

void control_page_init(struct control_page *page, uint64_t base);

/* A call is done. Takes the lock of the device's table. */
void control_page_set_result(struct control_page *page, uint64_t result);

#endif
