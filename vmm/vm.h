/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine and its vCPUs: what runs, on what memory, and how it ended. */
#ifndef NESTLING_VMM_VM_H
#define NESTLING_VMM_VM_H

#include "arch_vm.h" /* vmm/<isa>/: struct vm_arch, struct vcpu_arch */
#include "drivers/console.h"
#include "include/err.h"
#include "include/log.h"
#include "include/lock.h"
#include "include/types.h"
#include "mm/addr_space.h"
#include "vmm/blocks.h"
#include "vmm/devices/balloon.h"
#include "vmm/devices/control_page.h"
#include "vmm/devices/device.h"
#include "vmm/devices/pvpanic.h"
#include "vmm/devices/virtio_blk.h"
#include "vmm/devices/virtio_console.h"
#include "vmm/devices/virtio_rng.h"
#include "vmm/exit.h"

#define VM_MAX_RAM_RANGES 2
#define VCPU_MAX          16
#define VM_CLONES_MAX     1000
#define VM_NAME_ROOM      32 /* of a name and its NUL */

#define VM_DISKS_MAX 8

/* A file that the guest finds as a disk. */
struct vm_disk {
	char file[128];
	bool read_only;
};

struct guest_image;

/* The options of a VM; boot/config_keys.c fills them in. */
struct vm_options {
	char name[VM_NAME_ROOM];  /* of a word; for people, and for `after` */
	char after[VM_NAME_ROOM]; /* start when the VM of this name has ended; empty: at its turn */
	char demo[32];            /* name of an embedded guest */
	char guest[128];          /* file on the boot volume that replaces it; empty: none */
	char initrd[128];         /* file on the boot volume that a kernel gets with it; empty: none */
	char cmdline[512];        /* for a kernel, by the platform's boot protocol; empty: none */
	uint64_t ram;             /* bytes promised to the guest */
	uint64_t memory_max;      /* limit of what the fork tree costs, bytes of host memory; 0: none (addr_space_set_limit) */
	unsigned vcpus;           /* 1 to VCPU_MAX */
	uint64_t pin;             /* the CPUs that it may run on, one bit each; 0: all */
	uint64_t time_max;        /* microseconds of CPU time of all its vCPUs, then it ends with VM_TIMED_OUT; 0: no limit */
	enum alloc_policy policy;
	struct vm_disk disk[VM_DISKS_MAX]; /* vda, vdb and so on: */
	unsigned disks;
	const struct guest_image *disk_files; /* the files of these, once they are read */
	unsigned clones;                      /* forks to be made of it, once */
	char clone_when[64];                  /* it has printed this; empty: before it runs */
	bool page_exec;         /* only 4 KiB leaves are executable, even if the CPU says that it has not the erratum */
	bool software_tracking; /* keep accessed and dirty bits in software, even if the CPU could set them */
	enum trace {
		TRACE_OFF,
		TRACE_ON,   /* print every exit */
		TRACE_JSON, /* record those that concern memory: vmm/trace_json.h */
	} trace;
	bool end_at_reboot;  /* where the guest asks for a reboot, it ends as if it had switched itself off */
	bool progress;       /* print now and then how far the guest has come */
	bool packed;         /* a packed kernel is loaded as it is, and unpacks itself */
	bool virtio_console; /* it has one, and what is typed goes there */
};

