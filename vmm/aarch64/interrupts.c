/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the guest. Where the machine's GIC has list registers, the guest's is of the same version, and its CPU interface is
 * the CPU's own: the list registers hold what is pending (lists.c). Elsewhere it has a GICv2 in software, which tells the CPU by
 * HCR_EL2.VI that there is an interrupt. Source: Arm ARM (DDI 0487), "Virtual interrupts", "HCR_EL2".
 */
#include "include/arch/virt.h"

#include "drivers/aarch64/guest_timers.h"
#include "vmm/aarch64/aarch64.h"
#include "vmm/devices/vgic_lists.h"
#include "vmm/run_queue.h"

/* With the devices' lock. One that is resident here enters its guest after vcpu_attend; it is not to be woken when it waits later.
 */
static void tell(struct vm *vm, unsigned cpu)
{
	struct vcpu *vcpu = vm->vcpu_table[cpu];

	if (arch_this_cpu()->resident == vcpu)
		__atomic_store_n(&vcpu->attention, 1, __ATOMIC_RELAXED);
	else
		sched_notify(vcpu);
}

static void set_line(struct device_table *table, unsigned line, bool level)
{
	vgic_set_line(&CONTAINER_OF(table, struct vm, devices)->arch.gic, line, level);
}

static struct vgic *common(struct vm *vm)
{
	return &vm->arch.gic;
}

static void notify(struct vgic *gic, unsigned cpu)
{
	tell(CONTAINER_OF(gic, struct vm, arch.gic), cpu);
}

/* --- In software ----------------------------------------------------------------------------------------------------- */

/* The lines of the timers of a vCPU that is resident here. */
static void sample_lines(struct vgic *gic, unsigned cpu)
{
	if (vgic_set_private(gic, cpu, GUEST_TIMER_LINES, timer_lines()) != 0)
		notify(gic, cpu);
}

/* Is an interrupt signalled to this vCPU? With the devices' lock. */
static bool update_software(struct vcpu *vcpu, uint32_t lines)
{
	struct vgicv2 *gic = &vcpu->vm->arch.gicv2;
	bool signalled;

	if (vcpu->id >= gic->gic.cpus)
		return false;
	vgic_set_private(&gic->gic, vcpu->id, GUEST_TIMER_LINES, lines);
	signalled = vgicv2_update(gic, vcpu->id);
	timer_open(lines);
	return signalled;
}

static void signal(bool signalled)
{
	write_sysreg(hcr_el2, (read_sysreg(hcr_el2) & ~HCR_VI) | (signalled ? HCR_VI : 0));
}

/*
 * It takes one, or ends one. What changes by it for other CPUs they are told; this one sees to itself. What is signalled is right
 * already, unless the lines have changed.
 */
static void access_interface(struct vcpu *vcpu, bool write, uint32_t *value)
{
	struct vgicv2 *gic = &vcpu->vm->arch.gicv2;
	uint32_t lines, change;
	unsigned n = vcpu->id;
	bool signalled;

	lines = timer_lines();
	spin_lock(&vcpu->vm->devices.lock);
	change = vgic_set_private(&gic->gic, n, GUEST_TIMER_LINES, lines);
	if (write) {
		vgicv2_end(gic, n, *value);
	} else {
		if (change != 0)
			vgicv2_update(gic, n);
		*value = vgicv2_acknowledge(gic, n);
	}
	signalled = gic->cpu[n].signalled;
	spin_unlock(&vcpu->vm->devices.lock);
	if (change != 0)
		timer_open(lines);
	signal(signalled);
}

bool interrupts_access(struct vcpu *vcpu, uint64_t gpa, bool write, uint32_t *value)
{
	struct vm *vm = vcpu->vm;

	if (guests_have_gicv3() || vcpu->id >= VGICV2_CPUS)
		return false;
	if (gpa == GUEST_GICD_BASE + GICD_SGIR && write) {
		spin_lock(&vm->devices.lock);
		vgicv2_send(&vm->arch.gicv2, vcpu->id, *value);
		spin_unlock(&vm->devices.lock);
		return true;
	}
	if (gpa != GUEST_GICC_BASE + (write ? GICC_EOIR : GICC_IAR) || lists_count() > 0)
		return false;
	access_interface(vcpu, write, value);
	return true;
}

