/* SPDX-License-Identifier: BSD-2-Clause */
/* A user program under the guest's kernel: its calls and faults are the kernel's, and it has no way to the hypervisor. */
#include "tests/guests/riscv64/paging.h"
#include "tests/guests/riscv64/trap.h"

#define USER_CODE 0x40000000
#define USER_DATA 0x40001000

/* Copied to a page of the user's own. */
extern const char user_ecall[], user_wfi[], user_csr[], user_hlv[], user_load[], user_counters[], user_end[];
__asm__(".section .rodata.user, \"a\", %progbits\n"
	"	.balign 4\n"
	"user_ecall:\n"
	"	li a7, 0x084e5354\n" /* it would end the run, were it the kernel's */
	"	li a6, 1\n"
	"	li a0, 99\n"
	"	ecall\n"
	"user_wfi:\n"
	"	wfi\n"
	"user_csr:\n"
	"	csrr t0, 0x600\n"
	"user_hlv:\n"
	"	.insn r 0x73, 4, 0x34, t1, t0, x0\n"
	"user_load:\n"
	"	li t0, 0x40001000\n"
	"	ld t1, (t0)\n"
	"	li t0, 0x80200000\n"
	"	ld t1, (t0)\n"
	"user_counters:\n"
	"	rdcycle t0\n"
	"	rdtime t0\n"
	"	rdinstret t0\n"
	"	ecall\n"
	"user_end:\n"
	"	.text\n");

/* Run user code from `at` until it traps; the handler comes back here in S-mode. */
static uint64_t run_user(const char *at)
{
	uint64_t pc = USER_CODE + (uint64_t)(at - user_ecall), sp;

	trap.cause = NO_TRAP;
	CSR_CLEAR("sstatus", SSTATUS_SPP);
	__asm__ volatile("lla t0, 1f\n\t"
			 "sd t0, %[resume]\n\t"
			 "csrw sepc, %[pc]\n\t"
			 "mv s11, sp\n\t"
			 "sret\n"
			 "1:\tmv sp, s11\n\t"
			 "mv %[sp], sp"
			 : [resume] "=m"(trap.resume), [sp] "=r"(sp)
			 : [pc] "r"(pc)
			 : "t0", "t1", "s11", "a0", "a6", "a7", "memory");
	trap.resume = 0;
	return trap.cause;
}

static void map_user(uint64_t *root, uint64_t address, uint64_t page, uint64_t flags)
{
	uint64_t *table = root;

	for (unsigned level = 2; level > 0; level--)
		table = paging_table(&table[address >> (12 + 9 * level) & 511]);
	table[address >> 12 & 511] = PTE_OF(page) | flags | PTE_U | PTE_V | PTE_A | PTE_D;
}

int guest_main(void)
{
	uint64_t *root = paging_on(3), code = (uint64_t)paging_take_page(), data = (uint64_t)paging_take_page();
	uint64_t faults;

	trap_init();
	memcpy((void *)code, user_ecall, (size_t)(user_end - user_ecall));
	__asm__ volatile("fence.i" : : : "memory");
	map_user(root, USER_CODE, code, PTE_R | PTE_X);
	map_user(root, USER_DATA, data, PTE_R | PTE_W);
	sfence_vma();

	CHECK(run_user(user_ecall) == CAUSE_ECALL_U);
	CHECK(run_user(user_wfi) == CAUSE_ILLEGAL_INSN && trap.pc == USER_CODE + (uint64_t)(user_wfi - user_ecall));
	CHECK(run_user(user_csr) == CAUSE_ILLEGAL_INSN);
	CHECK(run_user(user_hlv) == CAUSE_ILLEGAL_INSN);
	faults = rt_memory_info(RT_MEMORY_FAULTS);
	CHECK(run_user(user_load) == CAUSE_LOAD_PAGE && trap.value == 0x80200000);
	CHECK(rt_memory_info(RT_MEMORY_FAULTS) - faults == 1); /* its fresh page */
	CHECK(run_user(user_counters) == CAUSE_ECALL_U);       /* as OpenSBI leaves scounteren */
	return check_status("user");
}
