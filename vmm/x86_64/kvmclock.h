/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock, which tells a guest how fast its TSC counts. Linux Documentation/virt/kvm/x86/msr.rst, cpuid.rst. */
#ifndef NESTLING_VMM_X86_64_KVMCLOCK_H
#define NESTLING_VMM_X86_64_KVMCLOCK_H

#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "vmm/vm.h"

/* In the steps of 0x100 in which guests look for it, behind our own leaves. */
#define KVM_LEAF     0x40000100
#define KVM_LEAF_MAX 0x40000101

#define MSR_KVM_WALL_CLOCK_NEW  0x4b564d00
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01

struct cpuid_regs kvmclock_leaf(uint32_t leaf);

/* Of the resident vCPU. False: #GP(0). */
bool kvmclock_write_wall_clock(struct vcpu *vcpu, uint64_t value);
bool kvmclock_write_system_time(struct vcpu *vcpu, uint64_t value);
/* The TSC's offset has changed. */
void kvmclock_tsc_changed(struct vcpu *vcpu);

#endif
