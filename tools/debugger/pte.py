# SPDX-License-Identifier: BSD-2-Clause
"""Page-table entries of every format, decoded: written from the manuals, and not from npt/, so that it can tell them apart.

Level 0 is the 4 KiB page everywhere. Sources: Intel SDM vol. 3C "The Extended Page Table Mechanism (EPT)"; AMD APM vol. 2
"Long-Mode Page Translation"; Arm ARM (DDI 0487) chapter D8 "VMSAv8-64 descriptor formats"; RISC-V Privileged, "Sv39" and
"Guest physical address translation". The bits that are free for software are Nestling's own: npt/<format>.c.
"""

from dataclasses import dataclass

READ, WRITE, EXECUTE = 1, 2, 4
LEAF_SIZES = ("4 KiB", "2 MiB", "1 GiB")
# As npt_name() has them; "stage2-fwb" and the hypervisor's own maps have names here only.
LEVELS = {
    "ept": 4, "npt": 4, "stage2": 4, "stage2-fwb": 4, "sv39x4": 3, "sv48x4": 4, "sv57x4": 5,
    "x86_host": 4, "el2_host": 4, "el20_host": 4, "sv39": 3, "sv48": 4, "sv57": 5,
}


@dataclass(frozen=True)
class Entry:
    """What an entry says. `kind` is empty, table, leaf or malformed; the rest is a leaf's, but `address`, a table's too."""

    kind: str
    level: int
    address: int = 0
    prot: int = 0
    memtype: str = ""
    accessed: bool = False
    dirty: bool = False
    shared: bool = False
    access_tracked: bool = False
    why: str = ""  # it is malformed

    def __str__(self) -> str:
        if self.kind == "table":
            return f"table at {self.address:#x}"
        if self.kind == "malformed":
            return f"malformed: {self.why}"
        if self.kind == "empty":
            return "empty"
        words = [f"leaf of {LEAF_SIZES[self.level]}", prot_text(self.prot), f"hpa {self.address:#x}", self.memtype]
        words += [name.replace("_", "-") for name in ("accessed", "dirty", "shared", "access_tracked") if getattr(self, name)]
        return " ".join(words)


def prot_text(prot: int) -> str:
    return "".join(letter if prot & bit else "-" for letter, bit in (("r", READ), ("w", WRITE), ("x", EXECUTE)))


def bits(value: int, high: int, low: int) -> int:
    return value >> low & (1 << high - low + 1) - 1


def bit(value: int, number: int) -> bool:
    return bool(value >> number & 1)


def level_shift(level: int) -> int:
    return 12 + 9 * level


def misaligned(address: int, level: int) -> bool:
    return bool(address & (1 << level_shift(level)) - 1)


def malformed(level: int, why: str) -> Entry:
    return Entry("malformed", level, why=why)


def ept(value: int, level: int) -> Entry:
    access_tracked = bit(value, 53) and not value & 7
    prot = bits(value, 56, 54) if access_tracked else value & 7
    address = bits(value, 51, 12) << 12
    memtype = {0: "uc", 1: "wc", 4: "wt", 5: "wp", 6: "wb"}.get(bits(value, 5, 3))
    if not prot:
        return malformed(level, "access-tracked, with no access") if access_tracked else Entry("empty", level)
    if prot & (READ | WRITE) == WRITE:
        return malformed(level, "writable, but not readable")
    if level > 0 and not bit(value, 7):
        if access_tracked:
            return malformed(level, "a table that is access-tracked")
        return malformed(level, "reserved bits 6:3 of a table") if bits(value, 6, 3) else Entry("table", level, address)
    if level > 2:
        return malformed(level, "a leaf above 1 GiB")
    if memtype is None or misaligned(address, level):
        return malformed(level, "reserved memory type" if memtype is None else "reserved address bits")
    return Entry("leaf", level, address, prot, memtype, bit(value, 8), bit(value, 9), bit(value, 52), access_tracked)


def long_mode(value: int, level: int, user: bool) -> Entry:
    access_tracked = bit(value, 53) and not bit(value, 0)
    address = bits(value, 51, 12) << 12
    if not bit(value, 0) and not access_tracked:
        return Entry("empty", level)
    if level > 0 and not bit(value, 7):
        return malformed(level, "a table that is access-tracked") if access_tracked else Entry("table", level, address)
    if level > 2:
        return malformed(level, "a leaf above 1 GiB")
    if user and not bit(value, 2):
        return malformed(level, "U/S is clear, and every nested access is a user's")
    pat = bits(value, 4, 3) | bit(value, 12 if level else 7) << 2
    if level:
        address &= ~(1 << 12)
    if misaligned(address, level):
        return malformed(level, "reserved address bits")
    prot = READ | (WRITE if bit(value, 1) else 0) | (0 if bit(value, 63) else EXECUTE)
    # As the hypervisor programs its PAT: include/arch/x86_64/msr.h.
    memtype = ("wb", "wt", "uc", "uc", "wc", "wp", "uc", "uc")[pat]
    return Entry("leaf", level, address, prot, memtype, bit(value, 5), bit(value, 6), bit(value, 52), access_tracked)


