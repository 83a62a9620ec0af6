/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM is forked: its address space piece by piece, then its devices and vCPUs. */
#include "vmm/fork.h"

#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"
#include "include/log.h"
#include "vmm/fork_tree.h"
#include "vmm/generation.h"
#include "vmm/sched.h"
#include "vmm/stop.h"
#include "vmm/time_out.h"
#include "vmm/vm_parts.h"
#include "vmm/vm_virtio.h"

/* Its parent has company from now on, too. */
static void fork_console(struct vm *child, struct vm *parent)
{
	console_stream_fork(&child->console, &parent->console);
	child->devices.console = &child->console;
}

static void name_fork(struct vm *child)
{
	snprintf(child->console.name, sizeof(child->console.name), "%s.%u", child->options.name, child->tree_number);
}

static void fork_vcpu(struct vcpu *child, struct vcpu *parent)
{
	child->fast = parent->fast;
	child->calls = parent->calls;
	/* A call that is not done is served again, by the child's last exit. */
	child->again = parent->again;
	child->posted_done = parent->posted_done;
	child->posted = parent->posted;
	*vm_last_exit(child) = *vm_last_exit(parent);
	child->done = parent->done;
	child->found = parent->found;
	child->wake_at = parent->wake_at;
	/* One that was to run goes on; one that waits for something that is not there in the child looks again whether it has to.
	 */
	child->state = parent->state == VCPU_RUNNING || parent->timed || parent->waits_for ? VCPU_READY : parent->state;
	if (child->state == VCPU_WAITING && generation_is_there(child->vm))
		child->state = VCPU_READY;
	arch_vcpu_fork(child, parent);
}

/* With both locks nobody is woken meanwhile: one that is half awake would not look in the child, and not be woken there. */
static void fork_vcpus(struct vm *child, struct vm *parent)
{
	spin_lock(&parent->tree->lock);
	spin_lock(&parent->lock);
	for (unsigned i = 0; i < child->vcpus; i++)
		fork_vcpu(child->vcpu_table[i], parent->vcpu_table[i]);
	spin_unlock(&parent->lock);
	spin_unlock(&parent->tree->lock);
}

/* The child, with a space that has nothing yet. */
static enum err begin_fork(struct vm *parent, struct vm **out)
{
	struct vm *child;
	enum err err = vm_alloc(parent->tree, &child);

	if (err != ERR_OK)
		return err;
	child->options = parent->options;
	fork_console(child, parent);
	memcpy(child->ram, parent->ram, sizeof(child->ram));
	child->ram_ranges = parent->ram_ranges;
	memcpy(child->files, parent->files, sizeof(child->files));
	child->generation = parent->generation;
	blocks_start(child);
	child->cloned = 1;
	child->inject_denied = parent->inject_denied;
	child->devices.unclaimed = parent->devices.unclaimed;
	child->denied_logged = parent->denied_logged;
	child->traced = parent->traced;
	child->ended = parent->ended;
	err = addr_space_fork_begin(&parent->as, &child->as);
	if (err == ERR_OK)
		*out = child;
	else
		vm_free_zeroed(child, sizeof(*child));
	return err;
}

/* From now on copy_memory frees what there is of the child. */
static void refuse_fork(struct vcpu *vcpu)
{
	vcpu->child->outcome = VM_REFUSED;
	vcpu->child->as.flush = NULL; /* no CPU has ever run on it */
	vcpu->forked = 0;
}

/* Free a child that was refused, a piece of it. True: there is more. */
static bool undo_fork(struct vcpu *vcpu)
{
	struct vm *child = vcpu->child;
	gpa_t at = GPA(vcpu->forked);
	bool more = addr_space_clear_piece(&child->as, &at);

	vcpu->forked = at.raw;
	if (more)
		return true;
	addr_space_free(&child->as);
	vm_free_zeroed(child, sizeof(*child));
	vcpu->child = NULL;
	vcpu->forked = 0;
	return false;
}

/*
 * Copy the address space, a piece of it. True: there is more. Else `*err` is ERR_OK, and copy_rest is next; or ERR_NO_MEMORY: there
 * is no child any more.
 */
