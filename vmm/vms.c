/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMs that live, and which of them has the keyboard. */
#include "vmm/vms.h"

static struct spinlock lock = SPINLOCK(LOCK_VMS); /* of the list, and of who has the keyboard */
static struct vm *first, *last;
static struct vm *typed; /* NULL: the list is empty */
static bool complete;    /* atomic; set once */

/* Behind those of lower numbers: a fork, which has the highest one, is in its place at once. */
static void insert(struct vm *vm)
{
	struct vm *before = last;

	while (before && before->number > vm->number)
		before = before->previous_live;
	vm->previous_live = before;
	vm->next_live = before ? before->next_live : first;
	*(before ? &before->next_live : &first) = vm;
	*(vm->next_live ? &vm->next_live->previous_live : &last) = vm;
}

static void unlink(struct vm *vm)
{
	*(vm->previous_live ? &vm->previous_live->next_live : &first) = vm->next_live;
	*(vm->next_live ? &vm->next_live->previous_live : &last) = vm->previous_live;
}

void vms_add(struct vm *vm)
{
	spin_lock(&lock);
	if (!vm->absent)
		insert(vm);
	vm->absent = false;
	if (!typed)
		typed = vm;
	spin_unlock(&lock);
}

void vms_remove(struct vm *vm)
{
	spin_lock(&lock);
	vm->absent = vm->outcome == VM_RESET;
	if (!vm->absent)
		unlink(vm);
	if (!vm->absent && typed == vm)
		typed = vm->next_live ? vm->next_live : first;
	spin_unlock(&lock);
}

bool vms_are_several(void)
{
	return __atomic_load_n(&first, __ATOMIC_RELAXED) != __atomic_load_n(&last, __ATOMIC_RELAXED);
}

static struct vm *get(unsigned number, bool any)
{
	struct vm *vm;

	spin_lock(&lock);
	for (vm = first; vm && (vm->number < number || (vm->absent && !any)); vm = vm->next_live)
		;
	if (!vm)
		spin_unlock(&lock);
	return vm;
}

struct vm *vms_get(unsigned number)
{
	return get(number, false);
}

struct vm *vms_get_any(unsigned number)
{
	return get(number, true);
}

static struct vm *get_typed(bool any)
{
	spin_lock(&lock);
	if (typed && (any || !typed->absent))
		return typed;
	spin_unlock(&lock);
	return NULL;
}

struct vm *vms_get_typed(void)
{
	return get_typed(false);
}

struct vm *vms_get_typed_any(void)
{
	return get_typed(true);
}

void vms_complete(void)
{
	__atomic_store_n(&complete, true, __ATOMIC_RELEASE);
}

bool vms_are_complete(void)
{
	return __atomic_load_n(&complete, __ATOMIC_ACQUIRE);
}

void vms_put(void)
{
	spin_unlock(&lock);
}

bool vms_is_typed(const struct vm *vm)
{
	return typed == vm;
}

void vms_choose(struct vm *vm)
{
	typed = vm;
}
