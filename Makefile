# SPDX-License-Identifier: BSD-2-Clause
#
# Nestling's build. Each directory adds its sources in <directory>/build.mk; the output
# goes to build/<isa>/, the host tests to build/host/. `make help` lists what to ask for.

# Whatever rules the included files begin with.
.DEFAULT_GOAL := all

all-isas := x86_64 aarch64 riscv64
isas     := $(or $(ARCH),$(all-isas))

ARCH  ?= x86_64
out   := build/$(ARCH)
third := build/third-party/$(ARCH)

CROSS   := $(ARCH)-linux-gnu-
CC      := $(CROSS)gcc
LD      := $(CROSS)ld
OBJCOPY := $(CROSS)objcopy
READELF := $(CROSS)readelf
HOSTCC  := gcc

MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
.DELETE_ON_ERROR:
.SECONDARY:

comma := ,

# What a target is built by, beside its prerequisites, is kept beside it, in <target>.how. Among prerequisites,
# $$(call changed,$$@,HOW) is FORCE where that is not what it was; the recipe ends with $(call built-by,HOW).
changed  = $(if $(call differ,$(strip $(file <$(1).how)),$(strip $(2))),FORCE)
differ   = $(subst x$(1),,x$(2))$(subst x$(2),,x$(1))
built-by = @printf '%s\n' '$(strip $(1))' >$@.how
.SECONDEXPANSION:

# V=1 shows the commands, and otherwise each step is one short line.
Q   := $(if $(V),,@)
log  = $(if $(V),,@printf '  %-7s %s\n' $(1) $(patsubst build/%,%,$(2)))

# --- Flags --------------------------------------------------------------------------

warnings := -Wall -Wextra -Werror -Wshadow -Wconversion -Wmissing-prototypes

# What runs with no operating system under it sees newlib's headers and the compiler's own.
# It keeps out of FP and SIMD registers: those hold the state of whoever is below or above.
bare := -std=gnu11 -ffreestanding -O2 -g $(warnings) -fno-stack-protector -U_FORTIFY_SOURCE \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	-nostdinc -isystem $(third)/include -isystem $(third)/include-gcc -I.

bare-x86_64  := -mno-red-zone -mgeneral-regs-only -fcf-protection=none
bare-aarch64 := -mgeneral-regs-only -fomit-frame-pointer -mstrict-align -mno-outline-atomics
bare-riscv64 := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax -msmall-data-limit=0

hypervisor-flags = $(bare) $(bare-$(ARCH)) -Iinclude -Ivmm/$(ARCH) -fPIE -fvisibility=hidden
# The image carries guests, so they are to be small: see also their link, whose segments are not aligned in the file.
guest-flags      = $(bare) $(bare-$(ARCH)) -Os -fno-pic $(guest-flags-$(ARCH)) -I$(out)/guest/embed
host-flags       = -std=gnu11 -O1 -g $(warnings) -Iinclude -iquote tests/arch/$(ARCH) -iquote vmm/$(ARCH) -I. -isystem build/host/include \
	-isystem $(third)/efi -isystem $(third)/efi/protocol -DLOCK_CHECKS=1 \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

guest-flags-x86_64  := -mcmodel=small
guest-flags-aarch64 := -mcmodel=small

# The flags of one source, by where it lives; a fragment may add flags-<directory> and flags-<source>.
flags-of = $(if $(filter guest/% tests/guests/% bench/guest/%,$(1)),$(guest-flags),$(hypervisor-flags)) \
	$(flags-$(firstword $(subst /, ,$(1)))) $(flags-$(1))

# --- Sources ------------------------------------------------------------------------

include boot/build.mk mm/build.mk npt/build.mk vmm/build.mk drivers/build.mk guest/build.mk
include tests/build.mk bench/build.mk

objects = $(addprefix $(out)/,$(addsuffix .o,$(basename $(1))))

