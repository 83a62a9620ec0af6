/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that compilers and linkers have made, in many ways (tests/elf/build): each is loaded so that all its pointers are
 * right, or refused for the reason that its maker says.
 */
#include "vmm/elf.h"

#include <dirent.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/arch/virt.h"
#include "tests/host/formats.h"
#include "tests/host/ram.h"

#define BUILT    "build/host/elf"
#define RAM_SIZE MIB(64)
#define MARK     UINT64_C(0x6e6573746c696e67)

static const struct isa {
	const char *name;
	uint16_t machine;
	uint32_t relative, symbol; /* relocations */
	uint64_t ram, floor;
} isas[] = {
	{ "x86_64", EM_X86_64, R_X86_64_RELATIVE, R_X86_64_64, 0, MIB(1) },
	{ "aarch64", EM_AARCH64, R_AARCH64_RELATIVE, R_AARCH64_ABS64, GIB(1), GIB(1) + MIB(2) },
	{ "riscv64", EM_RISCV, R_RISCV_RELATIVE, R_RISCV_64, GIB(2), GIB(2) + MIB(2) },
};

static const struct isa *isa;
static struct ram ram;
static struct vm *vm;

uint16_t arch_elf_machine(void)
{
	return isa->machine;
}

enum elf_relocation arch_elf_relocation(uint32_t type)
{
	if (type == isa->relative)
		return ELF_RELOCATION_RELATIVE;
	return type == isa->symbol ? ELF_RELOCATION_SYMBOL : ELF_RELOCATION_OTHER;
}

gpa_t arch_guest_load_floor(const struct vm *of)
{
	(void)of;
	return GPA(isa->floor);
}

/* tests/elf/probe.c */
struct probe {
	uint64_t mark, self, start, data, bss, main, end;
};

struct file {
	char name[300];
	uint8_t *bytes;
	size_t size;
};

static void read_file(struct file *file, const char *folder, const char *name)
{
	FILE *stream;

	snprintf(file->name, sizeof(file->name), "%s/%s", folder, name);
	stream = fopen(file->name, "rb");
	CHECK(stream, "%s is not there", file->name);
	fseek(stream, 0, SEEK_END);
	file->size = (size_t)ftell(stream);
	rewind(stream);
	file->bytes = malloc(file->size);
	CHECK(file->bytes && fread(file->bytes, 1, file->size, stream) == file->size, "%s", file->name);
	fclose(stream);
}

static void start_vm(void)
{
	const struct format_case *format = &formats[0];

	vm = host_zeros(sizeof(*vm));
	assert_non_null(vm);
	ram_open(&ram, GIB(16), MIB(4), true);
	CHECK_ERR(addr_space_new(&vm->as, format->ops, &format->config, NULL), ERR_OK);
	vm->ram[0].start = GPA(isa->ram);
	vm->ram[0].size = RAM_SIZE;
	vm->ram_ranges = 1;
	CHECK_ERR(addr_space_map_alloc(&vm->as, GPA(isa->ram), RAM_SIZE, NPT_RWX, ALLOC_LAZY_4K), ERR_OK);
}

static void end_vm(void)
{
	addr_space_free(&vm->as);
	free(vm);
	ram_release(&ram);
	ram_close(&ram);
}

/* Where the loader should have put it is not asked. */
static bool find_probe(struct probe *probe, uint64_t *at)
{
	for (*at = isa->floor; *at < isa->ram + MIB(16); *at += 8) {
		hpa_t hpa;

		if (is_aligned(*at, PAGE_SIZE) && addr_space_translate(&vm->as, GPA(*at), &hpa) != ERR_OK) {
			*at += PAGE_SIZE - 8;
			continue;
		}
		CHECK_ERR(addr_space_read(&vm->as, GPA(*at), probe, sizeof(*probe)), ERR_OK);
		if (probe->mark == MARK && probe->end == ~MARK)
			return true;
	}
	return false;
}

