/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to a guest's local APICs: from one another, and from the IOAPIC. Intel SDM vol. 3 "Issuing Interprocessor Interrupts",
 * "Determining IPI Destination".
 */
#include "vmm/sched.h"
#include "vmm/x86_64/apic.h"
#include "vmm/x86_64/virt_ops.h"

/* Interrupt command register */
#define ICR_MODE(icr)      ((enum delivery_mode)((icr) >> 8 & 7))
#define ICR_VECTOR(icr)    ((uint8_t)(icr))
#define ICR_LOGICAL        BIT(11)
#define ICR_ASSERT         BIT(14)
#define ICR_LEVEL          BIT(15)
#define ICR_SHORTHAND(icr) ((enum icr_shorthand)((icr) >> 18 & 3))
#define XAPIC_ID_SHIFT     24
enum icr_shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

struct message {
	uint32_t destination;
	bool broadcast, logical, level;
	enum delivery_mode mode;
	uint8_t vector;
	struct vcpu *from; /* NULL: the IOAPIC */
};

/* What a guest has asked for and does not get, for struct vm_arch's ipis_logged. */
enum ignored_ipi { IGNORED_MODE, IGNORED_REAL_MODE };

static void log_ignored(struct vm *vm, const struct message *message, enum ignored_ipi what)
{
	static const char *const why[] = {
		[IGNORED_MODE] = "there is no such delivery mode here",
		[IGNORED_REAL_MODE] = "this CPU's VMX has no unrestricted guest: no vCPU can start in real mode",
	};

	if (__atomic_fetch_or(&vm->arch.ipis_logged, 1u << what, __ATOMIC_RELAXED) & 1u << what)
		return;
	log_vm_warn(vm, "guest's %s has sent what has no effect (delivery mode %u, vector %#x): %s; not logged again",
		    message->from ? "local APIC" : "IOAPIC", (unsigned)message->mode, message->vector, why[what]);
}

/* Of a start-up IPI: a vCPU that has been reset takes it itself; one that runs takes none. Software sends two, to be sure. */
static bool start(struct vcpu *to, const struct message *message)
{
	struct guest_apic *apic = &to->arch.apic;

	if (!virt->real_mode()) {
		log_ignored(to->vm, message, IGNORED_REAL_MODE);
		return false;
	}
	if (__atomic_load_n(&apic->waits_for_startup, __ATOMIC_RELAXED)) {
		__atomic_store_n(&apic->startup_vector, message->vector, __ATOMIC_RELAXED);
		apic_request(to, REQUEST_STARTUP);
		return true;
	}
	return sched_start_at(to, NULL, (uint64_t)message->vector << PAGE_SHIFT, 0) == ERR_OK;
}

/* One that is off waits for a start-up IPI already. */
static void init(struct vcpu *to)
{
	struct guest_apic *apic = &to->arch.apic;

	if (__atomic_load_n(&to->state, __ATOMIC_RELAXED) == VCPU_OFF)
		return;
	__atomic_fetch_and(&apic->requests, ~(uint32_t)REQUEST_STARTUP, __ATOMIC_RELAXED);
	__atomic_store_n(&apic->waits_for_startup, true, __ATOMIC_RELAXED);
	apic_request(to, REQUEST_INIT);
}

static bool hand_over(struct vcpu *to, const struct message *message)
{
	switch (message->mode) {
	case DELIVER_FIXED:
	case DELIVER_LOWEST:
		return apic_accept(to, message->vector, message->level);
	case DELIVER_NMI:
		if (__atomic_load_n(&to->state, __ATOMIC_RELAXED) != VCPU_OFF)
			apic_request(to, REQUEST_NMI);
		return true;
	case DELIVER_INIT:
		init(to);
		return true;
	case DELIVER_STARTUP:
		return message->from && start(to, message);
	default:
		log_ignored(to->vm, message, IGNORED_MODE);
		return false;
	}
}

/* SDM, "Logical Destination Mode in x2APIC Mode": clusters of 16. */
static bool matches_x2apic(const struct vcpu *to, uint32_t destination)
{
	return destination >> 16 == to->id >> 4 && destination >> (to->id & 15) & 1;
}

/* SDM, "Logical Destination Mode": the flat model if DFR's model is all ones, else clusters of four. */
static bool matches_xapic(const struct guest_apic *apic, uint32_t destination)
{
	uint32_t ldr = __atomic_load_n(&apic->ldr, __ATOMIC_RELAXED) >> XAPIC_ID_SHIFT;

	if (__atomic_load_n(&apic->dfr, __ATOMIC_RELAXED) >> 28 == 0xf)
		return destination & ldr;
	return destination >> 4 == ldr >> 4 && destination & ldr & 0xf;
}