image-objects := $(call objects,$(src-y))
guest-objects := $(call objects,$(guest-rt-y) $(guests-y) $(test-guests-y))
guests        := $(patsubst %,$(out)/%.elf,$(basename $(guests-y) $(test-guests-y)))

host-objects      := $(patsubst %.c,build/host/%.o,$(host-y))
host-test-objects := $(patsubst %.c,build/host/%.o,$(host-tests-y))
host-tests        := $(host-test-objects:.o=)
tsan-tests        := $(patsubst %.c,build/host-tsan/%,$(tsan-tests-y))

other-isas := $(filter-out $(ARCH),$(all-isas))

# --- Targets ------------------------------------------------------------------------

.PHONY: all image efi test test-all test-nested soak readme-check fuzz coverage compdb clean distclean help setup FORCE

all: $(out)/nestling.efi $(guests)

# One image for all ISAs; with ARCH=..., one for that; with LINUX=1, one for each that boots Debian's kernel.
image: $(if $(LINUX),$(isas:%=build/%/nestling-linux.img),$(if $(filter 1,$(words $(isas))),$(out)/nestling.img,build/nestling.img))

# test-all: the slow boot tests too, some two hundred. With BENCH=1, what has become slower counts as failed.
test-all: export TESTS := all
test test-all: build/nestling.img $(guests) $(other-isas:%=guests-%) $(host-tests) $(tsan-tests) $(fuzz-ready) $(if $(BENCH),bench-build) | setup-tests
	$(Q)tools/run-tests $(host-tests) $(tsan-tests) $(if $(BENCH),'bench/run --check') tools/readme-check tests/fuzz/run tests/boot/run $(if $(TESTS),tests/nested/run)

# Under Linux' KVM, in an emulated machine of AMD's and one of Arm's. It takes some minutes, and is part of test-all.
test-nested: export TESTS := nested
test-nested: $(out)/nestling.efi $(guests) guests-aarch64 | setup-tests
	$(Q)tests/nested/run

# VMs that come and go on all backends at once, for an hour of theirs; SEED=2 has them do other things.
soak: export SOAK_SECONDS := $(or $(SECONDS),3600)
soak: export SOAK_SEED := $(or $(SEED),1)
soak: build/nestling.img $(guests) $(other-isas:%=guests-%) | setup-tests
	$(Q)tests/boot/run --all -j4 -k /smp/soak

# The README's runs, pictures and figures, made again; with UPDATE=1, it is changed to what comes out.
readme-check: all
	$(Q)tools/readme-check $(if $(UPDATE),--update)

clean:
	rm -rf $(all-isas:%=build/%) build/host build/host-tsan build/fuzz build/coverage build/run build/nestling.* compile_commands.json

distclean: clean
	rm -rf build

help:
	@echo 'make              the EFI image and the guests, in build/<isa>/'
	@echo 'make image        a bootable disk image for all ISAs, build/nestling.img;'
	@echo '                  with ARCH=<isa>, for one: build/<isa>/nestling.img; with LINUX=1,'
	@echo '                  one that boots Debian: build/<isa>/nestling-linux.img'
	@echo 'make efi          one EFI file that carries CONFIG=nestling.cfg and its guests:'
	@echo '                  build/<isa>/nestling-single.efi; with LINUX=1, Debian'
	@echo 'make test         host tests, then boot tests in QEMU and Bochs'
	@echo 'make test-all     the same with every boot test, which takes long'
	@echo 'make test-nested  the image under KVM, in emulated machines; test-all has it'
	@echo 'make readme-check are what the README shows and its figures what comes out?'
	@echo 'make fuzz         look for inputs that break something: FUZZ="elf acpi" (all),'
	@echo '                  SECONDS=60 each'
	@echo 'make soak         VMs that come and go, on all backends; SECONDS=3600, SEED=1'
	@echo 'make coverage     how much of mm/ and npt/ the host tests execute; GAPS=1'
	@echo '                  lists what not'
	@echo 'make bench        instruction counts of everything, on all backends;'
	@echo '                  a quarter of an hour'
	@echo 'make bench-check  some of that, against bench/baseline.json: two minutes'
	@echo 'make compdb       compile_commands.json, for editors and clang-tidy'
	@echo 'make clean        remove what was built; distclean: what was fetched too'
	@echo 'make help         this list'
	@echo 'Variables: ARCH=x86_64 (or aarch64, riscv64), V=1 shows the commands'

