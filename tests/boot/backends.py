# SPDX-License-Identifier: BSD-2-Clause
"""The machines that the image is booted on: what run-qemu.sh calls them, and what a report from one says."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Backend:
    isa: str
    virt: str
    formats: tuple[str, ...]
    args: tuple[str, ...] = ()
    fixed_cpus: int = 0  # it has so many, and there is no choice
    seconds: int = 120  # after so long a boot is given up: far more than it takes, for the machine may have other work

    @property
    def build(self) -> Path:
        return ROOT / "build" / self.isa

    def guest(self, name: str) -> str:
        """Where the build puts a test guest: what is particular to the ISA is in a folder of its own."""
        own = (ROOT / f"tests/guests/{self.isa}/{name}.c").exists()
        return str(self.build / f"tests/guests/{self.isa + '/' if own else ''}{name}.elf")


BACKENDS = {
    "svm": Backend("x86_64", "svm", ("npt",), ("--virt", "svm")),
    "svm-uboot": Backend("x86_64", "svm", ("npt",), ("--virt", "svm", "--firmware", "uboot")),
    "vmx": Backend("x86_64", "vmx", ("ept",), ("--virt", "vmx"), seconds=300),
    "el2": Backend("aarch64", "el2", ("stage2",)),
    "el2-uboot": Backend("aarch64", "el2", ("stage2",), ("--firmware", "uboot")),
    "pi3": Backend("aarch64", "el2", ("stage2",), ("--board", "raspi3b"), fixed_cpus=4, seconds=240),
    "h": Backend("riscv64", "h", ("sv39x4", "sv48x4", "sv57x4")),
}
# And such as some few cases are for. Bochs' AMD machine saves the next RIP and flushes by ASID, which QEMU's does not; its real mode is wrong under SVM.
ALL_BACKENDS = BACKENDS | {"svm-bochs": Backend("x86_64", "svm", ("npt",), ("--virt", "vmx"), seconds=300)}
# One for each ISA's vendor: what a guest sees depends on nothing else.
KINDS = ("svm", "vmx", "el2", "h")
