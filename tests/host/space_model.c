/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/host/space_model.h. */
#include "tests/host/space_model.h"

#include <stdlib.h>
#include <string.h>

#include "tests/host/lock_order.h"

#define WINDOW    SPACE_MODEL_WINDOW
#define WINDOW_OF SPACE_MODEL_SIZE
#define PAGES     (WINDOW_OF / PAGE_SIZE)
#define HOT       KIB(128) /* around the border of all levels */
#define LINEAR_OF 10       /* order of the block that linear areas show: 4 MiB */

/* Frames that an operation may need for tables and structures, however small it is. */
#define SLACK 12

struct range {
	uint64_t gpa, size;
};

#define FOR_EACH_PAGE(at, range) for (uint64_t at = (range).gpa; at < (range).gpa + (range).size; at += PAGE_SIZE)

static struct model_page *page_in(struct model_space *space, uint64_t gpa)
{
	return &space->pages[(gpa - WINDOW) / PAGE_SIZE];
}

static struct model_page *page_of(struct space_model *m, uint64_t gpa)
{
	return page_in(m->now, gpa);
}

static uint8_t *memory_at(struct model_space *space, uint64_t hpa)
{
	return arena_at(&space->s->machine->ram.arena, hpa);
}

static bool leaf_at(struct model_space *space, uint64_t gpa, struct npt_leaf *leaf)
{
	return npt_query(&space->s->as.npt, GPA(gpa), leaf) == ERR_OK;
}

/* Where the byte at `gpa` is, by the leaf there. */
static uint64_t leaf_hpa(const struct npt_leaf *leaf, uint64_t gpa)
{
	return leaf->hpa.raw + (gpa - leaf->gpa.raw);
}

/* --- Choices ------------------------------------------------------------------------------------------------------- */

/* Most of it happens in few pages, so that one thing is done to what another one has left. */
static uint64_t choose_gpa(struct space_model *m)
{
	if (host_chance(&m->rng, 70))
		return WINDOW + WINDOW_OF / 2 - HOT / 2 + host_below(&m->rng, HOT);
	return WINDOW + host_below(&m->rng, WINDOW_OF);
}

static struct range choose_range(struct space_model *m, bool bytes)
{
	struct host_rng *rng = &m->rng;
	uint64_t unit = host_chance(rng, 15) ? MIB(2) : KIB(4);
	struct range range = { .gpa = align_down(choose_gpa(m), unit) };

	range.size = unit * (1 + host_below(rng, unit == KIB(4) ? (host_chance(rng, 10) ? 900 : 24) : 2));
	range.size = min_u64(range.size, WINDOW + WINDOW_OF - range.gpa);
	if (bytes) {
		range.size = min_u64(range.size, host_chance(rng, 70) ? 600 : KIB(100));
		range.gpa += host_below(rng, KIB(4));
		range.size = host_below(rng, range.size) + 1;
		range.size = min_u64(range.size, WINDOW + WINDOW_OF - range.gpa);
	}
	return range;
}

static unsigned choose_prot(struct space_model *m)
{
	for (;;) {
		unsigned prot = (unsigned)host_below(&m->rng, 8);

		if (format_has_prot(m->now->s->format, prot) || host_chance(&m->rng, 2))
			return prot;
	}
}

static enum err check_prot(const struct space_model *m, unsigned prot)
{
	if (prot == 0)
		return ERR_INVALID;
	return format_has_prot(m->now->s->format, prot) ? ERR_OK : ERR_UNSUPPORTED;
}

static bool any_area(struct space_model *m, const struct range *range)
{
	FOR_EACH_PAGE(at, *range)
	if (page_of(m, at)->kind != HOLE)
		return true;
	return false;
}

/* What an operation that wants areas all over the range, Alloc ones if `alloc`, must say. */
static enum err check_cover(struct space_model *m, const struct range *range, bool alloc)
{
	FOR_EACH_PAGE(at, *range)
	{
		if (page_of(m, at)->kind == HOLE)
			return ERR_NOT_FOUND;
		if (alloc && page_of(m, at)->kind == LINEAR)
			return ERR_INVALID;
	}
	return ERR_OK;
}

