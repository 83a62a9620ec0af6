/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each ISA must offer to run a guest. Generic code calls these; the linker picks the ISA.
 *
 * Order: arch_virt_probe (firmware still there) - arch_virt_enable (machine taken over, on each CPU) - arch_npt_* and arch_vm_init
 * - arch_vcpu_init - arch_vcpu_reset or arch_vcpu_start - arch_vcpu_get - arch_vcpu_run with the arch_vcpu_finish_* of each exit -
 * arch_vcpu_put.
 *
 * Between get and put a vCPU is resident on a CPU: part of its state is in the CPU's registers. What is said of "the vCPU" of an
 * exit is for one that is resident on this CPU. When it is not resident, all of its state is in memory.
 */
#ifndef NESTLING_VIRT_CONTRACT_H
#define NESTLING_VIRT_CONTRACT_H

#include "include/err.h"
#include "include/types.h"
#include "vmm/vm.h"

/*
 * Can this CPU run guests? Changes no registers. On ERR_UNSUPPORTED `why` is a clause that says what is missing and
 * what to do about it ("the CPU has neither VMX nor SVM", "VMX is locked off by firmware: enable it in the set-up
 * menu"). `vhe` is the configuration's key: on AArch64 the hypervisor's own mode is to be that of FEAT_VHE.
 */
MUST_CHECK enum err arch_virt_probe(bool vhe, const char **why);

/* "x86_64", "aarch64", "riscv64". */
const char *arch_isa_name(void);

/* "vmx", "svm", "el2", "h": after arch_virt_probe. */
const char *arch_virt_name(void);

/* Switch virtualization on on this CPU, once arch_this_cpu is set; `why` as in arch_virt_probe. May allocate frames. */
MUST_CHECK enum err arch_virt_enable(const char **why);

/* A counter that goes up with time, the same on all CPUs: arch_clock_frequency (include/arch/cpu.h) says how fast. */
uint64_t arch_clock(void);

/* The finest counter there is, of time or of this CPU's instructions, for what a trace says of costs; and what it is called. */
uint64_t arch_cost_clock(void);
const char *arch_cost_clock_name(void);

/* The nested page-table format and the geometry for guest-physical addresses below `gpa_end`. ERR_RANGE: too high. */
MUST_CHECK enum err arch_npt_config(uint64_t gpa_end, const struct npt_ops **ops, struct npt_config *config);

/*
 * Flush a range of `as`, a VM's space, on all CPUs: its addr_space_flush. When it returns no CPU uses what was cached before. CPUs
 * that are not in vm.cpus need not be reached, if the VM's tlb_generation has been counted (vmm/shootdown.h).
 */
unsigned arch_npt_flush(struct addr_space *as, gpa_t gpa, uint64_t size);

/* Flush the translation of one page on this CPU, after a spurious fault. */
void arch_npt_flush_local(struct vcpu *vcpu, gpa_t gpa);

/* Forget all that this CPU has cached of the translations of this vCPU's VM, before its guest runs again. It is resident here. */
void arch_flush_resident(struct vcpu *vcpu);

/* `sync` and `publish` of a VM's address space; NULL where this CPU needs none. And `zero`; NULL where it has no better way. */
addr_space_sync arch_guest_sync(void);
addr_space_sync arch_guest_publish(void);
addr_space_sync arch_guest_zero(void);

/* Where this platform puts `ram` bytes of guest RAM; fills vm->ram and vm->ram_ranges. */
void arch_vm_ram_layout(struct vm *vm, uint64_t ram);

/* ISA state and devices of a new VM; its address space is there. Nothing of its vCPUs. */
MUST_CHECK enum err arch_vm_init(struct vm *vm);
/* Bytes of frames that arch_vm_init or arch_vm_fork has taken for it. */
uint64_t arch_vm_memory(const struct vm *vm);
/* Free the ISA state. No vCPU is there any more. */
void arch_vm_free(struct vm *vm);

