/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypercalls. Every argument comes from the guest and must be treated as hostile. */
#include "vmm/hypercall.h"

#include "drivers/console.h"
#include "include/arch/virt.h"
#include "mm/frame.h"
#include "vmm/sched.h"

static bool write_chunk(const void *bytes, uint64_t size, void *context)
{
	console_stream_write(context, bytes, size);
	return true;
}

static uint64_t result_of(enum err err)
{
	switch (err) {
	case ERR_OK:
		return 0;
	case ERR_NO_MEMORY:
		return HYPERCALL_NO_MEMORY;
	case ERR_DENIED:
	case ERR_EXISTS: /* of CPU_START: it runs already */
		return HYPERCALL_DENIED;
	default:
		return HYPERCALL_INVALID;
	}
}

static uint64_t serve_console_write(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	uint64_t size = min_u64(call->arg[1], HYPERCALL_CONSOLE_MAX);
	enum err err = addr_space_iter_bytes(&vm->as, GPA(call->arg[0]), size, write_chunk, &vm->console);

	return err == ERR_OK ? size : result_of(err);
}

static uint64_t serve_memory_info(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	struct addr_space_stats stats = addr_space_get_stats(&vm->as);
	uint64_t leaves[NPT_LEAF_LEVELS];

	switch (call->arg[0]) {
	case MEMORY_INFO_PROMISED:
		return vm->options.ram;
	case MEMORY_INFO_RESIDENT:
		return stats.resident;
	case MEMORY_INFO_TABLES:
		return addr_space_table_bytes(&vm->as);
	case MEMORY_INFO_FAULTS:
		return stats.faults[FAULT_HANDLED];
	case MEMORY_INFO_PEAK:
		return stats.resident_peak;
	case MEMORY_INFO_SHARED:
		return stats.shared;
	case MEMORY_INFO_ZERO:
		return stats.zero_leaves[0] * npt_level_size(0) + stats.zero_leaves[1] * npt_level_size(1);
	case MEMORY_INFO_EXITS:
		return vm_exits(vm).fault;
	case MEMORY_INFO_FLUSHES:
		return stats.flush_instructions;
	case MEMORY_INFO_HOST_FREE:
		return frame_free_for(FRAME_GUEST);
	case MEMORY_INFO_LARGE:
		addr_space_get_leaves(&vm->as, leaves);
		return leaves[1] * npt_level_size(1) + leaves[2] * npt_level_size(2);
	case MEMORY_INFO_RECLAIMED:
		return stats.reclaimed;
	case MEMORY_INFO_USED:
		return stats.memory_used;
	case MEMORY_INFO_MAX:
		return vm->options.memory_max;
	case MEMORY_INFO_VCPUS:
		return vm->vcpus;
	case MEMORY_INFO_CPU:
		return vcpu->id;
	case MEMORY_INFO_CPU_TIME:
		return sched_cpu_time(vcpu);
	case MEMORY_INFO_FORKS_LIVE:
		return fork_tree_live(vm->tree);
	default:
		return HYPERCALL_INVALID;
	}
}

/*
 * Is the range of a hypercall in RAM? A guest must not change the areas of anything else, such as devices.
 */
static bool is_ram_range(const struct vm *vm, const struct hypercall *call)
{
	uint64_t start = call->arg[0], size = call->arg[1];

	return size > 0 && is_aligned(start | size, PAGE_SIZE) && vm_is_ram(vm, GPA(start), size);
}

static uint64_t serve_discard(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;

	if (!is_ram_range(vm, call))
		return HYPERCALL_INVALID;
	blocks_discarded(vm, GPA(call->arg[0]), call->arg[1]);
	return result_of(addr_space_discard(&vm->as, GPA(call->arg[0]), call->arg[1]));
}

static uint64_t serve_protect(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;

	if (!is_ram_range(vm, call) || call->arg[2] > NPT_RWX)
		return HYPERCALL_INVALID;
	return result_of(addr_space_protect(&vm->as, GPA(call->arg[0]), call->arg[1], (unsigned)call->arg[2]));
}

static uint64_t serve_fault_mode(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	enum fault_mode before = vm->inject_denied ? FAULT_MODE_INJECT : FAULT_MODE_END;
	uint64_t mode = call->arg[0];

	if (mode != FAULT_MODE_END && mode != FAULT_MODE_INJECT)
		return HYPERCALL_INVALID;
	vm->inject_denied = mode == FAULT_MODE_INJECT;
	return before;
}

static enum err harvest(struct vm *vm, const struct hypercall *call, uint64_t *bitmap, uint64_t *pages)
{
	gpa_t gpa = GPA(call->arg[0]);
	uint64_t size = call->arg[1];

	switch (call->arg[2]) {
	case TRACK_ACCESSED:
		return addr_space_scan_accessed(&vm->as, gpa, size, bitmap, pages);
	case TRACK_DIRTY:
	case TRACK_DIRTY_EXACT:
		return addr_space_dirty_log(&vm->as, gpa, size, call->arg[2] == TRACK_DIRTY_EXACT, bitmap, pages);
	default:
		return ERR_INVALID;
	}
}

