/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of SVM that see one another. */
#ifndef NESTLING_VMM_X86_64_SVM_SVM_H
#define NESTLING_VMM_X86_64_SVM_SVM_H

#include "include/arch/x86_64/msr.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/svm/vmcb.h"
#include "vmm/x86_64/virt_ops.h"

#define SVM_IOPM_ORDER  2 /* three pages; the fourth of the block is not used */
#define SVM_MSRPM_ORDER 1

/* What CPUID leaf 0x8000000a offers beyond what we need. */
struct svm_features {
	bool nrips; /* next_rip is valid after instruction intercepts */
	bool flush_by_asid;
	uint32_t asids;
};
extern struct svm_features svm_features;

/* features.c: virt_ops.probe, which fills svm_features. */
enum err svm_probe(const char **why);

/* idts.c, for entry.S: the IDT while TR may be the guest's, and the hypervisor's. Of all CPUs; constant from svm_ops.enable on. */
struct svm_idts {
	struct table_pointer in_guest, own;
};
extern struct svm_idts svm_idts;
/* Once, with the hypervisor's IDT in force. */
void svm_make_idts(void);

/* entry.S: arch_vcpu_run. IF is clear and GIF set, before and after, and in vm_handle_exit. */
void svm_run(struct vcpu *vcpu);

/* exit.c */
unsigned svm_exit(struct vcpu *vcpu); /* for entry.S: the fast path */
void svm_decode(struct vcpu *vcpu, struct vm_exit *exit);
bool svm_handle_exit(struct vcpu *vcpu, struct vm_exit *exit);
void svm_finish_hypercall(struct vcpu *vcpu, uint64_t result);

/* serve.c: what svm_exit returns. */
unsigned svm_serve_device(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit);
unsigned svm_serve_port(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit);
unsigned svm_serve_wrmsr(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit);
unsigned svm_serve_window(struct vcpu *vcpu, const struct vmcb *vmcb, struct vm_exit *exit);
unsigned svm_serve_halt(struct vcpu *vcpu, struct vmcb *vmcb, struct vm_exit *exit);
/* For entry.S, of what vm_take_interrupts has left: what has come for the guest is delivered. Returns what is left then. */
unsigned svm_attend(struct vcpu *vcpu, unsigned left);
/* An access to a port, of which VMEXIT_IOIO tells. */
void svm_decode_io(const struct vmcb *vmcb, struct vm_exit *exit);
void svm_finish_io(struct vcpu *vcpu, const struct vm_exit *exit);

/* inject.c: give the guest an exception when it goes on; #GP and #DF with error code 0. */
void svm_inject(struct vmcb *vmcb, enum vector vector);
bool svm_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit);
/* Give it the #DB or #AC that has exited. False: its delivery would raise it for ever. */
bool svm_redeliver_debug(struct vcpu *vcpu);
bool svm_redeliver_alignment(struct vcpu *vcpu);
/* Of EXITINTINFO: what was being delivered. */
enum event_kind svm_event_kind(uint64_t event);

/* external.c: events from outside, as virt_ops has them. The latter two serve the exits of their windows. */
bool svm_accepts(struct vcpu *vcpu, unsigned window);
void svm_inject_interrupt(struct vcpu *vcpu, uint8_t vector);
void svm_inject_nmi(struct vcpu *vcpu);
void svm_set_windows(struct vcpu *vcpu, unsigned windows);
void svm_window_opens(struct vcpu *vcpu);
void svm_nmi_ends(struct vcpu *vcpu);
/* One whose delivery has met a fault comes again, later. */
void svm_take_back(struct vcpu *vcpu, uint64_t event);

/* control.c: serve VMEXIT_CR0_SEL_WRITE and that of a write to CR4 or CR8. False: the instruction cannot be followed. */
bool svm_handle_cr_write(struct vcpu *vcpu);

/* fields.c */
uint64_t svm_get(struct vcpu *vcpu, enum guest_field field);
void svm_set(struct vcpu *vcpu, enum guest_field field, uint64_t value);
uint64_t svm_get_gpr(struct vcpu *vcpu, enum gpr gpr);
void svm_set_gpr(struct vcpu *vcpu, enum gpr gpr, uint64_t value);
unsigned svm_code_bits(struct vcpu *vcpu);
bool svm_in_delivery(struct vcpu *vcpu);

/*
 * describe.c: the rule of AMD APM vol. 2 "Canonicalization and Consistency Checks" that the VMCB breaks, or NULL. QEMU
 * overwrites a VMCB that it refuses, so ask before the first VMRUN, too.
 */
const char *svm_bad_state(const struct vcpu *vcpu);
void svm_name_exit(uint64_t code, char *text, size_t size);
void svm_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size);

static inline bool svm_in_64bit_code(const struct vmcb *vmcb)
{
	return vmcb->efer & EFER_LMA && vmcb->cs.attrib & SEG_L;
}

/* Behind an intercepted instruction. QEMU has no next_rip; without it a redundant prefix is not seen. */
static inline uint64_t svm_next_rip(const struct vmcb *vmcb, unsigned length)
{
	return svm_features.nrips ? vmcb->next_rip : vmcb->rip + length;
}

/*
 * complete.c: step over an intercepted instruction, which has been carried out; `rip` is behind it, and it has hit these
 * breakpoints (DR6's bits). True: a debug trap comes next, before the guest executes anything.
 */
bool svm_complete_at(struct vmcb *vmcb, uint64_t rip, uint64_t hits);
bool svm_complete(struct vmcb *vmcb, unsigned length);
/* The same of an access to memory: the CPU's own word about the next instruction is not of this exit. */
void svm_step(struct vcpu *vcpu, unsigned length);
/* INT1, which is a trap and leaves nothing in DR6. */
void svm_trap_icebp(struct vmcb *vmcb);

#endif
