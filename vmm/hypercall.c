/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypercalls. Every argument comes from the guest and must be treated as hostile. */
#include "vmm/hypercall.h"

#include "drivers/console.h"
#include "include/arch/virt.h"
#include "mm/frame.h"
#include "vmm/fork.h"
#include "vmm/sched.h"
#include "vmm/stop.h"
#include "vmm/time_out.h"

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
	case MEMORY_INFO_FORK_NUMBER:
		return vm->tree_number;
	default:
		return HYPERCALL_INVALID;
	}
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

/* --- Calls that are served in pieces ------------------------------------------------------------------------------------ */

/* Serve the call further when the vCPU gets the CPU again, until it has a result. The call of a VM that has ended is given up. */
static void serve_again(struct vcpu *vcpu)
{
	void (*posted_done)(struct vcpu * vcpu, uint64_t result) = vcpu->posted_done;
	struct vm_exit *exit = vm_last_exit(vcpu);
	uint64_t result;

	vcpu->again = NULL;
	if (vm_is_running(vcpu->vm) && sched_time_is_up(vcpu))
		vm_time_out(vcpu);
	if (!vm_is_running(vcpu->vm) && !vcpu->child)
		return;
	result = hypercall_serve(vcpu, posted_done ? &vcpu->posted : &exit->hypercall);
	if (vcpu->again)
		return;
	if (posted_done) {
		vcpu->posted_done = NULL;
		posted_done(vcpu, result);
		return;
	}
	exit->outcome = (int64_t)result < 0;
	arch_vcpu_finish_hypercall(vcpu, result);
}

/* There is more to do. The result means nothing. */
static uint64_t go_on_later(struct vcpu *vcpu)
{
	vcpu->again = serve_again;
	vcpu->leave = LEAVE_PIECE;
	return 0;
}

void hypercall_post(struct vcpu *vcpu, const struct hypercall *call, void (*done)(struct vcpu *vcpu, uint64_t result))
{
	vcpu->posted = *call;
	vcpu->posted_done = done;
	go_on_later(vcpu);
}

/* The next `size` bytes of the range, or of what else arg[1] is the length of, are done, or failed. */
static uint64_t piece_done(struct vcpu *vcpu, const struct hypercall *call, uint64_t size, enum err err, uint64_t result)
{
	vcpu->done += size;
	if (err == ERR_OK && vcpu->done < call->arg[1])
		return go_on_later(vcpu);
	vcpu->done = 0;
	return err == ERR_OK ? result : result_of(err);
}

/* At most so much of a console write at once. */
#define CONSOLE_PIECE 512

static uint64_t serve_console_write(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	const struct hypercall cut = { .arg = { call->arg[0], min_u64(call->arg[1], HYPERCALL_CONSOLE_MAX) } };
	uint64_t size = min_u64(cut.arg[1] - vcpu->done, CONSOLE_PIECE);
	enum err err = addr_space_iter_bytes(&vm->as, GPA(call->arg[0] + vcpu->done), size, write_chunk, &vm->console);

	return piece_done(vcpu, &cut, size, err, cut.arg[1]);
}

/*
 * Is the range of a hypercall in RAM? A guest must not change the areas of anything else, such as devices.
 */
static bool is_ram_range(const struct vm *vm, const struct hypercall *call)
{
	uint64_t start = call->arg[0], size = call->arg[1];

	return size > 0 && is_aligned(start | size, PAGE_SIZE) && vm_is_ram(vm, GPA(start), size);
}

/* Ranges up to this length are served at once, and so on the fast path. */
#define SHORT_RANGE MIB(2)

/* The next piece of a range that is in RAM: where it begins, and its length. */
static gpa_t next_piece(struct vcpu *vcpu, const struct hypercall *call, uint64_t *size)
{
	gpa_t at = GPA(call->arg[0] + vcpu->done);

	*size = call->arg[1] - vcpu->done;
	if (call->arg[1] > SHORT_RANGE)
		*size = addr_space_piece(&vcpu->vm->as, at, *size);
	return at;
}