static bool matches(const struct vcpu *to, const struct message *message)
{
	if (message->broadcast)
		return true;
	if (!message->logical)
		return message->destination == to->id;
	return apic_is_x2apic(&to->arch.apic) ? matches_x2apic(to, message->destination) :
						matches_xapic(&to->arch.apic, message->destination);
}

/* "Lowest priority" goes to the first that takes it. True: somebody has. */
static bool send(struct vm *vm, const struct message *message)
{
	bool taken = false;

	if (!message->broadcast && !message->logical) {
		struct vcpu *to = vm_vcpu(vm, message->destination);

		return to && hand_over(to, message);
	}
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct vcpu *to = vm_vcpu(vm, i);

		if (!matches(to, message) || !hand_over(to, message))
			continue;
		taken = true;
		if (message->mode == DELIVER_LOWEST)
			break;
	}
	return taken;
}

static void send_by_shorthand(struct vm *vm, const struct message *message, enum icr_shorthand shorthand)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct vcpu *to = vm_vcpu(vm, i);

		if (shorthand == TO_ALL || (to == message->from) == (shorthand == TO_SELF))
			hand_over(to, message);
	}
}

static void send_command(struct vcpu *vcpu)
{
	const struct guest_apic *apic = &vcpu->arch.apic;
	uint64_t icr = apic->icr;
	bool x2apic = apic_is_x2apic(apic);
	const struct message message = {
		.destination = (uint32_t)(icr >> 32) >> (x2apic ? 0 : XAPIC_ID_SHIFT),
		.broadcast = icr >> 32 >> (x2apic ? 0 : XAPIC_ID_SHIFT) == (x2apic ? UINT32_MAX : UINT8_MAX),
		.logical = icr & ICR_LOGICAL,
		.mode = ICR_MODE(icr),
		.vector = ICR_VECTOR(icr),
		.from = vcpu,
	};

	if (message.mode <= DELIVER_LOWEST && message.vector < VECTOR_FIRST) {
		apic_error(vcpu, ERROR_SEND_ILLEGAL);
		return;
	}
	/* The end of an INIT (SDM: "INIT Level De-assert") has no effect. */
	if (message.mode == DELIVER_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
		return;
	if (ICR_SHORTHAND(icr) == TO_DESTINATION)
		send(vcpu->vm, &message);
	else
		send_by_shorthand(vcpu->vm, &message, ICR_SHORTHAND(icr));
}

/* One bit of a cluster, or an id. SDM, "Logical Destination Mode in x2APIC Mode". */
static struct vcpu *only_target(const struct vm *vm, uint32_t destination, bool logical)
{
	uint32_t bits = destination & UINT16_MAX;

	if (!logical)
		return vm_vcpu(vm, destination);
	return bits != 0 && !(bits & (bits - 1)) ? vm_vcpu(vm, (destination >> 16 << 4) + (unsigned)__builtin_ctz(bits)) : NULL;
}

bool apic_send_fixed(struct vcpu *vcpu, uint64_t icr)
{
	struct vcpu *to = only_target(vcpu->vm, (uint32_t)(icr >> 32), icr & ICR_LOGICAL);

	if (!to || ICR_MODE(icr) != DELIVER_FIXED || ICR_SHORTHAND(icr) != TO_DESTINATION || ICR_VECTOR(icr) < VECTOR_FIRST ||
	    !apic_is_x2apic(&to->arch.apic))
		return false;
	vcpu->arch.apic.icr = icr;
	apic_accept(to, ICR_VECTOR(icr), false);
	return true;
}

static void send_end(struct vcpu *vcpu)
{
	struct device_table *devices = &vcpu->vm->devices;

	spin_lock(&devices->lock);
	ioapic_end(&vcpu->vm->arch.ioapic, vcpu->arch.apic.ended);
	spin_unlock(&devices->lock);
	vcpu->arch.apic.ended = 0;
}

void apic_send_pending(struct vcpu *vcpu)
{
	struct guest_apic *apic = &vcpu->arch.apic;

	if (apic->ended)
		send_end(vcpu);
	if (!apic->sends)
		return;
	apic->sends = false;
	send_command(vcpu);
}

void apic_send_to_self(struct vcpu *vcpu, uint8_t vector)
{
	if (vector < VECTOR_FIRST)
		apic_error(vcpu, ERROR_SEND_ILLEGAL);
	else
		apic_accept(vcpu, vector, false);
}

bool apic_take_message(struct ioapic *ioapic, const struct ioapic_message *from)
{
	const struct message message = {
		.destination = from->destination,
		.broadcast = from->destination == UINT8_MAX,
		.logical = from->logical,
		.level = from->level,
		.mode = from->mode,
		.vector = from->vector,
	};

	return send(CONTAINER_OF(ioapic, struct vm, arch.ioapic), &message);
}
