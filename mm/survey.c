/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about what guest memory is backed by, for picture, map, report and trace: while others change it. */
#include "mm/space.h"

struct survey_walk {
	struct addr_space_survey *survey;
	uint64_t start, end; /* the range of the survey: large leaves may reach beyond it */
	unsigned *leaves;    /* leaves that may still be visited */
};

static bool count_leaf(const struct npt_leaf *leaf, void *context)
{
	struct survey_walk *walk = context;
	struct addr_space_survey *survey = walk->survey;
	uint64_t start = max_u64(leaf->gpa.raw, walk->start);
	uint64_t end = min_u64(leaf->gpa.raw + npt_level_size(leaf->level), walk->end);

	if (frame_is_zero_page(leaf->hpa))
		survey->zeros += end - start;
	else if (leaf->attr.shared)
		survey->shared += end - start;
	else if (leaf->level > 0)
		survey->large += end - start;
	else
		survey->pages += end - start;
	survey->next = GPA(end);
	return --*walk->leaves > 0;
}

enum err addr_space_survey(struct addr_space *as, gpa_t gpa, uint64_t size, unsigned *leaves, struct addr_space_survey *survey)
{
	struct survey_walk walk = { .survey = survey, .start = gpa.raw, .end = gpa.raw + size, .leaves = leaves };
	enum err err;

	spin_lock(&as->view.lock);
	err = *leaves > 0 ? check_range(as, gpa, size) : ERR_INVALID;
	if (err == ERR_OK)
		err = npt_walk(&as->npt, gpa, size, count_leaf, &walk);
	if (*leaves > 0)
		survey->next = GPA(walk.end); /* the range is complete, or a malformed entry ended the walk */
	spin_unlock(&as->view.lock);
	return err;
}

uint64_t addr_space_table_bytes(struct addr_space *as)
{
	uint64_t bytes;

	spin_lock(&as->view.lock);
	bytes = as->npt.table_bytes;
	spin_unlock(&as->view.lock);
	return bytes;
}

bool addr_space_limit_reached(struct addr_space *as)
{
	bool reached;

	spin_lock(&as->view.lock);
	reached = as->cost.exceeded;
	spin_unlock(&as->view.lock);
	return reached;
}

enum err addr_space_query(struct addr_space *as, gpa_t gpa, struct npt_leaf *leaf)
{
	enum err err;

	spin_lock(&as->view.lock);
	err = npt_query(&as->npt, gpa, leaf);
	spin_unlock(&as->view.lock);
	return err;
}

enum err addr_space_walk(struct addr_space *as, gpa_t gpa, uint64_t size, npt_visitor visit, void *context)
{
	enum err err;

	spin_lock(&as->view.lock);
	err = npt_walk(&as->npt, gpa, size, visit, context);
	spin_unlock(&as->view.lock);
	return err;
}

unsigned addr_space_explain(struct addr_space *as, gpa_t gpa, struct npt_step steps[NPT_MAX_LEVELS])
{
	unsigned count;

	spin_lock(&as->view.lock);
	count = npt_explain(&as->npt, gpa, steps);
	spin_unlock(&as->view.lock);
	return count;
}
