/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPUs of one space that fault at once: each is a thread with a view of its own, and writes to the pages of a stretch of its own.
 *
 *   bench threads [ROUNDS]
 *       a line for each format: threads, FORMAT, faults per second of one vCPU, of two together, spins per fault of two; with tabs
 *
 * A round has a run of one vCPU and one of two, so that both see the same machine, and of each the best counts: on a shared machine
 * a vCPU may be without a core for a while, and the other waits for its lock.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "bench/host/bench.h"

#define VCPUS   2
#define STRETCH MIB(160)
#define PAGES   (STRETCH / PAGE_SIZE)

static struct addr_space space;
static struct addr_space_view second;

static struct vcpu {
	struct addr_space_view *view;
	uint64_t from; /* gpa of its stretch */
	unsigned number;
	pthread_t thread;
	uint64_t start, end; /* nanoseconds */
	uint64_t spins;      /* how often it looked at a lock in vain */
} __attribute__((aligned(64))) vcpus[VCPUS];

static _Thread_local struct vcpu *this_vcpu;
static unsigned ready; /* vCPUs that wait for the others before they begin */

struct result {
	double rate;  /* faults per second */
	double spins; /* per fault */
};

/* Not a tight loop: the hypervisor's hook, too, looks at more than the lock. */
static void count_spin(void)
{
	this_vcpu->spins++;
	__builtin_ia32_pause();
}

static void pin(unsigned number)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		panic("bench: no CPUs");
	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && number-- == 0)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one) == 0 || pthread_setaffinity_np(pthread_self(), sizeof(one), &one) != 0)
		panic("bench: there are not as many CPUs as vCPUs");
}

static void *run(void *vcpu)
{
	struct npt_fault fault = { .access = NPT_W };

	this_vcpu = vcpu;
	pin(this_vcpu->number);
	__atomic_sub_fetch(&ready, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) != 0)
		;
	this_vcpu->start = bench_now();
	for (uint64_t i = 0; i < PAGES; i++) {
		fault.gpa = GPA(this_vcpu->from + i * PAGE_SIZE);
		if (addr_space_handle_fault(this_vcpu->view, &fault) != FAULT_HANDLED)
			panic("bench: a fault at %#lx has another outcome", fault.gpa.raw);
	}
	this_vcpu->end = bench_now();
	return NULL;
}

static struct result run_together(const struct format *format, unsigned count)
{
	uint64_t start = UINT64_MAX, end = 0, spins = 0;

	must(addr_space_new(&space, format->ops, &format->config, bench_flush));
	must(addr_space_add_view(&space, &second)); /* there for one vCPU, too: what differs is only who runs */
	must(addr_space_map_alloc(&space, GPA(BASE), VCPUS * STRETCH, NPT_RW, ALLOC_LAZY_4K));
	ready = count;
	for (unsigned i = 0; i < count; i++) {
		vcpus[i] = (struct vcpu){ .view = i == 0 ? &space.view : &second, .from = BASE + i * STRETCH, .number = i };
		if (pthread_create(&vcpus[i].thread, NULL, run, &vcpus[i]) != 0)
			panic("bench: no thread");
	}
	for (unsigned i = 0; i < count; i++) {
		pthread_join(vcpus[i].thread, NULL);
		start = min_u64(start, vcpus[i].start);
		end = max_u64(end, vcpus[i].end);
		spins += vcpus[i].spins;
	}
	addr_space_remove_view(&second);
	addr_space_free(&space);
	return (struct result){
		.rate = (double)(count * PAGES) * 1e9 / (double)(end - start),
		.spins = (double)spins / (double)(count * PAGES),
	};
}

int bench_threads(unsigned rounds)
{
	spin_wait = count_spin;
	for (size_t f = 0; f < FORMATS; f++) {
		struct result best[VCPUS] = { { .rate = 0 } };

		for (unsigned i = 0; i < rounds * VCPUS; i++) {
			struct result result = run_together(&formats[f], i % VCPUS + 1);

			if (result.rate > best[i % VCPUS].rate)
				best[i % VCPUS] = result;
		}
		printf("threads\t%s\t%.0f\t%.0f\t%.4f\n", formats[f].name, best[0].rate, best[1].rate, best[1].spins);
		fflush(stdout);
	}
	return 0;
}
