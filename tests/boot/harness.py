# SPDX-License-Identifier: BSD-2-Clause
"""Boots the image by run-qemu.sh, as a person would, and judges what came of it."""

import json
import os
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from backends import ALL_BACKENDS, ROOT, Backend

PAGE = 4096
K, M, G, T = 1 << 10, 1 << 20, 1 << 30, 1 << 40

EXIT_KINDS = ("fault", "mmio", "pio", "hypercall", "other")
HANDLED = ("zero", "fresh", "unzero", "copy", "reuse", "tracked")
LEAF_SIZES = {"4k": 4 * K, "2m": 2 * M, "1g": G}

LOG_LINE = re.compile(r"(nestling|error|warning|vm( \S+)?|mem): ")

# What run-qemu.sh may need beside the boot, to build and to wait for others that do.
MORE_SECONDS = 120


@dataclass
class Boot:
    """One call of run-qemu.sh and what is expected of it.

    `args` and `guest` may name files of the case's own directory as {dir}/NAME. `report` gives, for each field
    ("exits.pio" for one inside another), a value or a predicate on it; None: the run must leave no report.
    """

    args: list[str] = field(default_factory=list)
    backend: str = "svm"
    status: int | tuple[int, ...] = 0
    report: dict | None = field(default_factory=dict)
    text: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    one_line: str | None = None  # exactly one line may match this
    max_log: int = 60  # lines that the hypervisor may log: a guest must not flood the console
    env: dict[str, str] = field(default_factory=dict)
    seconds: int | None = None
    report_path: str = "{dir}/report.json"
    alone: bool = False  # it shares no boot with others
    bare: bool = False  # pass `args` alone: no machine, --report, --timeout
    after: Callable[[Path, "Result"], list[str]] | None = None  # judges what else it left in the case's directory
    typed: bytes = b""  # what standard input holds
    during: Callable[[Path], None] | None = None  # done while it runs, with the case's directory
    forks: int | None = 0  # how many VMs are forked; None: some. Each must end well
    fork: dict = field(default_factory=dict)  # what holds for each of their reports, as `report` does for the first VM's


@dataclass
class Case:
    name: str
    boots: list[Boot]
    files: Callable[[Path], None] | None = None  # makes what the boots need in the case's directory
    together: Callable[[list[dict]], list[str]] | None = None  # judges the reports of all boots
    slow: bool = False
    timed: bool = False  # it measures times, and so runs when nothing else does
    waits: bool = False  # it mostly waits for a time-out, and so runs beside as many others as there may be
    function: Callable[[], list[str]] | None = None  # instead of boots: a check of what was built


EXITED = {"outcome": "exited", "guest_status": 0}
FATAL = r"^nestling: fatal: "
# The hypervisor's own end; and the firmware's, on each ISA.
PANIC = r"nestling: panic|X64 Exception Type|Synchronous Exception at|Unhandled exception"


def at_least(least: int):
    return lambda value: value >= least


def below(most: int):
    return lambda value: value < most


def write_file(name: str, content: bytes):
    def write(directory: Path) -> None:
        (directory / name).write_bytes(content)

    return write


def case(name: str, *args: str, files=None, slow: bool = False, timed: bool = False, waits: bool = False, panics: bool = False,
         **boot) -> Case:
    """A case of one boot; its name begins with the backend it runs on, or the default one is meant."""
    first = name.split("/")[0]
    boot.setdefault("backend", first if first in ALL_BACKENDS else "svm")
    boot["forbid"] = boot.get("forbid", ()) + (() if panics else (PANIC,))
    return Case(name, [Boot(list(args), **boot)], files=files, slow=bool(slow), timed=timed, waits=waits)


@dataclass
class Result:
    status: int
    console: str
    report: dict | None  # of the first VM
    forks: list[dict]  # those of the others
    hung: bool


running: set[subprocess.Popen] = set()


