/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds page tables that were made by others, such as the firmware. */
#ifndef NESTLING_NPT_FOREIGN_H
#define NESTLING_NPT_FOREIGN_H

#include "npt/npt.h"

/*
 * Called for each table, the root among them. True: go on with what it points to; false: its entries are not to be read.
 */
typedef bool (*npt_table_visitor)(hpa_t table, void *context);

/*
 * Visit the tables of this format and `config`'s geometry from `root` on, which others have made: entries that point to no table
 * are skipped. A table that is pointed to twice is visited twice. Adding `phys_to_virt` to a host-physical address gives the
 * pointer.
 */
void npt_visit_tables(const struct npt_ops *ops, const struct npt_config *config, hpa_t root, uint64_t phys_to_virt,
		      npt_table_visitor visit, void *context);

#endif
