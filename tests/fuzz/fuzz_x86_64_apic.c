/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86: a guest's local APICs and its IOAPIC: accesses of several vCPUs to the pages and the MSRs in all modes, the inputs' levels,
 * time, and what is delivered. A message reaches those that it is for and nobody else; what is injected was requested, is of higher
 * priority than all in service and than CR8, and comes when the guest can take it; a vCPU is started by a start-up IPI only. Input:
 * bytes, from which all this is drawn.
 */
#include "vmm/x86_64/apic.c"
#include "vmm/x86_64/apic_accept.c"
#include "vmm/x86_64/apic_deliver.c"
#include "vmm/x86_64/apic_ipi.c"
#include "vmm/x86_64/apic_timer.c"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#define VCPUS 5

static struct vm vm;
static struct vcpu others[VCPUS - 1];
static uint64_t cr8[VCPUS], rflags[VCPUS];
static unsigned started; /* by the last access, a bit each */
static uint64_t entry, now;
static bool real_mode, takes;

static uint64_t get(struct vcpu *vcpu, enum guest_field field)
{
	switch (field) {
	case FIELD_CR8:
		return cr8[vcpu->id];
	case FIELD_RFLAGS:
		return rflags[vcpu->id];
	default:
		CHECK_EQ(field, FIELD_TSC_OFFSET);
		return vcpu->id * UINT64_C(0x1234567812345678);
	}
}

static void set(struct vcpu *vcpu, enum guest_field field, uint64_t value)
{
	CHECK_EQ(field, FIELD_CR8);
	CHECK(value < 16, "CR8 %#jx", (uintmax_t)value);
	cr8[vcpu->id] = value;
}

static bool has_real_mode(void)
{
	return real_mode;
}

static bool accepts(struct vcpu *vcpu, unsigned window)
{
	return takes && (window == WINDOW_NMI || rflags[vcpu->id] & RFLAGS_IF);
}

static struct guest_apic before_delivery;

static void inject(struct vcpu *vcpu, uint8_t vector)
{
	const struct guest_apic *before = &before_delivery;

	CHECK(accepts(vcpu, WINDOW_INTERRUPT), "not now");
	CHECK(vector >= 16 && apic_has(vcpu->arch.apic.isr, vector) && !apic_has(vcpu->arch.apic.irr, vector), "vector %u", vector);
	CHECK(!apic_has(before->isr, vector) && vector >> 4 > apic_highest(before->isr) >> 4, "vector %u on %u", vector,
	      apic_highest(before->isr));
	CHECK(vector >> 4 > cr8[vcpu->id], "vector %u, CR8 %ju", vector, (uintmax_t)cr8[vcpu->id]);
	CHECK(vector >= apic_highest(before->irr) && apic_is_enabled(before), "vector %u", vector);
}

static void inject_nmi(struct vcpu *vcpu)
{
	CHECK(takes && (before_delivery.nmi_pending || before_delivery.requests & REQUEST_NMI), "an NMI of nobody");
	CHECK(!vcpu->arch.apic.nmi_pending, "twice");
}

static void open_windows(struct vcpu *vcpu, unsigned windows)
{
	CHECK_EQ(windows, vcpu->arch.apic.windows);
	CHECK(windows < 8, "windows %#x", windows);
}

static const struct virt_ops ops = { .get = get,
				     .set = set,
				     .real_mode = has_real_mode,
				     .accepts = accepts,
				     .inject_interrupt = inject,
				     .inject_nmi = inject_nmi,
				     .set_windows = open_windows };
const struct virt_ops *virt = &ops;

bool sched_claim(struct vcpu *vcpu)
{
	return vcpu->state == VCPU_OFF;
}

void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t at, uint64_t argument)
{
	(void)vcpu;
	CHECK(!by && argument == 0 && real_mode, "not as a start-up IPI");
	entry = at;
}

/* One that is off stays so here, and can be started again. */
void sched_start(struct vcpu *vcpu)
{
	started |= 1u << vcpu->id;
}

void vcpu_reset_real(struct vcpu *vcpu, uint64_t at)
{
	CHECK(real_mode && at <= UINT64_C(0xff000), "entry %#jx", (uintmax_t)at);
	CHECK_EQ(apic_highest(vcpu->arch.apic.isr), 0);
	vcpu->arch.apic.windows = 0;
}

