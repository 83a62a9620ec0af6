/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control page and the panic device of a VM, and the calls that are made by them, over a real address space. Two vCPUs access
 * them at any place with any size, one of them also while a call of the other's is done piece by piece. What registers hold and
 * what comes of a call is checked against a second reading of docs/guest-abi.md. Input: bytes, from which all is drawn.
 */
#include "vmm/control.h"

#include <string.h>

#include "tests/fuzz/guest.h"
#include "vmm/fork.h"
#include "vmm/hypercall.h"
#include "vmm/post_mortem.h"
#include "vmm/sched.h"
#include "vmm/stop.h"
#include "vmm/time_out.h"

#define RAM_AT     MIB(2)
#define RAM_SIZE   MIB(8) /* more than the host has */
#define PAGE_BASE  0x9100000
#define PANIC_BASE 0x9101000
#define VCPUS      2
#define FIGURES    19
#define PIECES_MAX (RAM_SIZE / PAGE_SIZE + 64)
#define STATUS     0xfedcba9876543210

enum {
	CALL_EXIT = 1,
	CALL_DISCARD = 4,
	CALL_SET_POLICY = 6,
	CALL_FORK = 7,
};

static struct vm *vm, *twin;
static struct host_rng *bytes;
/* What the registers are to hold, and of each vCPU the call in hand. */
static uint64_t args[4], last_call, result;
static struct hypercall in_hand[VCPUS];
static unsigned pieces[VCPUS], forked;

/* --- What lies behind the calls, but for memory ------------------------------------------------------------------------- */

bool fork_piece(struct vcpu *vcpu, struct vm **child)
{
	(void)vcpu;
	if (!host_rng_spent(bytes) && host_below(bytes, 2))
		return true;
	*child = host_below(bytes, 2) ? twin : NULL;
	twin->tree_number = ++forked;
	twin->control.result = STATUS;
	return false;
}

void fork_start(struct vm *child)
{
	CHECK_EQ(child->control.result, 0);
}

unsigned fork_tree_live(struct fork_tree *tree)
{
	(void)tree;
	return 1;
}

void post_mortem_of_kernel(struct vcpu *vcpu)
{
	(void)vcpu;
}

bool sched_claim(struct vcpu *vcpu)
{
	(void)vcpu;
	return false;
}

void sched_start(struct vcpu *vcpu)
{
	(void)vcpu;
}

void sched_continue_others(struct vcpu *vcpu)
{
	(void)vcpu;
}

uint64_t sched_cpu_time(const struct vcpu *vcpu)
{
	(void)vcpu;
	return STATUS;
}

void vm_time_out(struct vcpu *vcpu)
{
	(void)vcpu;
}

bool vm_wait(struct vcpu *vcpu, uint64_t number, bool *invalid)
{
	(void)vcpu;
	(void)number;
	*invalid = true;
	return false;
}

void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument)
{
	(void)vcpu;
	(void)by;
	(void)entry;
	(void)argument;
}

/* No call of this page is the result of an instruction. */
void arch_vcpu_finish_hypercall(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	fail_msg("%#jx goes to the guest's registers", (uintmax_t)value);
}

/* --- The second reading ------------------------------------------------------------------------------------------------- */

static bool in_ram(const struct hypercall *call)
{
	uint64_t start = call->arg[0], size = call->arg[1];

	return size != 0 && start % PAGE_SIZE == 0 && size % PAGE_SIZE == 0 && size <= RAM_SIZE && start >= RAM_AT &&
	       start <= RAM_AT + RAM_SIZE - size;
}

static bool may_be(const struct hypercall *call, uint64_t got)
{
	switch (call->number) {
	case CALL_EXIT:
		return false;
	case CALL_DISCARD:
		return got == (in_ram(call) ? 0 : HYPERCALL_INVALID);
	case CALL_SET_POLICY:
		if (!in_ram(call) || call->arg[2] >= ALLOC_POLICIES)
			return got == HYPERCALL_INVALID;
		return got == 0 || got == HYPERCALL_NO_MEMORY;
	case CALL_FORK:
		return got == forked || got == HYPERCALL_NO_MEMORY;
	default:
		return false;
	}
}