/* The memory of a vCPU that is to be, all of whose other members are set; bytes of frames it has taken; and give it back. */
MUST_CHECK enum err arch_vcpu_init(struct vcpu *vcpu);
uint64_t arch_vcpu_memory(const struct vcpu *vcpu);
void arch_vcpu_free(struct vcpu *vcpu);

/* ELF e_machine of a guest for this ISA, and where guest programs may be loaded: not below this address. */
uint16_t arch_elf_machine(void);
gpa_t arch_guest_load_floor(const struct vm *vm);

/* What a relocation of this type puts into a 64-bit word of a linked program, by the ISA's psABI. */
enum elf_relocation {
	ELF_RELOCATION_OTHER,    /* anything else: the loader refuses it */
	ELF_RELOCATION_NONE,     /* nothing */
	ELF_RELOCATION_RELATIVE, /* where the program is + addend */
	ELF_RELOCATION_SYMBOL,   /* symbol's address + addend */
};
enum elf_relocation arch_elf_relocation(uint32_t type);

/*
 * Give `child`, whose address space is a fork of the parent's, the same ISA state and devices, apart from vCPUs. Nothing of the
 * parent's changes. Errors: ERR_NO_MEMORY; arch_vm_free is not to be called then.
 */
MUST_CHECK enum err arch_vm_fork(struct vm *child, const struct vm *parent);
/* Give `child`, for which arch_vcpu_init was called, the state of `parent`. Neither is resident. */
void arch_vcpu_fork(struct vcpu *child, const struct vcpu *parent);

/*
 * vCPU load: make it resident on this CPU, on which none is. All registers that a guest can read have its values then, and none
 * holds anything of another's.
 */
void arch_vcpu_get(struct vcpu *vcpu);
/* vCPU put: move all of its state from this CPU to memory, after arch_vcpu_run has returned. Any CPU may get it then. */
void arch_vcpu_put(struct vcpu *vcpu);

/* What the ISA's boot protocol says of raw Linux images, beyond what is common to all. */
struct linux_rules {
	uint32_t magic;           /* in the header, as a little-endian word; 0: the ISA has no such images */
	uint64_t align;           /* a power of two; the header's text_offset is a multiple of it */
	uint64_t old_text_offset; /* holds where the header does not say how large the image is; 0: it must */
};
const struct linux_rules *arch_linux_rules(void);

/* Why this CPU cannot run an image with these flags in its header, a clause; NULL: it can. */
const char *arch_linux_refuses(uint64_t flags);

/* A kernel that is packed in its file, in bytes. */
struct packed_kernel {
	size_t at, size; /* where it is in the file */
	size_t unpacked; /* what it says that it unpacks to */
	size_t work;     /* memory that unpacking needs besides */
	size_t head;     /* how much of the file's beginning is needed to load it when it is unpacked */
};

/* A kind of kernel file that only one ISA has. */
struct kernel_loader {
	bool (*is)(const void *file, size_t size);
	/* Load it, as linux_image_load (vmm/linux_image.h). */
	enum err (*load)(struct vm *vm, const struct guest_image *image, gpa_t *entry, char *why, size_t why_size);
	/* Can what it has packed be unpacked here? It may be anything. NULL: such a file has nothing packed. */
	bool (*find_packed)(const void *file, size_t size, struct packed_kernel *packed);
	/*
	 * Unpack to `to`, which has room for packed->unpacked bytes, with packed->work bytes at `work`, both aligned at 4 KiB. The
	 * first `*used` bytes are what `load` needs. Errors: ERR_CORRUPT (the file is damaged), ERR_UNSUPPORTED (what is unpacked
	 * cannot be loaded here).
	 */
	enum err (*unpack)(const void *file, const struct packed_kernel *packed, void *to, void *work, size_t *used);
};
/* The one for this file; NULL: it is of no kind that only this ISA has. */
const struct kernel_loader *arch_kernel_loader(const void *file, size_t size);

/*
 * Write the boot data of docs/guest-abi.md into guest memory and set the vCPU, the VM's first, to its entry state at `entry`. It is
 * not resident.
 */
MUST_CHECK enum err arch_vcpu_reset(struct vcpu *vcpu, gpa_t entry);

