/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug registers of a guest. DR0 to DR3 are in no control block: they hold the guest's values all the time, since
 * the hypervisor sets no breakpoint. Intel SDM vol. 3 "Debug Registers"; AMD APM vol. 2 "Debug Registers".
 */
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/virt_ops.h"

#define read_dr(n)                                                        \
	({                                                                \
		uint64_t dr_value_;                                       \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(dr_value_)); \
		dr_value_;                                                \
	})
#define write_dr(n, value) __asm__ volatile("mov %0, %%dr" #n : : "r"((uint64_t)(value)))

/* Of breakpoint n in DR7. */
#define DR7_ENABLED(dr7, n) ((dr7) >> (2 * (n)) & 3)
#define DR7_RW(dr7, n)      ((dr7) >> (16 + 4 * (n)) & 3)
#define DR7_LEN(dr7, n)     ((dr7) >> (18 + 4 * (n)) & 3)
#define DR7_RW_IO           2

void debug_save(uint64_t dr[BREAKPOINTS])
{
	dr[0] = read_dr(0);
	dr[1] = read_dr(1);
	dr[2] = read_dr(2);
	dr[3] = read_dr(3);
}

void debug_load(const uint64_t dr[BREAKPOINTS])
{
	write_dr(0, dr[0]);
	write_dr(1, dr[1]);
	write_dr(2, dr[2]);
	write_dr(3, dr[3]);
}

uint64_t debug_io_hits(uint64_t dr7, const uint64_t dr[BREAKPOINTS], uint64_t port, unsigned size)
{
	static const uint8_t bytes[] = { 1, 2, 8, 4 }; /* by LEN */
	uint64_t hits = 0;

	for (unsigned n = 0; n < BREAKPOINTS; n++) {
		uint64_t length = bytes[DR7_LEN(dr7, n)], start = dr[n] & ~(length - 1);

		if (DR7_ENABLED(dr7, n) && DR7_RW(dr7, n) == DR7_RW_IO && start < port + size && port < start + length)
			hits |= BIT(n);
	}
	return hits;
}

uint64_t io_breakpoints(struct vcpu *vcpu, const struct io_access *io)
{
	uint64_t dr7 = virt->get(vcpu, FIELD_DR7), dr[BREAKPOINTS];

	/* Without CR4.DE such a breakpoint is undefined. */
	if (!(dr7 & DR7_ENABLE_ALL) || !(virt->get(vcpu, FIELD_CR4) & CR4_DE))
		return 0;
	debug_save(dr);
	return debug_io_hits(dr7, dr, io->addr, io->size);
}
