/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and the console in a device tree. The tree is one that libfdt can read; what it says may be nonsense. */
#include "drivers/devicetree.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/uart.h"

#define PATH_MAX_DEPTH 16

#define CELLS_MAX 3

/* On a bus with three cells, as PCI is, the first one says what kind of address it is; else it is 0. */
struct address {
	uint32_t kind;
	uint64_t value;
};

/* IEEE 1275, PCI Bus Binding, 2.2.1.1: configuration, I/O, memory of 32 and of 64 bits. The other bits are the device's. */
#define PCI_SPACE 0x03000000u

/* A number of 0 to 2 cells. */
static uint64_t read_cells(const fdt32_t *cells, int count)
{
	uint64_t value = 0;

	for (int i = 0; i < count; i++)
		value = value << 32 | fdt32_ld(&cells[i]);
	return value;
}

static struct address read_address(const fdt32_t *cells, int count)
{
	bool has_kind = count == CELLS_MAX;

	return (struct address){ has_kind ? fdt32_ld(cells) : 0, read_cells(cells + has_kind, count - has_kind) };
}

static bool good_cells(int address, int size)
{
	return address >= 1 && address <= CELLS_MAX && size >= 0 && size <= 2;
}

static bool is_pci(const void *fdt, int bus)
{
	int length;
	const char *type = fdt_getprop(fdt, bus, "device_type", &length);

	return type && length == sizeof("pci") && memcmp(type, "pci", sizeof("pci")) == 0;
}

/* From the addresses of a bus to those of the bus above it. */
static enum err translate(const void *fdt, int bus, int parent, struct address *address, uint64_t size)
{
	int length, child_cells = fdt_address_cells(fdt, bus), size_cells = fdt_size_cells(fdt, bus);
	int parent_cells = fdt_address_cells(fdt, parent), entry = child_cells + parent_cells + size_cells;
	uint32_t kinds = is_pci(fdt, bus) ? PCI_SPACE : UINT32_MAX;
	const fdt32_t *ranges = fdt_getprop(fdt, bus, "ranges", &length);

	if (!ranges)
		return length == -FDT_ERR_NOTFOUND ? ERR_RANGE : ERR_CORRUPT;
	if (length == 0) /* the same addresses on both sides, so of the same form */
		return (child_cells == CELLS_MAX) == (parent_cells == CELLS_MAX) ? ERR_OK : ERR_CORRUPT;
	if (!good_cells(child_cells, size_cells) || !good_cells(parent_cells, 0))
		return ERR_CORRUPT;
	for (length /= (int)sizeof(*ranges); length >= entry; length -= entry, ranges += entry) {
		struct address from = read_address(ranges, child_cells), to = read_address(ranges + child_cells, parent_cells);
		uint64_t bytes = read_cells(ranges + child_cells + parent_cells, size_cells), offset = address->value - from.value;

		if (((address->kind ^ from.kind) & kinds) != 0 || address->value < from.value || size > bytes ||
		    offset > bytes - size)
			continue;
		address->kind = to.kind;
		return __builtin_add_overflow(to.value, offset, &address->value) ? ERR_RANGE : ERR_OK;
	}
	return ERR_RANGE;
}

/*
 * The nodes from the root, path[0], to `node`; returns how many are above it, negative if there is no such node or it lies
 * deeper than any tree of sense. One walk: libfdt looks for each parent from the tree's beginning.
 */
static int find_path(const void *fdt, int node, int path[PATH_MAX_DEPTH])
{
	int depth = 0;

	for (int at = 0; at >= 0 && depth >= 0 && depth < PATH_MAX_DEPTH; at = fdt_next_node(fdt, at, &depth)) {
		path[depth] = at;
		if (at == node)
			return depth;
	}
	return -1;
}

