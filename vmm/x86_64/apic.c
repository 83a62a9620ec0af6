/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's local APIC: identification, modes, and inter-processor interrupts as far as they start a CPU. Interrupts to a guest
 * there are none: what would make one is accepted and does nothing. Intel SDM vol. 3 "Advanced Programmable Interrupt Controller".
 */
#include "vmm/x86_64/apic.h"

#include "include/arch/x86_64/msr.h"
#include "vmm/cpu.h"
#include "vmm/sched.h"
#include "vmm/x86_64/emulate.h"
#include "vmm/x86_64/virt_ops.h"

/* Registers, by their number: the offset in the page divided by 16, and the MSR less 0x800. SDM, "Local APIC Register Address Map".
 */
enum apic_register {
	APIC_ID = 0x02,
	APIC_VERSION = 0x03,
	APIC_TPR = 0x08,
	APIC_PPR = 0x0a,
	APIC_EOI = 0x0b,
	APIC_LDR = 0x0d,
	APIC_DFR = 0x0e,
	APIC_SVR = 0x0f,
	APIC_ISR = 0x10, /* and TMR and IRR, 8 each */
	APIC_ESR = 0x28,
	APIC_ICR = 0x30,
	APIC_ICR_HIGH = 0x31,
	APIC_LVT_TIMER = 0x32, /* and five more */
	APIC_LVT_ERROR = 0x37,
	APIC_TIMER_INITIAL = 0x38,
	APIC_TIMER_CURRENT = 0x39,
	APIC_TIMER_DIVIDE = 0x3e,
	APIC_SELF_IPI = 0x3f,
};
#define APIC_STRIDE 16

#define VERSION_6_LVTS 0x50014
#define LVT_MASKED     BIT(16)
#define TPR_LOW        BITS(3, 0)
#define SVR_WRITABLE   BITS(9, 0)
#define DFR_WRITABLE   BITS(31, 28)
#define ID_SHIFT       24 /* of the ID and LDR registers in xAPIC mode */

/* Interrupt command register */
#define ICR_MODE(icr)      ((unsigned)((icr) >> 8 & 7))
#define ICR_VECTOR(icr)    ((uint8_t)(icr))
#define ICR_LOGICAL        BIT(11)
#define ICR_ASSERT         BIT(14)
#define ICR_LEVEL          BIT(15)
#define ICR_SHORTHAND(icr) ((unsigned)((icr) >> 18 & 3))
#define ICR_WRITABLE       (BITS(63, 32) | BITS(19, 18) | BITS(15, 14) | BITS(11, 0))
enum icr_mode { ICR_FIXED = 0, ICR_INIT = 5, ICR_STARTUP = 6 };
enum icr_shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

/* What a guest has asked for and does not get, for struct vm_arch's ipis_logged. */
enum ignored_ipi { IGNORED_DELIVERY, IGNORED_INIT, IGNORED_REAL_MODE };

static bool is_x2apic(const struct vcpu *vcpu)
{
	return vcpu->arch.apic.base & APIC_BASE_EXTD;
}

static bool is_enabled(const struct vcpu *vcpu)
{
	return vcpu->arch.apic.base & APIC_BASE_EN;
}

static void log_ignored(struct vcpu *vcpu, enum ignored_ipi what)
{
	static const char *const why[] = {
		[IGNORED_DELIVERY] = "interrupts are not delivered to guests",
		[IGNORED_INIT] = "a vCPU that runs is not reset",
		[IGNORED_REAL_MODE] = "this CPU's VMX has no unrestricted guest: no vCPU can start in real mode",
	};

	if (__atomic_fetch_or(&vcpu->vm->arch.ipis_logged, 1u << what, __ATOMIC_RELAXED) & 1u << what)
		return;
	log_vm_warn(vcpu->vm, "guest's local APIC has sent what has no effect (ICR %#lx): %s; not logged again",
		    vcpu->arch.apic.icr, why[what]);
}

/* SDM, "Logical Destination Mode", "Logical Destination Mode in x2APIC Mode". */
static uint32_t x2apic_logical_id(const struct vcpu *vcpu)
{
	return (vcpu->id >> 4) << 16 | 1u << (vcpu->id & 15);
}

