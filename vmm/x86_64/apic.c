/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a guest's local APIC: in memory, and in x2APIC mode as MSRs. Nothing is wired to the two LINT inputs, and there
 * are no performance counters and no thermal sensor.
 */
#include "vmm/x86_64/apic.h"

#include "vmm/cpu.h"
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
	APIC_ISR = 0x10, /* eight of each */
	APIC_TMR = 0x18,
	APIC_IRR = 0x20,
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
_Static_assert(APIC_EOI == IA32_X2APIC_EOI - IA32_X2APIC_FIRST && APIC_ICR == IA32_X2APIC_ICR - IA32_X2APIC_FIRST, "the MSRs");
#define APIC_STRIDE 16

#define VERSION_6_LVTS 0x50014
#define TPR_LOW        BITS(3, 0)
#define SVR_WRITABLE   BITS(9, 0)
#define DFR_WRITABLE   BITS(31, 28)
#define ID_SHIFT       24 /* of the ID and LDR registers in xAPIC mode */
#define ICR_WRITABLE   (BITS(63, 32) | BITS(19, 18) | BITS(15, 14) | BITS(11, 0))
#define DIVIDE_BITS    (BIT(3) | BITS(1, 0))

/* SDM, "Local Vector Table": mask and vector everywhere; the timer's mode; the others' delivery mode; the inputs' kind. */
static const uint32_t lvt_writable[APIC_LVTS] = {
	[LVT_TIMER] = (uint32_t)(BITS(18, 16) | BITS(7, 0)),
	[LVT_THERMAL] = (uint32_t)(BIT(16) | BITS(10, 8) | BITS(7, 0)),
	[LVT_COUNTERS] = (uint32_t)(BIT(16) | BITS(10, 8) | BITS(7, 0)),
	[LVT_LINT0] = (uint32_t)(BITS(16, 15) | BIT(13) | BITS(10, 0)),
	[LVT_LINT1] = (uint32_t)(BITS(16, 15) | BIT(13) | BITS(10, 0)),
	[LVT_ERROR] = (uint32_t)(BIT(16) | BITS(7, 0)),
};

/* SDM, "Logical Destination Mode in x2APIC Mode". */
static uint32_t x2apic_logical_id(const struct vcpu *vcpu)
{
	return (vcpu->id >> 4) << 16 | 1u << (vcpu->id & 15);
}

static uint32_t task_priority(struct vcpu *vcpu)
{
	return (uint32_t)virt->get(vcpu, FIELD_CR8) << 4 | vcpu->arch.apic.tpr;
}

/* SDM, "Task and Processor Priorities". */
static uint32_t processor_priority(struct vcpu *vcpu)
{
	uint32_t service = apic_served(&vcpu->arch.apic) & 0xf0, task = task_priority(vcpu);

	return service > (task & 0xf0) ? service : task;
}

/* What keeps others back may be gone. */
static void look_at_requested(struct vcpu *vcpu)
{
	if (apic_any(vcpu->arch.apic.irr))
		apic_look(vcpu);
}

static void end_interrupt(struct vcpu *vcpu)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	unsigned vector = apic_served(apic);

	if (vector != 0 && apic_has(apic->tmr, vector))
		apic->ended = (uint8_t)vector;
	apic_end(vcpu);
}

/* 32 bits of a bitmap of vectors. */
static uint32_t read_vectors(const uint64_t *words, unsigned part)
{
	return (uint32_t)(__atomic_load_n(&words[part / 2], __ATOMIC_RELAXED) >> (part % 2 * 32));
}

/* Those that are the same in both modes. False: there is no such register, or it is not readable. */
static bool read_common(struct vcpu *vcpu, unsigned number, uint64_t *value)
{
	const struct guest_apic *apic = &vcpu->arch.apic;

	switch (number) {
	case APIC_VERSION:
		*value = VERSION_6_LVTS;
		return true;
	case APIC_TPR:
		*value = task_priority(vcpu);
		return true;
	case APIC_PPR:
		*value = processor_priority(vcpu);
		return true;
	case APIC_SVR:
		*value = apic->svr;
		return true;
	case APIC_ISR ... APIC_ISR + 7:
		*value = read_vectors(apic->isr, number - APIC_ISR);
		return true;
	case APIC_TMR ... APIC_TMR + 7:
		*value = read_vectors(apic->tmr, number - APIC_TMR);
		return true;
	case APIC_IRR ... APIC_IRR + 7:
		*value = read_vectors(apic->irr, number - APIC_IRR);
		return true;
	case APIC_ESR:
		*value = apic->esr;
		return true;
	case APIC_LVT_TIMER ... APIC_LVT_ERROR:
		*value = apic->lvt[number - APIC_LVT_TIMER];
		return true;
	case APIC_TIMER_INITIAL:
		*value = apic->timer_initial;
		return true;
	case APIC_TIMER_CURRENT:
		*value = apic_timer_current(vcpu);
		return true;
	case APIC_TIMER_DIVIDE:
		*value = apic->timer_divide;
		return true;
	}
	return false;
}

