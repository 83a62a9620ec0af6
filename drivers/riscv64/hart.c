/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The harts' nodes in the device tree, and that of the boot hart above all. Source: Devicetree Specification 0.4, "/cpus"; the
 * bindings riscv/cpus.yaml and riscv/extensions.yaml in Linux' Documentation/devicetree/bindings; RISC-V Unprivileged, "ISA
 * Extension Naming Conventions".
 */
#include "drivers/riscv64/hart.h"

#include <libfdt.h>
#include <string.h>
#include <strings.h>

#include "drivers/devicetree.h"
#include "drivers/platform.h"
#include "drivers/riscv64/rintc.h"

/* A number of one or two cells. */
static uint64_t read_cells(const fdt32_t *cells, int length)
{
	uint64_t value = 0;

	for (int i = 0; i < length / (int)sizeof(*cells) && i < 2; i++)
		value = value << 32 | fdt32_to_cpu(cells[i]);
	return value;
}

/* Is the node a hart that may be used? And its id. */
static bool is_hart(const void *fdt, int node, uint64_t *id)
{
	int length;
	const char *type = fdt_getprop(fdt, node, "device_type", NULL);
	const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

	if (!type || strcmp(type, "cpu") != 0 || !reg || !devicetree_is_enabled(fdt, node))
		return false;
	*id = read_cells(reg, length);
	return true;
}

/* The node of the hart that runs us, or of the first hart if the firmware has not named ours. Negative: there is none. */
static int find_node(const void *fdt)
{
	const struct platform *platform = platform_get();
	int cpus = fdt_path_offset(fdt, "/cpus"), node;
	uint64_t id;

	fdt_for_each_subnode(node, fdt, cpus) if (is_hart(fdt, node, &id) &&
						  (!platform->boot_hart_known || id == platform->boot_hart)) return node;
	return -FDT_ERR_NOTFOUND;
}

/* That node; negative when there is none, or no tree. libfdt walks a tree from its beginning, so the node is looked for once. */
static int boot_node(const void *fdt)
{
	static const void *tree;
	static int node;

	if (!fdt)
		return -FDT_ERR_NOTFOUND;
	if (fdt != tree) {
		tree = fdt;
		node = find_node(fdt);
	}
	return node;
}

