/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes ports that no device claims. */
#include "tests/guests/check.h"

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static uint16_t in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* The whole of rax, whose upper half a 4-byte read clears; smaller reads leave the rest alone. */
static uint64_t in_rax(uint16_t port, unsigned size)
{
	uint64_t rax = 0x1122334455667788;

	if (size == 1)
		__asm__ volatile("inb %w1, %%al" : "+a"(rax) : "d"(port));
	else if (size == 2)
		__asm__ volatile("inw %w1, %%ax" : "+a"(rax) : "d"(port));
	else
		__asm__ volatile("inl %w1, %%eax" : "+a"(rax) : "d"(port));
	return rax;
}

static void write_all(uint16_t port)
{
	__asm__ volatile("outb %%al, %0\n\toutw %%ax, %0\n\toutl %%eax, %0" : : "Nd"(port), "a"(0x12345678));
}

int guest_main(void)
{
	static const uint16_t ports[] = { 0x0, 0x20, 0x60, 0x64, 0x80, 0xcf8, 0xcfc, 0x2f8, 0x604, 0xb004, 0x8900, 0xfffc };

	for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
		CHECK(in_rax(ports[i], 1) == 0x11223344556677ff);
		CHECK(in_rax(ports[i], 2) == 0x112233445566ffff);
		CHECK(in_rax(ports[i], 4) == 0xffffffff);
		write_all(ports[i]);
	}
	CHECK(in8(0xffff) == 0xff);
	CHECK(in16(0xfffe) == 0xffff);
	CHECK(in_rax(0xffff, 2) == 0x112233445566ffff); /* over the end of the port space */
	CHECK(in_rax(0xffff, 4) == 0xffffffff);
	__asm__ volatile("outb %%al, %0" : : "N"(0xe9), "a"('!'));
	for (unsigned i = 0; i < 10000; i++)
		in8((uint16_t)(0x4000 + i));
	return check_status("wild_pio");
}
