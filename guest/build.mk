# A guest is one C file here; guest/embed.S puts all of them into the image.
src-y      += $(wildcard guest/embed.S)
guest-rt-y += $(wildcard guest/rt/*.c guest/rt/$(ARCH)/*.[cS])
guests-y   += $(wildcard guest/*.c)

space := $(subst ,, )
# Or "linux" and "unix" are macros and no names.
flags-guest/embed.S = -undef -DGUESTS=$(subst $(space),$(comma),$(patsubst guest/%.c,%,$(guests-y)))