/* Test-and-clear loses the bits, so the guest's bitmap is faulted in first. */
static uint64_t serve_track(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	static struct spinlock lock = SPINLOCK(LOCK_BUFFER); /* of the bitmap */
	static uint64_t bitmap[HYPERCALL_TRACK_MAX / PAGE_SIZE / 64];
	uint64_t to = call->arg[3], words = align_up(call->arg[1] / PAGE_SIZE, 64) / 64, pages;
	bool wanted = to != HYPERCALL_TRACK_COUNT;
	enum err err = ERR_OK;

	if (!is_ram_range(vm, call) || call->arg[1] > HYPERCALL_TRACK_MAX)
		return HYPERCALL_INVALID;
	if (wanted && !vm_is_ram(vm, GPA(to), words * sizeof(*bitmap)))
		return HYPERCALL_INVALID;
	if (wanted)
		err = addr_space_fault_in(&vm->as, GPA(to), words * sizeof(*bitmap), NPT_RW);
	spin_lock(&lock);
	if (err == ERR_OK)
		err = harvest(vm, call, bitmap, &pages);
	if (err == ERR_OK && wanted)
		err = addr_space_write(&vm->as, GPA(to), bitmap, words * sizeof(*bitmap));
	spin_unlock(&lock);
	return err == ERR_OK ? pages : result_of(err);
}

static uint64_t serve_version(struct vcpu *vcpu, const struct hypercall *call)
{
	(void)vcpu;
	(void)call;
	return HYPERCALL_ABI_VERSION;
}

static uint64_t serve_exit(struct vcpu *vcpu, const struct hypercall *call)
{
	vm_end(vcpu->vm, VM_EXITED, call->arg[0]);
	return 0;
}

/* Serve the call again when the vCPU gets the CPU again, until it has a result. */
static void serve_again(struct vcpu *vcpu)
{
	struct vm_exit *exit = vm_last_exit(vcpu);
	uint64_t result;

	vcpu->again = NULL;
	result = hypercall_serve(vcpu, &exit->hypercall);
	if (vcpu->again)
		return;
	exit->outcome = (int64_t)result < 0;
	arch_vcpu_finish_hypercall(vcpu, result);
}

/* Pages are backed so many bytes at a time; between two pieces others may have the CPU. */
#define POPULATE_PIECE MIB(2)

/* Back the next piece of the range. False: it is the last one, or there is an error. */
static bool populate_piece(struct vcpu *vcpu, uint64_t start, uint64_t size, enum err *err)
{
	uint64_t at = start + vcpu->done, piece = min_u64(POPULATE_PIECE - at % POPULATE_PIECE, size - vcpu->done);

	*err = addr_space_populate(&vcpu->vm->as, GPA(at), piece);
	vcpu->done += piece;
	return *err == ERR_OK && vcpu->done < size;
}

/* When a range is to be populated, its policy changes when all of it has memory. */
static uint64_t serve_set_policy(struct vcpu *vcpu, const struct hypercall *call)
{
	enum err err = ERR_OK;

	if (!is_ram_range(vcpu->vm, call) || call->arg[2] >= ALLOC_POLICIES)
		return HYPERCALL_INVALID;
	if (call->arg[2] == ALLOC_POPULATE && populate_piece(vcpu, call->arg[0], call->arg[1], &err)) {
		vcpu->again = serve_again;
		vcpu->leave = LEAVE_YIELD;
		return 0;
	}
	vcpu->done = 0;
	if (err == ERR_OK)
		err = addr_space_set_policy(&vcpu->vm->as, GPA(call->arg[0]), call->arg[1], (enum alloc_policy)call->arg[2]);
	return result_of(err);
}

/* All vCPUs of the parent are out of the CPUs meanwhile, this one too: their state is copied from where it is kept. */
static uint64_t serve_fork(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *child;
	unsigned number = 0;
	enum err err;

	(void)call;
	if (!sched_stop_others(vcpu)) {
		vcpu->again = serve_again;
		return 0;
	}
	arch_vcpu_put(vcpu);
	err = vm_fork(vcpu, &child);
	arch_vcpu_get(vcpu);
	sched_continue_others(vcpu);
	if (err == ERR_OK) {
		number = child->tree_number;
		sched_add(child);
		sched_start_fork(child);
	}
	return err == ERR_OK ? number : result_of(err);
}

static uint64_t serve_cpu_start(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vcpu *other = vm_vcpu(vcpu->vm, call->arg[0]);

	if (!other || !vm_is_ram(vcpu->vm, GPA(call->arg[1]), 1))
		return HYPERCALL_INVALID;
	return result_of(sched_start_at(other, vcpu, call->arg[1], call->arg[2]));
}

static uint64_t serve_cpu_off(struct vcpu *vcpu, const struct hypercall *call)
{
	(void)call;
	vcpu->leave_why = "switched off its last vCPU";
	vcpu->leave = LEAVE_OFF;
	return 0;
}

static uint64_t serve_yield(struct vcpu *vcpu, const struct hypercall *call)
{
	(void)call;
	vcpu->leave = LEAVE_YIELD;
	return 0;
}

static uint64_t serve_vm_wait(struct vcpu *vcpu, const struct hypercall *call)
{
	bool invalid;

	if (vm_wait(vcpu, call->arg[0], &invalid))
		vcpu->again = serve_again;
	return invalid ? HYPERCALL_INVALID : 0;
}

#define ROW(number, NAME, name) [HYPERCALL_##NAME] = serve_##name,
#define CASE(number, NAME, name) \
	case HYPERCALL_##NAME:   \
		return serve_##name(vcpu, call);
#define NOTHING(number, NAME, name)

const hypercall_fn hypercalls_fast[HYPERCALL_COUNT] = { HYPERCALLS(ROW, NOTHING) };

static uint64_t serve_slow(struct vcpu *vcpu, const struct hypercall *call)
{
	switch (call->number) {
		HYPERCALLS(NOTHING, CASE)
	default:
		return HYPERCALL_NOT_SUPPORTED;
	}
}

uint64_t hypercall_serve(struct vcpu *vcpu, const struct hypercall *call)
{
	hypercall_fn serve = call->number < HYPERCALL_COUNT ? hypercalls_fast[call->number] : NULL;

	return serve ? serve(vcpu, call) : serve_slow(vcpu, call);
}
