#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Build Nestling, boot it in an emulator with a guest, and end with the guest's status.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

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
  --guest FILE           a guest of your own: static ELF64, or a Linux "Image"
  --config FILE, --image FILE  run this whole nestling.cfg; or boot this disk
  --cmdline TEXT         the guest's command line, for a kernel
  --ram SIZE             memory promised to the guest (default 1G)
  --memory-max SIZE, --time-max SECONDS  memory and CPU time it may cost
  --host-ram SIZE        memory of the machine (default 512M)
  --cpus N, --vcpus N    CPUs of the machine (default 4, Bochs 2), of the guest
  --slice MS, --pin CPUS  how long a guest keeps a CPU; on which ones it runs
  --policy POLICY        how memory comes: 4k (default), 64k, 2m, auto, populate
  --tracking WHO         who notes pages in use: hardware (default) or software
  --virt svm|vmx         x86_64: AMD's or Intel's virtualization (default svm)
  --firmware edk2|uboot  x86_64, aarch64: what boots it (default edk2)
  --board virt|raspi3b   aarch64: QEMU's machine (default) or a Raspberry Pi 3
  --display, --screenshot FILE.png  show guest memory on a screen; save that
  --trace [FILE]         print every exit; or write those about memory there
  --report FILE          write the run's figures there, as JSON
  --gdb, --timeout SECONDS  wait for a debugger; give up (after 120, Bochs 300)
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
# shellcheck source=tools/console.sh
source "$root/tools/console.sh"
# shellcheck source=tools/aftermath.sh
source "$root/tools/aftermath.sh"

# --- The command line ----------------------------------------------------------------

isa=x86_64 virt='' firmware='' board='' demo='' guest='' image='' config='' cmdline='' ram='' memory_max='' host_ram='' policy='' tracking='' trace=''
cpus='' vcpus='' slice='' pin='' time_max=''
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
        --virt|--firmware|--board|--demo|--guest|--image|--config|--cmdline|--ram|--memory-max|--time-max|--host-ram|--cpus|--vcpus|--slice|--pin|--policy|--tracking|--report|--screenshot|--timeout)
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
        --gdb|--display|--help|--version)
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

# Set BYTES to the value of SIZE, within bounds and a multiple of UNIT.
declare -i bytes
size_of() { # OPTION SIZE MIN MAX UNIT
    local -i shift=0
    [[ $2 =~ ^([0-9]{1,18})([KMGTkmgt]?)$ ]] || wrong "$1 '$2' is not a size like 512M or 4G"
    case ${BASH_REMATCH[2]^} in K) shift=10 ;; M) shift=20 ;; G) shift=30 ;; T) shift=40 ;; esac
    bytes=10#${BASH_REMATCH[1]}
    # Compared before it is shifted, for that may overflow.
    ((bytes <= $4 >> shift)) || wrong "$1 '$2' is more than $(human "$4")"
    bytes=$((bytes << shift))
    ((bytes >= $3)) || wrong "$1 '$2' is less than $(human "$3")"
    ((bytes % $5 == 0)) || wrong "$1 '$2' is not a multiple of $(human "$5")"
}

