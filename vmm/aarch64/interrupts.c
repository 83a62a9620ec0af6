/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the guest. Where the machine has a GICv3, the guest has one, too, whose CPU interface is the CPU's own: its list
 * registers hold what is pending (lists.c). Elsewhere it has a GICv2 in software, which tells the CPU by HCR_EL2.VI that there is
 * an interrupt. Source: Arm ARM (DDI 0487), "Virtual interrupts", "HCR_EL2".
 */
#include "include/arch/virt.h"

#include "vmm/aarch64/aarch64.h"
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

/* --- GICv2 ----------------------------------------------------------------------------------------------------------- */

static void notify_v2(struct vgicv2 *gic, unsigned cpu)
{
	tell(CONTAINER_OF(gic, struct vm, arch.gicv2), cpu);
}

/* The lines of the timers of a vCPU that is resident here. */
static void sample_v2(struct vgicv2 *gic, unsigned cpu)
{
	if (vgic_set_private(&gic->gic, cpu, GUEST_TIMER_LINES, timer_lines()) != 0)
		tell(CONTAINER_OF(gic, struct vm, arch.gicv2), cpu);
}

static void attach_v2(struct vm *vm)
{
	struct vgicv2 *gic = &vm->arch.gicv2;

	gic->notify = notify_v2;
	gic->sample = sample_v2;
	device_add(&vm->devices, &gic->distributor);
	device_add(&vm->devices, &gic->interface);
}

/* Is an interrupt signalled to this vCPU? With the devices' lock. */
static bool update_v2(struct vcpu *vcpu, uint32_t lines)
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
 * What a guest does for each interrupt. What changes by it for other CPUs they are told; this one sees to itself. What is signalled
 * is right already, unless the lines have changed.
 */
bool interrupts_access(struct vcpu *vcpu, uint64_t gpa, bool write, uint32_t *value)
{
	struct vgicv2 *gic = &vcpu->vm->arch.gicv2;
	uint32_t lines, change;
	unsigned n = vcpu->id;
	bool signalled;

	if (gpa != GUEST_GICC_BASE + (write ? GICC_EOIR : GICC_IAR) || n >= VGICV2_CPUS || lists_count() > 0)
		return false;
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
	return true;
}

/* --- GICv3 ----------------------------------------------------------------------------------------------------------- */

static void notify_v3(struct vgicv3 *gic, unsigned cpu)
{
	tell(CONTAINER_OF(gic, struct vm, arch.gicv3), cpu);
}

static void sample_v3(struct vgicv3 *gic, unsigned cpu)
{
	lists_take(gic, cpu);
	tell(CONTAINER_OF(gic, struct vm, arch.gicv3), cpu);
}

static void attach_v3(struct vm *vm)
{
	struct vgicv3 *gic = &vm->arch.gicv3;

	gic->notify = notify_v3;
	gic->sample = sample_v3;
	device_add(&vm->devices, &gic->distributor);
	device_add(&vm->devices, &gic->redistributors);
}

/* What is pending is given to the CPU. With the devices' lock. */
static void update_v3(struct vcpu *vcpu, uint32_t lines)
{
	struct vgicv3 *gic = &vcpu->vm->arch.gicv3;

	if (lists_update(gic, vcpu->id, lines))
		return;
	lists_take(gic, vcpu->id);
	vgic_set_private(&gic->gic, vcpu->id, GUEST_TIMER_LINES, lines);
	lists_give(gic, vcpu->id, lines);
}

void interrupts_put(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (lists_count() > 0) {
		spin_lock(&vm->devices.lock);
		lists_take(&vm->arch.gicv3, vcpu->id);
		spin_unlock(&vm->devices.lock);
		lists_read_interface(&vcpu->arch.kept.interface);
		timer_open(0);
	}
}

/*
 * Of a GICv2: have the timers' lines not changed while the vCPU was away? Then what is signalled is known, and the lock is not
 * needed: when that changes the vCPU gets attention.
 */
static bool is_as_before(struct vcpu *vcpu)
{
	const struct vgicv2 *gic = &vcpu->vm->arch.gicv2;
	uint32_t lines = timer_lines();

	if (vcpu->id >= gic->gic.cpus ||
	    (__atomic_load_n(&gic->gic.own[vcpu->id].level, __ATOMIC_RELAXED) & GUEST_TIMER_LINES) != lines)
		return false;
	timer_open(lines);
	if (__atomic_load_n(&gic->cpu[vcpu->id].signalled, __ATOMIC_RELAXED))
		write_sysreg(hcr_el2, read_sysreg(hcr_el2) | HCR_VI);
	return true;
}

void interrupts_get(struct vcpu *vcpu)
{
	if (lists_count() > 0)
		lists_write_interface(&vcpu->arch.kept.interface);
	else if (is_as_before(vcpu))
		return;
	arch_vcpu_deliver(vcpu);
}

bool interrupts_sysreg_write(struct vcpu *vcpu, uint32_t id, uint64_t value)
{
	struct vgicv3 *gic = &vcpu->vm->arch.gicv3;

	if (lists_count() == 0 || (id != ICC_SGI0R && id != ICC_SGI1R && id != ICC_ASGI1R && id != ICC_DIR && id != ICC_SRE))
		return false;
	spin_lock(&vcpu->vm->devices.lock);
	if (id == ICC_DIR) {
		sample_v3(gic, vcpu->id);
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
	return lists_count() > 0 && id == ICC_SRE;
}

/* --- Both ------------------------------------------------------------------------------------------------------------ */

static void attach(struct vm *vm)
{
	if (lists_count() > 0)
		attach_v3(vm);
	else
		attach_v2(vm);
	vm->devices.set_line = set_line;
}

void interrupts_init(struct vm *vm)
{
	unsigned vcpus = vm->options.vcpus;

	if (lists_count() > 0)
		vgicv3_init(&vm->arch.gicv3, vcpus, lists_count(), GUEST_GICD_BASE, GUEST_GICR_BASE);
	else
		vgicv2_init(&vm->arch.gicv2, (unsigned)min_u64(vcpus, VGICV2_CPUS), GUEST_GICD_BASE, GUEST_GICC_BASE);
	attach(vm);
	if (vcpus > common(vm)->cpus)
		log_vm_warn(vm, "a GICv2, which guests have on this machine, has %u CPUs: vCPUs from %u on get no interrupts",
			    VGICV2_CPUS, VGICV2_CPUS);
}

void interrupts_fork(struct vm *child, const struct vm *parent)
{
	if (lists_count() > 0)
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
		update_v3(vcpu, lines);
	else
		signalled = update_v2(vcpu, lines);
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
		signalled = vm->arch.gicv3.cpu[vcpu->id].used > 0 && lists_signal(&vm->arch.gicv3, vcpu->id);
	else
		signalled = read_sysreg(hcr_el2) & HCR_VI;
	if (!signalled)
		vcpu->wake_at = vcpu->id < common(vm)->cpus ? timer_wakes_at(own->enabled & ~own->level) : NEVER;
	return !signalled;
}