# Installs tools and builds the libraries where they are missing, else does nothing.
setup:
	@tools/setup $(ARCH)
setup-tests: setup
	@tools/setup $(all-isas) raspi3b $(all-isas:%=linux-%) boards tests $(if $(TESTS),qemu10 sbsa-ref uboot-boards kvm-aarch64)
$(third)/recipe: | setup ;

# --- Compiling ----------------------------------------------------------------------

$(out)/%.o: %.c $(third)/recipe $$(call changed,$$@,$$(CC) $$(call flags-of,$$*.c))
	$(call log,CC,$<)
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(CC) $(call flags-of,$<) -MMD -MP -c $< -o $@
	$(call built-by,$(CC) $(call flags-of,$<))

$(out)/%.o: %.S $(third)/recipe $$(call changed,$$@,$$(CC) $$(call flags-of,$$*.S))
	$(call log,AS,$<)
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(CC) $(call flags-of,$<) -MMD -MP -c $< -o $@
	$(call built-by,$(CC) $(call flags-of,$<))

# --- Guests: static programs at fixed addresses -------------------------------------

guest-lds := guest/rt/$(ARCH)/guest.lds
guest-rt  := $(call objects,$(guest-rt-y))
# What the compiler calls. RISC-V's own library is of another ABI: boot/riscv64/libgcc.c.
guest-libgcc          = $(shell $(CC) -print-libgcc-file-name)
guest-libgcc-riscv64 := build/riscv64/boot/riscv64/libgcc.o

# Of an archive only what is called is linked: the runtime in C first, then newlib for those who want that.
guest-link := -static -nostdlib --nmagic -z noexecstack -u _start --gc-sections
guest-how   = $(guest-link) $(guest-rt) $(guest-libgcc-$(ARCH))
$(guests): $(out)/%.elf: $(out)/%.o $(guest-rt) $(guest-libgcc-$(ARCH)) $(guest-lds) $$(call changed,$$@,$$(guest-how))
	$(call log,LD,$@)
	$(Q)rm -f $@ $(@D)/$(*F).rt.a && $(CROSS)ar qcs $(@D)/$(*F).rt.a $(guest-rt) $(guest-libgcc-$(ARCH))
	$(Q)$(LD) $(guest-link) -T $(guest-lds) $< \
		--start-group $(@D)/$(*F).rt.a $(third)/lib/libc.a $(if $(guest-libgcc-$(ARCH)),,$(guest-libgcc)) --end-group -o $@
	$(call built-by,$(guest-how))

# The image carries its guests without their symbols.
$(out)/guest/embed/%.elf: $(out)/guest/%.elf
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-all $< $@

$(out)/guest/embed.o: $(patsubst guest/%.c,$(out)/guest/embed/%.elf,$(guests-y))

# --- The image ----------------------------------------------------------------------

image-lds := boot/$(ARCH)/image.lds
libraries  = --start-group $(addprefix $(third)/lib/lib,c.a fdt.a efi.a gnuefi.a) \
	$(shell $(CC) -print-libgcc-file-name) --end-group

# binutils write PE files for x86_64; elsewhere GNU-EFI's start code brings the header.
efi-format-x86_64  := --target efi-app-x86_64 --strip-all -j .reloc
efi-format-aarch64 := -O binary
efi-format-riscv64 := -O binary

link-x86_64  := -z nodynamic-undefined-weak
link-aarch64 := -z separate-code -z max-page-size=4096
link-riscv64 := -z separate-code --no-relax

# GNU-EFI's start code applies relative relocations and passes over all others in silence,
# so a link that has others must fail here.
image-link := -pie --no-dynamic-linker $(link-$(ARCH)) -z text -z norelro -z noexecstack \
	--build-id=none --gc-sections --orphan-handling=error --fatal-warnings