void arch_vcpu_put(struct vcpu *vcpu)
{
	(void)vcpu;
}

void arch_vcpu_get(struct vcpu *vcpu)
{
	(void)vcpu;
}

void sched_notify(struct vcpu *vcpu)
{
	vcpu->attention = 1;
}

void arch_timer_rearm(struct cpu *of, uint64_t at)
{
	CHECK(of == arch_this_cpu() && at == now, "another CPU's, or at another time");
}

uint64_t arch_clock(void)
{
	return now;
}

/* Is a message for this vCPU? SDM vol. 3 "Determining IPI Destination", written anew. */
static bool addressed(const struct vcpu *to, uint32_t destination, bool broadcast, bool logical)
{
	const struct guest_apic *apic = &to->arch.apic;
	uint32_t ldr = apic->ldr >> 24;

	if (broadcast)
		return true;
	if (!logical)
		return destination == to->id;
	if (apic->base & APIC_BASE_EXTD)
		return destination >> 16 == 0 && destination >> to->id & 1;
	return apic->dfr >> 28 == 15 ? ldr & destination : destination >> 4 == ldr >> 4 && ldr & destination & 15;
}

static bool of_command(const struct vcpu *from, const struct vcpu *to, uint64_t icr)
{
	bool x2apic = from->arch.apic.base & APIC_BASE_EXTD;
	uint32_t destination = x2apic ? icr >> 32 : icr >> 56, all = x2apic ? UINT32_MAX : UINT8_MAX;

	switch (icr >> 18 & 3) {
	case 0:
		return addressed(to, destination, destination == all, icr >> 11 & 1);
	case 1:
		return to == from;
	case 2:
		return true;
	default:
		return to != from;
	}
}

/* What has come for others than `vcpu`, whose access it was: nothing, or what its command says. */
static void check_others(const struct vcpu *vcpu, const struct guest_apic *before, bool sent)
{
	uint64_t icr = vcpu->arch.apic.icr;

	for (unsigned i = 0; i < VCPUS; i++) {
		const struct vcpu *to = vm_vcpu(&vm, i);
		struct guest_apic after = to->arch.apic;
		bool came = memcmp(before[i].irr, after.irr, sizeof(after.irr)) ||
			    memcmp(before[i].tmr, after.tmr, sizeof(after.tmr)) || before[i].requests != after.requests ||
			    before[i].waits_for_startup != after.waits_for_startup ||
			    before[i].startup_vector != after.startup_vector;

		if (i == vcpu->id)
			continue;
		CHECK(!came || (sent && of_command(vcpu, to, icr)), "vCPU %u, ICR %#jx", i, (uintmax_t)icr);
		memcpy(after.irr, before[i].irr, sizeof(after.irr));
		memcpy(after.tmr, before[i].tmr, sizeof(after.tmr));
		after.requests = before[i].requests;
		after.waits_for_startup = before[i].waits_for_startup;
		after.startup_vector = before[i].startup_vector;
		after.errors = before[i].errors;
		CHECK(memcmp(&before[i], &after, sizeof(after)) == 0, "vCPU %u has changed", i);
	}
}

/* A fixed interrupt has come to all that it is for. */
static void check_fixed(const struct vcpu *vcpu)
{
	uint64_t icr = vcpu->arch.apic.icr;

	if (icr & 0x700 || (uint8_t)icr < 16)
		return;
	for (unsigned i = 0; i < VCPUS; i++) {
		const struct vcpu *to = vm_vcpu(&vm, i);
		const struct guest_apic *apic = &to->arch.apic;

		if (of_command(vcpu, to, icr) && apic_is_enabled(apic) && apic->svr & SVR_ENABLED)
			CHECK(apic_has(apic->irr, (uint8_t)icr), "vCPU %u, ICR %#jx", i, (uintmax_t)icr);
	}
}

/* SDM vol. 3 "x2APIC State Transitions", by the mode before (off, invalid, xAPIC, x2APIC): a bit for each that may follow. */
static const uint8_t transitions[] = { 1 << 0 | 1 << 2, 0, 1 << 0 | 1 << 2 | 1 << 3, 1 << 0 | 1 << 3 };

