src-y  += $(wildcard vmm/*.[cS] vmm/$(ARCH)/*.[cS] vmm/$(ARCH)/*/*.[cS])
host-y += $(wildcard vmm/*.c)

# Which version this is, is in one object only.
version := $(shell tools/version)
flags-vmm/version.S := -DNESTLING_VERSION=$(version)

# What runs before a guest does or after it, or only when somebody looks on, is to be small.
vmm-once := machine report post_mortem trace text blocks picture map watch guest_fdt elf elf_dynamic file_kind \
	linux_image boot_state check control controls describe diagnose features fork id speculation
$(foreach source,$(wildcard $(foreach folder,vmm vmm/$(ARCH) vmm/$(ARCH)/*,$(vmm-once:%=$(folder)/%.c))),$(eval flags-$(source) := -Os))