/* Was it done? A failure must be the expected one, or for want of memory where fewer than `need` frames were free. */
static bool done(struct space_model *m, enum model_operation operation, enum err err, enum err expected, uint64_t need)
{
	if (err == ERR_NO_MEMORY && expected == ERR_OK) {
		CHECK(m->free_frames < need + SLACK, "operation %u: no memory, with %ju frames free", operation,
		      (uintmax_t)m->free_frames);
		m->no_memory++;
		return false;
	}
	CHECK(err == expected, "operation %u: %s, not %s", operation, host_err(err), host_err(expected));
	m->done[operation] += err == ERR_OK;
	return err == ERR_OK;
}

/* --- Areas --------------------------------------------------------------------------------------------------------- */

static void note_area(struct space_model *m, const struct range *range, const struct model_page *page)
{
	FOR_EACH_PAGE(at, *range)
	{
		*page_of(m, at) = *page;
		page_of(m, at)->hpa = page->hpa + (at - range->gpa);
	}
	memset(&m->now->bytes[range->gpa - WINDOW], 0, range->size);
}

static void do_map_linear(struct space_model *m)
{
	struct range range = choose_range(m, false);
	unsigned prot = choose_prot(m);
	uint64_t hpa = m->linear + KIB(4) * host_below(&m->rng, 512);
	enum err expected = check_prot(m, prot);

	range.size = min_u64(range.size, MIB(2));
	if (host_chance(&m->rng, 50))
		hpa = m->linear + (range.gpa & (MIB(2) - 1));
	if (expected == ERR_OK && any_area(m, &range))
		expected = ERR_EXISTS;
	if (done(m, MODEL_MAP_LINEAR,
		 addr_space_map_linear(&m->now->s->as, GPA(range.gpa), HPA(hpa), range.size,
				       (struct npt_attr){ .prot = (uint8_t)prot, .memtype = NPT_WB }),
		 expected, 0))
		note_area(m, &range, &(struct model_page){ .kind = LINEAR, .prot = (uint8_t)prot, .hpa = hpa });
}

static void map_alloc(struct space_model *m, struct range range, unsigned prot, enum alloc_policy policy)
{
	bool populate = policy == ALLOC_POPULATE;
	enum err expected = check_prot(m, prot);

	if (expected == ERR_OK && any_area(m, &range))
		expected = ERR_EXISTS;
	if (!done(m, populate ? MODEL_MAP_POPULATE : MODEL_MAP_LAZY,
		  addr_space_map_alloc(&m->now->s->as, GPA(range.gpa), range.size, prot, policy), expected,
		  populate ? range.size / PAGE_SIZE : 0))
		return;
	note_area(m, &range,
		  &(struct model_page){
			  .kind = ALLOC,
			  .prot = (uint8_t)prot,
			  .policy = (uint8_t)policy,
			  .promised = populate,
			  .sparse = policy == ALLOC_LAZY_4K,
		  });
}

static void do_map_alloc(struct space_model *m)
{
	struct range range = choose_range(m, false);
	unsigned prot = choose_prot(m);

	map_alloc(m, range, prot, (enum alloc_policy)host_below(&m->rng, ALLOC_POLICIES));
}

static bool unmap(struct space_model *m, struct range range)
{
	if (!done(m, MODEL_UNMAP, addr_space_unmap(&m->now->s->as, GPA(range.gpa), range.size), ERR_OK, 0))
		return false;
	FOR_EACH_PAGE(at, range)
	*page_of(m, at) = (struct model_page){ .kind = HOLE };
	return true;
}

static void do_unmap(struct space_model *m)
{
	const struct range all = { WINDOW, WINDOW_OF };

	if (!host_chance(&m->rng, 2)) {
		(void)unmap(m, choose_range(m, false));
		return;
	}
	addr_space_clear(&m->now->s->as);
	FOR_EACH_PAGE(at, all)
	*page_of(m, at) = (struct model_page){ .kind = HOLE };
}

/* A block of 2 MiB is one lazy area: forks share its table of pages. */
static void do_renew_block(struct space_model *m)
{
	const struct range block = { align_down(choose_gpa(m), MIB(2)), MIB(2) };

	if (unmap(m, block))
		map_alloc(m, block, NPT_RW, host_chance(&m->rng, 50) ? ALLOC_LAZY_4K : ALLOC_LAZY_64K);
}

static void do_protect(struct space_model *m)
{
	struct range range = choose_range(m, false);
	unsigned prot = choose_prot(m);
	enum err expected = check_cover(m, &range, false);

	if (expected == ERR_OK)
		expected = check_prot(m, prot);
	if (!done(m, MODEL_PROTECT, addr_space_protect(&m->now->s->as, GPA(range.gpa), range.size, prot), expected, 0))
		return;
	FOR_EACH_PAGE(at, range)
	page_of(m, at)->prot = (uint8_t)prot;
}

