# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What tools/setup fetches for machines that this one is not: firmware and device trees of boards, and a newer QEMU,
# which Debian 12 has not. Sourced by tools/setup, whose variables and functions it uses.

# Is what is there made of the packages that are named here? The file has them as echo wrote them; $() takes newlines off the end of both.
made_of() { # FILE PACKAGES
    [[ -f $1 && $(<"$1") == "$(echo "$2")" ]]
}

# The firmware of another architecture's boards comes in packages of that architecture.
fetch_raspi3b() {
    local out=$third_party/raspi3b work=$third_party/.raspi3b
    [[ ! -f $out/u-boot.bin ]] || return 0
    say "fetching U-Boot for the Raspberry Pi 3"
    foreign_apt "$work" arm64
    apt-get "${foreign_apt[@]}" update >>"$log" 2>&1 9>&- || true
    cd "$work"
    logged apt-get "${foreign_apt[@]}" download u-boot-rpi
    logged dpkg-deb -x u-boot-rpi_*.deb files
    cd "$root"
    cp "$work/files/usr/lib/u-boot/rpi_3/u-boot.bin" "$work/out"
    rm -rf "$out"
    mv "$work/out" "$out"
    rm -rf "$work"
}

# --- Device trees ---------------------------------------------------------------------

# What boards there are, for the tests that read their device trees.
boards_suite=bookworm boards_release=6.1.0-57 boards_version=6.1.192-3
boards_sha256=8301bd5b5b2cf8fd5e479832200c23e64eca0ae9ec45c487c5c318b1e44d4692

fetch_boards() {
    local work=$build/.boards release=$boards_release linux_suite=$boards_suite
    say "fetching the device trees of boards (60 MB)"
    foreign_suite "$work" arm64 "$linux_suite"
    [[ $newest == no ]] || release=$(newest_linux arm64)
    cd "$work"
    fetch_package "linux-image-$release-arm64" "$boards_version" "$boards_sha256"
    take_trees "linux-image-$release-arm64" out/arm64
    cd "$root"
    echo "$boards_sha256" >"$work/out/package"
    rm -rf "$build/boards"
    mv "$work/out" "$build/boards"
    rm -rf "$work"
}

# As with linux_for.
boards_for_tests() {
    local newest=no
    [[ ${NESTLING_LINUX:-} != newest ]] || newest=yes
    ! made_of "$build/boards/package" "$boards_sha256" || return 0
    [[ " ${components[*]} " == *" tests "* ]] || { fetch_boards; return; }
    (fetch_boards) || say "going on without them: the test that reads them will fail"
}

# --- QEMU 10 --------------------------------------------------------------------------

