/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: made, loaded, forked, and gone. */
#include "vmm/vm.h"

#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/elf.h"
#include "vmm/linux_image.h"
#include "vmm/text.h"

/* Where the widest guest-physical address space that this CPU has ends. */
static uint64_t widest_space(void)
{
	const struct npt_ops *ops;
	struct npt_config config;
	uint64_t end = BIT(63);

	while (end > PAGE_SIZE && arch_npt_config(end, &ops, &config) != ERR_OK)
		end >>= 1;
	return end;
}

static enum err new_space(struct vm *vm)
{
	const struct ram_range_gpa *top;
	char ram[TEXT_SIZE_ROOM], widest[TEXT_SIZE_ROOM];
	struct npt_config config;
	const struct npt_ops *ops;
	enum err err;

	arch_vm_ram_layout(vm, vm->options.ram);
	top = &vm->ram[vm->ram_ranges - 1];
	err = arch_npt_config(top->start.raw + top->size, &ops, &config);
	if (vm->options.software_tracking)
		config.hardware_ad = false;
	if (err == ERR_OK && vm->options.page_exec && ops->page_exec)
		config.page_exec = true;
	if (err == ERR_OK)
		err = addr_space_new(&vm->as, ops, &config, arch_npt_flush);
	vm->as.sync = arch_guest_sync();
	vm->as.publish = arch_guest_publish();
	if (err == ERR_RANGE)
		log_fatal(
			"no guest can be promised %s of RAM here: its addresses end at %s on this CPU, and not all of them are RAM",
			text_size(ram, vm->options.ram), text_size(widest, widest_space()));
	else if (err != ERR_OK)
		log_fatal("no guest can be promised %s of RAM here: %s", text_size(ram, vm->options.ram), err_name(err));
	return err;
}

/* Why there is no memory: "the host has 12 KiB free", or the VM's own limit. */
static const char *shortage_text(const struct vm *vm, char *text, size_t size)
{
	char bytes[TEXT_SIZE_ROOM];

	if (vm->as.cost.exceeded)
		snprintf(text, size, "memory_max is %s", text_size(bytes, vm->options.memory_max));
	else
		snprintf(text, size, "the host has %s free", text_size(bytes, frame_free_for(FRAME_GUEST)));
	return text;
}

static enum err promise_ram(struct vm *vm)
{
	char ram[TEXT_SIZE_ROOM], why[80];

	for (size_t i = 0; i < vm->ram_ranges; i++) {
		enum err err = addr_space_map_alloc(&vm->as, vm->ram[i].start, vm->ram[i].size, NPT_RWX, vm->options.policy);

		if (err == ERR_NO_MEMORY) {
			log_vm_err(vm, "of the guest's RAM, %s are to be there from the start, and %s",
				   text_size(ram, vm->options.ram), shortage_text(vm, why, sizeof(why)));
			vm_end(vm, VM_NO_MEMORY, 0);
			return ERR_OK;
		}
		if (err != ERR_OK) {
			log_fatal("cannot promise the guest its RAM: %s", err_name(err));
			return err;
		}
	}
	return ERR_OK;
}

/* Of the least block of frames that a struct vm fits in. */
#define VM_ORDER ((unsigned)(64 - __builtin_clzll((sizeof(struct vm) - 1) >> PAGE_SHIFT)))
_Static_assert(sizeof(struct vm) <= PAGE_SIZE << VM_ORDER, "VM_ORDER");

static bool name_all; /* there are several VMs in the configuration */

void vm_name_all(bool several)
{
	name_all = several;
}

/* What a VM prints is told apart where there may be another one: of one by itself it comes as it is. */
static void open_console(struct vm *vm)
{
	vm->devices.console = &vm->console;
	vm->console.by_line = name_all;
	if (name_all)
		strcpy(vm->console.name, vm->options.name);
}

/* Number `number` of the fork tree. From now on its parent has company, too. */
static void fork_console(struct vm *child, struct vm *parent, unsigned number)
{
	console_stream_keep_lines(&parent->console);
	child->devices.console = &child->console;
	child->console.by_line = true;
	snprintf(child->console.name, sizeof(child->console.name), "%s.%u", child->options.name, number);
}

/* All zero but for what it is part of. */
static enum err alloc_vm(struct fork_tree *tree, struct vm **out)
{
	hpa_t memory;
	struct vm *vm;
	enum err err = frame_alloc_need(FRAME_CALL, VM_ORDER, 0, &memory);

	if (err != ERR_OK)
		return err;
	vm = frame_ptr(memory);
	memset(vm, 0, PAGE_SIZE << VM_ORDER);
	vm->memory = memory;
	vm->tree = tree;
	vm->number = tree->count == 0 ? tree->number : tree->next + tree->count - 1;
	vm->vcpu.vm = vm;
	*out = vm;
	return ERR_OK;
}