static uint64_t register_at(uint64_t offset, uint64_t got)
{
	switch (offset) {
	case 0x000:
		return UINT64_C(1) << 32 | 0x4c54534e;
	case 0x008:
		return last_call;
	case 0x010:
		return result;
	case 0x020 ... 0x03f:
		return args[(offset - 0x20) / 8];
	case 0x100:
		return RAM_SIZE;
	case 0x200:
		return RAM_SIZE / 1024;
	case 0x108 ... 0x100 + 8 * FIGURES - 1:
	case 0x208 ... 0x200 + 8 * FIGURES - 1:
		return got;
	default:
		return 0;
	}
}

/* --- The guest ---------------------------------------------------------------------------------------------------------- */

static uint64_t access_page(unsigned vcpu, bool write, uint64_t address, uint64_t value, uint8_t size)
{
	struct io_access io = {
		.space = IO_MEMORY, .size = size, .write = write, .vcpu = (uint8_t)vcpu, .addr = address, .value = value
	};

	device_access(&vm->devices, &io);
	return io.value;
}

static void check_registers(unsigned vcpu)
{
	static const uint16_t all[] = { 0x000, 0x008, 0x010, 0x018, 0x020, 0x028, 0x030, 0x038, 0x040,
					0x100, 0x200, 0x108, 0x178, 0x190, 0x198, 0x260, 0x298 };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		uint64_t got = access_page(vcpu, false, PAGE_BASE + all[i], 0, 8), wanted = register_at(all[i], got);

		CHECK(got == wanted, "%#x reads %#jx, not %#jx", all[i], (uintmax_t)got, (uintmax_t)wanted);
	}
	CHECK_EQ(twin->control.arg[0] | twin->control.call, 0);
	CHECK(guest_resident(vm) <= RAM_SIZE, "%#jx resident", (uintmax_t)guest_resident(vm));
}

/* A range, of pages of RAM mostly. */
static uint64_t pick_value(struct host_rng *rng)
{
	switch (host_below(rng, 6)) {
	case 0:
		return host_random(rng);
	case 1:
		return host_below(rng, 10);
	case 2 ... 3:
		return RAM_AT + host_below(rng, RAM_SIZE / PAGE_SIZE + 2) * PAGE_SIZE;
	default:
		return host_below(rng, RAM_SIZE / PAGE_SIZE) * PAGE_SIZE >> host_below(rng, 4) * 3;
	}
}

static void write_register(unsigned vcpu, uint64_t offset, uint64_t value, uint8_t size)
{
	bool upper = size == 4 && offset % 8 == 4, fits = (size == 8 || size == 4) && offset % size == 0;
	uint64_t mask = size == 8 ? UINT64_MAX : upper ? UINT64_MAX << 32 : UINT32_MAX;
	uint64_t shifted = upper ? value << 32 : value & mask;

	if (fits && offset >= 0x20 && offset < 0x40)
		args[(offset - 0x20) / 8] = (args[(offset - 0x20) / 8] & ~mask) | shifted;
	if (fits && offset == 0x008) {
		in_hand[vcpu] = (struct hypercall){ .number = shifted, .arg = { args[0], args[1], args[2], args[3] } };
		last_call = shifted;
		pieces[vcpu] = 0;
	}
	access_page(vcpu, true, PAGE_BASE + offset, value & (size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1), size);
	if (fits && offset == 0x008 && !vm->vcpu_table[vcpu]->again)
		result = UINT64_MAX; /* NOT_SUPPORTED */
}

/* A piece of the call in hand; its result, if that was the last one. */
static void go_on(unsigned vcpu)
{
	struct vcpu *asks = vm->vcpu_table[vcpu];
	const struct hypercall *call = &in_hand[vcpu];
	uint8_t byte = 0xff;

	CHECK(pieces[vcpu]++ < PIECES_MAX, "%u pieces", pieces[vcpu]);
	vm->control.result = STATUS;
	asks->leave = LEAVE_NOT;
	asks->again(asks);
	if (!vm_is_running(vm)) {
		CHECK(vm->outcome == VM_CRASHED || (call->number == CALL_EXIT && vm->guest_status == call->arg[0]), "outcome %u",
		      vm->outcome);
		return;
	}
	if (asks->again) {
		CHECK_EQ(vm->control.result, STATUS);
		vm->control.result = result;
		return;
	}
	CHECK(may_be(call, vm->control.result), "call %ju gives %#jx", (uintmax_t)call->number, (uintmax_t)vm->control.result);
	result = vm->control.result;
	if (call->number != CALL_DISCARD || result != 0 || pieces[vcpu] > 1)
		return;
	CHECK_ERR(addr_space_read(&vm->as, GPA(call->arg[0]), &byte, 1), ERR_OK);
	CHECK_EQ(byte, 0);
}

