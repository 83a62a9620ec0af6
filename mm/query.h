/* SPDX-License-Identifier: BSD-2-Clause */
/* What a report asks an address space about. */
#ifndef NESTLING_MM_QUERY_H
#define NESTLING_MM_QUERY_H

#include "mm/addr_space.h"

/* What holds around an address. */
struct addr_space_area {
	gpa_t start;
	uint64_t size; /* bytes */
	uint8_t prot;  /* enum npt_prot */
};

/* Look up the area at `gpa`. False: there is none. Takes the space's lock. */
bool addr_space_area_at(struct addr_space *as, gpa_t gpa, struct addr_space_area *area);

#endif
