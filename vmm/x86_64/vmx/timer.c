/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMX-preemption timer, behind the interrupts that end a guest. An interrupt of the machine ends a guest whatever its IF (Intel
 * SDM vol. 3 "External-interrupt exiting"). Bochs masks what is pending when it enters a guest with IF clear, until the guest
 * executes CLI or STI. Such a CPU is found out when the timer expires after an interrupt was due, or the guest is entered twice
 * after that. From then on guests are looked after at short intervals, and what is pending before an entry ends the guest right
 * after it, by this timer. The first step of an exit enters without a look: the timer counts in the guest only, and from where it
 * stopped, so a guest that causes no other exits is looked after, too.
 */
#include "drivers/x86_64/apic.h"
#include "include/arch/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "vmm/x86_64/vmx/vmx.h"

/* Times a second that a guest is looked after: shoot-downs wait for it where there are other CPUs. */
#define LOOKS_ALONE   250
#define LOOKS         4000
/* Longer than any slice (boot/config.c): a CPU that takes interrupts is not as long without one. */
#define QUIET_SECONDS 2

bool vmx_deaf; /* atomic, once true it stays so */

static void set_timer(uint64_t ticks)
{
	vmwrite_known(PREEMPTION_TIMER_VALUE, min_u64((ticks >> vmx_caps.timer_bit) + 1, UINT32_MAX));
}

static uint64_t interval(void)
{
	if (!__atomic_load_n(&vmx_deaf, __ATOMIC_RELAXED))
		return arch_clock_frequency() * QUIET_SECONDS;
	return arch_clock_frequency() / (cpu_count > 1 ? LOOKS : LOOKS_ALONE);
}

/*
 * An interrupt is due at the end of the slice, and has not come although the guest has been entered since: by one that leaves too
 * often for the timer to expire.
 */
static bool is_overdue(struct vmx_vcpu *vmx, uint64_t now, uint64_t end)
{
	bool late = now > end + arch_clock_frequency() / LOOKS, before = late && vmx->late == end;

	vmx->late = late ? end : 0;
	return before;
}

void vmx_timer_start(struct vcpu *vcpu)
{
	uint64_t now = rdtsc(), end = arch_this_cpu()->slice_end;

	if (!(vmx_caps.pin & PIN_PREEMPTION_TIMER))
		return;
	if (is_overdue(&vcpu->arch.vmx, now, end))
		__atomic_store_n(&vmx_deaf, true, __ATOMIC_RELAXED);
	if (__atomic_load_n(&vmx_deaf, __ATOMIC_RELAXED))
		set_timer(interval());
	else
		set_timer((end > now ? end - now : 0) + arch_clock_frequency() / LOOKS);
}

/* With 0 no instruction is executed. SDM vol. 3 "VMX-Preemption Timer" of "VM Entries". */
void vmx_look_before_entry(void)
{
	if (apic_has_request())
		vmwrite_known(PREEMPTION_TIMER_VALUE, 0);
}

void vmx_timer_expired(void)
{
	__atomic_store_n(&vmx_deaf, true, __ATOMIC_RELAXED);
	set_timer(interval());
}

void vmx_interrupted(void)
{
	if (vmx_caps.pin & PIN_PREEMPTION_TIMER)
		set_timer(interval());
}
