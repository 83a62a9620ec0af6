# SPDX-License-Identifier: BSD-2-Clause
"""What there is to find out with: gdb, the last exits, traces and their pictures."""

import ctypes
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections import Counter, defaultdict
from pathlib import Path

import harness
from backends import BACKENDS, KINDS, ROOT
from harness import EXITED, PAGE, Boot, Case, case

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools/debugger"))
import pte  # noqa: E402

# --- Entries ------------------------------------------------------------------------------------------------------------

# Which of the C formats each one is.
FORMATS = {"ept": "npt_ept", "npt": "npt_amd", "stage2": "npt_stage2", "stage2-fwb": "npt_stage2_fwb",
           "sv39x4": "npt_riscv_x4", "sv48x4": "npt_riscv_x4", "sv57x4": "npt_riscv_x4", "x86_host": "npt_x86_host",
           "el2_host": "npt_el2_host", "el20_host": "npt_el20_host", "sv39": "npt_riscv_host", "sv48": "npt_riscv_host", "sv57": "npt_riscv_host"}
ENTRY_KINDS = ("empty", "table", "leaf", "malformed")
MEMTYPES = ("wb", "wt", "wp", "wc", "uc")


class Reading(ctypes.Structure):
    """struct reading of pte_reader.c."""

    _fields_ = [("address", ctypes.c_uint64)] + [
        (name, ctypes.c_uint8) for name in ("kind", "prot", "memtype", "shared", "accessed", "dirty", "access_tracked")]


def some_entries(draw: random.Random) -> list[int]:
    """Anything; and what is right more often: low bits that are in use, an aligned address, bits of software's."""
    out = [0, (1 << 64) - 1]
    for _ in range(2000):
        low = draw.choice((0, 1, 3, 7, 0xc7, 0x443, 0x7ff, 0xff, 0xdf, 0xb7, 0x81, 0x87, draw.getrandbits(12)))
        address = draw.getrandbits(40) >> draw.choice((0, 9, 18)) << draw.choice((10, 12, 21, 28, 30))
        high = sum({1 << draw.randrange(50, 64) for _ in range(draw.choice((0, 0, 1, 2)))})
        out.append((draw.getrandbits(64) if draw.random() < 0.1 else low | address | high) & (1 << 64) - 1)
    return out


def entries_are_read_alike() -> list[str]:
    """tools/debugger/pte.py was written from the manuals, npt/ too: they must agree."""
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "reader.so"
        subprocess.run(["gcc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-Iinclude", "-I.", "tests/boot/pte_reader.c",
                        *map(str, (ROOT / "npt").glob("*.c")), "-o", library], cwd=ROOT, check=True)
        reader = ctypes.CDLL(str(library))
    draw, errors, leaves = random.Random(1), [], Counter()
    for name, symbol in FORMATS.items():
        ops = ctypes.byref(ctypes.c_byte.in_dll(reader, symbol))
        for level in range(pte.LEVELS[name]):
            for value in some_entries(draw):
                theirs = Reading()
                reader.read_entry(ops, ctypes.c_uint64(value), level, ctypes.byref(theirs))
                ours = pte.decode(name, value, level)
                if not reads_as(ours, theirs):
                    errors.append(f"{name}, level {level}: {value:#x} is no '{ours}'")
                leaves[name] += ours.kind == "leaf"
    errors += [f"{name}: only {leaves[name]} leaves were tried" for name in FORMATS if leaves[name] < 50]
    return errors[:10]


def reads_as(ours: pte.Entry, theirs: Reading) -> bool:
    if ours.kind != ENTRY_KINDS[theirs.kind]:
        return False
    if ours.kind in ("empty", "malformed"):
        return True
    if ours.kind == "table":
        return ours.address == theirs.address
    return (ours.address, ours.prot, ours.memtype) == (theirs.address, theirs.prot, MEMTYPES[theirs.memtype]) and \
        (ours.shared, ours.accessed, ours.dirty, ours.access_tracked) == \
        tuple(map(bool, (theirs.shared, theirs.accessed, theirs.dirty, theirs.access_tracked)))


