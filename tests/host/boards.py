#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What is to be read in boards' device trees, as text: a second reader, which shares nothing with the first one but the specifications.

    tests/host/boards.py DIRECTORY...

For each *.dtb below the directories: a line "tree" with the file, and lines with a word and what belongs to it. Sources: Devicetree
Specification 0.4; the bindings in Linux' Documentation/devicetree/bindings for serial ports, simple-framebuffer, arm/cpus, arm/psci,
interrupt-controller/arm,gic, arm,gic-v3, brcm,bcm2836-l1-intc, timer/arm,arch_timer, riscv/cpus; IEEE 1275, PCI Bus Binding, 2.2.1.1.
"""

import struct
import sys
from pathlib import Path

NONE = "none"

# Per family: names, and for those with registers any distance apart that distance (a power of two) and the width of an access.
SERIAL = [
    ("16550", {
        "brcm,bcm2835-aux-uart": (2, 4), "brcm,bcm7271-uart": (2, 4), "nvidia,tegra20-uart": (2, 4),
        "mediatek,mt6577-uart": (2, 4), "ti,am654-uart": (2, 1), "snps,dw-apb-uart": (0, 1), "ns16550a": (0, 1), "ns16550": (0, 1)}),
    ("pl011", ["arm,pl011", "arm,sbsa-uart"]),
    ("armada", ["marvell,armada-3700-uart"]),
    ("cadence", ["cdns,uart-r1p12", "xlnx,xuartps"]),
    ("geni", ["qcom,geni-debug-uart", "qcom,geni-uart"]),
    ("imx", ["fsl,imx6q-uart"]),
    ("lpuart", ["fsl,imx7ulp-lpuart", "fsl,imx8qxp-lpuart", "fsl,imx8ulp-lpuart", "fsl,ls1028a-lpuart", "fsl,ls1021a-lpuart"]),
    ("meson", ["amlogic,meson-ao-uart", "amlogic,meson-s4-uart"]),
    ("msm", ["qcom,msm-uartdm"]),
    ("samsung", ["samsung,exynos4210-uart", "samsung,exynos5433-uart", "samsung,exynos850-uart", "google,gs101-uart", "apple,s5l-uart"]),
    ("scif", ["renesas,rcar-gen3-scif", "renesas,rcar-gen4-scif", "renesas,scif-r9a07g044"]),
    ("sifive", ["sifive,uart0"]),
    ("litex", ["litex,liteuart"]),
]
# Those that answer although nobody says that they are used.
UNNAMED = {"ns16550a", "ns16550", "snps,dw-apb-uart", "arm,pl011", "arm,sbsa-uart", "qcom,geni-debug-uart"}

GIC_V2 = {"arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a9-gic", "arm,cortex-a7-gic", "qcom,msm-qgic2"}
PAGE = 4096
PCI_SPACE = 0x03000000


class Node:
    def __init__(self, name, parent):
        self.name, self.parent, self.properties, self.children = name, parent, {}, []

    def path(self):
        return "/" if self.parent is None else self.parent.path().rstrip("/") + "/" + self.name

    def has_clear_path(self):
        """Without an address in it a name may stand for another node, too, which has one."""
        if self.parent is None:
            return True
        same = [n for n in self.parent.children if n.name.split("@")[0] == self.name]
        return same[:1] in ([], [self]) and self.parent.has_clear_path()

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    def strings(self, name):
        value = self.properties.get(name, b"")
        return value[:-1].decode("latin1").split("\0") if value.endswith(b"\0") else []

    def cells(self, name):
        value = self.properties.get(name, b"")
        return struct.unpack(f">{len(value) // 4}I", value[: len(value) // 4 * 4])

    def number(self, name, otherwise=None):
        cells = self.cells(name)
        return cells[0] if len(cells) == 1 else otherwise

    def compatible(self):
        return self.strings("compatible")

    def is_enabled(self):
        good = self.properties.get("status", b"okay\0") in (b"okay\0", b"ok\0")
        return good and (self.parent is None or self.parent.is_enabled())


class Tree:
    """Devicetree Specification 0.4, 5: "Flattened Devicetree (DTB) Format"."""

    def __init__(self, blob):
        _, _, at, strings, reserved = struct.unpack_from(">5I", blob)
        self.reserved = []
        for entry in struct.iter_unpack(">QQ", blob[reserved : reserved + (len(blob) - reserved) // 16 * 16]):
            if entry == (0, 0):
                break
            self.reserved.append(entry)
        node, names = None, {}
        word, two_words = struct.Struct(">I").unpack_from, struct.Struct(">II").unpack_from
        while True:
            token, = word(blob, at)
            at += 4
            if token == 1:
                end = blob.index(0, at)
                node = Node(blob[at:end].decode(), node)
                if node.parent:
                    node.parent.children.append(node)
                at = end + 4 & ~3
            elif token == 2:
                if node.parent is None:
                    break
                node = node.parent
            elif token == 3:
                size, name = two_words(blob, at)
                at += 8
                if name not in names:
                    names[name] = blob[strings + name : blob.index(0, strings + name)].decode()
                node.properties[names[name]] = blob[at : at + size]
                at = at + size + 3 & ~3
        self.root = node
        self.nodes = list(node.walk())
        self.by_phandle = {n.number("phandle"): n for n in self.nodes if "phandle" in n.properties}
        self.by_name = {}
        for node in self.nodes:
            for name in node.compatible():
                self.by_name.setdefault(name, []).append(node)

    def find(self, path):
        """By a path or by an alias, with more behind it."""
        node = self.root
        if not path.startswith("/"):
            alias, _, rest = path.partition("/")
            aliases = self.find("/aliases")
            named = aliases.strings(alias) if aliases and alias else []
            return self.find(f"{named[0]}/{rest}") if named else None
        for name in filter(None, path.split("/")):
            same = [n for n in node.children if n.name == name] or \
                   [n for n in node.children if "@" not in name and n.name.split("@")[0] == name]
            if not same:
                return None
            node = same[0]
        return node

    def with_name(self, *names):
        found = [n for name in names for n in self.by_name.get(name, [])]
        return sorted(set(found), key=self.nodes.index) if len(found) > 1 else found


def bus_cells(bus):
    return bus.number("#address-cells", 2), bus.number("#size-cells", 1)


def address(cells):
    """The kind of address, which only those of three cells have, and the number."""
    kind = cells[0] if len(cells) == 3 else 0
    number = 0
    for cell in cells[-2:]:
        number = number << 32 | cell
    return kind, number


def ranges_of(node):
    """The node's `reg`, as its bus has it."""
    if node.parent is None:
        return []
    of_address, of_size = bus_cells(node.parent)
    cells = node.cells("reg")
    if not 1 <= of_address <= 3 or not 0 <= of_size <= 2:
        return []
    size = of_address + of_size
    return [(*address(cells[i : i + of_address]), address(cells[i + of_address : i + size])[1] if of_size else 0)
            for i in range(0, len(cells) // size * size, size)]


def to_parent(bus, kind, number, size):
    if "ranges" not in bus.properties:
        return None
    cells = bus.cells("ranges")
    (child, of_size), (above, _) = bus_cells(bus), bus_cells(bus.parent)
    if not cells:
        return (kind, number) if (child == 3) == (above == 3) else None
    kinds = PCI_SPACE if bus.properties.get("device_type") == b"pci\0" else 0xffffffff
    entry = child + above + of_size
    for i in range(0, len(cells) // entry * entry, entry):
        from_kind, start = address(cells[i : i + child])
        to_kind, to = address(cells[i + child : i + child + above])
        length = address(cells[i + child + above : i + entry])[1]
        if (kind ^ from_kind) & kinds == 0 and start <= number and number + size <= start + length:
            return to_kind, to + number - start
    return None


def translated(node):
    """`reg` as the CPU sees it: pairs, or None for what it does not see."""
    result = []
    for kind, number, size in ranges_of(node):
        bus, at = node.parent, (kind, number)
        while at and bus.parent:
            at = to_parent(bus, *at, size)
            bus = bus.parent
        result.append((at[1], size) if at else None)
    return result


def registers(node, n=0):
    found = translated(node)
    return found[n] if n < len(found) else None


# --- Consoles ---

def serial(node):
    if not node or not node.is_enabled():
        return None
    for family, names in SERIAL:
        named = [name for name in names if name in node.compatible()]
        if not named:
            continue
        place = registers(node)
        if not place:
            return None
        base, width, shift = place[0], 0, 0
        if family == "16550":
            shift, width = names[named[0]]
            shift, width = node.number("reg-shift", shift), node.number("reg-io-width", width)
            base += node.number("reg-offset", 0)
        return f"{family} {base:#x} {shift} {width}"
    return None


def screen(tree):
    for node in tree.with_name("simple-framebuffer"):
        place = registers(node) if node.is_enabled() else None
        if place and node.strings("format")[:1] in (["a8r8g8b8"], ["x8r8g8b8"], ["a8b8g8r8"], ["x8b8g8r8"]):
            return f"screen {place[0]:#x} {node.number('width')} {node.number('height')} {node.number('stride') // 4}"
    return None


def guess(tree):
    for node in tree.nodes:
        if not node.children and any(name in UNNAMED for name in node.compatible()):
            found = serial(node)
            if found:
                return f"guess {found}"
    return None


def console(tree):
    chosen = tree.find("/chosen")
    names = [chosen.strings(name)[0].split(":")[0] for name in ("stdout-path", "linux,stdout-path")
             if chosen and chosen.strings(name)]
    for name in names + ["serial0"]:
        found = serial(tree.find(name))
        if found:
            return found
    return screen(tree) or guess(tree) or NONE


# --- AArch64 ---

def takes_smc(tree):
    nodes = tree.with_name("arm,psci-1.0") or tree.with_name("arm,psci-0.2")
    return bool(nodes) and nodes[0].properties.get("method") == b"smc\0"


def cpus(tree):
    parent, found = tree.find("/cpus"), {}
    for node in parent.children if parent else []:
        reg = ranges_of(node)
        if node.properties.get("device_type") != b"cpu\0" or not node.is_enabled() or not reg:
            continue
        method, release = node.properties.get("enable-method"), node.properties.get("cpu-release-addr", b"")
        how = "0"
        if method == b"psci\0" and takes_smc(tree):
            how = "psci"
        elif method == b"spin-table\0" and len(release) == 8 and release[7] % 8 == 0:
            how = f"{int.from_bytes(release, 'big'):#x}"
        found.setdefault(reg[0][1] & 0xff00ffffff, how)
    return " ".join(f"{affinity:x}:{how}" for affinity, how in found.items()) or NONE


def interrupts(tree, node):
    """Pairs of type and number, at a GIC."""
    found = []
    if "interrupts-extended" in node.properties:
        cells, at = node.cells("interrupts-extended"), 0
        while at < len(cells):
            count = tree.by_phandle[cells[at]].number("#interrupt-cells")
            found.append(cells[at + 1 : at + 3])
            at += 1 + count
        return found
    parent = node
    while parent and "interrupt-parent" not in parent.properties:
        parent = parent.parent
    controller = tree.by_phandle.get(parent.number("interrupt-parent")) if parent else None
    count = controller.number("#interrupt-cells", 3) if controller else 3
    cells = node.cells("interrupts")
    return [cells[i : i + 2] for i in range(0, len(cells) // count * count, count)]


def ppi(pairs, n, otherwise):
    return 16 + pairs[n][1] if n < len(pairs) and pairs[n][0] == 1 and pairs[n][1] < 16 else otherwise


def separate_interfaces(places):
    """Of a GICv2's four ranges: has the third and fourth one whole pages for itself, and so much that it can be GICH and GICV?"""
    if len(places) < 4 or places[2][1] < 0x200 or places[3][1] < PAGE or any(start % PAGE or not start for start, _ in places):
        return False
    pages = [set(range(start, start + size, PAGE)) for start, size in places]
    return all(i == j or not pages[i] & pages[j] for i in range(4) for j in (2, 3))


def controller(tree):
    def enabled(*names):
        nodes = [n for n in tree.with_name(*names) if n.is_enabled()]
        return nodes[0] if nodes else None

    maintenance = 25
    if (node := enabled("arm,gic-v3")) is not None:
        kind, places = "GICv3", translated(node)[: 1 + node.number("#redistributor-regions", 1)]
        maintenance = ppi(interrupts(tree, node), 0, maintenance)
    elif (node := enabled(*GIC_V2)) is not None:
        kind, places = "GICv2", translated(node)[:4]
        if not separate_interfaces(places):
            places = places[:2]
        maintenance = ppi(interrupts(tree, node), 0, maintenance)
    elif (node := enabled("brcm,bcm2836-l1-intc")) is not None:
        kind, places = "bcm2836", translated(node)[:1]
        behind = enabled("brcm,bcm2836-armctrl-ic")
        places += [(registers(behind)[0] // PAGE * PAGE, PAGE)] if behind else []
    else:
        return NONE
    timer = enabled("arm,armv8-timer")
    pairs = interrupts(tree, timer) if timer else []
    if len(pairs) < 4:
        pairs = []
    numbers = f"{ppi(pairs, 3, 26)} {ppi(pairs, 2, 27)} {ppi(pairs, 1, 30)} {maintenance}"
    return f"{kind} {numbers} " + " ".join(f"{start:x}+{(size + PAGE - 1) // PAGE * PAGE:x}" for start, size in places)


# --- RISC-V ---

def extensions(node):
    """Of "riscv,isa": letters, then names. No tree here has versions in it."""
    if "riscv,isa-extensions" in node.properties:
        return set(node.strings("riscv,isa-extensions"))
    isa = (node.strings("riscv,isa") or ["rv64"])[0].lower().split("_")
    letters = isa[0][4:].replace("g", "imafd")
    return set(letters) | set(isa[1:]) | ({"zicsr", "zifencei"} if "g" in isa[0] else set())


def harts(tree):
    parent = tree.find("/cpus")
    nodes = [n for n in parent.children if n.properties.get("device_type") == b"cpu\0" and "reg" in n.properties and n.is_enabled()]
    if not nodes:
        return NONE
    boot = nodes[0]
    alike = [n for n in nodes if extensions(n) >= extensions(boot) and n.properties.get("mmu-type") == boot.properties.get("mmu-type")]
    hz = parent.number("timebase-frequency") or boot.number("timebase-frequency") or 0
    return f"{','.join(str(n.cells('reg')[-1]) for n in alike)} {hz} {'h' if 'h' in extensions(boot) else '-'}"


# --- Memory ---

def reserved(tree):
    found, parent = list(tree.reserved), tree.find("/reserved-memory")
    for node in parent.children if parent else []:
        if node.is_enabled():
            found += [place or (number, size) for place, (_, number, size) in zip(translated(node), ranges_of(node))]
    return " ".join(f"{start:x}+{size:x}" for start, size in found) or NONE


def memory(tree):
    found = [place for n in tree.nodes if n.properties.get("device_type") == b"memory\0" for place in translated(n) if place]
    return " ".join(f"{start:x}+{size:x}" for start, size in found) or NONE


SAMPLES = 24


def samples(tree):
    """Some nodes' first range and whether they may be used: all take too long, since libfdt looks for each from the tree's beginning."""
    nodes = [n for n in tree.nodes if "reg" in n.properties]
    for node in filter(Node.has_clear_path, nodes[:: len(nodes) // SAMPLES + 1]):
        place = registers(node)
        where = f"{place[0]:x}+{place[1]:x}" if place else NONE
        yield f"reg {node.path()} {'yes' if node.is_enabled() else 'no'} {where}"


def expected(tree):
    yield f"console {console(tree)}"
    yield f"reserved {reserved(tree)}"
    yield f"memory {memory(tree)}"
    if any("riscv" in name for n in tree.find("/cpus").children for name in n.compatible()):
        yield f"harts {harts(tree)}"
    else:
        yield f"psci {'smc' if takes_smc(tree) else NONE}"
        yield f"cpus {cpus(tree)}"
        yield f"controller {controller(tree)}"
    yield from samples(tree)


def main():
    for directory in sys.argv[1:]:
        for file in sorted(Path(directory).rglob("*.dtb")):
            print(f"tree {file}")
            for line in expected(Tree(file.read_bytes())):
                print(line)


if __name__ == "__main__":
    main()