/* --- By list registers ----------------------------------------------------------------------------------------------- */

static void sample_lists(struct vgic *gic, unsigned cpu)
{
	lists_take(gic, cpu);
	notify(gic, cpu);
}

/* What is pending is given to the CPU. With the devices' lock. */
static void update_lists(struct vcpu *vcpu, uint32_t lines)
{
	struct vgic *gic = &vcpu->vm->arch.gic;

	if (lists_update(gic, vcpu->id, lines))
		return;
	lists_take(gic, vcpu->id);
	vgic_set_private(gic, vcpu->id, GUEST_TIMER_LINES, lines);
	lists_give(gic, vcpu->id, lines);
}

/* What list registers hold of it is the CPU's own to change: if they hold nothing, nobody's lock is needed. */
static void take_all(struct vcpu *vcpu)
{
	struct vgic *gic = &vcpu->vm->arch.gic;

	if (gic->cpu[vcpu->id].used == 0 && !gic->cpu[vcpu->id].more) {
		interrupts_timers_ended(0);
		return;
	}
	spin_lock(&vcpu->vm->devices.lock);
	lists_take(gic, vcpu->id);
	vgic_offer(gic, vcpu->id);
	spin_unlock(&vcpu->vm->devices.lock);
}

void interrupts_put(struct vcpu *vcpu)
{
	if (lists_count() == 0)
		return;
	take_all(vcpu);
	lists_read_interface(&vcpu->arch.kept.interface);
	timer_open(0);
}

/*
 * Have the timers' lines not changed while the vCPU was away? Then what is signalled is known in software, and so is, with list
 * registers, that there is nothing to give. The lock is not needed: when any of that changes the vCPU gets attention.
 */
static bool is_as_before(struct vcpu *vcpu)
{
	const struct vgicv2 *gic = &vcpu->vm->arch.gicv2;
	uint32_t lines = timer_lines();

	if (vcpu->id >= gic->gic.cpus ||
	    (__atomic_load_n(&gic->gic.own[vcpu->id].level, __ATOMIC_RELAXED) & GUEST_TIMER_LINES) != lines ||
	    (lists_count() > 0 && !vgic_is_idle(&gic->gic, vcpu->id)))
		return false;
	timer_open(lines);
	if (lists_count() > 0)
		lists_give_nothing();
	else if (__atomic_load_n(&gic->cpu[vcpu->id].signalled, __ATOMIC_RELAXED))
		write_sysreg(hcr_el2, read_sysreg(hcr_el2) | HCR_VI);
	return true;
}

void interrupts_get(struct vcpu *vcpu)
{
	if (lists_count() > 0)
		lists_write_interface(&vcpu->arch.kept.interface);
	if (!is_as_before(vcpu))
		arch_vcpu_deliver(vcpu);
}

bool interrupts_sysreg_write(struct vcpu *vcpu, uint32_t id, uint64_t value)
{
	struct vgicv3 *gic = &vcpu->vm->arch.gicv3;

	if (!guests_have_gicv3() || (id != ICC_SGI0R && id != ICC_SGI1R && id != ICC_ASGI1R && id != ICC_DIR && id != ICC_SRE))
		return false;
	spin_lock(&vcpu->vm->devices.lock);
	if (id == ICC_DIR) {
		sample_lists(&gic->gic, vcpu->id);
		vgicv3_deactivate(gic, vcpu->id, value);
	} else if (id == ICC_SGI0R || id == ICC_SGI1R) {
		vgicv3_send(gic, vcpu->id, id == ICC_SGI1R, value);
	} /* ICC_ASGI1R_EL1 is for a second Security state; ICC_SRE_EL1 is as it is */
	spin_unlock(&vcpu->vm->devices.lock);
	return true;
}

