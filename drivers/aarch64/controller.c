/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources: the bindings interrupt-controller/arm,gic.yaml, arm,gic-v3.yaml, brcm,bcm2836-l1-intc.yaml,
 * brcm,bcm2835-armctrl-ic.yaml and timer/arm,arch_timer.yaml in Linux' Documentation/devicetree/bindings; ACPI specification 6.4,
 * 5.2.24 "Generic Timer Description Table (GTDT)", and madt.h.
 */
#include "drivers/aarch64/controller.h"

#include <libfdt.h>
#include <string.h>

#include "drivers/aarch64/madt.h"
#include "drivers/acpi.h"
#include "drivers/acpi_madt.h"
#include "drivers/devicetree.h"

/* Arm BSA (DEN0094), "PPI assignments". */
#define TIMER_USUAL          26
#define TIMER_VIRTUAL_USUAL  27
#define TIMER_PHYSICAL_USUAL 30
#define MAINTENANCE_USUAL    25

/* The first PPI, and how many there are. */
#define PPI_FIRST 16
#define PPI_COUNT 16

/* Of an interrupt, if nothing says how many; and more than any controller has. */
#define INTERRUPT_CELLS     3
#define INTERRUPT_CELLS_MAX 8

#define GICD_BYTES_V2     KIB(4)
#define GICD_BYTES_V3     KIB(64)
#define GICC_BYTES        KIB(4) /* all but GICC_DIR, which is not used */
#define GICC_LEAST        0x100  /* some trees give it no more, which has all that is used */
#define GICH_LEAST        0x200
#define GICH_BYTES        KIB(4)
#define GICV_BYTES        KIB(4) /* what guests get of it: they must find nothing else in the page */
#define GICR_FRAME_BYTES  KIB(64)
#define GICR_FRAMES_BYTES KIB(128)
#define REGION_MOST       GIB(1) /* far more than redistributors of all CPUs take */

enum { GTDT_EL1_TIMER = 56, GTDT_VIRTUAL_TIMER = 64, GTDT_EL2_TIMER = 72 };

static bool overlaps(const struct controller_region *a, const struct controller_region *b)
{
	return a->start < b->start + b->size && b->start < a->start + a->size;
}

/*
 * What list registers of a GICv2 need is there, as it seems, or is left out: the control interface and the guest's, each in pages
 * of its own.
 */
static void settle_lists(struct controller *controller)
{
	const struct controller_region *region = controller->region;
	bool fit = controller->regions == GICV2_GUEST_INTERFACE + 1;

	for (unsigned i = 0; i < controller->regions; i++)
		for (unsigned j = GICV2_CONTROL; j < controller->regions; j++)
			fit = fit && (i == j || !overlaps(&region[i], &region[j]));
	if (!fit)
		controller->regions = (unsigned)min_u64(controller->regions, GICV2_CONTROL);
}

/* Pages, so that the hypervisor's map can have them. False: no registers can be there. */
static bool add_region(struct controller *controller, uint64_t start, uint64_t size)
{
	uint64_t end;

	if (controller->regions == CONTROLLER_REGIONS || start == 0 || size == 0 || size > REGION_MOST ||
	    !is_aligned(start, PAGE_SIZE) || __builtin_add_overflow(start, size, &end) || end > BIT(48))
		return false;
	controller->region[controller->regions++] = (struct controller_region){ start, align_up(size, PAGE_SIZE) };
	return true;
}

static bool add_reg(struct controller *controller, const void *fdt, int node, unsigned n, uint64_t least)
{
	uint64_t start, size;

	return devicetree_reg(fdt, node, n, &start, &size) == ERR_OK && size >= least && add_region(controller, start, size);
}

/* The first node that is enabled. */
static int find_node(const void *fdt, const char *compatible)
{
	int node = fdt_node_offset_by_compatible(fdt, -1, compatible);

	while (node >= 0 && !devicetree_is_enabled(fdt, node))
		node = fdt_node_offset_by_compatible(fdt, node, compatible);
	return node;
}

static bool start_over(struct controller *controller, const struct controller_driver *driver)
{
	*controller = (struct controller){
		.driver = driver,
		.timer = TIMER_USUAL,
		.maintenance = MAINTENANCE_USUAL,
		.guest_timer = { [GUEST_TIMER_VIRTUAL] = TIMER_VIRTUAL_USUAL, [GUEST_TIMER_PHYSICAL] = TIMER_PHYSICAL_USUAL },
	};
	return true;
}

/* Two cells, or one. 0: there is no such property. */
static uint64_t number(const void *fdt, int node, const char *name)
{
	int length;
	const void *value = fdt_getprop(fdt, node, name, &length);

	if (value && length == sizeof(fdt64_t))
		return fdt64_ld(value);
	return value && length == sizeof(fdt32_t) ? fdt32_ld(value) : 0;
}

/* Cells of an interrupt of this controller. */
static int interrupt_cells(const void *fdt, uint32_t phandle)
{
	int node = fdt_node_offset_by_phandle(fdt, phandle);
	uint64_t cells = node >= 0 ? number(fdt, node, "#interrupt-cells") : 0;

	return cells >= 1 && cells <= INTERRUPT_CELLS_MAX ? (int)cells : 0;
}

