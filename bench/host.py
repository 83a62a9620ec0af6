# SPDX-License-Identifier: BSD-2-Clause
"""Benchmarks on the host: instructions under callgrind, and nanoseconds without it. See bench/host/bench.c."""

import re
import subprocess
import tempfile
from pathlib import Path

from image import ROOT

PROGRAM = ROOT / "build/bench/host"
PROCESSES = 3


def rows(output: str) -> list[tuple[str, str, int, int]]:
    return [(kind, case, int(operations), int(time))
            for kind, case, operations, time in (line.split("\t") for line in output.splitlines())]


def instructions(profile: str, names: dict[str, str]) -> tuple[int, int]:
    """
    Of one dump: all, and those of memset and memcpy. `names` has the functions of the dumps before. Callgrind format: the line
    after calls= is what the callee took.
    """
    total, apart, in_apart, skip = 0, 0, False, False
    for line in profile.splitlines():
        if line.startswith("fn="):
            name = re.match(r"fn=\((\d+)\)(?: (.*))?$", line)
            in_apart = names.setdefault(name[1], name[2] or "").startswith(("__memset", "memset", "__memcpy", "__memmove",
                                                                            "memcpy"))
        elif match := re.match(r"c?fn=\((\d+)\) (.*)$", line):
            names.setdefault(match[1], match[2])
        elif line.startswith("calls="):
            skip = True
        elif match := re.match(r"(?:[+-]?\d+|\*) (\d+)$", line):
            if not skip:
                total += int(match[1])
                apart += int(match[1]) if in_apart else 0
            skip = False
    return total, apart


def callgrind(*formats: str) -> dict[str, tuple[int, int]]:
    """By "format/case", of all formats or of one."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no",
                        f"--callgrind-out-file={directory}/out", str(PROGRAM), "1", *formats], check=True, capture_output=True)
        parts = sorted(Path(directory).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        names: dict[str, str] = {}
        for path in parts:  # names are told once, in the first part that has them
            text = path.read_text()
            if trigger := re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M):
                found[trigger[1]] = instructions(text, names)
    return found


def measure() -> dict:
    results: dict = {}
    counted = callgrind()
    for _ in range(PROCESSES):
        output = subprocess.run([str(PROGRAM)], check=True, capture_output=True, text=True).stdout
        for kind, case, operations, time in rows(output):
            total, apart = counted[f"{kind}/{case}"]
            operations_counted = counted_operations(case, operations)
            row = results.setdefault(kind, {}).setdefault(case, {
                "operations": operations,
                "instructions": (total - apart) / operations_counted,
                "memset": apart / operations_counted,
                "ns": time / operations,
            })
            row["ns"] = min(row["ns"], time / operations)
    return results


def measure_threads() -> dict:
    """By format: faults per second of one vCPU and of two at once, and how often those two looked at a lock in vain per fault."""
    output = subprocess.run([str(PROGRAM), "threads"], check=True, capture_output=True, text=True).stdout
    fields = (line.split("\t")[1:] for line in output.splitlines())
    return {kind: {"one": float(one), "two": float(two), "spins": float(spins)} for kind, one, two, spins in fields}


def instructions_of(kind: str) -> dict[str, float]:
    """Of one format, instructions an operation by case; without a look at the clock."""
    counted = callgrind(kind)
    output = subprocess.run([str(PROGRAM), "1", kind], check=True, capture_output=True, text=True).stdout
    return {case: (counted[f"{kind}/{case}"][0] - counted[f"{kind}/{case}"][1]) / counted_operations(case, operations)
            for kind, case, operations, _ in rows(output)}


def counted_operations(case: str, operations: int) -> int:
    """Callgrind sees one round of the translations, where the clock sees 16."""
    return operations // 16 if case.startswith("translate") else operations
