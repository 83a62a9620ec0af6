/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of nestling.cfg, and what each does with its value. */
#include "boot/config_keys.h"

#include <string.h>

#include "boot/config_value.h"
#include "vmm/cpu.h"

/* Names are of ASCII: the firmware's own would be of UTF-16. */
static bool is_ascii(const char *text)
{
	while (*text > 0 && *text < 0x7f)
		text++;
	return *text == '\0';
}

static enum err set_text(char *to, size_t room, const char *value)
{
	if (*value == '\0' || strlen(value) >= room || !is_ascii(value))
		return ERR_INVALID;
	strcpy(to, value);
	return ERR_OK;
}

/* In a section it takes the place of a guest that stands before all sections. */
static enum err set_demo(struct vm_options *vm, const char *value)
{
	if (vm->name[0] != '\0')
		vm->guest[0] = '\0';
	return set_text(vm->demo, sizeof(vm->demo), value);
}

static enum err set_guest(struct vm_options *vm, const char *value)
{
	return set_text(vm->guest, sizeof(vm->guest), value);
}

/* Nothing is a command line, too: it takes the place of one that holds for all VMs. */
static enum err set_cmdline(struct vm_options *vm, const char *value)
{
	if (strlen(value) >= sizeof(vm->cmdline))
		return ERR_RANGE;
	strcpy(vm->cmdline, value);
	return ERR_OK;
}

static enum err set_pages(uint64_t *bytes, const char *value)
{
	enum err err = config_parse_size(value, bytes);

	if (err == ERR_OK && (*bytes == 0 || !is_aligned(*bytes, PAGE_SIZE)))
		err = ERR_INVALID;
	return err;
}

static enum err set_initrd(struct vm_options *vm, const char *value)
{
	return set_text(vm->initrd, sizeof(vm->initrd), value);
}

static enum err set_ram(struct vm_options *vm, const char *value)
{
	return set_pages(&vm->ram, value);
}

/* A word that stands for 0, which means no bound. */
static bool is_unbounded(uint64_t *number, const char *value, const char *word)
{
	if (strcmp(value, word) != 0)
		return false;
	*number = 0;
	return true;
}

static enum err set_memory_max(struct vm_options *vm, const char *value)
{
	return is_unbounded(&vm->memory_max, value, "none") ? ERR_OK : set_pages(&vm->memory_max, value);
}

static enum err set_vcpus(struct vm_options *vm, const char *value)
{
	uint64_t vcpus = vm->vcpus;
	enum err err = config_parse_number(value, 1, VCPU_MAX, &vcpus);

	vm->vcpus = (unsigned)vcpus;
	return err;
}

static enum err set_pin(struct vm_options *vm, const char *value)
{
	return is_unbounded(&vm->pin, value, "all") ? ERR_OK : config_parse_cpus(value, &vm->pin);
}

static enum err set_time_max(struct vm_options *vm, const char *value)
{
	return is_unbounded(&vm->time_max, value, "none") ? ERR_OK : config_parse_seconds(value, &vm->time_max);
}

static enum err set_policy(struct vm_options *vm, const char *value)
{
	return alloc_policy_parse(value, &vm->policy);
}

/* One of two words: the first means true. */
static enum err set_choice(bool *choice, const char *value, const char *yes, const char *no)
{
	*choice = strcmp(value, yes) == 0;
	return *choice || strcmp(value, no) == 0 ? ERR_OK : ERR_INVALID;
}

static enum err set_tracking(struct vm_options *vm, const char *value)
{
	return set_choice(&vm->software_tracking, value, "software", "hardware");
}

static enum err set_itlb_multihit(struct vm_options *vm, const char *value)
{
	return set_choice(&vm->page_exec, value, "on", "auto");
}

static enum err set_trace(struct vm_options *vm, const char *value)
{
	bool on;
	enum err err = ERR_OK;

	if (strcmp(value, "json") == 0) {
		vm->trace = TRACE_JSON;
	} else {
		err = set_choice(&on, value, "on", "off");
		vm->trace = on ? TRACE_ON : TRACE_OFF;
	}
	return err;
}

static enum err set_progress(struct vm_options *vm, const char *value)
{
	return set_choice(&vm->progress, value, "on", "off");
}

static enum err set_on_reboot(struct vm_options *vm, const char *value)
{
	return set_choice(&vm->end_at_reboot, value, "end", "restart");
}

static enum err set_unpack(struct vm_options *vm, const char *value)
{
	return set_choice(&vm->packed, value, "off", "on");
}

static enum err set_console(struct vm_options *vm, const char *value)
{
	return set_choice(&vm->virtio_console, value, "virtio", "uart");
}

static enum err set_clones(struct vm_options *vm, const char *value)
{
	uint64_t clones = vm->clones;
	enum err err = config_parse_number(value, 0, VM_CLONES_MAX, &clones);

	vm->clones = (unsigned)clones;
	return err;
}