/* A file for a guest in our memory: its program, what its kernel begins with, or a disk. */
struct guest_image {
	const char *name;
	const void *bytes;
	size_t size;
	bool frames; /* it has whole frames for itself, zero behind its end, that guests may map: frame_adopt */
	/* Bit n % 8 of byte n / 8: its page n is all zeros, nothing that a guest is to find, and need not be there. NULL: of no
	 * page. */
	const uint8_t *holes;
	/* Of a kernel that was packed in its file: what it unpacks to, and `bytes` is the file as far as loading needs that still.
	 */
	struct guest_image *unpacked;
	bool damaged; /* of a packed kernel: it cannot be unpacked, by nobody */
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
	VM_RESET,     /* it is about to be made anew: this is never reported */
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
#define VM_EXIT_RING 64

struct vm;
struct vcpu;
struct cpu;

/*
 * Carries out a hypercall on the fast path. What it returns, in two registers, is a value for the guest, and 0, or
 * FAULT_NOT_SERVED: nothing was done, and the slow path serves the call and overwrites the value. A number: of a structure GCC 12
 * makes stores on RISC-V.
 */
typedef unsigned __int128 hypercall_result;
static inline hypercall_result hypercall_result_of(uint64_t value, unsigned left)
{
	return (hypercall_result)left << 64 | value;
}
static inline uint64_t hypercall_value(hypercall_result result)
{
	return (uint64_t)result;
}
static inline unsigned hypercall_left(hypercall_result result)
{
	return (unsigned)(result >> 64);
}
typedef hypercall_result (*hypercall_fn)(struct vcpu *vcpu, const struct hypercall *call);

enum vcpu_state {
	VCPU_OFF,     /* not started yet, or it has stopped itself */
	VCPU_CLAIMED, /* off, and another vCPU sets the state in which it is to start */
	VCPU_READY,   /* waits for a CPU: in the queue of one, or held (vm.stopper) */
	VCPU_RUNNING, /* in a CPU: struct cpu's `resident` */
	VCPU_WAITING, /* for an interrupt, or for another VM */
};

/* Why a vCPU leaves its CPU when the exit in hand has been served. */
enum vcpu_leave {
	LEAVE_NOT,
	LEAVE_YIELD, /* it is another one's turn */
	LEAVE_PIECE, /* a piece of a long call is done: another one's turn, if the slice is over */
	LEAVE_WAIT,  /* there is nothing to do until it is woken */
	LEAVE_OFF,   /* it has stopped itself */
	LEAVE_HELD,  /* until another vCPU of the VM lets it go on: sched_stop_others */
};

#define NEVER UINT64_MAX

struct vcpu {
	struct vcpu_arch arch; /* first: the world switches count on it */
	struct vm *vm;
	struct addr_space_view *view; /* of the VM's space: by which its faults are served */
	struct vm_exit_counts exits;
	/* May the fast path serve faults, and which hypercalls. False, and none (hypercall_later), in a traced VM. */
	bool fast;
	const hypercall_fn *calls;
	struct vm_exit ring[VM_EXIT_RING]; /* number n of exits.total, from 1 on, is in slot (n - 1) % VM_EXIT_RING */

	/* Written only by what runs the vCPU, while it runs. */
	unsigned id; /* 0 to vm.vcpus - 1 */
	enum vcpu_leave leave;
	unsigned attention;    /* arch_vcpu_deliver is to be called before the guest is entered; atomic: sched_notify */
	const char *leave_why; /* what the guest did, for the log, if this was the VM's last vCPU that could run */
	/*
	 * The last exit has not been served to its end: to be called before the guest is entered again. It resets this, unless
	 * there is still more to do. NULL: nothing is left to do.
	 */
	void (*again)(struct vcpu *vcpu);
	/*
	 * A call that was not made by the guest's instruction, and what its result is given to when it is done: hypercall_post.
	 * NULL: the call in hand is the last exit's.
	 */
	void (*posted_done)(struct vcpu *vcpu, uint64_t result);
	struct hypercall posted;
	uint64_t done;  /* of that call: bytes of its range that are done */
	uint64_t found; /* pages that it has counted in those */
	/* What `again` was before this vCPU took the VM's errand. */
	void (*resume)(struct vcpu *vcpu);
	struct vm *child;        /* the VM that is being made: fork_piece; NULL: none */
	uint64_t forked;         /* bytes of the parent's RAM that it has, or of its own that it has no more */
	uint64_t wake_at;        /* LEAVE_WAIT ends at this time of arch_clock, at the latest; NEVER */
	uint64_t tlb_generation; /* of the VM, when this vCPU's translations were last flushed */
	uint64_t cpu_time;       /* ticks of arch_clock */
	uint64_t overrun;        /* ticks that it has had beyond its slices, and that are taken off the next ones */
	uint64_t switches;       /* times that it came into a CPU */
	uint64_t preemptions;    /* times that it left one because its slice was over */
	uint64_t interrupts;     /* of the host, that came while it ran */