# Of Debian 13, with its firmware: what is taken out of each package, and the package that it was tried with.
qemu10_packages="
qemu-system-x86    1:10.0.13+ds-0+deb13u1 5e841d0723a657fd8bc2e9e1a085d24f47fcb3e4a0f94762e6c38b429f22fbb1 ./usr/bin/qemu-system-x86_64
qemu-system-arm    1:10.0.13+ds-0+deb13u1 babb8ab3c9f5f045184bd8c20604237d28c1b5e6a578d7f400566b9f257b59e7 ./usr/bin/qemu-system-aarch64
qemu-system-riscv  1:10.0.13+ds-0+deb13u1 80effad6aa07c09a7532e1b731c04ec9a32c545c2b9597320ec16ae59d2f34a2 ./usr/bin/qemu-system-riscv64
qemu-system-common 1:10.0.13+ds-0+deb13u1 3a99dc23c42c66bb7e96dc1f2ba12b1797d154a472fbdb1cfcd822d9fb69e85b ./usr/lib/*/qemu/*
qemu-system-data   1:10.0.13+ds-0+deb13u1 a0e03c526cc09d4c2ab20aa19a8c12e916cdc49a170acb16a6563c28f70eafd3 ./usr/share/qemu/*.bin
ovmf               2025.02-8+deb13u1      78e0d54df11fc77406cb7a0bc9a39e5bca6d1cbe06556b91d9a73491c52decdf ./usr/share/OVMF/*
qemu-efi-aarch64   2025.02-8+deb13u1      a00b2411a79c8aeafd95a7c868ac3cd1aab592f1af9fff965f02d81a625276ed ./usr/share/qemu-efi-aarch64/*.fd
qemu-efi-riscv64   2025.02-8+deb13u1      bda367c8e798ba5e5b7c650f06e350750a35f6764b6715449edc72848ba1f997 ./usr/share/qemu-efi-riscv64/*.fd
opensbi            1.6-1                  dc4a43bd21a0ca11771ed8b19ee6fa8476d1d0f4976bd0b27c0357c699d27e1e ./usr/lib/riscv64-linux-gnu/*
u-boot-qemu        2025.01-3+deb13u1      a3751b5d36a411457b2e7a2834cdce0e5d40493e6588a65d51c5603740a0c71c ./usr/lib/u-boot/*64*/u-boot*
"
qemu10_boards="
u-boot-rpi         2025.01-3+deb13u1      c9e1aa3a17ccc1ff85858ace8cc43c917d1e0f70f04258438f1ae9b84b8b8c72 ./usr/lib/u-boot/*
"

# With the state of apt that FOREIGN_APT names: unpack each of LIST into out/.
unpack_pinned() { # LIST
    local package version sha256 pattern
    while read -r package version sha256 pattern; do
        [[ -n $package ]] || continue
        fetch_package "$package" "$version" "$sha256"
        dpkg-deb --fsys-tarfile "${package}"_*.deb | tar -x -C out --wildcards "$pattern" >>"$log" 2>&1 || die "$package has no $pattern"
    done <<<"$1"
}

# What QEMU is linked with, down to the loader: of libraries any revision that Debian has signed will do.
unpack_libraries() { # PACKAGE...
    local library libraries
    libraries=$(apt-get "${foreign_apt[@]}" --no-install-recommends -s install "$@" 2>>"$log" | sed -nE 's/^Inst ((lib|zlib)[^ ]*) .*/\1/p')
    # shellcheck disable=SC2086 # names are words
    logged apt-get "${foreign_apt[@]}" download $libraries
    for library in lib*.deb zlib*.deb; do
        dpkg-deb --fsys-tarfile "$library" | tar -x -C out --wildcards './usr/lib*' --exclude=./usr/lib/systemd 2>>"$log" || true
    done
}