def arm(value: int, level: int, leaf) -> Entry:
    access_tracked = bit(value, 57) and not bit(value, 0)
    address = bits(value, 47, 12) << 12
    if not bit(value, 0) and not access_tracked:
        return Entry("empty", level)
    if level > 0 and bit(value, 1):
        return malformed(level, "a table that is access-tracked") if access_tracked else Entry("table", level, address)
    if level == 0 and not bit(value, 1):
        return malformed(level, "a block at the last level")
    if level > 2:
        return malformed(level, "a block above 1 GiB")
    # A block's address bits below its size are not looked at by hardware.
    address &= ~((1 << level_shift(level)) - 1)
    prot, memtype, dirty = leaf(value)
    return Entry("leaf", level, address, prot, memtype, bit(value, 10), dirty, bit(value, 56), access_tracked)


def stage2_leaf(value: int, fwb: bool) -> tuple[int, str, bool]:
    prot = (READ if bit(value, 6) else 0) | (WRITE if bit(value, 7) or bit(value, 51) else 0)
    prot |= 0 if bit(value, 54) else EXECUTE
    if fwb:
        memtype = "uc" if bits(value, 4, 2) < 4 else "wc" if bits(value, 4, 2) < 6 else "wb"
    else:
        # MemAttr[3:2] 0: Device. Otherwise [1:0] is the inner cacheability: non-cacheable, write-through, write-back.
        memtype = "uc" if not bits(value, 5, 4) else ("wc", "wc", "wt", "wb")[bits(value, 3, 2)]
    return prot, memtype, bit(value, 7) or bit(value, 55)


def el2_leaf(value: int, execute_never: int) -> tuple[int, str, bool]:
    prot = READ | (0 if bit(value, 7) else WRITE) | (0 if bit(value, execute_never) else EXECUTE)
    # As the hypervisor programs MAIR_EL2: boot/aarch64/machine.c.
    return prot, ("wb", "wt", "wc", "uc", "uc", "uc", "uc", "uc")[bits(value, 4, 2)], bit(value, 55)


def riscv(value: int, level: int, user: bool) -> Entry:
    access_tracked = bit(value, 9) and not bit(value, 0)
    address = bits(value, 53, 10) << 12
    if not bit(value, 0) and not access_tracked:
        return Entry("empty", level)
    prot = bits(value, 3, 1)
    if not prot and not access_tracked:
        # "A, D, U are reserved in a pointer", as are the type and the bits above the address.
        wrong = level == 0 or bit(value, 4) or bits(value, 7, 6) or bits(value, 63, 54)
        return malformed(level, "reserved bits of a table") if wrong else Entry("table", level, address)
    if level > 2:
        return malformed(level, "a leaf above 1 GiB")
    if not prot & (READ | EXECUTE) or prot & (READ | WRITE) == WRITE:
        return malformed(level, "writable, but not readable" if prot else "access-tracked, with no access")
    if bit(value, 4) != user:
        return malformed(level, "U is clear, and every G-stage access is a user's" if user else "U is set")
    if bits(value, 60, 54) or bit(value, 63) or bits(value, 62, 61) == 3 or misaligned(address, level):
        return malformed(level, "reserved bits")
    memtype = ("wb", "wc", "uc")[bits(value, 62, 61)]
    return Entry("leaf", level, address, prot, memtype, bit(value, 6), bit(value, 7), bit(value, 8), access_tracked)


DECODERS = {
    "ept": ept,
    "npt": lambda value, level: long_mode(value, level, True),
    "x86_host": lambda value, level: long_mode(value, level, False),
    "stage2": lambda value, level: arm(value, level, lambda v: stage2_leaf(v, False)),
    "stage2-fwb": lambda value, level: arm(value, level, lambda v: stage2_leaf(v, True)),
    # XN; and of EL2&0, with HCR_EL2.E2H, PXN: UXN is for EL0.
    "el2_host": lambda value, level: arm(value, level, lambda v: el2_leaf(v, 54)),
    "el20_host": lambda value, level: arm(value, level, lambda v: el2_leaf(v, 53)),
} | {name: lambda value, level: riscv(value, level, True) for name in ("sv39x4", "sv48x4", "sv57x4")} \
  | {name: lambda value, level: riscv(value, level, False) for name in ("sv39", "sv48", "sv57")}


def decode(name: str, value: int, level: int) -> Entry:
    """Raises KeyError for a format that there is not, ValueError for a level that it has not or more than 64 bits."""
    decoder = DECODERS[name]
    if not 0 <= level < LEVELS[name] + (name in ("ept", "npt", "x86_host")):
        raise ValueError(f"{name} has no level {level}")
    if not 0 <= value < 1 << 64:
        raise ValueError("an entry has 64 bits")
    entry = decoder(value, level)
    if entry.access_tracked:
        # Where software keeps the accessed and dirty bits, what is access-tracked has not been accessed.
        entry = Entry(**(entry.__dict__ | {"accessed": False}))
    return entry
