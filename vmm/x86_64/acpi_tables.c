/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI tables of a guest. Sources: ACPI specification 6.4, 5.2 "ACPI System Description Tables", 4.1 "Hardware-Reduced ACPI",
 * 5.2.12 "Multiple APIC Description Table".
 */
#include "vmm/x86_64/acpi_tables.h"

#include <string.h>

#include "vmm/devices/acpi_power.h"
#include "vmm/vm_virtio.h"
#include "vmm/x86_64/apic.h"

/* Where each lies behind the first. */
enum { AT_RSDP = 0x000, AT_XSDT = 0x040, AT_FADT = 0x080, AT_MADT = 0x1c0, AT_DSDT = 0x400 };

#define OEM_ID       "NSTLNG"
#define OEM_TABLE_ID "NESTLING"

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt_address, length;
	uint64_t xsdt_address;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space, bits, offset, access_size;
	uint64_t address;
} __attribute__((packed));
#define SPACE_IO 1

struct fadt {
	struct header header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t unused1[109 - 44];
	uint16_t boot_architecture;
	uint8_t reserved1;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value, unused2[2], minor_version;
	uint64_t x_firmware_ctrl, x_dsdt;
	uint8_t unused3[244 - 148];
	struct address sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));
_Static_assert(offsetof(struct fadt, flags) == 112 && offsetof(struct fadt, sleep_control) == 244 && sizeof(struct fadt) == 276,
	       "the layout of the FADT");

#define FADT_WBINVD           BIT(0)
#define FADT_POWER_BUTTON     BIT(4) /* as a device, if there is one: there is none */
#define FADT_SLEEP_BUTTON     BIT(5)
#define FADT_RESET_SUPPORTED  BIT(10)
#define FADT_HARDWARE_REDUCED BIT(20)
#define BOOT_NO_VGA           BIT(2)
#define BOOT_NO_CMOS_RTC      BIT(5)

struct local_apic {
	uint8_t type, length, uid, id;
	uint32_t flags;
} __attribute__((packed));

struct io_apic {
	uint8_t type, length, id, reserved;
	uint32_t address, first_input;
} __attribute__((packed));

struct madt {
	struct header header;
	uint32_t local_apic_address, flags;
	struct io_apic io_apic;
	struct local_apic local_apic[VCPU_MAX];
} __attribute__((packed));

/* What the table of devices says. */
_Static_assert(GUEST_VIRTIO_RNG == GUEST_VIRTIO_BASE + VM_VIRTIO_RNG * GUEST_VIRTIO_STEP &&
		       GUEST_VIRTIO_RNG_LINE == GUEST_VIRTIO_LINE + VM_VIRTIO_RNG && VIRTIO_DISK == VM_VIRTIO_DISK,
	       "where the device is");
_Static_assert(AT_MADT >= AT_FADT + sizeof(struct fadt) && AT_DSDT >= AT_MADT + sizeof(struct madt), "tables overlap");

extern const struct header dsdt; /* dsdt.S */

/* What makes the sum of all bytes 0. */
static uint8_t checksum(const void *table, size_t size)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

static enum err write_table(struct vm *vm, gpa_t at, struct header *header, const char *signature, size_t size, uint8_t revision)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	memcpy(header->oem_id, OEM_ID, sizeof(header->oem_id));
	memcpy(header->oem_table_id, OEM_TABLE_ID, sizeof(header->oem_table_id));
	memcpy(&header->creator_id, OEM_ID, sizeof(header->creator_id));
	header->length = (uint32_t)size;
	header->revision = revision;
	header->oem_revision = header->creator_revision = 1;
	header->checksum = checksum(header, size);
	return addr_space_write(&vm->as, at, header, size);
}

static enum err write_rsdp(struct vm *vm, uint64_t at)
{
	struct rsdp rsdp = { .revision = 2, .length = sizeof(rsdp), .xsdt_address = at + AT_XSDT };

	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	rsdp.checksum = checksum(&rsdp, offsetof(struct rsdp, length)); /* that of ACPI 1.0 */
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	return addr_space_write(&vm->as, GPA(at + AT_RSDP), &rsdp, sizeof(rsdp));
}