static void do_discard(struct space_model *m)
{
	struct range range = choose_range(m, false);
	enum err expected = check_cover(m, &range, true);

	if (!done(m, MODEL_DISCARD, addr_space_discard(&m->now->s->as, GPA(range.gpa), range.size), expected, 0))
		return;
	FOR_EACH_PAGE(at, range)
	{
		struct model_page *page = page_of(m, at);
		struct npt_leaf leaf;

		page->promised = page->written = page->dirty = page->accessed = false;
		CHECK(!leaf_at(m->now, at, &leaf), "%#jx is still there", (uintmax_t)at);
	}
	memset(&m->now->bytes[range.gpa - WINDOW], 0, range.size);
}

static void do_set_policy(struct space_model *m)
{
	struct range range = choose_range(m, false);
	enum alloc_policy policy = (enum alloc_policy)host_below(&m->rng, ALLOC_POLICIES);
	bool populate = policy == ALLOC_POPULATE;
	enum err expected = check_cover(m, &range, true);
	enum err err = addr_space_set_policy(&m->now->s->as, GPA(range.gpa), range.size, policy);
	bool good = done(m, MODEL_SET_POLICY, err, expected, populate ? range.size / PAGE_SIZE : 0);

	if (expected != ERR_OK)
		return;
	FOR_EACH_PAGE(at, range)
	{
		struct model_page *page = page_of(m, at);

		page->sparse &= policy == ALLOC_LAZY_4K;
		if (good)
			page->policy = (uint8_t)policy;
		else if (populate) /* some may have been backed, and who knows which areas know of it */
			page->policy = area_find(&m->now->s->as.areas, at)->policy;
		page->promised = good && populate ? true : page->promised && page->policy == ALLOC_POPULATE;
	}
}

/* --- Accesses ------------------------------------------------------------------------------------------------------ */

/* The frames that a copy of so many pages may use up, with what policies put beside them. */
static uint64_t copy_need(struct space_model *m, const struct range *range)
{
	uint64_t pages = range->size / PAGE_SIZE + 2;

	for (uint64_t at = align_down(range->gpa, PAGE_SIZE); at < range->gpa + range->size; at += PAGE_SIZE)
		if (page_of(m, at)->kind == ALLOC && page_of(m, at)->policy != ALLOC_LAZY_4K)
			return pages + 3 * MIB(2) / PAGE_SIZE;
	return pages;
}

static enum err permission(struct space_model *m, uint64_t gpa, unsigned access)
{
	const struct model_page *page = page_of(m, gpa);

	if (page->kind == HOLE)
		return ERR_NOT_FOUND;
	return access & ~(unsigned)page->prot ? ERR_DENIED : ERR_OK;
}

/* --- In the midst of an operation ---------------------------------------------------------------------------------- */

static struct space_model *hooked;
static jmp_buf other_waits;

static void give_up(void)
{
	longjmp(other_waits, 1);
}

/* What the model permits, before or after an operation that has not all locks. */
static void check_other(struct space_model *m, enum fault_outcome outcome)
{
	enum err allowed = permission(m, m->meanwhile.gpa, m->meanwhile.access);
	bool good = allowed == ERR_OK     ? outcome == FAULT_HANDLED || outcome == FAULT_SPURIOUS || outcome == FAULT_NO_MEMORY :
		    allowed == ERR_DENIED ? outcome == FAULT_DENIED :
					    outcome == FAULT_UNMAPPED;

	CHECK(good, "%s for access %u at %#jx, meanwhile", fault_outcome_name(outcome), m->meanwhile.access,
	      (uintmax_t)m->meanwhile.gpa);
	m->now->faults[outcome]++;
	if (outcome == FAULT_HANDLED && m->meanwhile.access & NPT_W)
		page_of(m, m->meanwhile.gpa)->written = true;
}

/* The other vCPU of the space faults, with the locks held that the operation in hand needs. */
static void other_faults(void)
{
	struct space_model *m = hooked;
	const struct npt_fault fault = { .gpa = GPA(m->meanwhile.gpa), .access = (uint8_t)m->meanwhile.access };

	if (!m->meanwhile.armed)
		return;
	m->meanwhile.armed = false;
	spin_wait = give_up;
	if (setjmp(other_waits) == 0) {
		check_other(m, addr_space_handle_fault(m->meanwhile.view, &fault));
		m->meanwhile.met = true;
		m->met++;
	} else {
		lock_order_give_up();
		m->waited++;
	}
	spin_wait = NULL;
	m->free_frames = min_u64(m->free_frames, ram_free_bytes() / PAGE_SIZE);
}