/* Devicetree Specification 0.4, "status": all other values mean that it cannot be used, or not now. */
static bool has_good_status(const void *fdt, int node)
{
	int length;
	const char *status = fdt_getprop(fdt, node, "status", &length);

	if (!status)
		return length == -FDT_ERR_NOTFOUND;
	return (length == sizeof("okay") && memcmp(status, "okay", sizeof("okay")) == 0) ||
	       (length == sizeof("ok") && memcmp(status, "ok", sizeof("ok")) == 0);
}

bool devicetree_is_enabled(const void *fdt, int node)
{
	int path[PATH_MAX_DEPTH], depth = find_path(fdt, node, path);

	for (int i = 0; i <= depth; i++)
		if (!has_good_status(fdt, path[i]))
			return false;
	return depth >= 0;
}

static enum err read_reg(const void *fdt, int node, int bus, unsigned n, struct address *address, uint64_t *size)
{
	int length, address_cells, size_cells;
	const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

	if (!reg || bus < 0)
		return ERR_NOT_FOUND;
	address_cells = fdt_address_cells(fdt, bus);
	size_cells = fdt_size_cells(fdt, bus);
	if (!good_cells(address_cells, size_cells))
		return ERR_CORRUPT;
	length /= (address_cells + size_cells) * (int)sizeof(*reg);
	if ((unsigned)length <= n)
		return ERR_NOT_FOUND;
	reg += (int)n * (address_cells + size_cells);
	*address = read_address(reg, address_cells);
	*size = read_cells(reg + address_cells, size_cells);
	return ERR_OK;
}

/* The CPU's addresses, and those that are asked for as a number, are of one kind. */
static enum err to_number(const void *fdt, int bus, const struct address *address, uint64_t *number)
{
	*number = address->value;
	return fdt_address_cells(fdt, bus) < CELLS_MAX ? ERR_OK : ERR_CORRUPT;
}

enum err devicetree_bus_reg(const void *fdt, int node, unsigned n, uint64_t *address, uint64_t *size)
{
	int bus = fdt_parent_offset(fdt, node);
	struct address found;
	enum err err = read_reg(fdt, node, bus, n, &found, size);

	return err == ERR_OK ? to_number(fdt, bus, &found, address) : err;
}

enum err devicetree_reg(const void *fdt, int node, unsigned n, uint64_t *address, uint64_t *size)
{
	int path[PATH_MAX_DEPTH], depth = find_path(fdt, node, path);
	struct address found;
	enum err err = read_reg(fdt, node, depth > 0 ? path[depth - 1] : -1, n, &found, size);

	while (err == ERR_OK && --depth > 0)
		err = translate(fdt, path[depth], path[depth - 1], &found, *size);
	return err == ERR_OK ? to_number(fdt, 0, &found, address) : err;
}

/* What names the console, best first. */
enum console_name { CONSOLE_STDOUT, CONSOLE_LINUX_STDOUT, CONSOLE_SERIAL0, CONSOLE_NAMES };

/*
 * A node that may be the console: by a path or an alias, with ":115200n8" or the like behind it. U-Boot goes by the alias
 * of a first port where a tree names none.
 */
static int console_node(const void *fdt, enum console_name name)
{
	static const char *const properties[] = { "stdout-path", "linux,stdout-path" };
	int length = 0, chosen = fdt_path_offset(fdt, "/chosen");
	const char *path, *end;

	if (name == CONSOLE_SERIAL0)
		return fdt_path_offset(fdt, "serial0");
	path = chosen < 0 ? NULL : fdt_getprop(fdt, chosen, properties[name], &length);
	if (!path)
		return -FDT_ERR_NOTFOUND;
	end = memchr(path, ':', (size_t)length);
	if (!end)
		end = memchr(path, '\0', (size_t)length);
	return end ? fdt_path_offset_namelen(fdt, path, (int)(end - path)) : -FDT_ERR_BADVALUE;
}