	/* Under vm.lock. */
	enum vcpu_state state;
	bool woken;              /* it was woken before it waited */
	bool resting;            /* it waits in its CPU, RUNNING: vmm/rest.h */
	bool disturbed;          /* it is to leave that; atomic */
	struct cpu *cpu;         /* where it runs or has run last; NULL: it has not */
	struct vcpu *next;       /* in a queue, or among those held */
	struct vcpu *next_timed; /* among those that wait with a deadline: struct cpu's `timed` */
	bool timed;
	struct vm *waits_for; /* the VM whose end it waits for; NULL: none. Under the fork tree's lock */
	struct vcpu *next_waiter;
};

/* VMs of a fork tree by number: a table of tables of one frame each. */
#define FORK_TREE_ROOM  (PAGE_SIZE / sizeof(struct vm *))
#define FORK_TREE_PARTS 128

/*
 * A VM of the configuration and all VMs forked from it and from its forks. Those are numbered from 1 on in the order in which they
 * were made; the first one is 0.
 */
struct fork_tree {
	struct spinlock lock;
	struct vm **part[FORK_TREE_PARTS]; /* [n / FORK_TREE_ROOM][n % FORK_TREE_ROOM]: VM n; NULL: it has ended, and was freed */
	unsigned count;                    /* ever made */
	unsigned live;                     /* of these, how many have not ended */
	unsigned number;                   /* number of the first VM in the run */
	struct addr_space_limit limit;     /* of all its VMs together: the first one's memory_max */
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
	unsigned device_leaves;             /* leaves of 4 KiB that map registers of the machine's for it, and no memory */
	unsigned device_tables;             /* tables that hold only those */
	struct ram_range_gpa image;         /* where its program was loaded, with the memory that it claims behind its bytes */
	struct ram_range_gpa initrd;        /* size 0: none */
	gpa_t generation;                   /* the page with the id of its generation; 0: it has none */
	uint64_t initrd_limit;              /* where that has to end, by the kernel's wish; 0: anywhere */
	const struct guest_image *files[2]; /* what it was loaded from */
	struct blocks blocks;
	struct device_table devices;
	struct control_page control;
	struct pvpanic pvpanic;
	struct balloon balloon;
	struct virtio_rng rng;
	struct virtio_console virtio_console; /* the VM has it if its options say so */
	struct virtio_blk *disk;              /* options.disks of them, in frames of their own; NULL: none */
	struct console_stream console;        /* what it prints; its name is the VM's in our own lines, too: log_vm_err */
	struct fork_tree *tree;
	unsigned number;         /* in the run: 0 is the first one */
	unsigned tree_number;    /* in its fork tree */
	uint64_t timed_faults;   /* number of fault exits that were traced */
	uint64_t fault_ticks;    /* time spent serving them, in units of arch_cost_clock */
	bool traced;             /* each exit is printed, recorded or drawn: vmm/trace.h; see vcpu.fast */
	bool inject_denied;      /* an access that an area denies does not end the run: the guest gets a fault */
	unsigned denied_logged;  /* accesses that were denied, injected and logged: only the first few are */
	enum vm_outcome outcome; /* atomic; set once, by vm_end */
	uint64_t guest_status;

