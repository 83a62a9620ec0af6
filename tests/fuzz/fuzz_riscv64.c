/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V: a trap decoded, and the load or store behind it. Input: a byte of flags, the instruction, the CSRs that tell of a
 * trap, and memory for the guest's own page tables.
 *
 * Loads and stores are compared with a second decoder, written from the manual's encoding tables, and so are the two ways to
 * one: from the instruction, and from what the hart makes of it in htinst.
 */
#include "mm/frame.h"
#include "vmm/riscv64/exit.c"
#include "vmm/riscv64/mmio.c"
#include "vmm/riscv64/walk.c"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#define RAM_SIZE MIB(64)

uint64_t fake_csrs[4096];

static uint32_t fetched;
static bool fetch_fails, can_wake;
static uint64_t tables[64]; /* what every page of the guest's looks like to its page-table walk */
static bool tables_backed;

bool guest_fetch(uint64_t gva, uint32_t *insn)
{
	(void)gva;
	*insn = (fetched & 3) == 3 ? fetched : (uint16_t)fetched;
	return !fetch_fails;
}

bool timer_is_pending(void)
{
	return can_wake;
}

uint64_t timer_wakes_at(const struct vcpu *vcpu)
{
	(void)vcpu;
	return NEVER;
}

/* SBI calls are left to the slow path. */
bool sbi_serve_fast(struct vcpu *vcpu)
{
	(void)vcpu;
	return false;
}

static unsigned served; /* accesses that the fast path has served */

/* Whatever is read has all bits set. */
static void access_uart(struct io_device *device, uint64_t offset, struct io_access *io)
{
	CHECK(offset < device->size && io->vcpu == 0, "offset %#jx", (uintmax_t)offset);
	if (!io->write)
		io->value = ~UINT64_C(0) >> (64 - 8 * io->size);
	served++;
}

static struct device_table devices = { .lock = SPINLOCK(LOCK_DEVICES) };
static struct io_device uart = {
	.space = IO_MEMORY, .base = GUEST_UART_BASE, .size = GUEST_UART_SIZE, .access = access_uart, .table = &devices
};

void arch_vcpu_deliver(struct vcpu *vcpu)
{
	(void)vcpu;
}

/* The walk cache is empty. */
struct addr_space_translation addr_space_translate_by_walk(struct addr_space *as, gpa_t gpa)
{
	(void)as;
	return (struct addr_space_translation){
		.hpa = HPA((uintptr_t)&tables[gpa.raw / 8 % ARRAY_LEN(tables)]), /* phys_to_virt is 0 */
		.err = tables_backed ? ERR_OK : ERR_NOT_FOUND,
	};
}

uint64_t frame_phys_to_virt;

/* --- A second decoder ---------------------------------------------------------------------------------------------- */

/* Unprivileged, "RV32/64G Instruction Set Listings": opcode and funct3 of each load and store of integer registers. */
static bool list_full(uint32_t insn, struct access_insn *access)
{
	static const struct {
		uint32_t bits; /* under 0x707f */
		uint8_t size;
		bool write, sign;
	} listed[] = {
		{ 0x0003, 1, false, true },  /* lb */
		{ 0x1003, 2, false, true },  /* lh */
		{ 0x2003, 4, false, true },  /* lw */
		{ 0x3003, 8, false, true },  /* ld */
		{ 0x4003, 1, false, false }, /* lbu */
		{ 0x5003, 2, false, false }, /* lhu */
		{ 0x6003, 4, false, false }, /* lwu */
		{ 0x0023, 1, true, false },  /* sb */
		{ 0x1023, 2, true, false },  /* sh */
		{ 0x2023, 4, true, false },  /* sw */
		{ 0x3023, 8, true, false },  /* sd */
	};

	for (size_t i = 0; i < ARRAY_LEN(listed); i++) {
		if (listed[i].bits != (insn & 0x707f))
			continue;
		*access = (struct access_insn){
			.size = listed[i].size,
			.write = listed[i].write,
			.sign = listed[i].sign,
			.length = 4,
			.gpr = (uint8_t)(listed[i].write ? insn >> 20 & 31 : insn >> 7 & 31),
		};
		return true;
	}
	return false;
}