static bool matches(const struct vcpu *from, const struct vcpu *to)
{
	uint64_t icr = from->arch.apic.icr;
	uint32_t destination = (uint32_t)(icr >> 32);

	if (is_x2apic(from)) {
		uint32_t id = x2apic_logical_id(to);

		if (destination == UINT32_MAX || !(icr & ICR_LOGICAL))
			return destination == UINT32_MAX || destination == to->id;
		return destination >> 16 == id >> 16 && destination & id & UINT16_MAX;
	}
	destination >>= ID_SHIFT;
	if (destination == UINT8_MAX || !(icr & ICR_LOGICAL))
		return destination == UINT8_MAX || destination == to->id;
	return destination & to->arch.apic.ldr >> ID_SHIFT; /* the flat model */
}

static bool is_addressed(const struct vcpu *from, const struct vcpu *to)
{
	switch ((enum icr_shorthand)ICR_SHORTHAND(from->arch.apic.icr)) {
	case TO_SELF:
		return to == from;
	case TO_ALL:
		return true;
	case TO_OTHERS:
		return to != from;
	default:
		return matches(from, to);
	}
}

static void send_startup(struct vcpu *from, struct vcpu *to)
{
	if (!virt->real_mode()) {
		log_ignored(from, IGNORED_REAL_MODE);
		return;
	}
	/* One that runs, or has been started by now, does not take it: software sends two, to be sure. */
	if (sched_start_at(to, NULL, (uint64_t)ICR_VECTOR(from->arch.apic.icr) << PAGE_SHIFT, 0) != ERR_OK)
		return;
}

static void send_to(struct vcpu *from, struct vcpu *to)
{
	uint64_t icr = from->arch.apic.icr;

	switch (ICR_MODE(icr)) {
	case ICR_INIT:
		/* One that is off waits for a start-up IPI already; its end (SDM: "INIT Level De-assert") has no effect. */
		if ((icr & ICR_ASSERT || !(icr & ICR_LEVEL)) && __atomic_load_n(&to->state, __ATOMIC_RELAXED) != VCPU_OFF)
			log_ignored(from, IGNORED_INIT);
		break;
	case ICR_STARTUP:
		send_startup(from, to);
		break;
	default:
		log_ignored(from, IGNORED_DELIVERY);
	}
}

void apic_send_pending(struct vcpu *vcpu)
{
	if (!vcpu->arch.apic.sends)
		return;
	vcpu->arch.apic.sends = false;
	for (unsigned i = 0; i < vcpu->vm->vcpus; i++) {
		struct vcpu *to = vm_vcpu(vcpu->vm, i);

		if (is_addressed(vcpu, to))
			send_to(vcpu, to);
	}
}

/* False: there is no such register, or it is not readable. */
static bool read_register(struct vcpu *vcpu, unsigned number, uint64_t *value)
{
	const struct guest_apic *apic = &vcpu->arch.apic;
	bool x2apic = is_x2apic(vcpu);

	*value = 0;
	switch (number) {
	case APIC_ID:
		*value = x2apic ? vcpu->id : vcpu->id << ID_SHIFT;
		return true;
	case APIC_VERSION:
		*value = VERSION_6_LVTS;
		return true;
	case APIC_TPR:
	case APIC_PPR: /* nothing is in service */
		*value = virt->get(vcpu, FIELD_CR8) << 4 | apic->tpr;
		return true;
	case APIC_LDR:
		*value = x2apic ? x2apic_logical_id(vcpu) : apic->ldr;
		return true;
	case APIC_DFR:
		*value = apic->dfr;
		return !x2apic;
	case APIC_SVR:
		*value = apic->svr;
		return true;
	case APIC_ICR:
		*value = x2apic ? apic->icr : (uint32_t)apic->icr;
		return true;
	case APIC_ICR_HIGH:
		*value = apic->icr >> 32;
		return !x2apic;
	case APIC_LVT_TIMER ... APIC_LVT_ERROR:
		*value = LVT_MASKED;
		return true;
	case APIC_ISR ... APIC_ESR:
	case APIC_TIMER_INITIAL:
	case APIC_TIMER_CURRENT:
	case APIC_TIMER_DIVIDE:
		return true;
	}
	return false;
}

static bool write_tpr(struct vcpu *vcpu, uint64_t value)
{
	if (value > UINT8_MAX)
		return false;
	vcpu->arch.apic.tpr = value & TPR_LOW;
	virt->set(vcpu, FIELD_CR8, value >> 4);
	return true;
}