static uint64_t serve_discard(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	uint64_t size;
	gpa_t at;

	if (!is_ram_range(vm, call))
		return HYPERCALL_INVALID;
	at = next_piece(vcpu, call, &size);
	blocks_discarded(vm, at, size);
	return piece_done(vcpu, call, size, addr_space_discard(&vm->as, at, size), 0);
}

static uint64_t serve_protect(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	uint64_t size;
	gpa_t at;

	if (!is_ram_range(vm, call) || call->arg[2] > NPT_RWX)
		return HYPERCALL_INVALID;
	at = next_piece(vcpu, call, &size);
	return piece_done(vcpu, call, size, addr_space_protect(&vm->as, at, size, (unsigned)call->arg[2]), 0);
}

/* Pages are backed by so many bytes at a time: by one large leaf, if there is one. */
#define POPULATE_PIECE MIB(2)

static uint64_t serve_set_policy(struct vcpu *vcpu, const struct hypercall *call)
{
	uint64_t size;
	gpa_t at;

	if (!is_ram_range(vcpu->vm, call) || call->arg[2] >= ALLOC_POLICIES)
		return HYPERCALL_INVALID;
	at = next_piece(vcpu, call, &size);
	if (call->arg[2] == ALLOC_POPULATE)
		size = min_u64(POPULATE_PIECE - at.raw % POPULATE_PIECE, call->arg[1] - vcpu->done);
	return piece_done(vcpu, call, size, addr_space_set_policy(&vcpu->vm->as, at, size, (enum alloc_policy)call->arg[2]), 0);
}

/* --- Track: accessed and dirty bits into a bitmap, a bit for each page -------------------------------------------------- */

/* Such a piece of a range ends at a multiple of its length: no leaf of 2 MiB lies across two of them. */
#define TRACK_PIECE MIB(4)
#define TRACK_WORDS (TRACK_PIECE / PAGE_SIZE / 64)

static enum err harvest(struct vm *vm, gpa_t gpa, uint64_t size, uint64_t what, uint64_t *bitmap, uint64_t *pages)
{
	switch (what) {
	case TRACK_ACCESSED:
		return addr_space_scan_accessed(&vm->as, gpa, size, bitmap, pages);
	case TRACK_DIRTY:
	case TRACK_DIRTY_EXACT:
		return addr_space_dirty_log(&vm->as, gpa, size, what == TRACK_DIRTY_EXACT, bitmap, pages);
	default:
		return ERR_INVALID;
	}
}

static uint64_t words_of(uint64_t pages)
{
	return align_up(pages, 64) / 64;
}

/*
 * Write the bits of pages [first, first + count) of the range to the guest's bitmap at `to`; the bits before them in the same word
 * were written before. `bitmap` begins with bit 0, and has room for a word more.
 */
static enum err write_bits(struct addr_space *as, gpa_t to, uint64_t *bitmap, uint64_t first, uint64_t count)
{
	uint64_t shift = first % 64, words = words_of(shift + count), before = 0;
	enum err err = ERR_OK;

	to.raw += first / 64 * sizeof(*bitmap);
	if (shift > 0) {
		err = addr_space_read(as, to, &before, sizeof(before));
		for (uint64_t i = words; i-- > 0;)
			bitmap[i] = bitmap[i] << shift | (i > 0 ? bitmap[i - 1] >> (64 - shift) : 0);
		bitmap[0] |= before & (BIT(shift) - 1);
	}
	return err == ERR_OK ? addr_space_write(as, to, bitmap, words * sizeof(*bitmap)) : err;
}

