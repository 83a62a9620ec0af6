/* SPDX-License-Identifier: BSD-2-Clause */
/* The locks of a space that has several views. */
#include "mm/space.h"

void views_lock(struct addr_space_view *view)
{
	while ((view = view->next))
		spin_lock(&view->lock);
}

void views_unlock(struct addr_space_view *view)
{
	while ((view = view->next))
		spin_unlock(&view->lock);
}
