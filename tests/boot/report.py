# SPDX-License-Identifier: BSD-2-Clause
"""The report of a run: the bill that people read, its JSON, and the page that describes both."""

import re
import tempfile
from pathlib import Path

import harness
from backends import KINDS, ROOT
from harness import Boot, Case

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
BILL_MAX = 25  # lines, those of forked VMs included: it is to fit a screen
END = re.compile(r"^nestling: (guest|first of \d+ VMs|fork \S+) \w+, status \d+")
ITEM = re.compile(r"^nestling:   (\w+) +(\d+(?:\.\d)? (?:(?:[KMGT]i)?B|m?s)|\d+)(?:  (\S.*))?$")
DESCRIBED = re.compile(r"^\| `([\w.]+)` \|", re.M)


def field_names(report: dict, prefix: str = "") -> set[str]:
    names: set[str] = set()
    for name, value in report.items():
        names |= field_names(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
    return names


def human(size: int) -> str:
    """As the image writes it: one decimal, rounded down, where it is not whole."""
    unit = max((unit for unit in UNITS if UNITS[unit] <= size), key=UNITS.get, default="B")
    whole, rest = divmod(size, UNITS[unit])
    return f"{whole}.{rest * 10 // UNITS[unit]} {unit}" if rest else f"{whole} {unit}"


def judge_bill(console: str, report: dict) -> list[str]:
    """Does the bill say what the JSON says, and in columns?"""
    lines = [line for line in console.splitlines() if END.match(line) or line.startswith("nestling:   ")]
    items = {match[1]: match for match in map(ITEM.match, lines) if match}
    want = {"promised": human(report["guest_ram"]), "touched": human(report["touched"]),
            "resident": human(report["resident"]), "tables": human(report["table_bytes"]),
            "populated": human(report["populated"]["resident"]), "exits": str(report["exits"]["total"]),
            "faults": str(report["faults"]["handled"]), "flushes": str(report["flush_instructions"])}
    remarks = {"touched": human(report["zero_bytes"]) + " is only read" if report["zero_bytes"] else "",
               "resident": human(report["resident_peak"]) + " at the peak",
               "populated": human(report["populated"]["table_bytes"]) + " of tables (" +
                            human(report["populated"]["table_bytes_4k"]),
               "exits": f"{report['exits']['fault']} faults"}
    errors = [f"the bill has {name} {items[name][2] if name in items else 'not at all'}, not {amount}"
              for name, amount in want.items() if name not in items or items[name][2] != amount]
    errors += [f"the bill's {name} lacks '{remark}'" for name, remark in remarks.items()
               if name in items and remark not in (items[name][3] or "")]
    if {item.end(2) for item in items.values()} != {items["exits"].end(2)}:
        errors.append("the bill's amounts do not end in one column")
    if not 0 < len(lines) < BILL_MAX or max(map(len, lines)) > 120:
        errors.append(f"the bill has {len(lines)} lines, of up to {max(map(len, lines))} characters")
    return errors


def judge_described(reports: list[dict]) -> list[str]:
    described = set(DESCRIBED.findall((ROOT / "docs/report.md").read_text()))
    printed = set().union(*map(field_names, reports))
    return [f"docs/report.md does not describe {name}" for name in sorted(printed - described)] + \
        [f"docs/report.md describes {name}, which no report has" for name in sorted(described - printed)]


def check(backend: str, *args: str, forks: int | None = 0) -> list[str]:
    spec = Boot(list(args), backend, forks=forks)
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as name:
        result = harness.boot(spec, Path(name))
    errors = harness.judge(spec, result)
    if not errors:
        errors += judge_bill(result.console, result.report)
        # Only a family's reports have all the fields.
        errors += judge_described([result.report, *result.forks]) if result.forks else []
    return errors + (harness.tail(result.console) if errors else [])


def fault_cost(name: str) -> Case:
    """What a fault takes is told when the run was traced, and is plausible where the counter counts instructions."""
    env = {} if name == "vmx" else {"NESTLING_QEMU_ARGS": "-icount shift=0,sleep=off"}
    per_tick = {"vmx": 1, "el2": 16, "h": 1}[name]

    def together(reports: list[dict]) -> list[str]:
        clock = reports[0]["fault_clock"]
        cost = clock["ticks"] * per_tick / max(clock["faults"], 1)
        if clock["faults"] != reports[0]["exits"]["fault"] or not 100 < cost < 20000:
            return [f"a fault took {cost} instructions, {clock['faults']} of {reports[0]['exits']['fault']} were timed"]
        return [] if reports[1]["fault_clock"]["faults"] == reports[1]["fault_clock"]["ticks"] == 0 else ["timed without a trace"]

    text = (r"^nestling:   exits +\d+  .*\d+ faults.*; a fault took \d+ ticks of the \w+$",)
    return Case(f"{name}/report/fault-cost", [Boot(["--demo", "lazy", "--trace", "{dir}/trace"], name, text=text, env=env),
                Boot(["--demo", "hello"], name, forbid=("a fault took",))], together=together, slow=name == "vmx")


def report() -> list[Case]:
    out = [fault_cost(name) for name in ("vmx", "el2", "h")]
    for name in KINDS:
        for demo, args, forks in (("fork", ("--ram", "256M"), 8), ("zeros", ("--ram", "64M"), 0),
                                  ("lazy", ("--ram", "64G", "--policy", "64k"), 0)):
            slow = name == "vmx" or (name, demo) in (("el2", "fork"), ("h", "fork"))
            out.append(Case(f"{name}/report/{demo}", [], slow=slow, function=lambda name=name, demo=demo, args=args,
                            forks=forks: check(name, "--demo", demo, *args, forks=forks)))
    return out
