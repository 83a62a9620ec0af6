/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for the scheduler: threads are its CPUs, and fakes stand for the ISA. A CPU takes interrupts between two steps of its
 * guest, and sleeps until one comes.
 */
#ifndef NESTLING_TESTS_HOST_SCHED_MACHINE_H
#define NESTLING_TESTS_HOST_SCHED_MACHINE_H

#include <pthread.h>
#include <semaphore.h>

#include "tests/host/host.h"
#include "vmm/sched.h"

#define MACHINE_CPUS  4
#define MACHINE_VCPUS 4   /* of a VM, at most */
#define MACHINE_SLICE 500 /* microseconds */

struct guest;
typedef void (*guest_step)(struct guest *guest);

/* A vCPU. Plain members: whoever runs it may use them, or has stopped it. */
struct guest {
	struct vcpu vcpu;
	struct cpu *on; /* resident there */
	struct host_rng rng;
	uint64_t cached; /* the VM's translations that this one has seen, by their epoch; 0: none */
	uint64_t steps;
	unsigned pending; /* atomic; interrupts for it that others have raised and it has not taken */
	guest_step step;
};

struct guest_vm {
	struct vm vm;
	struct guest guests[MACHINE_VCPUS];
	uint64_t epoch; /* atomic; of the translations that are in force */
	uint64_t dead;  /* atomic; no CPU may use any of an earlier epoch than this */
	bool frozen;    /* plain: none of its vCPUs comes into a CPU */
	bool ended;
};

struct machine {
	struct fake_cpu {
		unsigned pending; /* atomic; enum cpu_event */
		uint64_t deadline;
		sem_t wake;
		pthread_t thread;
	} cpus[MACHINE_CPUS];
	bool closing;   /* atomic: VMs end, and no more are made */
	unsigned live;  /* VMs; atomic */
	uint64_t clock; /* nanoseconds; 0: the time is the host's, else a guest lets it go on. With one CPU only */
	uint64_t made, forks, held, given_up, shootdowns, preemptions, delivered, pauses, errands, puts; /* atomic */
};

extern struct machine machine;

static inline void machine_count(uint64_t *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static inline bool machine_is_closing(void)
{
	return __atomic_load_n(&machine.closing, __ATOMIC_RELAXED);
}

static inline struct guest *guest_of(struct vcpu *vcpu)
{
	return CONTAINER_OF(vcpu, struct guest, vcpu);
}

static inline struct guest_vm *vm_of(struct guest *guest)
{
	return CONTAINER_OF(guest->vcpu.vm, struct guest_vm, vm);
}

/* A VM whose vCPUs all do this. `ended` is what its `ended` is: machine_vm_over, or what calls that at last. */
struct guest_vm *machine_new_vm(guest_step step, unsigned vcpus, bool (*ended)(struct vm *vm));

/* Have its first vCPU run. */
void machine_start_vm(struct guest_vm *vm);

/* Is it as it has to be when it ends? */
void machine_check_ended(struct guest_vm *vm);

/* It has ended: check it, and free it. */
bool machine_vm_over(struct vm *ended);

/* What is cached of the VM's translations may be used as long as they have not been shot down. */
void machine_use_translations(struct guest *guest);

/* A step of a guest that spins, until the machine is closing. */
void machine_spin(struct guest *guest);

/* As a device or another vCPU does. */
void machine_interrupt(struct guest *guest);

/* A machine of so many CPUs, whose first VMs can be started then. */
void machine_start(unsigned cpus_used);

/* Let the CPUs run until no VM is left, and be closing after so long. */
void machine_run(unsigned milliseconds);

#endif
