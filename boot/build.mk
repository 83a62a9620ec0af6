src-y += $(wildcard boot/*.c boot/$(ARCH)/*.[cS])

# Only boot/ talks to the firmware, whose characters are 16 bits wide.
flags-boot := -isystem $(third)/efi -isystem $(third)/efi/protocol -DGNU_EFI_USE_MS_ABI -fshort-wchar