# Decimal, without what would make it octal.
number_of() { # OPTION NUMBER MIN MAX
    [[ $2 =~ ^0*([0-9]{1,9})$ ]] || wrong "$1 '$2' is not a number from $3 to $4"
    ((BASH_REMATCH[1] >= $3 && BASH_REMATCH[1] <= $4)) || wrong "$1 '$2' is not from $3 to $4"
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

# What the file's first bytes tell is told here; the rest is for the image to find.
check_guest() { # FILE
    local what
    [[ -f $1 ]] || wrong "no such guest file: $1"
    [[ -r $1 ]] || wrong "guest file is not readable: $1"
    what=$("$root/tools/check-guest" "$isa" "$1") || wrong "guest file $1: $what"
}

# By which name the guest's file goes to the disk, so that the image's messages name it: its own, as far as FAT and
# nestling.cfg can have that.
guest_name() {
    local LC_ALL=C name=${guest##*/}
    name=${name//[^A-Za-z0-9._+-]/_}
    name=${name:0:100}
    while [[ $name == *. ]]; do name=${name%.}; done
    case ${name,,} in
        '' | efi | nestling.cfg) echo "guest-$name" ;;
        *) echo "$name" ;;
    esac
}

# A value of nestling.cfg, in those quotes that it does not have itself.
quoted() { # TEXT
    [[ $1 == *\"* ]] && echo "'$1'" || echo "\"$1\""
}

check_cmdline() {
    local LC_ALL=C # counts bytes
    [[ $cmdline != *[[:cntrl:]]* ]] || wrong "--cmdline has a control character"
    [[ $cmdline != *\"* || $cmdline != *\'* ]] || wrong "--cmdline has both kinds of quotes, which nestling.cfg cannot have in one value"
    ((${#cmdline} < 512)) || wrong "--cmdline has ${#cmdline} bytes, and 511 is most"
}

# What goes into nestling.cfg.
check_config() {
    [[ -z $guest || -z $demo ]] || wrong "--demo and --guest: one guest runs"
    demo=${demo:-lazy} policy=${policy:-4k} tracking=${tracking:-hardware} trace=${trace:-off} ram=${ram:-1G}
    # shellcheck disable=SC2046 # the names are words
    one_of --demo "$demo" $(demos)
    # shellcheck disable=SC2046
    one_of --policy "$policy" $(policies)
    check_cmdline
    one_of --tracking "$tracking" hardware software
    size_of --ram "$ram" $((2 << 20)) $((256 << 40)) 4096
    ram=$bytes
    [[ -z $memory_max ]] || size_of --memory-max "$memory_max" 4096 $((256 << 40)) 4096
    [[ -z $memory_max ]] || memory_max=$bytes
    check_time
    [[ -z $guest ]] || check_guest "$guest"
}

# vCPUs, and what they get of the machine's CPUs.
check_time() {
    vcpus=${vcpus:-1}
    number_of --vcpus "$vcpus" 1 16
    [[ -z $slice ]] || number_of "--slice (in milliseconds)" "$slice" 1 1000
    [[ -z $time_max || ($time_max =~ ^[0-9]{1,9}(\.[0-9]+)?$ && $time_max =~ [1-9]) ]] ||
        wrong "--time-max '$time_max' is not a number of seconds like 60 or 0.5"
    [[ -z $pin || $pin =~ ^[0-9]{1,2}(-[0-9]{1,2})?(,[0-9]{1,2}(-[0-9]{1,2})?)*$ ]] ||
        wrong "--pin '$pin' does not name CPUs like 1 or 0,2 or 0-3"
}

# A configuration of the user's, and the files that it names, in the array files as mkimage wants them. What is wrong with its
# text is for the image to say.
check_own_config() {
    local name file
    [[ -f $config && -r $config ]] || wrong "no such configuration: $config"
    while IFS= read -r name; do
        file=$(dirname "$config")/$name
        [[ /$name/ != */../* ]] || wrong "--config $config names '$name', which is not beside it"
        [[ -f $file && -r $file ]] || wrong "--config $config names a file that is not beside it: $name"
        files+=(--file "$file:$name")
    done < <(config_files)
}

# The names of files in the configuration, with / between folders: by the rules of boot/config.c, as far as they matter here.
config_files() {
    python3 - "$config" <<'EOF'
import re, sys
text = open(sys.argv[1], "rb").read().decode("utf-8-sig", "replace")
names = []
for line in re.split(r"\r\n|\r|\n", text):
    found = re.match(r"""[ \t]*(?:guest|initrd)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|(.*))""", line)
    if found:
        name = found[1] or found[2] or re.split(r"(?:^|[ \t])#", found[3] or "")[0].strip(" \t")
        names.append(name.replace("\\", "/").lstrip("/"))
for name in dict.fromkeys(filter(None, names)):
    print(name)
EOF
}

check() {
    local of_config=$cmdline$ram$memory_max$vcpus$slice$pin$time_max$policy$tracking$trace
    # It may say trace = json: the records then have to go somewhere.
    [[ -z $config || -z $trace_file ]] || of_config=${of_config%"$trace"}
    if [[ -n $config ]]; then
        [[ -z $image$demo$guest$of_config ]] || wrong "with --config, the file says what to run"
        [[ $gdb == off ]] || wrong "with --config, the file says gdb = on"
        check_own_config
    elif [[ -n $image ]]; then
        [[ -z $demo$guest$of_config ]] || wrong "with --image, its own nestling.cfg says what to run"
        [[ -f $image && -r $image ]] || wrong "no such image: $image"
    else
        check_config
    fi
    [[ -z $timeout || $timeout =~ ^[1-9][0-9]{0,5}$ ]] || wrong "--timeout '$timeout' is not a number of seconds from 1 to 999999"
    host_ram=${host_ram:-512M}
    if [[ $emulator == bochs ]]; then
        size_of "--host-ram (of $machine)" "$host_ram" $((48 << 20)) $((2048 << 20)) $((1 << 20))
        [[ $gdb == off ]] || wrong "--gdb needs QEMU: Bochs, which runs --virt vmx here, takes no debugger"
    else
        size_of "--host-ram (of $machine)" "$host_ram" $((least << 20)) $((512 << 30)) $((1 << 20))
    fi
    host_ram=$bytes
    check_cpus
    check_screen
    [[ -z $report ]] || check_output --report "$report"
    [[ -z $trace_file ]] || check_output --trace "$trace_file"
}

# Of the machine.
check_cpus() {
    local default=4 first last
    [[ $emulator != bochs ]] || default=2
    cpus=${cpus:-$default}
    number_of "--cpus (of $machine)" "$cpus" 1 "$most_cpus"
    for first in ${pin//,/ }; do
        last=${first#*-}
        first=${first%-*}
        ((10#$first <= 10#$last)) || wrong "--pin '$pin': $first-$last names no CPU"
        ((10#$first >= 10#$cpus)) || return 0
    done
    [[ -z $pin ]] || wrong "--pin '$pin' names no CPU that is there: the machine has 0 to $((10#$cpus - 1))"
}

declare -A outputs=() # by what writes them

check_output() { # OPTION FILE
    local other
    [[ ! -d $2 ]] || wrong "$1 '$2' is a directory"
    { [[ -e $2 && -w $2 ]] || [[ ! -e $2 && -d $(dirname "$2") && -w $(dirname "$2") ]]; } || wrong "$1 '$2' cannot be written"
    for other in "${!outputs[@]}"; do
        [[ -c $2 || $(realpath -m "${outputs[$other]}") != "$(realpath -m "$2")" ]] || wrong "$1 and $other write to the same file"
    done
    outputs[$1]=$2
}

check_screen() {
    [[ -n $display$screenshot ]] || return 0
    [[ -n $screen ]] || wrong "there is no screen to see on this machine: $machine"
    [[ -n $screenshot ]] || return 0
    [[ $screenshot == *.png ]] || wrong "--screenshot '$screenshot' does not end in .png, which is what it will be"
    check_output --screenshot "$screenshot"
}

# --- The run -------------------------------------------------------------------------

build() {
    local stale pid
    "$root/tools/setup" "${components[@]}" || failed "tools or libraries are missing"
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
    if [[ -n $image ]]; then
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
    "$root/tools/mkimage" -o "$run/disk.img" --isa "$isa=$run/nestling.efi" \
        --cfg "$run/nestling.cfg" "${files[@]}" || failed "the disk image could not be made"
}

write_config() {
    {
        echo "ram = $ram"
        [[ -z $memory_max ]] || echo "memory_max = $memory_max"
        echo "vcpus = $vcpus"
        [[ -z $pin ]] || echo "pin = $pin"
        [[ -z $time_max ]] || echo "time_max = $time_max"
        [[ -z $slice ]] || echo "slice = $slice"
        [[ $fixed_cpus == no ]] || echo "cpus = $cpus"
        echo "policy = $policy"
        echo "tracking = $tracking"
        echo "trace = $trace"
        [[ $terminal == no ]] || echo "progress = on"
        echo "gdb = $gdb"
        [[ -z $cmdline ]] || echo "cmdline = $(quoted "$cmdline")"
        if [[ -n $guest ]]; then
            echo "guest = \\$(guest_name)"
        else
            echo "demo = $demo"
        fi
    } >"$run/nestling.cfg"
}

# Show the console from the image's first line on, and keep all of it in console.log. Set
# END to why it stopped: `fatal`, `timeout`, or `off` when the emulator ended. An image that
# cannot start returns to the firmware, which waits for ever; later on it switches off, and
# what looks like a fatal line may be the guest's.
watch() {
    local line deadline=$((SECONDS + timeout))
    end='' last_line='' lacking=no ours=no taken=no cpu_at=''
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
        [[ $ours == no ]] || show "$line"
        [[ $line != 'nestling: the machine is ours: '* ]] || taken=yes
        [[ $taken == yes || $line != 'nestling: fatal: '* ]] || end=fatal
        [[ -z $line ]] || last_line=$line
    done
    [[ $terminal == no ]] || printf '\e[K'
    [[ $end != timeout ]] || find_cpu
    # What is over stays on the screen as long as somebody wants to see it.
    [[ $end != timeout || ! -e $run/over ]] || end=off
    stop_screen
    stop_emulator
    exec 3<&- 4>&-
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
    printf '%s\n' ${others:+"$others"} "$json" >"$report" || failed "the report could not be written to $report"
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

# shellcheck disable=SC2317 # reached through the trap
interrupted() {
    # In the place of a line of progress, and of the terminal's own ^C.
    [[ ! -t 2 ]] || printf '\r\e[K' >&2
    say "interrupted"
    exit 130
}

# shellcheck disable=SC2317 # reached through the trap
clean_up() {
    trap '' INT
    stop_screen
    stop_emulator
    # The reader ends when its console does, which it may still wait for, or when nobody listens.
    [[ ! -p ${run:-}/console ]] || : <>"$run/console"
    exec 3<&-
    [[ -z ${reader:-} ]] || wait "$reader" || true
    [[ -z ${run:-} ]] || rm -rf "$run"
}

trap clean_up EXIT
trap interrupted INT
trap 'exit 143' TERM HUP

parse "$@"
out=$root/build/$isa
emulator=qemu components=("$isa") qemu=() least=64 most_cpus=16 fixed_cpus=no files=()
"machine_$isa"
check
if [[ -z $timeout ]]; then
    timeout=120
    [[ $emulator != bochs ]] || timeout=300
    [[ $gdb == off ]] || timeout=999999
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
    # Of a link what it leads to: it may be /dev/stdout.
    if [[ -L $file ]]; then
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
