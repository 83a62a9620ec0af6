/* SPDX-License-Identifier: BSD-2-Clause */
/* Long random sequences on an address space, against the model (tests/host/space_model.h). */
#include "tests/host/space_model.h"

#define RAM        MIB(24)
#define STEPS      900
#define FULL_EVERY 40

static void the_space_does_as_the_model(void **state)
{
	struct space_model *m = space_model_new(*state, RAM, host_rng("model", 0x73706163));
	unsigned steps = host_steps(STEPS);

	for (unsigned i = 1; i <= steps; i++) {
		space_model_step(m);
		if (i % FULL_EVERY == 0)
			space_model_check(m);
	}
	for (unsigned operation = 0; operation < MODEL_OPERATIONS && steps >= STEPS; operation++)
		CHECK(m->done[operation] > 0, "operation %u was never done", operation);
	CHECK(steps < STEPS || m->no_memory > 0, "memory never ran out");
	CHECK(steps < STEPS || m->shared_tables > 0, "no fork shared a table");
	CHECK(steps < STEPS || (m->met > 0 && m->waited > 0), "%u faults met, %u waited", m->met, m->waited);
	space_model_free(m);
}

int main(void)
{
	static struct suite suite;

	for (size_t f = 0; f < format_count; f++)
		if (!formats[f].supervisor && formats[f].config.gpa_bits > 31)
			suite_add(&suite, "the_space_does_as_the_model", formats[f].name, the_space_does_as_the_model, NULL, NULL,
				  &formats[f]);
	return suite_run(&suite, "addr_space_model");
}
