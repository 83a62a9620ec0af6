# Each tests/host/test_*.c is a cmocka program; the other files there are what they share.
host-tests-y += $(wildcard tests/host/test_*.c)
host-y       += $(filter-out tests/host/test_%,$(wildcard tests/host/*.c))

# Hostile guests for the boot tests.
test-guests-y += $(wildcard tests/guests/*.[cS])
