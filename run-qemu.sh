#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Build Nestling, boot it in an emulator with a guest, and end with the guest's status.
set -euo pipefail
export LC_ALL=C
# Outputs may be closed, which is no error; bash then has this file there.
[[ -e /dev/fd/1 && ! /dev/fd/1 -ef ${BASH_SOURCE[0]} ]] || exec >/dev/null
[[ -e /dev/fd/2 && ! /dev/fd/2 -ef ${BASH_SOURCE[0]} ]] || exec 2>/dev/null

root=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

demos() {
    local demo
    for demo in "$root"/guest/*.c; do
        basename "$demo" .c
    done | paste -sd' '
}

# The names in the list that hypervisor and guests share.
policies() {
    sed -n '/^#define ALLOC_POLICY_LIST/,/[^\\]$/s/^\tX([A-Z0-9_]*, [A-Z0-9]*, "\([^"]*\)".*/\1/p' "$root/include/abi.h" | paste -sd' '
}

# It fits a screen of 80 columns and 24 lines; docs/run-qemu.md has the rest.
usage() {
    cat <<EOF
Usage: ./run-qemu.sh [x86_64|aarch64|riscv64] [OPTION...]
Boots Nestling in an emulated machine (default x86_64) and runs a guest.
  --demo NAME            a guest in the image (default lazy):
$(demos | fold -s -w 72 | sed 's/^/      /')
  --linux                Debian's own kernel, to a shell that you type into
  --guest FILE, --initrd FILE  yours: static ELF64, or Linux kernel with that
  --cmdline TEXT, --disk FILE[,ro], --console uart|virtio  more for a kernel
  --config FILE, --image FILE  run this whole nestling.cfg; or boot this disk
  --ram SIZE, --host-ram SIZE  promised to the guest (1G), of the machine (512M)
  --memory-max SIZE, --time-max SECONDS  memory of it and its forks, CPU time
  --clones N, --clone-when TEXT  forks of it, made when it has printed that
  --cpus N, --vcpus N    CPUs of the machine (default 4, Bochs 2), of the guest
  --slice MS, --pin CPUS  how long a guest keeps a CPU; on which ones it runs
  --policy POLICY        how memory comes: 4k (default), 64k, 2m, auto, populate
  --tracking WHO         who notes pages in use: hardware (default) or software
  --virt svm|vmx         x86_64: AMD's or Intel's virtualization (default svm)
  --firmware edk2|uboot  x86_64, aarch64: what boots it (default edk2)
  --board virt|raspi3b   aarch64: QEMU's machine (default) or a Raspberry Pi 3
  --report FILE, --screenshot FILE.png  write figures as JSON; save the screen
  --display, --timeout SECONDS  show guest memory; give up (after 120 s or so)
  --gdb, --trace [FILE]  wait for a debugger; print exits, or write them there
  --help, --version      this screen, the version; docs/run-qemu.md has the rest
SIZE: bytes, K, M, G, T. Exit status: the guest's; 2 usage, 3 failed, 4 time-out
EOF
}

say() { echo "run-qemu: $*" >&2; }
wrong() { say "$* (see --help)"; exit 2; }
failed() { say "$*"; exit 3; }

# shellcheck source=tools/machines.sh
source "$root/tools/machines.sh"
# shellcheck source=tools/words.sh
source "$root/tools/words.sh"
# shellcheck source=tools/options.sh
source "$root/tools/options.sh"
# shellcheck source=tools/aftermath.sh
source "$root/tools/aftermath.sh"

# --- The command line ----------------------------------------------------------------

isa=x86_64 virt='' firmware='' board='' demo='' guest='' initrd='' linux='' image='' config='' cmdline='' ram='' memory_max='' host_ram='' policy='' tracking='' trace='' console=''
cpus='' vcpus='' slice='' pin='' time_max='' clones='' clone_when='' disks=()
trace_file='' report='' timeout='' gdb=off display='' screenshot='' screen=''

