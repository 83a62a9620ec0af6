/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot hart's node in the device tree. Source: Devicetree Specification 0.4, "/cpus"; the bindings riscv/cpus.yaml
 * and riscv/extensions.yaml in Linux' Documentation/devicetree/bindings; RISC-V Unprivileged, "ISA Extension Naming
 * Conventions".
 */
#include "drivers/riscv64/hart.h"

#include <libfdt.h>
#include <string.h>
#include <strings.h>

#include "drivers/devicetree.h"
#include "drivers/platform.h"

/* A number of one or two cells. */
static uint64_t read_cells(const fdt32_t *cells, int length)
{
	uint64_t value = 0;

	for (int i = 0; i < length / (int)sizeof(*cells) && i < 2; i++)
		value = value << 32 | fdt32_to_cpu(cells[i]);
	return value;
}

/* The node of the hart that runs us, or of the first hart if the firmware has not named ours. Negative: there is none. */
static int find_node(const void *fdt)
{
	const struct platform *platform = platform_get();
	int cpus = fdt_path_offset(fdt, "/cpus"), node, length;

	fdt_for_each_subnode(node, fdt, cpus)
	{
		const char *type = fdt_getprop(fdt, node, "device_type", NULL);
		const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

		if (!type || strcmp(type, "cpu") != 0 || !reg || !devicetree_is_enabled(fdt, node))
			continue;
		if (!platform->boot_hart_known || read_cells(reg, length) == platform->boot_hart)
			return node;
	}
	return -FDT_ERR_NOTFOUND;
}

/* A property of that node; NULL when there is none. libfdt walks a tree from its beginning, so the node is looked for once. */
static const void *find_property(const char *name, int *length)
{
	static const void *tree;
	static int node;
	const void *fdt = platform_get()->fdt;

	if (!fdt)
		return NULL;
	if (fdt != tree) {
		tree = fdt;
		node = find_node(fdt);
	}
	return node >= 0 ? fdt_getprop(fdt, node, name, length) : NULL;
}

/* --- ISA strings ---------------------------------------------------------------------------------------------------- */

/* An extension's name in a string, and what is behind it. */
struct extension {
	const char *name;
	size_t length; /* the version, if there is one, left out */
};

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* "2", "2p0": the length of a version at `text`; 0 if there is none. */
static size_t version_length(const char *text)
{
	size_t major = digits(text), minor;

	if (major == 0 || (text[major] | 0x20) != 'p')
		return major;
	minor = digits(text + major + 1);
	return minor ? major + 1 + minor : major;
}

/* The name's length of `length` characters that may end with a version; names may have digits and a "p" of their own. */
static size_t name_length(const char *name, size_t length)
{
	for (size_t at = 1; at < length; at++)
		if (version_length(name + at) == length - at)
			return at;
	return length;
}

/*
 * Take the next extension off the string. "ISA Extension Naming Conventions": after the base, letters; names that begin
 * with Z, S or X reach up to the next underscore, and the first of them need not have one before it. A version may
 * follow each.
 */
static bool next_extension(const char **at, struct extension *extension)
{
	const char *text = *at + strspn(*at, "_");
	size_t length = strcspn(text, "_");

	if (!is_letter(*text))
		return false;
	*extension = (struct extension){ text, 1 };
	if (strchr("zsx", *text | 0x20)) {
		extension->length = name_length(text, length);
		*at = text + length;
	} else {
		*at = text + 1 + version_length(text + 1);
	}
	return true;
}

/* Single letters that stand for several. */
static bool stands_for(char letter, const char *name)
{
	static const struct {
		char letter;
		const char *name;
	} meant[] = {
		{ 'g', "i" },     { 'g', "m" },        { 'g', "a" },   { 'g', "f" },   { 'g', "d" },
		{ 'g', "zicsr" }, { 'g', "zifencei" }, { 'b', "zba" }, { 'b', "zbb" }, { 'b', "zbs" },
	};

	for (size_t i = 0; i < ARRAY_LEN(meant); i++)
		if (meant[i].letter == (letter | 0x20) && strcasecmp(meant[i].name, name) == 0)
			return true;
	return false;
}

/* "rv64imafdch_zicsr_zba", "rv64i2p1_m2p0_zicsr2p0": a base, and extensions. */
static bool isa_string_has(const char *isa, const char *name)
{
	struct extension extension;

	if (strncasecmp(isa, "rv64", 4) != 0)
		return false;
	isa += 4;
	while (next_extension(&isa, &extension)) {
		if (extension.length == strlen(name) && strncasecmp(extension.name, name, extension.length) == 0)
			return true;
		if (extension.length == 1 && stands_for(*extension.name, name))
			return true;
	}
	return false;
}

/* --- The tree ------------------------------------------------------------------------------------------------------- */

bool hart_has_extension(const char *name)
{
	int length;
	const char *list = find_property("riscv,isa-extensions", &length);

	if (list)
		return length > 0 && list[length - 1] == '\0' && fdt_stringlist_contains(list, length, name);
	list = find_property("riscv,isa", &length);
	return list && length > 0 && list[length - 1] == '\0' && isa_string_has(list, name);
}

static uint32_t find_cell(const char *name)
{
	int length;
	const fdt32_t *cell = find_property(name, &length);

	return cell && length == sizeof(*cell) ? fdt32_to_cpu(*cell) : 0;
}

uint32_t hart_cache_block(void)
{
	return find_cell("riscv,cbom-block-size");
}

const char *hart_mmu_type(void)
{
	int length;
	const char *type = find_property("mmu-type", &length);

	return type && length > 0 && type[length - 1] == '\0' ? type : NULL;
}

uint32_t hart_timebase_hz(void)
{
	const void *fdt = platform_get()->fdt;
	const fdt32_t *hz = NULL;
	int length, cpus;

	if (!fdt)
		return 0;
	cpus = fdt_path_offset(fdt, "/cpus");
	if (cpus >= 0 && devicetree_is_enabled(fdt, cpus))
		hz = fdt_getprop(fdt, cpus, "timebase-frequency", &length);
	if (!hz)
		hz = find_property("timebase-frequency", &length);
	return hz ? (uint32_t)read_cells(hz, length) : 0;
}
