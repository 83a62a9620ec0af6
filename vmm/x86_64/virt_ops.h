/* SPDX-License-Identifier: BSD-2-Clause */
/* What Intel VMX and AMD SVM each define, so that the rest of vmm/x86_64 need not know which of them runs. */
#ifndef NESTLING_VMM_X86_64_VIRT_OPS_H
#define NESTLING_VMM_X86_64_VIRT_OPS_H

#include "include/arch/x86_64/cpu.h"
#include "include/err.h"
#include "vmm/cpu.h"
#include "vmm/vm.h"

/*
 * The state that a vCPU starts in; everything not listed is the same for all (docs/guest-abi.md). The segments are flat, 64-bit or
 * 32-bit, or those of real mode, all at 0 but for CS.
 */
struct entry_state {
	enum { ENTRY_64, ENTRY_32, ENTRY_REAL } mode;
	uint16_t cs; /* of ENTRY_REAL */
	uint16_t gdt_limit, idt_limit;
	uint64_t rip, cr0, cr3, cr4, efer, pat;
	uint64_t gdt_base, idt_base;
	struct vcpu *by; /* the resident vCPU whose control registers these are; NULL: nobody's */
};

#define ENTRY_CS   0x10
#define ENTRY_DS   0x18
#define ENTRY_CR0  (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define ENTRY_CR4  (CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define ENTRY_EFER (EFER_LME | EFER_LMA | EFER_NXE)

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
	FIELD_CR8,
	FIELD_COUNT
};

/* As CPUID leaf 0x40000001 reports it to the guest. */
enum hypercall_insn { HYPERCALL_VMCALL = 0, HYPERCALL_VMMCALL = 1 };

struct virt_ops {
	const char *name;
	const struct npt_ops *npt;
	enum hypercall_insn hypercall_insn;

	/* As the arch_virt_* of the same names. `cpu` is that of the CPU that this runs on. */
	enum err (*probe)(const char **why);
	enum err (*enable)(struct virt_cpu *cpu, const char **why);
	/* Fill in what the vendor decides of the geometry: levels, max_leaf, hardware_ad, exec_only. */
	void (*npt_config)(struct npt_config *config);
	/* Can a vCPU start in real mode? */
	bool (*real_mode)(void);
	/* Flush all translations of the vCPU's VM on this CPU, where it is resident, before it resumes. */
	void (*flush)(struct vcpu *vcpu);

	/* Get and give back the control block of a vCPU. */
	enum err (*vcpu_init)(struct vcpu *vcpu);
	void (*vcpu_free)(struct vcpu *vcpu);
	/* As arch_vcpu_get, arch_vcpu_put and arch_vcpu_fork, for the control block and what only one vendor keeps in struct
	 * kept_state. */
	void (*load)(struct vcpu *vcpu);
	void (*save)(struct vcpu *vcpu);
	void (*fork)(struct vcpu *child, const struct vcpu *parent);
	/* Set the control block to the entry state. Nothing of this CPU's changes. */
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
	void (*set_gpr)(struct vcpu *vcpu, enum gpr gpr, uint64_t value);
	/* Of the guest's code segment: 16, 32, 64. */
	unsigned (*code_bits)(struct vcpu *vcpu);
	/*
	 * Events from outside: could the guest take an interrupt, an NMI (one of enum guest_window), which is pending, at its next
	 * entry? A HLT that it would wake at once may have been passed by then. Have it take one then; have it exit when it could
	 * (windows: a sum).
	 */
	bool (*accepts)(struct vcpu *vcpu, unsigned window);
	void (*inject_interrupt)(struct vcpu *vcpu, uint8_t vector);
	void (*inject_nmi)(struct vcpu *vcpu);
	void (*set_windows)(struct vcpu *vcpu, unsigned windows);
	/* Was an event being delivered when the last exit came? */
	bool (*in_delivery)(struct vcpu *vcpu);
	/* Step over an instruction that has been carried out. */
	void (*step)(struct vcpu *vcpu, unsigned length);
};

/* vcpu.c: set all of the vCPU's state to that of an entry, with general registers 0. */
void vcpu_reset(struct vcpu *vcpu, const struct entry_state *entry);
/* As a start-up IPI does, of vector `entry` >> 12. */
void vcpu_reset_real(struct vcpu *vcpu, uint64_t entry);

extern const struct virt_ops vmx_ops;
extern const struct virt_ops svm_ops;

/* The one in force: after arch_virt_probe. */
extern const struct virt_ops *virt;

#endif
