src-y += $(wildcard boot/*.c boot/$(ARCH)/*.[cS])

# What needs no firmware, or next to none, is tested on the host.
host-y += boot/archive.c boot/config.c boot/config_value.c boot/config_keys.c boot/memory.c boot/extents.c boot/tables.c boot/unpack.c boot/reserved.c boot/in_use.c boot/overlap.c boot/mp_services.c boot/cpus.c

# Only boot/ talks to the firmware, whose characters are 16 bits wide; and it runs once.
flags-boot := -Os -isystem $(third)/efi -isystem $(third)/efi/protocol -DGNU_EFI_USE_MS_ABI -fshort-wchar
