/* SPDX-License-Identifier: BSD-2-Clause */
/* Owning an x86-64 machine: interrupts silenced, our own map, our own stack. */
#include "include/arch/machine.h"

#include "include/arch/x86_64/cpu.h"
#include "include/arch/x86_64/insn.h"
#include "include/arch/x86_64/msr.h"

/* Data ports of the two 8259A interrupt controllers: a write sets the mask. Intel 8259A data sheet, OCW1. */
#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1

/* Spurious-interrupt vector register. Intel SDM vol. 3 "Local APIC Registers", "Spurious Interrupt". */
#define APIC_SVR         0xf0
#define X2APIC_SVR       (IA32_X2APIC_FIRST + (APIC_SVR >> 4))
#define APIC_SVR_ENABLED BIT(8)

/* CPUID leaf 8000_0001: AMD APM vol. 3 "CPUID Fn8000_0001". */
#define CPUID_EXT_1_EDX_NX      BIT(20)
#define CPUID_EXT_1_EDX_PAGE1GB BIT(26)

/* UEFI's x64 programs run in 64-bit mode at privilege level 0, whatever the machine. */
enum err arch_mode_check(const char **why)
{
	(void)why;
	return ERR_OK;
}

void arch_quiesce(void)
{
	uint64_t base = rdmsr(IA32_APIC_BASE);

	cli();
	outb(PIC1_DATA, 0xff);
	outb(PIC2_DATA, 0xff);
	/* A local APIC disabled by software takes no interrupt but NMI, INIT and SIPI, and masks its own sources. */
	if ((base & APIC_BASE_EN) && (base & APIC_BASE_EXTD)) {
		wrmsr(X2APIC_SVR, rdmsr(X2APIC_SVR) & ~APIC_SVR_ENABLED);
	} else if (base & APIC_BASE_EN) {
		volatile uint32_t *svr = (volatile uint32_t *)(uintptr_t)((base & BITS(51, 12)) + APIC_SVR);

		*svr = (uint32_t)(*svr & ~APIC_SVR_ENABLED);
	}
}

const struct npt_ops *arch_host_map_config(struct npt_config *config)
{
	bool big = cpuid(0x80000001, 0).edx & CPUID_EXT_1_EDX_PAGE1GB;

	*config = (struct npt_config){
		.levels = read_cr4() & CR4_LA57 ? 5 : 4, /* as the firmware left it: it cannot be changed in long mode */
		.gpa_bits = 47,                          /* one to one ends where addresses are sign-extended */
		.hpa_bits = (uint8_t)cpuid(0x80000008, 0).eax,
		.max_leaf = big ? 2 : 1,
		.hardware_ad = true,
		.page_memtypes = true,
	};
	if (config->levels == 5)
		config->gpa_bits = 56;
	return &npt_x86_host;
}

/* Every x86-64 CPU with VMX or SVM has NX; SMEP and SMAP keep us from pages of a guest's, had we mapped them as user's. */
void arch_host_map_activate(hpa_t root)
{
	struct cpuid_regs features = cpuid(7, 0);
	uint64_t cr4 = read_cr4() & ~CR4_PCIDE;

	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
	/* Only entries that no page uses yet differ from the reset value, so no cache needs flushing. */
	wrmsr(IA32_PAT, HOST_PAT);
	write_cr3(root.raw);
	write_cr0(read_cr0() | CR0_WP);
	if (features.ebx & CPUID_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (features.ebx & CPUID_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	write_cr4(cr4 & ~CR4_PGE); /* and so flush global entries of the firmware's */
}

void arch_zero_pages(void *pages, uint64_t size)
{
	uint64_t words = size / sizeof(uint64_t);

	__asm__ volatile("rep stosq" : "+D"(pages), "+c"(words) : "a"(0) : "memory");
}

/* The CPU moves whole cache lines: Intel, "Optimization Reference Manual", "Fast-String". newlib's memcpy goes word by word. */
void arch_copy_page(void *to, const void *from)
{
	uint64_t words = PAGE_SIZE / sizeof(uint64_t);

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

void arch_switch_stack(void *stack_top, void (*entry)(void))
{
	/* The null return address ends a stack trace, and aligns the stack as after a call. */
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "push $0\n\t"
			 "jmp *%1"
			 :
			 : "r"(stack_top), "r"(entry)
			 : "memory");
	__builtin_unreachable();
}

/* None that all machines have. */
void arch_power_off(void)
{
}

void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}
