/* SPDX-License-Identifier: BSD-2-Clause */
/* The regions that VMX works on: VMCSs, made current and cleared, and MSR bitmaps. Intel SDM vol. 3 "Virtual-Machine Control
 * Structures". */
#include "include/arch/x86_64/msr.h"
#include "include/panic.h"
#include "mm/frame.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/vmx/vmx.h"

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

void vmx_load_vmcs(hpa_t vmcs)
{
	if (!vmptrld(vmcs))
		panic("vmx: VMPTRLD of %#lx failed", vmcs.raw);
	*vmx_current() = vmcs;
}

void vmx_load(struct vcpu *vcpu)
{
	vmx_load_vmcs(vcpu->arch.vmx.vmcs);
}

/* A bit for each MSR: reads of the low and the high range, then writes. SDM vol. 3 "MSR-Bitmap Address". */
static void msr_bitmap_pass(uint8_t *map, uint32_t msr)
{
	uint32_t index = msr < 0x2000 ? msr : msr - 0xc0000000 + 0x2000;

	map[index / 8] &= (uint8_t) ~(1u << index % 8);
	map[0x800 + index / 8] &= (uint8_t) ~(1u << index % 8);
}

static void fill_msr_bitmap(hpa_t bitmap)
{
	uint8_t *map = frame_ptr(bitmap);

	for (size_t i = 0; i < PAGE_SIZE; i++)
		map[i] = 0xff;
	for (size_t i = 0; i < msr_passthrough_count; i++)
		msr_bitmap_pass(map, msr_passthrough[i]);
}

void vmx_clear_vmcs(hpa_t vmcs)
{
	if (!vmclear(vmcs))
		panic("vmx: VMCLEAR of %#lx failed", vmcs.raw);
	if (vmx_current()->raw == vmcs.raw)
		*vmx_current() = HPA(0);
}

void vmx_clear(struct vcpu *vcpu)
{
	vmx_clear_vmcs(vcpu->arch.vmx.vmcs);
	vcpu->arch.vmx.launched = 0;
}

void vmx_vm_free(struct vm *vm)
{
	frame_free(vm->arch.vmx.msr_bitmap, 0);
}

enum err vmx_vm_init(struct vm *vm)
{
	enum err err = frame_alloc(0, &vm->arch.vmx.msr_bitmap);

	if (err == ERR_OK)
		fill_msr_bitmap(vm->arch.vmx.msr_bitmap);
	return err;
}

/* No CPU holds parts of it: it was cleared when it was put. */
void vmx_vcpu_free(struct vcpu *vcpu)
{
	if (vcpu->arch.vmx.vmcs.raw)
		frame_free(vcpu->arch.vmx.vmcs, 0);
	vcpu->arch.vmx = (struct vmx_vcpu){ 0 };
}

enum err vmx_vcpu_init(struct vcpu *vcpu)
{
	vcpu->arch.vmx = (struct vmx_vcpu){ 0 };
	return vmx_alloc_region(&vcpu->arch.vmx.vmcs);
}