static bool read_register(struct vcpu *vcpu, unsigned number, uint64_t *value)
{
	const struct guest_apic *apic = &vcpu->arch.apic;
	bool x2apic = apic_is_x2apic(apic);

	*value = 0;
	switch (number) {
	case APIC_ID:
		*value = x2apic ? vcpu->id : vcpu->id << ID_SHIFT;
		return true;
	case APIC_LDR:
		*value = x2apic ? x2apic_logical_id(vcpu) : apic->ldr;
		return true;
	case APIC_DFR:
		*value = apic->dfr;
		return !x2apic;
	case APIC_ICR:
		*value = x2apic ? apic->icr : (uint32_t)apic->icr;
		return true;
	case APIC_ICR_HIGH:
		*value = apic->icr >> 32;
		return !x2apic;
	}
	return read_common(vcpu, number, value);
}

static bool write_tpr(struct vcpu *vcpu, uint64_t value)
{
	if (value > UINT8_MAX)
		return false;
	vcpu->arch.apic.tpr = value & TPR_LOW;
	virt->set(vcpu, FIELD_CR8, value >> 4);
	look_at_requested(vcpu);
	return true;
}

/* Switched off by software, it masks all its sources. */
static bool write_svr(struct vcpu *vcpu, uint64_t value)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	if (value & ~SVR_WRITABLE)
		return false;
	__atomic_store_n(&apic->svr, (uint32_t)value, __ATOMIC_RELAXED);
	if (value & SVR_ENABLED)
		return true;
	for (unsigned i = LVT_TIMER + 1; i < APIC_LVTS; i++)
		apic->lvt[i] |= (uint32_t)LVT_MASKED;
	apic_timer_write_lvt(vcpu, apic->lvt[LVT_TIMER] | (uint32_t)LVT_MASKED);
	return true;
}

static bool write_lvt(struct vcpu *vcpu, unsigned lvt, uint64_t value)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	uint32_t written = (uint32_t)value & lvt_writable[lvt];

	if (apic_is_x2apic(apic) && value != written)
		return false;
	if (!(apic->svr & SVR_ENABLED))
		written |= (uint32_t)LVT_MASKED;
	if (lvt == LVT_TIMER)
		apic_timer_write_lvt(vcpu, written);
	else
		__atomic_store_n(&apic->lvt[lvt], written, __ATOMIC_RELAXED);
	return true;
}

/* In x2APIC mode all of it is one register, elsewhere this is the half that sends. */
static bool write_icr(struct guest_apic *apic, uint64_t value)
{
	if (apic_is_x2apic(apic) && value & ~ICR_WRITABLE)
		return false;
	if (!apic_is_x2apic(apic))
		value = (apic->icr & BITS(63, 32)) | (uint32_t)value;
	apic->icr = value & ICR_WRITABLE;
	apic->sends = true;
	return true;
}

/* Registers that are writable in xAPIC mode only. */
static bool write_destination(struct guest_apic *apic, unsigned number, uint64_t value)
{
	if (number == APIC_LDR)
		__atomic_store_n(&apic->ldr, (uint32_t)(value & BITS(31, ID_SHIFT)), __ATOMIC_RELAXED);
	else if (number == APIC_DFR)
		__atomic_store_n(&apic->dfr, (uint32_t)(value | ~DFR_WRITABLE), __ATOMIC_RELAXED);
	else
		apic->icr = value << 32 | (uint32_t)apic->icr;
	return true;
}

/* A write shows what has come since the last one. Only 0 may be written in x2APIC mode. */
static bool write_esr(struct guest_apic *apic, uint64_t value)
{
	if (apic_is_x2apic(apic) && value != 0)
		return false;
	apic->esr = __atomic_exchange_n(&apic->errors, 0, __ATOMIC_RELAXED);
	return true;
}

