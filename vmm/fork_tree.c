/* SPDX-License-Identifier: BSD-2-Clause */
/* Fork trees: the VMs of one by number, and who of them waits for whose end. */
#include "vmm/fork_tree.h"

#include <string.h>

#include "mm/frame.h"
#include "vmm/sched.h"

static unsigned next_number; /* atomic */

void vm_numbers_start(unsigned next)
{
	next_number = next;
}

unsigned vm_numbers(void)
{
	return __atomic_load_n(&next_number, __ATOMIC_RELAXED);
}

unsigned fork_tree_live(struct fork_tree *tree)
{
	return __atomic_load_n(&tree->live, __ATOMIC_RELAXED);
}

/* Zeroed; NULL: there is no memory. */
static struct vm **new_part(void)
{
	hpa_t memory;

	if (frame_alloc_count(FRAME_CALL, 1, &memory) != ERR_OK)
		return NULL;
	return memset(frame_ptr(memory), 0, PAGE_SIZE);
}

/* Where the tree has the VM of this number, or will have; NULL: there is no room. With the tree's lock. */
static struct vm **tree_slot(struct fork_tree *tree, unsigned number)
{
	struct vm ***part = &tree->part[number / FORK_TREE_ROOM];

	if (number >= FORK_TREE_PARTS * FORK_TREE_ROOM)
		return NULL;
	if (!*part)
		*part = new_part();
	return *part ? &(*part)[number % FORK_TREE_ROOM] : NULL;
}

/* Give the VM its numbers. Errors: ERR_NO_MEMORY. */
enum err fork_tree_join(struct vm *vm)
{
	struct fork_tree *tree = vm->tree;
	struct vm **slot;

	spin_lock(&tree->lock);
	slot = tree_slot(tree, tree->count);
	if (slot) {
		*slot = vm;
		vm->tree_number = tree->count++;
		tree->live++;
		vm->number = vm->tree_number == 0 ? tree->number : __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&tree->lock);
	return slot ? ERR_OK : ERR_NO_MEMORY;
}

/* The table goes with the tree's last VM. */
static void free_table(struct fork_tree *tree)
{
	for (unsigned i = 0; i < FORK_TREE_PARTS && tree->part[i]; i++) {
		frame_free_count(HPA((uintptr_t)tree->part[i] - frame_phys_to_virt), 1);
		tree->part[i] = NULL;
	}
}

/* With the tree's lock. */
static void stop_waiting(struct vcpu *vcpu)
{
	struct vm *of = vcpu->waits_for;
	struct vcpu **link;

	if (!of)
		return;
	for (link = &of->waiters; *link != vcpu; link = &(*link)->next_waiter)
		;
	*link = vcpu->next_waiter;
	vcpu->waits_for = NULL;
	__atomic_sub_fetch(&vcpu->vm->waits, 1, __ATOMIC_RELAXED);
}

void vm_stop_waiting(struct vm *vm)
{
	spin_lock(&vm->tree->lock);
	for (unsigned i = 0; i < vm->vcpus; i++)
		stop_waiting(vm->vcpu_table[i]);
	spin_unlock(&vm->tree->lock);
}

/* A VM leaves its tree: who waits for its end is woken. */
void fork_tree_leave(struct vm *vm)
{
	struct fork_tree *tree = vm->tree;

	vm_stop_waiting(vm);
	spin_lock(&tree->lock);
	*tree_slot(tree, vm->tree_number) = NULL;
	while (vm->waiters) {
		struct vcpu *waiter = vm->waiters;

		stop_waiting(waiter);
		sched_wake(waiter);
	}
	spin_unlock(&tree->lock);
}

/* A VM that has left the tree is freed. True: it was the last one, so that all that the tree has cost is free. */
bool fork_tree_gone(struct fork_tree *tree)
{
	bool last;

	spin_lock(&tree->lock);
	last = --tree->live == 0;
	if (last)
		free_table(tree);
	spin_unlock(&tree->lock);
	return last;
}

bool vm_wait(struct vcpu *vcpu, uint64_t number, bool *invalid)
{
	struct fork_tree *tree = vcpu->vm->tree;
	struct vm *of = NULL;

	spin_lock(&tree->lock);
	*invalid = number >= tree->count || number == vcpu->vm->tree_number;
	if (!*invalid)
		of = *tree_slot(tree, (unsigned)number);
	if (of && !vcpu->waits_for) {
		vcpu->waits_for = of;
		vcpu->next_waiter = of->waiters;
		of->waiters = vcpu;
		__atomic_add_fetch(&vcpu->vm->waits, 1, __ATOMIC_RELAXED);
	}
	if (of) {
		vcpu->wake_at = NEVER;
		vcpu->leave = LEAVE_WAIT;
	}
	spin_unlock(&tree->lock);
	return of != NULL;
}
