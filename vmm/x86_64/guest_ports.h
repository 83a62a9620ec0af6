/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a guest finds its devices: for C, and for dsdt.asl. docs/guest-abi.md lists them. */
#ifndef NESTLING_VMM_X86_64_GUEST_PORTS_H
#define NESTLING_VMM_X86_64_GUEST_PORTS_H

#define UART_PORT  0x3f8
#define UART_LINE  4     /* input of the IOAPIC */
#define POWER_PORT 0x600 /* sleep control, sleep status, reset: vmm/devices/acpi_power.h */

/* All devices in memory are in these 16 MiB. */
#define GUEST_DEVICES      0xfe000000
#define GUEST_DEVICES_SIZE 0x1000000
#define GUEST_CONTROL_PAGE 0xfea00000

/* The id of the generation (vmm/generation.h), for a kernel: in the page of the reset vector. */
#define GUEST_GENERATION_PAGE 0xff000
#define GUEST_GENERATION_LINE 5

/* The port that QEMU gives it. */
#define GUEST_PANIC_SPACE IO_PORT
#define GUEST_PANIC_BASE  0x505
#define GUEST_PANIC_SIZE  1

/* virtio devices: in memory, one after the other, each with an input of the IOAPIC. */
#define GUEST_VIRTIO_BASE 0xfeb00000
#define GUEST_VIRTIO_STEP 0x1000
#define GUEST_VIRTIO_LINE 13 /* and so the last of eleven has the last of the IOAPIC's 24 inputs */
/* The first disk's number among them: VM_VIRTIO_DISK of vmm/vm_virtio.h. */
#define VIRTIO_DISK       2

/* The second of them, for the table of devices, whose compiler does not add. */
#define GUEST_VIRTIO_RNG      0xfeb01000
#define GUEST_VIRTIO_RNG_LINE 14

#endif