static enum err write_xsdt(struct vm *vm, uint64_t at)
{
	struct {
		struct header header;
		uint64_t table[2];
	} __attribute__((packed)) xsdt = { .table = { at + AT_FADT, at + AT_MADT } };

	return write_table(vm, GPA(at + AT_XSDT), &xsdt.header, "XSDT", sizeof(xsdt), 1);
}

static struct address power_register(unsigned number)
{
	return (struct address){ .space = SPACE_IO, .bits = 8, .access_size = 1, .address = POWER_PORT + number };
}

static enum err write_fadt(struct vm *vm, uint64_t at)
{
	struct fadt fadt = {
		.boot_architecture = BOOT_NO_VGA | BOOT_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_POWER_BUTTON | FADT_SLEEP_BUTTON | FADT_RESET_SUPPORTED | FADT_HARDWARE_REDUCED,
		.reset = power_register(POWER_RESET),
		.reset_value = POWER_RESET_VALUE,
		.minor_version = 4,
		.x_dsdt = at + AT_DSDT,
		.sleep_control = power_register(POWER_SLEEP_CONTROL),
		.sleep_status = power_register(POWER_SLEEP_STATUS),
	};

	memcpy(&fadt.hypervisor, OEM_TABLE_ID, sizeof(fadt.hypervisor));
	return write_table(vm, GPA(at + AT_FADT), &fadt.header, "FACP", sizeof(fadt), 6);
}

static enum err write_madt(struct vm *vm, uint64_t at)
{
	struct madt madt = {
		.local_apic_address = (uint32_t)GUEST_APIC_PAGE,
		.io_apic = { .type = 1, .length = sizeof(struct io_apic), .address = (uint32_t)GUEST_IOAPIC_PAGE },
	};
	size_t size = offsetof(struct madt, local_apic) + vm->vcpus * sizeof(struct local_apic);

	for (unsigned i = 0; i < vm->vcpus; i++)
		madt.local_apic[i] = (struct local_apic){ 0, sizeof(struct local_apic), (uint8_t)i, (uint8_t)i, 1 };
	return write_table(vm, GPA(at + AT_MADT), &madt.header, "APIC", size, 5);
}

/*
 * Put a number in its place in the DSDT at `at`, a byte behind the name that it has there: "NamedObjects Encoding", DefName, and
 * "Data Objects Encoding", ByteConst, whose prefix is 0x0a. The checksum goes down as that goes up.
 */
static enum err set_number(struct vm *vm, gpa_t at, const char name[4], uint8_t number, uint8_t *checksum)
{
	const char named[] = { 8, name[0], name[1], name[2], name[3], 0x0a, (char)UINT8_MAX };
	const char *bytes = (const char *)&dsdt;

	*checksum = (uint8_t)(*checksum + UINT8_MAX - number);
	for (size_t i = sizeof(dsdt); i < dsdt.length - sizeof(named); i++)
		if (memcmp(bytes + i, named, sizeof(named)) == 0)
			return addr_space_write(&vm->as, GPA(at.raw + i + sizeof(named) - 1), &number, sizeof(number));
	return ERR_CORRUPT; /* dsdt.asl has both */
}

/* The same for all VMs but for the numbers of some devices. */
static enum err write_dsdt(struct vm *vm, gpa_t at)
{
	uint8_t checksum = dsdt.checksum;
	enum err err = addr_space_write(&vm->as, at, &dsdt, dsdt.length);

	if (err == ERR_OK)
		err = set_number(vm, at, "DSKS", (uint8_t)vm->options.disks, &checksum);
	if (err == ERR_OK)
		err = set_number(vm, at, "CONS", vm->options.virtio_console, &checksum);
	if (err != ERR_OK)
		return err;
	return addr_space_write(&vm->as, GPA(at.raw + offsetof(struct header, checksum)), &checksum, sizeof(checksum));
}

enum err acpi_tables_write(struct vm *vm, gpa_t at)
{
	enum err err = write_rsdp(vm, at.raw);

	if (err == ERR_OK)
		err = write_xsdt(vm, at.raw);
	if (err == ERR_OK)
		err = write_fadt(vm, at.raw);
	if (err == ERR_OK)
		err = write_madt(vm, at.raw);
	return err == ERR_OK ? write_dsdt(vm, GPA(at.raw + AT_DSDT)) : err;
}
