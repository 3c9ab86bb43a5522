# Fermata, every verb. `make help` lists them. Objects live in build/$(ARCH)-$(BUILD), never beside the sources.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

ARCH ?= x86_64
# What is measured or given away is the release build; what is run and tested checks its invariants.
BUILD ?= $(if $(filter image,$(MAKECMDGOALS)),release,debug)
B := build/$(ARCH)-$(BUILD)$(if $(VARIANT),-$(VARIANT))

ifeq ($(filter $(ARCH),x86_64 arm64),)
$(error ARCH=$(ARCH): it is x86_64 or arm64)
endif
ifeq ($(filter $(BUILD),debug release coverage e2h),)
$(error BUILD=$(BUILD): it is debug, release, coverage or e2h)
endif

# --- Tools -----------------------------------------------------------------------------------------

TRIPLE_x86_64 := x86_64-linux-gnu
TRIPLE_arm64 := aarch64-linux-gnu
TRIPLE := $(TRIPLE_$(ARCH))
CROSS := $(if $(filter $(shell uname -m),$(firstword $(subst -, ,$(TRIPLE)))),,$(TRIPLE)-)

ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
# Assembly and linking are always the GNU tools': the same image whatever compiles the C.
AS_CC := $(CROSS)gcc
LD := $(CROSS)ld
OBJCOPY := $(CROSS)objcopy
NM := $(CROSS)nm
CLANG_TARGET := $(if $(findstring clang,$(CC)),--target=$(TRIPLE))

# Only the headers of gnu-efi are used; the PE header and the relocation are boot/'s own.
GNUEFI := $(shell ARCH=$(ARCH) tools/setup.sh --print gnuefi)
EFI_INC := -isystem $(GNUEFI)/usr/include/efi -isystem $(GNUEFI)/usr/include/efi/$(TRIPLE:%-linux-gnu=%)

# --- Flags -----------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wmissing-prototypes -Wvla -Werror
BASE := -std=gnu11 -ffreestanding -O2 -g $(WARN) -I. -Iarch/$(ARCH) -fno-common -fno-strict-aliasing \
    -fno-omit-frame-pointer -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables
# The hypervisor never touches an FP or vector register outside the listed movers (tools/vector_allowed.txt).
ARCH_FLAGS_x86_64 := -m64 -mgeneral-regs-only -mno-red-zone -fcf-protection=none
ARCH_FLAGS_arm64 := -mgeneral-regs-only -mbranch-protection=none \
    $(if $(findstring clang,$(CC)),,-mno-outline-atomics)
# X10-X15 and X18 stay the guest's on the shortest exit (guest_fp in arch/arm64/vectors.S).
HV_FLAGS_arm64 := $(addprefix -ffixed-x,10 11 12 13 14 15 18)
BUILD_FLAGS_debug := -DFERMATA_DEBUG -DFERMATA_TRACE
# arm64 as firmware that sets HCR_EL2.E2H would hand it over: AAVMF does not, so a test build does.
BUILD_FLAGS_e2h := -DFERMATA_DEBUG -DFERMATA_E2H=1
BUILD_FLAGS_coverage := -DFERMATA_DEBUG -DFERMATA_COVERAGE
BUILD_FLAGS := $(BUILD_FLAGS_$(BUILD)) -DFERMATA_BUILD='"$(BUILD)"' -DFERMATA_ARCH='"$(ARCH)"'
GCOV_FLAGS := $(if $(filter coverage,$(BUILD)),--coverage -fprofile-info-section -fprofile-update=single)

HV_CFLAGS := $(CLANG_TARGET) $(BASE) $(ARCH_FLAGS_$(ARCH)) $(HV_FLAGS_$(ARCH)) $(BUILD_FLAGS) -fpie -fvisibility=hidden $(EXTRA_CFLAGS)
BOOT_CFLAGS := $(HV_CFLAGS) $(EFI_INC) -DGNU_EFI_USE_MS_ABI -fshort-wchar
# The x86-64 guest is an ELF file at fixed addresses; the arm64 Image relocates itself to wherever it was loaded.
GUEST_PIC_x86_64 := -fno-pic -fno-pie
GUEST_PIC_arm64 := -fpie -fvisibility=hidden
GUEST_LINK_x86_64 := -static
GUEST_LINK_arm64 := -pie --no-dynamic-linker -z text -z norelro -Bsymbolic --no-warn-rwx-segments --hash-style=sysv
# Small: it takes almost half of the image.
GUEST_SIZE_arm64 := -Os
GUEST_SIZE_x86_64 := -Os
GUEST_CFLAGS := $(CLANG_TARGET) $(BASE) $(ARCH_FLAGS_$(ARCH)) $(BUILD_FLAGS) $(GUEST_PIC_$(ARCH)) -Iguest \
    -Iguest/$(ARCH) $(GUEST_SIZE_$(ARCH)) $(EXTRA_CFLAGS)