# What the manuals say, by hand: (format, entry, level, what it is).
KNOWN = (
    ("ept", 0x1234007, 1, "table at 0x1234000"),
    ("ept", 0x123400000 | 0x3f7, 0, "leaf of 4 KiB rwx hpa 0x123400000 wb accessed dirty"),
    ("ept", 0x40000000 | 0xb5, 2, "leaf of 1 GiB r-x hpa 0x40000000 wb"),
    ("ept", 0x1000 | 2, 0, "malformed: writable, but not readable"),
    ("npt", 0x8000000000200000 | 0xe7, 1, "leaf of 2 MiB rw- hpa 0x200000 wb accessed dirty"),
    ("npt", 0x1003, 0, "malformed: U/S is clear, and every nested access is a user's"),
    ("stage2", 0x5f651000 | 0x7ff, 0, "leaf of 4 KiB rwx hpa 0x5f651000 wb accessed dirty"),
    ("stage2", 0x40000000 | 0x441, 1, "leaf of 2 MiB r-x hpa 0x40000000 uc accessed"),
    ("sv39x4", 0x21fd4cdf, 0, "leaf of 4 KiB rwx hpa 0x87f53000 wb accessed dirty"),
    ("sv39x4", 0x21fd5401, 2, "table at 0x87f55000"),
    ("sv57x4", 0, 4, "empty"),
)


def known_entries() -> list[str]:
    found = [(name, value, level, str(pte.decode(name, value, level)), want) for name, value, level, want in KNOWN]
    return [f"{name}, level {level}: {value:#x} is '{got}', not '{want}'" for name, value, level, got, want in found
            if got != want]


# --- gdb ----------------------------------------------------------------------------------------------------------------

# Stop at the thirtieth fault; look at it, and at what became of it when the next one comes.
SESSION = (
    "break addr_space_handle_fault", "continue", "ignore 1 30", "continue", "printf \"FAULT %#lx\\n\", fault->gpa.raw",
    "set $gpa = fault->gpa.raw", "backtrace 2", "nestling walk fault->gpa", "nestling areas", "nestling exits 3", "nestling vms",
    "nestling areas guest", "nestling exits 3 0 0", "nestling state 0", "nestling areas nosuch", "nestling exits 1 0 7", "continue",
    "echo SERVED\\n", "nestling walk $gpa", "nestling pte sv39x4 0x21fd4cdf", "nestling walk -1", "nestling pte nosuch 1",
    "delete", "detach",
)


# A fault of the hypervisor's own while it serves an exit, in which the guest's TR and GS are in the CPU on SVM.
FAULT = ("break svm_exit", "continue", "ignore 1 20", "continue", "delete", "set $pc = 0x123", "detach")


def run_gdb(directory: Path, session: tuple[str, ...] = SESSION) -> None:
    """When run-qemu.sh has said how, do so."""
    deadline = time.monotonic() + 60
    console = directory / "console"
    while not (told := re.search(r"waiting for: (\S+) (\w+) (:\d+)$", console.read_text(errors="replace"), re.M)):
        if time.monotonic() > deadline:
            return  # the case fails by what it does not find
        time.sleep(0.2)
    command = [told[1], told[2], told[3], "--batch", *(word for line in session for word in ("-ex", line))]
    with open(directory / "gdb", "wb") as out:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=150,
                           check=False)
        except subprocess.TimeoutExpired:
            out.write(b"\ngdb did not end\n")


def judge_gdb(text: str) -> list[str]:
    want = [r"^nestling: image at 0x[0-9a-f]+000$", r"^#0  .*addr_space_handle_fault \(", r"^#1  0x[0-9a-f]+ in [a-z]\w+ \(",
            r"^gpa 0x[0-9a-f]+: (npt|stage2|sv39x4), root at 0x[0-9a-f]+000$",
            r"^  level \d \[ *\d+\] 0x[0-9a-f]{16} table at 0x", r"^0x[0-9a-f]+-0x[0-9a-f]+ rwx wb alloc 4k$",
            r"^ +\d+ pc 0x[0-9a-f]+ (r--|-w-|rw-|--x) fault at ", r"^leaf of 4 KiB rwx hpa 0x87f53000 wb accessed dirty$",
            r"^gpa 0xf{16}: beyond the address space", r"^wanted: nestling pte"]
    errors = [f"gdb's output lacks /{pattern}/" for pattern in want if not re.search(pattern, text, re.M)]
    before, _, after = text.partition("SERVED")
    fault = re.search(r"^FAULT (0x[0-9a-f]+)$", before, re.M)
    if not fault:
        return [*errors, "gdb did not stop at a fault"]
    if not re.search(r"^VM 0 guest: running\n  vCPU 0: running, CPU \d+, \d+ exits, \d+ times in a CPU$", before, re.M):
        errors.append("the VM and its vCPU are not listed")
    if "there is no VM nosuch now" not in before or "VM guest has 1 vCPUs, from 0 on" not in before:
        errors.append("a VM or a vCPU that is not there is not missed")
    if not re.search(r"^\{", before, re.M):
        errors.append("no state of the vCPU is shown")
    last_exit = re.findall(r"fault at (0x[0-9a-f]+)", before)
    if not last_exit or last_exit[-1] != fault[1]:
        errors.append(f"the last exit is not the fault at {fault[1]}")
    if not re.search(rf"^gpa {fault[1]}: .*\n(  level .* table .*\n)+  level 0 .* leaf of 4 KiB .*\n  hpa 0x", after, re.M):
        errors.append(f"the walk of {fault[1]} ends in no leaf when the fault has been served")
    return errors