def stop(process: subprocess.Popen) -> None:
    """End run-qemu.sh and all that it started; it tidies up if it can."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(10)
            return
        except subprocess.TimeoutExpired:
            pass
        except ProcessLookupError:
            return


def boot(spec: Boot, directory: Path) -> Result:
    """Carry out one boot; its console is everything the script wrote."""

    def place(text: str) -> str:
        return text.replace("{dir}", str(directory))

    backend = ALL_BACKENDS[spec.backend]
    seconds = spec.seconds or backend.seconds
    report = Path(place(spec.report_path))
    command = [str(ROOT / "run-qemu.sh")]
    if not spec.bare:
        command += [backend.isa, *backend.args, "--report", str(report), "--timeout", str(seconds)]
        # One, unless the case is about several: an emulator has a thread for each, and boots run side by side.
        command += [] if "--cpus" in spec.args or backend.fixed_cpus else ["--cpus", "1"]
    command += [place(arg) for arg in spec.args]
    if report.is_file():
        report.unlink()
    (directory / "typed").write_bytes(spec.typed)
    with open(directory / "console", "wb") as out, open(directory / "typed" if spec.typed else os.devnull, "rb") as typed:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {k: place(v) for k, v in spec.env.items()},
                                   stdin=typed, stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        running.add(process)
        if spec.during:
            spec.during(directory)
        try:
            status, hung = process.wait(seconds + MORE_SECONDS), False
        except subprocess.TimeoutExpired:
            stop(process)  # its own time-out has failed
            status, hung = process.wait(), True
        running.discard(process)
    console = (directory / "console").read_bytes().decode("utf-8", "replace")
    *others, own = load_reports(report)
    # Of several fork trees the first VM's; they come in the order of their ends.
    forks = [other for other in others if "forks" not in other and own and other.get("name") == own.get("name")]
    forks.sort(key=lambda fork: fork.get("vm", 0))
    return Result(status, console.replace("\r", ""), own, forks, hung)


def load_reports(path: Path) -> list[dict | None]:
    """The lines of a file of reports; the last one is the first VM's, if it is there at all."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines()] or [None]
    except FileNotFoundError:
        return [None]
    except (OSError, ValueError) as error:
        return [{"unreadable": str(error)}]


# --- Judging -----------------------------------------------------------------------------------------------------------


def lookup(report: dict, name: str):
    value = report
    for part in name.split("."):
        value = value[part]
    return value


def judge_field(report: dict, name: str, want) -> list[str]:
    try:
        value = lookup(report, name)
    except (KeyError, TypeError):
        return [f"report has no {name}"]
    if callable(want):
        return [] if want(value) else [f"report: {name} is {value!r}, which it may not be"]
    return [] if value == want else [f"report: {name} is {value!r}, not {want!r}"]


def judge_consistency(report: dict, backend: Backend) -> list[str]:
    """What holds of every report, whatever the guest did."""
    try:
        exits, faults, leaves, handled = report["exits"], report["faults"], report["leaves"], report["handled"]
        mapped = sum(leaves[name] * size for name, size in LEAF_SIZES.items())
        # What is mapped and is nobody's is zeros; how many leaves of each size these are follows from their number.
        zeros = mapped - report["resident"] - report["shared"]
        large, rest = divmod(zeros - report["zero_page_leaves"] * LEAF_SIZES["4k"], LEAF_SIZES["2m"] - LEAF_SIZES["4k"])
        given = (handled["fresh"] + handled["unzero"] + handled["copy"]) * PAGE
        # Under 4k each of these faults gave one page, which is there still if nothing was taken or given back.
        plain = report["policy"] == "4k" and report.get("forks") == 0 and leaves["2m"] == leaves["1g"] == 0 and not any(
            report[name] for name in ("discarded", "reclaimed", "promoted", "merged", "split"))
        rules = {
            "isa is the one asked for": report["isa"] == backend.isa,
            "virt is the one asked for": report["virt"] == backend.virt,
            "format is one of virt's": report["format"] in backend.formats,
            "exits add up": sum(exits[kind] for kind in EXIT_KINDS) == exits["total"],
            "leaves map what is resident, shared or zeros": rest == 0 and 0 <= large <= leaves["2m"]
            and large <= report["zero_page_leaves"],
            "resident_peak is a peak": report["resident_peak"] >= report["resident"],
            "memory_used is all that the VM costs": report["memory_used"] > report["resident"] + report["table_bytes"]
            and report["memory_used"] % PAGE == 0,
            "memory_peak is a peak": report["memory_peak"] >= max(report["memory_used"], report["resident_peak"]),
            "memory_max is a limit": report["memory_max"] == 0 or report["memory_peak"] <= report["memory_max"],
            "what is touched is mapped": 0 <= report["touched"] <= mapped and report["touched"] % PAGE == 0,
            "zeros are what is nobody's": report["zero_bytes"] == zeros,
            "populated is what populating costs": report["populated"]["resident"] == report["guest_ram"]
            and report["populated"]["table_bytes"] <= report["populated"]["table_bytes_4k"]
            and (report["resident"] != leaves["2m"] * LEAF_SIZES["2m"] or report["resident"] != report["guest_ram"]
                 or report["table_bytes"] == report["populated"]["table_bytes"]),
            "tables are whole pages": report["table_bytes"] > 0 and report["table_bytes"] % PAGE == 0,
            "what faults came to adds up": sum(handled[name] for name in HANDLED) == faults["handled"],
            "each page that faults gave is there": not plain or given == report["resident"] == report["resident_peak"],
            "each fault has its outcome": exits["fault"] + report["host_faults"] == sum(faults.values()),
            "outcome is a known one": report["outcome"] in ("exited", "denied", "unmapped", "no_memory", "crashed", "timed_out"),
            "tracking is a known one": report["tracking"] in ("hardware", "software"),
            "the rest is there": all(name in report for name in
                                     ("version", "demo", "guest_ram", "flushes", "flush_instructions", "host_free", "guest_status")),
        }
    except (KeyError, TypeError) as error:
        return [f"report is incomplete: {error!r}"]
    return [f"report does not hold: {rule}" for rule, holds in rules.items() if not holds]


