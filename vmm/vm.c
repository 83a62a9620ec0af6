/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: made, loaded, and gone. */
#include "vmm/vm.h"

#include <stdio.h>
#include <string.h>

#include "include/arch/virt.h"
#include "include/log.h"
#include "mm/frame.h"
#include "vmm/disks.h"
#include "vmm/elf.h"
#include "vmm/fork_tree.h"
#include "vmm/generation.h"
#include "vmm/guest_file.h"
#include "vmm/linux_image.h"
#include "vmm/sched.h"
#include "vmm/text.h"
#include "vmm/vm_parts.h"
#include "vmm/vm_virtio.h"

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
	uint64_t end;
	enum err err;

	arch_vm_ram_layout(vm, vm->options.ram);
	blocks_start(vm);
	top = &vm->ram[vm->ram_ranges - 1];
	end = vm->options.disks > 0 ? disks_window(vm, vm->options.disks).raw : top->start.raw + top->size;
	err = arch_npt_config(end, &ops, &config);
	if (vm->options.software_tracking)
		config.hardware_ad = false;
	if (err == ERR_OK && vm->options.page_exec && ops->page_exec)
		config.page_exec = true;
	if (err == ERR_OK)
		err = addr_space_new(&vm->as, ops, &config, arch_npt_flush);
	vm->as.sync = arch_guest_sync();
	vm->as.publish = arch_guest_publish();
	vm->as.zero = arch_guest_zero();
	if (err == ERR_RANGE)
		log_fatal(
			"no guest can be promised %s of RAM here: its addresses end at %s on this CPU, and not all of them are RAM",
			text_size(ram, vm->options.ram), text_size(widest, widest_space()));
	else if (err != ERR_OK)
		log_fatal("no guest can be promised %s of RAM here: %s", text_size(ram, vm->options.ram), err_name(err));
	return err;
}

/* Less than the host has is left of what the VM and its forks may have. What is refused in whole has not reached the limit. */
static bool limit_is_nearer(struct vm *vm)
{
	uint64_t max = vm->options.memory_max, used = __atomic_load_n(&vm->tree->limit.used, __ATOMIC_RELAXED);

	return addr_space_limit_reached(&vm->as) || (max > 0 && max - min_u64(used, max) < frame_free_for(FRAME_GUEST));
}

const char *vm_shortage_text(struct vm *vm, char *text, size_t size)
{
	char bytes[TEXT_SIZE_ROOM];

	if (limit_is_nearer(vm))
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
				   text_size(ram, vm->options.ram), vm_shortage_text(vm, why, sizeof(why)));
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

/* A vCPU other than the first, and what it has of the space for itself. */
struct more_vcpu {
	struct vcpu vcpu;
	struct addr_space_view view;
};
_Static_assert(VCPU_MAX <= ADDR_SPACE_VIEWS, "each has one");

/* What a structure of that many bytes costs. */
static uint64_t in_frames(uint64_t size)
{
	return align_up(size, PAGE_SIZE);
}

/* Zeroed; NULL: there is no memory. */
static void *alloc_zeroed(uint64_t size)
{
	hpa_t memory;

	if (frame_alloc_count(FRAME_CALL, in_frames(size) / PAGE_SIZE, &memory) != ERR_OK)
		return NULL;
	return memset(frame_ptr(memory), 0, in_frames(size));
}

void vm_free_zeroed(void *memory, uint64_t size)
{
	frame_free_count(HPA((uintptr_t)memory - frame_phys_to_virt), in_frames(size) / PAGE_SIZE);
}

/* --- Made and gone --------------------------------------------------------------------------------------------------- */

/* Cannot fail: see VCPU_MAX. */
static enum err add_vcpu(struct vm *vm, struct vcpu *vcpu)
{
	struct more_vcpu *more = CONTAINER_OF(vcpu, struct more_vcpu, vcpu);
	enum err err = vm->vcpus > 0 ? addr_space_add_view(&vm->as, &more->view) : ERR_OK;

	if (err != ERR_OK)
		return err;
	vcpu->view = vm->vcpus > 0 ? &more->view : &vm->as.view;
	vcpu->vm = vm;
	vcpu->id = vm->vcpus;
	vcpu->wake_at = NEVER;
	vm->vcpu_table[vm->vcpus++] = vcpu;
	return ERR_OK;
}

void vm_free_vcpus(struct vm *vm)
{
	while (vm->vcpus > 0) {
		struct vcpu *vcpu = vm->vcpu_table[--vm->vcpus];

		arch_vcpu_free(vcpu);
		if (vcpu == &vm->vcpu)
			continue;
		addr_space_remove_view(vcpu->view);
		vm_free_zeroed(vcpu, sizeof(struct more_vcpu));
	}
}