static void write_base(struct vcpu *vcpu, struct host_rng *rng)
{
	const uint64_t mode = APIC_BASE_EN | APIC_BASE_EXTD;
	uint64_t old = vcpu->arch.apic.base, value = (old & ~mode) | host_below(rng, 4) << 10;
	bool may;

	if (!host_below(rng, 8))
		value ^= BIT(host_below(rng, 64));
	may = !((value ^ old) & ~mode) && transitions[old >> 10 & 3] >> (value >> 10 & 3) & 1;
	CHECK_EQ(apic_write_base(vcpu, value), may);
	CHECK_EQ(vcpu->arch.apic.base, may ? value : old);
}

/* Often one of those that matter. */
static unsigned pick_register(struct host_rng *rng)
{
	static const uint8_t often[] = { APIC_ICR, APIC_ICR, APIC_ICR_HIGH,  APIC_LDR,           APIC_DFR,
					 APIC_TPR, APIC_EOI, APIC_LVT_TIMER, APIC_TIMER_INITIAL, APIC_SELF_IPI };

	return host_below(rng, 3) ? often[host_below(rng, ARRAY_LEN(often))] : (unsigned)host_below(rng, 0x100);
}

static void access_one(struct vcpu *vcpu, struct host_rng *rng)
{
	static const uint8_t sizes[] = { 1, 2, 4, 4, 4, 4, 4, 8 };
	bool x2apic = vcpu->arch.apic.base & APIC_BASE_EXTD;
	unsigned number = pick_register(rng);
	uint64_t value = host_random(rng) & host_random(rng);
	struct io_access io = { .space = IO_MEMORY, .size = sizes[host_below(rng, 8)], .write = host_below(rng, 4) };

	if (number == APIC_SVR && host_below(rng, 2))
		value = 0x1ff;
	if (number == APIC_ICR && host_below(rng, 2))
		value = (value & ICR_WRITABLE & ~UINT64_C(0x700)) | host_below(rng, 8) << 8;
	if (number == APIC_EOI || number == APIC_ESR)
		value &= host_below(rng, 2);
	io.value = value & (~UINT64_C(0) >> (64 - 8 * io.size));
	switch (host_below(rng, 8)) {
	case 0:
		write_base(vcpu, rng);
		break;
	case 1:
		CHECK(!apic_read_msr(vcpu, IA32_X2APIC_FIRST + number, &value) || x2apic, "an MSR outside x2APIC mode");
		break;
	case 2:
		if (number == APIC_EOI && apic_may_end(&vcpu->arch.apic, value)) {
			CHECK(x2apic && !apic_has(vcpu->arch.apic.tmr, apic_highest(vcpu->arch.apic.isr)), "on the fast path");
			apic_end(vcpu);
			break;
		}
		if (number == APIC_ICR && apic_command_fast(vcpu, value)) {
			CHECK(x2apic, "on the fast path");
			break;
		}
		__attribute__((fallthrough));
	case 3 ... 4:
		CHECK(!apic_write_msr(vcpu, IA32_X2APIC_FIRST + number, value) || x2apic, "an MSR outside x2APIC mode");
		break;
	case 5:
		apic_timer_write_deadline(vcpu, value);
		break;
	default:
		access_page(NULL, number * APIC_STRIDE + (host_below(rng, 8) ? 0 : host_below(rng, APIC_STRIDE)), &io);
		CHECK(io.write || io.value <= ~UINT64_C(0) >> (64 - 8 * io.size), "value %#jx", (uintmax_t)io.value);
		apic_send_pending(vcpu);
	}
}

static void access_and_check(struct vcpu *vcpu, struct host_rng *rng)
{
	struct guest_apic before[VCPUS];
	uint64_t icr = vcpu->arch.apic.icr;
	bool sent;

	for (unsigned i = 0; i < VCPUS; i++)
		before[i] = vm_vcpu(&vm, i)->arch.apic;
	started = 0;
	vcpu->arch.apic.icr |= BIT(12); /* which no write sets: so one that sends is seen */
	access_one(vcpu, rng);
	sent = !(vcpu->arch.apic.icr & BIT(12));
	if (!sent)
		vcpu->arch.apic.icr = icr;
	check_others(vcpu, before, sent);
	CHECK(!vcpu->arch.apic.sends && !vcpu->arch.apic.ended, "not sent");
	if (sent)
		check_fixed(vcpu);
	if (!started)
		return;
	CHECK((vcpu->arch.apic.icr >> 8 & 7) == DELIVER_STARTUP, "ICR %#jx", (uintmax_t)vcpu->arch.apic.icr);
	CHECK_EQ(entry, (vcpu->arch.apic.icr & 0xff) << 12);
	for (unsigned i = 0; i < VCPUS; i++)
		CHECK(!(started >> i & 1) || of_command(vcpu, vm_vcpu(&vm, i), vcpu->arch.apic.icr), "vCPU %u", i);
}

