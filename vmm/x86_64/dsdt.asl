/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest is told of its devices that it cannot find by itself. ACPI specification, "ACPI Source Language (ASL) Reference". */
#include "guest_ports.h"

/* iasl (20200925) counts the bytes of a table wrong in which it computes addresses: these are written out, and checked. */
#if GUEST_VIRTIO_BASE + VIRTIO_DISK * GUEST_VIRTIO_STEP != 0xfeb02000 || GUEST_VIRTIO_STEP != 0x1000 || GUEST_VIRTIO_LINE + VIRTIO_DISK != 15
#error "the disks are elsewhere"
#endif

/* One that is there if more than n of its kind are. LNRO0005 is what Linux knows virtio over MMIO by: drivers/virtio/virtio_mmio.c. */
#define SOME(name, uid, count, n, base, line) \
	Device (name) \
	{ \
		Name (_HID, "LNRO0005") \
		Name (_UID, uid) \
		Name (_CCA, 1) \
		Method (_STA) \
		{ \
			If (LGreater (count, n)) { Return (0x0f) } \
			Return (0) \
		} \
		Name (_CRS, ResourceTemplate () \
		{ \
			Memory32Fixed (ReadWrite, base, GUEST_VIRTIO_STEP) \
			Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { line } \
		}) \
	}

#define DISK(name, n, base, line) SOME (name, VIRTIO_DISK + n, DSKS, n, base, line)

DefinitionBlock ("", "DSDT", 2, "NSTLNG", "NESTLING", 1)
{
	/* The number of disks, and of virtio consoles: acpi_tables.c puts it in this value's place. */
	Name (DSKS, 0xff)
	Name (CONS, 0xff)

	/* The sleep type of "soft off": POWER_S5 in vmm/devices/acpi_power.h. */
	Name (\_S5, Package () { 5, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, UART_PORT, UART_PORT, 1, 8)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { UART_LINE }
			})
		}

		/* The control page: vmm/devices/control_page.h. */
		Device (CTRL)
		{
			Name (_HID, "NSTL0001")
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, GUEST_CONTROL_PAGE, 0x1000)
			})
		}

		/* Where a kernel tells that it has panicked: vmm/devices/pvpanic.h. */
		Device (PEVT)
		{
			Name (_HID, "QEMU0001")
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, GUEST_PANIC_BASE, GUEST_PANIC_BASE, 1, GUEST_PANIC_SIZE)
			})
		}

		/*
		 * The id of the VM's generation, of which an interrupt says that it is another one: vmm/generation.h. ACPI 5.6.9
		 * "Interrupt-signaled ACPI events".
		 */
		Device (VGEN)
		{
			Name (_HID, "NSTL0002")
			Name (_CID, Package () { "VM_Gen_Counter", "VMGENCTR" })
			Name (_DDN, "VM_Gen_Counter")
			Name (ADDR, Package () { GUEST_GENERATION_PAGE, 0 })
		}
		Device (GED)
		{
			Name (_HID, "ACPI0013")
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { GUEST_GENERATION_LINE }
			})
			Method (_EVT, 1)
			{
				Notify (VGEN, 0x80)
			}
		}

		/* The balloon. */
		Device (VIO0)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 0)
			Name (_CCA, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, GUEST_VIRTIO_BASE, GUEST_VIRTIO_STEP)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { GUEST_VIRTIO_LINE }
			})
		}

		/* Random numbers. */
		Device (VIO1)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 1)
			Name (_CCA, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, GUEST_VIRTIO_RNG, GUEST_VIRTIO_STEP)
				Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { GUEST_VIRTIO_RNG_LINE }
			})
		}

		DISK (VIO2, 0, 0xfeb02000, 15)
		DISK (VIO3, 1, 0xfeb03000, 16)
		DISK (VIO4, 2, 0xfeb04000, 17)
		DISK (VIO5, 3, 0xfeb05000, 18)
		DISK (VIO6, 4, 0xfeb06000, 19)
		DISK (VIO7, 5, 0xfeb07000, 20)
		DISK (VIO8, 6, 0xfeb08000, 21)
		DISK (VIO9, 7, 0xfeb09000, 22)

		SOME (VIOA, 10, CONS, 0, 0xfeb0a000, 23)
	}
}
