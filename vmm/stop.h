/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vCPUs of a VM are stopped: by one of them, that changes something of all, or by the monitor. vm->stopper says who has, and
 * only that vCPU gets a CPU meanwhile. Those that are in one leave it at the end of the exit in hand; who is ready is held.
 *
 *     NULL ──► a vCPU ──► NULL              sched_stop_others, sched_continue_others
 *     NULL ──► VM_PAUSER ──► NULL           sched_pause, sched_go_on
 *     NULL or VM_PAUSER ──► VM_ERRAND ──► the first vCPU that comes into a CPU ──► as it was: sched_ask
 */
#ifndef NESTLING_VMM_STOP_H
#define NESTLING_VMM_STOP_H

#include "vmm/vm.h"

/*
 * Stop all other vCPUs of the VM: when this returns true, none is in a CPU, until sched_continue_others. False: another one is
 * stopping this one, or the VM has ended; vcpu->leave is set, and the caller is to try again when the vCPU runs again. The vCPU
 * that has stopped them may leave its CPU meanwhile and ask again. It is served further when its VM ends, since only it lets them
 * go.
 */
bool sched_stop_others(struct vcpu *vcpu);
void sched_continue_others(struct vcpu *vcpu);

/*
 * Stop all vCPUs of a VM until sched_go_on: each leaves its CPU at the end of the exit in hand, for which this does not wait.
 * False: a vCPU is stopping the others just now. The VM may still end, by a vCPU that was in an exit; who pauses it lets it go
 * then, too. For somebody who is none of its vCPUs.
 */
bool sched_pause(struct vm *vm);
void sched_go_on(struct vm *vm);

/*
 * Have one vCPU of the VM, whichever, call `what` before its guest goes on, as its vcpu->again, with the others stopped or about to
 * be: sched_stop_others waits for them. It is called until it calls sched_asked; how often it is to be done yet, vm->errand_times,
 * is its own. Then the vCPU goes on with what it was at, and the VM runs or is paused, as before. A vCPU that waits may be woken
 * for it. False: a vCPU is stopping the others just now, or the VM has ended. A VM that ends before any vCPU was there never does
 * it. For anybody; a vCPU of the VM itself leaves its CPU for it at the end of the exit in hand.
 */
bool sched_ask(struct vm *vm, void (*what)(struct vcpu *vcpu), unsigned times);
void sched_asked(struct vcpu *vcpu);

#endif
