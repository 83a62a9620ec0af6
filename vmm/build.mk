src-y  += $(wildcard vmm/*.[cS] vmm/devices/*.c vmm/$(ARCH)/*.[cS] vmm/$(ARCH)/*/*.[cS])
host-y += $(wildcard vmm/*.c vmm/devices/*.c)

# Which version this is, is in one object only.
version := $(shell tools/version)
flags-vmm/version.S := -DNESTLING_VERSION=$(version)

# A guest's table of devices, for the file that carries it.
flags-vmm/x86_64/dsdt.S := -I$(out)/vmm/x86_64
$(out)/vmm/x86_64/dsdt.o: $(out)/vmm/x86_64/dsdt.aml
$(out)/vmm/x86_64/dsdt.aml: vmm/x86_64/dsdt.asl vmm/x86_64/guest_ports.h | setup
	$(call log,IASL,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -nostdinc -o $@.asl $<
	$(Q)iasl -vs -p $@ $@.asl >$@.log || { cat $@.log; exit 1; }

# What runs before a guest does or after it, or only for a traced VM, is to be small.
vmm-once := machine report post_mortem walk_log trace text blocks trace_json picture map guest_fdt elf elf_file elf_dynamic file_kind \
	linux_image bzimage vmlinux kernels pvh boot_state acpi_tables acpi_power pvpanic control control_page kvmclock check \
	controls describe diagnose features fork id registers speculation
$(foreach source,$(wildcard $(foreach folder,vmm vmm/devices vmm/$(ARCH) vmm/$(ARCH)/*,$(vmm-once:%=$(folder)/%.c))),$(eval flags-$(source) := -Os))
