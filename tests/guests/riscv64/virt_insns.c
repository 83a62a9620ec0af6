/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions and registers that a guest does not have: illegal, as on a hart without the H extension. */
#include "tests/guests/riscv64/trap.h"

/* hfence.gvma, hfence.vvma, hlv.w t1, (t0), hsv.w t1, (t0), hlvx.hu t1, (t0) */
#define HFENCE_GVMA ".insn r 0x73, 0, 0x31, x0, x0, x0"
#define HFENCE_VVMA ".insn r 0x73, 0, 0x11, x0, x0, x0"
#define HLV_W       ".insn r 0x73, 4, 0x34, t1, t0, x0"
#define HSV_W       ".insn r 0x73, 4, 0x35, x0, t0, t1"
#define HLVX_HU     ".insn r 0x73, 4, 0x32, t1, t0, x3"

/* No operands: t0 and t1 are there to be used. */
#undef TRAP_OF
#define TRAP_OF(insn)                                                 \
	({                                                            \
		trap.cause = NO_TRAP;                                 \
		__asm__ volatile("lla t0, 771f\n\t"                   \
				 "sd t0, %[resume]\n\t" insn "\n771:" \
				 : [resume] "=m"(trap.resume)         \
				 :                                    \
				 : "t0", "t1", "memory");             \
		trap.resume = 0;                                      \
		trap.cause;                                           \
	})
#define IS_ILLEGAL(insn) CHECK(TRAP_OF(insn) == CAUSE_ILLEGAL_INSN)

static void h_registers(void)
{
	IS_ILLEGAL("csrr t1, 0x600"); /* hstatus, hedeleg, hgatp, htval, hvip, henvcfg */
	IS_ILLEGAL("csrw 0x600, t1");
	IS_ILLEGAL("csrr t1, 0x602");
	IS_ILLEGAL("csrr t1, 0x680");
	IS_ILLEGAL("csrw 0x680, zero");
	IS_ILLEGAL("csrr t1, 0x643");
	IS_ILLEGAL("csrw 0x645, t1");
	IS_ILLEGAL("csrr t1, 0x60a");
	IS_ILLEGAL("csrr t1, 0x200"); /* vsstatus, vsatp */
	IS_ILLEGAL("csrw 0x280, t1");
	IS_ILLEGAL("csrr t1, 0x300"); /* mstatus, mhartid */
	IS_ILLEGAL("csrr t1, 0xf14");
	CHECK(trap.value == 0 || (trap.value & 0xfff0007f) == 0xf1400073);
}

static void h_instructions(void)
{
	IS_ILLEGAL(HFENCE_GVMA);
	IS_ILLEGAL(HFENCE_VVMA);
	IS_ILLEGAL(HLV_W);
	IS_ILLEGAL(HSV_W);
	IS_ILLEGAL(HLVX_HU);
	IS_ILLEGAL(".word 0x30200073"); /* mret */
	IS_ILLEGAL(".word 0");
	IS_ILLEGAL(".word 0xffffffff");
}

static void own_instructions(void)
{
	CHECK(TRAP_OF("sfence.vma") == NO_TRAP);
	CHECK(TRAP_OF("csrr t1, satp") == NO_TRAP);
	CHECK(TRAP_OF("csrr t1, sstatus") == NO_TRAP);
	CHECK(TRAP_OF("rdtime t1") == NO_TRAP);
	CHECK(TRAP_OF("rdcycle t1") == NO_TRAP);
	CHECK(TRAP_OF("rdinstret t1") == NO_TRAP);
	CHECK(TRAP_OF("fence.i") == NO_TRAP);
	CHECK(TRAP_OF("ebreak") == CAUSE_BREAKPOINT);
	CHECK(TRAP_OF(".word 0x00007007") == CAUSE_ILLEGAL_INSN); /* a vector load: vsstatus.VS is off, or no V */
	CHECK(TRAP_OF(".word 0x00002007") == CAUSE_ILLEGAL_INSN); /* flw: vsstatus.FS is off, or no F */
}

int guest_main(void)
{
	trap_init();
	h_registers();
	h_instructions();
	own_instructions();
	return check_status("virt_insns");
}