bool interrupts_sysreg_read(uint32_t id, uint64_t *value)
{
	*value = ICC_SRE_SRE | ICC_SRE_NO_BYPASS;
	return guests_have_gicv3() && id == ICC_SRE;
}

/* --- Both ------------------------------------------------------------------------------------------------------------ */

static void attach(struct vm *vm)
{
	bool is_v3 = guests_have_gicv3();

	/* See map_interface. No RAM is in the same GiB: the tables of two levels are for that leaf alone. */
	vm->device_leaves = lists_gicv != 0;
	vm->device_tables = 2 * vm->device_leaves;

	vm->arch.gic.notify = notify;
	vm->arch.gic.sample = lists_count() > 0 ? sample_lists : sample_lines;
	device_add(&vm->devices, is_v3 ? &vm->arch.gicv3.distributor : &vm->arch.gicv2.distributor);
	device_add(&vm->devices, is_v3 ? &vm->arch.gicv3.redistributors : &vm->arch.gicv2.interface);
	vm->devices.set_line = set_line;
}

/*
 * The first page of a GICv2's CPU interface is the virtual one of whichever CPU accesses it; no hypervisor's, and no memory. What
 * is in the second page is served by vgicv2.c. A fork has it with all else of the space.
 */
static enum err map_interface(struct vm *vm)
{
	const struct npt_attr attr = { .prot = NPT_RW, .memtype = NPT_UC };

	if (lists_gicv == 0)
		return ERR_OK;
	return addr_space_map_linear(&vm->as, GPA(GUEST_GICC_BASE), HPA(lists_gicv), PAGE_SIZE, attr);
}

enum err interrupts_init(struct vm *vm)
{
	unsigned vcpus = vm->options.vcpus;

	if (guests_have_gicv3())
		vgicv3_init(&vm->arch.gicv3, vcpus, lists_count(), GUEST_GICD_BASE, GUEST_GICR_BASE);
	else
		vgicv2_init(&vm->arch.gicv2, (unsigned)min_u64(vcpus, VGICV2_CPUS), lists_count(), GUEST_GICD_BASE,
			    GUEST_GICC_BASE);
	attach(vm);
	if (vcpus > common(vm)->cpus)
		log_vm_warn(vm, "a GICv2, which guests have on this machine, has %u CPUs: vCPUs from %u on get no interrupts",
			    VGICV2_CPUS, VGICV2_CPUS);
	return map_interface(vm);
}

void interrupts_fork(struct vm *child, const struct vm *parent)
{
	if (guests_have_gicv3())
		vgicv3_fork(&child->arch.gicv3, &parent->arch.gicv3);
	else
		vgicv2_fork(&child->arch.gicv2, &parent->arch.gicv2);
	attach(child);
}

void arch_vcpu_deliver(struct vcpu *vcpu)
{
	uint32_t lines = timer_lines();
	bool signalled = false;

	spin_lock(&vcpu->vm->devices.lock);
	if (lists_count() > 0)
		update_lists(vcpu, lines);
	else
		signalled = update_software(vcpu, lines);
	spin_unlock(&vcpu->vm->devices.lock);
	if (lists_count() == 0)
		signal(signalled);
}

/*
 * What is signalled after this wakes the vCPU; what was before need not any more. A timer whose line is high but that is not
 * signalled will not be so by itself.
 */
bool interrupts_wait(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	const struct vgic_bank *own = &vm->arch.gic.own[vcpu->id];
	bool signalled;

	__atomic_store_n(&vcpu->woken, false, __ATOMIC_RELAXED);
	arch_vcpu_deliver(vcpu);
	if (lists_count() > 0)
		signalled = vm->arch.gic.cpu[vcpu->id].used > 0 && lists_signal(&vm->arch.gic, vcpu->id);
	else
		signalled = read_sysreg(hcr_el2) & HCR_VI;
	if (!signalled)
		vcpu->wake_at = vcpu->id < common(vm)->cpus ? timer_wakes_at(own->enabled & ~own->level) : NEVER;
	return !signalled;
}
