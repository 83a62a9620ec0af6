/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spin tables: a CPU waits for an event until the word at an address, where the device tree says, holds where it is to go. The word
 * may be in memory that is not mapped later, such as page 0. Source: Linux, Documentation/arch/arm64/booting.rst; Devicetree
 * Specification 0.4, "cpu-release-addr".
 */
#include "boot/aarch64/places.h"

#include "boot/firmware.h"
#include "drivers/platform.h"
#include "include/arch/aarch64/insn.h"
#include "include/log.h"

_Static_assert(sizeof(struct pen) == PEN_BYTES && offsetof(struct pen, go) == PEN_GO, "secondary.h");

/* As the firmware's tables have them. Constant once the machine is taken over. */
static struct cpu_place places[CPU_MAX];
static unsigned count;

struct pen pens[CPU_MAX + 1];

/* It is to be written to: it is memory, and not of the hypervisor's. */
static bool may_be_released(const struct platform *platform, uint64_t release)
{
	return platform->acpi_reader(release, sizeof(release)) && !firmware_is_ours(HPA(release), sizeof(release));
}

unsigned places_read(void)
{
	const struct platform *platform = platform_get();
	unsigned named = cpu_tables_read(platform, places, CPU_MAX);

	count = (unsigned)min_u64(named, CPU_MAX);
	for (unsigned i = 0; i < count; i++) {
		if (places[i].start != CPU_START_SPIN || may_be_released(platform, places[i].release))
			continue;
		log_warn("boot: CPU MPIDR %#lx is not used: its cpu-release-addr %#lx is no memory, or the hypervisor's",
			 places[i].affinity, places[i].release);
		places[i].start = CPU_START_NONE;
	}
	return named;
}

const struct cpu_place *places_get(unsigned n)
{
	return n < count ? &places[n] : NULL;
}

const struct cpu_place *places_find(uint64_t affinity)
{
	for (unsigned i = 0; i < count; i++)
		if (places[i].affinity == affinity)
			return &places[i];
	return NULL;
}

static void clean(const void *from, const void *to)
{
	uint64_t line = dcache_line_size();

	for (uint64_t at = align_down((uintptr_t)from, line); at < (uintptr_t)to; at += line)
		__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
	dsb(sy);
}

void places_clean(const void *from, const void *to)
{
	clean(from, to);
	clean(pen_entry, secondary_end);
}

/* A CPU that waits for an event looks again. */
static void set_word(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	clean(word, word + 1);
	__asm__ volatile("sev" : : : "memory");
}

void places_take_pens(void)
{
	struct pen *pen = pens;

	for (unsigned i = 1; i < cpu_count; i++) {
		const struct cpu_place *place = places_find(cpu_of(i)->hw_id);

		if (place && place->start == CPU_START_SPIN)
			(pen++)->affinity = place->affinity;
	}
	pen->affinity = UINT64_MAX;
	places_clean(pens, pens + ARRAY_LEN(pens));
	for (pen = pens; pen->affinity != UINT64_MAX; pen++)
		set_word((uint64_t *)(uintptr_t)places_find(pen->affinity)->release, (uintptr_t)pen_entry);
}

bool places_open_pen(uint64_t affinity, const struct secondary *secondary)
{
	for (struct pen *pen = pens; pen->affinity != UINT64_MAX; pen++) {
		if (pen->affinity != affinity)
			continue;
		set_word((uint64_t *)(void *)&pen->go, (uintptr_t)secondary);
		return true;
	}
	return false;
}
