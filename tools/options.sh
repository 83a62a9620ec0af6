# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What is wrong with the options of run-qemu.sh, each told in one line; what was not said gets its default. Sourced by it, whose
# variables and functions this uses.

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

check_initrd() { # FILE
    [[ -f $1 ]] || wrong "no such initrd: $1"
    [[ -r $1 ]] || wrong "initrd is not readable: $1"
    [[ -s $1 ]] || wrong "initrd $1: it is empty"
}

# Of a disk ",ro" is no part of the name.
check_disks() {
    local disk file
    ((${#disks[@]} <= 8)) || wrong "--disk is given ${#disks[@]} times, and a guest has 8 disks at most"
    for disk in "${disks[@]}"; do
        file=${disk%,ro}
        [[ -f $file ]] || wrong "no such disk: $file"
        [[ -r $file ]] || wrong "disk is not readable: $file"
        bytes=$(stat -Lc %s "$file")
        ((bytes >= 512)) || wrong "disk $file: it has less than a sector of 512 bytes"
        ((bytes < 1 << 32)) || wrong "disk $file: it has 4 GiB or more, which FAT cannot hold"
    done
}

# Can nestling.cfg have it as a value? With quotes of both kinds just without any around it.
is_value() { # TEXT
    [[ $1 != *\"* || $1 != *\'* || ($1 != [\"\'\#\ ]* && $1 != *' ' && $1 != *' #'*) ]]
}

check_text() { # OPTION TEXT
    [[ $2 != *[[:cntrl:]]* ]] || wrong "$1 has a control character"
    is_value "$2" || wrong "$1 has both kinds of quotes: then nestling.cfg cannot have a quote or blank at its ends, nor a blank and a # in it"
}

check_cmdline() {
    local LC_ALL=C # counts bytes
    check_text --cmdline "$cmdline"
    ((${#cmdline} < 512)) || wrong "--cmdline has ${#cmdline} bytes, and 511 is most"
}

# What goes into nestling.cfg.
check_config() {
    [[ -z $linux || -z $demo$guest$initrd ]] || wrong "--linux has a kernel and an initrd: no --demo, --guest or --initrd goes with it"
    [[ -z $guest || -z $demo ]] || wrong "--demo and --guest: one guest runs"
    [[ -z $initrd || -n $guest ]] || wrong "--initrd goes with a kernel, which --guest names"
    demo=${demo:-lazy} policy=${policy:-4k} tracking=${tracking:-hardware} trace=${trace:-off} ram=${ram:-1G}
    # shellcheck disable=SC2046 # the names are words
    one_of --demo "$demo" $(demos)
    # shellcheck disable=SC2046
    one_of --policy "$policy" $(policies)
    check_cmdline
    check_clones
    one_of --tracking "$tracking" hardware software
    one_of --console "${console:-uart}" uart virtio
    size_of --ram "$ram" $((2 << 20)) $((256 << 40)) 4096
    ram=$bytes
    [[ -z $memory_max ]] || size_of --memory-max "$memory_max" 4096 $((256 << 40)) 4096
    [[ -z $memory_max ]] || memory_max=$bytes
    check_time
    [[ -z $guest ]] || check_guest "$guest"
    [[ -z $initrd ]] || check_initrd "$initrd"
    check_disks
}

# What guest/linux/init prints before it does what it is told.
linux_ready='exit or poweroff ends it'

check_clones() {
    [[ -z $clone_when || -n $clones ]] || wrong "--clone-when goes with --clones, which says how many"
    [[ -z $clones ]] || number_of --clones "$clones" 0 1000
    [[ -z $linux || -z $clones ]] || clone_when=${clone_when:-$linux_ready}
    check_text --clone-when "$clone_when"
    ((${#clone_when} < 64)) || wrong "--clone-when has ${#clone_when} bytes, and 63 is most"
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
    done < <("$root/tools/config-files" "$config")
}

check() {
    local of_config=$linux$initrd${disks[*]-}$cmdline$ram$memory_max$vcpus$slice$pin$time_max$clones$clone_when$policy$tracking$trace$console
    # It may say trace = json: the records then have to go somewhere.
    [[ -z $config || -z $trace_file ]] || of_config=${of_config%"$trace"}
    if [[ -n $config ]]; then
        [[ -z $image$demo$guest$of_config ]] || wrong "with --config, the file says what to run"
        [[ $gdb == off ]] || wrong "with --config, the file says gdb = on"
        check_own_config
    elif [[ -n $image ]]; then
        [[ -z $demo$guest$of_config ]] || wrong "with --image, its own nestling.cfg says what to run"
        [[ -f $image && -r $image ]] || wrong "no such image: $image"
        [[ -s $image ]] || wrong "image $image: it is empty"
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
    # A trace is written while the console is: each would go over the other.
    [[ -z $trace_file || ! -f $trace_file || ! $trace_file -ef /dev/stdout ]] || wrong "--trace '$trace_file' is where standard output goes"
}

# Of the machine.
check_cpus() {
    local default=4 first last
    [[ $emulator != bochs ]] || default=2
    [[ -z $trace_file || -n $pin ]] || default=1
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
