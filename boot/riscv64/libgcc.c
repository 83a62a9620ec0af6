/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the compiler calls for what the hart has no instruction for. Its own library is compiled for FP registers, which
 * nothing here may use, and does not link with what is not.
 */
#include "include/types.h"

int __clzdi2(uint64_t x);
int __ctzdi2(uint64_t x);

/* 0x03f79d71b4cb0a89 is a de Bruijn sequence: each 6 bits in a row of it are another number. */
int __ctzdi2(uint64_t x)
{
	static const uint8_t position[64] = {
		0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,  62, 55, 59, 36, 53, 51,
		43, 22, 45, 39, 33, 30, 24, 18, 12, 5,  63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
		44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6,
	};

	return position[(x & -x) * UINT64_C(0x03f79d71b4cb0a89) >> 58];
}

int __clzdi2(uint64_t x)
{
	int zeros = 0;

	for (int half = 32; half > 0; half /= 2) {
		if (x >> (64 - half) == 0) {
			zeros += half;
			x <<= half;
		}
	}
	return zeros;
}
