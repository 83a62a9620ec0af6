/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's local APICs. Intel SDM vol. 3 "Advanced Programmable Interrupt Controller". From the registers down: apic.c has the
 * registers, apic_ipi.c the messages between APICs and from the IOAPIC, apic_deliver.c takes to the guest what is pending,
 * apic_timer.c is the timer, apic_accept.c how something becomes pending.
 */
#ifndef NESTLING_VMM_X86_64_APIC_H
#define NESTLING_VMM_X86_64_APIC_H

#include "include/arch/x86_64/msr.h"
#include "vmm/vm.h"

#define GUEST_APIC_PAGE   UINT64_C(0xfee00000)
#define GUEST_IOAPIC_PAGE UINT64_C(0xfec00000)

#define VECTOR_FIRST 16 /* those below are illegal in a message. SDM, "Valid Interrupt Vectors" */

#define SVR_ENABLED BIT(8)
#define LVT_MASKED  BIT(16)

/* The entries of guest_apic.lvt. */
enum apic_lvt { LVT_TIMER, LVT_THERMAL, LVT_COUNTERS, LVT_LINT0, LVT_LINT1, LVT_ERROR };

/* Bits of the error status register. SDM, "Error Status Register (ESR)". */
enum { ERROR_SEND_ILLEGAL = 1 << 5, ERROR_RECEIVE_ILLEGAL = 1 << 6, ERROR_ILLEGAL_REGISTER = 1 << 7 };

/* What a vCPU exits for as soon as it could take it: guest_apic.windows. */
enum guest_window {
	WINDOW_INTERRUPT = 1,
	WINDOW_NMI = 2,
	WINDOW_PRIORITY = 4, /* a write of CR8 */
};

/*
 * What INIT does to the registers. Its mode stays, and what says that a start-up IPI is waited for or has come: others write that
 * meanwhile. SDM, "Local APIC State After an INIT Reset (Wait-for-SIPI State)".
 */
static inline void apic_reset_registers(struct guest_apic *apic)
{
	apic->ldr = 0;
	apic->dfr = UINT32_MAX;
	apic->svr = 0xff;
	apic->tpr = 0;
	apic->icr = 0;
	for (unsigned i = 0; i < APIC_LVTS; i++)
		apic->lvt[i] = LVT_MASKED;
	apic->esr = apic->errors = 0;
	for (unsigned i = 0; i < APIC_WORDS; i++)
		apic->irr[i] = apic->tmr[i] = apic->isr[i] = 0;
	apic->serving = 0;
	apic->nmi_pending = apic->sends = false;
	apic->ended = 0;
	apic->timer_initial = apic->timer_divide = 0;
	apic->tsc_deadline = 0;
	apic->timer_deadline = apic->timer_due = NEVER;
}

/* As it is at first. */
static inline void apic_reset(struct vcpu *vcpu)
{
	vcpu->arch.apic = (struct guest_apic){ .base = GUEST_APIC_PAGE | APIC_BASE_EN | (vcpu->id == 0 ? APIC_BASE_BSP : 0) };
	apic_reset_registers(&vcpu->arch.apic);
}

static inline bool apic_is_enabled(const struct guest_apic *apic)
{
	return __atomic_load_n(&apic->base, __ATOMIC_RELAXED) & APIC_BASE_EN;
}

static inline bool apic_is_x2apic(const struct guest_apic *apic)
{
	return __atomic_load_n(&apic->base, __ATOMIC_RELAXED) & APIC_BASE_EXTD;
}

static inline bool apic_has(const uint64_t *words, unsigned vector)
{
	return __atomic_load_n(&words[vector / 64], __ATOMIC_RELAXED) & BIT(vector % 64);
}

static inline uint64_t apic_word(const uint64_t *words, unsigned i)
{
	return __atomic_load_n(&words[i], __ATOMIC_RELAXED);
}

/* The highest vector of a bitmap; 0: none, since no interrupt has a vector below 16. Without a loop: each delivery asks twice. */
static inline unsigned apic_highest(const uint64_t *words)
{
	uint64_t word;

	_Static_assert(APIC_WORDS == 4, "as many as are looked at");
	if ((word = apic_word(words, 3)))
		return 255 - (unsigned)__builtin_clzll(word);
	if ((word = apic_word(words, 2)))
		return 191 - (unsigned)__builtin_clzll(word);
	if ((word = apic_word(words, 1)))
		return 127 - (unsigned)__builtin_clzll(word);
	word = apic_word(words, 0);
	return word ? 63 - (unsigned)__builtin_clzll(word) : 0;
}

/* The vector that is being served, the highest of those that are; 0: none. */
static inline unsigned apic_served(const struct guest_apic *apic)
{
	return apic->service[apic->serving];
}

/* Is there any? */
static inline bool apic_any(const uint64_t *words)
{
	return apic_word(words, 0) | apic_word(words, 1) | apic_word(words, 2) | apic_word(words, 3);
}

/* Before the guest of this vCPU, which is resident here, is entered: look at what is pending. */
static inline void apic_look(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->attention, 1, __ATOMIC_RELAXED);
}

/* --- apic_accept.c ---------------------------------------------------------------------------------------------------- */

/* An interrupt has come for a vCPU, which may be anywhere. False: it takes none, or none of this vector. */
bool apic_accept(struct vcpu *to, uint8_t vector, bool level);
/* One of enum apic_request has. */
void apic_request(struct vcpu *to, unsigned request);
void apic_error(struct vcpu *vcpu, unsigned error);