/* A property of one cell. */
static uint32_t number(const void *fdt, int node, const char *name, uint32_t otherwise)
{
	int length;
	const fdt32_t *value = fdt_getprop(fdt, node, name, &length);

	return value && length == sizeof(*value) ? fdt32_ld(value) : otherwise;
}

/* Registers that are apart: how far, and from where on? */
static enum err space_registers(const void *fdt, int node, struct serial_port *port)
{
	uint32_t shift = number(fdt, node, "reg-shift", port->shift);
	uint32_t width = number(fdt, node, "reg-io-width", port->width);
	uint32_t offset = number(fdt, node, "reg-offset", 0);

	if (shift > 2 || (width != 1 && width != 2 && width != 4) || width > 1u << shift || port->base % width != 0 ||
	    offset % width != 0)
		return ERR_UNSUPPORTED;
	port->shift = (uint8_t)shift;
	port->width = (uint8_t)width;
	port->base += offset;
	port->size = max_u64(port->size, (uint64_t)port->driver->registers << shift);
	return ERR_OK;
}

/* The first driver that lists one of the node's "compatible" names, and what it lists. */
static const struct uart_compatible *find_driver(const void *fdt, int node, struct serial_port *port)
{
	for (const struct uart_driver *const *driver = uart_drivers; *driver; driver++) {
		for (const struct uart_compatible *is = (*driver)->compatibles; is->name; is++) {
			if (fdt_node_check_compatible(fdt, node, is->name) != 0)
				continue;
			*port = (struct serial_port){
				.driver = *driver,
				.shift = is->shift,
				.width = is->width,
				.variant = is->variant,
				.big_endian = fdt_getprop(fdt, node, "big-endian", NULL) != NULL,
			};
			return is;
		}
	}
	return NULL;
}

static enum err port_of_node(const void *fdt, int node, struct serial_port *port)
{
	enum err err;

	if (node < 0)
		return node == -FDT_ERR_NOTFOUND || node == -FDT_ERR_BADPATH ? ERR_NOT_FOUND : ERR_CORRUPT;
	if (!devicetree_is_enabled(fdt, node))
		return ERR_NOT_FOUND;
	if (!find_driver(fdt, node, port))
		return ERR_UNSUPPORTED;
	err = devicetree_reg(fdt, node, 0, &port->base, &port->size);
	if (err != ERR_OK)
		return err;
	/* Some trees give a PL011 less room than its registers take, and a page is mapped at least. */
	port->size = min_u64(max_u64(port->size, 1), MIB(1));
	return port->driver->registers ? space_registers(fdt, node, port) : ERR_OK;
}

enum err devicetree_find_serial(const void *fdt, serial_filter accepted, struct serial_port *port)
{
	enum err first = ERR_NOT_FOUND;
	int refused = -1;

	for (enum console_name name = 0; name < CONSOLE_NAMES; name++) {
		int node = console_node(fdt, name);
		enum err err = node >= 0 && node == refused ? ERR_NOT_FOUND : port_of_node(fdt, node, port);

		if (err == ERR_OK && (!accepted || accepted(port)))
			return ERR_OK;
		if (err == ERR_OK) {
			err = ERR_DENIED;
			refused = node;
		}
		if (first == ERR_NOT_FOUND)
			first = err;
	}
	return first;
}

/* A node below a port is what is wired to it. */
static bool may_be_unnamed(const void *fdt, int node)
{
	struct serial_port port;
	const struct uart_compatible *is = find_driver(fdt, node, &port);

	return is && is->unnamed && fdt_first_subnode(fdt, node) < 0;
}

enum err devicetree_guess_serial(const void *fdt, serial_filter accepted, struct serial_port *port)
{
	for (int node = fdt_next_node(fdt, 0, NULL); node >= 0; node = fdt_next_node(fdt, node, NULL))
		if (may_be_unnamed(fdt, node) && port_of_node(fdt, node, port) == ERR_OK && (!accepted || accepted(port)))
			return ERR_OK;
	return ERR_NOT_FOUND;
}
