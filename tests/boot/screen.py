# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests that look at the screen: the picture of guest memory against the report and the map, text read glyph by glyph."""

import os
import pty
import re
import select
import subprocess
import time
import zlib
from pathlib import Path

from backends import BACKENDS, ROOT
from harness import EXITED, PAGE, Case, G, M, Result, case

# --- The picture, as vmm/picture.c lays it out -------------------------------------------------------------------------

LOOKS = ("nothing", "discarded", "zero page", "shared", "2 MiB leaf", "4 KiB pages")
SHADES = [(0x20 + 6 * i, 0x70 + 15 * i, 0x38 + 6 * i) for i in range(10)]
MARKS = {"nothing": ".", "discarded": "-", "zero page": "0", "shared": "s", "2 MiB leaf": "@"}
ADVANCE, GLYPH, LINE, COLUMN_CHARS, ADDRESS_CHARS = 6, 8, 10, 24, 14


class Png:
    """A picture of 8 bits each for red, green and blue. Source: Portable Network Graphics (PNG) Specification, third edition."""

    def __init__(self, path: Path):
        data = path.read_bytes()
        if data[:8] != b"\x89PNG\r\n\x1a\n":
            raise ValueError(f"{path.name} is no PNG")
        at, packed = 8, b""
        while at < len(data):
            size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
            body = data[at + 8:at + 8 + size]
            if kind == b"IHDR":
                self.width, self.height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
                if body[8:13] != bytes((8, 2, 0, 0, 0)):
                    raise ValueError(f"{path.name} is not of a kind that is read here")
            elif kind == b"IDAT":
                packed += body
            at += size + 12
        self.rows = self.unfilter(zlib.decompress(packed))

    def unfilter(self, data: bytes) -> list[bytes]:
        size, rows, above = 3 * self.width, [], bytes(3 * self.width)
        for y in range(self.height):
            kind, row = data[y * (size + 1)], bytearray(data[y * (size + 1) + 1:(y + 1) * (size + 1)])
            if kind == 2 or kind == 1 and not any(row):
                row = bytearray((a + b) & 255 for a, b in zip(row, above)) if kind == 2 else row
            elif kind:
                for i in range(size):
                    left, up = row[i - 3] if i >= 3 else 0, above[i]
                    corner = above[i - 3] if i >= 3 else 0
                    guess = left + up - corner
                    paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
                    row[i] = row[i] + (0, left, up, (left + up) // 2, paeth)[kind] & 255
            above = bytes(row)
            rows.append(above)
        return rows

    def at(self, x: int, y: int) -> tuple[int, int, int]:
        return tuple(self.rows[y][3 * x:3 * x + 3])


def glyphs() -> dict[tuple[int, ...], str]:
    """The font, from its source."""
    found = re.findall(r"GLYPH\('\\?(.)'\)\] = \{ ([^}]*) \}", (ROOT / "drivers/font.c").read_text())
    font = {tuple(int(column, 16) for column in columns.split(",")): char for char, columns in found}
    assert len(font) == 95, "the font could not be read, or two glyphs are alike"
    return font


class Screen:
    def __init__(self, path: Path, text: bool = False):
        self.png = Png(path)
        self.font = glyphs()
        width = self.png.width
        self.scale = 1 if width < 1024 else width // 512
        self.canvas = self.png.height // 2 if text else self.png.height
        self.margin = GLYPH * self.scale
        self.column = width - COLUMN_CHARS * ADVANCE * self.scale - self.margin

    def text(self, x: int, y: int, chars: int) -> str:
        out = ""
        for i in range(chars):
            left = x + i * ADVANCE * self.scale
            columns = tuple(sum(1 << row for row in range(GLYPH) if any(self.png.at(left + column * self.scale,
                                                                                  y + row * self.scale)))
                            for column in range(5))
            out += self.font.get(columns, "\0")
        return out.rstrip()

    def console(self) -> list[str]:
        lines = range(self.canvas, self.png.height - LINE * self.scale + 1, LINE * self.scale)
        return [self.text(0, y, self.png.width // (ADVANCE * self.scale)) for y in lines]

    def counters(self) -> list[str]:
        top = 3 * self.margin + (len(LOOKS) + 1) * LINE * self.scale
        return [self.text(self.column, top + i * LINE * self.scale, COLUMN_CHARS) for i in range(8)]

    def legend(self) -> dict[tuple[int, int, int], str]:
        """The colours, by the names that stand beside them."""
        found = {}
        for i in range(len(LOOKS)):
            y = 3 * self.margin + i * LINE * self.scale
            name = self.text(self.column + 2 * GLYPH * self.scale, y, 20)
            found[self.png.at(self.column, y + self.scale)] = name
        return found

    def grid(self, count: int) -> tuple[int, int, int]:
        """Where it begins, pixels from one cell to the next, and cells in a row."""
        left = self.margin + ADDRESS_CHARS * ADVANCE * self.scale
        width = self.column - self.margin - left
        height = self.canvas - 4 * self.margin
        pitch, columns = max((min(width // columns, height // -(-count // columns)), -columns)
                             for columns in range(8, 257, 8))
        return left, pitch, -columns  # of those that make cells as large as can be, the fewest

    def addresses(self, count: int) -> dict[int, str]:
        """What stands before rows, by the number of their first cell."""
        _, pitch, columns = self.grid(count)
        every = -(-LINE * self.scale // pitch)
        return {row * columns: self.text(self.margin, 3 * self.margin + row * pitch, ADDRESS_CHARS)
                for row in range(0, -(-count // columns), every)}

    def cells(self, count: int) -> list[str]:
        """What each is: a name of the legend, or for pages '1' to '9' and '#'."""
        left, pitch, columns = self.grid(count)
        gap = self.scale if pitch >= 4 else 0
        colours = {colour: name for colour, name in self.legend().items() if name != "4 KiB pages"}
        colours |= dict(zip(SHADES, "123456789#"))
        out = []
        for i in range(count):
            x, y = left + i % columns * pitch, 3 * self.margin + i // columns * pitch
            corners = {self.png.at(x, y), self.png.at(x + pitch - gap - 1, y + pitch - gap - 1)}
            out.append(colours.get(corners.pop(), "?") if len(corners) == 1 else "?")
        return out


# --- What must be on it ------------------------------------------------------------------------------------------------


def size_text(size: int) -> str:
    unit = 0
    while size >> 10 * unit >= 1024 and unit < 4:
        unit += 1
    whole, rest = divmod(size, 1 << 10 * unit)
    return f"{whole}{f'.{rest * 10 >> 10 * unit}' if rest else ''} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[unit]}"


def counters(screen: Screen, report: dict, vm: str) -> list[str]:
    want = [vm, f"promised    {size_text(report['guest_ram'])}", f"resident    {size_text(report['resident'])}",
            f"at its peak {size_text(report['resident_peak'])}", f"shared      {size_text(report['shared'])}",
            f"tables      {size_text(report['table_bytes'])}", f"exits       {report['exits']['total'] - report['interrupts']}",
            f"faults      {report['exits']['fault']}"]
    found = screen.counters()
    return [] if found == want else [f"beside the cells stands {found}, not {want}"]


def of_one(screen: Screen, reports: dict[str, dict]) -> list[str]:
    vm = screen.counters()[0]
    return counters(screen, reports[vm], vm) if vm in reports else [f"the picture is of {vm}, not of one of {list(reports)}"]


def last_two(result: Result) -> dict[str, dict]:
    """The reports of the VM that its forks come from, and of that fork which ended last, by what the picture calls them."""
    ended = int(re.findall(r"^nestling: fork guest\.(\d+) exited", result.console, re.M)[-1])
    fork = next(report for report in result.forks if report["vm"] == ended)
    return {"VM 0, ended": result.report, f"VM {ended}, a fork, ended": fork}


def compare(picture: Path, result: Result, ram: int, start: int) -> tuple[list[str], list[str]]:
    """The cells, and how they differ from the map that the console has of the last VM: of RAM that is one range of 512 blocks."""
    screen, block = Screen(picture), ram // 512
    errors = [] if list(screen.legend().values()) == list(LOOKS) else [f"the legend is {screen.legend()}"]
    cells = screen.cells(512)
    last = result.console[result.console.rindex(" a character: ") - 100:]
    rows = {int(at, 16): row for at, row in re.findall(r"^map: (0x[0-9a-f]+) \|(.*)\|$", last, re.M)}
    shown = "".join(rows.get(start + i * block, "." * 64) for i in range(0, 512, 64))
    drawn = "".join(MARKS.get(cell, cell) for cell in cells)
    if shown != drawn:
        errors.append(f"the cells are {drawn}, the map is {shown}")
    addresses = screen.addresses(512)
    if addresses != {cell: f"0x{start + cell * block:011x}" for cell in addresses}:
        errors.append(f"rows begin at {addresses}")
    return cells, errors


def pages_of(cells: list[str], block: int) -> int:
    """The pages in cells that are so small that each number of them has a shade of its own."""
    pages = block // PAGE
    shades = {"#": pages} | {str(1 + n * 9 // pages): n for n in range(1, pages)}
    return sum(shades.get(cell, 0) for cell in cells)


def of_pages(ram: int, start: int):
    def check(directory: Path, result: Result) -> list[str]:
        cells, errors = compare(directory / "screen.png", result, ram, start)
        report = result.report
        if pages_of(cells, ram // 512) * PAGE != report["resident"]:
            errors.append(f"{pages_of(cells, ram // 512)} pages are drawn, {report['resident']} bytes are resident")
        if cells.count("2 MiB leaf"):
            errors.append("there are cells of large leaves")
        return errors + counters(Screen(directory / "screen.png"), report, "VM 0, ended")

    return check


def of_blocks(start: int, **want):
    """1 GiB of RAM: a cell is a block of 2 MiB. `want` has the number of cells by their look, from the report."""
    def check(directory: Path, result: Result) -> list[str]:
        cells, errors = compare(directory / "screen.png", result, G, start)
        for name, number in want.items():
            look = {"large": "2 MiB leaf", "zeros": "zero page"}.get(name, name)
            if cells.count(look) != number(result.report):
                errors.append(f"{cells.count(look)} cells are of {look}, not {number(result.report)}")
        return errors

    return check


def sparse(directory: Path, result: Result) -> list[str]:
    """64 GiB: as many cells as there may be, each with some pages or none."""
    cells = set(Screen(directory / "screen.png").cells(4096))
    return [] if cells == {"nothing", "1"} else [f"there are cells of {cells}"]


def text_only(directory: Path, result: Result) -> list[str]:
    """No serial port: what the console would have had is on the lower half, its end last."""
    screen = Screen(directory / "screen.png", text=True)
    lines = screen.console()
    text = "".join(lines)
    errors = [f"the screen lacks {want}" for want in ("nestling: guest exited, status 0", "promised ", "exits ", "tables ") if want not in text]
    if errors:
        errors += lines
    if "report: {" in text:
        errors.append("the line for programs is on the screen")
    used = [line for line in lines if line]
    if not used or used[-1] != "nestling: that is all; switch the machine off when you have read it":
        errors.append(f"the screen's last line is {used[-1:]}")
    if screen.cells(512).count(".") or "?" in screen.cells(512):
        errors.append("the upper half has no picture")
    return errors


# --- Cases -------------------------------------------------------------------------------------------------------------

SHOT = ("--screenshot", "{dir}/screen.png")
START = {"svm": 0, "el2": 0x40000000, "pi3": 0x40000000}
NO_SCREEN = r"^run-qemu: there is no screen to see on this machine: "


def silent_image(name: str):
    def make(directory: Path) -> None:
        isa = BACKENDS[name].isa
        (directory / "nestling.cfg").write_text("demo = hello\nserial = none\n")
        subprocess.run([str(ROOT / "tools/mkimage"), "-o", str(directory / "disk.img"), "--isa",
                        f"{isa}={BACKENDS[name].build}/nestling.efi", "--cfg", str(directory / "nestling.cfg")], check=True)

    return make


def no_desktop() -> list[str]:
    """There is said to be a desktop, and none answers: a QEMU that has windows says so; one that has none does not mind."""
    done = subprocess.run([ROOT / "run-qemu.sh", "--display", "--demo", "hello", "--timeout", "45"], stdin=subprocess.DEVNULL,
                          env=os.environ | {"DISPLAY": ":4711", "WAYLAND_DISPLAY": ""}, capture_output=True, text=True, timeout=200)
    told = re.findall(r"^run-qemu: (no window can be opened on ':4711'|there is no window to be had here)", done.stderr, re.M)
    want = {3: ["no window can be opened on ':4711'"], 0: ["there is no window to be had here"]}
    return [] if told == want.get(done.returncode) else [f"status {done.returncode}: {done.stderr}"]


def pictures() -> list[Case]:
    out = []
    for name in ("svm", "el2"):
        small, start = (2 * M if name == "svm" else 4 * M), START[name]
        out += [
            # Cells so small that the picture tells each page.
            case(f"{name}/screen/pages", *SHOT, "--ram", str(small), report=EXITED | {"leaves.2m": 0},
                 after=of_pages(small, start)),
            # A cell a leaf.
            case(f"{name}/screen/large-leaves", *SHOT, "--policy", "2m", report=EXITED,
                 after=of_blocks(start, large=lambda r: r["resident"] // (2 * M), zeros=lambda r: r["zero_page_leaves"])),
            case(f"{name}/screen/zeros", *SHOT, "--demo", "zeros", "--policy", "2m", report=EXITED, slow=name == "el2",
                 after=of_blocks(start, large=lambda r: r["resident"] // (2 * M),
                                 zeros=lambda r: r["leaves"]["2m"] - r["resident"] // (2 * M))),
            case(f"{name}/screen/discarded", *SHOT, "--demo", "density", report=EXITED, slow=name == "el2",
                 after=of_blocks(start, discarded=lambda r: 16)),
            # The last VM is what stays: the one that waits for its forks, or the last of them, of which it is told before that is done.
            case(f"{name}/screen/fork", *SHOT, "--demo", "fork", report=EXITED, forks=8, slow=name == "el2",
                 after=lambda directory, result, start=start: of_blocks(start, shared=lambda r: 32 + 2 * (start > 0))(
                     directory, result) + of_one(Screen(directory / "screen.png"), last_two(result))),
            case(f"{name}/screen/64G", *SHOT, "--ram", "64G", report=EXITED, slow=name == "el2",
                 after=sparse),
            # The port is there, and not wanted: the screen is all there is, and stays when the run is over.
            case(f"{name}/screen/text", *SHOT, "--image", "{dir}/disk.img", files=silent_image(name), status=4, report=None,
                 seconds=30 if name == "svm" else 40, after=text_only, slow=name == "el2", waits=True,
                 text=(r"^boot: no serial port is wanted: the console goes on on the screen$",)),
            # The screen lies beyond 4 GiB where the firmware puts it at the end of memory.
            case(f"{name}/screen/host-6G", *SHOT, "--host-ram", "6G", "--demo", "hello", report=EXITED, slow=True,
                 after=of_blocks(start, large=lambda r: 0)),
            # It outlives a run that fails, and the status is that run's.
            case(f"{name}/screen/wild", *SHOT, "--guest", BACKENDS[name].guest("wild_write"), status=3, slow=name == "el2",
                 report={"outcome": "unmapped"}, after=of_blocks(start, large=lambda r: 0)),
        ]
    out += [
        Case("svm/screen/no-desktop", [], function=no_desktop, waits=True),
        case("svm/screen/status", *SHOT, "--guest", BACKENDS["svm"].guest("exit_status"), status=42,
             report={"guest_status": 42}, after=of_blocks(0, large=lambda r: 0)),
        # Given up: the screen is saved as it is then.
        case("svm/screen/given-up", *SHOT, "--guest", BACKENDS["svm"].guest("spin"), status=4, report=None, seconds=30, waits=True,
             text=(r"^spin: round and round$",),
             after=lambda directory, result: [] if Screen(directory / "screen.png").counters()[0] == "VM 0"
             else ["the picture is not that of a running VM"]),
        # A screen without memory to draw in is left alone, and told of.
        case("el2/screen/no-pixels", "--demo", "hello", report=EXITED,
             env={"NESTLING_QEMU_ARGS": "-device virtio-gpu-pci"}, one_line=r"^warning: boot: the firmware's screen is left alone: "),
        case("pi3/screen/pages", *SHOT, "--demo", "hello", report=EXITED, slow=True,
             after=lambda directory, result: counters(Screen(directory / "screen.png"), result.report, "VM 0, ended")),
        case("svm/screen/display", "--display", *SHOT, "--demo", "hello", report=EXITED, seconds=30, waits=True,
             after=of_blocks(0, large=lambda r: 0), env={"DISPLAY": "", "WAYLAND_DISPLAY": ""},
             text=(r"^run-qemu: .*VNC viewer.* 127\.0\.0\.1:59\d\d", r"^run-qemu: the guest is done; its picture stays until")),
    ]
    for name in ("h", "svm-uboot", "el2-uboot", "vmx"):
        for option in (("--display",), SHOT):
            out.append(case(f"{name}/screen/none{option[0]}", *option, status=2, report=None, one_line=NO_SCREEN))
    for path, why in (("{dir}/screen.jpg", r"does not end in \.png"), ("{dir}/no/screen.png", "cannot be written")):
        out.append(case(f"svm/screen/refused-{why[-4:]}", "--screenshot", path, status=2, report=None,
                        one_line=f"^run-qemu: --screenshot .*{why}"))
    return out


# --- A terminal --------------------------------------------------------------------------------------------------------


def on_terminal(env: dict[str, str], *args: str) -> tuple[int, str]:
    """The exit status of run-qemu.sh and all that it wrote to a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(ROOT / "run-qemu.sh", ["run-qemu.sh", *args], os.environ | {"TERM": "xterm"} | env)
    out, deadline = b"", time.monotonic() + 200
    while time.monotonic() < deadline and select.select([fd], [], [], 200)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:  # the other end is closed
            break
        out += piece
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode(errors="replace")


def terminal(env: dict[str, str], coloured: bool) -> list[str]:
    status, text = on_terminal({"NO_COLOR": ""} | env, "--demo", "density", "--timeout", "120")
    maps = [line for line in text.splitlines() if "map: " in line]
    rules = {
        "status is 0": status == 0,
        "progress is told": len(re.findall(r"progress: [\d.]+ \w+ of 1 GiB resident, [\d.]+ \w+ of tables, \d+ exits\r", text)) >= 4,
        "in place": not re.search(r"progress: [^\r\n]*\r?\n", text),
        "there is a map": len(maps) == 3,
        "colours only where they are wanted": bool(re.search(r"\x1b\[[0-9]+m", text)) == coloured,
        "each look in its colour": not coloured or "\x1b[35m" + "-" * 16 + "\x1b[0m|" in text and "\x1b[33ms shared\x1b[0m" in text,
    }
    return [f"does not hold: {rule}" for rule, holds in rules.items() if not holds]


def terminals() -> list[Case]:
    return [
        Case("svm/terminal/colour", [], function=lambda: terminal({}, True)),
        Case("svm/terminal/no-colour", [], function=lambda: terminal({"NO_COLOR": "1"}, False)),
        # RAM in two ranges: no row goes from one into the other.
        case("svm/map/two-ranges", "--ram", "4900M", report=EXITED,
             text=(r"^map: 10 MiB a character", r"^map: 0x000a0000000 \|[.1]{52}\|$", r"^map: 0x00100000000 \|[.1]{64}\|$")),
        # Piped: plain lines, and none of progress.
        case("svm/terminal/piped", "--demo", "density", report=EXITED, forbid=(r"\x1b", r"progress: "),
             text=(r"^map: 2 MiB a character: \. nothing,.* 1-9# 4 KiB pages$", r"^map: 0x00000000000 \|[1-9]\.{63}\|$")),
    ]


def screen() -> list[Case]:
    return pictures() + terminals()