static void step(struct host_rng *rng)
{
	unsigned vcpu = (unsigned)host_below(rng, VCPUS);
	uint64_t page = RAM_AT + host_below(rng, RAM_SIZE / PAGE_SIZE) * PAGE_SIZE, offset;
	static const uint8_t calls[] = { CALL_DISCARD, CALL_SET_POLICY, CALL_FORK, CALL_DISCARD, CALL_SET_POLICY, 0 };

	if (vm->vcpu_table[vcpu]->again) {
		go_on(vcpu);
		return;
	}
	switch (host_below(rng, 16)) {
	case 0: /* anywhere, with any size */
		offset = host_below(rng, 2) ? host_below(rng, CONTROL_SIZE) : host_below(rng, 80);
		write_register(vcpu, offset, pick_value(rng), (uint8_t)(1 << host_below(rng, 4)));
		break;
	case 1:
		offset = host_below(rng, CONTROL_SIZE);
		if (offset % 4 != 0)
			CHECK_EQ(access_page(vcpu, false, PAGE_BASE + offset, 0, 4), 0);
		CHECK_EQ(access_page(vcpu, false, PAGE_BASE + offset, 0, (uint8_t)(1 + host_below(rng, 2))), 0);
		break;
	case 2:
		if (host_below(rng, 16) == 0)
			access_page(vcpu, true, PANIC_BASE, host_below(rng, 4), 1);
		break;
	case 3:
		write_register(vcpu, 0x008, host_random(rng) >> host_below(rng, 64), 8);
		break;
	case 4 ... 6: /* memory is short now and then */
		(void)!addr_space_write(&vm->as, GPA(page), &page, sizeof(page));
		break;
	case 7 ... 11:
		write_register(vcpu, 0x020 + host_below(rng, 4) * 8, pick_value(rng), 8);
		break;
	default:
		write_register(vcpu, 0x008, calls[host_below(rng, sizeof(calls))], host_below(rng, 2) ? 4 : 8);
	}
}

/* --- The machine -------------------------------------------------------------------------------------------------------- */

static void connect(struct vm *of)
{
	of->devices = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .console = &of->console, .memory = &of->as };
	control_page_init(&of->control, PAGE_BASE);
	pvpanic_init(&of->pvpanic, IO_MEMORY, PANIC_BASE, 1);
	control_start(of);
	device_add(&of->devices, &of->control.device);
	device_add(&of->devices, &of->pvpanic.device);
	of->outcome = VM_RUNNING;
	of->options.ram = RAM_SIZE;
	of->time_max = NEVER;
	of->vcpus = VCPUS;
	for (unsigned i = 0; i < VCPUS; i++) {
		static struct vcpu *others[2];
		struct vcpu **other = &others[of == twin], *vcpu = &of->vcpu;

		if (i > 0)
			vcpu = *other = *other ? *other : host_zeros(sizeof(**other));
		memset(vcpu, 0, sizeof(*vcpu));
		vcpu->vm = of;
		vcpu->id = i;
		vcpu->exits.total = 1;
		of->vcpu_table[i] = vcpu;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rng rng = host_rng_of_bytes(data, size);

	bytes = &rng;
	vm = guest_new(RAM_AT, RAM_SIZE, 0, 0);
	twin = twin ? twin : host_zeros(sizeof(*twin));
	connect(vm);
	connect(twin);
	memset(args, 0, sizeof(args));
	last_call = result = forked = 0;
	while (!host_rng_spent(&rng) && vm_is_running(vm)) {
		step(&rng);
		if (vm_is_running(vm))
			check_registers((unsigned)host_below(&rng, VCPUS));
	}
	for (unsigned i = 0; i < VCPUS; i++)
		while (vm_is_running(vm) && vm->vcpu_table[i]->again)
			go_on(i);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}