# It is started by a file of its own in bin/, so that whoever has that in front of PATH has this QEMU.
write_starters() {
    local isa
    mkdir -p out/bin
    for isa in x86_64 aarch64 riscv64; do
        cat >"out/bin/qemu-system-$isa" <<'EOF_STARTER'
#!/bin/sh
# By the libraries and the loader that it was built for; the system's stay as they are.
root=$(dirname "$0")/../usr
lib=$root/lib/x86_64-linux-gnu
QEMU_MODULE_DIR=$lib/qemu exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$lib" "$root/bin/${0##*/}" -L "$root/share/qemu" "$@"
EOF_STARTER
        chmod +x "out/bin/qemu-system-$isa"
    done
}

fetch_qemu10() {
    local out=$third_party/qemu10 work=$third_party/.qemu10 newest=no
    [[ ${NESTLING_LINUX:-} != newest ]] || newest=yes
    ! made_of "$out/packages" "$qemu10_packages$qemu10_boards" || return 0
    [[ $(dpkg --print-architecture) == amd64 ]] || die "QEMU 10 is fetched for amd64 only"
    say "fetching QEMU 10 and firmware (70 MB)"
    foreign_suite "$work" amd64 "$linux_suite"
    cd "$work"
    unpack_pinned "$qemu10_packages"
    unpack_libraries qemu-system-{x86,arm,riscv}
    foreign_apt "$work/arm64" arm64
    foreign_apt+=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/sources")
    apt-get "${foreign_apt[@]}" update >>"$log" 2>&1 9>&- || true
    unpack_pinned "$qemu10_boards"
    write_starters
    cd "$root"
    "$work/out/bin/qemu-system-aarch64" --version >>"$log" 2>&1 || die "QEMU 10 does not start here; its output is in ${log#"$root"/}"
    echo "$qemu10_packages$qemu10_boards" >"$work/out/packages"
    rm -rf "$out"
    mv "$work/out" "$out"
    rm -rf "$work"
}

# As with linux_for.
qemu10_for_tests() {
    [[ " ${components[*]} " == *" tests "* ]] || { fetch_qemu10; return; }
    (fetch_qemu10) || say "going on without it: the tests that run it will fail"
}

# --- KVM for AArch64 ------------------------------------------------------------------

# A Linux that lends EL2 to its guests, and a QEMU for AArch64 that asks for it: of Debian 13's backports.
kvm_aarch64_release=7.3.4+deb13
kvm_aarch64_packages="
linux-binary-$kvm_aarch64_release-arm64 7.3.4-1~bpo13+1        0bbfeddbecdea8ab294daf09eb5cc1f4405af5c044b4b7aa57f5d1eaa205530f ./usr/lib/modules/*/vmlinuz
qemu-system-arm                   1:11.1.3+ds-1~bpo13+1 1a346420eaa283638d40427ffba8f4fc43100373a5948c676e243917cdcea440 ./usr/bin/qemu-system-aarch64
"

# To the sources of SUITE, its backports.
add_backports() { # DIRECTORY SUITE
    local file
    for file in "$1"/*.sources; do
        [[ ! -f $file ]] || sed -Ei "s/^(Suites:.*[ \t])$2([ \t]|\$)/\1$2 $2-backports\2/" "$file"
    done
    for file in "$1"/*.list; do
        [[ ! -f $file ]] || sed -Ei "s/^(.*[ \t])$2([ \t].*)/&\n\1$2-backports\2/" "$file"
    done
}

fetch_kvm_aarch64() {
    local out=$third_party/kvm-aarch64 work=$third_party/.kvm-aarch64 newest=no
    ! made_of "$out/packages" "$kvm_aarch64_packages" || return 0
    say "fetching a Linux and a QEMU for nested virtualization on AArch64 (45 MB)"
    foreign_suite "$work" arm64 "$linux_suite"
    add_backports "$work/sources" "$linux_suite"
    foreign_apt+=(-o "APT::Default-Release=$linux_suite-backports")
    apt-get "${foreign_apt[@]}" update >>"$log" 2>&1 9>&- || true
    cd "$work"
    unpack_pinned "$kvm_aarch64_packages"
    unpack_libraries qemu-system-arm
    cd "$root"
    mv "$work"/out/usr/lib/modules/*/vmlinuz "$work/out/kernel"
    echo "$kvm_aarch64_packages" >"$work/out/packages"
    rm -rf "$out"
    mv "$work/out" "$out"
    rm -rf "$work"
}

kvm_aarch64_for_tests() {
    [[ " ${components[*]} " == *" tests "* ]] || { fetch_kvm_aarch64; return; }
    (fetch_kvm_aarch64) || say "going on without it: the tests that run it will fail"
}

# --- sbsa-ref -------------------------------------------------------------------------

# No package has firmware for this machine of QEMU's. It is built of Debian 13's sources, whatever the revision: each package, and its tarball.
uboot_sources="
u-boot               u-boot_2025.01.orig.tar.bz2                  cdef7d507c93f1bbd9f015ea9bc21fa074268481405501945abc6f854d5b686f
"
sbsa_ref_sources="${uboot_sources}arm-trusted-firmware arm-trusted-firmware_2.12.1+dfsg.orig.tar.xz 332c08d71867b7f0dce0bce4cb2abd80f19cb3e0a2de6fe07245c111189d6fb7
"

# Into the current directory, and unpacked into DIRECTORY/PACKAGE.
unpack_sources() { # LIST DIRECTORY
    local package tarball sha256
    while read -r package tarball sha256; do
        [[ -n $package ]] || continue
        # What belongs to the tarball may have gone.
        apt-get "${foreign_apt[@]}" source --download-only --tar-only "$package" >>"$log" 2>&1 9>&- || true
        checksum_matches "$tarball" "$sha256" || die "no apt source has the $tarball that was tried, whose SHA-256 is $sha256"
        mkdir -p "$2/$package"
        logged tar -xf "$tarball" -C "$2/$package" --strip-components=1
    done <<<"$1"
}

