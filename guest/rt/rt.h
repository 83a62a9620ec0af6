/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime that a guest program stands on: the console, the hypercalls and the RAM it was promised, the same on
 * every ISA. A guest is one C file with a guest_main(); docs/guest-abi.md says what the runtime itself relies on.
 *
 * There is one vCPU, until the program starts others (guest/rt/smp.h), and no interrupt. Memory is mapped so that a pointer is the
 * guest-physical address. A guest that calls malloc, printf or the like is linked with newlib's; one that does not is smaller by
 * all of that.
 */
#ifndef NESTLING_GUEST_RT_H
#define NESTLING_GUEST_RT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/abi.h"

/* The program; what it returns is the run's exit status. */
int guest_main(void);

/* --- The hypervisor ----------------------------------------------------------------------------------------------- */

/* RT_CALL_EXIT, RT_MEMORY_RESIDENT, ...: include/abi.h lists them, with arguments and results. */
#define RT_CALL_ENUM(number, NAME, name) RT_CALL_##NAME = number,
enum rt_call { HYPERCALLS(RT_CALL_ENUM, RT_CALL_ENUM) };
#undef RT_CALL_ENUM

#define RT_MEMORY_ENUM(number, NAME) RT_MEMORY_##NAME = number,
enum rt_memory { MEMORY_INFOS(RT_MEMORY_ENUM) };
#undef RT_MEMORY_ENUM

#define RT_READ    1u
#define RT_WRITE   2u
#define RT_EXECUTE 4u

/* How memory comes when it is touched: README.md says when to use which. RT_POLICY_4K, ... */
#define RT_POLICY_ENUM(KIND, NAME, name) RT_POLICY_##NAME,
enum rt_policy { ALLOC_POLICY_LIST(RT_POLICY_ENUM) RT_POLICIES };
#undef RT_POLICY_ENUM
#define RT_POLICY_NAME(KIND, NAME, name) name,
/* Their names, in braces. */
#define RT_POLICY_NAMES                           \
	{                                         \
		ALLOC_POLICY_LIST(RT_POLICY_NAME) \
	}

/* What becomes of an access that PROTECT has forbidden: it ends the run, or is the guest's own exception. */
enum rt_fault_mode { RT_FAULT_END, RT_FAULT_INJECT };

enum rt_track {
	RT_TRACK_ACCESSED,    /* pages accessed since the last time */
	RT_TRACK_DIRTY,       /* pages written since the last time */
	RT_TRACK_DIRTY_EXACT, /* the same, and large leaves are split, so that what comes later is told page by page */
};

#define RT_TRACK_MAX (128ul << 20) /* bytes, of one RT_CALL_TRACK: its bitmap, a bit a page, fills a page */

#define RT_NOT_SUPPORTED HYPERCALL_NOT_SUPPORTED
#define RT_DENIED        HYPERCALL_DENIED
#define RT_INVALID       HYPERCALL_INVALID
#define RT_NO_MEMORY     HYPERCALL_NO_MEMORY

#define RT_CONSOLE_MAX 4096 /* longest RT_CALL_CONSOLE_WRITE */

uint64_t rt_hypercall(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t arg3);
uint64_t rt_memory_info(enum rt_memory what);
/* Write what waits in the line buffer and end the run. */
_Noreturn void rt_exit(uint64_t status);
/* Let others have the CPU first: of this VM or of another one. */
void rt_yield(void);
/* Wait until VM `number` of those that forked from the same first one (0: that one) has ended. 0, or RT_INVALID: there is none. */
uint64_t rt_vm_wait(uint64_t number);
/* A copy of this VM: its number, from 1 on; 0 in the copy; or an error, which rt_is_error tells from a number. */
uint64_t rt_fork(void);
bool rt_is_error(uint64_t result);
/* Who runs us, as the platform tells it; "" when it does not. */
const char *rt_hypervisor(void);

/* --- Output ------------------------------------------------------------------------------------------------------- */

/*
 * Print through a line buffer and the console hypercall. Understands %s %c %d %u %x and their l and z forms, %p and
 * %%; width, '0' and '-' too, but no precision.
 */
void rt_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void rt_vprintf(const char *fmt, va_list args);
/* What stdio holds back, of a guest that uses it. */
void rt_flush_stdio(void);
/* Write what waits in this vCPU's line buffer. */
void rt_flush_line(void);
/* The same as bytes. */
void rt_write(const char *bytes, size_t size);
/* Print one byte through the emulated UART. Not in order with an unfinished rt_printf line. */
void rt_putc(char c);
/* The first byte that was typed on the console and has not been read; -1: there is none. */
int rt_getc(void);

/* "1 GiB", "1.3 MiB", "640 KiB": the largest unit that leaves a number >= 1, and a digit behind the point below 100. */
struct rt_text {
	char text[24];
};
struct rt_text rt_size_text(uint64_t bytes);

/* --- Memory ------------------------------------------------------------------------------------------------------- */

#define RT_PAGE_SIZE  4096u
#define RT_RAM_RANGES 16

struct rt_range {
	uint64_t start, size; /* bytes; never empty */
};

struct rt_ranges {
	struct rt_range range[RT_RAM_RANGES]; /* ascending, apart */
	size_t count;
};

/* All RAM; and what of it nobody has written to yet: whole pages that hold neither boot data nor the program. */
extern struct rt_ranges rt_ram, rt_fresh;

/* The program's own memory, page-aligned, stack and zeroed data included. */
extern char rt_image_start[], rt_image_end[];

void *memset(void *to, int byte, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

/* --- Several vCPUs: guest/rt/smp.h -------------------------------------------------------------------------------- */

struct rt_line {
	char bytes[256];
	size_t used;
};

/* Has the program started another vCPU? Where this one's line is then; NULL as long as there is one vCPU, whose line is the first.
 */
extern bool rt_several;
extern struct rt_line *(*rt_line_own)(void);
extern struct rt_line rt_first_line;

/* Which vCPU this is. */
unsigned rt_cpu_id(void);

/* --- What each ISA offers, and what it is offered ----------------------------------------------------------------- */

/* Entered from entry.S, on the runtime's stack, with what the platform passes to a kernel. */
_Noreturn void rt_start(uintptr_t boot_data);

/* Learn from `boot_data` how to call the hypervisor and what RAM there is: rt_add_ram, rt_reserve. */
void rt_arch_init(uintptr_t boot_data);
void rt_add_ram(uint64_t start, uint64_t size);
/* [start, end) is in use: whole pages around it are not fresh. */
void rt_reserve(uint64_t start, uint64_t end);

/* Stop until an interrupt comes. None ever does. */
void rt_wait(void);

/* rt_cpu_id, once there are several. */
unsigned rt_arch_cpu_id(void);

#endif
