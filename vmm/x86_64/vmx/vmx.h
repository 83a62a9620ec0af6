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

/* state.c: fill the current VMCS. */
void vmx_write_controls(const struct vm *vm, uint64_t eptp);
void vmx_write_host_state(void);
void vmx_write_guest_state(struct kept_state *kept, const struct entry_state *entry);

/* exit.c; the first two are for entry.S: the fast path, and the same when the guest was not entered. */
unsigned vmx_exit(struct vcpu *vcpu);
unsigned vmx_refused(struct vcpu *vcpu);
void vmx_decode(struct vcpu *vcpu, struct vm_exit *exit);
#define VMX_NOT_ENTERED UINT64_MAX /* exit->reason when VMLAUNCH or VMRESUME itself failed */
void vmx_finish_io(struct vcpu *vcpu, const struct vm_exit *exit);
void vmx_finish_hypercall(struct vcpu *vcpu, uint64_t result);

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

/* fork.c */
void vmx_vcpu_fork(struct vcpu *child, const struct vcpu *parent);
void vmx_vcpu_get(struct vcpu *vcpu);
void vmx_vcpu_put(struct vcpu *vcpu);

/* describe.c */
void vmx_name_exit(uint64_t reason, char *text, size_t size);
void vmx_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size);

/* check.c: the rule for guest state that the current VMCS breaks, or NULL. */
const char *vmx_bad_guest_state(void);

/* region.c */
MUST_CHECK enum err vmx_alloc_region(hpa_t *region); /* a page that begins with the revision, for VMXON or a VMCS */
bool vmx_on(hpa_t region);                           /* VMXON; false: it failed */
enum err vmx_vm_init(struct vm *vm);
void vmx_vm_free(struct vm *vm);
enum err vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_free(struct vcpu *vcpu);
void vmx_clear_vmcs(hpa_t vmcs);
void vmx_clear(struct vcpu *vcpu); /* the VMCS, for a first entry, and so that another CPU can load it */
/* The VMCS that VMREAD and VMWRITE act on here. */
static inline hpa_t *vmx_current(void)
{
	return &arch_this_cpu()->arch.vmcs;
}
void vmx_load_vmcs(hpa_t vmcs);
void vmx_load(struct vcpu *vcpu);

/* flush.c */
uint64_t vmx_eptp(const struct npt *npt);
void vmx_flush(struct vcpu *vcpu);
void vmx_flush_all(void); /* of software that used VMX before */

/* fields.c */
uint64_t vmx_get(struct vcpu *vcpu, enum guest_field field);
void vmx_set(struct vcpu *vcpu, enum guest_field field, uint64_t value);
uint64_t vmx_get_gpr(struct vcpu *vcpu, enum gpr gpr);

static inline void vmx_make_current(struct vcpu *vcpu)
{
	if (vmx_current()->raw != vcpu->arch.vmx.vmcs.raw)
		vmx_load(vcpu);
}

/*
 * complete.c: step over the instruction that exited, which has been carried out and has hit these breakpoints (DR6's
 * bits). True: a debug trap comes next, before the guest executes anything.
 */
bool vmx_complete(uint64_t hits);

#endif
