/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVM: an exit decoded, and writes of control registers, which are read from the guest's code where the CPU does not say.
 * Input: a byte of flags, what the control block says, and the code.
 */
#include "vmm/x86_64/mmio.c"
#include "vmm/x86_64/svm/complete.c"
#include "vmm/x86_64/svm/control.c"
#include "vmm/x86_64/svm/exit.c"
#include "vmm/x86_64/svm/fields.c"
#include "vmm/x86_64/svm/inject.c"
#include "vmm/x86_64/svm/serve.c"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#define GUEST_CR4 UINT64_C(0x3007ff)

struct svm_features svm_features;

static uint8_t code[15];
static size_t code_bytes;
static unsigned flushes;

static void flush(struct vcpu *vcpu)
{
	(void)vcpu;
	flushes++;
}

static const struct virt_ops ops = { .flush = flush };
const struct virt_ops *virt = &ops;

size_t peek_guest(struct vcpu *vcpu, gva_t gva, uint8_t *bytes, size_t size)
{
	size_t count = min_u64(size, code_bytes);

	(void)vcpu;
	(void)gva;
	memcpy(bytes, code, count);
	return count;
}

bool guest_move(struct vcpu *vcpu, const struct guest_paging *paging, gva_t at, unsigned bits)
{
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	CHECK(paging->cr0 == vmcb->cr0 && paging->cr4 == vmcb->cr4 && at.raw == vmcb->cs.base + vmcb->rip, "elsewhere");
	return mmio_decode(code, code_bytes, bits, &vcpu->arch.mmio.insn);
}

/* A device in memory, which answers with what is asked for by. */
static void access(struct io_device *device, uint64_t offset, struct io_access *io)
{
	(void)device;
	if (!io->write)
		io->value = ~offset >> (64 - 8 * io->size);
}

static struct io_device device = { .space = IO_MEMORY, .base = GUEST_DEVICES, .size = GUEST_DEVICES_SIZE, .access = access };

void apic_halt(struct vcpu *vcpu)
{
	vcpu->again = vcpu->arch.gpr[RCX] & 1 ? apic_halt : NULL;
}

/* What the fast path of a delivery leaves alone. */
void apic_deliver_all(struct vcpu *vcpu)
{
	const struct guest_apic *apic = &vcpu->arch.apic;

	CHECK(!vcpu->again, "an interrupt for one that waits");
	CHECK(apic->nmi_pending || apic->timer_deadline != NEVER || svm_in_shadow(&vcpu->arch.svm), "a plain interrupt");
}

void apic_timer_settle(struct vcpu *vcpu)
{
	(void)vcpu;
}

uint64_t guest_cr4_valid(const struct vm *of)
{
	(void)of;
	return GUEST_CR4;
}

void apic_error(struct vcpu *vcpu, unsigned error)
{
	(void)vcpu;
	(void)error;
}

void arch_timer_rearm(struct cpu *cpu, uint64_t now)
{
	(void)cpu;
	(void)now;
}

/* Commands are left to the slow path. */
bool apic_command_fast(struct vcpu *vcpu, uint64_t icr)
{
	(void)vcpu;
	(void)icr;
	return false;
}

static uint64_t io_hits; /* what breakpoints on ports say */

uint64_t io_breakpoints(struct vcpu *vcpu, const struct io_access *io)
{
	(void)vcpu;
	(void)io;
	return io_hits;
}

bool at_handler(struct vcpu *vcpu, enum vector vector)
{
	(void)vcpu;
	(void)vector;
	return false;
}

bool delivery_repeats(struct vcpu *vcpu)
{
	(void)vcpu;
	return false;
}

/* An instruction is over: RF and the shadow are gone, and a trap comes if and only if there is a reason. */
static void check_completed(const struct vmcb *vmcb, uint64_t rip, uint64_t hits)
{
	bool trap = hits || vmcb->rflags & RFLAGS_TF;

	CHECK_EQ((uint32_t)vmcb->rip, (uint32_t)rip);
	CHECK(vmcb->rip >> 32 == (svm_in_64bit_code(vmcb) ? rip >> 32 : 0), "rip %#jx", (uintmax_t)vmcb->rip);
	CHECK(!(vmcb->rflags & RFLAGS_RF) && !(vmcb->int_state & INT_STATE_SHADOW), "rflags %#jx, shadow %#jx",
	      (uintmax_t)vmcb->rflags, (uintmax_t)vmcb->int_state);
	CHECK_EQ((bool)(vmcb->event_inj & EVENT_VALID), trap);
	if (trap)
		CHECK(EVENT_VECTOR(vmcb->event_inj) == VECTOR_DB && !(vmcb->dr7 & DR7_GD) &&
			      (vmcb->dr6 & (DR6_HITS | DR6_BS)) == ((hits | (vmcb->rflags & RFLAGS_TF ? DR6_BS : 0))),
		      "event %#jx, dr6 %#jx", (uintmax_t)vmcb->event_inj, (uintmax_t)vmcb->dr6);
}

