/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM and its vCPU are made of on AArch64; embedded by value in struct vm and struct vcpu. */
#ifndef NESTLING_VMM_AARCH64_ARCH_VM_H
#define NESTLING_VMM_AARCH64_ARCH_VM_H

#include <stdbool.h>

#include "include/types.h"
#include "vmm/aarch64/vmid.h"
#include "vmm/devices/vgicv2.h"
#include "vmm/devices/vgicv3.h"
#include "vmm/devices/vpl011.h"

/* docs/guest-abi.md */
#define GUEST_CONTROL_PAGE UINT64_C(0x09100000)
#define GUEST_PANIC_SPACE  IO_MEMORY
#define GUEST_PANIC_BASE   UINT64_C(0x09101000)
#define GUEST_PANIC_SIZE   UINT64_C(0x1000)

/* The id of the generation, for a kernel: in RAM that it is told to leave alone. vmm/generation.h */
#define GUEST_GENERATION_PAGE UINT64_C(0x40010000)
#define GUEST_GENERATION_LINE 40 /* interrupt id: SPI 8 */

/* virtio devices: one after the other, each with a line of its own. Where QEMU's "virt" has them. */
#define GUEST_VIRTIO_BASE UINT64_C(0x0a000000)
#define GUEST_VIRTIO_STEP 0x200
#define GUEST_VIRTIO_LINE 48 /* interrupt id: SPI 16 */

struct vm_arch {
	struct vpl011 console;   /* the serial port it finds */
	union {                  /* its interrupt controller: see interrupts.c */
		struct vgic gic; /* of either */
		struct vgicv2 gicv2;
		struct vgicv3 gicv3;
	};
	uint64_t vtcr; /* VTCR_EL2 */
	struct vmid vmid;
	/* Of each CPU, its vCPU that was there last, id + 1; 0: none was. Written by that CPU. */
	uint8_t last[CPU_MAX];
	unsigned pa_range; /* of the guest's physical addresses, as ID_AA64MMFR0_EL1.PARange encodes it */
};

struct fp_state {
	uint64_t v[32][2];
	uint64_t fpcr, fpsr;
};

/*
 * The registers of EL1 and EL0 that are the guest's while it is in the CPU. What EL2 decides of EL1 is the same for all guests
 * (el2.c); registers that trap have no value of the guest's.
 */
#define FOR_PLAIN_REGISTERS(each) \
	each(tpidr_el1) each(tpidr_el0) each(tpidrro_el0) each(par_el1) each(sp_el0) each(sp_el1) each(csselr_el1)
/* Those that have another name at EL2 with HCR_EL2.E2H set: include/arch/aarch64/e2h.h. */
#define FOR_REDIRECTED_REGISTERS(each)                                                                                         \
	each(sctlr_el1) each(tcr_el1) each(ttbr0_el1) each(ttbr1_el1) each(mair_el1) each(amair_el1) each(vbar_el1)            \
		each(cpacr_el1) each(contextidr_el1) each(esr_el1) each(far_el1) each(afsr0_el1) each(afsr1_el1) each(elr_el1) \
			each(spsr_el1) each(cntkctl_el1) each(cntv_cval_el0) each(cntv_ctl_el0) each(cntp_cval_el0)            \
				each(cntp_ctl_el0)
#define EL1_REGISTER_MEMBER(name) uint64_t name;

/* Those that a CPU may lack, though a guest is not told of them where it has them. */
struct extra_registers {
	uint64_t vdisr;  /* VDISR_EL2, which the guest sees as DISR_EL1 */
	uint64_t tpidr2; /* TPIDR2_EL0 */
};

/* The CPU interface of a virtual GIC, where there are list registers; those themselves are kept by vgic_lists.h. */
struct interface_state {
	uint64_t vmcr;     /* ICH_VMCR_EL2, or GICH_VMCR */
	uint64_t ap[2][4]; /* ICH_AP0R<n>_EL2, ICH_AP1R<n>_EL2; or, the first one only, GICH_APR */
};

/* State that is in the CPU while the vCPU is resident, else here. */
struct kept_state {
	struct fp_state fp;
	struct el1_registers {
		FOR_PLAIN_REGISTERS(EL1_REGISTER_MEMBER)
		FOR_REDIRECTED_REGISTERS(EL1_REGISTER_MEMBER)
	} el1;
	uint64_t keys[10]; /* of pointer authentication, where the CPU has it */
	struct extra_registers extra;
	struct interface_state interface;
};

/*
 * The guest's general registers while it does not run; X31 is there so that "no register" can be written to. All other state of a
 * resident vCPU is where the guest uses it, in EL1's and EL0's system registers and the FP registers: the hypervisor uses none of
 * them.
 */
struct vcpu_arch {
	uint64_t x[32];
	uint64_t pc, pstate;
	struct cpu *cpu; /* that it runs on, and struct cpu_arch of that; set by arch_vcpu_run */
	struct cpu_arch *cpu_arch;
	uint64_t vector;          /* GUEST_EXIT_* of offsets.h */
	uint64_t esr, far, hpfar; /* of the last synchronous exit; the addresses for aborts only */
	const uint64_t *ids;      /* while it is resident: what it reads as identification registers (id_table) */
	unsigned sysregs_logged;  /* accesses to registers the guest does not have; the first few are logged */
	struct kept_state kept;   /* while it is not resident */
};

#endif
