src-y += $(wildcard drivers/*.c drivers/$(ARCH)/*.[cS])

# The tests have a log of their own.
host-y += $(filter-out drivers/log.c,$(wildcard drivers/*.c))

# Next to nothing here is ever hot.
flags-drivers := -Os
