/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's translator that counts how often each instruction of Nestling's image is executed, phase by phase.
 *
 *   -plugin profile.so,out=FILE,entry=HEX,offset=N,size=N,guest=HEX[,end=N][,cpus=N[,one-phase=1]]
 *
 * The image is found by the first bytes of its start code (`entry`, at `offset` in the image of `size` bytes), and the guest's
 * beginning by those of its own (`guest`). Phase 0 is the firmware, 1 goes from the image's first instruction to the guest's
 * first one; the guest begins others itself, by an instruction that does nothing and carries the number (bench/guest/<isa>/isa.h).
 * Phase 255 begins where the image's instruction at `end` is executed.
 *
 * With `cpus` each of the N CPUs is in a phase of its own and is counted by itself: a call for each instruction, for QEMU's own
 * counters lose some where its threads run at once. Instructions outside the image are not counted then. With `one-phase` a phase
 * that one of them begins is that of all, for what one does for another; at its ends some instructions of the others may be on the
 * wrong side.
 *
 * Written to FILE, a line each: `base ADDRESS`; `PHASE total N`, all instructions of whomever; and `PHASE OFFSET N`, those at
 * that offset in the image.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is used of version 1 of QEMU's plugin interface, for which Debian packages no header. */
#define EXPORT __attribute__((visibility("default")))
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { QEMU_PLUGIN_CB_NO_REGS };
enum { QEMU_PLUGIN_INLINE_ADD_U64 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

enum { PHASE_FIRMWARE, PHASE_BOOT, PHASE_GUEST, PHASE_ENDED = 255, NEEDLE_MAX = 64, CPUS_MAX = 16 };

struct needle {
	uint8_t bytes[NEEDLE_MAX];
	size_t size;
};

static struct needle entry, guest;
static const char *out_path;
static uint64_t entry_offset, image_size;
static uint64_t end_offset; /* 0: there is none */

static unsigned long cpus; /* that are counted apart; 0: all are counted as one, slots[0] */
static bool one_phase;     /* the CPUs that are counted apart are in one phase, the one that any of them began last */

struct slot {
	uint64_t phase;
	uint64_t total;
	uint64_t *counts; /* by offset in the image */
};

static struct slot slots[CPUS_MAX];
static uint64_t base; /* 0: not seen yet */
static FILE *out;
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

static struct slot *slot_of(unsigned cpu)
{
	return &slots[cpu < cpus ? cpu : 0];
}

static unsigned long slots_used(void)
{
	return cpus > 0 ? cpus : 1;
}

static void end_phase(struct slot *slot)
{
	pthread_mutex_lock(&out_lock);
	fprintf(out, "%lu total %lu\n", slot->phase, slot->total);
	slot->total = 0;
	for (uint64_t i = 0; i < image_size; i++)
		if (slot->counts[i] != 0) {
			fprintf(out, "%lu %lx %lu\n", slot->phase, i, slot->counts[i]);
			slot->counts[i] = 0;
		}
	pthread_mutex_unlock(&out_lock);
}

static void begin_phase_of(struct slot *slot, void *number)
{
	end_phase(slot);
	slot->phase = (uint64_t)number;
}

static void begin_phase(unsigned cpu, void *number)
{
	if (!one_phase)
		begin_phase_of(slot_of(cpu), number);
	for (unsigned i = 0; one_phase && i < slots_used(); i++)
		begin_phase_of(&slots[i], number);
}

static void begin_boot(unsigned cpu, void *unused)
{
	(void)unused;
	if (slot_of(cpu)->phase == PHASE_FIRMWARE)
		begin_phase(cpu, (void *)(uintptr_t)PHASE_BOOT);
}

static void begin_guest(unsigned cpu, void *unused)
{
	(void)unused;
	if (slot_of(cpu)->phase == PHASE_BOOT)
		begin_phase(cpu, (void *)(uintptr_t)PHASE_GUEST);
}

static void count(unsigned cpu, void *offset)
{
	slot_of(cpu)->counts[(uint64_t)offset]++;
}

static void count_by_call(struct qemu_plugin_insn *insn, uint64_t offset)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, count, QEMU_PLUGIN_CB_NO_REGS, (void *)offset);
}

static void count_inline(struct qemu_plugin_insn *insn, uint64_t offset)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &slots[0].counts[offset], 1);
}