	struct spinlock lock;                 /* vCPUs' states and what follows; see docs/locks.md */
	unsigned active;                      /* vCPUs that are READY or RUNNING */
	unsigned running;                     /* those that are RUNNING; atomic for who reads it without the lock */
	unsigned resting;                     /* of these, those that rest; atomic, */
	unsigned endless;                     /* and of these, those without a deadline */
	unsigned timed;                       /* those that are WAITING with a deadline */
	unsigned waits;                       /* those that wait for another VM; atomic, under the fork tree's lock */
	bool asleep;                          /* no vCPU can run until another VM ends */
	struct vcpu *stopper;                 /* the vCPU that holds all others; atomic: vmm/stop.h */
	void (*errand)(struct vcpu *vcpu);    /* what sched_ask has asked for, until that is done; atomic */
	bool pauses_again;                    /* it was paused when that was asked */
	unsigned errand_times;                /* how often it is to be done yet; of who does it, once that is asked */
	unsigned clone_seen;                  /* bytes at the start of `clone_when` that were printed last; atomic */
	unsigned cloned;                      /* the clones of its options have been asked for; atomic */
	struct vcpu *held;                    /* those that are READY and may not run */
	struct vcpu *waiters;                 /* of other VMs, that wait for this one's end; under the fork tree's lock */
	uint64_t cpu_time;                    /* ticks of arch_clock, of all vCPUs; atomic */
	uint64_t time_max;                    /* the most that cpu_time may come to; NEVER */
	uint64_t cpus;                        /* CPUs that a vCPU of this VM is resident on, one bit each; atomic */
	uint64_t tlb_generation;              /* number of shoot-downs; atomic */
	uint64_t shootdowns;                  /* those that needed other CPUs; atomic */
	uint64_t ipis;                        /* sent to other CPUs for this VM; atomic */
	struct vm *next_live, *previous_live; /* vmm/vms.c */
	bool absent;                          /* among those, while it is made anew */
	unsigned reboots;                     /* times that it was made anew */
	uint64_t reset_at;                    /* arch_clock; when that was last */
	bool ending;                          /* its last vCPU is queued only so that `ended` is called again; under vm.lock */
	bool retired;               /* it is being freed: none of its vCPUs comes into a CPU any more, unless it is made anew */
	uint64_t surveyed;          /* bytes of its space that report_survey_piece has looked at, */
	uint64_t touched, of_files; /* and of these accessed, and mapped from files */
	uint64_t cleared;           /* bytes of it that `ended` has freed */
	struct {
		gpa_t at;       /* where the round that is made goes on; 0: none is */
		uint64_t left;  /* what was resident after the last one */
		uint64_t again; /* arch_clock; when the next one is due in any case */
	} tidy;                 /* of vmm/tidy.c, for the CPU that is at it */
	/*
	 * Called when it has ended and no CPU runs it: it reports and frees the VM, piece by piece. True: it is to be called again;
	 * else there is no VM any more.
	 */
	bool (*ended)(struct vm *vm);

