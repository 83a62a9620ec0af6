/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device tree that a guest is handed, on the ISAs whose kernels expect one. Node and property names follow the
 * Devicetree Specification 0.4 and, for what it leaves open, the bindings in Linux' Documentation/devicetree/bindings;
 * addresses are the caller's, and should be those of QEMU's "virt" machine.
 */
#ifndef NESTLING_VMM_GUEST_FDT_H
#define NESTLING_VMM_GUEST_FDT_H

#include "vmm/vm.h"

/* Enough room for any tree made here; a finished tree is packed, and about 1 KiB with one vCPU. */
#define GUEST_FDT_MAX_BYTES KIB(32)

enum guest_fdt_uart {
	GUEST_FDT_PL011,   /* "arm,pl011", with a fixed clock */
	GUEST_FDT_NS16550, /* "ns16550a" */
};

/* The interrupt controller that devices' lines go to. */
enum guest_fdt_intc {
	GUEST_FDT_NO_INTC,
	GUEST_FDT_PLIC,  /* "riscv,plic0", with a context for each hart */
	GUEST_FDT_GICV2, /* "arm,cortex-a15-gic", with CPU interfaces; brings the architecture's timers, as the next one does */
	GUEST_FDT_GICV3, /* "arm,gic-v3", with redistributors */
};

/* What differs between ISAs. Strings that are NULL, and numbers that are 0, leave their property out. */
struct guest_fdt {
	const char *compatible;            /* of the machine: "linux,dummy-virt", "riscv-virtio" */
	const char *bootargs;              /* may be empty, too */
	struct {                           /* each vCPU; its "reg" is the vCPU's id, as an MPIDR_EL1 or hart id */
		const char *compatible;    /* "arm,armv8", "riscv" */
		const char *enable_method; /* "psci" */
		const char *riscv_isa;     /* "rv64imac..."; brings the hart's interrupt controller */
		const char *mmu_type;      /* "riscv,sv48" */
		uint32_t cbom_block;       /* bytes that an instruction of Zicbom works on, and one of Zicboz */
		uint32_t cboz_block;
	} cpu;
	uint32_t timebase_hz;     /* RISC-V: frequency of the `time` counter */
	bool psci;                /* Arm: PSCI 1.0 by HVC */
	enum guest_fdt_uart uart; /* the console, also in /chosen stdout-path */
	gpa_t uart_base;
	uint64_t uart_size; /* bytes of its registers */
	uint32_t uart_hz;   /* of its input clock */
	unsigned uart_line; /* that it drives, of `intc`: an interrupt id of a GIC */
	gpa_t virtio_base;  /* of the first of virtio_count devices, if it is there; each is virtio_step bytes behind the one before
			     */
	uint64_t virtio_step;
	unsigned virtio_line, virtio_count; /* and has the line after that one's */
	unsigned generation_line;           /* of the id of the VM's generation, if it has one: by edge */
	enum guest_fdt_intc intc;
	gpa_t intc_base;
	uint64_t intc_size;
	unsigned intc_lines;  /* PLIC: it has lines 1 to intc_lines - 1 */
	unsigned intc_cpus;   /* GICv2: the CPUs that it has; others are not named */
	gpa_t intc_cpus_base; /* GIC: of its CPU interfaces or redistributors */
	uint64_t intc_cpus_size;
};

/*
 * Write the tree for `vm`, whose RAM ranges it lists, to `buffer` (8-byte aligned); its size in bytes goes to `bytes`.
 * Errors: ERR_RANGE (it does not fit `room`), ERR_INVALID (a description that libfdt refuses).
 */
MUST_CHECK enum err guest_fdt_build(const struct vm *vm, const struct guest_fdt *guest, void *buffer, size_t room, size_t *bytes);

#endif