$(out)/nestling.elf: $(image-objects) $(image-lds) $(third)/recipe $$(call changed,$$@,$$(image-link) $$(image-objects))
	$(call log,LD,$@)
	@rm -f $@
	$(Q)$(LD) $(image-link) -Map=$(out)/nestling.map -T $(image-lds) $(third)/lib/crt0-efi.o $(image-objects) $(libraries) -o $@
	@! $(READELF) -rW $@ | grep R_ | grep -v _RELATIVE
	$(call built-by,$(image-link) $(image-objects))

efi-flags := $(efi-format-$(ARCH)) $(addprefix -j ,.text .rodata .relro .rela .data .bss)
$(out)/nestling.efi: $(out)/nestling.elf tools/nxcompat $$(call changed,$$@,$$(efi-flags))
	$(call log,EFI,$@)
	$(Q)$(OBJCOPY) $(efi-flags) $< $@
	$(Q)tools/nxcompat $@
	$(call built-by,$(efi-flags))

# With room for guest files; boot/nestling.cfg says how much.
make-image = tools/mkimage --free 64 $(foreach i,$(1),--isa $(i)=build/$(i)/nestling.efi) --cfg boot/nestling.cfg

$(out)/nestling.img: $(out)/nestling.efi boot/nestling.cfg tools/mkimage $$(call changed,$$@,$$(call make-image,$$(ARCH)))
	$(call log,IMAGE,$@)
	$(Q)$(call make-image,$(ARCH)) -o $@
	$(call built-by,$(call make-image,$(ARCH)))

build/nestling.img: $(all-isas:%=build/%/nestling.efi) boot/nestling.cfg tools/mkimage $$(call changed,$$@,$$(call make-image,$$(all-isas)))
	$(call log,IMAGE,$@)
	$(Q)$(call make-image,$(all-isas)) -o $@
	$(call built-by,$(call make-image,$(all-isas)))

# Whether the kernel and its initramfs are what they should be, the set-up knows.
linux-console := $(foreach isa,$(all-isas),$(isa):$(if $(filter aarch64,$(isa)),ttyAMA0,ttyS0))
linux-files = --cfg build/$(1)/linux.cfg --file build/linux/$(1)/kernel:kernel --file build/linux/$(1)/initrd:initrd
$(all-isas:%=build/%/linux.cfg): build/%/linux.cfg: boot/nestling.cfg FORCE
	@tools/setup linux-$*
	@mkdir -p $(@D)
	$(Q)sed -e 's,^#guest = .*,guest = \\kernel,' -e 's,^#initrd = .*,initrd = \\initrd,' \
		-e 's,^#cmdline = .*,cmdline = console=$(patsubst $*:%,%,$(filter $*:%,$(linux-console))),' boot/nestling.cfg >$@
$(all-isas:%=build/%/nestling-linux.img): build/%/nestling-linux.img: build/%/nestling.efi build/%/linux.cfg tools/mkimage FORCE
	$(call log,IMAGE,$@)
	$(Q)tools/mkimage --free 64 --isa $*=$< $(call linux-files,$*) -o $@

# One file for one ISA, with what CONFIG says to run.
efi: $(out)/nestling.efi $(if $(LINUX),$(out)/linux.cfg)
	@[ -n '$(LINUX)$(CONFIG)' ] || { echo 'make efi: CONFIG=FILE is missing, the nestling.cfg that the file is to carry' >&2; exit 2; }
	$(call log,EFI,$(out)/nestling-single.efi)
	$(Q)tools/mkefi -o $(out)/nestling-single.efi $< $(if $(LINUX),$(call linux-files,$(ARCH)),--cfg '$(CONFIG)')

# Of the other ISAs a make of their own knows.
$(other-isas:%=build/%/nestling.efi): build/%/nestling.efi: FORCE
	+$(Q)$(MAKE) --no-print-directory ARCH=$* $@