/* Test-and-clear loses the bits, so the guest's bitmap is faulted in first. */
static uint64_t serve_track(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;
	gpa_t at = GPA(call->arg[0] + vcpu->done), to = GPA(call->arg[3]);
	uint64_t size =
		call->arg[1] <= SHORT_RANGE ? call->arg[1] : min_u64(TRACK_PIECE - at.raw % TRACK_PIECE, call->arg[1] - vcpu->done);
	uint64_t bytes = words_of(call->arg[1] / PAGE_SIZE) * sizeof(uint64_t);
	uint64_t bitmap[TRACK_WORDS + 1] = { 0 }, pages = 0;
	bool wanted = to.raw != HYPERCALL_TRACK_COUNT;
	enum err err = ERR_OK;

	if (!is_ram_range(vm, call) || call->arg[1] > HYPERCALL_TRACK_MAX || (wanted && !vm_is_ram(vm, to, bytes)))
		return HYPERCALL_INVALID;
	if (wanted)
		err = addr_space_fault_in(&vm->as, to, bytes, NPT_RW);
	if (err == ERR_OK)
		err = harvest(vm, at, size, call->arg[2], bitmap, &pages);
	if (err == ERR_OK && wanted)
		err = write_bits(&vm->as, to, bitmap, vcpu->done / PAGE_SIZE, size / PAGE_SIZE);
	pages += vcpu->done > 0 ? vcpu->found : 0;
	vcpu->found = pages;
	return piece_done(vcpu, call, size, err, pages);
}

static uint64_t serve_fork(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vcpu *copy;
	struct vm *child;
	unsigned number;

	(void)call;
	if (fork_piece(vcpu, &child)) {
		vcpu->again = serve_again;
		return 0;
	}
	sched_continue_others(vcpu);
	if (!child)
		return result_of(ERR_NO_MEMORY);
	number = child->tree_number;
	copy = child->vcpu_table[vcpu->id];
	copy->again = NULL;
	copy->posted_done = NULL;
	if (vcpu->posted_done)
		vcpu->posted_done(copy, 0);
	else
		arch_vcpu_finish_hypercall(copy, 0);
	fork_start(child);
	return number;
}

/* --- Other vCPUs and VMs ------------------------------------------------------------------------------------------------ */

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

/* --- All of them ------------------------------------------------------------------------------------------------------ */

/* Does this call take more than one piece? */
static inline bool is_long(enum hypercall_number number, const struct hypercall *call)
{
	switch (number) {
	case HYPERCALL_DISCARD:
	case HYPERCALL_PROTECT:
	case HYPERCALL_TRACK:
		return call->arg[1] > SHORT_RANGE;
	case HYPERCALL_CONSOLE_WRITE:
		return call->arg[1] > CONSOLE_PIECE;
	default:
		return false;
	}
}

/* On the fast path: what is long is left to the slow one, on which a vCPU can leave its CPU in the middle. */
#define FAST(number, NAME, name)                                                             \
	static hypercall_result fast_##name(struct vcpu *vcpu, const struct hypercall *call) \
	{                                                                                    \
		if (is_long(HYPERCALL_##NAME, call))                                         \
			return hypercall_later(vcpu, call);                                  \
		return hypercall_result_of(serve_##name(vcpu, call), 0);                     \
	}
#define ROW(number, NAME, name)       [HYPERCALL_##NAME] = fast_##name,
#define ROW_LATER(number, NAME, name) [HYPERCALL_##NAME] = hypercall_later,
#define CASE(number, NAME, name) \
	case HYPERCALL_##NAME:   \
		return serve_##name(vcpu, call);
#define NOTHING(number, NAME, name)

HYPERCALLS(FAST, NOTHING)

const hypercall_fn hypercalls_fast[HYPERCALL_COUNT] = { HYPERCALLS(ROW, ROW_LATER) };

uint64_t hypercall_serve(struct vcpu *vcpu, const struct hypercall *call)
{
	switch (call->number) {
		HYPERCALLS(CASE, CASE)
	default:
		return HYPERCALL_NOT_SUPPORTED;
	}
}