static bool write_divide(struct guest_apic *apic, uint64_t value)
{
	if (apic_is_x2apic(apic) && value & ~DIVIDE_BITS)
		return false;
	apic->timer_divide = (uint32_t)(value & DIVIDE_BITS);
	return true;
}

static bool write_self_ipi(struct vcpu *vcpu, uint64_t value)
{
	if (!apic_is_x2apic(&vcpu->arch.apic) || value > UINT8_MAX)
		return false;
	apic_send_to_self(vcpu, (uint8_t)value);
	return true;
}

/* False: there is no such register, it is not writable, or not with this value. */
static bool write_register(struct vcpu *vcpu, unsigned number, uint64_t value)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	bool x2apic = apic_is_x2apic(apic);

	if (x2apic && number != APIC_ICR && value >> 32)
		return false;
	switch (number) {
	case APIC_EOI: /* only 0 may be written in x2APIC mode */
		if (x2apic && value != 0)
			return false;
		end_interrupt(vcpu);
		return true;
	case APIC_ICR:
		return write_icr(apic, value);
	case APIC_TPR:
		return write_tpr(vcpu, value);
	case APIC_SVR:
		return write_svr(vcpu, value);
	case APIC_LDR:
	case APIC_DFR:
	case APIC_ICR_HIGH:
		return !x2apic && write_destination(apic, number, value);
	case APIC_ESR:
		return write_esr(apic, value);
	case APIC_LVT_TIMER ... APIC_LVT_ERROR:
		return write_lvt(vcpu, number - APIC_LVT_TIMER, value);
	case APIC_TIMER_INITIAL:
		apic_timer_start(vcpu, (uint32_t)value);
		return true;
	case APIC_TIMER_DIVIDE:
		return write_divide(apic, value);
	case APIC_SELF_IPI:
		return write_self_ipi(vcpu, value);
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
	__atomic_store_n(&vcpu->arch.apic.base, value, __ATOMIC_RELAXED);
	/* SDM, "Local APIC Status and Location": then it is as after a reset. */
	if (!(value & APIC_BASE_EN))
		apic_reset_registers(&vcpu->arch.apic);
	return true;
}

bool apic_read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	return apic_is_x2apic(&vcpu->arch.apic) && read_register(vcpu, msr - IA32_X2APIC_FIRST, value);
}

bool apic_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (!apic_is_x2apic(&vcpu->arch.apic) || !write_register(vcpu, msr - IA32_X2APIC_FIRST, value))
		return false;
	apic_send_pending(vcpu);
	return true;
}

bool apic_command_fast(struct vcpu *vcpu, uint64_t icr)
{
	return apic_is_x2apic(&vcpu->arch.apic) && !(icr & ~ICR_WRITABLE) && apic_send_fixed(vcpu, icr);
}

static bool in_page(uint64_t offset, const struct io_access *io)
{
	return offset % APIC_STRIDE == 0 && io->size == sizeof(uint32_t);
}

static void access_register(struct vcpu *vcpu, unsigned number, struct io_access *io)
{
	bool there;

	if (io->write) {
		there = write_register(vcpu, number, io->value);
	} else {
		there = read_register(vcpu, number, &io->value);
		io->value = there ? (uint32_t)io->value : 0;
	}
	if (!there)
		apic_error(vcpu, ERROR_ILLEGAL_REGISTER);
}

/*
 * An access to the page, by the vCPU that is in this CPU. SDM: registers are accessed by 32 bits at a multiple of 16. Otherwise,
 * and while the APIC is disabled or in x2APIC mode, nobody answers.
 */
static void access_page(struct io_device *device, uint64_t offset, struct io_access *io)
{
	struct vcpu *vcpu = arch_this_cpu()->resident;

	(void)device;
	if (apic_is_enabled(&vcpu->arch.apic) && !apic_is_x2apic(&vcpu->arch.apic) && in_page(offset, io))
		access_register(vcpu, (unsigned)(offset / APIC_STRIDE), io);
	else if (!io->write)
		io->value = ~UINT64_C(0) >> (64 - 8 * io->size);
}

void apic_page_init(struct vm *vm)
{
	vm->arch.apic_page = (struct io_device){
		.space = IO_MEMORY, .base = GUEST_APIC_PAGE, .size = PAGE_SIZE, .access = access_page, .slow = true
	};
	device_add(&vm->devices, &vm->arch.apic_page);
}
