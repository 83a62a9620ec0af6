src-y  += $(wildcard vmm/*.c vmm/$(ARCH)/*.[cS] vmm/$(ARCH)/*/*.[cS])
host-y += $(wildcard vmm/*.c)