/* A slow exit's end, and what the scheduler does with one that waits. */
static void end_exit(struct vcpu *vcpu, struct host_rng *rng)
{
	takes = host_below(rng, 4);
	rflags[vcpu->id] = host_below(rng, 3) ? RFLAGS_IF : 0;
	before_delivery = vcpu->arch.apic;
	if (vcpu->again) {
		vcpu->leave = LEAVE_NOT;
		vcpu->again(vcpu);
	} else if (!host_below(rng, 4)) {
		apic_halt(vcpu);
	}
	if (vcpu->arch.apic.serving && !host_below(rng, 8)) /* its delivery has met a fault */
		apic_take_back(vcpu, (uint8_t)apic_highest(vcpu->arch.apic.isr));
	before_delivery = vcpu->arch.apic;
	vcpu->attention = 0;
	arch_vcpu_deliver(vcpu);
	CHECK(vcpu->again == NULL || vcpu->attention, "a vCPU that waits looks again");
	CHECK(vcpu->arch.apic.timer_due == NEVER || vcpu->arch.apic.timer_due == vcpu->arch.apic.timer_deadline, "due");
	CHECK(vcpu->arch.apic.timer_deadline > now || vcpu->again, "a time that has passed");
}

/* Of what is in service there are two lists. */
static void check_service(const struct guest_apic *apic)
{
	uint64_t isr[APIC_WORDS] = { 0 };

	CHECK(apic->serving < APIC_CLASSES && apic->service[0] == 0, "%u in service", apic->serving);
	for (unsigned i = 1; i <= apic->serving; i++) {
		unsigned vector = apic->service[i];

		CHECK(vector >> 4 > apic->service[i - 1] >> 4, "vector %u on %u", vector, apic->service[i - 1]);
		isr[vector / 64] |= BIT(vector % 64);
	}
	CHECK(memcmp(isr, apic->isr, sizeof(isr)) == 0, "the lists differ");
}

static void step(struct host_rng *rng)
{
	struct vcpu *vcpu = vm_vcpu(&vm, host_below(rng, VCPUS));

	arch_this_cpu()->resident = vcpu;
	switch (host_below(rng, 8)) {
	case 0:
		now += host_random(rng) >> host_below(rng, 60) >> 4;
		break;
	case 1:
		vm.arch.ioapic.entry[host_below(rng, IOAPIC_INPUTS)] = host_random(rng) & ~BIT(14) & ~(host_below(rng, 2) << 16);
		break;
	case 2:
		ioapic_set_line(&vm.arch.ioapic, (unsigned)host_below(rng, IOAPIC_INPUTS + 2), host_below(rng, 2));
		break;
	case 3 ... 4:
		end_exit(vcpu, rng);
		break;
	default:
		access_and_check(vcpu, rng);
	}
	check_service(&vcpu->arch.apic);
}

static struct cpu cpu;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	test_this_cpu = &cpu;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng = host_rng_of_bytes(data, size);

	memset(&vm, 0, sizeof(vm));
	memset(others, 0, sizeof(others));
	now = 1;
	vm.vcpus = VCPUS;
	ioapic_init(&vm.arch.ioapic, GUEST_IOAPIC_PAGE, apic_take_message);
	for (unsigned i = 0; i < VCPUS; i++) {
		struct vcpu *vcpu = i == 0 ? &vm.vcpu : &others[i - 1];

		vcpu->vm = &vm;
		vcpu->cpu = &cpu;
		vcpu->id = i;
		vcpu->state = host_below(&rng, 3) ? VCPU_RUNNING : VCPU_OFF;
		vm.vcpu_table[i] = vcpu;
		apic_reset(vcpu);
		cr8[i] = rflags[i] = 0;
	}
	real_mode = host_below(&rng, 8);
	while (!host_rng_spent(&rng))
		step(&rng);
	return 0;
}
