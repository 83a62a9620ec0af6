/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine and its vCPU: what runs, on what memory, and how it ended. */
#ifndef NESTLING_VMM_VM_H
#define NESTLING_VMM_VM_H

#include "arch_vm.h" /* vmm/<isa>/: struct vm_arch, struct vcpu_arch */
#include "drivers/console.h"
#include "include/err.h"
#include "include/log.h"
#include "include/types.h"
#include "mm/addr_space.h"
#include "vmm/devices/device.h"
#include "vmm/exit.h"

#define VM_MAX_RAM_RANGES 2
#define VCPU_MAX          16
#define FORK_TREE_MAX     16 /* VMs: one that the configuration names, and all that are forked from it and its forks */
#define VM_NAME_ROOM      32 /* of a name and its NUL */

/* The options of a VM; boot/config.c fills them in. */
struct vm_options {
	char name[VM_NAME_ROOM];  /* of a word; for people, and for `after` */
	char after[VM_NAME_ROOM]; /* start when the VM of this name has ended; empty: at its turn */
	char demo[32];            /* name of an embedded guest */
	char guest[128];          /* file on the boot volume that replaces it; empty: none */
	char cmdline[512];        /* for a kernel, by the platform's boot protocol; empty: none */
	uint64_t ram;             /* bytes promised to the guest */
	uint64_t memory_max;      /* limit of what the VM costs, bytes of host memory; 0: none (addr_space_set_limit) */
	unsigned vcpus;           /* 1 to VCPU_MAX */
	uint64_t pin;             /* the CPUs that it may run on, one bit each; 0: all */
	uint64_t time_max;        /* microseconds of CPU time of all its vCPUs, then it ends with VM_TIMED_OUT; 0: no limit */
	enum alloc_policy policy;
	bool page_exec;         /* only 4 KiB leaves are executable, even if the CPU says that it has not the erratum */
	bool software_tracking; /* keep accessed and dirty bits in software, even if the CPU could set them */
	enum trace {
		TRACE_OFF,
		TRACE_ON,   /* print every exit */
		TRACE_JSON, /* record those that concern memory: vmm/trace_json.h */
	} trace;
	bool progress; /* print now and then how far the guest has come */
};

/* A guest program in our memory. */
struct guest_image {
	const char *name;
	const void *bytes;
	size_t size;
};

enum vm_outcome {
	VM_RUNNING,
	VM_EXITED,    /* by the guest's own wish */
	VM_DENIED,    /* an access that its area does not permit */
	VM_UNMAPPED,  /* an access where there is no area and no device */
	VM_NO_MEMORY, /* it needed a frame and got none: the host's memory or its limit is used up */
	VM_CRASHED,   /* it cannot go on */
	VM_TIMED_OUT, /* its time_max is used up */
	VM_REFUSED,   /* it could not be made or loaded, and never ran */
};

/* Exits by kind. Hypercalls have no counter: they are the rest of `total`, see vm_hypercalls. */
struct vm_exit_counts {
	uint64_t total, fault, mmio, pio, other;
};

static inline uint64_t vm_hypercalls(const struct vm_exit_counts *exits)
{
	return exits->total - exits->fault - exits->mmio - exits->pio - exits->other;
}

/* The number of exits kept for post-mortems. A power of two. */
#define VM_EXIT_RING 256

struct vm;

/* What carries out a hypercall; the result goes back to the guest. */
typedef uint64_t (*hypercall_fn)(struct vm *vm, const struct hypercall *call);

struct vcpu {
	struct vcpu_arch arch; /* first: the world switches count on it */
	struct vm *vm;
	struct vm_exit_counts exits;
	/* May the fast path serve faults, and which hypercalls. False, and a table of NULL, in a traced VM. */
	bool fast;
	const hypercall_fn *calls;
	struct vm_exit ring[VM_EXIT_RING]; /* number n of exits.total, from 1 on, is in slot (n - 1) % VM_EXIT_RING */
};

/*
 * A VM of the configuration and all VMs forked from it and from its forks, in the order in which they were made. They run in this
 * order, too, one after the other: vmm/machine.h.
 */
