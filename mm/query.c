/* SPDX-License-Identifier: BSD-2-Clause */
/* What a report asks an address space about. */
#include "mm/query.h"

bool addr_space_area_at(struct addr_space *as, gpa_t gpa, struct addr_space_area *area)
{
	const struct area *found;

	spin_lock(&as->lock);
	found = area_find(&as->areas, gpa.raw);
	if (found)
		*area = (struct addr_space_area){ GPA(found->start), found->end - found->start, found->attr.prot };
	spin_unlock(&as->lock);
	return found != NULL;
}
