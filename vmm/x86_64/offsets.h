/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in struct vcpu for the world switches in assembly; virt.c checks them against the structure. */
#ifndef NESTLING_VMM_X86_64_OFFSETS_H
#define NESTLING_VMM_X86_64_OFFSETS_H

#define VCPU_RAX 8
#define VCPU_RCX 16
#define VCPU_RDX 24
#define VCPU_RBX 32
#define VCPU_RBP 48
#define VCPU_RSI 56
#define VCPU_RDI 64
#define VCPU_R8  72
#define VCPU_R9  80
#define VCPU_R10 88
#define VCPU_R11 96
#define VCPU_R12 104
#define VCPU_R13 112
#define VCPU_R14 120
#define VCPU_R15 128

#define VCPU_SVM_VMCB_PA      136
#define VCPU_SVM_HOST_VMCB_PA 144

#define VCPU_VMX_HOST_RSP 136
#define VCPU_VMX_LAUNCHED 144
#define VCPU_VMX_VMCS     152

#endif
