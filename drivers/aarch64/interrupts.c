/* SPDX-License-Identifier: BSD-2-Clause */
/* include/arch/cpu.h: interrupts of the hypervisor's own, by whatever controller the machine has, and the timer that makes some. */
#include "drivers/aarch64/interrupts.h"

#include "drivers/aarch64/controller.h"
#include "drivers/aarch64/guest_timers.h"
#include "include/arch/aarch64/e2h.h"
#include "include/arch/cpu.h"
#include "include/arch/machine.h"
#include "include/panic.h"

/* Without a controller: so many in a row without an instruction of the guest between them are too many. */
#define IN_A_ROW 64

static struct controller controller; /* constant once the machine is taken over */

void interrupts_find(const struct platform *platform)
{
	if (!controller_find(platform, &controller))
		interrupts_forget();
}

bool interrupts_region(unsigned n, hpa_t *start, uint64_t *size)
{
	if (!controller.driver || n >= controller.regions)
		return false;
	*start = HPA(controller.region[n].start);
	*size = controller.region[n].size;
	return true;
}

void interrupts_forget(void)
{
	controller = (struct controller){ 0 };
}

void interrupts_refuse(unsigned n)
{
	if (controller.driver == &gicv2 && n >= GICV2_CONTROL)
		controller.regions = GICV2_CONTROL;
	else
		interrupts_forget();
}

enum err arch_interrupts_start(const char **why)
{
	struct cpu *cpu = arch_this_cpu();
	enum err err;

	if (controller.driver) {
		err = controller.driver->start(&controller, cpu, why);
		cpu->arch.has_interrupts = err == ERR_OK;
		return err;
	}
	*why = "the machine's tables name no interrupt controller that there is a driver for (GICv2, GICv3, bcm2836)";
	return ERR_UNSUPPORTED;
}

/*
 * Without a controller nobody has asked for an interrupt, and nobody can say which one it is. What can be silenced are the timers
 * that a guest may have started.
 */
static void silence_guest_timers(void)
{
	static unsigned in_a_row; /* there is one CPU */
	static uint64_t last_pc;
	uint64_t pc = read_sysreg(elr_el2);

	write_guest_sysreg(cntv_ctl_el0, read_guest_sysreg(cntv_ctl_el0) | CNT_CTL_IMASK);
	write_guest_sysreg(cntp_ctl_el0, read_guest_sysreg(cntp_ctl_el0) | CNT_CTL_IMASK);
	isb();
	in_a_row = pc == last_pc ? in_a_row + 1 : 1;
	last_pc = pc;
	if (in_a_row > IN_A_ROW)
		panic("an interrupt of the machine's comes again and again, and nothing here can silence it");
}

_Static_assert((int)CONTROLLER_TIMER == (int)CPU_EVENT_TIMER && (int)CONTROLLER_IPI == (int)CPU_EVENT_IPI &&
		       (int)CONTROLLER_GUEST == (int)CPU_EVENT_GUEST,
	       "what a driver has taken is what arch_interrupts_take returns");

unsigned arch_interrupts_take(void)
{
	unsigned events = 0;

	if (!controller.driver) {
		silence_guest_timers();
		return CPU_EVENT_GUEST;
	}
	events = controller.driver->take(&controller, arch_this_cpu());
	if (events & CONTROLLER_STOP)
		arch_halt();
	return events;
}

void interrupts_change_timers(struct cpu *cpu, unsigned open)
{
	if (!cpu->arch.has_interrupts)
		return;
	cpu->arch.open_timers = (uint8_t)open;
	controller.driver->open_timers(&controller, cpu, open);
}

bool interrupts_have_lists(struct interrupts_lists *lists)
{
	*lists = (struct interrupts_lists){ 0 };
	if (!controller.driver || !controller.driver->has_lists || !controller.driver->has_lists(&controller))
		return false;
	controller.lists = true;
	for (unsigned i = 0; i < GUEST_TIMERS; i++)
		lists->timers[i] = controller.guest_timer[i];
	if (controller.driver == &gicv2) {
		lists->gich = controller.region[GICV2_CONTROL].start;
		lists->gicv = controller.region[GICV2_GUEST_INTERFACE].start;
	}
	return true;
}

void interrupts_listen_to_lists(bool listen)
{
	gicv2_listen_to_lists(&controller, listen);
}

/* What was stored is there for the other CPU before it is interrupted. */
void arch_ipi_send(const struct cpu *to)
{
	dsb(ishst);
	controller.driver->send(&controller, to);
}

void arch_cpus_stop(void)
{
	dsb(ishst);
	if (controller.driver)
		controller.driver->stop(&controller, arch_this_cpu());
}

void arch_timer_set(uint64_t deadline)
{
	if (deadline != UINT64_MAX)
		write_sysreg(cnthp_cval_el2, deadline);
	write_sysreg(cnthp_ctl_el2, deadline != UINT64_MAX ? CNT_CTL_ENABLE : 0);
	isb();
}

uint64_t arch_clock_frequency(void)
{
	return read_sysreg(cntfrq_el0);
}

/* An interrupt that is pending ends it although it is masked: Arm ARM (DDI 0487), "Wait for Interrupt". */
void arch_cpu_wait(void)
{
	dsb(sy);
	__asm__ volatile("wfi" : : : "memory");
}

void arch_cpu_pause(void)
{
	__asm__ volatile("yield" : : : "memory");
}
