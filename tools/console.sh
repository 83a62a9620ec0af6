# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# How the console of a run is read and shown. Sourced by run-qemu.sh, whose variables and functions it uses.

# One line of the console, for who reads it: on a terminal lines of progress take each other's
# place, there are colours in the map, and no reports, which are for programs: the bill says the same.
show() { # LINE
    if [[ -t 1 && $1 == 'report: {'* ]]; then
        return
    elif [[ $terminal == no ]]; then
        printf '%s\n' "$1"
    elif [[ $1 == 'progress: '* ]]; then
        printf '\e[K%.79s\r' "$1"
    elif [[ $colours == yes && $1 == 'map: '* ]]; then
        printf '\e[K%s\n' "$(colour_map "$1")"
    else
        printf '\e[K%s\n' "$1"
    fi
}

# The characters between the bars of a row, and before the names of the legend, in the colours of
# the picture, as far as terminals have them.
colour_map() { # LINE
    awk -v esc="$(printf '\033')" '
        function paint(text, c) {
            return esc "[" (c == "." ? 90 : c == "-" ? 35 : c == "0" ? 34 : c == "s" ? 33 : c == "@" ? 31 : 32) "m" text esc "[0m"
        }
        /^map: 0x[0-9a-f]+ \|[^|]*\|$/ {
            out = substr($0, 1, index($0, "|"))
            row = substr($0, length(out) + 1)
            while (match(row, /^(\.+|-+|0+|s+|@+|[1-9#]+)/)) {
                out = out paint(substr(row, 1, RLENGTH), substr(row, 1, 1))
                row = substr(row, RLENGTH + 1)
            }
            print out row
            next
        }
        {
            n = split(". nothing,- discarded,0 zero page,s shared,@ 2 MiB leaf,1-9# 4 KiB pages", names, ",")
            for (i = 1; i <= n; i++)
                if (at = index($0, " " names[i]))
                    $0 = substr($0, 1, at) paint(names[i], substr(names[i], 1, 1)) substr($0, at + 1 + length(names[i]))
            print
        }' <<<"$1"
}

# The console's text, without what is recorded beside it.
take_records() {
    if [[ -n $trace_file ]]; then
        exec "$root/tools/take-records" "$trace_file" "$run/trace.summary"
    else
        exec cat
    fi
}

# Make fd 3 what comes from the console. Before the emulator: of one that ends at once nobody would learn else.
listen() {
    mkfifo "$run/console"
    # The firmware's console carries escape sequences, and a guest may print anything.
    # Ctrl-C is for all of the terminal's processes, and this one has to end as the emulator does.
    exec 3< <(trap '' INT; take_records <"$run/console" | sed -u -E 's/\x1b\[[0-9;=?]*[A-Za-z]//g; s/[\x01-\x08\x0b-\x1f\x7f]//g')
    reader=$!
}