fetch_firmware_sources() { # DIRECTORY LIST
    foreign_suite "$1" arm64 "$linux_suite"
    sed -Ei 's/^Types:.*/Types: deb-src/; s/^([[:space:]]*)deb[[:space:]]/\1deb-src /' "$1"/sources/*
    apt-get "${foreign_apt[@]}" update >>"$log" 2>&1 9>&- || true
    cd "$1"
    unpack_sources "$2" "$1/tree"
}

# Two flash chips: what the secure world boots (BL1, and at 0x12000 all that it loads), and U-Boot.
build_sbsa_ref() { # SOURCES OUT
    local cross=CROSS_COMPILE=${cross_prefix[aarch64]} firmware=$1/arm-trusted-firmware
    logged make -C "$firmware" -j"$(nproc)" "$cross" PLAT=qemu_sbsa ARM_LINUX_KERNEL_AS_BL33=1 all fip
    logged make -C "$1/u-boot" "$cross" qemu-arm-sbsa_defconfig
    logged make -C "$1/u-boot" -j"$(nproc)" "$cross" u-boot.bin
    cp "$firmware/build/qemu_sbsa/release/bl1.bin" "$2/secure.rom"
    dd if="$firmware/build/qemu_sbsa/release/fip.bin" of="$2/secure.rom" bs=4096 seek=18 conv=notrunc status=none
    cp "$1/u-boot/u-boot.bin" "$2/unsecure.rom"
    truncate -s 256M "$2/secure.rom" "$2/unsecure.rom"
}

fetch_sbsa_ref() {
    local out=$third_party/sbsa-ref work=$third_party/.sbsa-ref
    ! made_of "$out/sources" "$sbsa_ref_sources" || return 0
    say "building U-Boot and Trusted Firmware-A for sbsa-ref (41 MB to fetch)"
    fetch_firmware_sources "$work" "$sbsa_ref_sources"
    build_sbsa_ref "$work/tree" "$work/out"
    cd "$root"
    echo "$sbsa_ref_sources" >"$work/out/sources"
    rm -rf "$out"
    mv "$work/out" "$out"
    rm -rf "$work"
}

sbsa_ref_for_tests() {
    [[ " ${components[*]} " == *" tests "* ]] || { fetch_sbsa_ref; return; }
    (fetch_sbsa_ref) || say "going on without it: the test that boots it will fail"
}

# --- Boards that U-Boot is built for --------------------------------------------------

# Three machines of QEMU's: docs/boards.md says what stops each board's U-Boot there. It is made a kernel of QEMU's, which
# starts it at EL2, with QEMU's PSCI below it. Each prints on its second serial port.

configure_uboot() { # SOURCES BOARD CONFIGURATION SED-SCRIPT
    logged make -C "$1" O="../$2" "$uboot_cross" "$3"
    sed -Ei "$4" "$1/../$2/.config"
}

# The u-boot.bin that has been built, or another one, where it is linked for.
uboot_kernel() { # SOURCES BOARD ADDRESS OUT [FILE]
    logged "$1/../$2/tools/mkimage" -A arm64 -O linux -T kernel -C none -a "$3" -e "$3" -d "${5:-$1/../$2/u-boot.bin}" "$4/$2.img"
}

uboot_by_tftp() { # ADDRESS FIRST-COMMAND...
    # shellcheck disable=SC2016 # for U-Boot
    echo 's|^CONFIG_BOOTCOMMAND=.*|CONFIG_BOOTCOMMAND="'"${*:2}"'dhcp '"$1"' 10.0.2.2:nestling.efi; bootefi '"$1"' $fdtcontroladdr"|'
}

# The PMU's firmware, which U-Boot asks for clocks, is not there: they are fixed. Secondary CPUs' CNTFRQ_EL0 is QEMU's.
build_zcu102() { # SOURCES OUT
    local tree=$1/../zcu102/zcu102.dtb node name
    configure_uboot "$1" zcu102 xilinx_zynqmp_virt_defconfig 's/^(CONFIG_COUNTER_FREQUENCY)=.*/\1=62500000/'
    logged make -C "$1" O=../zcu102 "$uboot_cross" -j"$(nproc)" DEVICE_TREE=zynqmp-zcu102-rev1.0 u-boot.bin
    cp "$1/../zcu102/dts/dt.dtb" "$tree"
    fdtput -c "$tree" /clock
    fdtput -t s "$tree" /clock compatible fixed-clock
    for name in '#clock-cells 0' 'clock-frequency 100000000' 'phandle 4096'; do
        # shellcheck disable=SC2086 # a name and its value
        fdtput "$tree" /clock $name
    done
    for node in serial@ff010000 mmc@ff160000; do
        fdtput "$tree" "/axi/$node" clocks 4096 4096
        fdtput -t s "$tree" "/axi/$node" status okay
        for name in power-domains resets assigned-clocks pinctrl-names pinctrl-0; do
            fdtput -d "$tree" "/axi/$node" $name 2>/dev/null || true
        done
    done
    fdtput -t s "$tree" /axi/mmc@ff170000 status disabled
    fdtput -t s "$tree" /chosen stdout-path serial1:115200n8
    cat "$1/../zcu102/u-boot-nodtb.bin" "$tree" >"$1/../zcu102/own.bin"
    uboot_kernel "$1" zcu102 0x8000000 "$2" "$1/../zcu102/own.bin"
    cp "$tree" "$2" # QEMU wants one for a kernel in 4 GiB
}

