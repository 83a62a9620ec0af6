# SPDX-License-Identifier: BSD-2-Clause
"""Sizes: what the images are made of, lines of code, and what memory costs in tables and records."""

import re
import subprocess
from collections import Counter
from pathlib import Path

from image import ROOT

ISAS = ("x86_64", "aarch64", "riscv64")
FOLDERS = ("boot", "mm", "npt", "vmm", "drivers", "include", "guest", "bench", "tests", "tools")
FRAME_RECORD = 8  # bytes: mm/frame.c asserts it
GIB = 1 << 30


def sections(elf: Path, isa: str) -> dict[str, int]:
    """Bytes of the image's memory by what may be done with it, and of that what is zeroes."""
    text = subprocess.run([f"{isa}-linux-gnu-nm", str(elf)], check=True, capture_output=True, text=True).stdout
    at = {name: int(address, 16) for address, name in re.findall(r"^([0-9a-f]+) \w (__\w+_(?:start|end))$", text, re.M)}
    return {name: at[f"__{name}_end"] - at[f"__{name}_start"] for name in ("text", "rodata", "relro", "data")}


# An input section in a linker map: name, address, size, file; long names have a line of their own.
INPUT = re.compile(r"^ (\.?\w[\w.$-]*|COMMON)\s+0x[0-9a-f]+\s+(0x[0-9a-f]+) (\S+)$", re.M)
KEPT = re.compile(r"\.(text|rodata|srodata|data|sdata|bss|sbss|rela|init|got|dynamic)\b|COMMON")


def owners(link_map: str, isa: str) -> Counter:
    """Bytes in the image by whose they are: ours, the embedded guests', each library's."""
    found: Counter = Counter()
    link_map = re.sub(r"^ (\S+)\n\s+0x", r" \1 0x", link_map[link_map.index("Linker script and memory map"):], flags=re.M)
    for section, size, path in INPUT.findall(link_map):
        if not KEPT.match(section):
            continue
        if path.endswith("guest/embed.o"):
            owner = "guests"
        elif f"third-party/{isa}/" in path:
            owner = "GNU-EFI" if "efi" in path.rsplit("/", 1)[1] else "newlib and libfdt"
        elif path.endswith("/unzstd.o"):
            owner = "zstd"
        elif "libgcc" in path:
            owner = "libgcc"
        else:
            owner = "ours"
        kind = "zeroes" if section.startswith((".bss", ".sbss", "COMMON")) else "bytes"
        found[f"{owner}, {kind}"] += int(size, 16)
    return found


def lines() -> dict[str, int]:
    """Lines that are neither empty nor comment, of C, assembly, Python and shell, by folder."""
    count = {}
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files"], check=True, capture_output=True, text=True).stdout
    for folder in FOLDERS:
        files = [ROOT / path for path in tracked.splitlines() if path.startswith(f"{folder}/")]
        count[folder] = sum(code_lines(path) for path in files if path.is_file())
    return count


def code_lines(path: Path) -> int:
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return 0
    if path.suffix in (".c", ".h", ".S", ".lds"):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    elif path.suffix in (".py", ".mk", ".sh", "") or text.startswith("#!"):
        text = re.sub(r"^\s*#.*", "", text, flags=re.M)
    return sum(1 for line in text.splitlines() if line.strip())


def measure() -> dict:
    images = {}
    for isa in ISAS:
        out = ROOT / f"build/{isa}"
        images[isa] = {
            "efi": (out / "nestling.efi").stat().st_size,
            "sections": sections(out / "nestling.elf", isa),
            "owners": dict(owners((out / "nestling.map").read_text(), isa).most_common()),
        }
    return {
        "images": images,
        "lines": lines(),
        "records_per_host_gib": GIB // 4096 * FRAME_RECORD,
        "tables_per_guest_gib": {"4 KiB leaves": (512 + 1) * 4096, "2 MiB leaves": 4096, "1 GiB leaves": 0},
    }
