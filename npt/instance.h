/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns a format into a set of operations: the engine with that format folded in. Private to npt/. */
#ifndef NESTLING_NPT_INSTANCE_H
#define NESTLING_NPT_INSTANCE_H

#include "npt/ranges.h"

/* Define `ops_name` (declared in npt/npt.h) from `format`, a static const struct npt_format of this file. */
#define NPT_INSTANTIATE(ops_name, this_format)									\
	static enum err ops_name##_map(struct npt *npt, gpa_t gpa, hpa_t hpa, uint64_t size, struct npt_attr attr) \
	{													\
		return engine_map(&(this_format), npt, gpa, hpa, size, attr);					\
	}													\
	static enum err ops_name##_unmap(struct npt *npt, gpa_t gpa, uint64_t size, struct npt_gather *gather)	\
	{													\
		return engine_unmap(&(this_format), npt, gpa, size, gather);					\
	}													\
	static enum err ops_name##_protect(struct npt *npt, gpa_t gpa, uint64_t size, unsigned prot,		\
					   struct npt_gather *gather)						\
	{													\
		return engine_protect(&(this_format), npt, gpa, size, prot, gather);				\
	}													\
	static enum err ops_name##_split(struct npt *npt, gpa_t gpa, unsigned level)				\
	{													\
		return engine_split(&(this_format), npt, gpa, level);						\
	}													\
	static enum err ops_name##_cut(struct npt *npt, gpa_t gpa, uint64_t size)				\
	{													\
		return engine_cut(&(this_format), npt, gpa, size);						\
	}													\
	static enum npt_kind ops_name##_find(const struct npt *npt, gpa_t gpa, struct npt_cursor *cursor)	\
	{													\
		return engine_walk_to(&(this_format), npt, gpa.raw, 0, cursor);					\
	}													\
	static enum npt_kind ops_name##_find_above(const struct npt *npt, uint64_t gpa, unsigned floor,		\
						   struct npt_cursor *cursor)					\
	{													\
		return engine_walk_to(&(this_format), npt, gpa, floor, cursor);					\
	}													\
	static enum err ops_name##_map_at(struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, unsigned level, \
					  hpa_t hpa, struct npt_attr attr)					\
	{													\
		return engine_map_at(&(this_format), npt, cursor, gpa, level, hpa, attr);			\
	}													\
	static void ops_name##_decode(const struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa,	\
				      struct npt_leaf *leaf)							\
	{													\
		(void)npt;											\
		*leaf = engine_decode(&(this_format), cursor->pte, gpa.raw, cursor->level);			\
	}													\
	static void ops_name##_touch(struct npt *npt, const struct npt_cursor *cursor, unsigned prot, unsigned marks) \
	{													\
		engine_touch(&(this_format), npt, cursor, prot, marks);						\
	}													\
	static void ops_name##_replace(struct npt *npt, const struct npt_cursor *cursor, gpa_t gpa, hpa_t hpa,	\
				       struct npt_attr attr, unsigned marks)					\
	{													\
		engine_replace(&(this_format), npt, cursor, gpa, hpa, attr, marks);				\
	}													\
	static enum err ops_name##_collapse(struct npt *npt, gpa_t gpa, unsigned level, hpa_t hpa,		\
					    struct npt_attr attr, npt_visitor move, void *context)		\
	{													\
		return engine_collapse(&(this_format), npt, gpa, level, hpa, attr, move, context);		\
	}													\
	static bool ops_name##_merge(struct npt *npt, gpa_t gpa, unsigned level)				\
	{													\
		return engine_merge(&(this_format), npt, gpa, level);						\
	}													\
	static enum err ops_name##_clone(struct npt *npt, struct npt *child, gpa_t gpa, uint64_t size, bool share, \
					 struct npt_gather *gather, npt_cloned cloned, void *context)		\
	{													\
		return engine_clone(&(this_format), npt, child, gpa, size, share, gather, cloned, context);	\
	}													\
	static enum err ops_name##_harvest(struct npt *npt, gpa_t gpa, uint64_t size, enum npt_mark mark,	\
					   uint64_t *bitmap, struct npt_gather *gather)				\
	{													\
		return engine_harvest(&(this_format), npt, gpa, size, mark, bitmap, gather);			\
	}													\
	static enum err ops_name##_translate(const struct npt *npt, gpa_t gpa, hpa_t *hpa)			\
	{													\
		return engine_translate(&(this_format), npt, gpa.raw, hpa);					\
	}													\
	static enum err ops_name##_walk(const struct npt *npt, gpa_t gpa, uint64_t size, npt_visitor visit,	\
					void *context)								\
	{													\
		return engine_walk(&(this_format), npt, gpa, size, visit, context);				\
	}													\
	const struct npt_ops ops_name = {									\
		.format = &(this_format),									\
		.map = ops_name##_map,										\
		.unmap = ops_name##_unmap,									\
		.protect = ops_name##_protect,									\
		.split = ops_name##_split,									\
		.cut = ops_name##_cut,										\
		.find = ops_name##_find,									\
		.find_above = ops_name##_find_above,								\
		.map_at = ops_name##_map_at,									\
		.decode = ops_name##_decode,									\
		.touch = ops_name##_touch,									\
		.replace = ops_name##_replace,									\
		.collapse = ops_name##_collapse,								\
		.merge = ops_name##_merge,									\
		.clone = ops_name##_clone,									\
		.harvest = ops_name##_harvest,									\
		.translate = ops_name##_translate,								\
		.walk = ops_name##_walk,									\
	}

#endif
