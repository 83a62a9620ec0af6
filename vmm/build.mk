src-y  += $(wildcard vmm/*.c vmm/$(ARCH)/*.[cS] vmm/$(ARCH)/*/*.[cS])
host-y += $(wildcard vmm/*.c)

# What runs before a guest does or after it is to be small.
$(foreach source,report text guest_fdt elf linux_image,$(eval flags-vmm/$(source).c := -Os))
