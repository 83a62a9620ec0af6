/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The address space against its model (tests/host/space_model.h). Input: a byte that chooses the format and who keeps the accessed
 * and dirty bits, then what the model draws its operations from, of which some are taken with next to no memory left.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/host/space_model.h"

#define RAM   MIB(8)
#define STEPS 300

/* A nested format whose addresses reach the model's window; every other time with the accessed and dirty bits kept by the other
 * side. */
static const struct format_case *choose_format(unsigned choice)
{
	static struct format_case format;
	size_t f = choice / 2 % format_count;

	while (formats[f].supervisor || formats[f].config.gpa_bits <= 31)
		f = (f + 1) % format_count;
	format = formats[f];
	format.config.hardware_ad ^= choice & 1;
	return &format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct space_model *m;

	if (size < 2)
		return 0;
	m = space_model_new(choose_format(data[0]), RAM, host_rng_of_bytes(data + 1, size - 1));
	for (unsigned i = 0; i < STEPS && !host_rng_spent(&m->rng); i++)
		space_model_step(m);
	space_model_check(m);
	space_model_free(m);
	return 0;
}