static void other_faults_at_flush(struct space *space)
{
	(void)space;
	other_faults();
}

static void arm(struct space_model *m)
{
	m->meanwhile = (struct model_meanwhile){ .armed = host_chance(&m->rng, 50), .view = &m->now->second };
	if (!m->meanwhile.armed)
		return;
	m->meanwhile.gpa = choose_gpa(m);
	m->meanwhile.access = (unsigned)host_below(&m->rng, 7) + 1;
	hooked = m;
	m->now->s->meanwhile = other_faults_at_flush;
	host_zeroing = other_faults;
}

/* The space may have gone, and been the one that it was to come in. */
static void disarm(struct space_model *m)
{
	for (unsigned i = 0; i < m->count; i++)
		m->all[i]->s->meanwhile = NULL;
	host_zeroing = NULL;
	m->meanwhile.armed = false;
}

static enum fault_outcome raise(struct space_model *m, uint64_t gpa, unsigned access)
{
	const struct npt_fault fault = { .gpa = GPA(gpa), .access = (uint8_t)access };
	bool second = host_chance(&m->rng, 40);
	enum fault_outcome outcome;

	m->meanwhile.view = second ? &m->now->s->as.view : &m->now->second;
	outcome = addr_space_handle_fault(second ? &m->now->second : &m->now->s->as.view, &fault);
	m->meanwhile.view = &m->now->second;

	m->now->faults[outcome]++;
	if (outcome == FAULT_HANDLED) {
		CHECK(space_allows(m->now->s, gpa, access), "a fault at %#jx was handled in vain", (uintmax_t)gpa);
		if (access & NPT_W)
			page_of(m, gpa)->written = true;
	}
	return outcome;
}

static void do_fault(struct space_model *m)
{
	uint64_t gpa = choose_gpa(m);
	unsigned access = (unsigned)host_below(&m->rng, 7) + 1;
	enum err allowed = permission(m, gpa, access);
	bool there = space_allows(m->now->s, gpa, access);
	enum fault_outcome outcome = raise(m, gpa, access), expected = there ? FAULT_SPURIOUS : FAULT_HANDLED;

	if (allowed != ERR_OK)
		expected = allowed == ERR_DENIED ? FAULT_DENIED : FAULT_UNMAPPED;
	if (outcome == FAULT_NO_MEMORY && expected == FAULT_HANDLED && page_of(m, gpa)->kind == ALLOC) {
		done(m, MODEL_FAULT, ERR_NO_MEMORY, ERR_OK, 1);
		return;
	}
	if (m->meanwhile.met && expected == FAULT_HANDLED && outcome == FAULT_SPURIOUS)
		expected = outcome; /* the other vCPU was quicker */
	CHECK(outcome == expected, "%s, not %s, for access %u at %#jx", fault_outcome_name(outcome), fault_outcome_name(expected),
	      access, (uintmax_t)gpa);
	m->done[MODEL_FAULT]++;
}

/* The byte that the guest must find; linear memory is its own model. */
static uint8_t *model_byte(struct space_model *m, uint64_t gpa)
{
	const struct model_page *page = page_of(m, gpa);

	return page->kind == LINEAR ? memory_at(m->now, page->hpa + gpa % PAGE_SIZE) : &m->now->bytes[gpa - WINDOW];
}

/* How many bytes of the range may be accessed, and why no more. */
static uint64_t allowed_bytes(struct space_model *m, const struct range *range, unsigned access, enum err *why)
{
	uint64_t gpa = range->gpa, end = gpa + range->size;

	*why = ERR_OK;
	while (gpa < end && (*why = permission(m, gpa, access)) == ERR_OK)
		gpa = align_down(gpa, PAGE_SIZE) + PAGE_SIZE;
	return min_u64(gpa, end) - range->gpa;
}

static bool same_as_model(struct space_model *m, uint64_t gpa, const uint8_t *bytes, uint64_t size)
{
	while (size > 0) {
		uint64_t piece = min_u64(size, PAGE_SIZE - gpa % PAGE_SIZE);

		if (memcmp(model_byte(m, gpa), bytes, piece) != 0)
			return false;
		gpa += piece;
		bytes += piece;
		size -= piece;
	}
	return true;
}

