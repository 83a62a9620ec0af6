/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in struct vcpu for the world switches in assembly; virt.c checks them against the structure. */
#ifndef NESTLING_VMM_X86_64_OFFSETS_H
#define NESTLING_VMM_X86_64_OFFSETS_H

#define LEFT_INTERRUPTED 254 /* EXIT_INTERRUPTED */
#define LEFT_WAITS       253 /* of svm_exit: the vCPU leaves its CPU, and the exit has been served */

#define VCPU_RAX 0
#define VCPU_RCX 8
#define VCPU_RDX 16
#define VCPU_RBX 24
#define VCPU_RBP 40
#define VCPU_RSI 48
#define VCPU_RDI 56
#define VCPU_R8  64
#define VCPU_R9  72
#define VCPU_R10 80
#define VCPU_R11 88
#define VCPU_R12 96
#define VCPU_R13 104
#define VCPU_R14 112
#define VCPU_R15 120

#define VCPU_SVM_VMCB_PA      128
#define VCPU_SVM_HOST_VMCB_PA 136

#define VCPU_VMX_LAUNCHED 128

#endif