static bool copy_memory(struct vcpu *vcpu, enum err *err)
{
	struct vm *parent = vcpu->vm;
	gpa_t at = GPA(vcpu->forked);
	bool more;

	*err = vcpu->child ? ERR_OK : begin_fork(parent, &vcpu->child);
	if (*err != ERR_OK)
		return false;
	if (vcpu->child->outcome == VM_RUNNING && vm_is_running(parent)) {
		*err = addr_space_fork_piece(&parent->as, &vcpu->child->as, &at, &more);
		vcpu->forked = at.raw;
		if (*err == ERR_OK)
			return more;
	}
	if (vcpu->child->outcome == VM_RUNNING)
		refuse_fork(vcpu);
	*err = ERR_NO_MEMORY;
	return undo_fork(vcpu);
}

/* The rest of it, with the vCPU out of its CPU: the state of all is copied from where it is kept. On failure the child is refused.
 */
static enum err copy_rest(struct vcpu *vcpu, struct vm **out)
{
	struct vm *parent = vcpu->vm, *child = vcpu->child;
	enum err err = arch_vm_fork(child, parent);

	if (err != ERR_OK)
		goto refuse;
	child->control = parent->control;
	child->pvpanic = parent->pvpanic;
	vm_add_devices(child);
	err = vm_virtio_fork(child, parent);
	if (err != ERR_OK)
		goto free_arch;
	err = vm_new_vcpus(child);
	if (err != ERR_OK)
		goto free_virtio;
	err = vm_charge(child);
	if (err == ERR_OK)
		err = generation_renew(child);
	if (err == ERR_OK)
		err = fork_tree_join(child);
	if (err != ERR_OK)
		goto free_vcpus;
	name_fork(child);
	fork_vcpus(child, parent);
	generation_tell(child);
	vcpu->child = NULL;
	vcpu->forked = 0;
	*out = child;
	return ERR_OK;

free_vcpus:
	vm_free_vcpus(child);
free_virtio:
	vm_virtio_free(child);
free_arch:
	arch_vm_free(child);
refuse:
	refuse_fork(vcpu);
	return err;
}

bool fork_piece(struct vcpu *vcpu, struct vm **child)
{
	enum err err;

	*child = NULL;
	if (!sched_stop_others(vcpu))
		return true;
	if (copy_memory(vcpu, &err)) {
		vcpu->leave = LEAVE_PIECE;
		return true;
	}
	if (err != ERR_OK)
		return false;
	arch_vcpu_put(vcpu);
	err = copy_rest(vcpu, child);
	arch_vcpu_get(vcpu);
	if (err == ERR_OK)
		return false;
	vcpu->leave = LEAVE_PIECE; /* what was made of the child is to be freed */
	return true;
}

void fork_start(struct vm *child)
{
	sched_add(child);
	sched_start_fork(child);
}

/* --- By somebody else's wish ----------------------------------------------------------------------------------------- */

/* The vCPU that makes it goes on in the child with what it was at before. */
static void start_asked(struct vcpu *vcpu, struct vm *child)
{
	child->vcpu_table[vcpu->id]->again = vcpu->resume;
	log_vm_info(vcpu->vm, "forked: %s", child->console.name);
	fork_start(child);
}

static void not_forked(struct vm *vm)
{
	char why[80];

	log_vm_info(vm, "not forked: %s", vm_is_running(vm) ? vm_shortage_text(vm, why, sizeof(why)) : "it has ended");
}

/* vcpu->again, of the vCPU that sched_ask has found. */
static void make_asked(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm, *child;

	if (vm_is_running(vm) && sched_time_is_up(vcpu))
		vm_time_out(vcpu);
	if (fork_piece(vcpu, &child))
		return;
	if (child)
		start_asked(vcpu, child);
	else
		not_forked(vm);
	if (child && --vm->errand_times > 0)
		vcpu->leave = LEAVE_PIECE;
	else
		sched_asked(vcpu);
}

bool fork_ask(struct vm *vm, unsigned count)
{
	return sched_ask(vm, make_asked, count);
}
