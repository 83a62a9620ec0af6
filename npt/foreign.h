/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the tables are that others, such as the firmware, have made. */
#ifndef NESTLING_NPT_FOREIGN_H
#define NESTLING_NPT_FOREIGN_H

#include "npt/npt.h"

/*
 * Called for each table, the root among them. True: go on with what it points to; false: its entries are not to be read.
 */
typedef bool (*npt_table_visitor)(hpa_t table, void *context);

/*
 * Visit the tables that somebody else has made in this format, of `config`'s geometry, by `root`: a bit pattern that is no
 * table is passed over. A table that is pointed to twice is visited twice.
 */
void npt_visit_tables(const struct npt_ops *ops, const struct npt_config *config, hpa_t root, uint64_t phys_to_virt,
		      npt_table_visitor visit, void *context);

#endif