/* AMD APM vol. 2 "Canonicalization and Consistency Checks": what VMRUN would not take. */
static void check_control_registers(const struct vmcb *vmcb)
{
	CHECK(vmcb->cr0 >> 32 == 0, "cr0 %#jx", (uintmax_t)vmcb->cr0);
	CHECK((vmcb->cr0 & (CR0_CD | CR0_NW)) != CR0_NW, "cr0 %#jx", (uintmax_t)vmcb->cr0);
	CHECK(!(vmcb->cr0 & CR0_PG) || vmcb->cr0 & CR0_PE, "cr0 %#jx", (uintmax_t)vmcb->cr0);
	CHECK((vmcb->cr4 & ~GUEST_CR4) == 0, "cr4 %#jx", (uintmax_t)vmcb->cr4);
	if (vmcb->efer & EFER_LMA)
		CHECK(vmcb->cr0 & CR0_PG && vmcb->cr4 & CR4_PAE, "long mode with cr0 %#jx, cr4 %#jx", (uintmax_t)vmcb->cr0,
		      (uintmax_t)vmcb->cr4);
}

/* A state that VMRUN takes, to begin with. */
static void make_legal(struct vmcb *vmcb, unsigned mode)
{
	vmcb->cr0 = CR0_PE | CR0_ET | (mode & 1 ? CR0_PG : 0);
	vmcb->cr4 = mode & 2 ? CR4_PAE : 0;
	vmcb->efer = EFER_SVME | (mode & 4 ? EFER_LME : 0);
	if (vmcb->efer & EFER_LME && vmcb->cr0 & CR0_PG) {
		vmcb->cr4 |= CR4_PAE;
		vmcb->efer |= EFER_LMA;
	}
	vmcb->cs.attrib = mode & 8 && vmcb->efer & EFER_LMA ? SEG_CODE64 : 0xc9b;
}

static void check_cr_write(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb, before = *vmcb;
	bool done;

	flushes = 0;
	done = svm_handle_cr_write(vcpu);
	check_control_registers(vmcb);
	if (!done || EVENT_VECTOR(vmcb->event_inj) == VECTOR_GP) {
		CHECK(vmcb->cr0 == before.cr0 && vmcb->cr4 == before.cr4 && vmcb->rip == before.rip, "half done");
		return;
	}
	CHECK_EQ(flushes, 1);
	if (svm_features.nrips)
		check_completed(vmcb, before.next_rip, 0);
	else
		CHECK((uint32_t)(vmcb->rip - before.rip) >= 3 && (uint32_t)(vmcb->rip - before.rip) <= 15, "%ju bytes",
		      (uintmax_t)(vmcb->rip - before.rip));
}

/* An access to the device has been served: the guest is behind it, and of its registers only the one that is loaded may differ. */
static void check_device(struct vcpu *vcpu, const struct vmcb *before, const uint64_t *gpr)
{
	const struct mmio_insn *insn = &vcpu->arch.mmio.insn;
	const struct vmcb *vmcb = vcpu->arch.svm.vmcb;

	CHECK_EQ(insn->write, (bool)(before->exitinfo1 & PF_WRITE));
	CHECK(!(before->exitinfo1 & (PF_FETCH | NPF_GUEST_WALK)) && !(before->exitintinfo & EVENT_VALID),
	      "no access of an instruction");
	check_completed(vmcb, before->rip + insn->length, 0);
	CHECK(!(before->rflags & RFLAGS_TF), "without its trap");
	for (unsigned i = 0; i < GPR_COUNT; i++)
		CHECK(vcpu->arch.gpr[i] == gpr[i] || (!insn->write && i == insn->gpr), "register %u", i);
	CHECK(insn->gpr != RBX && insn->gpr != RBP && insn->gpr < R12, "register %u, which is not the guest's here", insn->gpr);
	CHECK(vmcb->rax == before->rax || (!insn->write && insn->gpr == RAX), "rax");
}