	struct vcpu *vcpu_table[VCPU_MAX]; /* all vCPUs, by id */
	unsigned vcpus;
	struct vcpu vcpu; /* id 0, the one that boots */
};

/*
 * Make the first VM of a fork tree as `options` say, with its RAM promised and its devices there. If the host cannot
 * populate the RAM, the VM is there but has ended with VM_NO_MEMORY. On failure one line has been logged by log_fatal.
 */
MUST_CHECK enum err vm_new(struct fork_tree *tree, const struct vm_options *options);

/* What vm_new makes of a VM besides its place: space, devices, vCPUs. On failure there is none of it, and a line is logged. */
MUST_CHECK enum err vm_build(struct vm *vm);
/* Free it, if it is there. */
void vm_unbuild(struct vm *vm);
/* No vCPU of the VM, which runs no more, waits for another VM any longer. */
void vm_stop_waiting(struct vm *vm);

/* True: it was the last one of its fork tree. */
bool vm_free(struct vm *vm);
/* Of a VM that has ended: free a piece of its memory. False: nothing is left for vm_free that takes long. */
bool vm_free_piece(struct vm *vm);

/*
 * Load the guest, with an initrd if that has bytes, and set the vCPU to its entry. Failure and shortage of memory as for vm_new.
 */
MUST_CHECK enum err vm_load(struct vm *vm, const struct guest_image *image, const struct guest_image *initrd);

/*
 * Let `vcpu` wait for the end of VM `number` of its fork tree. False: it has ended. Else vcpu->leave is set; when the vCPU is
 * woken, ask again. Errors, as `*invalid`: there never was such a VM, or it is the vCPU's own.
 */
bool vm_wait(struct vcpu *vcpu, uint64_t number, bool *invalid);

/* VMs of the tree that have not ended. */
unsigned fork_tree_live(struct fork_tree *tree);

/* Numbers of VMs in the run: the next one to be given to a fork is `next`; and how many there are. */
void vm_numbers_start(unsigned next);
unsigned vm_numbers(void);

/* From now on VMs are made that need a name on the console, if there are several; else only forked ones have one. */
void vm_name_all(bool several);

#define log_vm_err(vm, ...)  log_vm_at(LOG_ERR, (vm)->console.name, __VA_ARGS__)
#define log_vm_warn(vm, ...) log_vm_at(LOG_WARN, (vm)->console.name, __VA_ARGS__)
#define log_vm_info(vm, ...) log_vm_at(LOG_INFO, (vm)->console.name, __VA_ARGS__)

static inline bool vm_is_forked(const struct vm *vm)
{
	return vm->tree_number != 0;
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

/* The exits of all vCPUs. Those of vCPUs that run change meanwhile. */
static inline struct vm_exit_counts vm_exits(const struct vm *vm)
{
	struct vm_exit_counts sum = { 0 };

	for (unsigned i = 0; i < vm->vcpus; i++) {
		const struct vm_exit_counts *exits = &vm->vcpu_table[i]->exits;

		sum.total += exits->total;
		sum.fault += exits->fault;
		sum.mmio += exits->mmio;
		sum.pio += exits->pio;
		sum.other += exits->other;
	}
	return sum;
}

/* The last exit. */
static inline struct vm_exit *vm_last_exit(struct vcpu *vcpu)
{
	return &vcpu->ring[(vcpu->exits.total - 1) % VM_EXIT_RING];
}

/* The vCPU of this id; NULL: there is none. */
static inline struct vcpu *vm_vcpu(const struct vm *vm, uint64_t id)
{
	return id < vm->vcpus ? vm->vcpu_table[id] : NULL;
}

/* vm.stopper of a VM that nobody's vCPU has stopped: sched_pause; and whose first vCPU that comes into a CPU will: sched_ask. */
#define VM_PAUSER ((struct vcpu *)1)
#define VM_ERRAND ((struct vcpu *)2)

static inline bool vm_is_paused(const struct vm *vm)
{
	return __atomic_load_n(&vm->stopper, __ATOMIC_RELAXED) == VM_PAUSER;
}

static inline bool vm_is_running(const struct vm *vm)
{
	return __atomic_load_n(&vm->outcome, __ATOMIC_RELAXED) == VM_RUNNING;
}

/* End the VM: its vCPUs leave their CPUs at the end of the exit in hand. If it has ended already, nothing is changed. Any CPU. */
static inline void vm_end(struct vm *vm, enum vm_outcome outcome, uint64_t status)
{
	enum vm_outcome running = VM_RUNNING;

	if (__atomic_compare_exchange_n(&vm->outcome, &running, outcome, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		vm->guest_status = status;
}

/*
 * The guest asks for a reboot: its vCPUs leave their CPUs, and then it is made anew, of the same files, in memory of which it has
 * written nothing yet (vmm/reset.h); or it ends, if its options say so. As vm_end, this may be called by any CPU.
 */
static inline void vm_reset(struct vm *vm)
{
	vm_end(vm, vm->options.end_at_reboot ? VM_EXITED : VM_RESET, 0);
}

#endif
