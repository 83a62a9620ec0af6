src-y += $(wildcard mm/*.c mm/$(ARCH)/*.[cS])

# The heap is newlib's business, and the host has its own.
host-y += $(filter-out mm/heap.c,$(wildcard mm/*.c))

# Runs only for who looks on.
flags-mm/survey.c := -Os