/* What has interrupted the CPU was for the guest alone, or something is left to the scheduler, or to the vCPU itself. */
static void check_interrupted(struct vcpu *vcpu, unsigned flags)
{
	static const unsigned all[] = { 0, EXIT_INTERRUPTED, EXIT_ATTENTION, FAULT_NOT_SERVED };
	unsigned left = all[flags & 3];
	uint64_t others = vcpu->exits.other;
	bool delivers;

	vcpu->again = NULL;
	vcpu->attention = left == EXIT_ATTENTION;
	vcpu->arch.apic.requests = flags & 4 ? REQUEST_INIT : 0;
	delivers = left == EXIT_ATTENTION && !(flags & 4);
	CHECK_EQ(svm_attend(vcpu, left), delivers ? 0 : left);
	CHECK_EQ((bool)vcpu->attention, left == EXIT_ATTENTION && !delivers);
	CHECK_EQ(vcpu->exits.other - others, delivers);
	vcpu->arch.apic.requests = 0;
}

/*
 * An interrupt that is pending is injected if and only if the guest takes it now: it is of a higher priority than what is in
 * service and than CR8, and IF is set; else the exit that waits for it is asked for.
 */
static void check_delivery(struct vcpu *vcpu, struct host_rng *rng)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb;
	struct guest_apic *apic = &vcpu->arch.apic;
	unsigned vector = 16 + (unsigned)host_below(rng, 240), served = (unsigned)host_below(rng, 256) & ~15u;
	bool above, takes;

	apic_reset_registers(apic);
	apic->base = APIC_BASE_EN;
	apic->irr[vector / 64] = BIT(vector % 64);
	if (served) {
		apic->service[++apic->serving] = (uint8_t)served;
		apic->isr[served / 64] |= BIT(served % 64);
	}
	vmcb->int_ctl = INT_CTL_V_INTR_MASKING | host_below(rng, 16);
	vmcb->int_state = 0;
	vmcb->rip >>= 1; /* not that of no shadow */
	vmcb->event_inj = host_below(rng, 4) ? 0 : EVENT_VALID;
	vcpu->arch.svm.shadow_at = SVM_NO_RIP;
	vcpu->attention = 1;
	above = vector >> 4 > served >> 4 && vector >> 4 > (vmcb->int_ctl & 15);
	takes = above && vmcb->rflags & RFLAGS_IF && !vmcb->event_inj;
	CHECK(attend(vcpu), "left");
	CHECK_EQ(vmcb->event_inj == (EVENT_VALID | vector), takes);
	CHECK_EQ(apic_has(apic->irr, vector), !takes);
	CHECK_EQ(apic_served(apic), takes ? vector : served);
	CHECK_EQ((bool)(vmcb->int_ctl & INT_CTL_V_IRQ), above && !takes);
	CHECK_EQ((bool)(vmcb->intercept_misc1 & INTERCEPT_VINTR), above && !takes);
	CHECK_EQ((bool)(vmcb->intercept_cr_write & BIT(8)), vector >> 4 > served >> 4 && !above);
}