/* The 32-bit instruction that a compressed load or store stands for, without its registers' and offset's bits; 0: none. */
static uint32_t expand(uint32_t insn, unsigned *gpr)
{
	static const struct {
		uint16_t mask, bits;
		uint32_t full;
		uint8_t shift;   /* where the register is */
		bool three_bits; /* and counts from x8 */
		bool not_x0;
	} listed[] = {
		{ 0xe003, 0x4000, 0x2003, 2, true, false },  /* c.lw */
		{ 0xe003, 0x6000, 0x3003, 2, true, false },  /* c.ld */
		{ 0xe003, 0xc000, 0x2023, 2, true, false },  /* c.sw */
		{ 0xe003, 0xe000, 0x3023, 2, true, false },  /* c.sd */
		{ 0xfc03, 0x8000, 0x4003, 2, true, false },  /* c.lbu */
		{ 0xfc43, 0x8400, 0x5003, 2, true, false },  /* c.lhu */
		{ 0xfc43, 0x8440, 0x1003, 2, true, false },  /* c.lh */
		{ 0xfc03, 0x8800, 0x0023, 2, true, false },  /* c.sb */
		{ 0xfc43, 0x8c00, 0x1023, 2, true, false },  /* c.sh */
		{ 0xe003, 0x4002, 0x2003, 7, false, true },  /* c.lwsp */
		{ 0xe003, 0x6002, 0x3003, 7, false, true },  /* c.ldsp */
		{ 0xe003, 0xc002, 0x2023, 2, false, false }, /* c.swsp */
		{ 0xe003, 0xe002, 0x3023, 2, false, false }, /* c.sdsp */
	};

	for (size_t i = 0; i < ARRAY_LEN(listed); i++) {
		if ((insn & listed[i].mask) != listed[i].bits)
			continue;
		*gpr = insn >> listed[i].shift & (listed[i].three_bits ? 7 : 31);
		if (listed[i].three_bits)
			*gpr += 8;
		return listed[i].not_x0 && *gpr == 0 ? 0 : listed[i].full;
	}
	return 0;
}

/* What the hart would put into htinst, and the decoded access. False: no load or store. */
static bool list(uint32_t insn, uint32_t *htinst, struct access_insn *access)
{
	unsigned gpr;
	uint32_t full = insn;

	if ((insn & 3) != 3) {
		full = expand((uint16_t)insn, &gpr);
		if (full == 0)
			return false;
		full |= gpr << ((full & 0x7f) == 0x23 ? 20 : 7);
	}
	if (!list_full(full, access))
		return false;
	/* The offset's bits are 0, and those of rs1 are how far the fault is from the address: 0 here. */
	*htinst = full & (access->write ? 0x01f0707f : 0x00007fff);
	if ((insn & 3) != 3) {
		access->length = 2;
		*htinst &= ~UINT32_C(2);
	}
	return true;
}

static void check_same(const struct access_insn *a, const struct access_insn *b, uint32_t insn)
{
	CHECK(a->size == b->size && a->gpr == b->gpr && a->length == b->length && a->write == b->write && a->sign == b->sign,
	      "%#x: size %u register %u length %u write %d sign %d", insn, a->size, a->gpr, a->length, a->write, a->sign);
}

static void check_access(uint32_t insn)
{
	struct vcpu_arch arch = { .pc = GUEST_RAM_BASE };
	struct access_insn got = { 0 }, wanted;
	uint32_t htinst;
	bool is_access = list(insn, &htinst, &wanted);

	fetched = insn;
	fetch_fails = false;
	CHECK(mmio_decode(&arch, &got) == is_access, "%#x", insn);
	if (!is_access)
		return;
	check_same(&got, &wanted, insn);
	fetch_fails = true; /* nothing is read when htinst tells */
	arch.htinst = htinst;
	CHECK(mmio_decode(&arch, &got), "htinst %#x", htinst);
	check_same(&got, &wanted, htinst);
}

/* --- Traps --------------------------------------------------------------------------------------------------------- */

static void check_io(struct vcpu *vcpu, struct vm_exit *exit)
{
	const struct access_insn *access = &vcpu->arch.access;
	uint64_t pc = vcpu->arch.pc;

	CHECK(device_is_at(&vcpu->vm->devices, exit->io.space, exit->io.addr), "%#jx", (uintmax_t)exit->io.addr);
	CHECK(exit->io.size == 8 || exit->io.value >> (8 * exit->io.size) == 0, "%#jx", (uintmax_t)exit->io.value);
	CHECK(access->length == 2 || access->length == 4, "length %u", access->length);
	exit->io.value = ~UINT64_C(0) >> (64 - 8 * exit->io.size);
	arch_vcpu_finish_io(vcpu, exit);
	CHECK_EQ(vcpu->arch.gpr[0], 0);
	CHECK_EQ(vcpu->arch.pc, pc + access->length);
}

