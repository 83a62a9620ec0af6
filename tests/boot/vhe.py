# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests of AArch64 with HCR_EL2.E2H set in the hypervisor, which guests cannot tell."""

import shutil
from pathlib import Path

from backends import BACKENDS, ROOT
from harness import EXITED, FATAL, Case, at_least, case
from linux import CONSOLE, INTERRUPTS, OFF, TIMER, UNAME, linux
from machines import EL2, qemu
from smp import side_by_side

SET = r"^el2: the hypervisor runs with HCR_EL2\.E2H set, as vhe = on says$"
V3 = qemu(f"{EL2},gic-version=3 -cpu max")

# What depends on registers of EL1's, on traps, on timers and interrupts, on the hypervisor's own map; and ends that print the registers.
GUESTS = {name: f"guest = {name}" for name in (
    "registers", "fork_state", "sysregs", "user", "lazy_mmu", "page_walk", "mmio", "irq_fork", "irq_hostile", "smccc")} | {
    "exec": "guest = exec; ram = 1G"}
SMP_GUESTS = {name: f"guest = {name}; vcpus = 4" for name in ("irq_smp", "psci_cpus", "smp_fork")}
DEMOS = {"lazy": "demo = lazy; ram = 1G", "fork": "demo = fork", "smp": "demo = smp; vcpus = 4; ram = 256M"}
CRASHING = {"illegal_insn": "crashed", "mmio_pair": "crashed", "wild_write": "unmapped", "wild_walk": "unmapped"}
WELL = GUESTS | SMP_GUESTS | DEMOS


def guests(name: str, cpus: int, env: dict[str, str], slow: bool) -> Case:
    vms = WELL | {guest: f"guest = {guest}" for guest in CRASHING}
    return side_by_side(name, vms, dict.fromkeys(WELL, "exited") | CRASHING, cpus, head="slice = 1\nvhe = on\n", env=env, slow=slow, status=3,
                        forks=None, max_log=500, report=EXITED | {"vms_failed": len(CRASHING), "cpus": cpus}, seconds=300,
                        text=(SET, *(rf"^{guest}(\.\d)?: {guest}: all as it should be$" for guest in GUESTS | SMP_GUESTS if guest != "lazy_mmu"),
                              r"^registers\.\d: registers: all as it should be$", r"^lazy: lazy: every page read as zeros",
                              r"^smp: smp: every byte is what it should be$",
                              # By the registers of the guest's, not of the hypervisor's.
                              r"^error: vm illegal_insn: guest stopped at pc 0x200: undefined instruction at 0x402000\w\w \(ESR_EL1 0x2000000, ",
                              r"^error: vm illegal_insn:  vbar 0 elr_el1 402000\w\w spsr_el1 \w+3c5 esr_el1 2000000 far_el1 0$"))


def with_config(name: str, config: str, **more) -> Case:
    def files(directory: Path) -> None:
        (directory / "one.cfg").write_text(config)

    return case(name, "--config", "{dir}/one.cfg", files=files, **more)


def debian(backend: str, cpus: int, slow: bool, env: dict[str, str]) -> Case:
    """An unmodified kernel with several vCPUs, whose FP and SIMD registers, timers and IPIs are kept apart."""
    def files(directory: Path) -> None:
        for name in ("kernel", "initrd"):
            shutil.copyfile(ROOT / "build/linux" / BACKENDS[backend].isa / name, directory / name)
        (directory / "one.cfg").write_text(
            f"cpus = {cpus}\nvhe = on\nguest = \\kernel\ninitrd = \\initrd\nvcpus = {cpus}\n"
            f"cmdline = 'console={CONSOLE['aarch64']} run=\"uname -a; cat /proc/interrupts; md5sum /bin/busybox\"'\n")

    return linux(backend, "vhe", "--config", "{dir}/one.cfg", "--cpus", str(cpus), files=files, slow=slow, env=env,
                 report=EXITED | {"interrupts": at_least(10)}, text=(SET, UNAME, INTERRUPTS, TIMER["aarch64"], OFF))


def vhe() -> list[Case]:
    return [
        guests("el2/vhe/guests", 4, V3, False),
        guests("el2/vhe/guests-gic-v2", 1, qemu("-cpu max"), True),
        with_config("el2-uboot/vhe/lazy", "vhe = on\n", env=qemu("-cpu max"), report=EXITED, text=(SET, r"^lazy: every page read as zeros")),
        # By itself, for it wants its share of the time: FP and all other registers, kept while two VMs have one CPU.
        side_by_side("el2/vhe/keep_state", {"keep_state": "guest = keep_state"}, {"keep_state": "exited"}, head="vhe = on\n", env=V3, forks=1,
                     report=EXITED | {"preemptions": at_least(5)}, text=(SET, r"^keep_state: all as it should be$")),
        with_config("el2/vhe/not-there", "vhe = on\n", status=3, report=None, one_line=FATAL, text=(FATAL + r"vhe = on: .*no FEAT_VHE",)),
        # Where it need not be set it is not.
        with_config("el2/vhe/auto", "vhe = auto\n", env=qemu("-cpu max"), report=EXITED, forbid=("E2H",), slow=True),
        debian("el2", 4, True, V3),
    ]
