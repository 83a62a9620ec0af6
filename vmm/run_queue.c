/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs become ready: the queues of the CPUs, those that wait with a deadline, and who wakes whom. */
#include "vmm/run_queue.h"

#include "include/arch/cpu.h"

uint64_t sched_awake;

/* --- Queues ---------------------------------------------------------------------------------------------------------- */

static bool may_run_on(const struct vm_options *options, const struct cpu *cpu)
{
	return options->pin == 0 || options->pin & BIT(cpu->id);
}

bool sched_can_run(const struct vm_options *options)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_is_online(cpu_of(i)) && may_run_on(options, cpu_of(i)))
			return true;
	return false;
}

/* How much a CPU has to do; read without its lock, as a hint. */
static unsigned load_of(const struct cpu *cpu)
{
	return cpu_ready(cpu) + !__atomic_load_n(&cpu->idle, __ATOMIC_RELAXED);
}

/* The CPU with the least to do; the one where the vCPU ran last, if no other has less. */
struct cpu *run_queue_place(const struct vcpu *vcpu)
{
	const struct vm_options *options = &vcpu->vm->options;
	struct cpu *best = vcpu->cpu;

	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *cpu = cpu_of(i);

		if (cpu_is_online(cpu) && may_run_on(options, cpu) && (!best || load_of(cpu) < load_of(best)))
			best = cpu;
	}
	return best;
}

void run_queue_add(struct cpu *cpu, struct vcpu *vcpu)
{
	struct run_queue *queue = &cpu->queue;

	vcpu->next = NULL;
	spin_lock(&queue->lock);
	if (queue->last)
		queue->last->next = vcpu;
	else
		queue->first = vcpu;
	queue->last = vcpu;
	__atomic_store_n(&queue->length, queue->length + 1, __ATOMIC_RELAXED);
	spin_unlock(&queue->lock);
}

/* A CPU that is about to sleep says so first and looks at its queue then: see idle(). */
void run_queue_add_and_tell(struct cpu *cpu, struct vcpu *vcpu)
{
	run_queue_add(cpu, vcpu);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&cpu->idle, __ATOMIC_RELAXED) && cpu != arch_this_cpu())
		arch_ipi_send(cpu);
}

/* Take the first vCPU of `from` that may run on `cpu`. */
struct vcpu *run_queue_take(struct cpu *from, const struct cpu *cpu)
{
	struct run_queue *queue = &from->queue;
	struct vcpu *vcpu, *before = NULL;

	if (cpu_ready(from) == 0)
		return NULL;
	spin_lock(&queue->lock);
	for (vcpu = queue->first; vcpu && from != cpu && !may_run_on(&vcpu->vm->options, cpu); vcpu = vcpu->next)
		before = vcpu;
	if (vcpu) {
		if (before)
			before->next = vcpu->next;
		else
			queue->first = vcpu->next;
		if (queue->last == vcpu)
			queue->last = before;
		__atomic_store_n(&queue->length, queue->length - 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&queue->lock);
	return vcpu;
}

/* From the queues of others, beginning with the next CPU. */
struct vcpu *run_queue_take_from_others(const struct cpu *cpu)
{
	struct vcpu *vcpu = NULL;

	for (unsigned i = 1; i < cpu_count && !vcpu; i++)
		vcpu = run_queue_take(cpu_of((cpu->id + i) % cpu_count), cpu);
	return vcpu;
}

/* --- Waiting --------------------------------------------------------------------------------------------------------- */

void timed_add(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vcpu **link = &cpu->timed;

	spin_lock(&cpu->queue.lock);
	while (*link && (*link)->wake_at <= vcpu->wake_at)
		link = &(*link)->next_timed;
	vcpu->next_timed = *link;
	STORE_RELAXED(*link, vcpu); /* timed_next and timed_wake read the first one without the lock */
	spin_unlock(&cpu->queue.lock);
	vcpu->timed = true;
	vcpu->vm->timed++;
}

/* With vm.lock. */
void timed_remove(struct vcpu *vcpu)
{
	struct cpu *cpu = vcpu->cpu;
	struct vcpu **link;

	if (!vcpu->timed)
		return;
	link = &cpu->timed;
	spin_lock(&cpu->queue.lock);
	while (*link && *link != vcpu)
		link = &(*link)->next_timed;
	if (*link)
		STORE_RELAXED(*link, vcpu->next_timed);
	spin_unlock(&cpu->queue.lock);
	vcpu->timed = false;
	vcpu->vm->timed--;
}

/* A vCPU can run from now on; with vm.lock. */
static void activate(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (vm->asleep) {
		vm->asleep = false;
		__atomic_add_fetch(&sched_awake, 1, __ATOMIC_RELAXED);
	}
	vcpu->state = VCPU_READY;
	vm->active++;
	run_queue_add_and_tell(run_queue_place(vcpu), vcpu);
}

/* With vm.lock. */
static void wake(struct vcpu *vcpu)
{
	STORE_RELAXED(vcpu->woken, true); /* as the vCPU itself may do now: sched_notify */
	if (vcpu->state == VCPU_WAITING && vm_is_running(vcpu->vm)) {
		timed_remove(vcpu);
		activate(vcpu);
	}
}

void sched_wake(struct vcpu *vcpu)
{
	spin_lock(&vcpu->vm->lock);
	wake(vcpu);
	if (vcpu->resting)
		arch_ipi_send(vcpu->cpu);
	spin_unlock(&vcpu->vm->lock);
}

/* One that is resident here sees `attention` at the end of its exit. */
void sched_notify(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->attention, 1, __ATOMIC_RELEASE);
	if (arch_this_cpu()->resident == vcpu) {
		STORE_RELAXED(vcpu->woken, true);
		return;
	}
	spin_lock(&vcpu->vm->lock);
	wake(vcpu);
	if (vcpu->state == VCPU_RUNNING)
		arch_ipi_send(vcpu->cpu);
	spin_unlock(&vcpu->vm->lock);
}

