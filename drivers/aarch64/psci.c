/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where firmware says that it has the Power State Coordination Interface. Sources: ACPI specification 6.4, 5.2.9 "Fixed
 * ACPI Description Table (FADT)", "ARM Architecture Boot Flags"; the binding arm/psci.yaml in Linux'
 * Documentation/devicetree/bindings.
 */
#include "drivers/aarch64/psci.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/acpi.h"
#include "drivers/platform.h"

#define FADT_ARM_BOOT_ARCH  129 /* 16 bits */
#define FADT_PSCI_COMPLIANT BIT(0)
#define FADT_PSCI_USE_HVC   BIT(1)

/* Of PSCI 0.1 the functions' numbers are the machine's own. */
static int find_node(const void *fdt)
{
	int node = fdt_node_offset_by_compatible(fdt, -1, "arm,psci-1.0");

	return node >= 0 ? node : fdt_node_offset_by_compatible(fdt, -1, "arm,psci-0.2");
}

static bool tree_says_smc(const void *fdt)
{
	int length, node = find_node(fdt);
	const char *method = node >= 0 ? fdt_getprop(fdt, node, "method", &length) : NULL;

	return method && length == sizeof("smc") && memcmp(method, "smc", sizeof("smc")) == 0;
}

static bool acpi_says_smc(const struct platform *platform)
{
	const void *fadt;
	uint16_t flags;
	size_t size;

	if (acpi_find_table(platform->acpi_rsdp, platform->acpi_reader, "FACP", &fadt, &size) != ERR_OK ||
	    size < FADT_ARM_BOOT_ARCH + sizeof(flags))
		return false;
	memcpy(&flags, (const char *)fadt + FADT_ARM_BOOT_ARCH, sizeof(flags));
	return (flags & (FADT_PSCI_COMPLIANT | FADT_PSCI_USE_HVC)) == FADT_PSCI_COMPLIANT;
}

bool psci_takes_smc(void)
{
	const struct platform *platform = platform_get();

	if (platform->fdt && tree_says_smc(platform->fdt))
		return true;
	return platform->acpi_rsdp && acpi_says_smc(platform);
}
