# SPDX-License-Identifier: BSD-2-Clause
"""What a built image says of itself: its start, its bytes, and which source an instruction comes from."""

import re
import subprocess
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Parts of an exit's way through the hypervisor, by the source that an instruction comes from; the first that fits.
PARTS = (
    ("entry and exit", r"vmm/.*/entry\.S|boot/aarch64/trap_entry\.S"),
    ("zeroing", r"\bmemset\b|arch_zero_pages|zero_page_now"),
    ("cache maintenance", r"sync_to_memory|zero_to_memory|clean_to_unification"),
    ("copying", r"\bmemcpy\b|arch_copy_page"),
    ("decoding", r"vmm/\w+/"),
    ("run loop, calls", r"vmm/\w+\.[ch]"),
    ("area look-up", r"mm/area\."),
    ("frames", r"mm/(frame|table_frames|reservation|run)"),
    ("address space", r"mm/"),
    ("walk and map", r"npt/"),
)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Image:
    def __init__(self, isa: str, elf: Path):
        self.isa, self.elf = isa, elf
        self.frames: dict[int, list[tuple[str, str]]] = {}

    def tool(self, name: str, *args: str) -> str:
        return run(f"{self.isa}-linux-gnu-{name}", *args, str(self.elf))

    @cached_property
    def functions(self) -> list[tuple[int, int, str]]:
        """Start, end and name of each, ascending."""
        rows = re.findall(r":\s+([0-9a-f]+)\s+(\d+|0x[0-9a-f]+) FUNC\s.*\s(\S+)$", self.tool("readelf", "-sW"), re.M)
        return sorted((int(start, 16), int(start, 16) + int(size, 0), name) for start, size, name in rows)

    @cached_property
    def size(self) -> int:
        return int(re.search(r"([0-9a-f]+) \w (__image_end|rt_image_end)$", self.tool("nm"), re.M)[1], 16)

    @cached_property
    def text(self) -> tuple[int, bytes]:
        """Where the code begins, and its bytes."""
        row = re.search(r"\.text\s+PROGBITS\s+([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)", self.tool("readelf", "-SW"))
        start, offset, size = (int(number, 16) for number in row.groups())
        return start, self.elf.read_bytes()[offset:offset + size]

    @cached_property
    def entry(self) -> int:
        """The first instruction that is executed: _start, and where the ELF header names the PE header, its target."""
        named = re.search(r"^([0-9a-f]+) \w _start$", self.tool("nm"), re.M)
        return int(named[1], 16) if named else int(re.search(r"Entry point address:\s+(\S+)",
                                                             self.tool("readelf", "-h"))[1], 16)

    def bytes_at(self, address: int, size: int) -> bytes:
        start, text = self.text
        return text[address - start:address - start + size]

    def resolve(self, addresses: list[int]) -> None:
        """Have (function, file) known for each, innermost first: inlined functions, then who they are inlined in."""
        missing = [address for address in addresses if address not in self.frames]
        if not missing:
            return
        lines = subprocess.run([f"{self.isa}-linux-gnu-addr2line", "-afi", "-e", str(self.elf)], check=True, text=True,
                               input="".join(f"{address:#x}\n" for address in missing), capture_output=True).stdout
        frames: list[tuple[str, str]] = []
        rows = iter(lines.splitlines())
        for row in rows:
            if row.startswith("0x"):
                frames = self.frames.setdefault(int(row, 16), [])
            else:
                path = next(rows).rsplit(":", 1)[0]
                path = path.removeprefix("./").removeprefix(f"{ROOT}/")
                frames.append((row, re.sub(r"^.*?((vmm|mm|npt|boot|drivers|include)/)", r"\1", path)))
        for address in missing:
            if self.frames[address][0][1].startswith("??"):
                self.frames[address] = [(self.function_at(address), "library")]

    def function_at(self, address: int) -> str:
        """The one that covers the address, or else the one before: assembly may come without a size."""
        before = [name for start, end, name in self.functions if start <= address]
        return before[-1] if before else "?"

    def function(self, address: int) -> str:
        return self.frames[address][-1][0]

    def part(self, address: int) -> str:
        """Of the whole way in, the deepest source that is not a header for everyone."""
        own = [frame for frame in self.frames[address] if not frame[1].startswith("include/")] or self.frames[address]
        for function, path in own:
            for name, pattern in PARTS:
                if re.search(pattern, f"{path} {function}"):
                    return name
        return "other"