/* "interrupt-parent" holds for all that is below. */
static int parents_cells(const void *fdt, int node)
{
	for (; node >= 0; node = fdt_parent_offset(fdt, node))
		if (fdt_getprop(fdt, node, "interrupt-parent", NULL))
			return interrupt_cells(fdt, (uint32_t)number(fdt, node, "interrupt-parent"));
	return INTERRUPT_CELLS;
}

/*
 * The n-th interrupt of a node: a type, a number, and more. In "interrupts" all are of one controller, in "interrupts-extended"
 * each names its own. NULL: there is none. Devicetree Specification 0.4, "Properties for Interrupt Generating Devices".
 */
static const fdt32_t *find_interrupt(const void *fdt, int node, int n)
{
	int length, names = 1, count = 0;
	const fdt32_t *cells = fdt_getprop(fdt, node, "interrupts-extended", &length);

	if (!cells) {
		cells = fdt_getprop(fdt, node, "interrupts", &length);
		names = 0;
		count = cells ? parents_cells(fdt, node) : 0;
	}
	for (length = cells ? length / (int)sizeof(*cells) : 0; length > 0; n--) {
		if (names)
			count = interrupt_cells(fdt, fdt32_ld(cells));
		if (count < 2 || length < names + count)
			return NULL;
		if (n == 0)
			return cells + names;
		cells += names + count;
		length -= names + count;
	}
	return NULL;
}

/* Type 1 is a PPI. */
static void read_ppi(const void *fdt, int node, int n, unsigned *ppi)
{
	const fdt32_t *cells = find_interrupt(fdt, node, n);

	if (cells && fdt32_ld(&cells[0]) == 1 && fdt32_ld(&cells[1]) < PPI_COUNT)
		*ppi = PPI_FIRST + fdt32_ld(&cells[1]);
}

static bool tree_has_gicv3(const void *fdt, struct controller *controller)
{
	int node = find_node(fdt, "arm,gic-v3");
	uint64_t redistributors;

	if (node < 0 || !start_over(controller, &gicv3) || !add_reg(controller, fdt, node, 0, GICD_BYTES_V3))
		return false;
	controller->stride = number(fdt, node, "redistributor-stride");
	if (controller->stride % GICR_FRAME_BYTES != 0)
		return false;
	read_ppi(fdt, node, 0, &controller->maintenance);
	redistributors = max_u64(number(fdt, node, "#redistributor-regions"), 1);
	for (unsigned i = 0; i < redistributors; i++)
		if (!add_reg(controller, fdt, node, i + 1, GICR_FRAMES_BYTES))
			return false;
	return true;
}

static bool tree_has_gicv2(const void *fdt, struct controller *controller)
{
	static const char *const names[] = { "arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a9-gic", "arm,cortex-a7-gic",
					     "qcom,msm-qgic2" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int node = find_node(fdt, names[i]);

		if (node < 0 || !start_over(controller, &gicv2) || !add_reg(controller, fdt, node, 0, GICD_BYTES_V2) ||
		    !add_reg(controller, fdt, node, 1, GICC_LEAST))
			continue;
		if (add_reg(controller, fdt, node, 2, GICH_LEAST))
			(void)add_reg(controller, fdt, node, 3, GICV_BYTES);
		settle_lists(controller);
		read_ppi(fdt, node, 0, &controller->maintenance);
		return true;
	}
	return false;
}

/* The peripherals' own controller is behind it; without it there are none that could interrupt. */
static bool tree_has_bcm2836(const void *fdt, struct controller *controller)
{
	int node = find_node(fdt, "brcm,bcm2836-l1-intc"), behind = find_node(fdt, "brcm,bcm2836-armctrl-ic");
	uint64_t start, size;

	if (node < 0 || !start_over(controller, &bcm2836) || !add_reg(controller, fdt, node, 0, 0x100))
		return false;
	/* Its few registers begin within a page. */
	if (behind < 0 || devicetree_reg(fdt, behind, 0, &start, &size) != ERR_OK)
		return true;
	controller->offset = start % PAGE_SIZE;
	return size >= 0x28 && controller->offset + size <= PAGE_SIZE &&
	       add_region(controller, align_down(start, PAGE_SIZE), PAGE_SIZE);
}

/* Those of EL3, EL1, the virtual and EL2's timer, in this order. */
static void read_timer(const void *fdt, struct controller *controller)
{
	enum { EL1_TIMER = 1, VIRTUAL_TIMER = 2, EL2_TIMER = 3 };
	int node = find_node(fdt, "arm,armv8-timer");

	if (node < 0 || !find_interrupt(fdt, node, EL2_TIMER))
		return;
	read_ppi(fdt, node, EL2_TIMER, &controller->timer);
	read_ppi(fdt, node, EL1_TIMER, &controller->guest_timer[GUEST_TIMER_PHYSICAL]);
	read_ppi(fdt, node, VIRTUAL_TIMER, &controller->guest_timer[GUEST_TIMER_VIRTUAL]);
}

