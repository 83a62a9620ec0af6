src-y += $(wildcard mm/*.c mm/$(ARCH)/*.[cS])

# The heap is newlib's business, and the host has its own.
host-y += $(filter-out mm/heap.c,$(wildcard mm/*.c))

# Run only for who looks on, and when frames have run out.
flags-mm/survey.c := -Os
flags-mm/reclaim.c := -Os
