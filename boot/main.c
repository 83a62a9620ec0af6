/* SPDX-License-Identifier: BSD-2-Clause */
/* From the firmware's call to a running hypervisor, and to the end of it. */
#include <efi.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "boot/config.h"
#include "boot/cpus.h"
#include "boot/debugger.h"
#include "boot/files.h"
#include "boot/firmware.h"
#include "boot/in_use.h"
#include "boot/memory.h"
#include "boot/overlap.h"
#include "boot/reserved.h"
#include "boot/tables.h"
#include "drivers/random.h"
#include "drivers/serial.h"
#include "drivers/simple_framebuffer.h"
#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "include/arch/virt.h"
#include "include/log.h"
#include "include/panic.h"
#include "include/version.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "vmm/machine.h"
#include "vmm/monitor.h"
#include "vmm/post_mortem.h"

/* Collected while the boot services are there, used after they have ended. */
static struct {
	struct config config;
	struct firmware_map early, firmware; /* the firmware's map at the start, and its last one */
	char *stacks;                        /* of the first CPU: boot/cpus.h */
	struct host_map map, firmware_map;
	bool firmware_mapped;
	struct serial_port serial;
	struct framebuffer screen;
	bool has_serial, has_screen;
} boot;

/* From boot/<isa>/image.lds. */
extern const char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __relro_start[], __relro_end[];

static hpa_t address(const void *at)
{
	return HPA((uintptr_t)at);
}

static enum err make_map(void)
{
	const struct image_layout image = {
		.text_start = address(__text_start),
		.text_end = address(__text_end),
		.rodata_start = address(__rodata_start),
		.rodata_end = address(__rodata_end),
		.relro_start = address(__relro_start),
		.relro_end = address(__relro_end),
	};

	return memory_make_map(&boot.map, &boot.firmware, &image);
}

/* The firmware aligns to pages only. */
static char *new_stacks(void)
{
	char *memory = firmware_alloc_pages(2 * CPU_BLOCK_PAGES - 1);

	return memory ? memory + align_up(address(memory).raw, CPU_BLOCK_PAGES * PAGE_SIZE) - address(memory).raw : NULL;
}

/* Where the screen is all there is, it must stay: it goes dark with the machine. */
static _Noreturn void power_off(void)
{
	cpus_stop_others();
	if (boot.has_screen && !boot.has_serial) {
		log_info("nestling: that is all; switch the machine off when you have read it");
		arch_halt();
	}
	if (boot.firmware_mapped)
		arch_host_map_activate(boot.firmware_map.npt.root);
	firmware_power_off();
	arch_power_off();
	arch_halt();
}