/*
 * Set a vCPU that is off, and not resident, to the state in which a secondary vCPU begins at `entry` with `argument`
 * (docs/guest-abi.md). `by`, which is resident, has asked for it.
 */
void arch_vcpu_start(struct vcpu *vcpu, struct vcpu *by, uint64_t entry, uint64_t argument);

/*
 * Enter the guest and serve its exits, until vm_handle_exit returns false. Uses no FP/SIMD register, malloc or printf.
 *
 * An exit has a fast path and a slow one. The fast path is the ISA's own (vmm/<isa>/exit.c, by means of vmm/serve.h): the general
 * registers that a C function preserves are still in the CPU, so it serves what needs none of them, faults on memory and most
 * hypercalls. For all else it returns FAULT_NOT_SERVED, or the outcome of a fault that was not handled, and the world switch calls
 * vm_handle_exit with all registers in struct vcpu. An interrupt of the machine's is a VM_EXIT_INTERRUPT, for which it returns
 * EXIT_INTERRUPTED: then the world switch calls vm_take_interrupts first.
 */
void arch_vcpu_run(struct vcpu *vcpu);

/*
 * Take the machine's interrupts, with the registers still in the CPU that a C function preserves. Generic code offers it
 * (vmm/sched.c), and only the world switch calls it. 0: the guest is entered again; all else is what vm_handle_exit gets as `left`,
 * unless it is EXIT_ATTENTION and the ISA delivers by itself what has come for the guest.
 */
unsigned vm_take_interrupts(struct vcpu *vcpu);

/*
 * The slow path, which generic code offers (vmm/run.c) and only the world switch calls. `left` is what the fast path has returned.
 * What prints, copies, changes the guest's registers or ends the run is called from here. False: the vCPU leaves the CPU.
 */
bool vm_handle_exit(struct vcpu *vcpu, unsigned left);

/* Decode an exit that the fast path has left; of `exit`, `reason` and `pc` are there. */
void arch_vcpu_decode(struct vcpu *vcpu, struct vm_exit *exit);

/*
 * A VM_EXIT_FAULT outside all areas, where a device is: make it a VM_EXIT_IO. False: it is no access that can be carried out. An
 * ISA that decodes devices before it lets memory have a fault needs nothing here.
 */
bool arch_decode_device(struct vcpu *vcpu, struct vm_exit *exit);

/* Serve a VM_EXIT_ARCH. False: it is refused; arch_exit_describe says what it was. */
bool arch_handle_exit(struct vcpu *vcpu, struct vm_exit *exit);

/* After a VM_EXIT_IO: give the guest exit->io.value if it was a read, and step over the instruction. */
void arch_vcpu_finish_io(struct vcpu *vcpu, const struct vm_exit *exit);

/* After a VM_EXIT_HYPERCALL: give the guest the result. The instruction has been stepped over. */
void arch_vcpu_finish_hypercall(struct vcpu *vcpu, uint64_t result);

/*
 * Inject the platform's exception for a denied memory access, instead of the access of a VM_EXIT_FAULT. False: the guest cannot
 * take an exception now.
 */
bool arch_inject_denied(struct vcpu *vcpu, const struct vm_exit *exit);

/*
 * sched_notify was called for this vCPU, which is resident and about to enter its guest: interrupts are pending for it, or no
 * longer are. Have the guest take the first of them as soon as it can. May set vcpu->attention again, to be called after the next
 * slow exit.
 */
void arch_vcpu_deliver(struct vcpu *vcpu);

/*
 * What the exit was, in one clause with the hardware's own names, and the bytes or values at fault. Off the fast path.
 */
void arch_exit_describe(struct vcpu *vcpu, const struct vm_exit *exit, char *text, size_t size);

/* Append the same for an earlier exit, from struct vm_exit alone: the hardware's own state of it is gone. */
void arch_exit_name(const struct vm_exit *exit, char *text, size_t size);

/* Print the guest's registers, a few lines, by log_err. */
void arch_vcpu_dump(struct vcpu *vcpu);

#endif
