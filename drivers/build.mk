# Of the serial ports the linker takes those that are in the list of the ISA (drivers/<isa>/uarts.c).
src-y += $(wildcard drivers/*.c drivers/uart/*.c drivers/$(ARCH)/*.[cS])

# The tests have a log of their own.
host-y += $(filter-out drivers/log.c,$(wildcard drivers/*.c drivers/uart/*.c))

# Next to nothing here is ever hot.
flags-drivers := -Os
