# SPDX-License-Identifier: BSD-2-Clause
"""Several VMs at once, on several CPUs: what each prints and reports, and what is told of all of them."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import debug
import harness
from backends import BACKENDS, KINDS
from harness import EXITED, Boot, Case, Result, at_least, case

# Who may begin a line: those of ours that name a subject, and VMs.
SPEAKERS = re.compile(r"(nestling|boot|error|warning|vm|mem|map|report|run-qemu|[a-e](\.\d+)?)( [^ ]+)?: ")
FIVE = """ram = 64M
[vm a]
demo = fork
[vm b]
demo = hello
[vm c]
demo = zeros
[vm d]
guest = \\libc.elf
ram = 1G
[vm e]
guest = \\libc.elf
ram = 1G
"""


def said_by(name: str, console: str) -> list[str]:
    return [line[len(name) + 2:] for line in console.splitlines() if line.startswith(f"{name}: ")]


def lines_are_whole(directory: Path, result: Result) -> list[str]:
    """No line has parts of two writers, and two VMs of the same guest print the same."""
    console = result.console.split("nestling: the machine is ours", 1)[-1].split("\n", 1)[-1]
    errors = [f"whose line is this: {line}" for line in console.splitlines() if not SPEAKERS.match(line)]
    if not said_by("d", console) or said_by("d", console) != said_by("e", console):
        errors.append(f"d and e print the same, but it came as {said_by('d', console)} and {said_by('e', console)}")
    reports = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
    for name in ("exits", "faults"):
        total = "total" if name == "exits" else "fault"
        if (want := sum(report["exits"][total] for report in reports)) != reports[-1]["machine"][name]:
            errors.append(f"all VMs have {want} {name}, and the sum is {reports[-1]['machine'][name]}")
    for name in ("cpu_time", "switches", "preemptions", "interrupts", "ipis", "shootdowns"):
        if (want := sum(report[name] for report in reports)) != reports[-1]["machine"][name]:
            errors.append(f"all VMs have {name} {want}, and the sum is {reports[-1]['machine'][name]}")
    return errors


def side_by_side(backend: str, cpus: int, slow: bool) -> Case:
    def files(directory: Path) -> None:
        (directory / "five.cfg").write_text(FIVE)
        shutil.copyfile(BACKENDS[backend].guest("libc"), directory / "libc.elf")

    return case(f"{backend}/several/on-{cpus}-cpus", "--config", "{dir}/five.cfg", "--cpus", str(cpus), files=files, slow=slow, forks=8,
                report=EXITED | {"vms": 13, "vms_failed": 0, "cpus": cpus, "vcpus": 1, "machine.switches": at_least(13)},
                after=lines_are_whole, max_log=300,
                text=(rf"^nestling: machine: {cpus} CPUs?, 13 VMs, 0 failed; ", r"^a\.8: fork: child 8 found the memory",
                      r"^e: libc: an unfinished line, and then the end$", r"^map: c, "))


# On one CPU: a VM that never gives it away, one that crashes, one that goes on.
HOSTILE = """ram = 64M
slice = 5
[vm good]
demo = lazy
[vm spins]
guest = \\spin.elf
time_max = 1.5
[vm bad]
guest = \\bad.elf
"""


def hostile(backend: str, slow: bool) -> Case:
    def files(directory: Path) -> None:
        (directory / "hostile.cfg").write_text(HOSTILE)
        shutil.copyfile(BACKENDS[backend].guest("spin"), directory / "spin.elf")
        shutil.copyfile(BACKENDS[backend].guest("illegal_insn"), directory / "bad.elf")

    def after(directory: Path, result: Result) -> list[str]:
        reports = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
        found = {report["name"]: report["outcome"] for report in reports}
        errors = [] if found == {"good": "exited", "spins": "timed_out", "bad": "crashed"} else [f"outcomes are {found}"]
        spins = next(report for report in reports if report["name"] == "spins")
        # The limit is checked at least once a slice.
        if not 1500000 <= spins["cpu_time"] < 1700000 or not spins["preemptions"]:
            errors.append(f"spins had {spins['cpu_time']} us, {spins['preemptions']} times preempted")
        return errors

    return case(f"{backend}/several/hostile", "--config", "{dir}/hostile.cfg", files=files, after=after, status=3, slow=slow, timed=backend != "vmx",
                report=EXITED | {"vms": 3, "vms_failed": 2}, max_log=150,
                text=(r"^good: lazy: every page read as zeros", r"^error: vm bad: guest stopped at pc ",
                      r"^error: vm spins: guest has used its time_max of 1\.500 s and is stopped at pc 0x",
                      r"^error: vm spins: the last \d+ of \d+ exits"))


def wild(backend: str, slow: bool) -> Case:
    """VMs with all devices there are, whose vCPUs access whatever registers: what becomes of them is their affair, but all end, and
    nobody else is hurt."""
    disks = "".join(f"disk = \\disk{number}{',ro' if number else ''}\n" for number in [0, 1] * 4)

    def files(directory: Path) -> None:
        vms = "".join(f"[vm w{number}]\nguest = \\wild_devices.elf\ncmdline = seed={number} accesses=2000\nvcpus = {number}\n"
                      f"console = virtio\ntime_max = 20\n{disks}" for number in (1, 2, 4))
        (directory / "wild.cfg").write_text(f"ram = 64M\n[vm good]\nguest = \\witness.elf\n{vms}")
        (directory / "disk0").write_bytes(bytes(range(256)) * 33)
        (directory / "disk1").write_bytes(bytes(513))
        for name in ("witness", "wild_devices"):
            shutil.copyfile(BACKENDS[backend].guest(name), directory / f"{name}.elf")

    return case(f"{backend}/several/wild-devices", "--config", "{dir}/wild.cfg", files=files, status=(0, 3), slow=slow,
                report=EXITED | {"name": "good", "vms": 4}, max_log=1000, text=(r"^good: witness: all as it should be$",))


def traced(backend: str) -> list[str]:
    """Records of several VMs: each says whose it is, and together they are what the reports say."""
    config = "ram = 16M\ntrace = json\n[vm a]\ndemo = fork\n[vm b]\ndemo = density\n"
    spec = Boot(["--config", "{dir}/two.cfg", "--trace", "{dir}/trace.json", "--cpus", "2"], backend, forks=8, seconds=300, max_log=300,
                report=EXITED | {"vms": 10}, text=(r"^run-qemu: trace: \d+ exits in [^;]*$",))
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as path:
        directory = Path(path)
        (directory / "two.cfg").write_text(config)
        result = harness.boot(spec, directory)
        errors = harness.judge(spec, result)
        if not errors:
            records = [json.loads(line) for line in (directory / "trace.json").read_text().splitlines()]
            reports = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
            names = {record["name"] for record in records}
            errors = debug.judge_trace(records, reports)
            if names != {"a", "b", *(f"a.{number}" for number in range(1, 9))}:
                errors.append(f"the trace has VMs {sorted(names)}")
    return errors + harness.tail(result.console) if errors else []


def several() -> list[Case]:
    out = [side_by_side(backend, cpus, slow) for backend in KINDS
           for cpus, slow in (((1, True), (2, False)) if backend == "vmx" else ((1, True), (2, True), (4, False)))]
    out += [hostile(backend, slow=backend == "vmx") for backend in KINDS]
    out += [wild(backend, slow=backend == "vmx") for backend in KINDS]
    out.append(Case("svm/several/trace", [], function=lambda: traced("svm")))
    out.append(case("svm/several/never-cloned", "--demo", "hello", "--clones", "2", "--clone-when", "nobody prints this", report=EXITED,
                    text=(r'^warning: vm: not cloned: it has not printed "nobody prints this"$',)))
    # Whichever CPU the guest is on.
    out.append(case("svm/several/spin-given-up", "--guest", BACKENDS["svm"].guest("spin"), "--cpus", "4", "--pin", "2", status=4, report=None,
                    seconds=30, slow=True, text=(r"^run-qemu: the guest is at pc 0x[0-9a-f]+, on CPU 2$",
                                                 r"^run-qemu: pc 0x[0-9a-f]+ is guest_main at tests/guests/spin\.c:\d+")))
    return out