static bool find_in_tree(const void *fdt, struct controller *controller)
{
	if (!tree_has_gicv3(fdt, controller) && !tree_has_gicv2(fdt, controller) && !tree_has_bcm2836(fdt, controller))
		return false;
	read_timer(fdt, controller);
	return true;
}

/* --- ACPI ----------------------------------------------------------------------------------------------------------- */

/* What the table says of all its parts, in whatever order. */
struct gic {
	bool is_there;
	unsigned version;
	unsigned maintenance;
	uint64_t distributor, cpu_interface; /* all CPUs' interfaces are at one place */
	uint64_t control, guest_interface;   /* GICH and GICV of a GICv2: the same */
	struct controller ranges, each;      /* redistributors, by ranges of them or one for each CPU */
};

static void visit_madt(uint8_t type, const uint8_t *entry, size_t size, void *context)
{
	struct gic *gic = context;

	switch (type) {
	case MADT_GICD:
		gic->is_there = true;
		gic->distributor = madt_field(entry, size, GICD_BASE, 8);
		gic->version = (unsigned)madt_field(entry, size, GICD_VERSION, 1);
		break;
	case MADT_GICR:
		(void)add_region(&gic->ranges, madt_field(entry, size, GICR_BASE, 8), madt_field(entry, size, GICR_LENGTH, 4));
		break;
	case MADT_GICC:
		if (gic->cpu_interface == 0) {
			gic->cpu_interface = madt_field(entry, size, GICC_BASE, 8);
			gic->control = madt_field(entry, size, GICC_GICH_BASE, 8);
			gic->guest_interface = madt_field(entry, size, GICC_GICV_BASE, 8);
		}
		gic->maintenance = (unsigned)madt_field(entry, size, GICC_MAINTENANCE, 4);
		(void)add_region(&gic->each, madt_field(entry, size, GICC_GICR_BASE, 8), GICR_FRAMES_BYTES);
		break;
	}
}

static bool add_redistributors(struct controller *controller, const struct controller *from)
{
	for (unsigned i = 0; i < from->regions; i++)
		if (!add_region(controller, from->region[i].start, from->region[i].size))
			return false;
	return from->regions > 0;
}

static void read_gsiv(const char *gtdt, size_t offset, unsigned *ppi)
{
	uint32_t gsiv;

	memcpy(&gsiv, gtdt + offset, sizeof(gsiv));
	if (gsiv >= PPI_FIRST && gsiv < PPI_FIRST + PPI_COUNT)
		*ppi = gsiv;
}

static void read_gtdt(const struct platform *platform, struct controller *controller)
{
	const void *gtdt;
	size_t size;

	if (acpi_find_table(platform->acpi_rsdp, platform->acpi_reader, "GTDT", &gtdt, &size) != ERR_OK ||
	    size < GTDT_EL2_TIMER + sizeof(uint32_t))
		return;
	read_gsiv(gtdt, GTDT_EL2_TIMER, &controller->timer);
	read_gsiv(gtdt, GTDT_EL1_TIMER, &controller->guest_timer[GUEST_TIMER_PHYSICAL]);
	read_gsiv(gtdt, GTDT_VIRTUAL_TIMER, &controller->guest_timer[GUEST_TIMER_VIRTUAL]);
}

/* Version 0 is "look at the hardware", and of tables from before there was a GICv3: this one has redistributors. */
static bool is_gicv3(const struct gic *gic)
{
	return gic->version >= 3 || (gic->version == 0 && gic->ranges.regions + gic->each.regions > 0);
}

/* The table says where they are; that they are as large as usual is taken for granted. */
static bool add_interfaces(struct controller *controller, const struct gic *gic)
{
	if (!add_region(controller, gic->cpu_interface, GICC_BYTES))
		return false;
	if (add_region(controller, gic->control, GICH_BYTES))
		(void)add_region(controller, gic->guest_interface, GICV_BYTES);
	settle_lists(controller);
	return true;
}

static bool find_in_madt(const struct platform *platform, struct controller *controller)
{
	static struct gic gic; /* too large for the stack; there is one CPU yet */
	bool is_v3;

	gic = (struct gic){ 0 };
	if (madt_visit(platform->acpi_rsdp, platform->acpi_reader, visit_madt, &gic) != ERR_OK || !gic.is_there)
		return false;
	is_v3 = is_gicv3(&gic);
	start_over(controller, is_v3 ? &gicv3 : &gicv2);
	if (!add_region(controller, gic.distributor, is_v3 ? GICD_BYTES_V3 : GICD_BYTES_V2))
		return false;
	if (is_v3 ? !add_redistributors(controller, gic.ranges.regions > 0 ? &gic.ranges : &gic.each) :
		    !add_interfaces(controller, &gic))
		return false;
	if (gic.maintenance >= PPI_FIRST && gic.maintenance < PPI_FIRST + PPI_COUNT)
		controller->maintenance = gic.maintenance;
	read_gtdt(platform, controller);
	return true;
}

bool controller_find(const struct platform *platform, struct controller *controller)
{
	if (platform->fdt && find_in_tree(platform->fdt, controller))
		return true;
	return platform->acpi_rsdp && find_in_madt(platform, controller);
}
