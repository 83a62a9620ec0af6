/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts vCPUs as an operating system does, by INIT and start-up IPIs: one through the local APIC's page, the next through the MSRs
 * of x2APIC mode. They begin in real mode and find their way to 64-bit code. Wants three vCPUs.
 */
#include "tests/guests/check.h"
#include "tests/guests/x86_64/cpu.h"

#define LOW        0x20000 /* a page below 1 MiB, for code of real mode; what vCPUs tell and are told is at its end */
#define LOW_VECTOR (LOW >> 12)
#define VCPUS      3

#define APIC_BASE    0x1b
#define APIC_PAGE    0xfee00000
#define APIC_ENABLED (1ul << 11)
#define APIC_X2      (1ul << 10)
#define APIC_BOOT    (1ul << 8)
#define ICR_SMI      0x200
#define ICR_INIT     0x500
#define ICR_STARTUP  0x600
#define ICR_ASSERT   0x4000
#define ICR_LEVEL    0x8000
#define ICR_OTHERS   0xc0000
#define VERSION      0x50014

/* At LOW + 0x800. The code below knows the layout. */
struct mail {
	uint32_t id; /* as the vCPU finds it in real mode */
	uint32_t edx;
	uint32_t cr3;
	uint32_t unused;
	uint16_t gdt_limit;
	uint32_t gdt_base;
} __attribute__((packed));
#define MAIL ((volatile struct mail *)(LOW + 0x800))

static struct {
	uint32_t apic_id, topology_id, page_id;
	uint64_t base;
	uint32_t started; /* how many times */
} told[VCPUS];

void begin_64bit(void);
extern const char low_code[], low_code_end[];

__asm__("	.section .rodata.low_code, \"a\", %progbits\n"
	"low_code:\n"
	"	.code16\n"
	"	movw	%cs, %ax\n"
	"	movw	%ax, %ds\n"
	"	movl	%edx, 0x804\n"
	"	movl	$1, %eax\n"
	"	cpuid\n"
	"	shrl	$24, %ebx\n"
	"	movl	%ebx, 0x800\n"
	"	movl	0x808, %eax\n"
	"	movl	%eax, %cr3\n"
	"	movl	$0x620, %eax\n"
	"	movl	%eax, %cr4\n"
	"	movl	$0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	orl	$0x100, %eax\n"
	"	wrmsr\n"
	"	lgdtl	0x810\n"
	"	movl	$0x80010033, %eax\n"
	"	movl	%eax, %cr0\n"
	"	ljmpl	$0x10, $code_64\n"
	"low_code_end:\n"
	"	.section .text.code_64, \"ax\", %progbits\n"
	"	.code64\n"
	"code_64:\n"
	"	movl	$0x18, %eax\n"
	"	movw	%ax, %ds\n	movw	%ax, %es\n	movw	%ax, %ss\n"
	"	movl	$low_stack, %esp\n"
	"	call	begin_64bit\n"
	"1:	hlt\n"
	"	jmp	1b\n"
	"	.section .bss.low_stack, \"aw\", %nobits\n"
	"	.balign	16\n"
	"	.skip	4096\n"
	"low_stack:\n"
	"	.text\n");

static uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static volatile uint32_t *apic(unsigned offset)
{
	return (volatile uint32_t *)(uintptr_t)(APIC_PAGE + offset);
}

void begin_64bit(void)
{
	uint32_t id = cpuid(1, 0).ebx >> 24;

	if (id >= VCPUS)
		return;
	told[id].apic_id = id;
	told[id].topology_id = cpuid(0xb, 0).edx;
	told[id].page_id = *apic(0x20) >> 24;
	told[id].base = read_msr(APIC_BASE);
	__atomic_add_fetch(&told[id].started, 1, __ATOMIC_SEQ_CST);
}

static void wait_for(uint32_t id)
{
	while (!__atomic_load_n(&told[id].started, __ATOMIC_SEQ_CST))
		__asm__ volatile("pause");
	CHECK(MAIL->id == id && told[id].apic_id == id && told[id].topology_id == id && told[id].page_id == id);
	CHECK(told[id].base == (APIC_PAGE | APIC_ENABLED));
	CHECK(MAIL->edx == cpuid(1, 0).eax);
}

/* What tells one vCPU from another, as the first one sees it. */
static void identity(void)
{
	CHECK(cpuid(1, 0).ebx >> 24 == 0 && (cpuid(1, 0).ebx >> 16 & 0xff) == 4);
	CHECK(cpuid(1, 0).edx & 1u << 9 && cpuid(1, 0).edx & 1u << 28 && cpuid(1, 0).ecx & 1u << 21);
	CHECK(cpuid(0xb, 0).ebx == 1 && cpuid(0xb, 0).eax == 0 && cpuid(0xb, 0).ecx == 0x100);
	CHECK(cpuid(0xb, 1).ebx == VCPUS && cpuid(0xb, 1).eax == 2 && cpuid(0xb, 1).ecx == 0x201 && cpuid(0xb, 1).edx == 0);
	CHECK(cpuid(0xb, 2).ebx == 0 && cpuid(0xb, 2).ecx == 2);
}

