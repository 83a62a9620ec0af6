/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX: an exit decoded. Input: the exit's reason, and the fields of the VMCS that tell of it, in the order they are read. */
#include "vmm/x86_64/vmx/complete.c"
#include "vmm/x86_64/vmx/exit.c"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

static struct host_rng rng;
static uint64_t reason, qualification, rip, rflags, blocking, pending, io_hits;

uint64_t io_breakpoints(struct vcpu *vcpu, const struct io_access *io)
{
	(void)vcpu;
	(void)io;
	return io_hits;
}

uint64_t vmread(enum vmcs_field field)
{
	switch (field) {
	case EXIT_REASON:
		return reason;
	case EXIT_QUALIFICATION:
		return qualification;
	case GUEST_RIP:
		return rip;
	case GUEST_RFLAGS:
		return rflags;
	case GUEST_INTERRUPTIBILITY:
		return blocking;
	case GUEST_PENDING_DEBUG:
		return pending;
	default:
		return host_random(&rng);
	}
}

void vmwrite(enum vmcs_field field, uint64_t value)
{
	if (field == GUEST_RIP)
		rip = value;
	if (field == GUEST_RFLAGS)
		rflags = value;
	if (field == GUEST_INTERRUPTIBILITY)
		blocking = value;
	if (field == GUEST_PENDING_DEBUG)
		pending = value;
	/* SDM vol. 3 "VM-Entry Controls for Event Injection": bits 30:12 are reserved, 12 at least in an injected event. */
	if (field == ENTRY_INTERRUPTION_INFO)
		CHECK((value & (BITS(30, 12))) == 0 && value & BIT(31), "interruption information %#jx", (uintmax_t)value);
}

void vmwrite_known(enum vmcs_field field, uint64_t value)
{
	vmwrite(field, value);
}

/* An instruction is over: RF and the shadow are gone, and a trap comes if and only if there is a reason. */
static void check_completed(uint64_t hits)
{
	CHECK(!(rflags & RFLAGS_RF) && blocking == 0, "rflags %#jx, blocking %#jx", (uintmax_t)rflags, (uintmax_t)blocking);
	CHECK_EQ(pending, hits | (hits ? PENDING_DEBUG_ENABLED_BP : 0) | (rflags & RFLAGS_TF ? DR6_BS : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t reasons[] = {
		EXIT_EPT_VIOLATION, EXIT_VMCALL, EXIT_IO, EXIT_HLT, EXIT_TRIPLE_FAULT, EXIT_REASON_ENTRY_FAILED | 33, 10,
	};
	static const uint8_t sizes[] = { 0, 1, 3 }; /* of 1, 2 and 4 bytes, as the hardware has them */
	static struct vm vm;
	struct vcpu *vcpu = &vm.vcpu;
	struct vm_exit *exit;

	rng = host_rng_of_bytes(data, size);
	reason = reasons[host_below(&rng, ARRAY_LEN(reasons))];
	qualification = host_random(&rng);
	rip = host_random(&rng);
	rflags = host_random(&rng) & (RFLAGS_TF | RFLAGS_RF | RFLAGS_IF);
	blocking = host_random(&rng) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
	pending = 0;
	io_hits = host_random(&rng) & DR6_HITS;
	vcpu->vm = &vm;
	vcpu->arch.gpr[RAX] = host_random(&rng);
	if (reason == EXIT_IO)
		qualification = (qualification & ~UINT64_C(7)) | sizes[qualification % ARRAY_LEN(sizes)];
	if (reason == EXIT_EPT_VIOLATION && (qualification & 7) == 0)
		qualification |= EPTV_READ;
	exit = fuzz_decode(vcpu, vmx_exit(vcpu), vmx_decode);
	switch (exit->kind) {
	case VM_EXIT_FAULT:
		CHECK(exit->fault.access > 0 && exit->fault.access <= NPT_RWX, "access %u", exit->fault.access);
		break;
	case VM_EXIT_IO:
		CHECK(exit->io.addr <= UINT16_MAX && exit->io.value >> (8 * exit->io.size) == 0, "port %#jx, value %#jx",
		      (uintmax_t)exit->io.addr, (uintmax_t)exit->io.value);
		vmx_finish_io(vcpu, exit);
		check_completed(io_hits);
		break;
	case VM_EXIT_HYPERCALL:
		check_completed(0);
		break;
	case VM_EXIT_HALT:
	case VM_EXIT_ARCH:
	case VM_EXIT_CRASH:
	case VM_EXIT_ENTRY_FAILED:
		break;
	default:
		CHECK(false, "kind %d", (int)exit->kind);
	}
	return 0;
}