def judge_forks(spec: Boot, result: Result) -> list[str]:
    errors = []
    if spec.forks is not None and len(result.forks) != spec.forks or spec.forks is None and not result.forks:
        errors.append(f"{len(result.forks)} forks have reported, not {spec.forks or 'some'}")
    # In which order forks end, and report, is theirs.
    numbers = [report.get("vm") for report in (result.report, *result.forks)]
    if min(numbers) != numbers[0] or len(set(numbers)) != len(numbers):
        errors.append(f"VMs are not numbered from the first one on: {numbers}")
    if result.report.get("forks") != len(result.forks):
        errors.append("the report tells of other forked VMs than these")
    for report in result.forks:
        found = judge_consistency(report, ALL_BACKENDS[spec.backend])
        for name, want in (EXITED | spec.fork).items():
            found += judge_field(report, name, want)
        errors += [f"fork {report.get('vm')}: {error}" for error in found]
    return errors


def judge(spec: Boot, result: Result) -> list[str]:
    errors = []
    wanted = spec.status if isinstance(spec.status, tuple) else (spec.status,)
    if result.hung:
        errors.append("run-qemu.sh did not end by itself")
    elif result.status not in wanted:
        errors.append(f"status is {result.status}, not {' or '.join(map(str, wanted))}")
    if spec.report is None:
        if result.report is not None:
            errors.append("there is a report where none was expected")
    elif result.report is None:
        errors.append("there is no report")
    else:
        errors += judge_consistency(result.report, ALL_BACKENDS[spec.backend]) + judge_forks(spec, result)
        for name, want in spec.report.items():
            errors += judge_field(result.report, name, want)
    errors += [f"console lacks /{text}/" for text in spec.text if not re.search(text, result.console, re.M)]
    errors += [f"console has /{text}/" for text in spec.forbid if re.search(text, result.console, re.M)]
    if spec.one_line is not None:
        lines = [line for line in result.console.splitlines() if re.search(spec.one_line, line)]
        if len(lines) != 1:
            errors.append(f"{len(lines)} lines match /{spec.one_line}/, not one")
    logged = sum(bool(LOG_LINE.match(line)) for line in result.console.splitlines())
    if logged > spec.max_log:
        errors.append(f"{logged} lines were logged, more than {spec.max_log}")
    return errors


def tail(console: str, lines: int = 25) -> list[str]:
    shown = [line if len(line) < 200 else line[:200] + " ..." for line in console.splitlines()[-lines:]]
    return ["| " + re.sub(r"[^\x20-\x7e\t]", "?", line) for line in shown]
