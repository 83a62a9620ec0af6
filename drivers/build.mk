# Of the serial ports the linker takes those that are in the list of the ISA (drivers/<isa>/uarts.c).
src-y += $(wildcard drivers/*.c drivers/uart/*.c drivers/$(ARCH)/*.[cS])

# The tests have a log of their own, and a C library that needs nobody's seeds.
host-y += $(filter-out drivers/log.c drivers/getentropy.c,$(wildcard drivers/*.c drivers/uart/*.c))

# Next to nothing here is ever hot.
flags-drivers := -Os
