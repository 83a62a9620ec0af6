# SPDX-License-Identifier: BSD-2-Clause
"""Makes program files for a loader to accept or to refuse: ELF, and Linux' raw images."""

import bz2
import gzip
import io
import lzma
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from backends import ROOT

EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")

EM_X86_64, EM_AARCH64, EM_RISCV = 62, 183, 243
ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
PT_LOAD, PT_NOTE = 1, 4

@dataclass(frozen=True)
class Isa:
    machine: int
    ram: int  # where it begins
    base: int  # the lowest place for a program
    exit_0: bytes  # code that exits with status 0
    odd: int  # as odd an offset as code can have
    linux_magic: bytes = b""
    linux_code: bytes = b""  # over the header


ISAS = {
    # Ask CPUID which instruction a hypercall is, and make the one that exits.
    "x86_64": Isa(EM_X86_64, 0, 0x100000, bytes.fromhex(
        "b801000040"  # movl $0x40000001, %eax
        "0fa2"  # cpuid
        "89c3"  # movl %eax, %ebx
        "b801000000"  # movl $1, %eax: exit
        "31ff"  # xorl %edi, %edi: status
        "85db"  # testl %ebx, %ebx
        "7503"  # jnz 1f
        "0f01c1"  # vmcall
        "0f01d9"  # 1: vmmcall
        "f4"  # hlt
    ), 0x123),
    "aarch64": Isa(EM_AARCH64, 0x40000000, 0x40200000, bytes.fromhex(
        "20008052"  # movz w0, #1
        "00c0b872"  # movk w0, #0xc600, lsl #16: exit
        "010080d2"  # mov x1, #0: status
        "020000d4"  # hvc #0
    ), 0x124, b"ARM\x64", bytes.fromhex("10000014")),  # b . + 64
    "riscv64": Isa(EM_RISCV, 0x80000000, 0x80200000, bytes.fromhex(
        "b7584e08"  # lui a7, 0x84e5
        "9b884835"  # addiw a7, a7, 0x354: our extension
        "13081000"  # li a6, 1: exit
        "13050000"  # li a0, 0: status
        "73000000"  # ecall
    ), 0x122, b"RSC\x05", bytes.fromhex("6f000004")),  # j . + 64
}


@dataclass
class Segment:
    paddr: int
    data: bytes = b""
    memsz: int | None = None  # as long as the data
    filesz: int | None = None
    offset: int | None = None  # where the data is
    kind: int = PT_LOAD
    vaddr: int | None = None  # paddr


@dataclass
class Elf:
    isa: Isa
    segments: list[Segment] | None = None  # code that exits, at `entry`
    entry: int | None = None  # the lowest place for a program
    machine: int | None = None  # the ISA's
    kind: int = ET_EXEC
    magic: bytes = b"\x7fELF"
    elf_class: int = 2  # 64 bits
    data: int = 1  # little-endian
    version: int = 1
    phentsize: int = PHDR.size
    phnum: int | None = None
    phoff: int = EHDR.size

    def to_bytes(self) -> bytes:
        entry = self.isa.base if self.entry is None else self.entry
        segments = [Segment(self.isa.base, self.isa.exit_0)] if self.segments is None else self.segments
        machine = self.isa.machine if self.machine is None else self.machine
        ident = self.magic + bytes([self.elf_class, self.data, self.version]) + bytes(9)
        phnum = len(segments) if self.phnum is None else self.phnum
        out = bytearray(EHDR.pack(ident, self.kind, machine, self.version, entry, self.phoff, 0, 0,
                                  EHDR.size, self.phentsize, phnum, 0, 0, 0))
        body = bytearray()
        for segment in segments:
            at = EHDR.size + PHDR.size * len(segments) + len(body)
            size = len(segment.data)
            out += PHDR.pack(segment.kind, 7, at if segment.offset is None else segment.offset, segment.vaddr or segment.paddr,
                             segment.paddr, size if segment.filesz is None else segment.filesz,
                             size if segment.memsz is None else segment.memsz, 1)
            body += segment.data
        return bytes(out + body)


TOP = (1 << 64) - 1


