#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Build Nestling, boot it in an emulator with a guest, and end with the guest's status.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$root/build/x86_64

demos() {
    local demo
    for demo in "$root"/guest/*.c; do
        basename "$demo" .c
    done | paste -sd' '
}

usage() {
    cat <<EOF
Usage: ./run-qemu.sh [x86_64] [OPTION...]

Boots Nestling in an emulated PC and runs one guest in it; the console is shown as it comes.

  --virt svm|vmx         AMD's or Intel's virtualization (default svm). KVM where this host
                         lends it nested, else QEMU's emulation for svm and Bochs for vmx
  --demo NAME            a guest of the image's own (default lazy): $(demos)
  --guest FILE           a guest from a file instead: a static x86_64 ELF64 executable
  --ram SIZE             memory promised to the guest (default 1G)
  --host-ram SIZE        memory of the machine (default 512M; Bochs: 48M to 2048M)
  --policy 4k|populate   give the guest its memory page by page, as it touches it, or all
                         of it at once (default 4k)
  --trace                have every exit of the guest printed
  --report FILE          write the run's report there, one JSON object
  --timeout SECONDS      give up after so long (default 120, Bochs 300, with --gdb never)
  --gdb                  wait for a debugger before the first instruction (not in Bochs)
  --help                 this text

SIZE is a number of bytes, or one with K, M, G or T after it.

The exit status is the guest's (255 for all above that), or 2 when this command was wrong,
3 when the run failed and 4 when it was given up.

NESTLING_QEMU_ARGS in the environment holds more arguments for QEMU.
EOF
}

say() { echo "run-qemu: $*" >&2; }
wrong() { say "$* (see --help)"; exit 2; }
failed() { say "$*"; exit 3; }

# --- The command line ----------------------------------------------------------------

virt=svm demo=lazy guest='' ram=1G host_ram=512M policy=4k trace=off report='' timeout='' gdb=off

parse() {
    local option
    while [[ $# -gt 0 ]]; do
        option=$1
        if [[ $option == --*=* ]]; then
            set -- "${option%%=*}" "${option#*=}" "${@:2}"
            option=$1
        fi
        case $option in
        --virt|--demo|--guest|--ram|--host-ram|--policy|--report|--timeout)
            [[ $# -ge 2 && -n $2 ]] || wrong "$option needs a value"
            option=${option#--}
            printf -v "${option//-/_}" %s "$2"
            shift 2 ;;
        --trace) trace=on; shift ;;
        --gdb) gdb=on; shift ;;
        --help|-h) usage; exit 0 ;;
        x86_64) shift ;;
        aarch64|riscv64) wrong "$option does not run yet, only x86_64 does" ;;
        --firmware) wrong "x86_64 has one firmware: there is no $option to choose" ;;
        *) wrong "unknown argument '$option'" ;;
        esac
    done
}

one_of() { # OPTION VALUE CHOICE...
    local choice
    for choice in "${@:3}"; do
        [[ $2 != "$choice" ]] || return 0
    done
    wrong "unknown $1 '$2', known: ${*:3}"
}

# Set BYTES to the value of SIZE, within bounds and a multiple of UNIT.
declare -i bytes
size_of() { # OPTION SIZE MIN MAX UNIT
    local -i shift=0
    [[ $2 =~ ^([0-9]{1,18})([KMGTkmgt]?)$ ]] || wrong "$1 '$2' is not a size"
    case ${BASH_REMATCH[2]^} in K) shift=10 ;; M) shift=20 ;; G) shift=30 ;; T) shift=40 ;; esac
    bytes=10#${BASH_REMATCH[1]}
    # Compared before it is shifted, for that may overflow.
    ((bytes <= $4 >> shift)) || wrong "$1 '$2' is more than $(human "$4")"
    bytes=$((bytes << shift))
    ((bytes >= $3)) || wrong "$1 '$2' is less than $(human "$3")"
    ((bytes % $5 == 0)) || wrong "$1 '$2' is not a multiple of $(human "$5")"
}

human() { # BYTES
    local -i value=$1
    local unit
    for unit in bytes KiB MiB GiB TiB; do
        ((value % 1024 == 0 && value >= 1024)) || break
        value=value/1024
    done
    echo "$value $unit"
}

# What is wrong with an ELF file's header is told here; the rest is for the image to find.
check_guest() { # FILE
    local header
    [[ -f $1 ]] || wrong "no such guest file: $1"
    [[ -r $1 ]] || wrong "guest file is not readable: $1"
    [[ -s $1 ]] || wrong "guest file is empty: $1"
    header=$(od -An -v -tx1 -N64 "$1" | tr -d ' \n')
    [[ $header == 7f454c46* ]] || wrong "guest file is not an ELF file: $1"
    [[ ${#header} -eq 128 ]] || wrong "guest file is cut off within its ELF header: $1"
    # Class 64, little-endian; machine EM_X86_64; type ET_EXEC.
    [[ ${header:8:4} == 0201 && ${header:36:4} == 3e00 ]] ||
        wrong "guest file is not for x86_64 (little-endian ELF64): $1"
    [[ ${header:32:4} == 0200 ]] || wrong "guest file is not a static executable at fixed addresses: $1"
}

check() {
    one_of --virt "$virt" svm vmx
    # shellcheck disable=SC2046 # the names are words
    one_of --demo "$demo" $(demos)
    one_of --policy "$policy" 4k populate
    [[ -z $timeout || $timeout =~ ^[1-9][0-9]{0,5}$ ]] || wrong "--timeout '$timeout' is not a number of seconds"
    size_of --ram "$ram" $((2 << 20)) $((256 << 40)) 4096
    ram=$bytes
    if [[ $emulator == bochs ]]; then
        size_of "--host-ram (of Bochs)" "$host_ram" $((48 << 20)) $((2048 << 20)) $((1 << 20))
        [[ $gdb == off ]] || wrong "--gdb needs QEMU, and --virt vmx runs in Bochs here"
    else
        size_of --host-ram "$host_ram" $((64 << 20)) $((512 << 30)) $((1 << 20))
    fi
    host_ram=$bytes
    [[ -z $guest ]] || check_guest "$guest"
    if [[ -n $report ]]; then
        [[ ! -d $report ]] || wrong "--report '$report' is a directory"
        { [[ -e $report && -w $report ]] || [[ ! -e $report && -w $(dirname "$report") ]]; } ||
            wrong "--report '$report' cannot be written"
    fi
}

# --- The emulators -------------------------------------------------------------------

# KVM serves only where its nested virtualization is on; that /dev/kvm opens proves nothing.
have_kvm() { # CPUFLAG MODULE
    grep -qw "$1" /proc/cpuinfo &&
        grep -qs '^[1Y]' "/sys/module/$2/parameters/nested" &&
        { : <>/dev/kvm; } 2>/dev/null
}

choose_emulator() {
    emulator=qemu accel=tcg cpu=max
    case $virt in
    svm) virt_by="SVM by QEMU's emulation"
         ! have_kvm svm kvm_amd || { accel=kvm cpu=host virt_by="SVM by KVM"; } ;;
    vmx) emulator=bochs virt_by="VMX by Bochs"
         ! have_kvm vmx kvm_intel || { emulator=qemu accel=kvm cpu=host virt_by="VMX by KVM"; } ;;
    esac
}

ovmf=/usr/share/ovmf/OVMF.fd

start_qemu() {
    local -a more=()
    read -ra more <<<"${NESTLING_QEMU_ARGS:-}"
    if [[ $gdb == on ]]; then
        local -i port=1234
        while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port+=1; done
        more+=(-S -gdb "tcp:127.0.0.1:$port")
        say "waiting for: gdb -ex 'target remote :$port' $out/nestling.elf"
        say "once the console tells where the image is: add-symbol-file $out/nestling.elf -o ADDRESS"
    fi
    launch qemu-system-x86_64 -M q35 -accel "$accel" -cpu "$cpu" -m $((host_ram >> 20))M \
        -bios "$ovmf" -nodefaults -display none -serial file:console -no-reboot \
        -drive if=none,id=disk,format=raw,readonly=on,file=disk.img \
        -device virtio-blk-pci,drive=disk,bootindex=0 "${more[@]}"
}

start_bochs() {
    cat >"$run/bochsrc" <<EOF
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
cpu: count=1, ips=50000000, model=corei7_icelake_u, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=local
log: bochs.log
panic: action=fatal
error: action=report
info: action=report, cpu0=ignore
debug: action=ignore
com1: enabled=true, mode=file, dev=console
EOF
    # Bochs asks its debugger what to do first.
    echo c >"$run/go"
    TERM=dumb launch bochs -q -unlock -f bochsrc -rc go
}

# Start the emulator in the run's directory, so that nothing it leaves or locks is shared.
# It dies with us, however we end, and holds the console's pipe open until it does. A
# machine that resets for ever fills Bochs' log: hence the limit, of 300 MB.
launch() { # COMMAND...
    (
        cd "$run"
        # For reading too, which does not wait for anybody at the other end.
        exec 8<>console
        ulimit -f 300000
        exec setpriv --pdeathsig KILL -- "$@" </dev/null >emulator.out 2>&1
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

# --- The run -------------------------------------------------------------------------

build() {
    local stale pid
    "$root/tools/setup" x86_64 || failed "the machine could not be set up"
    # We may be run by make, whose flags are not for us; and we may be run twice at once.
    unset MAKEFLAGS MFLAGS MAKELEVEL
    mkdir -p "$root/build/run"
    run=$(mktemp -d "$root/build/run/$$-XXXXXX")
    # Runs that were killed could not tidy up.
    for stale in "$root"/build/run/[0-9]*-*; do
        pid=${stale##*/}
        [[ -d /proc/${pid%%-*} ]] || rm -rf "$stale"
    done
    {
        flock 9
        make -C "$root" --no-print-directory build/x86_64/nestling.efi >&2 9>&- || failed "the build failed"
        cp "$out/nestling.efi" "$run"
    } 9>"$root/build/.run.lock"
}