$(other-isas:%=guests-%): guests-%: build/%/nestling.efi
	+$(Q)$(MAKE) --no-print-directory ARCH=$* all

# --- Host tests ---------------------------------------------------------------------

build/host/%.o: %.c $$(call changed,$$@,$$(HOSTCC) $$(host-flags)) | setup-tests
	$(call log,HOSTCC,$<)
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(HOSTCC) $(host-flags) -MMD -MP -c $< -o $@
	$(call built-by,$(HOSTCC) $(host-flags))

# An archive, so that a test takes the parts it calls and brings fakes for the others.
build/host/nestling.a: $(host-objects) $$(call changed,$$@,$$(host-objects))
	@rm -f $@
	$(Q)ar qcs $@ $(host-objects)
	$(call built-by,$(host-objects))

wraps     = $(addprefix -Wl$(comma)--wrap=,$(wrapped-$(@F)))
host-link = $(host-flags) -lcmocka -lfdt $(wraps)
$(host-tests): %: %.o build/host/nestling.a $$(call changed,$$@,$$(host-link))
	$(call log,HOSTLD,$@)
	$(Q)$(HOSTCC) $(filter %.o,$^) $(filter %.a,$^) $(host-link) -o $@
	$(call built-by,$(host-link))

# It has fakes of what is in the archive, and so comes before it.
$(foreach d,host host-tsan coverage,$(eval $(on-machine-y:%.c=build/$d/%): build/$d/$(machine-y:.c=.o)))

# What runs in several threads, once more with the thread sanitizer, which does not go with the others.
# It knows no fences, which order what is read without a lock here, and warns of them.
tsan-flags   = $(filter-out -fsanitize=% -fno-sanitize%,$(host-flags)) -fsanitize=thread -Wno-tsan
tsan-shared := $(filter mm/% npt/% drivers/spin.c $(addprefix vmm/,cpu.c rest.c run_queue.c sched.c shootdown.c stop.c tidy.c vms.c) \
	$(addprefix tests/host/,fixture.c formats.c host.c lock_order.c oracle%.c ram.c tidied.c tlb.c view.c),$(host-y))
tsan-objects := $(patsubst %.c,build/host-tsan/%.o,$(tsan-shared) $(tsan-tests-y))

build/host-tsan/%.o: %.c $$(call changed,$$@,$$(HOSTCC) $$(tsan-flags)) | setup-tests
	$(call log,HOSTCC,$@)
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(HOSTCC) $(tsan-flags) -MMD -MP -c $< -o $@
	$(call built-by,$(HOSTCC) $(tsan-flags))

build/host-tsan/nestling.a: $(patsubst %.c,build/host-tsan/%.o,$(tsan-shared)) $$(call changed,$$@,$$(tsan-shared))
	@rm -f $@
	$(Q)ar qcs $@ $(filter %.o,$^)
	$(call built-by,$(tsan-shared))

$(tsan-tests): %: %.o build/host-tsan/nestling.a $$(call changed,$$@,$$(tsan-flags))
	$(call log,HOSTLD,$@)
	$(Q)$(HOSTCC) $(filter %.o,$^) $(filter %.a,$^) $(tsan-flags) -lcmocka $(wraps) -o $@
	$(call built-by,$(tsan-flags))