/* What was served already is what the slow path would have decoded, and the guest has got the same. */
static void check_served(struct vcpu *vcpu, const struct vm_exit *fast, const uint64_t *before)
{
	struct vm_exit slow = { .reason = fast->reason, .pc = fast->pc };
	uint64_t gpr[GPR_COUNT];

	CHECK_EQ(fast->kind, VM_EXIT_IO);
	memcpy(gpr, vcpu->arch.gpr, sizeof(gpr));
	memcpy(vcpu->arch.gpr, before, sizeof(gpr));
	decode_fault(&vcpu->arch, &slow, access_of(fast->reason));
	decode_outside(vcpu, &slow);
	CHECK_EQ(slow.kind, VM_EXIT_IO);
	CHECK(slow.io.addr == fast->io.addr && slow.io.size == fast->io.size && slow.io.write == fast->io.write,
	      "another access: %#jx", (uintmax_t)slow.io.addr);
	slow.io.value = fast->io.value;
	vcpu->arch.pc = fast->pc;
	arch_vcpu_finish_io(vcpu, &slow);
	CHECK_EQ(vcpu->arch.pc, csr_read(CSR_SEPC));
	CHECK(memcmp(gpr, vcpu->arch.gpr, sizeof(gpr)) == 0, "another register");
}

static void check_trap(struct vcpu *vcpu)
{
	uint64_t before[GPR_COUNT];
	struct vm_exit *exit;

	memcpy(before, vcpu->arch.gpr, sizeof(before));
	served = 0;
	exit = fuzz_decode(vcpu, vcpu_exit(vcpu), arch_vcpu_decode);
	if (served) {
		check_served(vcpu, exit, before);
		return;
	}
	switch (exit->kind) {
	case VM_EXIT_FAULT:
		CHECK(exit->fault.access > 0 && exit->fault.access <= NPT_RWX, "access %u", exit->fault.access);
		CHECK(!exit->fault.on_guest_walk || exit->fault.access != NPT_X, "a walk that executes");
		break;
	case VM_EXIT_IO:
		check_io(vcpu, exit);
		break;
	case VM_EXIT_INTERRUPT:
		CHECK(exit->reason & SCAUSE_INTERRUPT, "scause %#lx", exit->reason);
		break;
	case VM_EXIT_HALT:
	case VM_EXIT_HYPERCALL:
	case VM_EXIT_ARCH:
	case VM_EXIT_CRASH:
		break;
	default:
		CHECK(false, "kind %d", (int)exit->kind);
	}
}

/* vsatp keeps legal modes only. */
static uint64_t legal_vsatp(uint64_t value)
{
	static const enum atp_mode modes[] = { ATP_BARE, ATP_SV39, ATP_SV48, ATP_SV57 };

	return (value & ATP_PPN) | (uint64_t)modes[value >> 62] << ATP_MODE_SHIFT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t told[] = {
		CSR_SCAUSE, CSR_STVAL, CSR_HTVAL, CSR_HTINST, CSR_SSTATUS, CSR_VSTVEC, CSR_VSEPC, CSR_VSATP,
	};
	struct host_rng rng = host_rng_of_bytes(data, size);
	unsigned flags = (unsigned)host_below(&rng, 256);
	uint32_t insn = (uint32_t)host_below(&rng, BIT(32));
	static struct vm vm;
	struct vcpu *vcpu = &vm.vcpu;

	vcpu->vm = &vm;
	vm.as.view.cache.block[0] = NPT_WALK_CACHE_NONE;
	vcpu->arch = (struct vcpu_arch){ .pc = GUEST_RAM_BASE + MIB(2) };
	check_access(insn);
	vm.devices = (struct device_table){ .lock = SPINLOCK(LOCK_DEVICES), .device = { &uart }, .count = 1 };
	vm.ram[0].start = GPA(GUEST_RAM_BASE);
	vm.ram[0].size = RAM_SIZE;
	vm.ram_ranges = 1;
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		csr_write(told[i], host_random(&rng));
	csr_write(CSR_SCAUSE, csr_read(CSR_SCAUSE) & (BIT(63) | 31));
	csr_write(CSR_VSATP, legal_vsatp(csr_read(CSR_VSATP)));
	csr_write(CSR_HSTATUS, HSTATUS_SPV); /* a trap of our own is ours to die of */
	if (flags & 1)                       /* near the device */
		csr_write(CSR_HTVAL, (GUEST_UART_BASE + (csr_read(CSR_HTVAL) & 0x1ff)) >> 2);
	if (flags & 2)
		csr_write(CSR_HTINST, 0);
	if (flags & 4)
		vcpu->arch.pc = csr_read(CSR_VSTVEC);
	fetch_fails = flags & 8;
	can_wake = flags & 16;
	tables_backed = flags & 32;
	for (size_t i = 1; i < GPR_COUNT; i++)
		vcpu->arch.gpr[i] = i * 0x0101010101010101;
	if (flags & 64)
		vcpu->arch.gpr[GPR_A7] = SBI_NESTLING;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		tables[i] = host_random(&rng);
	check_trap(vcpu);
	return 0;
}
