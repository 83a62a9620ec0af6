/* SPDX-License-Identifier: BSD-2-Clause */
/* The EPT pointer, and what is cached of the translations below it. Intel SDM vol. 3 "Caching Translation Information". */
#include "include/panic.h"
#include "vmm/x86_64/vmx/vmx.h"

/* INVEPT's descriptor. */
struct invept {
	uint64_t eptp, reserved;
};

static void invept(enum invept_type type, uint64_t eptp)
{
	struct invept descriptor = { eptp, 0 };
	bool failed;

	__asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"((uint64_t)type) : "memory");
	if (failed)
		panic("vmx: INVEPT type %u of EPTP %#lx failed", type, eptp);
}

uint64_t vmx_eptp(const struct npt *npt)
{
	return npt->root.raw | EPTP_WB | EPTP_LEVELS(npt->config.levels) | (npt->config.hardware_ad ? EPTP_ENABLE_AD : 0);
}

void vmx_flush(struct vcpu *vcpu)
{
	/* Reaches every VPID's, so INVVPID is not needed. SDM vol. 3 "Operations that Invalidate Cached Mappings". */
	if (vmx_caps.ept_vpid & EPT_CAP_INVEPT_SINGLE)
		invept(INVEPT_SINGLE_CONTEXT, vmx_eptp(&vcpu->vm->as.npt));
	else
		invept(INVEPT_ALL_CONTEXT, 0);
}

/* Of all VPIDs, too. A CPU without it gets no VPIDs (controls.c): there is nothing to flush before a VM's own first flush. */
void vmx_flush_all(struct vcpu *vcpu)
{
	if (vmx_caps.ept_vpid & EPT_CAP_INVEPT_ALL)
		invept(INVEPT_ALL_CONTEXT, 0);
	else
		vmx_flush(vcpu);
}