struct fork_tree {
	struct vm *vm[FORK_TREE_MAX]; /* NULL: it has ended, and was freed */
	unsigned count;               /* ever made */
	unsigned number;              /* number of the first VM in the run */
	unsigned next;                /* number of its first fork in the run; the others follow */
};

struct vm {
	struct addr_space as;
	struct vm_arch arch;
	struct vm_options options;
	struct ram_range_gpa {
		gpa_t start;
		uint64_t size;
	} ram[VM_MAX_RAM_RANGES]; /* ascending */
	size_t ram_ranges;
	struct device_table devices;
	struct console_stream console; /* what it prints; its name is the VM's in our own lines, too: log_vm_err */
	struct fork_tree *tree;
	unsigned number;        /* in the run: 0 is the first one */
	hpa_t memory;           /* the block of frames that this structure is in */
	uint64_t timed_faults;  /* number of fault exits that were traced */
	uint64_t fault_ticks;   /* time spent serving them, in units of arch_cost_clock */
	bool traced;            /* each exit is printed, recorded or drawn: vmm/trace.h; see vcpu.fast */
	bool inject_denied;     /* an access that an area denies does not end the run: the guest gets a fault */
	unsigned denied_logged; /* accesses that were denied, injected and logged: only the first few are */
	enum vm_outcome outcome;
	uint64_t guest_status;
	struct vcpu vcpu;
};

/*
 * Make the first VM of a fork tree as `options` say, with its RAM promised and its devices there. If the host cannot
 * populate the RAM, the VM is there but has ended with VM_NO_MEMORY. On failure one line has been logged by log_fatal.
 */
MUST_CHECK enum err vm_new(struct fork_tree *tree, const struct vm_options *options);
void vm_free(struct vm *vm);

/* Load the guest and set the vCPU to its entry. Failure and shortage of memory as for vm_new. */
MUST_CHECK enum err vm_load(struct vm *vm, const struct guest_image *image);

/*
 * While a hypercall of `parent` is served: add a VM to its fork tree that is as the parent will be when the call has
 * returned, but that it returns 0. Its memory is the parent's until either side writes; it counts its own exits.
 * `number` is that in the tree, from 1 on: of other VMs of the run a guest learns nothing.
 * Errors: ERR_NO_MEMORY (of frames, or FORK_TREE_MAX of them were made): nothing was changed.
 */
MUST_CHECK enum err vm_fork(struct vm *parent, unsigned *number);

/* From now on VMs are made that need a name on the console, if there are several; else only forked ones have one. */
void vm_name_all(bool several);

#define log_vm_err(vm, ...)  log_vm_at(LOG_ERR, (vm)->console.name, __VA_ARGS__)
#define log_vm_warn(vm, ...) log_vm_at(LOG_WARN, (vm)->console.name, __VA_ARGS__)
#define log_vm_info(vm, ...) log_vm_at(LOG_INFO, (vm)->console.name, __VA_ARGS__)

static inline bool vm_is_forked(const struct vm *vm)
{
	return vm->number != vm->tree->number;
}

/* Does all of [start, start + size) lie in one range of guest RAM? */
static inline bool vm_is_ram(const struct vm *vm, gpa_t start, uint64_t size)
{
	for (size_t i = 0; i < vm->ram_ranges; i++) {
		uint64_t ram = vm->ram[i].start.raw;

		if (start.raw >= ram && size <= vm->ram[i].size && start.raw - ram <= vm->ram[i].size - size)
			return true;
	}
	return false;
}

/* The last exit. */
static inline struct vm_exit *vm_last_exit(struct vcpu *vcpu)
{
	return &vcpu->ring[(vcpu->exits.total - 1) % VM_EXIT_RING];
}

/* End the run. If it has ended already, nothing is changed. */
static inline void vm_end(struct vm *vm, enum vm_outcome outcome, uint64_t status)
{
	if (vm->outcome != VM_RUNNING)
		return;
	vm->outcome = outcome;
	vm->guest_status = status;
}

#endif