/* Loads and stores of several forms; each has to reach the register that it names. */
static void registers(void)
{
	uint64_t cr8;
	uint32_t value;

	CHECK(read_msr(APIC_BASE) == (APIC_PAGE | APIC_ENABLED | APIC_BOOT));
	CHECK(*apic(0x20) == 0 && *apic(0x30) == VERSION && *apic(0xf0) == 0xff && *apic(0x320) == 0x10000);
	*apic(0xf0) = 0x1ff;
	CHECK(*apic(0xf0) == 0x1ff);
	*apic(0x80) = 0x53;
	__asm__ volatile("movq %%cr8, %0" : "=r"(cr8));
	CHECK(cr8 == 5 && *apic(0x80) == 0x53);
	__asm__ volatile("movq %0, %%cr8" : : "r"(0ul));
	CHECK(*apic(0x80) == 3);
	*apic(0xb0) = 0;
	*apic(0xd0) = 0x5a123456;
	__asm__ volatile("movabsl 0xfee000d0, %0" : "=a"(value));
	CHECK(value == 0x5a000000);
	__asm__ volatile("movl $0x87654321, 0xe0(%1,%2,8)\n\tmovl 0xe0(%1,%2,8), %%r11d\n\tmovl %%r11d, %0"
			 : "=r"(value)
			 : "r"(apic(0)), "r"(0ul)
			 : "r11", "memory");
	CHECK(value == 0x8fffffff);
	CHECK(*apic(0x400) == 0); /* no such register */
}

static void start_through_page(uint32_t id)
{
	*apic(0x310) = id << 24;
	*apic(0x300) = ICR_INIT | ICR_ASSERT | ICR_LEVEL;
	*apic(0x300) = ICR_INIT | ICR_LEVEL;
	*apic(0x300) = ICR_STARTUP | LOW_VECTOR;
	*apic(0x300) = ICR_STARTUP | LOW_VECTOR;
	CHECK(*apic(0x310) == id << 24);
}

static void start_through_msr(uint32_t id)
{
	uint64_t to = (uint64_t)id << 32;

	write_msr(APIC_BASE, read_msr(APIC_BASE) | APIC_X2);
	CHECK(read_msr(0x802) == 0 && read_msr(0x803) == VERSION && read_msr(0x80d) == 1 && read_msr(0x80f) == 0x1ff);
	CHECK(*apic(0x20) == 0xffffffff); /* nobody is at the page */
	write_msr(0x80b, 0);
	write_msr(0x830, to | ICR_INIT | ICR_ASSERT);
	write_msr(0x830, to | ICR_STARTUP | LOW_VECTOR);
	CHECK(read_msr(0x830) == (to | ICR_STARTUP | LOW_VECTOR));
}

int guest_main(void)
{
	static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

	memcpy((void *)LOW, low_code, (size_t)(low_code_end - low_code));
	MAIL->cr3 = (uint32_t)read_cr3();
	MAIL->gdt_limit = sizeof(gdt) - 1;
	MAIL->gdt_base = (uint32_t)(uintptr_t)gdt;
	identity();
	registers();

	start_through_page(1);
	wait_for(1);
	rt_printf("apic_start: vCPU 1 came through the page\n");
	start_through_msr(2);
	wait_for(2);
	rt_printf("apic_start: vCPU 2 came through the MSRs\n");

	/* One that runs is not started again, unless it is reset first. */
	write_msr(0x830, ICR_STARTUP | ICR_OTHERS | LOW_VECTOR);
	write_msr(0x830, ICR_SMI | ICR_OTHERS);
	CHECK(told[1].started == 1 && told[2].started == 1);
	for (uint32_t times = 2; times < 6; times++) {
		write_msr(0x830, 1ul << 32 | ICR_INIT | ICR_ASSERT);
		write_msr(0x830, 1ul << 32 | ICR_STARTUP | LOW_VECTOR);
		while (__atomic_load_n(&told[1].started, __ATOMIC_SEQ_CST) < times)
			__asm__ volatile("pause");
	}
	CHECK(told[1].started == 5 && told[2].started == 1);
	/* One after the other, at any moment of the vCPU's. */
	for (uint32_t i = 0; i < 300; i++) {
		write_msr(0x830, 1ul << 32 | ICR_INIT | ICR_ASSERT);
		write_msr(0x830, 1ul << 32 | ICR_STARTUP | LOW_VECTOR);
	}
	write_msr(0x830, 1ul << 32 | ICR_INIT | ICR_ASSERT);
	CHECK(told[1].started >= 5 && told[2].started == 1);
	return check_status("apic_start");
}