static void join_tree(struct vm *vm)
{
	vm->tree->vm[vm->tree->count++] = vm;
}

/* Count the VM's own structures as a cost of its space. */
static enum err charge_vm(struct vm *vm)
{
	return addr_space_charge(&vm->as, (PAGE_SIZE << VM_ORDER) + arch_vm_memory(vm));
}

/* Set the limit, once everything but guest memory has been allocated. */
static enum err limit_memory(struct vm *vm)
{
	char max[TEXT_SIZE_ROOM], cost[TEXT_SIZE_ROOM];
	enum err err = charge_vm(vm);

	if (err == ERR_OK && vm->options.memory_max != 0)
		err = addr_space_set_limit(&vm->as, vm->options.memory_max);
	if (err != ERR_OK)
		log_fatal("memory_max = %s is less than what a VM costs that has no memory yet, %s",
			  text_size(max, vm->options.memory_max), text_size(cost, addr_space_get_stats(&vm->as).memory_used));
	return err;
}

enum err vm_new(struct fork_tree *tree, const struct vm_options *options)
{
	struct vm *vm;
	enum err err = alloc_vm(tree, &vm);

	if (err != ERR_OK) {
		log_fatal("no memory for a virtual machine");
		return err;
	}
	vm->options = *options;
	open_console(vm);
	err = new_space(vm);
	if (err != ERR_OK)
		goto free_vm;
	err = arch_vm_init(vm);
	if (err != ERR_OK) {
		log_fatal("cannot set up the virtual CPU: %s", err_name(err));
		goto free_space;
	}
	err = limit_memory(vm);
	if (err == ERR_OK)
		err = promise_ram(vm);
	if (err != ERR_OK)
		goto free_arch;
	join_tree(vm);
	return ERR_OK;

free_arch:
	arch_vm_free(vm);
free_space:
	addr_space_free(&vm->as);
free_vm:
	frame_free(vm->memory, VM_ORDER);
	return err;
}

enum err vm_fork(struct vm *parent, unsigned *number)
{
	struct vm *child;
	enum err err;

	if (parent->tree->count == FORK_TREE_MAX)
		return ERR_NO_MEMORY;
	addr_space_release_held(&parent->as);
	err = alloc_vm(parent->tree, &child);
	if (err != ERR_OK)
		return err;
	child->options = parent->options;
	fork_console(child, parent, parent->tree->count);
	memcpy(child->ram, parent->ram, sizeof(child->ram));
	child->ram_ranges = parent->ram_ranges;
	child->inject_denied = parent->inject_denied;
	child->devices.unclaimed = parent->devices.unclaimed;
	child->denied_logged = parent->denied_logged;
	err = addr_space_fork(&parent->as, &child->as);
	if (err != ERR_OK)
		goto free_vm;
	err = arch_vm_fork(child, parent);
	if (err != ERR_OK)
		goto free_space;
	err = charge_vm(child);
	if (err != ERR_OK)
		goto free_arch;
	join_tree(child);
	*number = child->tree->count - 1;
	return ERR_OK;

free_arch:
	arch_vm_free(child);
free_space:
	addr_space_free(&child->as);
free_vm:
	frame_free(child->memory, VM_ORDER);
	return err;
}

void vm_free(struct vm *vm)
{
	console_stream_end(&vm->console);
	arch_vm_free(vm);
	addr_space_free(&vm->as);
	frame_free(vm->memory, VM_ORDER);
}

/* Lack of memory while loading is an outcome of the run (VM_NO_MEMORY), as it is later. */
static enum err load_failed(struct vm *vm, const struct guest_image *image, enum err err, const char *why)
{
	char reason[80];

	if (err == ERR_NO_MEMORY) {
		log_vm_err(vm, "no frame left to load guest %s into: %s", image->name, shortage_text(vm, reason, sizeof(reason)));
		vm_end(vm, VM_NO_MEMORY, 0);
		return ERR_OK;
	}
	log_fatal("guest %s: %s", image->name, why);
	return err;
}

enum err vm_load(struct vm *vm, const struct guest_image *image)
{
	char why[ELF_WHY_MAX] = "";
	gpa_t entry;
	enum err err;

	if (linux_image_is(image->bytes, image->size))
		err = linux_image_load(vm, image->bytes, image->size, &entry, why, sizeof(why));
	else
		err = elf_load(vm, image->bytes, image->size, &entry, why, sizeof(why));
	if (err == ERR_OK) {
		err = arch_vcpu_reset(&vm->vcpu, entry);
		strcpy(why, "its boot data does not fit its RAM");
	}
	return err == ERR_OK ? ERR_OK : load_failed(vm, image, err, why);
}