static enum err set_clone_when(struct vm_options *vm, const char *value)
{
	if (strlen(value) >= sizeof(vm->clone_when))
		return ERR_RANGE;
	strcpy(vm->clone_when, value);
	return ERR_OK;
}

static void begin_disks(struct vm_options *vm)
{
	vm->disks = 0;
}

#define READ_ONLY ",ro"

/* One more; or none, in place of those that hold for all VMs. */
static enum err set_disk(struct vm_options *vm, const char *value)
{
	size_t length = strlen(value), behind = strlen(READ_ONLY);
	bool read_only = length >= behind && strcmp(value + length - behind, READ_ONLY) == 0;
	struct vm_disk *disk = &vm->disk[vm->disks];

	if (strcmp(value, "none") == 0)
		return vm->disks == 0 ? ERR_OK : ERR_INVALID;
	length -= read_only ? behind : 0;
	if (length == 0 || length >= sizeof(disk->file) || vm->disks == VM_DISKS_MAX || !is_ascii(value))
		return ERR_INVALID;
	memset(disk, 0, sizeof(*disk));
	memcpy(disk->file, value, length);
	disk->read_only = read_only;
	vm->disks++;
	return ERR_OK;
}

static enum err set_after(struct vm_options *vm, const char *value)
{
	return set_text(vm->after, sizeof(vm->after), value);
}

static enum err set_cpus(struct config *config, const char *value)
{
	uint64_t number = 0;
	enum err err = is_unbounded(&number, value, "all") ? ERR_OK : config_parse_number(value, 1, CPU_MAX, &number);

	config->machine.cpus = (unsigned)number;
	return err;
}

static enum err set_slice(struct config *config, const char *value)
{
	uint64_t milliseconds = 0;
	enum err err = config_parse_number(value, 1, 1000, &milliseconds);

	config->machine.slice = milliseconds * 1000;
	return err;
}

static enum err set_serial(struct config *config, const char *value)
{
	return set_choice(&config->no_serial, value, "none", "auto");
}

static enum err set_gdb(struct config *config, const char *value)
{
	return set_choice(&config->gdb, value, "on", "off");
}

static enum err set_vhe(struct config *config, const char *value)
{
	return set_choice(&config->vhe, value, "on", "auto");
}

const struct config_key config_keys[CONFIG_KEYS] = {
	{ "demo", "the name of a demo", .set_vm = set_demo, .is_text = true },
	{ "guest", "a file name of less than 128 ASCII characters", .set_vm = set_guest, .is_text = true },
	{ "initrd", "a file name of less than 128 ASCII characters", .set_vm = set_initrd, .is_text = true },
	{ "disk", "a file name of less than 128 ASCII characters, with or without ,ro behind it, 8 times at most, or none",
	  .set_vm = set_disk, .is_text = true, .begin = begin_disks },
	{ "cmdline", "a text of less than 512 bytes", .set_vm = set_cmdline, .is_text = true },
	{ "ram", "a size like 64M, a multiple of 4K", .set_vm = set_ram },
	{ "memory_max", "none, or a size like 64M, a multiple of 4K", .set_vm = set_memory_max },
	{ "vcpus", "a number from 1 to 16", .set_vm = set_vcpus },
	{ "pin", "all, or CPUs from 0 on, like 1 or 0,2 or 0-3", .set_vm = set_pin },
	{ "time_max", "none, or seconds like 60 or 0.5", .set_vm = set_time_max },
	{ "policy", "one of" ALLOC_POLICY_NAMES, .set_vm = set_policy },
	{ "tracking", "hardware or software", .set_vm = set_tracking },
	{ "itlb_multihit", "on or auto", .set_vm = set_itlb_multihit },
	{ "trace", "on, off or json", .set_vm = set_trace },
	{ "progress", "on or off", .set_vm = set_progress },
	{ "on_reboot", "restart or end", .set_vm = set_on_reboot },
	{ "unpack", "on or off", .set_vm = set_unpack },
	{ "console", "uart or virtio", .set_vm = set_console },
	{ "clones", "a number from 0 to 1000", .set_vm = set_clones },
	{ "clone_when", "a text of less than 64 bytes", .set_vm = set_clone_when, .is_text = true },
	{ "after", "the name of another VM", .set_vm = set_after, .is_text = true, .in_a_section = true },
	{ "cpus", "all, or a number from 1 to 64", .set_machine = set_cpus },
	{ "slice", "milliseconds from 1 to 1000", .set_machine = set_slice },
	{ "serial", "auto or none", .set_machine = set_serial },
	{ "vhe", "on or auto", .set_machine = set_vhe },
	{ "gdb", "on or off", .set_machine = set_gdb },
};
_Static_assert(VCPU_MAX == 16 && CPU_MAX == 64 && VM_CLONES_MAX == 1000 && VM_DISKS_MAX == 8, "the table says so");
