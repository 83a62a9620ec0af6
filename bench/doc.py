# SPDX-License-Identifier: BSD-2-Clause
"""The tables of docs/performance.md, written anew from results between the marks that name them."""

import re
from pathlib import Path

BACKENDS = ("svm", "vmx", "el2", "h")
APART = ("zeroing", "cache maintenance", "copying")

# The reference library's figures for the same loops: instructions and nanoseconds.
REFERENCE = {
    "map 1 GiB, 4 KiB leaves": (117, 5.6),
    "unmap 1 GiB, 4 KiB leaves": (68, 2.9),
    "map 1 GiB, 2 MiB leaves": (111, 5.1),
    "unmap 1 GiB, 2 MiB leaves": (64, 2.8),
    "map 64 GiB, 1 GiB leaves": (99, 5.2),
    "unmap 64 GiB, 1 GiB leaves": (61, 3.3),
    "populate 256 MiB, 4 KiB leaves": (125, 5.6),
    "unmap 256 MiB, populated": (76, 3.4),
    "lazy area of 1 GiB": (27_500_000, 1_300_000),
    "fault, sequential": (145, 6.5),
    "fault, random": (145, 6.5),
    "fault, random, 64 areas": (257, 27),
    "translate, sequential": (50, 2.2),
    "translate, random": (50, 2.6),
    "translate, random, 2 MiB leaves": (43, 1.9),
    "translate, random, 1 GiB leaves": (34, 1.5),
    "translate and limit, random": (98, 4.9),
    "protect 256 MiB, 4 KiB leaves": (56, 2.2),
    "map and unmap a page, 1 other area": (752, 43),
    "map and unmap a page, 64 others": (2_826, 155),
}


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def markdown(head: list[str], body: list[list[str]]) -> str:
    rows = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def events(results: dict) -> str:
    """The hypervisor's instructions an event; what clears, copies or writes back memory is told apart."""
    measured = results["target"]
    names = list(dict.fromkeys(name for backend in BACKENDS for name, event in measured[backend].items()
                               if "profile" in event and not name.startswith("fault-") or name == "fault-4k"))

    def cell(backend: str, name: str) -> str:
        profile = measured[backend].get(name, {}).get("profile")
        if not profile:
            return "–"
        apart = sum(profile["parts"].get(part, 0) for part in APART)
        return number(profile["all"] - apart) + (f" + {number(apart)}" if apart >= 1 else "")

    return markdown(["event", *BACKENDS], [[name, *(cell(backend, name) for backend in BACKENDS)] for name in names])


def counter(results: dict) -> str:
    """What the guest's counter shows: mean and median of 4096, from which nothing is apart."""
    measured = results["target"]
    names = [name for name in measured["svm"] if measured["svm"][name]["events"] > 1 and measured["svm"][name]["mean"] and not
             (name.startswith("fault-") and name != "fault-4k")]
    cells = [[name, *(f"{number(event['mean'])} ({number(event['median'])})" if (event := measured[backend].get(name))
                      else "–" for backend in BACKENDS)] for name in names]
    return markdown(["event", *BACKENDS], cells)


def policies(results: dict) -> str:
    """Instructions a page touched, and what it all came to; zeroing is part of it."""
    body = []
    for name in ("fault-4k", "fault-64k", "fault-2m", "fault-auto"):
        row = [name.removeprefix("fault-")]
        for backend in BACKENDS:
            event = results["target"][backend].get(name)
            row.append(f"{number(event['mean'])} in {event['faults']:,} faults" if event else "–")
        event = results["target"]["svm"].get(name)
        body.append(row + [f"{event['resident'] / 4096 / event['pages']:.2f}" if event else ""])
    return markdown(["policy", *BACKENDS, "memory/touched"], body)


def sequences(results: dict) -> str:
    """The same without what clears, copies or writes back memory; the profile is of the same pages, where there is one."""
    body = []
    for name in ("fault-4k", "fault-64k", "fault-2m", "fault-auto"):
        row = [name.removeprefix("fault-")]
        for backend in BACKENDS:
            profile = results["target"][backend].get(name, {}).get("profile")
            row.append(number(profile["all"] - sum(profile["parts"].get(part, 0) for part in APART)) if profile else "–")
        body.append(row)
    return markdown(["policy", *BACKENDS], body)


def once(results: dict) -> str:
    body = []
    for name in ("fork", "scan-accessed-16m", "discard-16m"):
        cells = [results["target"][backend].get(name) for backend in BACKENDS]
        body.append([name, *(number(event["mean"]) if event else "–" for event in cells)])
    return markdown(["call", *BACKENDS], body)


def parts(results: dict) -> str:
    """Where one fresh 4 KiB fault goes."""
    profiles = {backend: results["target"][backend]["fault-4k"]["profile"]["parts"] for backend in BACKENDS}
    names = sorted({name for profile in profiles.values() for name in profile},
                   key=lambda name: -sum(profile.get(name, 0) for profile in profiles.values()))
    return markdown(["part", *BACKENDS], [[name, *(number(profiles[backend].get(name)) for backend in BACKENDS)]
                                          for name in names])


def host(results: dict) -> str:
    measured = results["host"]
    body = []
    for case, row in measured["ept"].items():
        reference = REFERENCE.get(case)
        body.append([case, *(number(value) for value in reference or (None, None)), number(row["instructions"]),
                     number(row["ns"]), *(number(measured[kind][case]["instructions"]) for kind in list(measured)[1:])])
    return markdown(["operation", "reference", "ns", "EPT", "ns", *list(measured)[1:]], body)


