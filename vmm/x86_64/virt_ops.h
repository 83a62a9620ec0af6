/* SPDX-License-Identifier: BSD-2-Clause */
/* What Intel VMX and AMD SVM each define, so that the rest of vmm/x86_64 need not know which of them runs. */
#ifndef NESTLING_VMM_X86_64_VIRT_OPS_H
#define NESTLING_VMM_X86_64_VIRT_OPS_H

#include "include/arch/x86_64/cpu.h"
#include "include/err.h"
#include "vmm/vm.h"

/* The state a guest starts in; everything not listed is the same for all guests (docs/guest-abi.md). */
struct entry_state {
	uint64_t rip;
	uint64_t rsi; /* boot_params */
	uint64_t cr3;
	uint64_t gdt_base;
	uint16_t gdt_limit;
};

#define ENTRY_CS  0x10
#define ENTRY_DS  0x18
#define ENTRY_CR0 (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define ENTRY_CR4 (CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT)

/* Guest state that lives in the control block. Reading the general registers: see struct vcpu_arch. */
enum guest_field {
	FIELD_RIP,
	FIELD_RSP,
	FIELD_RFLAGS,
	FIELD_CR0,
	FIELD_CR3,
	FIELD_CR4,
	FIELD_DR7,
	FIELD_EFER,
	FIELD_PAT,
	FIELD_TSC_OFFSET,
	FIELD_CS,
	FIELD_CS_BASE,
	FIELD_SS,
	FIELD_GDTR_BASE,
	FIELD_GDTR_LIMIT,
	FIELD_IDTR_BASE,
	FIELD_IDTR_LIMIT,
	FIELD_COUNT
};

/* As CPUID leaf 0x40000001 reports it to the guest. */
enum hypercall_insn { HYPERCALL_VMCALL = 0, HYPERCALL_VMMCALL = 1 };

struct virt_ops {
	const char *name;
	const struct npt_ops *npt;
	enum hypercall_insn hypercall_insn;

	/* As the arch_virt_* of the same names. */
	enum err (*probe)(const char **why);
	enum err (*enable)(const char **why);
	/* Fill in what the vendor decides of the geometry: levels, max_leaf, hardware_ad, exec_only. */
	void (*npt_config)(struct npt_config *config);
	/* Flush all nested translations of the resident vCPU's VM on this CPU before it resumes. */
	void (*flush)(struct vcpu *vcpu);

	/* Get and give back the control structures of a VM, and of a vCPU. */
	enum err (*vm_init)(struct vm *vm);
	void (*vm_free)(struct vm *vm);
	uint64_t vm_memory; /* what they take, in bytes */
	enum err (*vcpu_init)(struct vcpu *vcpu);
	void (*vcpu_free)(struct vcpu *vcpu);
	uint64_t vcpu_memory;
	/* As arch_vcpu_get, arch_vcpu_put and arch_vcpu_fork, apart from general registers, debug addresses and FP. */
	void (*vcpu_get)(struct vcpu *vcpu);
	void (*vcpu_put)(struct vcpu *vcpu);
	void (*vcpu_fork)(struct vcpu *child, const struct vcpu *parent);
	/* Set everything but the general registers to the entry state; the vCPU is not resident. */
	void (*reset)(struct vcpu *vcpu, const struct entry_state *entry);

	/* As the arch_* of the same names. */
	void (*run)(struct vcpu *vcpu);
	void (*decode)(struct vcpu *vcpu, struct vm_exit *exit);
	bool (*handle_exit)(struct vcpu *vcpu, struct vm_exit *exit);
	void (*finish_io)(struct vcpu *vcpu, const struct vm_exit *exit);
	void (*finish_hypercall)(struct vcpu *vcpu, uint64_t result);
	bool (*inject_denied)(struct vcpu *vcpu, const struct vm_exit *exit);
	/* What the exit was; the guest's program counter and bytes are added by the caller. */
	void (*describe)(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size);
	/* Append the name of exit->reason. */
	void (*name_exit)(uint64_t reason, char *text, size_t size);

	uint64_t (*get)(struct vcpu *vcpu, enum guest_field field);
	void (*set)(struct vcpu *vcpu, enum guest_field field, uint64_t value);
	/* RAX and RSP included. */
	uint64_t (*get_gpr)(struct vcpu *vcpu, enum gpr gpr);
};

extern const struct virt_ops vmx_ops;
extern const struct virt_ops svm_ops;

/* The one in force: after arch_virt_probe. */
extern const struct virt_ops *virt;

#endif
