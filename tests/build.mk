# The scheduler's machine, and the tests on it.
machine-y    := tests/host/sched_machine.c
on-machine-y := tests/host/test_sched.c tests/host/test_sched_threads.c

# Each tests/host/test_*.c is a cmocka program; the other files there are what they share.
host-tests-y += $(wildcard tests/host/test_*.c)
host-y       += $(filter-out tests/host/test_% $(machine-y),$(wildcard tests/host/*.c))

# Those of them that are built and run once more, with the thread sanitizer.
tsan-tests-y += tests/host/test_space_threads.c tests/host/test_tree_threads.c $(on-machine-y)

# Functions that a test puts its own in front of: __wrap_<function>, which may call __real_<function>.
wrapped-test_space_threads := frame_alloc_need frame_alloc_zeroed frame_run_renew
wrapped-test_sched         := addr_space_get_stats addr_space_tidy tidy_vms
wrapped-test_sched_threads := addr_space_get_stats addr_space_tidy tidy_vms

# Each tests/fuzz/fuzz_<target>.c is a libFuzzer program; the other files there are what they share.
fuzz-y       += $(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c))
fuzz-targets += $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz-ready    = $(fuzz-targets:%=build/fuzz/fuzz_%) build/fuzz/seeds/done

# Test guests, hostile ones among them: those for every ISA, and those for one.
test-guests-y += $(wildcard tests/guests/*.[cS] tests/guests/$(ARCH)/*.[cS])
# Not where the runtime takes no interrupts.
test-guests-y := $(filter-out $(if $(wildcard guest/rt/$(ARCH)/irq.c),,tests/guests/irq_%),$(test-guests-y))

# "isa.h" is what each ISA has for the guests that are for all.
flags-tests := -Itests/guests/$(ARCH)