static void check_exit(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->arch.svm.vmcb, before = *vmcb;
	struct vm_exit *exit;
	uint64_t gpr[GPR_COUNT];

	memcpy(gpr, vcpu->arch.gpr, sizeof(gpr));
	exit = fuzz_decode(vcpu, svm_exit(vcpu), svm_decode);
	CHECK_EQ(exit->reason, vmcb->exitcode);
	if (exit->kind == VM_EXIT_IO && exit->io.space == IO_MEMORY) {
		check_device(vcpu, &before, gpr);
		return;
	}
	switch (exit->kind) {
	case VM_EXIT_FAULT:
		CHECK(exit->fault.access > 0 && exit->fault.access <= NPT_RWX, "access %u", exit->fault.access);
		break;
	case VM_EXIT_IO:
		CHECK(exit->io.addr <= UINT16_MAX && exit->io.value >> (8 * exit->io.size) == 0, "port %#jx, value %#jx",
		      (uintmax_t)exit->io.addr, (uintmax_t)exit->io.value);
		svm_finish_io(vcpu, exit);
		check_completed(vmcb, vmcb->exitinfo2, io_hits);
		break;
	case VM_EXIT_HYPERCALL:
		CHECK_EQ(vmcb->cpl, 0);
		check_completed(vmcb, vmcb->next_rip, 0);
		break;
	case VM_EXIT_HALT:
	case VM_EXIT_INTERRUPT:
	case VM_EXIT_ARCH:
	case VM_EXIT_CRASH:
	case VM_EXIT_ENTRY_FAILED:
		break;
	default:
		CHECK(false, "kind %d", (int)exit->kind);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t codes[] = {
		VMEXIT_CR0_SEL_WRITE, VMEXIT_CR0_WRITE, VMEXIT_CR0_WRITE + 4, VMEXIT_NPF,   VMEXIT_VMMCALL, VMEXIT_IOIO,
		VMEXIT_HLT,           VMEXIT_SHUTDOWN,  VMEXIT_INVALID,       VMEXIT_CPUID, VMEXIT_INTR,
	};
	static const uint8_t moves[] = { MOV_STORE, MOV_STORE + 1, MOV_LOAD, MOV_LOAD + 1, MOV_IMMEDIATE + 1 };
	struct host_rng rng = host_rng_of_bytes(data, size);
	unsigned flags = (unsigned)host_below(&rng, 256);
	static struct vm vm;
	struct vmcb vmcb = { 0 };
	struct vcpu *vcpu = &vm.vcpu;

	vcpu->arch = (struct vcpu_arch){ .svm = { .vmcb = &vmcb, .shadow_at = SVM_NO_RIP } };
	apic_reset_registers(&vcpu->arch.apic);
	vcpu->vm = &vm;
	svm_features.nrips = flags & 16;
	make_legal(&vmcb, flags);
	vmcb.exitcode = codes[host_below(&rng, ARRAY_LEN(codes))];
	vmcb.cpl = flags & 32 ? 3 : 0;
	vmcb.exitinfo1 = host_random(&rng);
	vmcb.exitinfo2 = host_random(&rng);
	vmcb.exitintinfo = host_random(&rng);
	vmcb.rax = host_random(&rng);
	vmcb.rflags = host_random(&rng) & (RFLAGS_TF | RFLAGS_RF | RFLAGS_IF);
	vmcb.int_state = host_random(&rng) & INT_STATE_SHADOW;
	vmcb.dr7 = host_random(&rng) & DR7_GD;
	io_hits = host_random(&rng) & DR6_HITS;
	vmcb.rip = host_random(&rng) >> 1;
	if (!svm_in_64bit_code(&vmcb))
		vmcb.rip = (uint32_t)vmcb.rip >> 1;
	vmcb.next_rip = vmcb.rip + 3;
	for (size_t i = 0; i < GPR_COUNT; i++)
		vcpu->arch.gpr[i] = i % 4 ? host_random(&rng) & GUEST_CR4 : host_random(&rng);
	if (vmcb.exitcode == VMEXIT_NPF) /* one of our own mistakes, to die of */
		vmcb.exitinfo1 &= ~(uint64_t)PF_RESERVED;
	if (vmcb.exitcode == VMEXIT_IOIO) /* one bit of three */
		vmcb.exitinfo1 = (vmcb.exitinfo1 & ~(uint64_t)0x70) | UINT64_C(0x10) << vmcb.exitinfo1 % 3;
	if (vmcb.exitcode == VMEXIT_NPF && flags & 64)
		vmcb.exitinfo2 = GUEST_DEVICES + (vmcb.exitinfo2 & 0xfff);
	vm.time_max = NEVER;
	vm.cpu_time = 0;
	vm.devices = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .device = { &device }, .count = 1 };
	device.table = &vm.devices;
	device.slow = flags & 128 && vmcb.exitinfo1 & 4;
	vcpu->attention = flags & 128;
	vcpu->again = NULL;
	for (code_bytes = 0; code_bytes < sizeof(code) && !host_rng_spent(&rng); code_bytes++)
		code[code_bytes] = (uint8_t)host_below(&rng, 256);
	if (flags & 64) /* most of what begins with these is a move */
		code[0] = moves[code[0] % sizeof(moves)];
	check_exit(vcpu);
	check_interrupted(vcpu, flags);
	check_delivery(vcpu, &rng);
	vmcb.event_inj = 0;
	check_cr_write(vcpu);
	return 0;
}
