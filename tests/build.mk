# Each tests/host/test_*.c is a cmocka program; the other files there are what they share.
host-tests-y += $(wildcard tests/host/test_*.c)
host-y       += $(filter-out tests/host/test_%,$(wildcard tests/host/*.c))

# Test guests, hostile ones among them: those for every ISA, and those for one.
test-guests-y += $(wildcard tests/guests/*.[cS] tests/guests/$(ARCH)/*.[cS])

# "isa.h" is what each ISA has for the guests that are for all.
flags-tests := -Itests/guests/$(ARCH)