def gdb_session(name: str) -> list[str]:
    spec = Boot(["--gdb", "--cpus", "2"], backend=name, report=EXITED, during=run_gdb, max_log=80)
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as path:
        directory = Path(path)
        result = harness.boot(spec, directory)
        text = (directory / "gdb").read_text(errors="replace") if (directory / "gdb").exists() else ""
    errors = harness.judge(spec, result) + judge_gdb(text)
    return errors + [f"| {line}" for line in text.splitlines()[-40:]] if errors else []


# --- Traces -------------------------------------------------------------------------------------------------------------

KEYS = {"seq", "exit", "clock", "stamp", "cost", "vm", "name", "vcpu", "pc", "kind", "gpa", "access", "on_walk", "area", "outcome",
        "how", "leaf", "hpa"}


def judge_trace(records: list[dict], reports: list[dict]) -> list[str]:
    """Does it say what the reports of all VMs add up to, the first one's for number 0?"""
    errors = []
    if [record["seq"] for record in records] != list(range(1, len(records) + 1)):
        errors.append("records are not numbered in order")
    for record in records:
        keys = set(record) - {"size"}
        area, gpa = record["area"], int(record["gpa"], 16)
        if keys - {"policy"} != KEYS or ("policy" in keys) != (record["kind"] == "set_policy"):
            errors.append(f"record {record['seq']} has other fields: {keys ^ KEYS}")
        elif area and not int(area["start"], 16) <= gpa < int(area["end"], 16):
            errors.append(f"record {record['seq']}: {gpa:#x} is not in {area}")
        elif record["outcome"] == "handled" and not (area and record["how"] and record["leaf"] >= 4096 and record["hpa"]):
            errors.append(f"record {record['seq']} was handled, and nothing is there")
        elif record["cost"] < 0 or record["vcpu"] >= reports[0]["vcpus"]:
            errors.append(f"record {record['seq']}: cost {record['cost']}, vcpu {record['vcpu']}")
    # Exits of different vCPUs overlap, and are written as they end.
    stamps = defaultdict(list)
    for record in records:
        stamps[record["vm"], record["vcpu"]].append((record["exit"], record["stamp"]))
    errors += [f"time goes back in vCPU {vcpu} of VM {vm}" for (vm, vcpu), found in stamps.items() if found != sorted(found)
               or [stamp for _, stamp in found] != sorted(stamp for _, stamp in found)]
    for report in reports:
        number = report["vm"]
        faults = [record for record in records if record["kind"] == "fault" and record["vm"] == number]
        outcomes = Counter(record["outcome"] for record in faults)
        # What the hypervisor faulted in itself is no exit.
        want = dict(report["faults"], handled=report["faults"]["handled"] - report["host_faults"])
        errors += [f"VM {number}: {outcomes[name]} faults are {name}, and by the report {count}"
                   for name, count in want.items() if outcomes[name] != count]
        if len(faults) != report["exits"]["fault"]:
            errors.append(f"VM {number}: {len(faults)} faults, and by the report {report['exits']['fault']}")
    return errors


