# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What is told of a run that went wrong: why it stopped, where, and how to find that in the source. Sourced by
# run-qemu.sh, whose variables and functions it uses.

# All that may tell why, and was not shown: the firmware's lines, and what the emulator has to say.
explain() {
    if [[ $ours == no && -s $run/console.log ]]; then
        say "the image printed nothing; the console's last lines:"
        tail -n 20 "$run/console.log" >&2
    elif [[ $ours == no ]]; then
        say "the console stayed empty"
    fi
    if [[ -s $run/emulator.out && $emulator == qemu ]]; then
        say "QEMU's own words:"
        tail -n 5 "$run/emulator.out" >&2
        ! grep -qi '\(gtk\|sdl\).*fail\|initialize.*sdl' "$run/emulator.out" ||
            say "no window can be opened on '${WAYLAND_DISPLAY:-}${DISPLAY:-}': unset DISPLAY and WAYLAND_DISPLAY to use a VNC viewer"
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

# The guest's own file, if there is one to look for names in: guests built here have theirs beside the image.
guest_symbols() {
    local file=$guest
    [[ -n $file || -n $image$config ]] || file=$out/guest/$demo.elf
    if [[ -n $file && -f $file ]] && "$isa-linux-gnu-readelf" -S "$file" 2>/dev/null | grep -q ' \.debug_line'; then
        echo "$file"
    fi
}

# What is at an address of the guest's, and the command that tells: for more of them, or with the sources at hand.
tell_symbol() { # PC
    local file place
    local -a command
    file=$(guest_symbols)
    [[ -n $file ]] || return 0
    file=$(realpath --relative-base="$PWD" "$file")
    command=("$isa-linux-gnu-addr2line" -fpe "$file" "$1")
    place=$("${command[@]}" 2>/dev/null) || return 0
    [[ $place != *'??'* ]] || place='no address of its code'
    say "pc $1 is ${place//"$root/"}; ${command[*]} tells"
}

# Where a CPU is while the emulator runs still: `guest`, `hypervisor` or `unknown`, its program counter, and its state.
find_cpu() {
    local -a at=()
    local line
    cpu_at=''
    line=$(grep -aom1 '^nestling: image at 0x[0-9a-f]*' "$run/console.log") && at=(--image "${line##* }")
    if [[ $emulator == bochs ]]; then
        find_cpu_of_bochs "${line##* }"
    elif [[ -S $run/monitor ]]; then
        # A path of a socket may not be long.
        cpu_at=$(cd "$run" && "$root/tools/where" monitor "${at[@]}" 2>/dev/null) || cpu_at=''
    fi
}

# Stopped by SIGINT, its debugger prints the next instruction of each CPU: "(0) [0x00001ff00021] 0010:0000000000100021 ...". The last
# one that is in a guest is told of, or else the last one.
find_cpu_of_bochs() { # IMAGE
    local -i tries pc image=${1:-0}
    local line lines side
    kill -INT "$emulator_pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 50; tries++)); do
        sleep 0.1
        # The first ones are those which it began with.
        lines=$(grep -aoE '^\([0-9]+\) \[[^]]*\] [0-9a-f]{4}:[0-9a-f]+' "$run/emulator.out" | tail -n +$((10#$cpus + 1))) || lines=''
        [[ -z $lines ]] || break
    done
    while read -r line; do
        [[ -n $line ]] || continue
        pc=16#${line##*:} side=guest
        ((image == 0 || pc < image || pc >= image + (4 << 20))) || side=hypervisor
        [[ $side != guest && $cpu_at == guest* ]] || cpu_at=$(printf '%s %#x' "$side" "$pc")
    done <<<"$lines"
}

explain_timeout() {
    local where pc state
    read -r where pc state <<<"$cpu_at"
    if [[ -z $cpu_at ]]; then
        say "the emulator did not tell where its CPU is"
    elif [[ $taken == no ]]; then
        say "the CPU is at pc $pc${state:+, $state}: in the firmware, or in the image as it starts"
    elif [[ $where == guest ]]; then
        say "the guest is at pc $pc${state:+, $state}"
        tell_symbol "$pc"
    else
        say "the hypervisor is at pc $pc${state:+, $state}: tools/gdb finds out more"
    fi
}

# Of a guest that did not end by itself, by the last line of its post-mortem that has its program counter.
explain_guest() {
    local pc
    pc=$(grep -aoE '^error: vm( [^ :]+)?: guest .*\bpc 0x[0-9a-f]+' "$run/console.log" | tail -n 1) || return 0
    tell_symbol "${pc##* }"
}
