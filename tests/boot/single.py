# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests of one EFI file that carries its configuration and guests, on machines whose disk has nothing for the firmware to start."""

import binascii
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import qemu10
from backends import BACKENDS, ROOT
from harness import EXITED, Case, case
from machines import qemu

EMPTY = ("--image", "{dir}/empty.img")
DONE = {"report": EXITED | {"vms": 2, "vms_failed": 0}, "text": (r"^first: hello: I was promised ", r"^second: lazy: every page read as zeros")}


def make(backend: str, directory: Path) -> Path:
    own = BACKENDS[backend]
    shutil.copyfile(own.build / "guest/hello.elf", directory / "hello.elf")
    (directory / "two.cfg").write_text("[vm first]\nguest = \\hello.elf\nafter = second\n[vm second]\ndemo = lazy\n")
    subprocess.run([ROOT / "tools/mkefi", "-o", directory / "single.efi", own.build / "nestling.efi", "--cfg", directory / "two.cfg"], check=True)
    (directory / "empty.img").write_bytes(bytes(1 << 20))
    return directory / "single.efi"


def disk(backend: str) -> Case:
    return case(f"{backend}/image/single", "--image", "{dir}/single.efi", files=lambda directory: make(backend, directory) and None,
                slow=backend in ("svm-uboot", "el2-uboot", "vmx", "pi3"), **DONE)


# --- HTTP boot: UEFI 2.10, 24.7 -------------------------------------------------------------------------------------------

# QEMU starts it for each connection. HEAD for the size, then GET: RFC 9112.
SERVE = """#!/usr/bin/python3
import sys
content = open("{file}", "rb").read()
while True:
    line = sys.stdin.buffer.readline()
    if not line:
        break
    while sys.stdin.buffer.readline().strip():
        pass
    head = "HTTP/1.1 200 OK\\r\\nContent-Type: application/efi\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(content)
    sys.stdout.buffer.write(head.encode() + (content if line.startswith(b"GET") else b""))
    sys.stdout.buffer.flush()
"""


def http(backend: str, firmware: str = "", **more) -> Case:
    """Its address comes by DHCP."""
    def files(directory: Path) -> None:
        (directory / "serve").write_text(SERVE.format(file=make(backend, directory)))
        (directory / "serve").chmod(0o755)

    return case(f"{backend}/image/single-by-http", *EMPTY, files=files, slow=True, seconds=300, **DONE, **more,
                env=qemu("-netdev user,id=net,bootfile=http://10.0.2.100/single.efi,guestfwd=tcp:10.0.2.100:80-cmd:{dir}/serve "
                         # Without which EDK2 asks for PXE first, whose time-outs are long.
                         "-fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n -fw_cfg name=opt/org.tianocore/IPv6PXESupport,string=n "
                         "-device virtio-net-pci,netdev=net,romfile=,bootindex=1"))


# --- QEMU's -kernel, which firmware asks for -------------------------------------------------------------------------------


def kernel(backend: str, env: dict[str, str]) -> Case:
    def files(directory: Path) -> None:
        qemu10.ready()
        make(backend, directory)
        shutil.copyfile(qemu10.RISCV / "RISCV_VIRT_VARS.fd", directory / "vars.fd")

    return case(f"{backend}/image/single-by-kernel", *EMPTY, files=files, slow=True, env=env, **DONE)


def kernel_of_pc() -> list[str]:
    """There it is the first to be booted, as run-qemu.sh's disk would be: a machine without disks."""
    qemu10.ready()
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as name:
        command = [qemu10.HERE / "bin/qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-m", "512M", "-bios", "/usr/share/ovmf/OVMF.fd", "-nodefaults",
                   "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", make("svm", Path(name))]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=BACKENDS["svm"].seconds)
        except subprocess.TimeoutExpired:
            return ["the machine has not switched itself off"]
    console = done.stdout.replace("\r", "")
    return [f"console lacks /{text}/" for text in DONE["text"] if not re.search(text, console, re.M)] + ([] if done.returncode == 0 else [done.stderr])


# --- U-Boot ---------------------------------------------------------------------------------------------------------------

ENVIRONMENT = 256 << 10
FLASH = 64 << 20


def environment_of_uboot(**variables: str) -> bytes:
    """As U-Boot keeps its variables in flash: a checksum, and the rest text."""
    text = b"".join(f"{name}={value}\0".encode() for name, value in variables.items())
    text += bytes(ENVIRONMENT - 4 - len(text))
    return struct.pack("<I", binascii.crc32(text)) + text


def bootefi() -> Case:
    """From the network to memory, and started there: no disk has it."""
    def files(directory: Path) -> None:
        make("el2-uboot", directory)
        (directory / "tftp").mkdir()
        shutil.copyfile(directory / "single.efi", directory / "tftp/single.efi")
        command = "dhcp $kernel_addr_r 10.0.2.2:single.efi; bootefi $kernel_addr_r $fdtcontroladdr"
        with open(directory / "env.img", "wb") as flash:
            flash.write(environment_of_uboot(bootcmd=command, bootdelay="0", kernel_addr_r="0x42000000"))
            flash.truncate(FLASH)

    return case("el2-uboot/image/single-by-bootefi", *EMPTY, files=files, slow=True, **DONE,
                env=qemu("-drive if=pflash,unit=1,format=raw,file={dir}/env.img -netdev user,id=net,tftp={dir}/tftp -device virtio-net-pci,netdev=net,romfile="))


def singles() -> list[Case]:
    return [disk(name) for name in BACKENDS] + [
        http("svm"), http("el2"), bootefi(), kernel("el2", qemu("-kernel {dir}/single.efi")),
        Case("svm/image/single-by-kernel", [], function=kernel_of_pc, slow=True),
        kernel("h", qemu10.environment(f"{qemu10.EDK2_RISCV} -kernel {{dir}}/single.efi"))]
