src-y += $(wildcard mm/*.c mm/$(ARCH)/*.[cS])

# The heap is newlib's business, and the host has its own.
host-y += $(filter-out mm/heap.c,$(wildcard mm/*.c))

# Run only for who looks on, when frames have run out, and once for 2 MiB.
$(foreach source,survey reclaim promote,$(eval flags-mm/$(source).c := -Os))