make_disk() {
    local -a guest_file=()
    {
        echo "ram = $ram"
        echo "policy = $policy"
        echo "trace = $trace"
        if [[ -n $guest ]]; then
            echo 'guest = \guest.elf'
        else
            echo "demo = $demo"
        fi
    } >"$run/nestling.cfg"
    [[ -z $guest ]] || guest_file=(--file "$guest:guest.elf")
    "$root/tools/mkimage" -o "$run/disk.img" --isa "x86_64=$run/nestling.efi" \
        --cfg "$run/nestling.cfg" "${guest_file[@]}" || failed "the disk image could not be made"
}

# Show the console from the image's first line on, and keep all of it in console.log. Set
# END to why it stopped: `fatal`, `timeout`, or `off` when the emulator ended.
watch() {
    local line deadline=$((SECONDS + timeout)) ours=no
    end='' last_line=''
    # The firmware's console carries escape sequences, and a guest may print anything.
    exec 3< <(sed -u -E 's/\x1b\[[0-9;=?]*[A-Za-z]//g; s/[\x01-\x08\x0b-\x1f\x7f]//g' "$run/console")
    exec 4>"$run/console.log"
    while [[ -z $end ]]; do
        line=''
        if ((SECONDS >= deadline)); then
            end=timeout
        elif ! IFS= read -r -t $((deadline - SECONDS)) line <&3; then
            # Either the time is over or the emulator; a last line may be unfinished.
            ((SECONDS >= deadline)) && end=timeout || end=off
            [[ -n $line ]] || break
        fi
        printf '%s\n' "$line" >&4
        [[ $line != nestling* ]] || ours=yes
        [[ $ours == no ]] || printf '%s\n' "$line"
        [[ $line != 'nestling: fatal: '* ]] || end=fatal
        [[ -z $line ]] || last_line=$line
    done
    stop_emulator
    exec 3<&- 4>&-
}

