/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM whose guest has asked for a reboot is made anew, in its place. */
#include "vmm/reset.h"

#include <string.h>

#include "include/arch/cpu.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "vmm/run.h"

/* Only so many reboots are logged, so that a guest cannot flood the console. */
#define REBOOTS_LOGGED 4

/* What vm_new finds zero. Others may read what is not named here: the VM's place in lists, who waits for it, its locks. */
static void forget(struct vm *vm)
{
	memset(&vm->as, 0, sizeof(vm->as));
	memset(&vm->arch, 0, sizeof(vm->arch));
	memset(&vm->devices, 0, sizeof(vm->devices));
	memset(&vm->control, 0, sizeof(vm->control));
	memset(&vm->pvpanic, 0, sizeof(vm->pvpanic));
	memset(&vm->balloon, 0, sizeof(vm->balloon));
	spin_init(&vm->devices.lock, LOCK_DEVICES);
	vm->devices.console = &vm->console;
	memset(&vm->blocks, 0, sizeof(vm->blocks));
	memset(&vm->vcpu, 0, sizeof(vm->vcpu));
	memset(vm->vcpu_table, 0, sizeof(vm->vcpu_table));
	vm->ram_ranges = 0;
	vm->ending = vm->retired = false;
	vm->surveyed = vm->touched = vm->of_files = vm->cleared = 0;
	vm->image = vm->initrd = (struct ram_range_gpa){ 0 };
	vm->inject_denied = false;
	vm->denied_logged = 0;
	vm->guest_status = 0;
}

void reset_rebuild(struct vm *vm)
{
	const struct guest_image *image = vm->files[0], *initrd = vm->files[1];
	enum err err;

	if (vm->reboots++ < REBOOTS_LOGGED)
		log_vm_info(vm, "guest asked for a reboot, and is loaded anew%s",
			    vm->reboots == REBOOTS_LOGGED ? "; further reboots are not logged" : "");
	console_stream_flush(&vm->console);
	vm_stop_waiting(vm);
	vm_unbuild(vm);
	forget(vm);
	__atomic_store_n(&vm->outcome, VM_RUNNING, __ATOMIC_RELEASE);
	err = vm_build(vm);
	if (err == ERR_OK && vm_is_running(vm))
		err = vm_load(vm, image, initrd);
	if (err != ERR_OK)
		vm_end(vm, err == ERR_NO_MEMORY ? VM_NO_MEMORY : VM_REFUSED, 0);
}

/* The first thing that the vCPU does: when it waits later, this deadline must not hold. */
static void begin(struct vcpu *vcpu)
{
	vcpu->again = NULL;
	vcpu->wake_at = NEVER;
}

void reset_start(struct vm *vm)
{
	uint64_t now = arch_clock(), when = vm->reset_at + arch_clock_frequency() / RESETS_A_SECOND;

	vm->vcpu.again = begin;
	vm->reset_at = max_u64(now, when);
	vm_start(vm, vm->reset_at);
}
