# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# The machines that run-qemu.sh can boot Nestling on, one function each, and how an
# emulator is started. Sourced by run-qemu.sh, whose variables and functions it uses.
#
# A machine_* function checks the options that choose a machine and sets:
#   emulator     qemu or bochs
#   machine      what to call it
#   components   what tools/setup must have ready
#   qemu         QEMU and the arguments that make this machine, in an array
#   host_ram     the default, where nobody has said it
#   linux_console  what its guests' kernels call their serial port; ttyS0 where nobody has said it
#   least        MiB of memory, with less of which its firmware does not start a program; 64 where it does
#   most_cpus    CPUs that it can have; 16 where nobody has said it
#   fixed_cpus   yes: it has these, always, and the image is told how many to use
#   screen       what gives the machine a screen that its firmware can use, as arguments of
#                QEMU; empty where there is no such thing

ovmf=/usr/share/ovmf/OVMF.fd
uboot_x86_64=/usr/lib/u-boot/qemu-x86_64/u-boot.rom
edk2_aarch64=/usr/share/qemu-efi-aarch64/QEMU_EFI.fd
uboot_aarch64=/usr/lib/u-boot/qemu_arm64/u-boot.bin
uboot_raspi3b=$root/build/third-party/raspi3b/u-boot.bin
opensbi=/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin
uboot_riscv64=/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin

# The disk, where there is PCI.
virtio_disk=(-drive if=none,id=disk,format=raw,readonly=on,file=disk.img
             -device virtio-blk-pci,drive=disk,bootindex=0)

# KVM serves only where its nested virtualization is on; that /dev/kvm opens proves nothing.
have_kvm() { # CPUFLAG MODULE
    grep -qw "$1" /proc/cpuinfo &&
        grep -qs '^[1Y]' "/sys/module/$2/parameters/nested" &&
        { : <>/dev/kvm; } 2>/dev/null
}

machine_x86_64() {
    local accel=tcg cpu=max board_of_qemu=q35 bios=$ovmf
    firmware=${firmware:-edk2}
    one_of --firmware "$firmware" edk2 uboot
    [[ -z $board ]] || wrong "x86_64 has one machine: there is no --board to choose"
    virt=${virt:-svm}
    one_of --virt "$virt" svm vmx
    [[ $virt != vmx || $firmware == edk2 ]] || wrong "--firmware uboot boots --virt svm only: Bochs, which has VMX, does not start it"
    case $virt in
    svm) machine="SVM by QEMU's emulation"
         ! have_kvm svm kvm_amd || { accel=kvm cpu=host machine="SVM by KVM"; } ;;
    vmx) emulator=bochs machine="VMX by Bochs"
         ! have_kvm vmx kvm_intel || { emulator=qemu accel=kvm cpu=host machine="VMX by KVM"; } ;;
    esac
    # This U-Boot is made for the machine that QEMU calls pc.
    [[ $firmware == edk2 ]] || board_of_qemu=pc bios=$uboot_x86_64 machine+=", U-Boot"
    qemu=(qemu-system-x86_64 -M "$board_of_qemu" -accel "$accel" -cpu "$cpu" -bios "$bios" "${virtio_disk[@]}"
          -serial chardev:console)
    # And it draws on no screen.
    [[ $emulator != qemu || $firmware != edk2 ]] || screen='-device VGA'
}

machine_aarch64() {
    linux_console=ttyAMA0
    [[ -z $virt ]] || wrong "aarch64 has one kind of virtualization: there is no --virt to choose"
    board=${board:-virt}
    one_of --board "$board" virt raspi3b
    if [[ $board == raspi3b ]]; then
        machine_raspi3b
        return
    fi
    firmware=${firmware:-edk2}
    one_of --firmware "$firmware" edk2 uboot
    qemu=(qemu-system-aarch64 -M virt,virtualization=on -cpu cortex-a72)
    case $firmware in
    edk2)  machine="EL2 by QEMU's emulation, EDK2"
           qemu+=(-bios "$edk2_aarch64") least=128
           screen='-device ramfb' ;;
    uboot) machine="EL2 by QEMU's emulation, U-Boot"
           qemu+=(-bios "$uboot_aarch64") ;;
    esac
    # The firmware has random numbers from it (EFI_RNG_PROTOCOL), as most real machines' firmware has.
    qemu+=("${virtio_disk[@]}" -device virtio-rng-pci -serial chardev:console)
}