static void do_read(struct space_model *m)
{
	static uint8_t buffer[KIB(128)];
	struct range range = choose_range(m, true);
	uint64_t need = copy_need(m, &range), good;
	enum err expected, err;

	good = allowed_bytes(m, &range, NPT_R, &expected);
	err = addr_space_read(&m->now->s->as, GPA(range.gpa), buffer, range.size);
	if (err == ERR_NO_MEMORY && good > 0) { /* how far it came nobody knows */
		done(m, MODEL_READ, err, ERR_OK, need);
		return;
	}
	done(m, MODEL_READ, err, expected, need);
	CHECK(same_as_model(m, range.gpa, buffer, good), "%#jx bytes at %#jx", (uintmax_t)good, (uintmax_t)range.gpa);
}

/* The bytes of the page at `gpa` as they will be, of which the guest or the hypervisor has written some. */
static void note_write(struct space_model *m, uint64_t gpa, const uint8_t *bytes, uint64_t size)
{
	struct model_page *page = page_of(m, gpa);

	if (page->kind == ALLOC)
		memcpy(&m->now->bytes[gpa - WINDOW], bytes, size);
	page->written = page->dirty = true;
}

/* A write ended for want of memory: did it get as far as this page? Its memory is its own then, or it was all zeros again. */
static bool was_written(struct space_model *m, uint64_t gpa, const uint8_t *bytes, uint64_t size)
{
	uint8_t whole[PAGE_SIZE];
	struct npt_leaf leaf;

	if (page_of(m, gpa)->kind == LINEAR)
		return true;
	memcpy(whole, &m->now->bytes[align_down(gpa, PAGE_SIZE) - WINDOW], PAGE_SIZE);
	memcpy(whole + gpa % PAGE_SIZE, bytes, size);
	if (!leaf_at(m->now, gpa, &leaf))
		return whole[0] == 0 && memcmp(whole, whole + 1, PAGE_SIZE - 1) == 0;
	return memcmp(whole, memory_at(m->now, leaf_hpa(&leaf, align_down(gpa, PAGE_SIZE))), PAGE_SIZE) == 0;
}

static void do_write(struct space_model *m)
{
	static uint8_t buffer[KIB(128)];
	struct range range = choose_range(m, true);
	unsigned salt = (unsigned)host_below(&m->rng, 256);
	uint64_t need = copy_need(m, &range), good, piece;
	enum err expected, err;

	for (uint64_t at = 0; at < range.size; at++) /* pages that hold zeros, too: such can be taken back */
		buffer[at] = salt < 32 ? 0 : (uint8_t)(salt + at * 7 + at / 256);
	good = allowed_bytes(m, &range, NPT_RW, &expected);
	err = addr_space_write(&m->now->s->as, GPA(range.gpa), buffer, range.size);
	if (err == ERR_NO_MEMORY && good > 0)
		done(m, MODEL_WRITE, err, ERR_OK, need);
	else
		done(m, MODEL_WRITE, err, expected, need);
	for (uint64_t at = 0; at < good; at += piece) {
		piece = min_u64(good - at, PAGE_SIZE - (range.gpa + at) % PAGE_SIZE);
		if (err == ERR_NO_MEMORY && !was_written(m, range.gpa + at, buffer + at, piece))
			break;
		note_write(m, range.gpa + at, buffer + at, piece);
	}
}

/* The guest itself reads or writes a byte, by as many faults as that takes. False: for want of memory it cannot. */
static bool guest_access(struct space_model *m, uint64_t gpa, bool write, uint8_t value)
{
	unsigned access = write ? NPT_RW : NPT_R;
	struct oracle_walk walk;
	uint8_t *byte;

	for (unsigned faults = 0; !space_allows(m->now->s, gpa, access); faults++) {
		enum fault_outcome outcome = raise(m, gpa, access);

		if (outcome == FAULT_NO_MEMORY)
			return false;
		CHECK(faults <= m->meanwhile.met && (outcome == FAULT_HANDLED || (outcome == FAULT_SPURIOUS && m->meanwhile.met)),
		      "%s at %#jx", fault_outcome_name(outcome), (uintmax_t)gpa);
	}
	view_touch(&m->now->s->view, gpa, access);
	walk = view_walk(&m->now->s->view, gpa, access);
	/* What replaces zeros remembers nothing of those who read them. */
	page_of(m, gpa)->accessed |= !frame_is_zero_page(HPA(walk.hpa));
	byte = memory_at(m->now, walk.hpa);
	if (write) {
		note_write(m, gpa, &value, 1);
		*byte = value;
	}
	CHECK(*byte == *model_byte(m, gpa), "byte %#jx is %#x", (uintmax_t)gpa, *byte);
	return true;
}

