/* SPDX-License-Identifier: BSD-2-Clause */
/* The listing of a space's areas and leaves, as text. */
#include "include/log.h"
#include "mm/space.h"

/* A run of leaves that are contiguous in both address spaces. */
struct extent {
	gpa_t gpa;
	hpa_t hpa;
	uint64_t size;
	struct npt_attr attr;
};

static bool extends(const struct extent *extent, const struct npt_leaf *leaf)
{
	return leaf->gpa.raw == extent->gpa.raw + extent->size && leaf->hpa.raw == extent->hpa.raw + extent->size;
}

#define DUMP_LINES 16

struct dump {
	struct extent extent;
	unsigned lines;
};

static const char *prot_text(unsigned prot)
{
	static const char *const texts[] = { "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx" };

	return texts[prot & NPT_RWX];
}

/* May one more line be printed? Instead of the last one, a line is printed that says that there is more. */
static bool dump_room(struct dump *dump)
{
	if (dump->lines == DUMP_LINES)
		return false;
	if (++dump->lines < DUMP_LINES)
		return true;
	log_info("mem: ... and more");
	return false;
}

static bool dump_extent(struct dump *dump)
{
	struct extent extent = dump->extent;

	dump->extent.size = 0;
	if (extent.size == 0)
		return true;
	if (!dump_room(dump))
		return false;
	if (frame_is_zero_page(extent.hpa))
		log_info("mem:   %#lx-%#lx -> zeros %s", extent.gpa.raw, extent.gpa.raw + extent.size, prot_text(extent.attr.prot));
	else
		log_info("mem:   %#lx-%#lx -> %#lx %s%s", extent.gpa.raw, extent.gpa.raw + extent.size, extent.hpa.raw,
			 prot_text(extent.attr.prot), extent.attr.shared ? " shared" : "");
	return true;
}

/* Can the leaf be printed in the same line as the extent? Leaves that map zero pages need only be contiguous in guest memory. */
static bool alike(const struct extent *extent, const struct npt_leaf *leaf)
{
	if (extent->attr.prot != leaf->attr.prot || extent->attr.shared != leaf->attr.shared)
		return false;
	if (frame_is_zero_page(extent->hpa) && frame_is_zero_page(leaf->hpa))
		return leaf->gpa.raw == extent->gpa.raw + extent->size;
	return extends(extent, leaf);
}

static bool dump_leaf(const struct npt_leaf *leaf, void *context)
{
	struct dump *dump = context;
	bool more = true;

	if (dump->extent.size > 0 && !alike(&dump->extent, leaf))
		more = dump_extent(dump);
	if (dump->extent.size == 0)
		dump->extent = (struct extent){ .gpa = leaf->gpa, .hpa = leaf->hpa, .attr = leaf->attr };
	dump->extent.size += npt_level_size(leaf->level);
	return more;
}

static const char *backend_text(const struct area *area)
{
	return area->backend == AREA_LINEAR ? "linear" : alloc_policy_names[area->policy];
}

void addr_space_dump(struct addr_space *as)
{
	struct dump dump = { .lines = 0 };
	struct area *area;

	spin_lock(&as->view.lock);
	for (area = area_find_from(&as->areas, 0); area && dump_room(&dump); area = area_next(area)) {
		log_info("mem: area %#lx-%#lx %s %s", area->start, area->end, prot_text(area->attr.prot), backend_text(area));
		if (npt_walk(&as->npt, GPA(area->start), area->end - area->start, dump_leaf, &dump) != ERR_OK)
			log_err("mem:   malformed entry");
		dump_extent(&dump);
	}
	spin_unlock(&as->view.lock);
}