# The SoC's ROM, which U-Boot asks what it was booted from, is not there: "SD card 2". Its SD drivers find no card in QEMU.
build_imx8mp() { # SOURCES OUT
    sed -i 's/^struct rom_api \*g_rom_api = .*/static u32 no_rom(u32 what, u32 *info, u32 check) { *info = BT_DEV_TYPE_SD << 16 | 1 << 8; return 0xf0; }\
static struct rom_api no_rom_api = { .query_boot_infor = no_rom };\
struct rom_api *g_rom_api = \&no_rom_api;/' "$1/arch/arm/mach-imx/imx8m/soc.c"
    configure_uboot "$1" imx8mp imx8mp_evk_defconfig "$(uboot_by_tftp 0x50000000 "setenv ethact ethernet@30be0000; ")"
    logged make -C "$1" O=../imx8mp "$uboot_cross" -j"$(nproc)" u-boot.bin
    uboot_kernel "$1" imx8mp 0x40200000 "$2"
    cp "$1/../imx8mp/dts/upstream/src/arm64/freescale/imx8mp-evk.dtb" "$2"
}

# It wants the machine's tree at 0x1000: QEMU has that.
build_versal() { # SOURCES OUT
    configure_uboot "$1" versal xilinx_versal_virt_defconfig "$(uboot_by_tftp 0x10000000)"
    logged make -C "$1" O=../versal "$uboot_cross" -j"$(nproc)" u-boot.bin
    uboot_kernel "$1" versal 0x8000000 "$2"
}

fetch_uboot_boards() {
    local out=$third_party/uboot-boards work=$third_party/.uboot-boards uboot_cross=CROSS_COMPILE=${cross_prefix[aarch64]} pins
    pins=$uboot_sources$(declare -f configure_uboot uboot_kernel uboot_by_tftp build_zcu102 build_imx8mp build_versal)
    ! made_of "$out/sources" "$pins" || return 0
    say "building U-Boot for three boards (20 MB to fetch)"
    fetch_firmware_sources "$work" "$uboot_sources"
    build_zcu102 "$work/tree/u-boot" "$work/out"
    build_imx8mp "$work/tree/u-boot" "$work/out"
    build_versal "$work/tree/u-boot" "$work/out"
    cd "$root"
    echo "$pins" >"$work/out/sources"
    rm -rf "$out"
    mv "$work/out" "$out"
    rm -rf "$work"
}

uboot_boards_for_tests() {
    [[ " ${components[*]} " == *" tests "* ]] || { fetch_uboot_boards; return; }
    (fetch_uboot_boards) || say "going on without it: the tests that boot it will fail"
}
