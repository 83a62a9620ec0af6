/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in struct vcpu and struct cpu_arch for assembly, and why the world switch ends; virt.c checks the offsets. */
#ifndef NESTLING_VMM_AARCH64_OFFSETS_H
#define NESTLING_VMM_AARCH64_OFFSETS_H

#define VCPU_X(n) (8 * (n))
#define VCPU_PC   256
#define VCPU_CPU  272 /* two pointers: see struct cpu_arch */

#define VCPU_IDS 320

/* Of struct vcpu behind its struct vcpu_arch. */
#define VCPU_EXITS_TOTAL 1264
#define VCPU_EXITS_OTHER 1296
#define VCPU_FAST        1304
#define VCPU_RING        1320

/* struct vm_exit, VM_EXIT_RING of them. */
#define EXIT_REASON    8 /* and the pc */
#define EXIT_SHIFT     6
#define EXIT_RING_BITS 6
#define EXIT_KIND_ARCH 5

/* ESR_EL2.EC, and of it MSR, MRS. */
#define ESR_EC_AT    26
#define ESR_EC_BITS  6
#define EC_OF_SYSREG 0x18

#define CPU_ARCH_TRAP_NEXT 16

#define LEFT_LOADED 252 /* of vcpu_exit_device: it is served, and has changed a register that a function does not change */

/* Of the address in HPFAR_EL2 bit 0 is the 8th of the register's; guests' RAM begins at this bit of an address. */
#define HPFAR_SHIFT  8
#define RAM_BASE_BIT 30

/* Which of EL2's vectors the guest left by. */
#define GUEST_EXIT_SYNC   0
#define GUEST_EXIT_IRQ    1
#define GUEST_EXIT_FIQ    2
#define GUEST_EXIT_SERROR 3

#endif
