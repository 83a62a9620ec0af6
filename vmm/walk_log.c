/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk of nested tables, logged. */
#include "vmm/walk_log.h"

#include "include/log.h"
#include "npt/explain.h"
#include "vmm/text.h"

static void add_leaf(const struct npt_leaf *leaf, char *text, size_t size)
{
	static const char *const memtypes[] = {
		[NPT_WB] = "wb", [NPT_WT] = "wt", [NPT_WP] = "wp", [NPT_WC] = "wc", [NPT_UC] = "uc",
	};
	char bytes[TEXT_SIZE_ROOM], prot[TEXT_PROT_ROOM];

	text_add(text, size, "leaf of %s %s hpa %#lx %s%s%s%s%s", text_size(bytes, npt_level_size(leaf->level)),
		 text_prot(prot, leaf->attr.prot), leaf->hpa.raw, memtypes[leaf->attr.memtype], leaf->accessed ? " accessed" : "",
		 leaf->dirty ? " dirty" : "", leaf->attr.shared ? " shared" : "", leaf->access_tracked ? " access-tracked" : "");
}

static void print_step(const struct vm *vm, const struct npt_step *step)
{
	static const char *const kinds[] = {
		[NPT_EMPTY] = "empty",         [NPT_TABLE] = "table",          [NPT_LEAF] = "",
		[NPT_MALFORMED] = "malformed", [NPT_SHARED] = "table, shared",
	};
	char leaf[128] = "";

	if (step->kind == NPT_LEAF)
		add_leaf(&step->leaf, leaf, sizeof(leaf));
	log_vm_err(vm, "  level %u [%4u] of the table at %#lx: 0x%016lx %s%s", step->level, step->index, step->table.raw, step->pte,
		   kinds[step->kind], leaf);
}

static void print(const struct vm *vm, gpa_t gpa, const struct npt_step *steps, unsigned count)
{
	log_vm_err(vm, "the walk of %#lx (%s)%s", gpa.raw, npt_name(&vm->as.npt),
		   count == 0 ? ": it lies beyond the guest's address space" : "");
	for (unsigned i = 0; i < count; i++)
		print_step(vm, &steps[i]);
}

void walk_log(struct vm *vm, gpa_t gpa)
{
	struct npt_step steps[NPT_MAX_LEVELS];

	print(vm, gpa, steps, addr_space_explain(&vm->as, gpa, steps));
}

void walk_log_of_panic(const struct vm *vm, gpa_t gpa)
{
	struct npt_step steps[NPT_MAX_LEVELS];

	print(vm, gpa, steps, npt_explain(&vm->as.npt, gpa, steps));
}