/*
 * Make the vector requested, and tell nobody. False: the APIC takes none, or not this one. `*fresh`: nobody has been told of it
 * yet.
 */
static inline __attribute__((always_inline)) bool apic_request_vector(struct vcpu *to, unsigned vector, bool level, bool *fresh)
{
	struct guest_apic *apic = &to->arch.apic;
	uint64_t bit = BIT(vector % 64), *tmr = &apic->tmr[vector / 64];

	if (!apic_is_enabled(apic) || !(__atomic_load_n(&apic->svr, __ATOMIC_RELAXED) & SVR_ENABLED))
		return false;
	if (vector < VECTOR_FIRST) {
		apic_error(to, ERROR_RECEIVE_ILLEGAL);
		return false;
	}
	if (level)
		__atomic_fetch_or(tmr, bit, __ATOMIC_RELAXED);
	else if (__atomic_load_n(tmr, __ATOMIC_RELAXED) & bit)
		__atomic_fetch_and(tmr, ~bit, __ATOMIC_RELAXED);
	*fresh = !(__atomic_fetch_or(&apic->irr[vector / 64], bit, __ATOMIC_RELEASE) & bit);
	return true;
}

/* --- apic_timer.c: of the vCPU that is resident here ------------------------------------------------------------------- */

/* The initial count, IA32_TSC_DEADLINE, the timer's LVT or the TSC's offset have been written. */
void apic_timer_start(struct vcpu *vcpu, uint32_t initial);
void apic_timer_write_deadline(struct vcpu *vcpu, uint64_t value);
void apic_timer_write_lvt(struct vcpu *vcpu, uint32_t value);
void apic_timer_tsc_changed(struct vcpu *vcpu);
uint32_t apic_timer_current(const struct vcpu *vcpu);
/* Has its time come, which is set? Then it fires; by who looks at what is pending next. */
void apic_timer_look(struct vcpu *vcpu);
static inline void apic_timer_serve(struct vcpu *vcpu)
{
	if (vcpu->arch.apic.timer_deadline != NEVER)
		apic_timer_look(vcpu);
}
/* Its last interrupt is no longer pending: the next one counts. */
void apic_timer_settle(struct vcpu *vcpu);
static inline void apic_timer_taken(struct vcpu *vcpu)
{
	if (vcpu->arch.apic.timer_deadline != NEVER)
		apic_timer_settle(vcpu);
}

/* --- apic_deliver.c: of the vCPU that is resident here ----------------------------------------------------------------- */

/* HLT: wait until there is something to deliver. */
void apic_halt(struct vcpu *vcpu);
/* An interrupt that was being delivered, and met a fault there, or the NMI: it comes again. */
void apic_take_back(struct vcpu *vcpu, uint8_t vector);
void apic_take_back_nmi(struct vcpu *vcpu);

/* --- apic_ipi.c ------------------------------------------------------------------------------------------------------- */

static inline bool apic_has_to_send(const struct guest_apic *apic)
{
	return apic->ended || apic->sends;
}
/* Carry out what an access has asked for: an inter-processor interrupt, the end of a level's interrupt. With no lock held. */
void apic_send_pending(struct vcpu *vcpu);
/*
 * A command in x2APIC mode on the fast path: a vector for one vCPU whose APIC is in that mode, too. False: it is another one, and
 * nothing has been done.
 */
bool apic_send_fixed(struct vcpu *vcpu, uint64_t icr);
/* A vector of self-IPI. */
void apic_send_to_self(struct vcpu *vcpu, uint8_t vector);
/* struct ioapic's `deliver`. */
bool apic_take_message(struct ioapic *ioapic, const struct ioapic_message *message);

/* --- apic.c ----------------------------------------------------------------------------------------------------------- */

/* The page of registers that all local APICs of a VM are at. */
void apic_page_init(struct vm *vm);

/* IA32_APIC_BASE, and the MSRs that are registers in x2APIC mode. False: the guest is to get #GP(0). */
bool apic_write_base(struct vcpu *vcpu, uint64_t value);
bool apic_read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool apic_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value);
/* Two of them, as MSRs. */
#define IA32_X2APIC_EOI (IA32_X2APIC_FIRST + 0x0b)
#define IA32_X2APIC_ICR (IA32_X2APIC_FIRST + 0x30)

/* May the fast path write `value` to the register of that name in x2APIC mode? Not if it ends a level's: the IOAPIC is told, too.
 */
static inline bool apic_may_end(const struct guest_apic *apic, uint64_t value)
{
	return value == 0 && apic_is_x2apic(apic) && !apic_has(apic->tmr, apic_served(apic));
}

/* The end of the interrupt that is being served; it is none of a level. What it has kept back may come now. */
static inline void apic_end(struct vcpu *vcpu)
{
	struct guest_apic *apic = &vcpu->arch.apic;
	unsigned vector = apic_served(apic);

	apic->isr[vector / 64] &= ~BIT(vector % 64);
	apic->serving -= vector != 0;
	if (apic_any(apic->irr))
		apic_look(vcpu);
}

/* A command in that mode that sends to one vCPU, on the fast path. False: it is another one, and nothing has been done. */
bool apic_command_fast(struct vcpu *vcpu, uint64_t icr);

#endif