/* The instructions of bench/guest/<isa>/isa.h; nothing else that is executed here has them. */
static bool is_marker(const uint8_t *bytes, size_t size, uint64_t *number)
{
	uint32_t word;

	if (size == 7 && memcmp(bytes, "\x0f\x1f\x80", 3) == 0) { /* x86_64: nopl 0x4e5300XX(%rax) */
		memcpy(&word, bytes + 3, 4);
		*number = word & 0xff;
		return word >> 8 == 0x4e5300;
	}
	if (size != 4)
		return false;
	memcpy(&word, bytes, 4);
	*number = word >> 5 & 0xff;
	if ((word & 0xffffe01f) == 0xd2c9c01f) /* aarch64: movz xzr, #0x4eXX, lsl #32 */
		return true;
	*number = word >> 12 & 0xff;
	return (word & 0xfff00fff) == 0x4e500037; /* riscv64: lui zero, 0x4e5XX */
}

/* Do the block's bytes from its beginning on begin with the needle's? */
static bool begins_with(const struct qemu_plugin_tb *tb, const struct needle *needle)
{
	size_t at = 0;

	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb) && at < needle->size; i++) {
		const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		size_t size = qemu_plugin_insn_size(insn);

		if (size > needle->size - at)
			size = needle->size - at;
		if (memcmp(qemu_plugin_insn_data(insn), needle->bytes + at, size) != 0)
			return false;
		at += size;
	}
	return at == needle->size;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);

	(void)id;
	if (base == 0 && begins_with(tb, &entry)) {
		base = qemu_plugin_insn_vaddr(first) - entry_offset;
		fprintf(out, "base %lx\n", base);
	}
	if (base != 0 && qemu_plugin_insn_vaddr(first) == base + entry_offset)
		qemu_plugin_register_vcpu_insn_exec_cb(first, begin_boot, QEMU_PLUGIN_CB_NO_REGS, NULL);
	if (begins_with(tb, &guest))
		qemu_plugin_register_vcpu_insn_exec_cb(first, begin_guest, QEMU_PLUGIN_CB_NO_REGS, NULL);
	/* By blocks, which is quicker, and a little more where an exception ends one before its end. */
	if (cpus == 0)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &slots[0].total,
							 qemu_plugin_tb_n_insns(tb));
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t offset = qemu_plugin_insn_vaddr(insn) - base, number;

		if (is_marker(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn), &number))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, begin_phase, QEMU_PLUGIN_CB_NO_REGS, (void *)number);
		if (base != 0 && end_offset != 0 && offset == end_offset)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, begin_phase, QEMU_PLUGIN_CB_NO_REGS, (void *)PHASE_ENDED);
		if (base != 0 && offset < image_size)
			(cpus > 0 ? count_by_call : count_inline)(insn, offset);
	}
}

static void ended(qemu_plugin_id_t id, void *unused)
{
	(void)id;
	(void)unused;
	for (unsigned i = 0; i < slots_used(); i++)
		end_phase(&slots[i]);
	fclose(out);
}

static void parse_needle(struct needle *needle, const char *hex)
{
	unsigned byte;

	while (needle->size < NEEDLE_MAX && sscanf(hex, "%2x", &byte) == 1) {
		needle->bytes[needle->size++] = (uint8_t)byte;
		hex += 2;
	}
}

static void parse(char *arg)
{
	char *value = strchr(arg, '=');

	if (!value)
		return;
	*value++ = '\0';
	if (strcmp(arg, "out") == 0)
		out_path = strdup(value);
	else if (strcmp(arg, "entry") == 0)
		parse_needle(&entry, value);
	else if (strcmp(arg, "guest") == 0)
		parse_needle(&guest, value);
	else if (strcmp(arg, "offset") == 0)
		entry_offset = strtoull(value, NULL, 0);
	else if (strcmp(arg, "size") == 0)
		image_size = strtoull(value, NULL, 0);
	else if (strcmp(arg, "end") == 0)
		end_offset = strtoull(value, NULL, 0);
	else if (strcmp(arg, "cpus") == 0)
		cpus = strtoul(value, NULL, 0);
	else if (strcmp(arg, "one-phase") == 0)
		one_phase = strtoul(value, NULL, 0) != 0;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		parse(argv[i]);
	out = out_path ? fopen(out_path, "w") : NULL;
	if (!out || entry.size == 0 || guest.size == 0 || image_size == 0 || cpus > CPUS_MAX) {
		fprintf(stderr, "profile: out, entry, guest, offset and size are needed, and at most %d cpus\n", CPUS_MAX);
		return 1;
	}
	for (unsigned i = 0; i < slots_used(); i++) {
		slots[i].counts = calloc(image_size, sizeof(*slots[i].counts));
		if (!slots[i].counts)
			return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
