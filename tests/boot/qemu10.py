# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests on machines and CPUs that Debian 12's QEMU has not: by QEMU 10, which `tools/setup qemu10` fetches."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backends import BACKENDS, ROOT
from harness import EXITED, Case, case
from linux import CONSOLE, FORBIDDEN, OFF, RELEASE, TIMER
from machines import EL2

HERE = ROOT / "build/third-party/qemu10"
FIRMWARE = HERE / "usr/share"
UBOOT = HERE / "usr/lib/u-boot"
TREES = ROOT / "build/linux/aarch64/trees/broadcom"
SBSA = ROOT / "build/third-party/sbsa-ref"

VMS = """[vm lazy]
demo = lazy
ram = 1G
[vm smp]
demo = smp
ram = 64M
vcpus = 4
after = lazy
[vm linux]
guest = \\kernel
initrd = \\initrd
ram = 512M
vcpus = 2
after = smp
cmdline = 'console={console} quiet run="uname -a; cat /proc/interrupts"'
"""
# What a Raspberry Pi's own loader would load.
PI4 = f"-M raspi4b -m 2G -kernel {UBOOT}/rpi_4/u-boot.bin -dtb {TREES}/bcm2711-rpi-4-b.dtb"
PI3 = f"-kernel {UBOOT}/rpi_3/u-boot.bin -dtb {TREES}/bcm2837-rpi-3-b.dtb"
EDK2_AARCH64 = f"-bios {FIRMWARE}/qemu-efi-aarch64/QEMU_EFI.fd"
# Its flash chips, whose files stay as they are: QEMU takes the first one's content as firmware. It has no virtio that its firmware knows.
SBSA_REF = (f"-cpu neoverse-n1 -audio none -m 2G -bios {SBSA}/secure.rom "
            f"-drive if=pflash,unit=1,format=raw,snapshot=on,file={SBSA}/unsecure.rom")
# They start U-Boot as a kernel of QEMU's; what run-qemu.sh has for a Raspberry Pi 3 fits: an SD card, and the second of the serial ports.
BOARDS = ROOT / "build/third-party/uboot-boards"
ZCU102 = f"-M xlnx-zcu102,virtualization=on -audio none -m 4G -kernel {BOARDS}/zcu102.img -dtb {BOARDS}/zcu102.dtb"
IMX8MP = f"-M imx8mp-evk -smp 4 -audio none -m 6G -kernel {BOARDS}/imx8mp.img -dtb {BOARDS}/imx8mp-evk.dtb -nic user,tftp={{dir}}/tftp"
VERSAL = f"-M xlnx-versal-virt -audio none -m 2G -kernel {BOARDS}/versal.img"
UBOOT_AARCH64 = f"-bios {UBOOT}/qemu_arm64/u-boot.bin"


def flash(code: Path) -> str:
    """Firmware in two flash chips: its code, and variables that it writes."""
    return f"-drive if=pflash,unit=0,format=raw,readonly=on,file={code} -drive if=pflash,unit=1,format=raw,file={{dir}}/vars.fd"


RISCV = FIRMWARE / "qemu-efi-riscv64"
EDK2_RISCV = f"-bios {HERE}/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin {flash(RISCV / 'RISCV_VIRT_CODE.fd')}"
STRICT = f"-M q35,smm=on -global driver=cfi.pflash01,property=secure,value=on {flash(FIRMWARE / 'OVMF/OVMF_CODE_4M.secboot.strictnx.fd')}"


@dataclass(frozen=True)
class Machine:
    backend: str
    name: str
    args: str = ""  # for QEMU
    cpus: int = 4
    disk: str = ""  # what has the disk; else what it usually is
    variables: Path | None = None  # of the firmware
    tftp: bool = False  # gets the image from the network, as one file
    prepare: Callable[[Path], None] | None = None
    board: str = ""  # one that has not the properties of virt, which run-qemu.sh asks for
    text: tuple[str, ...] = ()


def versal_tree(directory: Path) -> None:
    """QEMU's own, which U-Boot wants in memory. Its drivers for SD cards and USB stop it there: QEMU has not all of those registers."""
    tree = directory / "versal.dtb"
    subprocess.run([HERE / "bin/qemu-system-aarch64", *VERSAL.replace("virt ", f"virt,dumpdtb={tree} ", 1).split(), "-nodefaults", "-display", "none"],
                   check=True, capture_output=True)
    for name, value, *nodes in (("status", "disabled", "/sdhci@f1040000", "/sdhci@f1050000", "/usb@ff9d0000"), ("stdout-path", "/uart@ff010000", "/chosen")):
        for node in nodes:
            subprocess.run(["fdtput", "-t", "s", tree, node, name, value], check=True)


