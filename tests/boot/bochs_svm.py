# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests on Bochs' AMD CPU, which has of SVM what QEMU's has not: NRIP save and flush by ASID. Of real mode it has too little."""

from backends import ALL_BACKENDS
from harness import EXITED, Case, at_least, case

RYZEN = {"NESTLING_BOCHS_ARGS": "cpu:model=ryzen"}
# Without step_over: a trap of a single step shows no BS in DR6 there. Each begins and ends with calls of the hypervisor; these also flush, fork, take exceptions, read MSRs and CPUID.
DEMOS = {"lazy": 0, "fork": 8, "protect": 0, "balloon": 0}
GUESTS = {"odd_insns": 0, "cpuid_check": 0, "bad_msr": 0, "page_walk": 0, "uart": 0}


def guest(name: str, forks: int, slow: bool, **more) -> Case:
    return case(f"svm-bochs/guest/{name}", "--guest", ALL_BACKENDS["svm-bochs"].guest(name), "--ram", "64M", report=EXITED | {"forks": forks}, forks=forks,
                forbid=("FAILED",), env=RYZEN, slow=slow, **more)


def bochs_svm() -> list[Case]:
    return [case(f"svm-bochs/demo/{name}", "--demo", name, report=EXITED | {"forks": forks}, forks=forks, env=RYZEN, slow=True)
            for name, forks in DEMOS.items()] + [guest(name, forks, True) for name, forks in GUESTS.items()] + [
        # Bochs' VMRUN leaves CR2 as it is; and when it loads IF clear, the machine's interrupts, the slice's end too, wait until the guest executes STI.
        case("svm-bochs/guest/keep_state", "--guest", ALL_BACKENDS["svm-bochs"].guest("keep_state"), "--ram", "64M", "--cpus", "1", "--cmdline", "if=1 cr2=0", forks=1,
             report=EXITED | {"preemptions": at_least(5)}, forbid=("FAILED",), text=(r"keep_state: all as it should be$",), env=RYZEN, slow=True),
        # A prefix more than need be is seen by the CPU alone; where pages are taken away, what is flushed is the one guest's.
        guest("prefixed", 0, False, text=(r"^prefixed: all as it should be$",)),
        case("svm-bochs/demo/density", "--demo", "density", "--ram", "64M", report=EXITED | {"flushes": at_least(1)}, env=RYZEN)]
