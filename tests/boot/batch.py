# SPDX-License-Identifier: BSD-2-Clause
"""Several guests by one boot: what differs only in its guest shares the firmware's start, one [vm NAME] after the other.

Each waits for the one before it to end, so that it has the machine to itself as it would by a boot of its own, and its part of the
console is in one piece. There the lines bear its name, which is taken off.
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from backends import ALL_BACKENDS
from harness import Boot, Case, Result, boot, load_reports

# Options of run-qemu.sh that are a VM's own, by their key in nestling.cfg. All others are the machine's.
VM_KEYS = {"--demo": "demo", "--guest": "guest", "--ram": "ram", "--policy": "policy", "--tracking": "tracking",
           "--memory-max": "memory_max", "--vcpus": "vcpus", "--pin": "pin", "--time-max": "time_max"}
MACHINE_OPTIONS = ("--host-ram", "--cpus")
# So many guests a boot: enough to make the firmware's part small, which is large in Bochs, and few enough to keep all CPUs at work.
MOST = {"vmx": 18, "svm-bochs": 18}
MOST_ELSEWHERE = 12
START = re.compile(r"^nestling: \[vm (\S+)\] starts", re.M)


def pairs(args: list[str]) -> list[tuple[str, str]] | None:
    """OPTION VALUE OPTION VALUE ...; None: they are not of that form."""
    return list(zip(args[::2], args[1::2])) if len(args) % 2 == 0 else None


def key(spec: Boot) -> tuple | None:
    """Boots of the same key can share one; None: this one is to be by itself."""
    options = pairs(spec.args)
    # What run-qemu.sh itself says, it says of a run.
    if any("run-qemu" in text for text in spec.text):
        return None
    if spec.alone or spec.bare or spec.typed or spec.after or spec.during or spec.report is None or spec.seconds is not None or options is None:
        return None
    if any(option not in VM_KEYS and option not in MACHINE_OPTIONS for option, _ in options):
        return None
    machine = tuple(sorted(pair for pair in options if pair[0] in MACHINE_OPTIONS))
    return spec.backend, machine, tuple(sorted(spec.env.items()))


def chunks(cases: list[Case]) -> list[list[Case]]:
    """As few boots as possible, of about the same length."""
    count = -(-len(cases) // MOST.get(cases[0].boots[0].backend, MOST_ELSEWHERE))
    return [cases[n::count] for n in range(count)]


def section(number: int, spec: Boot, own: Path, shared: Path) -> str:
    """The lines of nestling.cfg for one of them; its files are put beside it."""
    name = f"v{number}"
    lines = [f"[vm {name}]"] + ([f"after = v{number - 1}"] if number > 0 else [])
    for option, value in pairs(spec.args):
        if option not in VM_KEYS:
            continue
        if option == "--guest":
            source = Path(value.replace("{dir}", str(own)))
            value = f"\\{source.parent.name[:8]}-{source.name}" if source.parent != own else f"\\{name}"
            shutil.copyfile(source, shared / value[1:])
        lines.append(f"{VM_KEYS[option]} = {value}")
    return "\n".join(lines) + "\n"


def unnamed(name: str, text: str) -> str:
    """As if the VM were the only one: then its forks alone have a name, which begins with that of a VM by default."""
    text = re.sub(rf"^{name}: ", "", text, flags=re.M)
    text = re.sub(rf"^map: {name}, ", "map: ", text, flags=re.M)
    text = re.sub(rf"^((?:error: |warning: )?vm) {name}: ", r"\1: ", text, flags=re.M)
    return re.sub(rf"^((?:(?:error: |warning: )?vm )?){name}\.(\d+: )", r"\1guest.\2", text, flags=re.M)


def parts(console: str) -> dict[str, str]:
    """What was printed from each VM's start on, until the next one's. The first one's bill stands at the end of all."""
    pieces = START.split(console)
    if len(pieces) > 3:
        last, bill, rest = pieces[-1].rpartition(f"\nnestling: [vm {pieces[1]}] ")
        pieces[2], pieces[-1] = pieces[2] + bill + rest, (last + "\n" if bill else rest)
    return {name: unnamed(name, text) for name, text in zip(pieces[1::2], pieces[2::2])}


def status_of(own: dict, forks: list[dict]) -> int:
    """What run-qemu.sh ends with for such a VM by itself."""
    if any(report["outcome"] != "exited" for report in (own, *forks)):
        return 3
    return min(own["guest_status"], 255)


def boot_together(specs: list[Boot], directories: list[Path], shared: Path) -> list[Result | None]:
    """One boot for all, which have the same key. None: it did not get as far as this one."""
    names = [f"v{n}" for n in range(len(specs))]
    config = "".join(map(section, range(len(specs)), specs, directories, [shared] * len(specs)))
    (shared / "batch.cfg").write_text(config)
    (_, machine, _) = key(specs[0])
    backend = ALL_BACKENDS[specs[0].backend]
    args = ["--config", "{dir}/batch.cfg", *(word for pair in machine for word in pair)]
    ran = boot(replace(specs[0], args=args, seconds=backend.seconds + 15 * len(specs)), shared)
    printed = parts(ran.console)
    reports = [report for report in load_reports(shared / "report.json") if report]
    results = []
    for name in names:
        mine = [report for report in reports if report.get("name") == name]
        own = [report for report in mine if "forks" in report]
        if len(own) != 1 or name not in printed:
            results.append(None)
            continue
        forks = [report for report in mine if "forks" not in report]
        results.append(Result(status_of(own[0], forks), printed[name], own[0], forks, False))
    return results
