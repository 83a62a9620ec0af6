# The guests that measure on the target, built like test guests; what each ISA has for it is in "isa.h".
test-guests-y += $(wildcard bench/guest/*.c bench/guest/$(ARCH)/*.c)
flags-bench   := -Ibench/guest/$(ARCH)

# On the host mm/ and npt/, and what they need.
bench-host-y += $(wildcard bench/host/*.c) vmm/devices/virtio_blk.c