/* A property of it; NULL when there is none. */
static const void *find_property(const char *name, int *length)
{
	const void *fdt = platform_get()->fdt;
	int node = boot_node(fdt);

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
static const struct {
	char letter;
	const char *name;
} meant[] = {
	{ 'g', "i" },     { 'g', "m" },        { 'g', "a" },   { 'g', "f" },   { 'g', "d" },
	{ 'g', "zicsr" }, { 'g', "zifencei" }, { 'b', "zba" }, { 'b', "zbb" }, { 'b', "zbs" },
};

static bool stands_for(char letter, const char *name)
{
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

/* A property that is text, or several texts one behind the other. */
static const char *text_property(const void *fdt, int node, const char *name, int *length)
{
	const char *text = fdt_getprop(fdt, node, name, length);

	return text && *length > 0 && text[*length - 1] == '\0' ? text : NULL;
}

static bool node_has(const void *fdt, int node, const char *name)
{
	int length;
	const char *list;

	if (fdt_getprop(fdt, node, "riscv,isa-extensions", NULL)) {
		list = text_property(fdt, node, "riscv,isa-extensions", &length);
		return list && fdt_stringlist_contains(list, length, name);
	}
	list = text_property(fdt, node, "riscv,isa", &length);
	return list && isa_string_has(list, name);
}

/* Has a hart the extension of another one's string, or what a letter stands for there? */
static bool node_has_listed(const void *fdt, int node, const struct extension *extension)
{
	char name[64];
	bool expanded = false;

	for (size_t i = 0; i < ARRAY_LEN(meant) && extension->length == 1; i++) {
		if (meant[i].letter != (*extension->name | 0x20))
			continue;
		expanded = true;
		if (!node_has(fdt, node, meant[i].name))
			return false;
	}
	if (expanded)
		return true;
	if (extension->length >= sizeof(name))
		return false;
	memcpy(name, extension->name, extension->length);
	name[extension->length] = '\0';
	return node_has(fdt, node, name);
}

/* Has a hart all extensions that another one has? */
static bool node_has_all_of(const void *fdt, int node, int other)
{
	struct extension extension;
	int length;
	const char *list = text_property(fdt, other, "riscv,isa-extensions", &length), *end;

	if (list) {
		for (end = list + length; list < end; list += strlen(list) + 1)
			if (!node_has(fdt, node, list))
				return false;
		return true;
	}
	list = text_property(fdt, other, "riscv,isa", &length);
	if (!list || strncasecmp(list, "rv64", 4) != 0)
		return true; /* nothing is said of it */
	list += 4;
	while (next_extension(&list, &extension))
		if (!node_has_listed(fdt, node, &extension))
			return false;
	return true;
}

static bool same_property(const void *fdt, int node, int other, const char *name)
{
	int length, other_length;
	const void *value = fdt_getprop(fdt, node, name, &length), *other_value = fdt_getprop(fdt, other, name, &other_length);

	if (!value || !other_value)
		return value == other_value;
	return length == other_length && memcmp(value, other_value, (size_t)length) == 0;
}

/*
 * A vCPU may be moved from any hart that is used to any other, and guests are told what the boot hart has: others are used if they
 * have all of that. On some machines a hart without an MMU watches the others.
 */
static bool can_stand_in(const void *fdt, int node, int boot)
{
	return node_has_all_of(fdt, node, boot) && same_property(fdt, node, boot, "mmu-type") &&
	       same_property(fdt, node, boot, "riscv,cbom-block-size") && same_property(fdt, node, boot, "riscv,cboz-block-size");
}

unsigned hart_find(uint64_t *ids, unsigned room)
{
	const void *fdt = platform_get()->fdt;
	int boot = fdt ? find_node(fdt) : -FDT_ERR_NOTFOUND, node;
	unsigned count = 0;
	uint64_t id;

	if (boot < 0 || room == 0 || !is_hart(fdt, boot, &ids[0]))
		return 0;
	count = 1;
	fdt_for_each_subnode(node, fdt, fdt_path_offset(fdt, "/cpus"))
	{
		if (node == boot || !is_hart(fdt, node, &id) || id == ids[0] || !can_stand_in(fdt, node, boot))
			continue;
		if (count < room)
			ids[count] = id;
		count++;
	}
	return count;
}

bool hart_has_extension(const char *name)
{
	const void *fdt = platform_get()->fdt;
	int node = boot_node(fdt);

	return node >= 0 && node_has(fdt, node, name);
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

uint32_t hart_zero_block(void)
{
	return find_cell("riscv,cboz-block-size");
}

const char *hart_mmu_type(void)
{
	int length;
	const char *type = find_property("mmu-type", &length);

	return type && length > 0 && type[length - 1] == '\0' ? type : NULL;
}

static uint32_t tree_timebase_hz(const void *fdt)
{
	const fdt32_t *hz = NULL;
	int length, cpus = fdt_path_offset(fdt, "/cpus");

	if (cpus >= 0 && devicetree_is_enabled(fdt, cpus))
		hz = fdt_getprop(fdt, cpus, "timebase-frequency", &length);
	if (!hz)
		hz = find_property("timebase-frequency", &length);
	return hz ? (uint32_t)read_cells(hz, length) : 0;
}

static uint32_t timebase_hz;

void hart_read_timebase(void)
{
	const struct platform *platform = platform_get();

	timebase_hz = platform->fdt ? tree_timebase_hz(platform->fdt) : 0;
	if (timebase_hz == 0 && platform->acpi_rsdp)
		timebase_hz = (uint32_t)min_u64(rhct_timebase_hz(platform->acpi_rsdp, platform->acpi_reader), UINT32_MAX);
}

uint32_t hart_timebase_hz(void)
{
	return timebase_hz;
}