enum err vm_new_vcpus(struct vm *vm)
{
	struct vcpu *vcpu = &vm->vcpu;
	enum err err = ERR_OK;

	while (err == ERR_OK && vm->vcpus < vm->options.vcpus) {
		if (vm->vcpus > 0)
			vcpu = alloc_zeroed(sizeof(struct more_vcpu));
		if (!vcpu) {
			err = ERR_NO_MEMORY;
			break;
		}
		err = add_vcpu(vm, vcpu);
		if (err == ERR_OK)
			err = arch_vcpu_init(vcpu);
	}
	if (err != ERR_OK)
		vm_free_vcpus(vm);
	return err;
}

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

enum err vm_alloc(struct fork_tree *tree, struct vm **out)
{
	struct vm *vm = alloc_zeroed(sizeof(struct vm));

	if (!vm)
		return ERR_NO_MEMORY;
	spin_init(&vm->lock, LOCK_VM);
	spin_init(&vm->devices.lock, LOCK_DEVICES);
	vm->tree = tree;
	*out = vm;
	return ERR_OK;
}

enum err vm_charge(struct vm *vm)
{
	uint64_t bytes = in_frames(sizeof(struct vm)) + (vm->vcpus - 1) * in_frames(sizeof(struct more_vcpu)) + arch_vm_memory(vm) +
			 vm_virtio_memory(vm);

	for (unsigned i = 0; i < vm->vcpus; i++)
		bytes += arch_vcpu_memory(vm->vcpu_table[i]);
	return addr_space_charge(&vm->as, bytes);
}

/* Set the limit, once everything but guest memory has been allocated. */
static enum err limit_memory(struct vm *vm)
{
	char max[TEXT_SIZE_ROOM], cost[TEXT_SIZE_ROOM];
	enum err err = vm_charge(vm);

	if (err == ERR_OK && vm->options.memory_max != 0)
		err = addr_space_set_limit(&vm->as, &vm->tree->limit);
	if (err != ERR_OK)
		log_fatal("memory_max = %s is less than what a VM costs that has no memory yet, %s",
			  text_size(max, vm->options.memory_max), text_size(cost, addr_space_get_stats(&vm->as).memory_used));
	return err;
}

void vm_add_devices(struct vm *vm)
{
	device_add(&vm->devices, &vm->control.device);
	device_add(&vm->devices, &vm->pvpanic.device);
}

enum err vm_build(struct vm *vm)
{
	enum err err = new_space(vm);

	if (err != ERR_OK)
		return err;
	err = arch_vm_init(vm);
	if (err == ERR_OK) {
		control_page_init(&vm->control, GUEST_CONTROL_PAGE);
		pvpanic_init(&vm->pvpanic, GUEST_PANIC_SPACE, GUEST_PANIC_BASE, GUEST_PANIC_SIZE);
		vm_add_devices(vm);
		err = vm_virtio_init(vm);
		if (err == ERR_OK)
			err = vm_new_vcpus(vm);
		if (err != ERR_OK) {
			vm_virtio_free(vm);
			arch_vm_free(vm);
		}
	}
	if (err != ERR_OK) {
		log_fatal("cannot set up the virtual CPU%s: %s", vm->options.vcpus > 1 ? "s" : "", err_name(err));
		addr_space_free(&vm->as);
		return err;
	}
	err = limit_memory(vm);
	if (err == ERR_OK)
		err = promise_ram(vm);
	if (err != ERR_OK)
		vm_unbuild(vm);
	return err;
}

void vm_unbuild(struct vm *vm)
{
	if (vm->vcpus == 0)
		return;
	vm_free_vcpus(vm);
	vm_virtio_free(vm);
	arch_vm_free(vm);
	addr_space_free(&vm->as);
}

enum err vm_new(struct fork_tree *tree, const struct vm_options *options)
{
	struct vm *vm;
	enum err err = vm_alloc(tree, &vm);

	if (err != ERR_OK) {
		log_fatal("no memory for a virtual machine");
		return err;
	}
	vm->options = *options;
	tree->limit = (struct addr_space_limit){ .max = options->memory_max };
	open_console(vm);
	err = vm_build(vm);
	if (err != ERR_OK)
		goto free_vm;
	err = fork_tree_join(vm);
	if (err != ERR_OK)
		goto free_built;
	return ERR_OK;

free_built:
	vm_unbuild(vm);
free_vm:
	vm_free_zeroed(vm, sizeof(*vm));
	return err;
}

bool vm_free_piece(struct vm *vm)
{
	gpa_t at = GPA(vm->cleared);
	bool more;

	vm->retired = true;
	more = addr_space_clear_piece(&vm->as, &at);
	vm->cleared = at.raw;
	return more;
}

