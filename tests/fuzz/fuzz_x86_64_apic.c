/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86: a guest's local APICs: accesses of several vCPUs to the page and the MSRs, in all modes. A vCPU may be started only by a
 * start-up IPI that was sent to it, and nothing but the registers of the one that writes may change. Input: bytes, from which
 * accesses are drawn.
 */
#include "vmm/x86_64/apic.c"

#include <asm/prctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define VCPUS 5

static struct vm vm;
static struct vcpu others[VCPUS - 1];
static uint64_t cr8[VCPUS];
static unsigned started; /* by the last access, a bit each */
static uint64_t entry;
static bool real_mode;

static uint64_t get(struct vcpu *vcpu, enum guest_field field)
{
	CHECK_EQ(field, FIELD_CR8);
	return cr8[vcpu->id];
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

static const struct virt_ops ops = { .get = get, .set = set, .real_mode = has_real_mode };
const struct virt_ops *virt = &ops;

/* All are off. */
bool sched_claim(struct vcpu *vcpu)
{
	(void)vcpu;
	return true;
}

void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t at, uint64_t argument)
{
	(void)vcpu;
	CHECK(!by && argument == 0 && real_mode, "not as a start-up IPI");
	entry = at;
}

void sched_start(struct vcpu *vcpu)
{
	started |= 1u << vcpu->id;
}

void device_add(struct device_table *table, struct io_device *device)
{
	(void)table;
	(void)device;
}

/* Whom SDM vol. 3 "Determining IPI Destination" would send it to: written anew, destination by destination. */
static unsigned addressed(const struct vcpu *from, uint64_t icr)
{
	bool x2apic = from->arch.apic.base & APIC_BASE_EXTD, logical = icr >> 11 & 1;
	uint32_t destination = x2apic ? icr >> 32 : icr >> 56, all = x2apic ? UINT32_MAX : UINT8_MAX;
	unsigned shorthand = icr >> 18 & 3, to = 0;

	for (unsigned i = 0; i < VCPUS; i++) {
		bool mine = destination == all || (!logical && destination == i) ||
			    (logical && x2apic && destination >> 16 == 0 && destination >> i & 1) ||
			    (logical && !x2apic && destination & vm_vcpu(&vm, i)->arch.apic.ldr >> 24);

		if (shorthand == 2 || (shorthand == 1 && i == from->id) || (shorthand == 3 && i != from->id) ||
		    (shorthand == 0 && mine))
			to |= 1u << i;
	}
	return to;
}

/* What has happened to others than `vcpu`, whose access it was? */
static void check_others(const struct vcpu *vcpu, const struct guest_apic *before)
{
	for (unsigned i = 0; i < VCPUS; i++)
		if (i != vcpu->id)
			CHECK(memcmp(&before[i], &vm_vcpu(&vm, i)->arch.apic, sizeof(before[i])) == 0, "vCPU %u has changed", i);
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
	static const uint8_t often[] = { APIC_ICR, APIC_ICR, APIC_ICR_HIGH, APIC_LDR, APIC_TPR };

	return host_below(rng, 3) ? often[host_below(rng, ARRAY_LEN(often))] : (unsigned)host_below(rng, 0x100);
}

static void access_one(struct vcpu *vcpu, struct host_rng *rng)
{
	bool x2apic = vcpu->arch.apic.base & APIC_BASE_EXTD;
	unsigned number = pick_register(rng);
	uint64_t value = host_random(rng) & host_random(rng);
	struct io_access io = { .space = IO_MEMORY, .size = 4, .write = host_below(rng, 4) };

	if (number == APIC_ICR && host_below(rng, 2))
		value = (value & ICR_WRITABLE & ~UINT64_C(0x700)) | ICR_STARTUP << 8;
	io.value = (uint32_t)value;
	switch (host_below(rng, 8)) {
	case 0:
		write_base(vcpu, rng);
		break;
	case 1:
		CHECK(!apic_read_msr(vcpu, IA32_X2APIC_FIRST + number, &value) || x2apic, "an MSR outside x2APIC mode");
		break;
	case 2 ... 4:
		CHECK(!apic_write_msr(vcpu, IA32_X2APIC_FIRST + number, value) || x2apic, "an MSR outside x2APIC mode");
		break;
	default:
		arch_this_cpu()->resident = vcpu;
		access_page(NULL, number * APIC_STRIDE + (host_below(rng, 8) ? 0 : host_below(rng, APIC_STRIDE)), &io);
		CHECK(io.value <= UINT32_MAX, "value %#jx", (uintmax_t)io.value);
		apic_send_pending(vcpu);
	}
}

static void step(struct host_rng *rng)
{
	struct vcpu *vcpu = vm_vcpu(&vm, host_below(rng, VCPUS));
	struct guest_apic before[VCPUS];

	for (unsigned i = 0; i < VCPUS; i++)
		before[i] = vm_vcpu(&vm, i)->arch.apic;
	started = 0;
	access_one(vcpu, rng);
	check_others(vcpu, before);
	CHECK(!vcpu->arch.apic.sends, "not sent");
	if (!started)
		return;
	CHECK((vcpu->arch.apic.icr >> 8 & 7) == 6, "ICR %#jx", (uintmax_t)vcpu->arch.apic.icr);
	CHECK_EQ(started, addressed(vcpu, vcpu->arch.apic.icr));
	CHECK_EQ(entry, (vcpu->arch.apic.icr & 0xff) << 12);
}

/* arch_this_cpu() is by GS, which is nobody's here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct cpu cpu;

	(void)argc;
	(void)argv;
	cpu.arch.self = &cpu;
	return (int)syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu.arch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng = host_rng_of_bytes(data, size);

	memset(&vm, 0, sizeof(vm));
	vm.vcpus = VCPUS;
	for (unsigned i = 0; i < VCPUS; i++) {
		struct vcpu *vcpu = i == 0 ? &vm.vcpu : &others[i - 1];

		vcpu->vm = &vm;
		vcpu->id = i;
		vm.vcpu_table[i] = vcpu;
		apic_reset(vcpu);
	}
	real_mode = host_below(&rng, 8);
	while (!host_rng_spent(&rng))
		step(&rng);
	return 0;
}
