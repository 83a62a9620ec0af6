src-y += $(wildcard drivers/*.c drivers/$(ARCH)/*.[cS])