# Options that are given twice, or machines, contradict each other or are a slip.
declare -A given=()
once() { # OPTION [TEXT]
    [[ -z ${given[$1]:-} ]] || wrong "${2:-$1 is given twice}"
    given[$1]=yes
}

parse() {
    local option joined
    while [[ $# -gt 0 ]]; do
        option=$1 joined=''
        if [[ $option == --*=* ]]; then
            set -- "${option%%=*}" "${option#*=}" "${@:2}"
            option=$1 joined=yes
        fi
        case $option in
        --virt|--firmware|--board|--demo|--guest|--initrd|--image|--config|--cmdline|--ram|--memory-max|--time-max|--clones|--clone-when|--host-ram|--cpus|--vcpus|--slice|--pin|--policy|--tracking|--console|--report|--screenshot|--timeout)
            [[ $# -ge 2 && -n $2 && (-n $joined || $2 != --*) ]] || wrong "$option needs a value"
            once "$option"
            option=${option#--}
            printf -v "${option//-/_}" %s "$2"
            shift 2 ;;
        --trace)
            once "$option"
            trace=on
            shift
            # With a file's name behind it, or without.
            [[ $# -eq 0 || (-z $joined && ($1 == -* || $1 == x86_64 || $1 == aarch64 || $1 == riscv64)) ]] ||
                { [[ -n $1 ]] || wrong "--trace needs a file's name, or none"; trace=json trace_file=$1; shift; } ;;
        --disk)
            [[ $# -ge 2 && -n $2 && (-n $joined || $2 != --*) ]] || wrong "$option needs a value"
            disks+=("$2")
            shift 2 ;;
        --gdb|--display|--linux|--help|--version)
            [[ -z $joined ]] || wrong "$option takes no value"
            once "$option"
            [[ $option != --help ]] || { usage; exit 0; }
            [[ $option != --version ]] || { echo "nestling $("$root/tools/version")"; exit 0; }
            printf -v "${option#--}" on
            shift ;;
        -h) usage; exit 0 ;;
        x86_64|aarch64|riscv64)
            once machine "one machine is booted: $isa or $option?"
            isa=$option
            shift ;;
        *) unknown_argument "$option" ;;
        esac
    done
}

unknown_argument() { # WORD
    local -a options
    mapfile -t options < <(usage | grep -o -- '--[a-z][a-z-]*')
    # shellcheck disable=SC2046 # the names are words
    [[ $1 == -* ]] || options=(x86_64 aarch64 riscv64 "${options[@]}" $(printf -- '--demo\x01%s ' $(demos)))
    options=("${options[@]//$'\x01'/ }")
    wrong "unknown argument '$1'$(suggest "$1" "${options[@]}")"
}

one_of() { # OPTION VALUE CHOICE...
    local choice
    for choice in "${@:3}"; do
        [[ $2 != "$choice" ]] || return 0
    done
    wrong "unknown $1 '$2'$(suggest "$2" "${@:3}"), known: ${*:3}"
}

# --- The run -------------------------------------------------------------------------

build() {
    local stale pid
    "$root/tools/setup" "${components[@]}" || failed "what the run needs is not there"
    [[ -z $linux ]] || guest=$root/build/linux/$isa/kernel initrd=$root/build/linux/$isa/initrd-small
    [[ -z $linux || ${#disks[@]} -eq 0 ]] || initrd=${initrd%-small}
    # We may be run by make, whose flags are not for us; and we may be run twice at once.
    unset MAKEFLAGS MFLAGS MAKELEVEL
    mkdir -p "$root/build/run"
    run=$(mktemp -d "$root/build/run/$$-XXXXXX")
    # Runs that were killed could not tidy up.
    for stale in "$root"/build/run/[0-9]*-*; do
        pid=${stale##*/}
        [[ -d /proc/${pid%%-*} ]] || rm -rf "$stale"
    done
    [[ -z $image ]] || return 0
    {
        flock 9
        make -C "$root" --no-print-directory ARCH="$isa" "build/$isa/nestling.efi" >&2 9>&- || failed "the build failed"
        cp "$out/nestling.efi" "$run"
    } 9>"$root/build/.run.lock"
}

make_disk() {
    if [[ $image == *.efi ]]; then
        "$root/tools/mkimage" -o "$run/disk.img" --isa "$isa=$image" || failed "the disk image could not be made"
        return
    elif [[ -n $image ]]; then
        cp --sparse=always "$image" "$run/disk.img"
        chmod u+w "$run/disk.img"
        return
    fi
    if [[ -n $config ]]; then
        cp "$config" "$run/nestling.cfg"
    else
        write_config
    fi
    [[ -z $guest ]] || files=(--file "$guest:$(guest_name)")
    [[ -z $initrd ]] || files+=(--file "$initrd:$(initrd_name)")
    add_disks
    "$root/tools/mkimage" -o "$run/disk.img" --isa "$isa=$run/nestling.efi" \
        --cfg "$run/nestling.cfg" "${files[@]}" || failed "the disk image could not be made"
}

# By which name a file goes to the disk, so that the image's messages name it: its own, as far as FAT and nestling.cfg can have that.
disk_name() { # FILE KIND
    local LC_ALL=C name=${1##*/}
    name=${name//[^A-Za-z0-9._+-]/_}
    name=${name:0:100}
    while [[ $name == *. ]]; do name=${name%.}; done
    case ${name,,} in
        '' | efi | nestling.cfg) echo "$2-$name" ;;
        *) echo "$name" ;;
    esac
}

guest_name() {
    disk_name "$guest" guest
}

initrd_name() {
    local name guest_name
    name=$(disk_name "$initrd" initrd)
    guest_name=$(guest_name)
    [[ ${name,,} != "${guest_name,,}" ]] || name=initrd-$name
    echo "$name"
}

# The files of disks, each once, into the array files, and lines for them into nestling.cfg: two of the same name get different ones
# there.
add_disks() {
    local disk file name other
    local -A name_of=() taken=()
    [[ -z $guest ]] || taken[$(guest_name)]=yes
    [[ -z $initrd ]] || taken[$(initrd_name)]=yes
    for disk in "${disks[@]}"; do
        file=$(realpath "${disk%,ro}")
        name=${name_of[$file]:-}
        if [[ -z $name ]]; then
            name=$(disk_name "$file" disk)
            for other in "${!taken[@]}"; do
                [[ ${name,,} != "${other,,}" ]] || name=disk$((${#name_of[@]} + 1))-$name
            done
            name_of[$file]=$name taken[$name]=yes
            files+=(--file "$file:$name")
        fi
        echo "disk = \\$name$([[ $disk != *,ro ]] || echo ,ro)" >>"$run/nestling.cfg"
    done
}

# A value of nestling.cfg, in those quotes that it does not have itself; or in none, if it has both and is_value.
quoted() { # TEXT
    case $1 in
    *\"*\'* | *\'*\"*) printf '%s\n' "$1" ;;
    *\"*) printf "'%s'\n" "$1" ;;
    *) printf '"%s"\n' "$1" ;;
    esac
}

write_config() {
    {
        echo "ram = $ram"
        [[ -z $memory_max ]] || echo "memory_max = $memory_max"
        echo "vcpus = $vcpus"
        [[ -z $pin ]] || echo "pin = $pin"
        [[ -z $time_max ]] || echo "time_max = $time_max"
        [[ -z $clones ]] || echo "clones = $clones"
        [[ -z $clone_when ]] || echo "clone_when = $(quoted "$clone_when")"
        [[ -z $slice ]] || echo "slice = $slice"
        [[ $fixed_cpus == no ]] || echo "cpus = $cpus"
        echo "policy = $policy"
        echo "tracking = $tracking"
        echo "trace = $trace"
        [[ -z $console ]] || echo "console = $console"
        [[ $terminal == no || -n $initrd ]] || echo "progress = on"
        echo "gdb = $gdb"
        [[ -z $cmdline ]] || echo "cmdline = $(quoted "$cmdline")"
        if [[ -n $guest ]]; then
            echo "guest = \\$(guest_name)"
            [[ -z $initrd ]] || echo "initrd = \\$(initrd_name)"
        else
            echo "demo = $demo"
        fi
    } >"$run/nestling.cfg"
}

# Have tools/console read the pipe console.out: before there is an emulator, for of one that ends at once nobody would learn else.
# Ctrl-C is for all of the terminal's processes, and this one has to end as the emulator does.
listen() {
    local -a options=(--show 5 --timeout "$timeout")
    [[ $terminal == no ]] || options+=(--terminal)
    [[ $colours == no ]] || options+=(--colours)
    [[ -z $linux$guest$config$image ]] || options+=(--raw)
    [[ -z $trace_file ]] || options+=(--trace "$(realpath -m "$trace_file")")
    [[ $emulator != bochs ]] || options+=(--listen)
    mkfifo "$run/console.out" "$run/console.in"
    exec 5>&1
    # Standard input may be closed.
    if [[ -e /dev/fd/0 ]]; then exec 6<&0; else exec 6</dev/null; fi
    exec 3< <(trap '' INT; cd "$run"; exec setpriv --pdeathsig TERM -- "$root/tools/console" "${options[@]}" <&6 6<&-)
    reader=$!
    exec 5>&- 6<&-
    read -r port <&3 || failed "the console cannot be read"
}

# Wait for the end. Set END to why: `fatal`, `timeout`, or `off` when the emulator ended; OURS to whether the image printed
# anything, TAKEN to whether it took the machine over, and LAST_LINE.
watch() {
    end='' last_line='' lacking=no ours=no taken=no cpu_at=''
    read -r end ours taken <&3 && IFS= read -r last_line <&3 || failed "the console was lost"
    [[ $end != quit ]] || interrupted
    # Nobody reads what would be shown, nor what is wrong.
    [[ $end != gone ]] || exit 141
    [[ $end != timeout ]] || find_cpu
    # What is over stays on the screen as long as somebody wants to see it.
    [[ $end != timeout || ! -e $run/over ]] || end=off
    stop_screen
    stop_emulator
    exec 3<&-
    # What the run was to leave behind, and has not.
    wait "$reader" || [[ -z $trace_file ]] || lacking=yes
}

# Print `outcome guest_status vms vms_failed` of the report on standard input, checked to be one.
read_report() {
    python3 -c '
import json, sys
report = json.load(sys.stdin)
print(report["outcome"], min(int(report["guest_status"]), 255),
      int(report["vms"]), int(report["vms_failed"]))' 2>/dev/null
}

# Write the reports of all VMs, a line each, as they were printed: the first VM's is the last one. A guest may have printed what
# looks like them: then there are too many, and nobody can tell them apart.
write_reports() { # VMS
    local others=''
    if (($1 > 1)); then
        others=$(sed -n 's/^report: \({"version":.*"vm":[1-9][0-9]*,.*}\)$/\1/p' "$run/console.log")
        if (($(grep -c . <<<"$others") != $1 - 1)); then
            say "a guest printed what looks like a report: only the first VM's is written to $report"
            others=''
        fi
    fi
    # Opened anew, a file that our own output goes to would be emptied.
    if [[ $report -ef /dev/stdout ]]; then
        printf '%s\n' ${others:+"$others"} "$json"
    else
        printf '%s\n' ${others:+"$others"} "$json" >"$report"
    fi || failed "the report could not be written to $report"
}

# False: it is not there.
save_screenshot() {
    [[ -n $screenshot ]] || return 0
    [[ -s $run/screen.png ]] && cp "$run/screen.png" "$screenshot"
}

finish() {
    local json outcome status vms vms_failed
    [[ -z $trace_file ]] || say "$(<"$run/trace.summary")"
    save_screenshot || { lacking=yes; say "there is no picture to write to $screenshot"; }
    [[ -z $report || $last_line == 'report: '* ]] || say "there is no report to write to $report"
    if [[ $end == timeout ]]; then
        say "given up after $timeout s"
        explain
        explain_timeout
        exit 4
    fi
    if [[ $end == fatal || $last_line == 'nestling: fatal: '* ]]; then
        explain_bochs
        failed "the image could not start a guest"
    fi
    # A guest can print what looks like a report; what stands at the very end is none of its.
    if [[ $last_line != 'report: '* ]]; then
        explain
        failed "the machine stopped without a report"
    fi
    json=${last_line#report: }
    read -r outcome status vms vms_failed < <(read_report <<<"$json") || failed "the report makes no sense: $json"
    [[ -z $report ]] || write_reports "$vms"
    [[ $outcome == exited ]] || { explain_bochs; explain_guest; failed "the guest did not end by itself: $outcome"; }
    ((vms_failed == 0)) || failed "VMs that did not end by themselves: $vms_failed of $vms"
    [[ $lacking == no || $status -ne 0 ]] || exit 3
    # These could be ours.
    ((status < 2 || status > 4)) || say "the guest exited with status $status: the run itself went well"
    exit "$status"
}

# End tools/console, which puts the terminal back and ends the line that it is in.
# shellcheck disable=SC2317 # reached through the traps
end_console() {
    trap '' INT
    [[ -z ${reader:-} ]] || kill -TERM "$reader" 2>/dev/null || true
    [[ -z ${reader:-} ]] || wait "$reader" || true
    reader=''
}

# shellcheck disable=SC2317 # reached through the trap
interrupted() {
    # What it still shows comes before our last line.
    end_console
    # In the place of a line of progress, and of the terminal's own ^C.
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    say "interrupted"
    exit 130
}

# shellcheck disable=SC2317 # reached through the trap
clean_up() {
    end_console
    stop_screen
    stop_emulator
    exec 3<&-
    [[ -z ${run:-} ]] || rm -rf "$run"
}

trap clean_up EXIT
trap interrupted INT
trap 'exit 143' TERM HUP

parse "$@"
out=$root/build/$isa
emulator=qemu components=("$isa") qemu=() linux_console=ttyS0 least=64 most_cpus=16 fixed_cpus=no files=()
"machine_$isa"
check
[[ -z $linux ]] || { components+=("linux-$isa"); cmdline=${cmdline:-console=$linux_console}; }
if [[ -z $timeout ]]; then
    timeout=120
    [[ $emulator != bochs ]] || timeout=300
    # It has some billion instructions to execute; or a thousand reports go through a serial port that is as slow as a real one's.
    [[ -z $linux && $emulator/$demo != bochs/crowd ]] || timeout=$((timeout * 5))
    # A person may type as long as they like.
    [[ $gdb == off && (-z $linux || ! -t 0) ]] || timeout=999999
fi

terminal=no colours=no
if [[ -t 1 && ${TERM:-dumb} != dumb ]]; then
    terminal=yes
    [[ -n ${NO_COLOR:-} ]] || colours=yes
fi

build
make_disk
listen
# What an earlier run has left must not be taken for this one's.
for file in "$report" "$screenshot" "$trace_file"; do
    # Of a link what it leads to.
    if [[ $file -ef /dev/stdout ]]; then
        :
    elif [[ -L $file ]]; then
        : >"$file"
    elif [[ -f $file ]]; then
        rm -f "$file"
    fi
done
say "$isa, $machine, $(human "$host_ram") host, ${ram:+guest promised $(human "$ram")}${image:+image $image}${config:+as $config says}"
case $emulator in
qemu)  start_qemu ;;
bochs) start_bochs ;;
esac
watch
finish