/*
 * Take the first vCPU of this CPU whose time has come out of the list, with its vm.lock, which the caller lets go. The VM cannot be
 * gone: who ends it takes its vCPUs out of the list first. NULL: there is none; or its lock, which comes before the queue's, was
 * not free, and `*again` is set.
 */
static struct vcpu *timed_take(struct cpu *cpu, uint64_t now, bool *again)
{
	struct vcpu *vcpu;

	*again = false;
	spin_lock(&cpu->queue.lock);
	vcpu = cpu->timed;
	if (vcpu && vcpu->wake_at > now)
		vcpu = NULL;
	if (vcpu && !spin_trylock(&vcpu->vm->lock)) {
		*again = true;
		vcpu = NULL;
	}
	if (vcpu)
		STORE_RELAXED(cpu->timed, vcpu->next_timed);
	spin_unlock(&cpu->queue.lock);
	return vcpu;
}

void timed_wake_first(struct cpu *cpu, uint64_t now)
{
	bool again = true;

	while (again) {
		struct vcpu *vcpu = timed_take(cpu, now, &again);

		if (!vcpu) {
			if (spin_wait)
				spin_wait();
			continue;
		}
		vcpu->timed = false;
		vcpu->vm->timed--;
		activate(vcpu);
		spin_unlock(&vcpu->vm->lock);
		again = true;
	}
}

uint64_t timed_first(struct cpu *cpu)
{
	uint64_t deadline = NEVER;

	spin_lock(&cpu->queue.lock);
	if (cpu->timed)
		deadline = cpu->timed->wake_at;
	spin_unlock(&cpu->queue.lock);
	return deadline;
}

/* --- Starting -------------------------------------------------------------------------------------------------------- */

bool sched_claim(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool off;

	spin_lock(&vm->lock);
	off = vcpu->state == VCPU_OFF && vm_is_running(vm);
	if (off)
		vcpu->state = VCPU_CLAIMED;
	spin_unlock(&vm->lock);
	return off;
}

void sched_start(struct vcpu *vcpu)
{
	spin_lock(&vcpu->vm->lock);
	activate(vcpu);
	spin_unlock(&vcpu->vm->lock);
}

void sched_start_later(struct vcpu *vcpu, uint64_t when)
{
	struct cpu *cpu = run_queue_place(vcpu);

	spin_lock(&vcpu->vm->lock);
	vcpu->state = VCPU_WAITING;
	vcpu->wake_at = when;
	vcpu->cpu = cpu;
	timed_add(cpu, vcpu);
	spin_unlock(&vcpu->vm->lock);
	if (cpu != arch_this_cpu())
		arch_ipi_send(cpu); /* it may sleep for longer */
}

bool run_queue_wake_one(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++) {
		struct vcpu *vcpu = vm->vcpu_table[i];

		if (vcpu->state != VCPU_WAITING)
			continue;
		timed_remove(vcpu);
		activate(vcpu);
		return true;
	}
	return false;
}

/* If all of its vCPUs wait, one is taken out of that: who leaves last sees to the end. */
void sched_end(struct vm *vm, enum vm_outcome outcome)
{
	spin_lock(&vm->lock);
	vm_end(vm, outcome, 0);
	if (vm->active == 0)
		run_queue_wake_one(vm);
	spin_unlock(&vm->lock);
}

void sched_start_fork(struct vm *child)
{
	spin_lock(&child->lock);
	for (unsigned i = 0; i < child->vcpus; i++)
		if (child->vcpu_table[i]->state == VCPU_READY)
			activate(child->vcpu_table[i]);
	spin_unlock(&child->lock);
}
