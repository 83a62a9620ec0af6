# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Which word was meant? Sourced by run-qemu.sh.

# What others call what we call something else.
declare -A also_called=([arm64]=aarch64 [armv8]=aarch64 [arm]=aarch64 [amd64]=x86_64 [x64]=x86_64 [x86]=x86_64 [riscv]=riscv64
                        [rv64]=riscv64 [amd]=svm [intel]=vmx [vtx]=vmx [ept]=vmx [npt]=svm [uefi]=edk2 [ovmf]=edk2 [pi3]=raspi3b
                        [rpi3]=raspi3b [memory]=ram [qemu]=virt)

# Set DISTANCE to how many letters are to be added, removed, changed or swapped with the next to make one word of the other.
declare -i distance
measure() { # WORD WORD
    local -i i j cost best columns=${#2}+1
    local -a d
    for ((i = 0; i <= ${#1}; i++)); do
        for ((j = 0; j <= ${#2}; j++)); do
            if ((i == 0 || j == 0)); then
                d[i * columns + j]=$((i + j))
                continue
            fi
            cost=1
            [[ ${1:i-1:1} != "${2:j-1:1}" ]] || cost=0
            best=$((d[(i - 1) * columns + j - 1] + cost))
            ((best <= d[(i - 1) * columns + j] + 1)) || best=$((d[(i - 1) * columns + j] + 1))
            ((best <= d[i * columns + j - 1] + 1)) || best=$((d[i * columns + j - 1] + 1))
            if ((i > 1 && j > 1)) && [[ ${1:i-2:2} == "${2:j-1:1}${2:j-2:1}" ]]; then
                ((best <= d[(i - 2) * columns + j - 2] + 1)) || best=$((d[(i - 2) * columns + j - 2] + 1))
            fi
            d[i * columns + j]=$best
        done
    done
    distance=${d[${#1} * columns + ${#2}]}
}

# Letters and digits only, small ones.
bare_word() { # WORD
    local word=${1,,}
    echo "${word//[^a-z0-9]/}"
}

# Print " (is CHOICE meant?)" with the choice whose last word is most like WORD; nothing if none is.
suggest() { # WORD CHOICE...
    local word choice bare best=''
    local -i least
    # A longer one is nobody's slip of a finger.
    ((${#1} <= 40)) || return 0
    word=$(bare_word "$1")
    [[ -n $word ]] || return 0
    # Of two letters all are alike.
    least=$((${#word} < 3 ? 1 : ${#word} < 4 ? 2 : 3))
    for choice in "${@:2}"; do
        bare=$(bare_word "${choice##* }")
        if [[ $bare == "$word" || ${also_called[$word]:-} == "$choice" || --${also_called[$word]:-} == "$choice" ]]; then
            best=$choice
            break
        fi
        measure "$word" "$bare"
        # What is cut off at a place where it is no other word yet, is near.
        [[ ${#word} -lt 3 || $bare != "$word"* ]] || distance=1
        ((distance >= least)) || { least=$distance; best=$choice; }
    done
    [[ -z $best ]] || echo " (is $best meant?)"
}