void panic(const char *fmt, ...)
{
	char what[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	cpus_stop_others();
	console_take_over();
	if (cpus_are_several())
		log_info("nestling: panic on CPU %u: %s", arch_this_cpu()->id, what);
	else
		log_info("nestling: panic: %s", what);
	post_mortem_of_panic();
	power_off();
}

/* Room for what the text can describe, with one VM in it by default. */
static enum err new_config(const char *text, size_t size)
{
	const unsigned room = config_room(text, size);
	struct machine_vm *vms = firmware_alloc_pages(align_up(room * sizeof(*vms), PAGE_SIZE) / PAGE_SIZE);

	if (!vms) {
		log_fatal("the firmware has no memory for " CONFIG_FILE);
		return ERR_NO_MEMORY;
	}
	config_defaults(&boot.config, vms);
	return ERR_OK;
}

static enum err read_config(void)
{
	char why[512];
	const void *text = "";
	size_t size = 0;
	enum err err = firmware_read_file(CONFIG_FILE, CONFIG_MAX_BYTES, &text, &size);

	if (err == ERR_NOT_FOUND) {
		log_info("nestling: no " CONFIG_FILE " on the boot volume: the defaults hold");
		return new_config("", 0);
	}
	if (err != ERR_OK)
		return files_cannot_read(CONFIG_FILE, err, CONFIG_MAX_BYTES, size);
	err = new_config(text, size);
	if (err != ERR_OK)
		return err;
	err = config_parse(&boot.config, text, size, why, sizeof(why));
	if (err != ERR_OK)
		log_fatal("%s", why);
	return err;
}

/* Random numbers of the firmware's are one source more of ours. */
static void feed_random(void)
{
	uint8_t bytes[RANDOM_SEED_BYTES];

	if (firmware_random(bytes, sizeof(bytes)))
		random_feed(bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
}

static enum err prepare(void)
{
	const char *why;
	enum err err = read_config();

	if (err != ERR_OK)
		return err;
	err = arch_virt_probe(boot.config.vhe, &why);
	if (err != ERR_OK) {
		log_fatal("%s", why);
		return err;
	}
	if (boot.config.gdb)
		debugger_wait();
	err = files_read(&boot.config.machine);
	if (err != ERR_OK)
		return err;
	boot.stacks = new_stacks();
	if (!boot.stacks) {
		log_fatal("the firmware has no memory for our stacks");
		return ERR_NO_MEMORY;
	}
	cpus_find(boot.config.machine.cpus);
	return ERR_OK;
}

/* Under either map the console goes on; on a port that the CPU's addresses do not reach, it ends here. */
static void map_console(struct host_map *map)
{
	hpa_t start;
	uint64_t size;
	enum err err;

	if (!boot.has_serial)
		return;
	serial_region(&boot.serial, &start, &size);
	err = memory_add_device(map, start, size);
	if (err == ERR_OK)
		return;
	log_warn("boot: the serial port at %#lx is not used any more: %s", start.raw, err_name(err));
	console_set_sink(NULL);
	boot.has_serial = false;
}

/* Its pixels may lie in memory that the firmware's map says is free. */
static enum err exclude_screen(void)
{
	hpa_t start;
	uint64_t size;

	if (!boot.has_screen)
		return ERR_OK;
	framebuffer_region(&boot.screen, &start, &size);
	return memory_exclude(start, size);
}

/* A screen that the CPU's addresses do not reach is done without. */
static void map_screen(struct host_map *map)
{
	hpa_t start;
	uint64_t size;
	enum err err;

	if (!boot.has_screen)
		return;
	framebuffer_region(&boot.screen, &start, &size);
	err = memory_add_screen(map, &boot.firmware, start, size);
	if (err == ERR_OK)
		return;
	log_warn("boot: the screen at %#lx is not used: %s", start.raw, err_name(err));
	framebuffer_stop();
	boot.has_screen = false;
}

/* Frames, our own map, our own traps; from then on nothing of the firmware's boot services is in use. */
static enum err own_memory(void)
{
	enum err err = exclude_screen();

	if (err == ERR_OK)
		err = memory_init(&boot.firmware);
	if (err == ERR_OK)
		err = make_map();
	if (err == ERR_OK)
		err = cpus_map(&boot.map, address(boot.stacks));
	if (err == ERR_OK)
		err = memory_make_firmware_map(&boot.firmware_map, &boot.firmware);
	if (err != ERR_OK)
		return err;
	files_adopt(&boot.config.machine);
	map_console(&boot.map);
	map_console(&boot.firmware_map);
	map_screen(&boot.map);
	map_screen(&boot.firmware_map);
	arch_traps_init(cpu_of(0));
	arch_this_cpu_set(cpu_of(0));
	arch_host_map_activate(boot.map.npt.root);
	boot.firmware_mapped = true;
	err = memory_reclaim(&boot.firmware);
	return err == ERR_OK ? heap_init() : err;
}

static void run(void)
{
	const char *why;
	enum err err = own_memory();

	if (err != ERR_OK) {
		log_fatal("cannot take over the machine's memory: %s", err_name(err));
		return;
	}
	log_info("nestling: the machine is ours: %lu MiB of its memory are free", frame_get_stats().free >> 20);
	err = arch_virt_enable(&why);
	if (err != ERR_OK) {
		log_fatal("%s", why);
		return;
	}
	if (cpus_start() && boot.has_serial)
		monitor_start();
	err = machine_run(&boot.config.machine);
	(void)err; /* the error has been logged, and there is nothing else to do */
}

/* Runs on our own stack, after the boot services have ended. */
static void taken_over(void)
{
	run();
	power_off();
}

static void drop_traces(const char *why)
{
	const struct machine *machine = &boot.config.machine;

	for (unsigned i = 0; i < machine->count; i++) {
		if (machine->vm[i].options.trace != TRACE_JSON)
			continue;
		log_warn("boot: %s: there is nowhere to write the records of trace = json to", why);
		machine->vm[i].options.trace = TRACE_OFF;
	}
}

/* Choose the console for the time after the boot services. */
static void choose_console(void)
{
	const char *why = boot.config.no_serial ? "no serial port is wanted" : "no serial port is known here";

	/* Check again: memory has been allocated since the screen was found. */
	boot.has_screen = boot.has_screen && overlap_screen_fits(&boot.screen);
	if (boot.config.no_serial)
		boot.has_serial = false;
	if (!boot.has_serial && boot.has_screen)
		log_info("boot: %s: the console goes on on the screen", why);
	else if (!boot.has_serial)
		log_warn("boot: %s, nor a screen to draw on: the console ends where the firmware does", why);
	if (!boot.has_serial)
		drop_traces(why);
}

static void start_console(void)
{
	if (boot.has_serial)
		serial_start(&boot.serial);
	if (boot.has_screen)
		framebuffer_start(&boot.screen, !boot.has_serial);
}

/* Check that the machine can be used. What the CPU itself uses must be kept before anything is allocated. */
static enum err look_around(void)
{
	const char *why;
	enum err err = arch_mode_check(&why);

	if (err != ERR_OK) {
		log_fatal("%s", why);
		return err;
	}
	err = in_use_keep();
	if (err != ERR_OK)
		log_fatal("the memory of the firmware's own page tables cannot be kept: %s", err_name(err));
	return err;
}

static bool find_screen(const struct platform *platform)
{
	return firmware_find_framebuffer(&boot.screen) ||
	       (platform->fdt && simple_framebuffer_find(platform->fdt, &boot.screen) == ERR_OK);
}

/* Before a console of nothing. */
static bool guess_serial(const struct platform *platform)
{
	if (boot.has_screen || !serial_guess(platform, overlap_serial_fits, &boot.serial))
		return false;
	log_warn("boot: no table names a console: the serial port at %#lx is taken for it", boot.serial.base);
	return true;
}

/* The addresses in the firmware's tables, which are excluded from all other use. */
static void find_places(struct platform *platform)
{
	const struct firmware_map *map = firmware_get_map(&boot.early) == ERR_OK ? &boot.early : NULL;

	tables_find(platform, map);
	if (platform->fdt)
		reserved_exclude(platform->fdt);
	/* With the copy of the tree in it. */
	if (map && firmware_get_map(&boot.early) != ERR_OK)
		map = NULL;
	overlap_set_map(map);
	overlap_keep_excluded();
	if (platform->fdt && memory_is_excluded(address(platform->fdt), fdt_totalsize(platform->fdt)))
		platform->fdt = tables_move_fdt(platform->fdt);
	platform_set(platform);
	boot.has_screen = find_screen(platform) && overlap_screen_fits(&boot.screen);
	if (boot.has_screen)
		overlap_keep_screen(&boot.screen);
	boot.has_serial = serial_find(platform, overlap_serial_fits, &boot.serial) || guess_serial(platform);
}

/* Called by GNU-EFI's start code; declared by none of its headers. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct platform platform;
	enum err err;

	firmware_init(image, system);
	log_info("nestling %s: a hypervisor that backs a guest's memory as it is touched", nestling_version);
	debugger_tell_place();
	err = look_around();
	if (err != ERR_OK)
		return EFI_UNSUPPORTED;
	find_places(&platform);
	feed_random();
	err = prepare();
	if (err == ERR_OK)
		err = overlap_check_excluded();
	if (err != ERR_OK)
		return EFI_UNSUPPORTED;
	choose_console();
	err = firmware_exit(&boot.firmware);
	if (err != ERR_OK) {
		log_fatal("the firmware does not let go of the machine: %s", err_name(err));
		return EFI_DEVICE_ERROR;
	}
	arch_quiesce();
	start_console();
	arch_switch_stack(boot.stacks + CPU_BLOCK_PAGES * PAGE_SIZE, taken_over);
}
