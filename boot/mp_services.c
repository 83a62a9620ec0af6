/* SPDX-License-Identifier: BSD-2-Clause */
/* EFI_MP_SERVICES_PROTOCOL, of which GNU-EFI has no declaration: only asked who is there. */
#include "boot/mp_services.h"

#include <efi.h>
#include <efilib.h>

#define EFI_MP_SERVICES_PROTOCOL_GUID                                  \
	{                                                              \
		0x3fdda605, 0xa76e, 0x4f46,                            \
		{                                                      \
			0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 \
		}                                                      \
	}

/* StatusFlag. */
#define PROCESSOR_ENABLED BIT(1)
#define PROCESSOR_HEALTHY BIT(2)

struct processor_information {
	UINT64 id; /* as ACPI's tables have it */
	UINT32 status;
	UINT32 location[3];
	UINT32 location2[6]; /* of later versions */
};

struct mp_services {
	EFI_STATUS(EFIAPI *get_count)(struct mp_services *this, UINTN *count, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_information)(struct mp_services *this, UINTN number, struct processor_information *information);
};

bool mp_services_find(struct cpu_ids *list)
{
	EFI_GUID guid = EFI_MP_SERVICES_PROTOCOL_GUID;
	struct processor_information information;
	struct mp_services *services;
	UINTN count, enabled;

	if (EFI_ERROR(LibLocateProtocol(&guid, (void **)&services)) || EFI_ERROR(services->get_count(services, &count, &enabled)))
		return false;
	for (UINTN i = 0; i < count; i++) {
		/* An error means that there are fewer. */
		if (EFI_ERROR(services->get_information(services, i, &information)))
			break;
		if ((information.status & PROCESSOR_ENABLED) && (information.status & PROCESSOR_HEALTHY))
			cpu_ids_add(list, information.id);
	}
	return true;
}