# Programs as linkers make them, for a test to load.
build/host/elf/done: $(wildcard tests/elf/*) | setup-tests
	$(call log,GUESTS,$(@D))
	$(Q)tests/elf/build $(@D)
	@touch $@

$(foreach build,host coverage,build/$(build)/tests/host/test_elf_built): | build/host/elf/done

# --- Fuzzing: the host's code once more, by clang for libFuzzer ----------------------

FUZZCC := clang-14
# A target that is called after an ISA sees that ISA's headers, with those in tests/fuzz/<isa>/ before them. It has of
# that ISA what it includes: what is not linked is not called.
fuzz-isa   = $(foreach isa,$(all-isas),$(if $(filter fuzz_$(isa) fuzz_$(isa)_%,$(basename $(notdir $(1)))),$(isa)))
# What the code under test does guides the search, not what the tests' own code does.
fuzz-flags = $(foreach isa,$(call fuzz-isa,$(1)),-Itests/fuzz/$(isa) -iquote tests/arch/$(isa) -iquote vmm/$(isa)) $(host-flags) \
	-Wno-sign-conversion $(if $(filter tests/host/%,$(1)),,-fsanitize=fuzzer-no-link)
fuzz-link  = $(host-flags) $(if $(call fuzz-isa,$(1)),-no-pie -Wl$(comma)--unresolved-symbols=ignore-all) -fsanitize=fuzzer -lcmocka -lfdt

fuzz-shared  := $(patsubst %.c,build/fuzz/%.o,$(host-y) $(fuzz-y))
fuzz-objects := $(fuzz-shared) $(fuzz-targets:%=build/fuzz/tests/fuzz/fuzz_%.o)

build/fuzz/%.o: %.c $$(call changed,$$@,$$(FUZZCC) $$(call fuzz-flags,$$*.c)) | setup-tests
	$(call log,FUZZCC,$<)
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(FUZZCC) $(call fuzz-flags,$<) -MMD -MP -c $< -o $@
	$(call built-by,$(FUZZCC) $(call fuzz-flags,$<))

build/fuzz/nestling.a: $(fuzz-shared) $$(call changed,$$@,$$(fuzz-shared))
	@rm -f $@
	$(Q)ar qcs $@ $(fuzz-shared)
	$(call built-by,$(fuzz-shared))

build/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/nestling.a $$(call changed,$$@,$$(call fuzz-link,$$@))
	$(call log,FUZZLD,$@)
	$(Q)$(FUZZCC) $(filter %.o %.a,$^) $(call fuzz-link,$@) -o $@
	$(call built-by,$(call fuzz-link,$@))

build/fuzz/seeds/done: tests/fuzz/seeds
	$(Q)tests/fuzz/seeds $(@D)
	@touch $@

# make fuzz FUZZ="elf acpi" SECONDS=600
fuzz: $(fuzz-ready)
	$(Q)tests/fuzz/run $(or $(SECONDS),60) $(or $(FUZZ),$(fuzz-targets))

# --- Coverage: the host tests once more, without sanitizers, whose checks are branches too ---

coverage-of      := mm npt
coverage-flags    = $(filter-out -fsanitize=% -fno-sanitize%,$(host-flags))
# A function that is always inlined has no counters of its own to add up over the formats.
coverage-counted := -O0 --coverage -fprofile-update=prefer-atomic -Dalways_inline=unused
coverage-objects := $(patsubst %.c,build/coverage/%.o,$(host-y))
coverage-tests   := $(patsubst %.c,build/coverage/%,$(host-tests-y))

coverage-how  = $(HOSTCC) $(coverage-flags) $(if $(filter $(coverage-of:%=%/%),$(1)),$(coverage-counted))
coverage-link = $(coverage-flags) --coverage -lcmocka -lfdt $(wraps)

build/coverage/%.o: %.c $$(call changed,$$@,$$(call coverage-how,$$*.c)) | setup-tests
	$(call log,HOSTCC,$@)
	@mkdir -p $(@D)
	@rm -f $@ $(@:.o=.gcda)
	$(Q)$(call coverage-how,$<) -MMD -MP -c $< -o $@
	$(call built-by,$(call coverage-how,$<))

build/coverage/nestling.a: $(coverage-objects) $$(call changed,$$@,$$(coverage-objects))
	@rm -f $@
	$(Q)ar qcs $@ $(coverage-objects)
	$(call built-by,$(coverage-objects))

$(coverage-tests): %: %.o build/coverage/nestling.a $$(call changed,$$@,$$(coverage-link))
	$(call log,HOSTLD,$@)
	$(Q)$(HOSTCC) $(filter %.o,$^) $(filter %.a,$^) $(coverage-link) -o $@
	$(call built-by,$(coverage-link))

coverage: $(coverage-tests)
	$(Q)find build/coverage -name '*.gcda' -delete
	$(Q)tools/run-tests $(coverage-tests)
	$(Q)tools/coverage $(if $(GAPS),--gaps) build/coverage npt:100:95 mm

# --- Benchmarks: mm/ and npt/ as the image has them, without the tests' sanitizers --------

.PHONY: bench bench-check bench-build setup-bench guests-$(ARCH)

# Large copies are calls, which are counted apart, as they are where the image is built.
bench-libcalls   := $(if $(filter x86_64,$(shell uname -m)),-mstringop-strategy=libcall)
bench-host-flags := -std=gnu11 -O2 -g $(bench-libcalls) $(warnings) -Iinclude -I. -isystem build/host/include
bench-devices    := $(patsubst %,vmm/devices/%.c,device virtio virtio_queue balloon)
bench-objects    := $(patsubst %.c,build/bench/%.o,$(filter mm/% npt/% drivers/spin.c $(bench-devices),$(host-y)) $(bench-host-y))

bench: bench-build
	$(Q)bench/run

bench-check: bench-build
	$(Q)bench/run --check

bench-build: $(all-isas:%=guests-%) build/bench/host build/bench/profile.so
guests-$(ARCH): all

setup-bench: setup
	@tools/setup $(all-isas) bench

# A guest's frames are not cleared where the host is measured: see bench/host/env.c.
bench-uncleared := $(patsubst %,mm/%.c,fault_around fresh promote run)
bench-how        = $(HOSTCC) $(bench-host-flags) $(if $(filter $(bench-uncleared),$(1)),-Darch_zero_pages=arch_zero_guest_memory)

build/bench/%.o: %.c $$(call changed,$$@,$$(call bench-how,$$*.c)) | setup-bench
	$(call log,HOSTCC,$<)
	@mkdir -p $(@D) && rm -f $@
	$(Q)$(call bench-how,$<) -MMD -MP -c $< -o $@
	$(call built-by,$(call bench-how,$<))

build/bench/host: $(bench-objects) $$(call changed,$$@,$$(bench-objects))
	$(call log,HOSTLD,$@)
	$(Q)rm -f $@.a && ar qcs $@.a $(bench-objects) && $(HOSTCC) -pthread build/bench/bench/host/bench.o $@.a -o $@
	$(call built-by,$(bench-objects))

plugin-how := $(HOSTCC) -std=gnu11 -O2 $(warnings) -shared -fPIC -fvisibility=hidden
build/bench/profile.so: bench/plugin/profile.c $$(call changed,$$@,$$(plugin-how))
	$(call log,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(plugin-how) $< -o $@
	$(call built-by,$(plugin-how))

# --- Tooling ------------------------------------------------------------------------

compdb-entry = {"directory": "$(CURDIR)", "file": "$(1)", "command": "$(2) -c $(1)"}

compdb: setup
	$(file >compile_commands.json,[)
	$(foreach s,$(src-y) $(guest-rt-y) $(guests-y) $(test-guests-y),\
		$(file >>compile_commands.json,$(call compdb-entry,$(s),$(CC) $(strip $(call flags-of,$(s))))))
	$(foreach s,$(host-tests-y) $(machine-y) $(filter tests/%,$(host-y)),\
		$(file >>compile_commands.json,$(call compdb-entry,$(s),$(HOSTCC) $(host-flags))))
	@sed -i '$$!s/}$$/},/; $$s/$$/]/' compile_commands.json

-include $(image-objects:.o=.d) $(guest-objects:.o=.d) $(host-objects:.o=.d) $(host-test-objects:.o=.d) $(bench-objects:.o=.d) \
	$(fuzz-objects:.o=.d) $(tsan-objects:.o=.d) $(coverage-objects:.o=.d) $(coverage-tests:=.d) $(foreach d,host host-tsan coverage,build/$d/$(machine-y:.c=.d))
