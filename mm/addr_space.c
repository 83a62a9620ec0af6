/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's address space as a whole: creating and freeing it, and questions about it. */
#include "mm/addr_space.h"

#include "mm/space.h"

/* --- Creating and freeing ----------------------------------------------------------------------------------------- */

/* Areas leave this much of the limit to faults, as they leave the host's reserve (FRAME_CALL). */
static uint64_t limit_left(const struct addr_space *as)
{
	return as->cost.limit ? min_u64(as->cost.limit->max / 64, MIB(1)) : 0;
}

static bool charge_areas(struct area_set *areas, uint64_t bytes)
{
	struct addr_space *as = CONTAINER_OF(areas, struct addr_space, areas);

	return cost_fits(as, bytes + limit_left(as)) && cost_charge(as, bytes);
}

static void uncharge_areas(struct area_set *areas, uint64_t bytes)
{
	cost_uncharge(CONTAINER_OF(areas, struct addr_space, areas), bytes);
}

static const struct area_account area_account = { charge_areas, uncharge_areas };

enum err addr_space_new(struct addr_space *as, const struct npt_ops *ops, const struct npt_config *config, addr_space_flush flush)
{
	enum err err;

	*as = (struct addr_space){
		.view.lock = SPINLOCK(LOCK_VIEW),
		.view.as = as,
		.env = space_env(&as->view.cache),
		.flush = flush,
		.id = space_id_take(),
		.need = FRAME_CALL,
	};
	if (as->id == 0)
		return ERR_NO_MEMORY;
	area_set_init(&as->areas, &area_account);
	err = space_take_frames(as, 0, &as->reserve);
	if (err != ERR_OK)
		goto give_id;
	err = npt_new(&as->npt, ops, config, &as->env);
	if (err != ERR_OK)
		goto free_reserve;
	as->need = FRAME_GUEST;
	return ERR_OK;

free_reserve:
	space_give_frames(as, as->reserve, 0);
give_id:
	space_id_give(as->id);
	return err;
}

void addr_space_free(struct addr_space *as)
{
	addr_space_clear(as);
	held_drop(as);
	npt_free(&as->npt);
	area_set_free(&as->areas);
	if (as->reserve.raw != 0)
		frame_free(as->reserve, 0);
	limit_leave(as);
	space_id_give(as->id);
}

/* --- Questions ---------------------------------------------------------------------------------------------------- */

bool addr_space_area_at(struct addr_space *as, gpa_t gpa, struct addr_space_area *area)
{
	const struct area *found;

	spin_lock(&as->view.lock);
	found = area_find(&as->areas, gpa.raw);
	if (found)
		*area = (struct addr_space_area){ GPA(found->start), found->end - found->start, found->attr.prot };
	spin_unlock(&as->view.lock);
	return found != NULL;
}

struct addr_space_translation addr_space_translate_by_walk(struct addr_space *as, gpa_t gpa)
{
	struct addr_space_translation found = { .hpa = HPA(0) };

	spin_lock(&as->view.lock);
	found.err = npt_translate(&as->npt, &as->view.cache, gpa, &found.hpa);
	spin_unlock(&as->view.lock);
	return found;
}