static bool write_svr(struct guest_apic *apic, uint64_t value)
{
	if (value & ~SVR_WRITABLE)
		return false;
	apic->svr = (uint32_t)value;
	return true;
}

/* In x2APIC mode all of it is one register, elsewhere this is the half that sends. */
static bool write_icr(struct vcpu *vcpu, uint64_t value)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	if (is_x2apic(vcpu) && value & ~ICR_WRITABLE)
		return false;
	if (!is_x2apic(vcpu))
		value = (apic->icr & BITS(63, 32)) | (uint32_t)value;
	apic->icr = value & ICR_WRITABLE;
	apic->sends = true;
	return true;
}

/* Registers that are writable in xAPIC mode only. */
static bool write_destination(struct guest_apic *apic, unsigned number, uint64_t value)
{
	if (number == APIC_LDR)
		apic->ldr = value & BITS(31, ID_SHIFT);
	else if (number == APIC_DFR)
		apic->dfr = (uint32_t)(value | ~DFR_WRITABLE);
	else
		apic->icr = value << 32 | (uint32_t)apic->icr;
	return true;
}

/* False: there is no such register, it is not writable, or not with this value. */
static bool write_register(struct vcpu *vcpu, unsigned number, uint64_t value)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	bool x2apic = is_x2apic(vcpu);

	if (x2apic && number != APIC_ICR && value >> 32)
		return false;
	switch (number) {
	case APIC_TPR:
		return write_tpr(vcpu, value);
	case APIC_SVR:
		return write_svr(apic, value);
	case APIC_ICR:
		return write_icr(vcpu, value);
	case APIC_LDR:
	case APIC_DFR:
	case APIC_ICR_HIGH:
		return !x2apic && write_destination(apic, number, value);
	case APIC_EOI:
	case APIC_ESR: /* only 0 may be written in x2APIC mode */
		return value == 0 || !x2apic;
	case APIC_SELF_IPI:
		return x2apic;
	case APIC_LVT_TIMER ... APIC_TIMER_INITIAL:
	case APIC_TIMER_DIVIDE:
		return true;
	}
	return false;
}

/* SDM, "x2APIC State Transitions": from x2APIC only to disabled, to x2APIC only from enabled. It is not moved elsewhere. */
bool apic_write_base(struct vcpu *vcpu, uint64_t value)
{
	const uint64_t mode = APIC_BASE_EN | APIC_BASE_EXTD;
	uint64_t old = vcpu->arch.apic.base;

	if ((value ^ old) & ~mode || (value & mode) == APIC_BASE_EXTD)
		return false;
	if ((old & mode) == mode && (value & mode) == APIC_BASE_EN)
		return false;
	if (!(old & mode) && (value & mode) == mode)
		return false;
	vcpu->arch.apic.base = value;
	return true;
}

bool apic_read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	return is_x2apic(vcpu) && read_register(vcpu, msr - IA32_X2APIC_FIRST, value);
}

bool apic_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (!is_x2apic(vcpu) || !write_register(vcpu, msr - IA32_X2APIC_FIRST, value))
		return false;
	apic_send_pending(vcpu);
	return true;
}

/*
 * An access to the page, by the vCPU that is in this CPU. SDM: registers are accessed by 32 bits at a multiple of 16. Where there
 * is no register, and while the APIC is disabled or in x2APIC mode, nobody answers.
 */
static void access_page(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vcpu *vcpu = arch_this_cpu()->resident;
	bool there = is_enabled(vcpu) && !is_x2apic(vcpu) && offset % APIC_STRIDE == 0;
	unsigned number = (unsigned)(offset / APIC_STRIDE);
	uint64_t value;

	(void)device;
	if (io->write) {
		if (there)
			write_register(vcpu, number, io->value);
		return;
	}
	io->value = there ? 0 : UINT32_MAX;
	if (there && read_register(vcpu, number, &value))
		io->value = value;
}

void apic_page_init(struct vm *vm)
{
	vm->arch.apic_page =
		(struct io_device){ .space = IO_MEMORY, .base = GUEST_APIC_PAGE, .size = PAGE_SIZE, .access = access_page };
	device_add(&vm->devices, &vm->arch.apic_page);
}