bool vm_free(struct vm *vm)
{
	struct fork_tree *tree = vm->tree;

	fork_tree_leave(vm);
	console_stream_end(&vm->console);
	vm_unbuild(vm);
	vm_free_zeroed(vm, sizeof(*vm));
	return fork_tree_gone(tree);
}

/* Lack of memory while loading is an outcome of the run (VM_NO_MEMORY), as it is later. */
static enum err load_failed(struct vm *vm, const struct guest_image *image, enum err err, const char *why)
{
	char reason[80];

	if (err == ERR_NO_MEMORY) {
		log_vm_err(vm, "no frame left to load guest %s into: %s", image->name,
			   vm_shortage_text(vm, reason, sizeof(reason)));
		vm_end(vm, VM_NO_MEMORY, 0);
		return ERR_OK;
	}
	log_fatal("guest %s: %s", image->name, why);
	return err;
}

static enum err load_image(struct vm *vm, const struct guest_image *image, gpa_t *entry)
{
	const struct kernel_loader *kernel = arch_kernel_loader(image->bytes, image->size);
	char why[ELF_WHY_MAX] = "";
	enum err err;

	vm->generation = GPA(0);
	if (kernel || linux_image_is(image->bytes, image->size))
		generation_expect(vm);
	if (kernel)
		err = kernel->load(vm, image, entry, why, sizeof(why));
	else if (linux_image_is(image->bytes, image->size))
		err = linux_image_load(vm, image, entry, why, sizeof(why));
	else
		err = elf_load(vm, image->bytes, image->size, entry, why, sizeof(why));
	return err == ERR_OK ? ERR_OK : load_failed(vm, image, err, why);
}

/* Linux Documentation/arch/arm64/booting.rst: in a window of that size, from a multiple of 1 GiB on, that has the kernel, too. */
#define INITRD_WINDOW GIB(32)

/* At the end of that, or of the first range of RAM, where it is farthest from the kernel; as large leaves can map it, if there is
 * room. */
static gpa_t initrd_place(uint64_t end, uint64_t room, uint64_t taken)
{
	uint64_t last = end - room, aligned = align_down(last, MIB(2));

	return GPA(room >= MIB(2) && aligned >= taken ? aligned : last);
}

static enum err load_initrd(struct vm *vm, const struct guest_image *initrd)
{
	uint64_t room = align_up(initrd->size, PAGE_SIZE);
	uint64_t end = min_u64(vm->ram[0].start.raw + vm->ram[0].size, align_down(vm->image.start.raw, GIB(1)) + INITRD_WINDOW);
	char why[160], bytes[TEXT_SIZE_ROOM], left[TEXT_SIZE_ROOM];
	uint64_t taken = align_up(vm->image.start.raw + vm->image.size, PAGE_SIZE);
	enum err err;

	if (initrd->size == 0)
		return ERR_OK;
	if (vm->initrd_limit != 0)
		end = min_u64(end, align_down(vm->initrd_limit, PAGE_SIZE));
	if (taken > end || room > end - taken) {
		snprintf(why, sizeof(why), "an initrd of %s does not fit guest RAM: %s of it are left behind the kernel",
			 text_size(bytes, initrd->size), text_size(left, taken > end ? 0 : end - taken));
		return load_failed(vm, initrd, ERR_RANGE, why);
	}
	vm->initrd = (struct ram_range_gpa){ initrd_place(end, room, taken), initrd->size };
	err = guest_file_load(vm, initrd, 0, initrd->size, vm->initrd.start);
	snprintf(why, sizeof(why), "loading it failed: %s", err_name(err));
	return err == ERR_OK ? ERR_OK : load_failed(vm, initrd, err, why);
}

/* Errors as load_image. */
static enum err load_disks(struct vm *vm)
{
	enum err err = disks_map(vm);

	return err == ERR_OK ? ERR_OK : load_failed(vm, vm->files[0], err, "its disks cannot be mapped");
}

enum err vm_load(struct vm *vm, const struct guest_image *image, const struct guest_image *initrd)
{
	gpa_t entry;
	enum err err;

	vm->files[0] = image;
	vm->files[1] = initrd;
	err = load_image(vm, image, &entry);
	if (err == ERR_OK && vm_is_running(vm))
		err = load_initrd(vm, initrd);
	if (err == ERR_OK && vm_is_running(vm))
		err = load_disks(vm);
	if (err != ERR_OK || !vm_is_running(vm))
		return err;
	err = arch_vcpu_reset(&vm->vcpu, entry);
	if (err == ERR_OK)
		err = generation_renew(vm);
	return err == ERR_OK ? ERR_OK : load_failed(vm, image, err, "its boot data does not fit its RAM");
}
