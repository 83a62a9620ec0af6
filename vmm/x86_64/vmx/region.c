/* SPDX-License-Identifier: BSD-2-Clause */
/* The regions that VMX works on: VMCSs, made current and cleared, and the MSR bitmap. Intel SDM vol. 3 "Virtual-Machine Control
 * Structures". */
#include <string.h>

#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

hpa_t vmx_msr_bitmap;

/* VMXON, VMCLEAR and VMPTRLD differ in the mnemonic only. */
#define VMX_POINTER_INSN(name)                                                                 \
	static bool name(hpa_t region)                                                         \
	{                                                                                      \
		bool failed;                                                                   \
                                                                                               \
		__asm__ volatile(#name " %1" : "=@ccbe"(failed) : "m"(region.raw) : "memory"); \
		return !failed;                                                                \
	}
VMX_POINTER_INSN(vmxon)
VMX_POINTER_INSN(vmclear)
VMX_POINTER_INSN(vmptrld)

/* A VMXON region or a VMCS begins with the revision. SDM vol. 3 "Format of the VMCS Region". */
enum err vmx_alloc_region(hpa_t *region)
{
	enum err err = frame_alloc_zeroed(0, region);

	if (err == ERR_OK)
		*(uint32_t *)frame_ptr(*region) = vmx_caps.revision;
	return err;
}

bool vmx_on(hpa_t region)
{
	return vmxon(region);
}

void vmx_make_current(hpa_t vmcs)
{
	if (!vmptrld(vmcs))
		panic("vmx: VMPTRLD of %#lx failed", vmcs.raw);
	arch_this_cpu()->arch.virt.vmcs = vmcs;
}

static void clear(hpa_t vmcs)
{
	if (!vmclear(vmcs))
		panic("vmx: VMCLEAR of %#lx failed", vmcs.raw);
}

void vmx_clear(struct vmx_vcpu *vmx)
{
	clear(vmx->vmcs);
	arch_this_cpu()->arch.virt.vmcs = HPA(0);
	vmx->launched = 0;
}

hpa_t vmx_borrow(hpa_t vmcs)
{
	hpa_t before = arch_this_cpu()->arch.virt.vmcs;

	vmx_make_current(vmcs);
	return before;
}

void vmx_return(hpa_t vmcs, hpa_t before)
{
	clear(vmcs);
	arch_this_cpu()->arch.virt.vmcs = HPA(0);
	if (before.raw)
		vmx_make_current(before);
}

/* A bit for each MSR: reads of the low and the high range, then writes. SDM vol. 3 "MSR-Bitmap Address". */
static void msr_bitmap_pass(uint8_t *map, uint32_t msr)
{
	uint32_t index = msr < 0x2000 ? msr : msr - 0xc0000000 + 0x2000;

	map[index / 8] &= (uint8_t) ~(1u << index % 8);
	map[0x800 + index / 8] &= (uint8_t) ~(1u << index % 8);
}

enum err vmx_make_msr_bitmap(void)
{
	enum err err = frame_alloc(0, &vmx_msr_bitmap);
	uint8_t *map;

	if (err != ERR_OK)
		return err;
	map = frame_ptr(vmx_msr_bitmap);
	memset(map, 0xff, PAGE_SIZE);
	for (size_t i = 0; i < msr_passthrough_count; i++)
		msr_bitmap_pass(map, msr_passthrough[i]);
	return ERR_OK;
}

void vmx_vcpu_free(struct vcpu *vcpu)
{
	if (vcpu->arch.vmx.vmcs.raw)
		frame_free(vcpu->arch.vmx.vmcs, 0);
	vcpu->arch.vmx = (struct vmx_vcpu){ 0 };
}

/* A region that was never current need not be cleared, but for what the CPU has of an earlier one at its place. */
enum err vmx_vcpu_init(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = &vcpu->arch.vmx;
	enum err err;

	*vmx = (struct vmx_vcpu){ 0 };
	err = vmx_alloc_region(&vmx->vmcs);
	if (err == ERR_OK)
		clear(vmx->vmcs);
	return err;
}