# What its firmware prints on is the second of its serial ports. It has a screen by itself.
machine_raspi3b() {
    [[ ${firmware:=uboot} == uboot ]] || wrong "raspi3b has one firmware, uboot"
    [[ -z $host_ram ]] || wrong "raspi3b has 1 GiB of memory: there is no --host-ram to choose"
    host_ram=1G
    components+=(raspi3b)
    screen='-vga none'
    [[ -z $cpus || -z $config$image ]] || wrong "raspi3b has 4 CPUs: cpus = $cpus in nestling.cfg uses fewer"
    most_cpus=4 fixed_cpus=yes
    machine="a Raspberry Pi 3 by QEMU's emulation, U-Boot"
    qemu=(qemu-system-aarch64 -M raspi3b -kernel u-boot.bin -drive if=sd,format=raw,file=disk.img
          -serial null -serial chardev:console)
}

machine_riscv64() {
    [[ -z $virt ]] || wrong "riscv64 has one kind of virtualization: there is no --virt to choose"
    [[ -z $board ]] || wrong "riscv64 has one machine: there is no --board to choose"
    [[ ${firmware:=uboot} == uboot ]] || wrong "riscv64 has one firmware, uboot"
    machine="H extension by QEMU's emulation, U-Boot"
    qemu=(qemu-system-riscv64 -M virt -cpu rv64,h=true -bios "$opensbi" -kernel u-boot.bin
          "${virtio_disk[@]}" -serial chardev:console)
}

# This U-Boot loads a program to 64 MiB of RAM, and looks for a device tree at 192 MiB first, and does neither where there is
# less: on small machines, have its built-in environment name other places.
copy_uboot_riscv64() {
    local program=0x84000000 tree=0x8c000000
    ((host_ram >= 256 << 20)) || program=0x81000000 tree=0x83000000
    sed "s/kernel_addr_r=0x84000000/kernel_addr_r=$program/; s/fdt_addr_r=0x8c000000/fdt_addr_r=$tree/" \
        "$uboot_riscv64" >"$run/u-boot.bin"
}

# This U-Boot lies at 512 KiB, its device tree is at 974 KiB, and it loads a program to 512 KiB, too: over that tree if it is
# larger than 462 KiB, which is then no tree to start a program with.
copy_uboot_raspi3b() {
    sed 's/kernel_addr_r=0x00080000/kernel_addr_r=0x03000000/' "$uboot_raspi3b" >"$run/u-boot.bin"
}