def threads(results: dict) -> str:
    measured = results["threads"]
    return markdown(["", *measured], [
        ["one vCPU, million faults a second", *(f"{row['one'] / 1e6:.1f}" for row in measured.values())],
        ["two at once", *(f"{row['two'] / 1e6:.1f}" for row in measured.values())],
        ["ratio", *(f"{row['two'] / row['one']:.2f}" for row in measured.values())],
        ["looks at a lock in vain, per fault of two", *(f"{row['spins']:.3f}" for row in measured.values())],
    ])


# Events of bench/guest/interrupts.c: what they are, and the most that they should cost.
INTERRUPTS = {
    "uart-read": ("a register of the UART, read", 350),
    "controller-read": ("one of the interrupt controller (IOAPIC, GICD, PLIC)", 350),
    "timer-running": ("timer, set, taken while the guest runs, and ended", 500),
    "timer": ("the same, due at once", 500),
    "device-interrupt": ("the UART's interrupt, with all accesses that it takes to have one", None),
    "halt-timer": ("halt, and its end by the timer, set before", 1200),
    "ipi": ("IPI to a vCPU that runs, both sides", 900),
    "ipi-halted": ("IPI to a vCPU that has halted, its halt, both sides", 2000),
}


def interrupts(results: dict) -> str:
    """What interrupts and devices cost, all exits of an event together."""
    measured = results["interrupts"]
    columns = [name for name in ("svm", "el2", "el2-gicv3", "h") if name in measured]
    return markdown(["event", *columns, "target"],
                    [[title, *(number(measured[backend][name]["all"]) for backend in columns), number(most)]
                     for name, (title, most) in INTERRUPTS.items()])


def several(results: dict) -> str:
    """What vCPUs of one VM cost each other, waiting apart."""
    measured = results["several"]

    def rest(backend: str, name: str) -> float:
        event = measured[backend]["events"][name]
        return event["profile"]["all"] - event["waiting"] - sum(event["profile"]["parts"].get(part, 0) for part in APART)

    def row(title: str, name: str, less: str | None = None) -> list[str]:
        return [title, *(number(rest(backend, name) - (rest(backend, less) if less else 0)) for backend in measured)]

    together = [run["events"]["fault-together"] for run in measured.values()]
    return markdown(["", *measured], [
        row("fresh 4 KiB fault, one vCPU", "fault-alone"),
        row("fresh 4 KiB fault, four at once", "fault-together"),
        ["of these, that found a lock taken", *(f"{event['waits']:.4f}" for event in together)],
        ["waiting for it, beside the above", *(number(event["waiting"]) for event in together)],
        row("YIELD, nobody wants the CPU", "yield"),
        row("YIELD to another vCPU of the VM", "switch"),
        row("of that, the switch", "switch", "yield"),
        row("the switch, FP used", "switch-fp", "yield"),
        row("discard of a page, one CPU", "discard-alone"),
        row("shoot-down on three others: the sender", "discard-shot", "discard-alone"),
        row("the same by PROTECT", "protect-shot", "protect-alone"),
        row("shoot-down: each of the others", "shot"),
        ["IPIs for a shoot-down", *(f"{run['ipis'] / run['shootdowns']:.1f}" if run["shootdowns"] else "none"
                                    for run in measured.values())],
    ])


def boot(results: dict) -> str:
    body = []
    for machine in dict.fromkeys(machine for machines in results["boot"].values() for machine in machines):
        cells = [machines.get(machine) for machines in results["boot"].values()]
        body.append([machine, *(f"{number(cell['own'])} of {number(cell['all'])}" if cell else "–" for cell in cells)])
    return markdown(["memory", *results["boot"]], body)


def crowd(results: dict) -> str:
    measured = results["crowd"]
    return markdown(["", *measured], [["VMs", *(number(cell["vms"]) for cell in measured.values())],
                                      ["KiB at most", *(number(cell["memory"] / 1024) for cell in measured.values())]])


def size(results: dict) -> str:
    body = []
    for isa, image in results["size"]["images"].items():
        owners = image["owners"]
        ours = sum(count for kind, count in owners.items() if kind == "ours, bytes")
        libraries = sum(count for kind, count in owners.items()
                        if kind.endswith(", bytes") and not kind.startswith(("ours", "guests")))
        zeroes = sum(count for kind, count in owners.items() if kind.endswith("zeroes"))
        body.append([isa, *(number(value) for value in (image["efi"], *image["sections"].values(), ours,
                                                        owners.get("guests, bytes", 0), libraries, zeroes))])
    return markdown(["ISA", "file", "text", "rodata", "relro", "data and bss", "ours", "guests", "libraries", "zeroes"], body)


def lines(results: dict) -> str:
    counted = results["size"]["lines"]
    return markdown(list(counted), [[number(count) for count in counted.values()]])


TABLES = {"events": events, "counter": counter, "policies": policies, "sequences": sequences, "once": once, "parts": parts,
          "host": host, "threads": threads, "interrupts": interrupts, "several": several, "boot": boot, "crowd": crowd, "size": size,
          "lines": lines}


def update(path: Path, results: dict) -> None:
    """Every table whose figures are there."""
    text = path.read_text()
    for name, make in TABLES.items():
        try:
            table = make(results)
        except KeyError:
            continue
        text = re.sub(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", lambda match: match[1] + table + match[2], text,
                      flags=re.S)
    path.write_text(text)
