/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame allocator as a struct npt_env: memory for page tables of all kinds. */
#ifndef NESTLING_MM_TABLE_FRAMES_H
#define NESTLING_MM_TABLE_FRAMES_H

#include "npt/npt.h"

/* An npt_env that allocates tables from the frame allocator and frees them there; `flush` and `cache` are the caller's. */
struct npt_env table_frames_env(void (*flush)(struct npt_env *env, gpa_t gpa, uint64_t size), struct npt_walk_cache *cache);

#endif