static void check_loaded(const struct file *file)
{
	bool high = strstr(file->name, "-high-") != NULL;
	struct probe probe;
	uint64_t at, word, slide;
	gpa_t entry;
	char why[ELF_WHY_MAX] = "";
	enum err err = elf_load(vm, file->bytes, file->size, &entry, why, sizeof(why));

	CHECK(err == ERR_OK, "%s: %s", file->name, why);
	CHECK(find_probe(&probe, &at), "%s: there is no probe in memory", file->name);
	/* What was linked high has its pointers there. */
	slide = high ? probe.self - at : 0;
	CHECK(probe.self - slide == at, "%s: it is at %#jx, and says %#jx", file->name, (uintmax_t)at, (uintmax_t)probe.self);
	CHECK(probe.start - slide == entry.raw, "%s: entered at %#jx and not %#jx", file->name, (uintmax_t)entry.raw,
	      (uintmax_t)probe.start);
	if (probe.data) {
		CHECK_ERR(addr_space_read(&vm->as, GPA(probe.data - slide), &word, sizeof(word)), ERR_OK);
		CHECK(word == MARK, "%s: its data is not where it says", file->name);
	}
	if (probe.bss) {
		CHECK_ERR(addr_space_read(&vm->as, GPA(probe.bss - slide), &word, sizeof(word)), ERR_OK);
		CHECK(word == 0, "%s: its bss is not zero", file->name);
	}
}

static void check_refused(const struct file *file)
{
	char name[300], words[200], why[ELF_WHY_MAX] = "";
	gpa_t entry;
	enum err err = elf_load(vm, file->bytes, file->size, &entry, why, sizeof(why));
	FILE *stream;

	CHECK(err != ERR_OK, "%s was loaded", file->name);
	CHECK_EQ(addr_space_get_stats(&vm->as).resident, 0);
	snprintf(name, sizeof(name), "%.*s.txt", (int)strlen(file->name) - 4, file->name);
	stream = fopen(name, "r");
	CHECK(stream, "%s is not there", name);
	while (fgets(words, sizeof(words), stream)) {
		words[strcspn(words, "\n")] = '\0';
		CHECK(strstr(why, words), "%s: \"%s\", and not \"%s\"", file->name, why, words);
	}
	fclose(stream);
}

static unsigned for_each_file(const char *folder, void (*check)(const struct file *file))
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	unsigned count = 0;

	CHECK(directory, "%s is not there: it is built by make", folder);
	while ((entry = readdir(directory))) {
		struct file file;

		if (strncmp(entry->d_name, isa->name, strlen(isa->name)) != 0 || !strstr(entry->d_name, ".elf"))
			continue;
		read_file(&file, folder, entry->d_name);
		start_vm();
		check(&file);
		end_vm();
		free(file.bytes);
		count++;
	}
	closedir(directory);
	return count;
}

static void what_linkers_make_is_loaded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(isas); i++) {
		isa = &isas[i];
		CHECK(for_each_file(BUILT, check_loaded) > 50, "%s: few programs were built", isa->name);
	}
}

static void what_cannot_be_loaded_is_told_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(isas); i++) {
		isa = &isas[i];
		CHECK(for_each_file(BUILT "/refused", check_refused) > 5, "%s: few programs were built", isa->name);
	}
}

/* Of another ISA: which one is told. */
static void what_is_for_another_isa_is_refused(void **state)
{
	struct file file;
	char why[ELF_WHY_MAX] = "";
	gpa_t entry;

	(void)state;
	isa = &isas[0];
	start_vm();
	read_file(&file, BUILT, "riscv64-ld-static-plain.elf");
	CHECK_ERR(elf_load(vm, file.bytes, file.size, &entry, why, sizeof(why)), ERR_UNSUPPORTED);
	assert_string_equal(why, "it is for RISC-V, and here is x86-64");
	free(file.bytes);
	end_vm();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_linkers_make_is_loaded),
		cmocka_unit_test(what_cannot_be_loaded_is_told_why),
		cmocka_unit_test(what_is_for_another_isa_is_refused),
	};

	return cmocka_run_group_tests_name("elf_built", tests, NULL, NULL);
}