def malformed(isa: Isa) -> dict[str, bytes]:
    """Files that are no guest, for a machine with 64 MiB of RAM; each has a name that says what is wrong."""
    base, code, end = isa.base, isa.exit_0, isa.ram + (64 << 20)
    return {
        "empty": b"",
        "not-elf": b"#!/bin/sh\necho hello\n" * 10,
        "half-a-header": Elf(isa).to_bytes()[: EHDR.size // 2],
        "half-a-table": Elf(isa).to_bytes()[: EHDR.size + PHDR.size // 2],
        "cut-off-segment": Elf(isa, [Segment(base, code + bytes(0x2000))]).to_bytes()[:-0x1000],
        "32-bit": Elf(isa, elf_class=1).to_bytes(),
        "big-endian": Elf(isa, data=2).to_bytes(),
        "wrong-machine": Elf(isa, machine=EM_X86_64 if isa.machine != EM_X86_64 else EM_AARCH64).to_bytes(),
        "relocatable": Elf(isa, kind=ET_REL).to_bytes(),
        "no-segments": Elf(isa, []).to_bytes(),
        "nothing-to-load": Elf(isa, [Segment(base, code, kind=4)]).to_bytes(),
        "odd-phentsize": Elf(isa, phentsize=8).to_bytes(),
        "far-phoff": Elf(isa, phoff=TOP - 16).to_bytes(),
        "phnum-65535": Elf(isa, phnum=0xFFFF).to_bytes(),
        "overlapping": Elf(isa, [Segment(base, code, memsz=0x3000), Segment(base + 0x2000, b"x" * 64)]).to_bytes(),
        "twice-the-same": Elf(isa, [Segment(base, code), Segment(base, code)]).to_bytes(),
        "below-the-floor": Elf(isa, [Segment(base - 0x1000, code, memsz=0x2000)], entry=base - 0x1000).to_bytes(),
        "at-zero": Elf(isa, [Segment(0, code)], entry=0).to_bytes(),
        "behind-ram": Elf(isa, [Segment(base, code), Segment(end, b"x")]).to_bytes(),
        "across-ram-end": Elf(isa, [Segment(base, code), Segment(end - 8, b"x" * 16)]).to_bytes(),
        "entry-outside": Elf(isa, entry=base + 0x100000).to_bytes(),
        "entry-zero": Elf(isa, entry=0).to_bytes(),
        "filesz-over-memsz": Elf(isa, [Segment(base, code + bytes(100), memsz=10)]).to_bytes(),
        "huge-memsz": Elf(isa, [Segment(base, code, memsz=TOP)]).to_bytes(),
        "huge-filesz": Elf(isa, [Segment(base, code, filesz=TOP, memsz=TOP)]).to_bytes(),
        "far-offset": Elf(isa, [Segment(base, code, offset=TOP - 4)]).to_bytes(),
        "paddr-wraps": Elf(isa, [Segment(base, code), Segment(TOP - 0xFFF, b"x" * 64, memsz=0x2000)]).to_bytes(),
    }


def accepted(isa: Isa) -> dict[str, bytes]:
    """Odd, and yet good."""
    base, code, end = isa.base, isa.exit_0, isa.ram + (64 << 20)
    return {
        "minimal": Elf(isa).to_bytes(),
        "zero-length-segment": Elf(isa, [Segment(base, code), Segment(0, b"")]).to_bytes(),
        "unaligned": Elf(isa, [Segment(base + isa.odd, code), Segment(base + 0x200001, b"x" * 4099)],
                         entry=base + isa.odd).to_bytes(),
        "same-page": Elf(isa, [Segment(base, code), Segment(base + 0x100, b"x")]).to_bytes(),
        "descending": Elf(isa, [Segment(base + 0x100000, b"x"), Segment(base, code)]).to_bytes(),
        "last-byte": Elf(isa, [Segment(base, code), Segment(end - 16, b"x" * 16)]).to_bytes(),
        "lazy-bss": Elf(isa, [Segment(base, code, memsz=60 << 20)]).to_bytes(),
        # The offset of what has no bytes says nothing.
        "bss-behind-the-file": Elf(isa, [Segment(base, code), Segment(base + 0x1000, memsz=0x1000, offset=TOP)]).to_bytes(),
        "physical-entry": Elf(isa, [Segment(base, code, vaddr=0xFFFFFFFF81000000)], entry=base).to_bytes(),
        "moved": Elf(isa, [Segment(0x3000, code)], entry=0x3000, kind=ET_DYN).to_bytes(),
    }


def linux_image(isa: Isa, text_offset: int = 0, image_size: int = 0x10000, flags: int = 0) -> bytes:
    """A raw kernel that exits with status 0. Linux, Documentation/arch/arm64/booting.rst and riscv/boot-image-header.rst."""
    header = struct.pack("<4sIQQQQQQ4sI", isa.linux_code, 0, text_offset, image_size, flags, 0, 0, 0, isa.linux_magic, 0)
    return header + isa.exit_0


def pvh(program: Path, entry: int | None = None) -> bytes:
    """The guest `program` with the note that has a kernel entered by the PVH boot protocol, at its own entry or another one."""
    file = program.read_bytes()
    header = EHDR.unpack_from(file)
    entry = header[4] if entry is None else entry
    loads = [PHDR.unpack_from(file, header[5] + i * PHDR.size) for i in range(header[10])]
    segments = [Segment(paddr, file[offset:offset + filesz], memsz=memsz) for _, _, offset, _, paddr, filesz, memsz, _ in loads]
    notes = struct.pack("<3I4sI", 4, 4, 1, b"GNU", 0) + struct.pack("<3I4sQ", 4, 8, 18, b"Xen", entry)
    return Elf(ISAS["x86_64"], segments + [Segment(0, notes, memsz=0, kind=PT_NOTE)], entry=header[4]).to_bytes()


# --- Files of other kinds -----------------------------------------------------------------------------------------------

def foreign_files() -> dict[str, tuple[bytes, str]]:
    """Each with words of what is said of it: what it is, and what to do."""
    x86 = ISAS["x86_64"]
    program = Elf(x86).to_bytes()
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("kernel"))
    return {
        "empty": (b"", "empty"), "gzip": (gzip.compress(program), "gunzip"), "xz": (lzma.compress(program), "unxz"),
        "lzma": (lzma.compress(program, lzma.FORMAT_ALONE), "unlzma"), "bzip2": (bz2.compress(program), "bunzip2"),
        "zstd": (b"\x28\xb5\x2f\xfd" + bytes(9), "unzstd"), "lz4": (b"\x04\x22\x4d\x18" + bytes(9), "unlz4"),
        "cpio": (b"070701" + b"0" * 104, "cpio"), "tar": (tape.getvalue(), "tar -xf"),
        "efi": (b"MZ" + bytes(200), "EFI"), "script": (b"#!/bin/sh\n", "script"), "text": (b"demo = lazy\n", "text"),
        "arm64": (linux_image(ISAS["aarch64"]), "Linux Image for AArch64"), "noise": (bytes(range(1, 200)), "not an ELF file"),
        "32-bit": (Elf(x86, elf_class=1).to_bytes(), "64 bits"), "big": (Elf(x86, data=2).to_bytes(), "big-endian"),
        "object": (Elf(x86, kind=ET_REL).to_bytes(), "link it"), "core": (Elf(x86, kind=4).to_bytes(), "core dump"),
        "riscv": (Elf(ISAS["riscv64"]).to_bytes(), "for RISC-V, and this run is on x86_64"),
        "cut": (program[:40], "ends within its ELF header"),
    }


def foreign_files_are_named() -> list[str]:
    """Before anything is built or booted, in one line with the file's name. The list of them is the hypervisor's own."""
    errors = []
    with tempfile.TemporaryDirectory() as path:
        for name, (content, words) in foreign_files().items():
            file = Path(path) / f"{name}.img"
            file.write_bytes(content)
            done = subprocess.run([ROOT / "run-qemu.sh", "--guest", file], capture_output=True, text=True, check=False)
            line = f"run-qemu: guest file {re.escape(str(file))}: it is .*{words}"
            if done.returncode != 2 or not re.match(line, done.stderr) or done.stdout:
                errors.append(f"{name}: status {done.returncode}, {done.stderr}{done.stdout}")
    tables = subprocess.run([sys.executable, "-c", "import runpy, sys; print(sum(map(len, runpy.run_path(sys.argv[1])['read_tables']().values())))",
                             ROOT / "tools/check-guest"], capture_output=True, text=True, check=True).stdout
    rows = len(re.findall(r"^\tKIND\(", (ROOT / "vmm/file_kind.c").read_text(), re.M))
    if int(tables) != rows:
        errors.append(f"of {rows} kinds of files, tools/check-guest reads {tables}")
    return errors
