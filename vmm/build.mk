src-y  += $(wildcard vmm/*.c vmm/$(ARCH)/*.[cS] vmm/$(ARCH)/*/*.[cS])
host-y += $(wildcard vmm/*.c)

# What runs before a guest does or after it, or only when somebody looks on, is to be small.
$(foreach source,report post_mortem trace text blocks picture map watch guest_fdt elf linux_image,$(eval flags-vmm/$(source).c := -Os))
$(foreach source,boot_state diagnose describe,$(eval flags-vmm/$(ARCH)/$(source).c := -Os))
