# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Completion for bash: `source tools/completion.bash` in the tree, or from ~/.bashrc. What there is to complete is asked of
# run-qemu.sh --help and of the tree, so that it is no list of its own.

_nestling_values() { # ROOT OPTION
    case $2 in
    --demo) (cd "$1/guest" && printf '%s\n' *.c) | sed 's/\.c$//' ;;
    --policy) sed -n '/^#define ALLOC_POLICY_LIST/,/[^\\]$/s/^\tX([A-Z0-9_]*, [A-Z0-9]*, "\([^"]*\)".*/\1/p' "$1/include/abi.h" ;;
    --tracking) printf '%s\n' hardware software ;;
    # "--virt svm|vmx" in the help.
    *) "$1/run-qemu.sh" --help | sed -n "s/^  \(--.*, \)\?$2 \([a-z0-9]*|[a-z0-9|]*\) .*/\2/p" | tr '|' '\n' ;;
    esac
}

_nestling() {
    local root word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local -a words=()
    root=$(realpath "$1" 2>/dev/null) || return
    root=${root%/*}
    # --option=value comes in three words.
    [[ $word != '=' ]] || word=''
    [[ $before != '=' ]] || before=${COMP_WORDS[COMP_CWORD - 2]}
    case $before in
    --guest|--image|--report|--trace|--screenshot|--config|--initrd|--disk)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return ;;
    --*) mapfile -t words < <(_nestling_values "$root" "$before") ;;
    esac
    [[ ${#words[@]} -gt 0 ]] ||
        mapfile -t words < <("$root/run-qemu.sh" --help | sed -n 's/^  \(--.*[^ ]\)  .*/\1/p' | grep -o -- '--[a-z-]*'; printf '%s\n' x86_64 aarch64 riscv64)
    mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$word")
}

complete -F _nestling run-qemu.sh ./run-qemu.sh