S_FLAGS := -g -I. -Iarch/$(ARCH) -Iguest -Iguest/$(ARCH) $(BUILD_FLAGS) -D__ASSEMBLY__ $(EXTRA_CFLAGS)

# A change of compiler or flags rebuilds: the objects depend on this file, rewritten only when it differs.
FLAGS_TEXT := $(CC) $(HV_CFLAGS) $(GCOV_FLAGS) $(BOOT_CFLAGS) $(GUEST_CFLAGS)
$(shell mkdir -p $(B); printf '%s\n' '$(subst ','\'',$(FLAGS_TEXT))' | cmp -s - $(B)/flags || \
    printf '%s\n' '$(subst ','\'',$(FLAGS_TEXT))' >$(B)/flags)

# --- The image -------------------------------------------------------------------------------------

HV_SRC := $(wildcard hv/*.c arch/$(ARCH)/*.c arch/$(ARCH)/*.S)
ifneq ($(BUILD),coverage)
HV_SRC := $(filter-out hv/gcov_dump.c,$(HV_SRC))
endif
BOOT_SRC := $(wildcard boot/*.c boot/*.S boot/$(ARCH)/*.c boot/$(ARCH)/*.S)
GUEST_SRC := $(wildcard guest/*.c guest/*.S guest/$(ARCH)/*.c guest/$(ARCH)/*.S)
obj = $(patsubst %,$(B)/%.o,$(1))
HV_OBJ := $(call obj,$(HV_SRC))
BOOT_OBJ := $(call obj,$(BOOT_SRC))
GUEST_OBJ := $(call obj,$(GUEST_SRC))
LDS := boot/$(ARCH)/efi.lds
GUEST_LDS := guest/$(ARCH)/guest.lds

BARE_OBJ := $(call obj,$(addprefix tests/emu/,bare_x86.c bare_x86_enter.S) $(addprefix boot/,pe_header.S x86_64/start.S \
    firmware.c leave.c memory_map.c reloc.c volume.c) hv/format.c hv/string.c arch/x86_64/pvh.c)

EFI_x86_64 := BOOTX64.EFI
EFI_arm64 := BOOTAA64.EFI
EFI := $(B)/$(EFI_$(ARCH))
GUEST_x86_64 := $(B)/guest.elf
GUEST_arm64 := $(B)/guest.Image
GUEST := $(GUEST_$(ARCH))
BARE_x86_64 := $(B)/bare.efi
# break.efi spoils the firmware's tables before it starts the image (tests/emu/break.c).
BREAK_OBJ := $(call obj,tests/emu/break.c $(if $(filter x86_64,$(ARCH)),tests/emu/break_la57.S) $(addprefix boot/,pe_header.S $(ARCH)/start.S firmware.c leave.c memory_map.c reloc.c \
    volume.c) $(addprefix hv/,acpi.c format.c string.c))
BARE := $(if $(filter coverage,$(BUILD)),,$(BARE_$(ARCH)) $(B)/break.efi)
# Built into the image packed, and without its debug information, which is larger than it is.
BLOB := $(B)/guest.packed

# Set-up first, then the build proper as a second make: -j must not run them side by side.
all: setup-build
	$(Q)$(MAKE) --no-print-directory ARCH=$(ARCH) BUILD=$(BUILD) image-only
image: setup-build $(if $(SIGN),setup-sign)
	$(Q)$(MAKE) --no-print-directory ARCH=$(ARCH) BUILD=$(BUILD) image-only
	$(Q)tools/image.py --arch $(ARCH) --efi $(EFI) --out $(B)/fermata.img $(if $(CONF),--conf '$(CONF)') \
	    $(foreach f,$(FILES),--file '$(f)')
	@echo "$(EFI): $$(stat -c %s $(EFI)) bytes$(if $(SIGN),$(comma) signed)"
	@echo "$(B)/fermata.img: a disk to boot from, $$(($$(stat -c %s $(B)/fermata.img) >> 20)) MiB"
image-only: $(EFI) $(GUEST) $(BARE)
guest-only: $(GUEST)

$(B)/hv/%.c.o: hv/%.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) $(OPTIMISE) $(GCOV_FLAGS) -MMD -MP -c $< -o $@
# The dumper is not measured: its own counters would move while it writes them.
$(B)/hv/gcov_dump.c.o: hv/gcov_dump.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -MMD -MP -c $< -o $@
# What runs once, or while a person waits, is compiled for size: the image has 256 KiB.
COLD := $(wildcard boot/*.c boot/$(ARCH)/*.c hv/gdb*.c hv/acpi*.c hv/fdt*.c hv/screen.c arch/$(ARCH)/gdb*.c arch/$(ARCH)/selftest*.c \
    arch/$(ARCH)/*_selftest.c)
$(call obj,$(COLD)): OPTIMISE := -Os
$(B)/arch/%.c.o: arch/%.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) $(OPTIMISE) $(GCOV_FLAGS) -MMD -MP -c $< -o $@
$(B)/boot/%.c.o: boot/%.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(BOOT_CFLAGS) $(OPTIMISE) $(GCOV_FLAGS) -MMD -MP -c $< -o $@
$(B)/guest/%.c.o: guest/%.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@
$(B)/boot/builtin_guest.S.o: $(BLOB)
$(B)/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(AS_CC) $(S_FLAGS) -DGUEST_BLOB='"$(BLOB)"' -MMD -MP -c $< -o $@

$(B)/guest.elf: $(GUEST_OBJ) $(GUEST_LDS)
	$(Q)$(LD) -nostdlib $(GUEST_LINK_$(ARCH)) -z noexecstack -z max-page-size=4096 --build-id=none \
	    --orphan-handling=place --fatal-warnings -T $(GUEST_LDS) -o $@ $(GUEST_OBJ)
$(B)/guest.stripped: $(B)/guest.elf
	$(Q)$(OBJCOPY) --strip-all $< $@
$(B)/guest.Image: $(B)/guest.elf tools/flat_image.py
	$(Q)python3 tools/flat_image.py $(OBJCOPY) $< $@
$(BLOB): $(if $(filter x86_64,$(ARCH)),$(B)/guest.stripped,$(GUEST)) tools/pack.py
	$(Q)python3 tools/pack.py $< $@

# -z text and --no-undefined: nothing to be patched in code, nothing left open. What start-up relocates is
# checked after the link (tools/check_image.py).
LINK = $(LD) -nostdlib -pie --no-dynamic-linker -z text -z norelro -z noexecstack -z max-page-size=4096 \
    --no-undefined --fatal-warnings --build-id=none -T $(LDS)
LINK_IN = $(BOOT_OBJ) $(HV_OBJ)

# The symbol table for backtraces is made from the linked program and linked into it. Its size moves what
# follows it, so: empty, right size, right addresses; the last two must agree or the build fails.
$(B)/fermata.elf: $(BOOT_OBJ) $(HV_OBJ) $(LDS) tools/symbols.py
	$(Q)python3 tools/symbols.py --empty >$(B)/symbols.S
	$(Q)for pass in 1 2 3; do \
	    $(AS_CC) -c $(B)/symbols.S -o $(B)/symbols.o && $(LINK) -Map=$(B)/fermata.map -o $@ $(LINK_IN) $(B)/symbols.o && \
	    mv $(B)/symbols.S $(B)/symbols.old && $(NM) -n $@ | python3 tools/symbols.py >$(B)/symbols.S || exit 1; \
	done; cmp $(B)/symbols.old $(B)/symbols.S

# The .EFI file is the program laid flat: boot/pe_header.S makes it a PE file. SIGN=KEY,CERT signs it, for Secure Boot;
# without, a signed one is made anew.
comma := ,
$(shell printf '%s\n' '$(SIGN)' | cmp -s - $(B)/sign || printf '%s\n' '$(SIGN)' >$(B)/sign)
$(EFI): $(B)/fermata.elf tools/check_image.py tools/vector_allowed.txt $(B)/sign $(wildcard $(subst $(comma), ,$(SIGN)))
	$(Q)$(OBJCOPY) -O binary $< $@.new
	$(Q)python3 tools/check_image.py --arch $(ARCH) --build $(BUILD) --cross '$(CROSS)' --elf $< --efi $@.new
	$(Q)$(if $(SIGN),tools/secure_boot.py sign '$(SIGN)' $@.new $@.signed && mv $@.signed $@.new)
	$(Q)mv $@.new $@

# The guest without a hypervisor where the emulator has no -kernel: boot/ up to its end, then tests/emu/bare_x86.c.
$(B)/tests/emu/%.c.o: tests/emu/%.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(BOOT_CFLAGS) -MMD -MP -c $< -o $@
$(B)/bare.elf: $(BARE_OBJ) $(LDS)
	$(Q)$(LINK) -o $@ $(BARE_OBJ)
$(B)/break.elf: $(BREAK_OBJ) $(LDS)
	$(Q)$(LINK) -o $@ $(BREAK_OBJ)
$(B)/bare.efi $(B)/break.efi: %.efi: %.elf
	$(Q)$(OBJCOPY) -O binary $< $@

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)

# --- Host tests and models: the real C on a fake machine, and on executable models of the hardware -----------
# tests/host/test_X.c and tests/model/test_X.c are one program each. Two comment lines in it say how it is built:
#   links: hv/fp.c tests/host/fake/fake.c      what it is linked with
#   machine: fake | x86_64 | arm64             whose arch_*.h headers all of it sees; fake is the default
#   machine: user_x86_64 | user_arm64          a program without C library or vector registers, in user mode
#   machine: bare_arm64                        likewise, at EL2 of QEMU's virt machine (tests/model/bare)
# A model runs by the million steps: -O2, and no sanitizer but UBSan's traps.

OUT_host := build/host$(if $(filter coverage,$(BUILD)),-coverage)
OUT_model := build/model$(if $(filter coverage,$(BUILD)),-coverage)
HOST_CC ?= gcc
TEST_CFLAGS := -std=gnu11 -g $(WARN) -I. -Itests/host -fno-omit-frame-pointer \
    -isystem /usr/include/efi -isystem /usr/include/efi/$(shell uname -m) \
    -DFERMATA_DEBUG -DFERMATA_HOST -D_GNU_SOURCE $(if $(filter coverage,$(BUILD)),--coverage)
CFLAGS_host := -O1 $(TEST_CFLAGS) $(if $(filter coverage,$(BUILD)),,-fsanitize=address,undefined -fno-sanitize-recover=all)
CFLAGS_model := -O2 $(TEST_CFLAGS) $(if $(filter coverage,$(BUILD)),,-fsanitize=undefined -fsanitize-undefined-trap-on-error)
MACHINE_host_fake := -Itests/host/fake -DMAX_CPUS=3
# -iquote: the C library has a <features.h> too
MACHINE_host_x86_64 := -iquote arch/x86_64
MACHINE_host_arm64 := -iquote arch/arm64
# A model's machine.h, read before anything else, puts the model behind the architecture's accessors.
MACHINE_model_fake := $(MACHINE_host_fake)
MACHINE_model_x86_64 := -iquote arch/x86_64 -DMAX_CPUS=3 $(patsubst %,-include %,$(wildcard tests/model/x86_64/machine.h))
MACHINE_model_arm64 := -iquote arch/arm64 -DMAX_CPUS=3 $(patsubst %,-include %,$(wildcard tests/model/arm64/machine.h))
test_programs = $(patsubst tests/$(1)/%.c,$(OUT_$(1))/%,$(wildcard tests/$(1)/test_*.c))
# From the first `links:` to the comment's end, however clang-format has filled its lines.
links = $(shell sed -n '/\blinks:/,/\*\//{p;/\*\//q}' $(1) | grep -oE '\b(hv|arch|boot|guest|tests|tools)/[A-Za-z0-9_/.-]+\.[cS]\b')
machine = $(or $(shell sed -n 's/^.*\bmachine: *\([a-z0-9_]*\) *$$/\1/p' $(1)),fake)

# $(1): host or model, $(2): the test's name, $(3): its machine
define test_program
$(OUT_$(1))/$(2): $(patsubst %,$(OUT_$(1))/$(3)/%.o,tests/$(1)/$(2).c $(call links,tests/$(1)/$(2).c))
	$$(Q)$(HOST_CC) $(CFLAGS_$(1)) $$^ -lcmocka -o $$@
endef
define test_machine
$(OUT_$(1))/$(2)/%.c.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(Q)$(HOST_CC) $(CFLAGS_$(1)) $(MACHINE_$(1)_$(2)) -MMD -MP -c $$< -o $$@
$(OUT_$(1))/$(2)/%.S.o: %.S Makefile
	@mkdir -p $$(@D)
	$$(Q)$(HOST_CC) -g -I. $(MACHINE_$(1)_$(2)) -D__ASSEMBLY__ -MMD -MP -c $$< -o $$@
endef
# What is really built is $(OUT)/user_ARCH/test_X; the program of that name is a script that runs it, by
# QEMU's user mode where the machine is of another kind or lacks what there is to look at.
test_user_cc = $(if $(filter $(subst arm64,aarch64,$(1)),$(shell uname -m)),,$(TRIPLE_$(1))-)gcc
TEST_USER_FLAGS_x86_64 := -m64 -mgeneral-regs-only -fcf-protection=none
TEST_USER_FLAGS_arm64 := -mgeneral-regs-only -mno-outline-atomics
# $(4): the machine as uname calls it, $(5): a word of /proc/cpuinfo
define test_user_program
$(OUT_$(1))/$(3)/$(2): $(patsubst %,$(OUT_$(1))/$(3)/%.o,tests/$(1)/$(2).c $(call links,tests/$(1)/$(2).c))
	$$(Q)$(call test_user_cc,$(3:user_%=%)) -static -nostdlib -no-pie $$^ -o $$@
$(OUT_$(1))/$(2): $(OUT_$(1))/$(3)/$(2) Makefile
	$$(Q)printf '#!/bin/sh\n[ "$$$$(uname -m)" = $(4) ] && grep -qw $(5) /proc/cpuinfo || q="qemu-$(4) -cpu max"\nexec $$$$q "$$$${0%%/*}/$(3)/$(2)"\n' >$$@
	$$(Q)chmod +x $$@
endef
define test_user_machine
$(OUT_$(1))/user_$(2)/%.c.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(Q)$(call test_user_cc,$(2)) $(filter-out -Iarch/$(ARCH),$(BASE)) -Iarch/$(2) $(TEST_USER_FLAGS_$(2)) \
	    -DFERMATA_DEBUG -fno-pie -MMD -MP -c $$< -o $$@
$(OUT_$(1))/user_$(2)/%.S.o: %.S Makefile
	@mkdir -p $$(@D)
	$$(Q)$(call test_user_cc,$(2)) -g -I. -Iarch/$(2) -D__ASSEMBLY__ -MMD -MP -c $$< -o $$@
endef
# Prints TAP lines without a plan, once for each CPU that tests/model/bare runs it on.
define test_bare_program
$(OUT_$(1))/bare_arm64/$(2): $(patsubst %,$(OUT_$(1))/bare_arm64/%.o,tests/$(1)/$(2).c $(call links,tests/$(1)/$(2).c))
	$$(Q)$(call test_user_cc,arm64) -static -nostdlib -no-pie -Wl,-Ttext-segment=0x40200000,--build-id=none $$^ -o $$@
$(OUT_$(1))/$(2): $(OUT_$(1))/bare_arm64/$(2) Makefile
	$$(Q)printf '#!/bin/sh\nexec tests/model/bare "$$$${0%%/*}/bare_arm64/$(2)"\n' >$$@
	$$(Q)chmod +x $$@
endef
define test_bare_machine
$(OUT_$(1))/bare_arm64/%.c.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(Q)$(call test_user_cc,arm64) $(filter-out -Iarch/$(ARCH),$(BASE)) -Iarch/arm64 $(TEST_USER_FLAGS_arm64) \
	    -mstrict-align -DFERMATA_DEBUG -fno-pie -MMD -MP -c $$< -o $$@
$(OUT_$(1))/bare_arm64/%.S.o: %.S Makefile
	@mkdir -p $$(@D)
	$$(Q)$(call test_user_cc,arm64) -g -I. -Iarch/arm64 -D__ASSEMBLY__ -MMD -MP -c $$< -o $$@
endef
test_rules = $(if $(filter bare_%,$(3)),$(call test_bare_program,$(1),$(2)),$(if $(filter user_%,$(3)),$(call test_user_program,$(1),$(2),$(3),$(subst arm64,aarch64,$(3:user_%=%)),$(if $(filter %arm64,$(3)),sve,avx)),$\
    $(call test_program,$(1),$(2),$(3))))
define test_kind
$(eval $(call test_bare_machine,$(1)))
$(foreach m,x86_64 arm64,$(eval $(call test_user_machine,$(1),$(m))))
$(foreach m,fake x86_64 arm64,$(eval $(call test_machine,$(1),$(m))))
$(foreach t,$(notdir $(call test_programs,$(1))),$(eval $(call test_rules,$(1),$(t),$(call machine,tests/$(1)/$(t).c))))
-include $(shell find $(OUT_$(1)) -name '*.d' 2>/dev/null)
endef
$(foreach k,host model,$(if $(filter $(k)-tests $(OUT_$(k))/%,$(MAKECMDGOALS)),$(eval $(call test_kind,$(k)))))
host-tests: $(call test_programs,host)
model-tests: $(call test_programs,model)

# --- Verbs -----------------------------------------------------------------------------------------

Q := $(if $(V),,@)
RUNFLAGS ?=

help:
	@echo "make               build the EFI image (ARCH=x86_64|arm64, BUILD=debug|release, CC=clang, V=1)"
	@echo "make run           boot it in QEMU under UEFI firmware (RUNFLAGS=..., see tools/run --help)"
	@echo "                   MACHINE=bochs CPU=sapphire_rapids|ryzen: in Bochs, Intel VMX or AMD SVM"
	@echo "make debug         boot it in QEMU under gdb, stopped at its first instruction (tools/debug --help)"
	@echo "make test          host tests and models, then emulator tests, both architectures"
	@echo "make test-long     what takes long, same harness"
	@echo "make image         the release image and a disk image with it (CONF=, FILES='HOST:\\\\ESP\\\\PATH', SIGN=key,cert)"
	@echo "make bench         the measured numbers against their limits, both architectures"
	@echo "make prove         every state that hv/fp.c can get into, and the models it runs on"
	@echo "make lint          format, static checks, both compilers, both architectures"
	@echo "make coverage      build/coverage/index.html and a table, from host and emulator runs"
	@echo "make setup         install everything any verb needs (each verb gets its own by itself)"
	@echo "make clean         remove build/ (make distclean: and the cache of extracted trees)"

setup:
	$(Q)tools/setup.sh all
setup-build:
	$(Q)ARCH=$(ARCH) tools/setup.sh build
setup-bochs:
	$(Q)tools/setup.sh bochs
setup-run:
	$(Q)ARCH=$(ARCH) tools/setup.sh run
setup-sign:
	$(Q)tools/setup.sh sign
run: $(if $(filter bochs,$(MACHINE)),setup-bochs,setup-run)
	$(Q)$(MAKE) --no-print-directory ARCH=$(ARCH) BUILD=$(BUILD) image-only
	$(Q)tools/run --arch $(ARCH) --image $(EFI) $(if $(MACHINE),--machine $(MACHINE)) $(if $(CPU),--cpu $(CPU)) \
	    $(if $(ACCEL),--accel $(ACCEL)) $(RUNFLAGS)
debug:
	$(Q)ARCH=$(ARCH) tools/setup.sh debug
	$(Q)$(MAKE) --no-print-directory ARCH=$(ARCH) BUILD=$(BUILD) image-only
	$(Q)tools/debug --arch $(ARCH) --image $(EFI) $(if $(CPU),--cpu $(CPU)) $(RUNFLAGS)
test:
	$(Q)tools/setup.sh test bochs
	$(Q)tests/run
test-long:
	$(Q)tools/setup.sh test bochs
	$(Q)tests/run --long
bench:
	$(Q)tools/setup.sh bench bochs
	$(Q)tools/bench
# Every state that hv/fp.c can get into, and millions of random steps on the models of the hardware.
prove:
	$(Q)tools/setup.sh test
	$(Q)STEPS=4000000 tests/run model-fp
lint:
	$(Q)tools/setup.sh lint
	$(Q)tools/lint
coverage:
	$(Q)tools/setup.sh coverage
	$(Q)tools/coverage
clean:
	rm -rf build
distclean: clean
	rm -rf "$$(tools/setup.sh --print cache)"

.PHONY: all image image-only guest-only host-tests model-tests help setup setup-build setup-run setup-bochs setup-sign run debug test test-long bench prove lint coverage \
    clean distclean