start_qemu() {
    local -a more=()
    read -ra more <<<"${NESTLING_QEMU_ARGS:-}"
    if [[ $gdb == on ]]; then
        local -i port=1234
        # Another one's QEMU may not have come as far as to listen: what it will is locked until it ends.
        while exec 7>"$root/build/.gdb.$port.lock"; ! flock -n 7 || (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port+=1; done
        more+=(-S -gdb "tcp:127.0.0.1:$port")
        command -v gdb-multiarch >/dev/null ||
            say "gdb-multiarch is not here: it is in the package of that name, and tools/setup gdb installs it"
        say "waiting for: $root/tools/gdb $isa :$port"
    fi
    # What a fault costs is told in instructions then, the same in every run. Not of several CPUs: by one thread, which -icount wants,
    # one that waits for a lock takes the turn of the one that has it, and QEMU 7.2's serial port stops now and then.
    [[ -z $trace_file || "${qemu[*]} ${more[*]}" == *@(-accel kvm|-icount)* ]] || ((10#$cpus > 1)) || more+=(-icount shift=4,sleep=off)
    [[ $isa != riscv64 ]] || copy_uboot_riscv64
    [[ $board != raspi3b ]] || copy_uboot_raspi3b
    # The GIC that virt has else is for 8 CPUs at most.
    [[ $isa != aarch64 || $fixed_cpus == yes ]] || ((10#$cpus <= 8)) || qemu+=(-M gic-version=3)
    # QEMU runs them by a thread each where that is sound: not with -icount, nor where this host orders memory less strictly.
    [[ $fixed_cpus == yes ]] || qemu+=(-smp $((10#$cpus)))
    choose_display
    launch "${qemu[@]}" -chardev pipe,id=console,path=console -m $((host_ram >> 20))M -nodefaults -no-reboot -monitor unix:monitor,server=on,wait=off "${shown[@]}" "${more[@]}"
    start_screen
}

# Set SHOWN to the arguments for the screen. The machine is to stay when its guest has switched
# it off, and the screen with it, until tools/screen has seen to it.
choose_display() {
    local backend
    local -a screen_device
    shown=(-display none)
    [[ -n $display$screenshot ]] || return 0
    read -ra screen_device <<<"$screen"
    if [[ -n $display ]]; then
        shown=(-display vnc=127.0.0.1:0,to=99)
        for backend in gtk sdl; do
            [[ -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] || break
            "${qemu[0]}" -display help 2>/dev/null | grep -qx $backend || continue
            shown=(-display $backend)
            break
        done
    fi
    shown+=("${screen_device[@]}" -no-shutdown -qmp unix:qmp,server=on,wait=off)
}

start_screen() {
    [[ -n $display$screenshot ]] || return 0
    local -a more=()
    [[ -z $screenshot ]] || more+=(--save screen.png)
    [[ -z $display ]] || more+=(--stay)
    [[ ${shown[1]} != vnc=* ]] || more+=(--vnc)
    # Somebody may press Enter: what runs in the background has no other way to the terminal.
    exec 6<&0
    (
        cd "$run"
        trap '' INT
        exec setpriv --pdeathsig KILL -- "$root/tools/screen" "${more[@]}"
    ) <&6 &
    screen_pid=$!
    exec 6<&-
}

# Whatever the guest is doing: the screen is saved as it is now, if it was not before.
stop_screen() {
    [[ -n ${screen_pid:-} ]] || return 0
    kill -TERM "$screen_pid" 2>/dev/null || true
    wait "$screen_pid" 2>/dev/null || true
    screen_pid=''
}

start_bochs() {
    cat >"$run/bochsrc" <<EOF_BOCHS
plugin_ctrl: unmapped=true, biosdev=true, speaker=false, extfpuirq=true, parallel=true, serial=true, e1000=false
config_interface: textconfig
display_library: term
memory: host=$((host_ram >> 20)), guest=$((host_ram >> 20))
romimage: file="$ovmf", address=0x0, options=none
vgaromimage: file="/usr/share/bochs/VGABIOS-lgpl-latest"
boot: disk
ata0: enabled=true, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="disk.img", mode=flat
pci: enabled=1, chipset=i440fx
vga: extension=vbe, update_freq=5, realtime=0
cpu: count=$((10#$cpus)), ips=50000000, model=corei7_icelake_u, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=local
log: bochs.log
panic: action=fatal
error: action=report
info: action=report, cpu0=ignore
debug: action=ignore
com1: enabled=true, mode=socket-client, dev=127.0.0.1:$port
EOF_BOCHS
    local -a more=()
    read -ra more <<<"${NESTLING_BOCHS_ARGS:-}"
    # Bochs asks its debugger what to do first.
    echo c >"$run/go"
    # And on SIGINT it asks again: find_cpu. From /dev/null it would learn that nobody is there, and end.
    mkfifo "$run/input"
    TERM=dumb input=input launch bochs -q -unlock -f bochsrc -rc go "${more[@]}"
}

# Start the emulator in the run's directory, so that nothing it leaves or locks is shared.
# It dies with us, however we end, and holds the console's pipe open until it does. A
# machine that resets for ever fills Bochs' log: hence the limit, of 300 MB.
launch() { # COMMAND...
    (
        cd "$run"
        exec 3<&-
        # For reading too, which does not wait for anybody at the other end.
        exec 8<>console.out
        ulimit -f 300000
        exec setpriv --pdeathsig KILL -- "$@" <>"${input:-/dev/null}" >emulator.out 2>&1
    ) &
    emulator_pid=$!
}

stop_emulator() {
    [[ -n ${emulator_pid:-} ]] || return 0
    # SIGKILL, because Bochs hangs on any other.
    kill -KILL "$emulator_pid" 2>/dev/null || true
    wait "$emulator_pid" 2>/dev/null || true
    emulator_pid=''
}
