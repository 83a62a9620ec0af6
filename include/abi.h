/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ABI between hypervisor and guests: hypercalls, the numbers in them, the names of policies. Each list is here once;
 * vmm/hypercall.h, mm/policy.h and guest/rt/rt.h make their enums and tables from it. docs/guest-abi.md describes it for guest
 * writers.
 */
#ifndef NESTLING_ABI_H
#define NESTLING_ABI_H

/*
 * number, NAME, name. One more has a function in vmm/hypercall.c, serve_<name>, without which that does not build. `fast` ones
 * may be served on the fast path of an exit; `slow` ones need all of the guest's registers, or end the run.
 */
#define HYPERCALLS(fast, slow)                                                                                         \
	fast(0, VERSION, version)                     /* () -> HYPERCALL_ABI_VERSION */                                \
		slow(1, EXIT, exit)                   /* (status) -> does not return */                                \
		fast(2, CONSOLE_WRITE, console_write) /* (gpa, bytes) -> bytes written */                              \
		fast(3, MEMORY_INFO, memory_info)     /* (MEMORY_INFO_*) -> value */                                   \
		fast(4, DISCARD, discard)             /* (gpa, bytes) -> 0; the range reads as zeros from then on */   \
		fast(5, PROTECT, protect)             /* (gpa, bytes, permissions: 1 read, 2 write, 4 execute) -> 0 */ \
		slow(6, SET_POLICY, set_policy)       /* (gpa, bytes, policy) -> 0 */                                  \
		slow(7, FORK, fork)                   /* () -> 0 in the child, its number (1, 2, ...) in the parent */ \
		fast(8, FAULT_MODE, fault_mode)       /* (fault mode) -> the mode before */                            \
		fast(9, TRACK, track)                 /* (gpa, bytes, what, gpa of a bitmap or ~0) -> pages */         \
		slow(10, CPU_START, cpu_start)        /* (vCPU, entry, argument) -> 0: it runs from `entry` on */      \
		slow(11, CPU_OFF, cpu_off)            /* () -> does not return: this vCPU is off */                    \
		slow(12, YIELD, yield)                /* () -> 0, when others have had the CPU */                      \
		slow(13, VM_WAIT, vm_wait)            /* (number of a VM, as from FORK) -> 0, when it has ended */

/* number, NAME: what MEMORY_INFO answers. */
#define MEMORY_INFOS(X)                                                                        \
	X(0, PROMISED)     /* bytes of RAM the guest was promised */                           \
	X(1, RESIDENT)     /* bytes of host memory behind it now */                            \
	X(2, TABLES)       /* bytes of nested tables now */                                    \
	X(3, FAULTS)       /* faults served so far */                                          \
	X(4, PEAK)         /* the most that RESIDENT ever was */                               \
	X(5, SHARED)       /* bytes mapped that belong to another VM since a fork */           \
	X(6, ZERO)         /* bytes that the shared zero pages stand for now */                \
	X(7, EXITS)        /* exits by nested faults so far */                                 \
	X(8, FLUSHES)      /* flush instructions so far */                                     \
	X(9, HOST_FREE)    /* bytes of host memory that guests can get */                      \
	X(10, LARGE)       /* bytes mapped by 2 MiB and 1 GiB leaves */                        \
	X(11, RECLAIMED)   /* bytes taken back for want of host memory so far */               \
	X(12, USED)        /* bytes of host memory that the VM costs now, all of it */         \
	X(13, MAX)         /* bytes of all VMs of the fork tree; 0: no limit but the host's */ \
	X(14, VCPUS)       /* vCPUs of the VM */                                               \
	X(15, CPU)         /* which of them asks, from 0 on */                                 \
	X(16, CPU_TIME)    /* microseconds that the VM's vCPUs have run so far */              \
	X(17, FORKS_LIVE)  /* VMs of the fork tree that have not ended, this one too */        \
	X(18, FORK_NUMBER) /* of this VM in its fork tree; 0: the first one */

/*
 * KIND, NAME, name: how memory comes when it is touched, numbered from 0. ALLOC_<KIND> is the hypervisor's name for it,
 * RT_POLICY_<NAME> the guests', name the one that people meet.
 */
#define ALLOC_POLICY_LIST(X)                                                                           \
	X(LAZY_4K, 4K, "4k")              /* 4 KiB at each first touch */                              \
	X(LAZY_64K, 64K, "64k")           /* what is not there yet of the aligned 64 KiB around it */  \
	X(LAZY_2M, 2M, "2m")              /* the aligned 2 MiB by one leaf, if nothing is there yet */ \
	X(LAZY_AUTO, AUTO, "auto")        /* 4 KiB, more beside neighbours, 2 MiB where it is dense */ \
	X(POPULATE, POPULATE, "populate") /* all at once; what is discarded later comes back as by 2M */

/* Results below zero, as signed 64-bit numbers; the first is SMCCC's NOT_SUPPORTED. */
#define HYPERCALL_NOT_SUPPORTED ((uint64_t)-1)
#define HYPERCALL_DENIED        ((uint64_t)-2)
#define HYPERCALL_INVALID       ((uint64_t)-3)
#define HYPERCALL_NO_MEMORY     ((uint64_t)-4)

#endif
