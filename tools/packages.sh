# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Packages of another architecture or release of Debian, fetched by an apt with a state of its own, without a word to this machine's dpkg.
# Sourced by tools/setup and tools/debian-root; uses their `log`.

# FOREIGN_APT is what to give to apt-get for that.
foreign_apt() { # WORK ARCHITECTURE
    foreign_apt=(
        -o "Dir::State=$1/state" -o "Dir::State::status=$1/status" -o "Dir::Cache=$1/cache"
        -o "APT::Architecture=$2" -o "APT::Architectures=$2" -o "APT::Sandbox::User=root" -o "Acquire::Languages=none"
    )
    rm -rf "$1"
    mkdir -p "$1"/state/lists/partial "$1"/cache/archives/partial "$1/out"
    : >"$1/status"
}

# Of this machine's sources those that have its own release, as they name that of SUITE.
write_suite_sources() { # DIRECTORY SUITE
    local codename list
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mkdir "$1"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ ! -r $list ]] ||
            sed -nE "s/^([[:space:]]*deb[[:space:]].*[[:space:]])$codename((-[a-z]+)?[[:space:]])/\1$2\2/p" "$list" \
                >"$1/$(basename "$list" .list).list"
    done
    for list in /etc/apt/sources.list.d/*.sources; do
        [[ ! -r $list ]] ||
            awk -v RS= -v ORS='\n\n' "/(^|\n)Suites:[^\n]*[ \t]$codename(-[a-z]+)?([ \t\n]|$)/" <(grep -v '^#' "$list") |
            sed "/^Suites:/s/$codename/$2/g; s/^Types:.*/Types: deb/" >"$1/$(basename "$list")"
    done
}

# Both, and the lists of what that release has.
foreign_suite() { # WORK ARCHITECTURE SUITE
    foreign_apt "$1" "$2"
    write_suite_sources "$1/sources" "$3"
    foreign_apt+=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$1/sources")
    apt-get "${foreign_apt[@]}" update >>"$log" 2>&1 9>&- || true
}