def picture_errors(trace: Path, directory: Path) -> list[str]:
    """An SVG that is well-formed, a PNG that begins like one."""
    errors = []
    for name in ("out.svg", "out.png"):
        done = subprocess.run([ROOT / "tools/heatmap", trace, "-o", directory / name], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0 or not re.search(r"^\d+ exits, \d+ of them faults$", done.stdout, re.M):
            return [f"heatmap ended with {done.returncode}: {done.stderr}{done.stdout}"]
    root = xml.etree.ElementTree.fromstring((directory / "out.svg").read_text())
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    faults = sum(json.loads(line)["kind"] == "fault" for line in trace.read_text().splitlines())
    legend = [re.fullmatch(r"(.*): (\d+)", text) for text in texts]
    drawn = sum(int(entry[2]) for entry in legend if entry and entry[1] not in ("device", "call about memory"))
    if drawn != faults:
        errors.append(f"the picture's legend has {drawn} faults, the trace {faults}")
    # Nothing is drawn at its edges, so nothing is cut off by them. Debian's Python has the library that reads it.
    edges = "import matplotlib.image, sys; p = matplotlib.image.imread(sys.argv[1])[..., :3]; " \
            "sys.exit(int(min(p[:5].min(), p[-5:].min(), p[:, :5].min(), p[:, -5:].min()) < 1))"
    if subprocess.run(["/usr/bin/python3", "-c", edges, directory / "out.png"], check=False).returncode != 0:
        errors.append("the PNG is none, or something goes beyond its edges")
    again = directory / "again.svg"
    subprocess.run([ROOT / "tools/heatmap", trace, "-o", again, "--title", trace.name], capture_output=True, check=True)
    if again.read_bytes() != (directory / "out.svg").read_bytes():
        errors.append("the same trace was drawn in two ways")
    return errors


def traced(name: str, *args: str, guest: str = "", status: int = 0, report: dict = EXITED, forks: int = 0,
           text: tuple[str, ...] = ()) -> list[str]:
    more = ["--guest", BACKENDS[name].guest(guest)] if guest else []
    spec = Boot([*args, *more, "--trace", "{dir}/trace.json"], backend=name, status=status, report=report, forks=forks,
                text=(r"^run-qemu: trace: \d+ exits in [^;]*$", *text), forbid=(r"\{\"seq\"", r"\{\"end\""), seconds=300)
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as path:
        directory = Path(path)
        result = harness.boot(spec, directory)
        errors = harness.judge(spec, result)
        trace = directory / "trace.json"
        if not errors:
            records = [json.loads(line) for line in trace.read_text().splitlines()]
            errors = judge_trace(records, [result.report, *result.forks])
            if not errors:
                errors = picture_errors(trace, directory)
    return errors + harness.tail(result.console) if errors else []


# --- Traces that are no traces ------------------------------------------------------------------------------------------

RECORD = ('{"seq":%d,"exit":1,"clock":"tsc","stamp":5,"cost":3,"vm":0,"name":"guest","vcpu":0,"pc":"0x1","kind":"fault","gpa":"0x1000",'
          '"access":"-w-","on_walk":false,"area":{"start":"0","end":"0x40000000","prot":"rwx"},"outcome":"handled",'
          '"how":"fresh","leaf":4096,"hpa":"0x5000"}\n')
BAD_TRACES = {
    "empty": "", "not JSON": "seq=1\n", "no record": "[1, 2]\n", "a number": "7\n", "a field is missing": '{"seq":1}\n',
    "cut off": (RECORD % 1) + (RECORD % 2)[:60], "twice": (RECORD % 1) * 2,
    "unknown outcome": (RECORD % 1).replace("handled", "lost"),
    "negative": (RECORD % 1).replace('"stamp":5', '"stamp":-5'), "no lines": "x" * 100000, "nested": "[" * 4000 + "\n",
    "no number": (RECORD % 1).replace('"seq":1', '"seq":NaN'), "half a number": (RECORD % 1).replace('"seq":1', '"seq":1.5'),
    "no clock": (RECORD % 1).replace('"tsc"', "[1]"),
    "no address": (RECORD % 1).replace("0x1000", "here"), "binary": "\x00\x01\x02\udcff\n",
}


def heatmap_refuses() -> list[str]:
    errors = []
    with tempfile.TemporaryDirectory() as path:
        trace, out = Path(path) / "trace", Path(path) / "out.svg"

        def draw(*args: object) -> subprocess.CompletedProcess:
            return subprocess.run([ROOT / "tools/heatmap", *map(str, args)], capture_output=True, text=True, check=False)

        for name, text in BAD_TRACES.items():
            trace.write_bytes(text.encode("utf-8", "surrogateescape"))
            done = draw(trace, "-o", out)
            if done.returncode != 2 or len(done.stderr.splitlines()) != 1 or out.exists():
                errors.append(f"{name}: status {done.returncode}, {done.stderr}")
        trace.write_text(RECORD % 1 + RECORD % 4)
        good = draw(trace, "-o", out)
        if good.returncode != 0 or any("2 exits are missing" not in text for text in (good.stdout, out.read_text())):
            errors.append(f"a gap is not told of: {good.stdout}{good.stderr}")
        # More places than there is room for boxes: all are drawn. And a title that XML cannot have.
        trace.write_text("".join((RECORD % i).replace("0x1000", hex(i << 34)).replace('0","end":"0x40000000', '0","end":"0x0')
                                 for i in range(1, 41)))
        far = draw(trace, "-o", out, "--title", "a\x01\udcff<b>")
        texts = [element.text for element in xml.etree.ElementTree.fromstring(out.read_text()).iter()]
        if far.returncode != 0 or hex(1 << 34) not in texts or hex((40 << 34) + PAGE) not in texts or "a??<b>" not in texts:
            errors.append(f"not all of forty places: {far.stderr}{texts}")
        trace.write_text(RECORD % 1 + (RECORD % 2).replace('"vm":0,"name":"guest"', '"vm":999,"name":"web.12"'))
        for args, count in (((), 2), (("--vm", "web.12"), 1), (("--vm", "999"), 1), (("--vm", "guest"), 1)):
            if f"{count} exits, {count} of them faults" not in (done := draw(trace, "-o", out, *args)).stdout:
                errors.append(f"{args}: {done.stdout}{done.stderr}")
        for wrong in ((trace, "-o", out, "--vm", "web"), (trace, "-o", f"{path}/out.gif"), (trace, "-o", f"{path}/no/out.svg"), (f"{path}/none", "-o", out)):
            done = draw(*wrong)
            if done.returncode != 2 or len(done.stderr.splitlines()) != 1:
                errors.append(f"{wrong}: status {done.returncode}, {done.stderr}")
    return errors


# name: what is on the wire; then what becomes text, what becomes records, and what is said
OPEN, ONE, TWO, THREE = (f"\x1e{record}\r\n" for record in ('{"open":1}', '{"seq":1}', '{"seq":2}', '{"seq":3}'))
WIRES = {
    "whole": (f"a{OPEN}b{ONE}c\n{TWO}\x1e{{\"end\":2}}\r\nd", "abc\nd", 2, r"^trace: 2 exits in \S+$"),
    "none": ("text\x1emore\n", "text\x1emore\n", None, r"^trace: there is none"),
    "lost": (f"{OPEN}{ONE}{THREE}\x1e{{\"end\":3}}\r\n", "", 2, r"; 1 more were lost on the way"),
    "damaged": (f"{OPEN}{ONE}\x1e{{\"seq\":2,,}}\r\n{THREE}\x1e{{\"end\":3}}\r\n", "", 2, r"; 1 more were lost"),
    "lost at the end": (f"{OPEN}{ONE}\x1e{{\"end\":2}}\r\n", "", 1, r"; 1 more were lost on the way"),
    "no end": (f"{OPEN}{ONE}{TWO}", "", 2, r"the run did not come to its end$"),
    "cut off": (f"{OPEN}{ONE}x\x1e{{\"seq\":2", "x", 1, r"1 more were lost.*did not come to its end$"),
    "no numbers": (f"{OPEN}{ONE}\x1e{{\"seq\":1e999}}\r\n\x1e{{\"end\":1e999}}\r\n\x1e{'[' * 9000}\r\nx", "x", 1, r"3 more were lost"),
    "forged": (f"{OPEN}{ONE}{ONE}\x1e{{\"end\":1}}\r\n", "", 1, r"; 1 more were lost"),
}


def records_are_taken() -> list[str]:
    """By pieces of any length, the text comes out as if there were no records in it."""
    errors = []
    with tempfile.TemporaryDirectory() as path:
        out, summary = Path(path) / "out", Path(path) / "summary"
        for name, (wire, text, count, told) in WIRES.items():
            for size in (1, 7, 10000):
                out.unlink(missing_ok=True)
                process = subprocess.Popen([ROOT / "tools/take-records", out, summary], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE)
                for at in range(0, len(wire), size):
                    process.stdin.write(wire[at:at + size].encode())
                    process.stdin.flush()
                got = process.communicate()[0].decode()
                if process.returncode != (3 if count is None else 0):
                    errors.append(f"{name}: status {process.returncode}")
                records = len(out.read_text().splitlines()) if out.exists() else None
                if got != text or records != count or not re.search(told, summary.read_text()):
                    errors.append(f"{name}, by {size}: text {got!r}, {records} records, {summary.read_text()!r}")
        # A disk that is full.
        done = subprocess.run([ROOT / "tools/take-records", "/dev/full", summary], input=WIRES["whole"][0].encode(),
                              capture_output=True)
        if done.returncode != 3 or done.stdout != b"abc\nd" or "No space left" not in summary.read_text():
            errors.append(f"a full disk: {done.returncode}, {done.stdout}, {summary.read_text()}")
    return errors


# --- The last exits -----------------------------------------------------------------------------------------------------

# Interrupts of the machine's timer may come between any two exits, and share the line of one of them.
EXIT = r"^error: vm:   exit "
ONE, AND = r"\d+(-\d+)?: ", r"(, and \d+ interrupts?)?"
WALK = r"^error: vm: the walk of 0x[0-9a-f]+ \((npt|ept|stage2|sv39x4)\)$"
LAST = r"^error: vm: the last \d+ of \d+ exits, alike ones in a row as one"
EMPTY = r"^error: vm:   level \d \[ *\d+\] of the table at 0x[0-9a-f]+000: 0x0{16} empty$"


# What guests that end badly print besides: the ring's last line is the exit that ended the run.
POST_MORTEM = {
    "wild_write": (WALK, EMPTY, LAST, EXIT + ONE + r"hypercall console_write\(0x[0-9a-f]+, 0x1a",
                   EXIT + ONE + r"write fault, unmapped, at 0x[48c]0000000" + AND + ", pc 0x"),
    "wild_walk": (WALK, LAST, EXIT + ONE + r"(read|write) fault by a page walk, unmapped, at 0x"),
    "denied_write": (WALK, r"^error: vm:   level 0 .* leaf of 4 KiB r-. hpa 0x", EXIT + ONE + r"hypercall protect\(",
                     EXIT + ONE + r"write fault, denied, at 0x"),
    "oom": (WALK, EXIT + r"\d+-\d+, \d{2,3} times: write fault, handled, at 0x[0-9a-f]+ to 0x",
            EXIT + ONE + r"write fault, no_memory, at 0x"),
    "illegal_insn": (LAST, EXIT),
}


def debug() -> list[Case]:
    out = [Case("debug/entries-by-hand", [], function=known_entries),
           Case("debug/entries-are-read-alike", [], function=entries_are_read_alike),
           Case("debug/heatmap-refuses", [], function=heatmap_refuses),
           Case("debug/records-are-taken", [], function=records_are_taken)]
    for name in ("svm", "svm-uboot", "el2", "el2-uboot", "pi3", "h"):
        out.append(Case(f"{name}/debug/gdb", [], function=lambda name=name: gdb_session(name),
                        slow=name in ("svm-uboot", "vmx", "el2-uboot", "pi3")))
    out.append(case("svm/debug/fault-of-its-own", "--gdb", "--demo", "lazy", status=3, report=None, panics=True,
                    during=lambda directory: run_gdb(directory, FAULT),
                    text=(r"^error: trap: page fault \(vector 14\)", r"^error: trap: rip 0x123 ", r"^nestling: panic: page fault in the hypervisor")))
    for name in BACKENDS:
        out.append(Case(f"{name}/debug/trace", [], function=lambda name=name: traced(name, "--demo", "lazy"),
                        slow=name in ("svm-uboot", "vmx", "el2-uboot", "pi3")))
    # Each byte of the line that goes through the serial port has a record before and behind it.
    for name in ("el2", "h"):
        out.append(Case(f"{name}/debug/trace-in-lines", [], function=lambda name=name: traced(
            name, "--demo", "hello", text=(r"^hello: this line went through a serial port, one byte at a time$",))))
    for name in KINDS:
        out.append(Case(f"{name}/debug/trace-fork", [], slow=name != "svm",
                        function=lambda name=name: traced(name, "--demo", "fork", "--policy", "2m", forks=8)))
        out.append(Case(f"{name}/debug/trace-bad-end", [], slow=name != "h", function=lambda name=name: traced(
            name, guest="wild_write", status=3, report={"outcome": "unmapped"}, text=(EXIT,))))
    return out
