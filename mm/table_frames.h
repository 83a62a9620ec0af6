/* SPDX-License-Identifier: BSD-2-Clause */
/* Where page tables of all kinds get their memory: the frame allocator, as a struct npt_env. */
#ifndef NESTLING_MM_TABLE_FRAMES_H
#define NESTLING_MM_TABLE_FRAMES_H

#include "npt/npt.h"

/* An environment whose tables come from, and go back to, the frame allocator; `flush` is the owner's. */
struct npt_env table_frames_env(void (*flush)(struct npt_env *env, gpa_t gpa, uint64_t size));

#endif