static void do_guest(struct space_model *m)
{
	uint64_t gpa = choose_gpa(m);
	bool write = host_chance(&m->rng, 50);
	uint8_t value = (uint8_t)host_below(&m->rng, 256);

	if (permission(m, gpa, write ? NPT_RW : NPT_R) == ERR_OK)
		done(m, MODEL_GUEST, guest_access(m, gpa, write, value) ? ERR_OK : ERR_NO_MEMORY, ERR_OK, 1);
}

/* A guest that goes through its memory page by page, up or down: what `auto` is for. */
static void do_sweep(struct space_model *m)
{
	uint64_t gpa = choose_gpa(m), pages = host_below(&m->rng, host_chance(&m->rng, 20) ? 600 : 40);
	bool down = host_chance(&m->rng, 30), write = host_chance(&m->rng, 80);

	for (; pages > 0 && gpa >= WINDOW && gpa < WINDOW + WINDOW_OF; pages--, gpa += down ? -PAGE_SIZE : PAGE_SIZE) {
		if (permission(m, gpa, write ? NPT_RW : NPT_R) != ERR_OK)
			continue;
		if (!guest_access(m, gpa, write, (uint8_t)pages)) {
			done(m, MODEL_SWEEP, ERR_NO_MEMORY, ERR_OK, WINDOW_OF / PAGE_SIZE);
			return;
		}
		m->done[MODEL_SWEEP]++;
	}
}

static void do_limit(struct space_model *m)
{
	uint64_t gpa = choose_gpa(m), want = 1 + host_below(&m->rng, MIB(3));
	struct addr_space *as = &m->now->s->as;
	struct npt_leaf leaf;
	uint64_t good, limit, at;
	hpa_t hpa;

	if (!leaf_at(m->now, gpa, &leaf)) {
		CHECK_ERR(addr_space_translate_and_limit(as, GPA(gpa), want, &hpa, &limit), ERR_NOT_FOUND);
		return;
	}
	at = leaf_hpa(&leaf, gpa);
	for (good = PAGE_SIZE - gpa % PAGE_SIZE; good < want; good += PAGE_SIZE)
		if (!leaf_at(m->now, gpa + good, &leaf) || leaf_hpa(&leaf, gpa + good) != at + good)
			break;
	CHECK_ERR(addr_space_translate_and_limit(as, GPA(gpa), want, &hpa, &limit), ERR_OK);
	CHECK_EQ(hpa.raw, at);
	CHECK_EQ(limit, min_u64(good, want));
	m->done[MODEL_LIMIT]++;
}

/* --- Marks --------------------------------------------------------------------------------------------------------- */

/* Everything that was done must be told, where there still is memory to tell of. Large leaves tell of more. */
static void check_told(struct space_model *m, const struct range *range, bool log, const uint64_t *bitmap, uint64_t pages)
{
	uint64_t count = 0, page_number = 0;

	FOR_EACH_PAGE(at, *range)
	{
		struct model_page *page = page_of(m, at);
		bool told = bitmap[page_number / 64] >> page_number % 64 & 1;
		struct npt_leaf leaf;
		bool there = leaf_at(m->now, at, &leaf);

		CHECK(there || !told, "%#jx is told of, but not there", (uintmax_t)at);
		if (there && (page->kind == LINEAR || !frame_is_zero_page(leaf.hpa)))
			CHECK(told || !(log ? page->dirty : page->accessed), "%s at %#jx is not told of",
			      log ? "a write" : "an access", (uintmax_t)at);
		if (log)
			page->dirty = false;
		else
			page->accessed = false;
		count += told;
		page_number++;
	}
	CHECK_EQ(pages, count);
}

static void do_marks(struct space_model *m)
{
	static uint64_t bitmap[PAGES / 64 + 1];
	struct range range = choose_range(m, false);
	bool log = host_chance(&m->rng, 60), split = host_chance(&m->rng, 30);
	struct addr_space *as = &m->now->s->as;
	uint64_t pages = 0;
	enum err err;

	memset(bitmap, 0, sizeof(bitmap));
	if (log)
		err = addr_space_dirty_log(as, GPA(range.gpa), range.size, split, bitmap, &pages);
	else
		err = addr_space_scan_accessed(as, GPA(range.gpa), range.size, bitmap, &pages);
	if (done(m, log ? MODEL_DIRTY_LOG : MODEL_SCAN_ACCESSED, err, ERR_OK, log && split ? 4 : 0))
		check_told(m, &range, log, bitmap, pages);
}

