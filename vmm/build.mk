src-y  += $(wildcard vmm/*.[cS] vmm/devices/*.c vmm/$(ARCH)/*.[cS] vmm/$(ARCH)/*/*.[cS])
host-y += $(wildcard vmm/*.c vmm/devices/*.c)

# Which version this is, is in one object only.
version := $(shell tools/version)
flags-vmm/version.S := -DNESTLING_VERSION=$(version)

# What runs before a guest does or after it, only for a traced VM, or is as slow as a UART, is to be small.
vmm-once := machine report post_mortem walk_log trace text blocks trace_json picture map guest_fdt elf elf_file elf_dynamic file_kind \
	linux_image boot_state check control controls describe diagnose features fork id registers speculation v16550 vpl011
$(foreach source,$(wildcard $(foreach folder,vmm vmm/devices vmm/$(ARCH) vmm/$(ARCH)/*,$(vmm-once:%=$(folder)/%.c))),$(eval flags-$(source) := -Os))
