/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts what a range of guest memory is backed by, for the picture and the map. */
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
