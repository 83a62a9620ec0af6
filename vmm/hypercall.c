/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's calls. Every argument is the guest's word, and hostile. */
#include "vmm/hypercall.h"

#include "drivers/console.h"

static bool write_chunk(void *bytes, uint64_t size, void *context)
{
	(void)context;
	console_write(bytes, size);
	return true;
}

static uint64_t console_call(struct vm *vm, gpa_t gpa, uint64_t size)
{
	size = min_u64(size, HYPERCALL_CONSOLE_MAX);
	switch (addr_space_iter_bytes(&vm->as, gpa, size, NPT_R, write_chunk, NULL)) {
	case ERR_OK:
		return size;
	case ERR_NO_MEMORY:
		return HYPERCALL_NO_MEMORY;
	default:
		return HYPERCALL_INVALID;
	}
}

static uint64_t memory_info(struct vm *vm, uint64_t what)
{
	struct addr_space_stats stats = addr_space_get_stats(&vm->as);

	switch (what) {
	case MEMORY_INFO_PROMISED:
		return vm->options.ram;
	case MEMORY_INFO_RESIDENT:
		return stats.resident;
	case MEMORY_INFO_TABLES:
		return vm->as.npt.table_bytes;
	case MEMORY_INFO_FAULTS:
		return stats.faults[FAULT_HANDLED];
	default:
		return HYPERCALL_INVALID;
	}
}

uint64_t hypercall_dispatch(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vm *vm = vcpu->vm;

	switch (call->number) {
	case HYPERCALL_VERSION:
		return HYPERCALL_ABI_VERSION;
	case HYPERCALL_EXIT:
		vm_end(vm, VM_EXITED, call->arg[0]);
		return 0;
	case HYPERCALL_CONSOLE_WRITE:
		return console_call(vm, GPA(call->arg[0]), call->arg[1]);
	case HYPERCALL_MEMORY_INFO:
		return memory_info(vm, call->arg[0]);
	default:
		return HYPERCALL_NOT_SUPPORTED;
	}
}