/* --- Several spaces ------------------------------------------------------------------------------------------------ */

/* Kept from one model to the next: what is in `bytes` means nothing until a page is mapped. */
static struct model_space *spare[SPACE_MODEL_SPACES];
static unsigned spares;

static struct model_space *take_space(struct space *s)
{
	struct model_space *space = spares > 0 ? spare[--spares] : malloc(sizeof(*space));

	assert_non_null(space);
	space->s = s;
	memset(space->pages, 0, sizeof(space->pages));
	memset(space->faults, 0, sizeof(space->faults));
	CHECK_ERR(addr_space_add_view(&s->as, &space->second), ERR_OK);
	return space;
}

/* Its space goes. */
static void drop_space(struct model_space *space)
{
	if (spares < ARRAY_LEN(spare))
		spare[spares++] = space;
	else
		free(space);
}

/* Some formats have a root of several tables, side by side: a few frames free here and there are none for it. */
static bool root_can_be_had(const struct space *s)
{
	const unsigned order = s->as.npt.root_order;
	hpa_t root;

	if (frame_alloc(order, &root) != ERR_OK)
		return false;
	frame_free(root, order);
	return true;
}

static void do_fork(struct space_model *m)
{
	struct model_space *child;
	struct space *s;
	enum err err;

	if (m->count == SPACE_MODEL_SPACES)
		return;
	err = space_fork(m->now->s, &s);
	if (err == ERR_NO_MEMORY && !root_can_be_had(m->now->s)) {
		m->no_memory++;
		return;
	}
	if (!done(m, MODEL_FORK, err, ERR_OK, m->now->s->as.npt.table_bytes / PAGE_SIZE + 8))
		return;
	child = take_space(s);
	memcpy(child->pages, m->now->pages, sizeof(child->pages));
	for (uint64_t at = 0; at < WINDOW_OF; at += PAGE_SIZE)
		if (child->pages[at / PAGE_SIZE].kind == ALLOC)
			memcpy(&child->bytes[at], &m->now->bytes[at], PAGE_SIZE);
	m->all[m->count++] = child;
}

/* The machine's own space stays to the end. */
static void do_end(struct space_model *m)
{
	unsigned which;

	if (m->count == 1 || !host_chance(&m->rng, 50))
		return;
	which = 1 + (unsigned)host_below(&m->rng, m->count - 1);
	disarm(m); /* the vCPU that was to fault meanwhile may be one of this space */
	addr_space_remove_view(&m->all[which]->second);
	space_end(m->all[which]->s);
	drop_space(m->all[which]);
	m->all[which] = m->all[--m->count];
	m->now = m->all[0];
	m->done[MODEL_END]++;
}

/* --- Comparing ----------------------------------------------------------------------------------------------------- */

static void compare_page(struct model_space *space, uint64_t gpa)
{
	const struct model_page *page = page_in(space, gpa);
	const uint8_t *wanted = &space->bytes[gpa - WINDOW];
	struct npt_leaf leaf;
	bool there = leaf_at(space, gpa, &leaf), zero;

	CHECK(there || page->kind != LINEAR, "linear memory is gone at %#jx", (uintmax_t)gpa);
	CHECK(!there || page->kind != HOLE, "something is at %#jx", (uintmax_t)gpa);
	if (page->kind == LINEAR)
		CHECK_EQ(leaf_hpa(&leaf, gpa), page->hpa);
	if (page->kind != ALLOC)
		return;
	zero = there && frame_is_zero_page(leaf.hpa);
	CHECK(!page->promised || (there && !zero), "populated memory is gone at %#jx", (uintmax_t)gpa);
	CHECK(!page->sparse || page->written || !there || zero, "memory at %#jx that nobody asked for", (uintmax_t)gpa);
	if (there)
		CHECK(memcmp(memory_at(space, leaf_hpa(&leaf, gpa)), wanted, PAGE_SIZE) == 0, "page %#jx", (uintmax_t)gpa);
	else
		CHECK(wanted[0] == 0 && memcmp(wanted, wanted + 1, PAGE_SIZE - 1) == 0, "page %#jx has lost what it held",
		      (uintmax_t)gpa);
}

