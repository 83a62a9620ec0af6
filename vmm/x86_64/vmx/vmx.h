/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of VMX that see one another. */
#ifndef NESTLING_VMM_X86_64_VMX_VMX_H
#define NESTLING_VMM_X86_64_VMX_VMX_H

#include "vmm/cpu.h"
#include "vmm/x86_64/virt_ops.h"
#include "vmm/x86_64/vmx/vmcs.h"

/* What the capability MSRs allow, and what we made of it. */
struct vmx_caps {
	uint32_t revision;
	uint32_t pin, cpu, cpu2, exit, entry; /* controls as every VMCS gets them */
	unsigned timer_bit;                   /* VMX_MISC_TIMER_BIT */
	uint64_t ept_vpid;                    /* IA32_VMX_EPT_VPID_CAP */
	uint64_t cr0_fixed0, cr0_fixed1;      /* of a guest: bits that must be 1, that may be 1 */
	uint64_t cr4_fixed0, cr4_fixed1;
};
extern struct vmx_caps vmx_caps;

/* controls.c: fill vmx_caps; ERR_UNSUPPORTED and `why` when the CPU lacks what we need. */
MUST_CHECK enum err vmx_read_caps(const char **why);

static inline bool vmx_unrestricted_guest(void)
{
	return vmx_caps.cpu2 & CPU2_UNRESTRICTED_GUEST;
}

/* The bits of CR0 the guest may change without an exit; of CR4 it is guest_cr4_valid(). */
uint64_t vmx_cr0_guest_owned(void);

/* entry.S: arch_vcpu_run. */
void vmx_run(struct vcpu *vcpu);
/* The label there at which the CPU comes back. */
extern const char vmx_exit_point[];

#define PDPTES 4 /* fields of page-directory pointers */

/* state.c: fill the current VMCS. */
void vmx_write_controls(const struct vm *vm);
void vmx_write_host_state(void);
void vmx_write_guest_state(const struct entry_state *entry);

/* exit.c; the first two are for entry.S: the fast path, and the same when the guest was not entered. */
unsigned vmx_exit(struct vcpu *vcpu);
unsigned vmx_refused(struct vcpu *vcpu);
void vmx_decode(struct vcpu *vcpu, struct vm_exit *exit);
#define VMX_NOT_ENTERED UINT64_MAX /* exit->reason when VMLAUNCH or VMRESUME itself failed */
void vmx_finish_io(struct vcpu *vcpu, const struct vm_exit *exit);
void vmx_finish_hypercall(struct vcpu *vcpu, uint64_t result);

/* timer.c: the preemption timer, for CPUs that leave a guest's IF clear uninterrupted. For entry.S; and after their exits. */
void vmx_timer_start(struct vcpu *vcpu);
/* Interrupts do not end guests whose IF is clear: then before each entry but those of an exit's first step. */
extern bool vmx_deaf;
void vmx_look_before_entry(void);
void vmx_timer_expired(void);
void vmx_interrupted(void);

/* handle.c */
bool vmx_handle_exit(struct vcpu *vcpu, struct vm_exit *exit);

/* control.c: serve EXIT_CR_ACCESS. False: the access cannot be followed. */
bool vmx_handle_cr_access(struct vcpu *vcpu);

/* inject.c: give the guest an exception when it goes on; #GP and #DF with error code 0. */
void vmx_inject(enum vector vector);
bool vmx_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit);
/* Give it the #DB or #AC that has exited. False: its delivery would raise it for ever. */
bool vmx_redeliver_debug(struct vcpu *vcpu);
bool vmx_redeliver_alignment(struct vcpu *vcpu);

/* external.c: events from outside, as virt_ops has them; and the exit of a window. */
bool vmx_accepts(struct vcpu *vcpu, unsigned window);
void vmx_inject_interrupt(struct vcpu *vcpu, uint8_t vector);
void vmx_inject_nmi(struct vcpu *vcpu);
void vmx_set_windows(struct vcpu *vcpu, unsigned windows);
void vmx_window_opens(struct vcpu *vcpu, unsigned window);
/* One whose delivery has met a fault comes again, later; by the IDT-vectoring information. */
void vmx_take_back(struct vcpu *vcpu, uint64_t vectoring);

/* switch.c */
void vmx_load(struct vcpu *vcpu);
void vmx_save(struct vcpu *vcpu);
void vmx_fork(struct vcpu *child, const struct vcpu *parent);

/* describe.c */
void vmx_name_exit(uint64_t reason, char *text, size_t size);
void vmx_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size);

/* check.c: the rule for guest state that the current VMCS breaks, or NULL. */
const char *vmx_bad_guest_state(void);

/* region.c */
MUST_CHECK enum err vmx_alloc_region(hpa_t *region); /* a page that begins with the revision, for VMXON or a VMCS */
bool vmx_on(hpa_t region);                           /* VMXON; false: it failed */
extern hpa_t vmx_msr_bitmap;                         /* of all guests, constant */
MUST_CHECK enum err vmx_make_msr_bitmap(void);
MUST_CHECK enum err vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_free(struct vcpu *vcpu);
void vmx_make_current(hpa_t vmcs);
void vmx_clear(struct vmx_vcpu *vmx); /* the current one: any CPU may load it, and enter it for a first time */
/* Make another VMCS current, which no CPU holds, for a while; returns the one that was. */
hpa_t vmx_borrow(hpa_t vmcs);
void vmx_return(hpa_t vmcs, hpa_t before);

/* flush.c: translations on this CPU. */
uint64_t vmx_eptp(const struct npt *npt);
void vmx_flush(struct vcpu *vcpu);     /* those of its VM */
void vmx_flush_all(struct vcpu *vcpu); /* of all VMs and VPIDs, as far as any have one */

/* fields.c */
uint64_t vmx_get(struct vcpu *vcpu, enum guest_field field);
void vmx_set(struct vcpu *vcpu, enum guest_field field, uint64_t value);
uint64_t vmx_get_gpr(struct vcpu *vcpu, enum gpr gpr);
void vmx_set_gpr(struct vcpu *vcpu, enum gpr gpr, uint64_t value);
unsigned vmx_code_bits(struct vcpu *vcpu);
bool vmx_in_delivery(struct vcpu *vcpu);

/*
 * complete.c: step over the instruction that exited, which has been carried out and has hit these breakpoints (DR6's
 * bits). True: a debug trap comes next, before the guest executes anything.
 */
bool vmx_complete(uint64_t hits);
void vmx_step(struct vcpu *vcpu, unsigned length); /* of an access to memory */

#endif
