/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime that a guest program stands on: the console, the hypercalls and the RAM it was promised, the same on
 * every ISA. A guest is one C file with a guest_main(); docs/guest-abi.md says what the runtime itself relies on.
 *
 * There is one CPU and no interrupt. Memory is mapped so that a pointer is the guest-physical address. A guest that calls
 * malloc, printf or the like is linked with newlib's; one that does not is smaller by all of that.
 */
#ifndef NESTLING_GUEST_RT_H
#define NESTLING_GUEST_RT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The program; what it returns is the run's exit status. */
int guest_main(void);

/* --- The hypervisor ----------------------------------------------------------------------------------------------- */

enum rt_call {
	RT_CALL_VERSION = 0,       /* () -> version of the hypercall interface */
	RT_CALL_EXIT = 1,          /* (status) -> never returns */
	RT_CALL_CONSOLE_WRITE = 2, /* (address, bytes) -> bytes written */
	RT_CALL_MEMORY_INFO = 3,   /* (enum rt_memory) -> value */
	RT_CALL_DISCARD = 4,       /* (address, bytes) -> 0; the range reads as zeros from then on */
	RT_CALL_PROTECT = 5,       /* (address, bytes, RT_READ | RT_WRITE | RT_EXECUTE) -> 0 */
	RT_CALL_SET_POLICY = 6,    /* (address, bytes, enum rt_policy) -> 0 */
	RT_CALL_FORK = 7,          /* () -> 0 in the child, its number (1, 2, ...) in the parent */
	RT_CALL_FAULT_MODE = 8,    /* (enum rt_fault_mode) -> the mode before */
	RT_CALL_TRACK = 9,         /* (address, bytes, enum rt_track, address of a bitmap or ~0) -> pages */
};

enum rt_memory {
	RT_MEMORY_PROMISED = 0, /* bytes of RAM promised to the guest */
	RT_MEMORY_RESIDENT = 1, /* bytes of host memory behind them now */
	RT_MEMORY_TABLES = 2,   /* bytes of nested page tables now */
	RT_MEMORY_FAULTS = 3,   /* faults served so far */
	RT_MEMORY_PEAK = 4,     /* the most that RESIDENT ever was */
	RT_MEMORY_SHARED = 5,   /* bytes mapped that belong to another VM since a fork */
	RT_MEMORY_ZERO = 6,     /* bytes that the shared zero frames stand for now */
	RT_MEMORY_EXITS = 7,    /* exits by nested faults so far */
	RT_MEMORY_FLUSHES = 8,  /* flush instructions so far */
	RT_MEMORY_HOST_FREE = 9, /* bytes of host memory that are free */
	RT_MEMORY_LARGE = 10,   /* bytes mapped by 2 MiB and 1 GiB leaves */
	RT_MEMORY_RECLAIMED = 11, /* bytes taken back for want of host memory so far */
};

#define RT_READ    1u
#define RT_WRITE   2u
#define RT_EXECUTE 4u

/* How memory comes when it is touched: README.md says when to use which. */
enum rt_policy { RT_POLICY_4K, RT_POLICY_64K, RT_POLICY_2M, RT_POLICY_AUTO, RT_POLICY_POPULATE, RT_POLICIES };

/* What becomes of an access that PROTECT has forbidden: it ends the run, or is the guest's own exception. */
enum rt_fault_mode { RT_FAULT_END, RT_FAULT_INJECT };

enum rt_track {
	RT_TRACK_ACCESSED,    /* pages accessed since the last time */
	RT_TRACK_DIRTY,       /* pages written since the last time */
	RT_TRACK_DIRTY_EXACT, /* the same, and large leaves are split, so that what comes later is told page by page */
};

#define RT_TRACK_MAX (128ul << 20) /* bytes, of one RT_CALL_TRACK: its bitmap, a bit a page, fills a page */

#define RT_NOT_SUPPORTED ((uint64_t)-1)
#define RT_DENIED        ((uint64_t)-2)
#define RT_INVALID       ((uint64_t)-3)
#define RT_NO_MEMORY     ((uint64_t)-4)

#define RT_CONSOLE_MAX 4096 /* longest RT_CALL_CONSOLE_WRITE */

uint64_t rt_hypercall(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t arg3);
uint64_t rt_memory_info(enum rt_memory what);
/* Write what waits in the line buffer and end the run. */
_Noreturn void rt_exit(uint64_t status);
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
/* The same as bytes. */
void rt_write(const char *bytes, size_t size);
/* Print one byte through the emulated UART. Not in order with an unfinished rt_printf line. */
void rt_putc(char c);

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

#endif