/* Every area against the pages in it, and no page without. */
static void compare_areas(struct model_space *space)
{
	uint64_t end = 0, pages = 0, wanted = 0;

	for (struct area *area = area_find_from(&space->s->as.areas, 0); area; area = area_next(area)) {
		CHECK(area->start >= end && area->start < area->end && area->start >= WINDOW && area->end <= WINDOW + WINDOW_OF,
		      "area [%#jx, %#jx)", (uintmax_t)area->start, (uintmax_t)area->end);
		end = area->end;
		for (uint64_t at = area->start; at < end; at += PAGE_SIZE, pages++) {
			const struct model_page *page = page_in(space, at);

			CHECK(page->prot == area->attr.prot && page->kind != HOLE &&
				      (page->kind == LINEAR) == (area->backend == AREA_LINEAR) &&
				      (page->kind == LINEAR || page->policy == area->policy),
			      "the area at %#jx", (uintmax_t)at);
		}
	}
	for (size_t i = 0; i < PAGES; i++)
		wanted += space->pages[i].kind != HOLE;
	CHECK_EQ(pages, wanted);
}

static void compare_stats(struct model_space *space)
{
	struct addr_space_stats stats = addr_space_get_stats(&space->s->as);
	uint64_t raised = 0, counted = 0;

	for (unsigned i = 0; i < FAULT_OUTCOMES; i++) {
		CHECK(stats.faults[i] >= space->faults[i], "%ju faults %s, not %ju", (uintmax_t)stats.faults[i],
		      fault_outcome_name((enum fault_outcome)i), (uintmax_t)space->faults[i]);
		raised += space->faults[i];
		counted += stats.faults[i];
	}
	CHECK_EQ(counted, raised + stats.faults_by_host);
}

void space_model_step(struct space_model *m)
{
	static void (*const operations[])(struct space_model *) = {
		do_map_linear, do_map_alloc, do_map_alloc, do_map_alloc,  do_unmap, do_protect, do_protect, do_fault,
		do_fault,      do_read,      do_read,      do_write,      do_write, do_guest,   do_guest,   do_guest,
		do_sweep,      do_limit,     do_discard,   do_set_policy, do_marks, do_fork,    do_end,     do_renew_block,
	};
	struct ram *ram = &m->all[0]->s->ram;

	m->now = m->all[host_below(&m->rng, m->count)];
	if (host_chance(&m->rng, 15))
		space_leave(m->all[0]->s, min_u64(host_below(&m->rng, 4), ram_free_bytes() / PAGE_SIZE));
	m->free_frames = ram_free_bytes() / PAGE_SIZE;
	space_begin(m->now->s);
	arm(m);
	operations[host_below(&m->rng, ARRAY_LEN(operations))](m);
	disarm(m);
	ram_release(ram);
	for (unsigned i = 0; i < m->count; i++) {
		tlb_settle(&m->all[i]->s->tlb);
		compare_stats(m->all[i]);
		for (uint64_t at = 0; at < HOT; at += PAGE_SIZE)
			compare_page(m->all[i], WINDOW + WINDOW_OF / 2 - HOT / 2 + at);
	}
}

void space_model_check(struct space_model *m)
{
	space_check(m->all[0]->s);
	for (unsigned i = 0; i < m->count; i++) {
		compare_areas(m->all[i]);
		m->shared_tables += m->all[i]->s->as.npt.shared_tables;
		for (size_t page = 0; page < PAGES; page++)
			compare_page(m->all[i], WINDOW + page * PAGE_SIZE);
	}
}

struct space_model *space_model_new(const struct format_case *format, uint64_t ram, struct host_rng rng)
{
	struct space_model *m = calloc(1, sizeof(*m));
	hpa_t linear;

	assert_non_null(m);
	m->now = m->all[m->count++] = take_space(space_new(format, ram));
	m->rng = rng;
	CHECK_ERR(frame_alloc(LINEAR_OF, &linear), ERR_OK);
	m->linear = linear.raw;
	m->now->s->overhead += PAGE_SIZE << LINEAR_OF;
	return m;
}

void space_model_free(struct space_model *m)
{
	struct space *machine = m->all[0]->s;

	frame_free(HPA(m->linear), LINEAR_OF);
	while (m->count > 0) {
		addr_space_remove_view(&m->all[--m->count]->second);
		drop_space(m->all[m->count]);
	}
	space_free(machine);
	free(m);
}
