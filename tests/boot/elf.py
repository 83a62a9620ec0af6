# SPDX-License-Identifier: BSD-2-Clause
"""Makes ELF files for a loader to accept or to refuse."""

import struct
from dataclasses import dataclass, field

EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")

EM_386, EM_X86_64, EM_AARCH64 = 3, 62, 183
ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
PT_LOAD = 1

# Ask CPUID which instruction a hypercall is, and exit with status 0 by it.
EXIT_0 = bytes.fromhex(
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
)


@dataclass
class Segment:
    paddr: int
    data: bytes = b""
    memsz: int | None = None  # as long as the data
    filesz: int | None = None
    offset: int | None = None  # where the data is
    kind: int = PT_LOAD


@dataclass
class Elf:
    segments: list[Segment] = field(default_factory=lambda: [Segment(0x100000, EXIT_0)])
    entry: int = 0x100000
    machine: int = EM_X86_64
    kind: int = ET_EXEC
    magic: bytes = b"\x7fELF"
    elf_class: int = 2  # 64 bits
    data: int = 1  # little-endian
    version: int = 1
    phentsize: int = PHDR.size
    phnum: int | None = None
    phoff: int = EHDR.size

    def to_bytes(self) -> bytes:
        ident = self.magic + bytes([self.elf_class, self.data, self.version]) + bytes(9)
        phnum = len(self.segments) if self.phnum is None else self.phnum
        out = bytearray(EHDR.pack(ident, self.kind, self.machine, self.version, self.entry, self.phoff, 0, 0,
                                  EHDR.size, self.phentsize, phnum, 0, 0, 0))
        body = bytearray()
        for segment in self.segments:
            at = EHDR.size + PHDR.size * len(self.segments) + len(body)
            size = len(segment.data)
            out += PHDR.pack(segment.kind, 7, at if segment.offset is None else segment.offset, segment.paddr,
                             segment.paddr, size if segment.filesz is None else segment.filesz,
                             size if segment.memsz is None else segment.memsz, 1)
            body += segment.data
        return bytes(out + body)


TOP = (1 << 64) - 1

# Files that are no guest, for a machine with 64 MiB of RAM; each has a name that says what is wrong.
MALFORMED = {
    "empty": b"",
    "not-elf": b"#!/bin/sh\necho hello\n" * 10,
    "half-a-header": Elf().to_bytes()[: EHDR.size // 2],
    "half-a-table": Elf().to_bytes()[: EHDR.size + PHDR.size // 2],
    "cut-off-segment": Elf([Segment(0x100000, EXIT_0 + bytes(0x2000))]).to_bytes()[:-0x1000],
    "32-bit": Elf(elf_class=1).to_bytes(),
    "big-endian": Elf(data=2).to_bytes(),
    "wrong-machine": Elf(machine=EM_AARCH64).to_bytes(),
    "relocatable": Elf(kind=ET_REL).to_bytes(),
    "no-segments": Elf([]).to_bytes(),
    "nothing-to-load": Elf([Segment(0x100000, EXIT_0, kind=4)]).to_bytes(),
    "odd-phentsize": Elf(phentsize=8).to_bytes(),
    "far-phoff": Elf(phoff=TOP - 16).to_bytes(),
    "phnum-65535": Elf(phnum=0xFFFF).to_bytes(),
    "overlapping": Elf([Segment(0x100000, EXIT_0, memsz=0x3000), Segment(0x102000, b"x" * 64)]).to_bytes(),
    "twice-the-same": Elf([Segment(0x100000, EXIT_0), Segment(0x100000, EXIT_0)]).to_bytes(),
    "below-1M": Elf([Segment(0xFF000, EXIT_0, memsz=0x2000)], entry=0xFF000).to_bytes(),
    "at-zero": Elf([Segment(0, EXIT_0)], entry=0).to_bytes(),
    "behind-ram": Elf([Segment(0x100000, EXIT_0), Segment(64 << 20, b"x")]).to_bytes(),
    "across-ram-end": Elf([Segment(0x100000, EXIT_0), Segment((64 << 20) - 8, b"x" * 16)]).to_bytes(),
    "entry-outside": Elf(entry=0x200000).to_bytes(),
    "entry-zero": Elf(entry=0).to_bytes(),
    "filesz-over-memsz": Elf([Segment(0x100000, EXIT_0 + bytes(100), memsz=10)]).to_bytes(),
    "huge-memsz": Elf([Segment(0x100000, EXIT_0, memsz=TOP)]).to_bytes(),
    "huge-filesz": Elf([Segment(0x100000, EXIT_0, filesz=TOP, memsz=TOP)]).to_bytes(),
    "far-offset": Elf([Segment(0x100000, EXIT_0, offset=TOP - 4)]).to_bytes(),
    "paddr-wraps": Elf([Segment(0x100000, EXIT_0), Segment(TOP - 0xFFF, b"x" * 64, memsz=0x2000)]).to_bytes(),
}

# Odd, and yet good.
ACCEPTED = {
    "minimal": Elf().to_bytes(),
    "zero-length-segment": Elf([Segment(0x100000, EXIT_0), Segment(0, b"")]).to_bytes(),
    "unaligned": Elf([Segment(0x100123, EXIT_0), Segment(0x300001, b"x" * 4099)], entry=0x100123).to_bytes(),
    "same-page": Elf([Segment(0x100000, EXIT_0), Segment(0x100100, b"x")]).to_bytes(),
    "descending": Elf([Segment(0x200000, b"x"), Segment(0x100000, EXIT_0)]).to_bytes(),
    "last-byte": Elf([Segment(0x100000, EXIT_0), Segment((64 << 20) - 16, b"x" * 16)]).to_bytes(),
    "lazy-bss": Elf([Segment(0x100000, EXIT_0, memsz=62 << 20)]).to_bytes(),
}