MACHINES = (
    Machine("pi3", "raspi4b", PI4),
    Machine("pi3", "raspi3b", PI3),
    Machine("pi3", "zcu102", ZCU102),
    Machine("pi3", "imx8mp-evk", IMX8MP, tftp=True),
    Machine("pi3", "versal-virt", f"{VERSAL} -device loader,file={{dir}}/versal.dtb,addr=0x1000,force-raw=on -nic user,tftp={{dir}}/tftp", cpus=2, tftp=True,
            prepare=versal_tree),
    Machine("svm", "nvme", disk="-device nvme,serial=1,drive=own,bootindex=1"),
    Machine("svm", "ahci", disk="-device ide-hd,drive=own,bootindex=1"),
    Machine("svm", "usb-storage", disk="-device qemu-xhci -device usb-storage,drive=own,bootindex=1"),
    Machine("svm-uboot", "pc"),
    Machine("svm", "strict-nx", STRICT, variables=FIRMWARE / "OVMF/OVMF_VARS_4M.fd"),
    # LPA2, SVE and SME are the CPU's, MTE the machine's too.
    Machine("el2", "gic-v4-max", f"{EL2},gic-version=4,mte=on -cpu max {EDK2_AARCH64}", cpus=8),
    Machine("el2", "gic-v3-neoverse-v1", f"{EL2},gic-version=3 -cpu neoverse-v1 {EDK2_AARCH64}"),
    Machine("el2-uboot", "gic-v4-max", f"{EL2},gic-version=4,mte=on -cpu max {UBOOT_AARCH64}", cpus=8),
    Machine("el2-uboot", "sbsa-ref", SBSA_REF, disk="-device ide-hd,drive=own,bus=ide.0", board="sbsa-ref"),
    Machine("h", "edk2", EDK2_RISCV, cpus=8, variables=RISCV / "RISCV_VIRT_VARS.fd"),
    Machine("h", "edk2-aia", f"-M virt,aia=aplic-imsic -cpu rva22s64,h=true {EDK2_RISCV}", cpus=8, variables=RISCV / "RISCV_VIRT_VARS.fd"),
    Machine("h", "edk2-device-tree", f"-M virt,acpi=off {EDK2_RISCV}", variables=RISCV / "RISCV_VIRT_VARS.fd"),
    Machine("h", "aia", f"-M virt,aia=aplic-imsic -cpu max -kernel {UBOOT}/qemu-riscv64_smode/u-boot.bin", cpus=8),
)


# Goes before QEMU itself in PATH.
OTHER_BOARD = """#!/bin/sh
for word; do
    shift
    [ "$word" != virt,virtualization=on ] || word={board}
    set -- "$@" "$word"
done
exec {here}/bin/qemu-system-aarch64 "$@"
"""


def environment(args: str, first: str = "") -> dict[str, str]:
    return {"PATH": f"{first}{HERE}/bin:{os.environ['PATH']}", "NESTLING_QEMU_ARGS": args}


def ready() -> None:
    if not HERE.exists():
        raise FileNotFoundError(f"there is no {HERE.relative_to(ROOT)}: run tools/setup qemu10")


def boots(machine: Machine) -> Case:
    """A demo, one of several vCPUs, and Debian's Linux, one after the other."""
    isa = BACKENDS[machine.backend].isa

    def files(directory: Path) -> None:
        ready()
        for name in ("kernel", "initrd"):
            shutil.copyfile(ROOT / "build/linux" / isa / name, directory / name)
        (directory / "three.cfg").write_text(VMS.format(console=CONSOLE[isa]))
        if machine.variables:
            shutil.copyfile(machine.variables, directory / "vars.fd")
        if machine.prepare:
            machine.prepare(directory)
        if machine.tftp:
            (directory / "tftp").mkdir()
            subprocess.run([ROOT / "tools/mkefi", "-o", directory / "tftp/nestling.efi", ROOT / "build" / isa / "nestling.efi", "--cfg", directory / "three.cfg"],
                           check=True)
        if machine.board:
            (directory / "qemu-system-aarch64").write_text(OTHER_BOARD.format(board=machine.board, here=HERE))
            (directory / "qemu-system-aarch64").chmod(0o755)
        if machine.disk:
            (directory / "empty.img").write_bytes(bytes(1 << 20))
            subprocess.run([ROOT / "tools/mkimage", "-o", directory / "own.img", "--isa", f"{isa}={ROOT}/build/{isa}/nestling.efi", "--cfg", directory / "three.cfg",
                            *(word for name in ("kernel", "initrd") for word in ("--file", f"{directory}/{name}:{name}"))], check=True)

    # The disk that is always there has nothing on it then.
    args = ["--image", "{dir}/empty.img"] if machine.disk else ["--config", "{dir}/three.cfg"]
    own = f" -drive if=none,id=own,format=raw,file={{dir}}/own.img {machine.disk}" if machine.disk else ""
    fixed = BACKENDS[machine.backend].fixed_cpus
    return case(f"{machine.backend}/qemu10/{machine.name}", *args, *([] if fixed else ["--cpus", str(machine.cpus)]), files=files, slow=True,
                env=environment(machine.args + own, "{dir}:" if machine.board else ""), report=EXITED | {"vms": 3, "vms_failed": 0, "cpus": machine.cpus}, max_log=150,
                # U-Boot reads a kernel from a Pi's card word by word.
                seconds=1200 if fixed else 600,
                forbid=(*FORBIDDEN, "^boot: CPU", "^error: "),
                text=(rf"^nestling: {machine.cpus} CPUs run$", r"^lazy: lazy: every page read as zeros", r"^smp: smp: every byte is what it should be$",
                      rf"^linux: Linux nestling {RELEASE}", "^linux: " + TIMER[isa].lstrip("^"), OFF, *machine.text))


def qemu10() -> list[Case]:
    return [boots(machine) for machine in MACHINES]