# All that may tell why: the firmware's lines too, and what the emulator has to say.
explain() {
    say "the console's last lines:"
    tail -n 20 "$run/console.log" >&2
    if [[ -s $run/emulator.out && $emulator == qemu ]]; then
        say "QEMU's own words:"
        tail -n 5 "$run/emulator.out" >&2
    fi
    explain_bochs
}

# Bochs tells of each VM entry that failed, and of triple faults, in its log.
explain_bochs() {
    [[ -s $run/bochs.log ]] || return 0
    local lines
    lines=$(grep -aE 'VMFAIL|VMENTER FAIL|3rd \([0-9]+\) exception|PANIC' "$run/bochs.log" |
        grep -v 'soft power off' | tail -n 10) || return 0
    say "from Bochs' log:"
    echo "$lines" >&2
}

# Print `outcome guest_status` of the report on standard input, which is checked to be one.
read_report() {
    python3 -c '
import json, sys
report = json.load(sys.stdin)
print(report["outcome"], min(int(report["guest_status"]), 255))' 2>/dev/null
}

finish() {
    local json outcome status
    [[ -z $report || $last_line == 'report: '* ]] || say "there is no report to write to $report"
    case $end in
    timeout)
        say "given up after $timeout s"
        explain
        exit 4 ;;
    fatal)
        explain_bochs
        failed "the image could not start a guest" ;;
    esac
    # A guest can print what looks like a report; what stands at the very end is none of its.
    if [[ $last_line != 'report: '* ]]; then
        explain
        failed "the machine stopped without a report"
    fi
    json=${last_line#report: }
    read -r outcome status < <(read_report <<<"$json") || failed "the report makes no sense: $json"
    if [[ -n $report ]]; then
        printf '%s\n' "$json" >"$report" || failed "the report could not be written to $report"
    fi
    [[ $outcome == exited ]] || { explain_bochs; failed "the guest did not end by itself: $outcome"; }
    exit "$status"
}

# shellcheck disable=SC2317 # reached through the trap
clean_up() {
    stop_emulator
    [[ -z ${run:-} ]] || rm -rf "$run"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

parse "$@"
one_of --virt "$virt" svm vmx
choose_emulator
check
if [[ -z $timeout ]]; then
    timeout=120
    [[ $emulator != bochs ]] || timeout=300
    [[ $gdb == off ]] || timeout=999999
fi

build
make_disk
mkfifo "$run/console"
# A report of an earlier run must not be taken for this one's.
[[ ! -f $report ]] || rm -f "$report"
say "x86_64, $virt_by, $(human "$host_ram") host, guest promised $(human "$ram")"
case $emulator in
qemu)  start_qemu ;;
bochs) start_bochs ;;
esac
watch
finish
