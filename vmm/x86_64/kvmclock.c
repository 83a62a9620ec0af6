/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock. The TSC counts evenly, so what a guest reads from its page is written once. */
#include "vmm/x86_64/kvmclock.h"

#include "include/arch/cpu.h"
#include "include/arch/virt.h"
#include "vmm/x86_64/virt_ops.h"

#define FEATURE_CLOCKSOURCE2       BIT(3)
#define FEATURE_CLOCKSOURCE_STABLE BIT(24) /* `flags` means something */

#define CLOCK_ENABLED BIT(0) /* of MSR_KVM_SYSTEM_TIME_NEW */
#define TSC_STABLE    1      /* of `flags`: the same on all vCPUs */

#define NANOSECONDS UINT64_C(1000000000)

/* Nanoseconds are system_time + ((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul / 2^32. An even version: it is whole. */
struct system_time {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags, pad1[2];
};
_Static_assert(sizeof(struct system_time) == 32, "the layout of the guest's page");

struct wall_clock {
	uint32_t version, seconds, nanoseconds;
};

struct cpuid_regs kvmclock_leaf(uint32_t leaf)
{
	if (leaf == KVM_LEAF) /* "KVMKVMKVM" */
		return (struct cpuid_regs){ .eax = KVM_LEAF_MAX, .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d };
	if (leaf == KVM_LEAF_MAX)
		return (struct cpuid_regs){ .eax = (uint32_t)(FEATURE_CLOCKSOURCE2 | FEATURE_CLOCKSOURCE_STABLE) };
	return (struct cpuid_regs){ 0 };
}

/* The largest factor below 2^32, and the shift that goes with it. */
static void set_rate(struct system_time *time, uint64_t hz)
{
	uint64_t dividend = NANOSECONDS;

	while (hz > dividend * 2 || hz >> 32) {
		hz >>= 1;
		time->tsc_shift--;
	}
	while (hz <= dividend) {
		hz <<= 1;
		time->tsc_shift++;
	}
	time->tsc_to_system_mul = (uint32_t)((dividend << 32) / hz);
}

static bool write_time(struct vcpu *vcpu, uint64_t page)
{
	struct system_time time = {
		.version = 2,
		.tsc_timestamp = vcpu->vm->arch.clock_start + virt->get(vcpu, FIELD_TSC_OFFSET),
		.flags = TSC_STABLE,
	};

	set_rate(&time, arch_clock_frequency());
	return addr_space_write(&vcpu->vm->as, GPA(page), &time, sizeof(time)) == ERR_OK;
}

bool kvmclock_write_system_time(struct vcpu *vcpu, uint64_t value)
{
	uint64_t page = value & ~CLOCK_ENABLED;

	if (value & CLOCK_ENABLED && (!vm_is_ram(vcpu->vm, GPA(page), sizeof(struct system_time)) || !write_time(vcpu, page)))
		return false;
	vcpu->arch.clock_page = value;
	return true;
}

void kvmclock_tsc_changed(struct vcpu *vcpu)
{
	if (vcpu->arch.clock_page & CLOCK_ENABLED)
		write_time(vcpu, vcpu->arch.clock_page & ~CLOCK_ENABLED);
}

/* We have no calendar: the clock began in 1970. */
bool kvmclock_write_wall_clock(struct vcpu *vcpu, uint64_t value)
{
	const struct wall_clock clock = { .version = 2 };

	if (!vm_is_ram(vcpu->vm, GPA(value), sizeof(clock)) ||
	    addr_space_write(&vcpu->vm->as, GPA(value), &clock, sizeof(clock)) != ERR_OK)
		return false;
	vcpu->arch.wall_clock = value;
	return true;
}
