# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests of several CPUs, vCPUs and VMs: they work together where they should, and do not notice each other where they should not."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

from backends import BACKENDS, KINDS
from harness import EXITED, K, M, Case, Result, at_least, case

# CPUs of the machine that are tried; Bochs emulates two.
CPUS = {"svm": (1, 2, 4), "vmx": (1, 2), "el2": (1, 2, 4), "h": (1, 2, 4)}
MANY = {name: cpus[-1] for name, cpus in CPUS.items()}

# --- The demos ---------------------------------------------------------------------------------------------------------


def smp_demo(backend: str, cpus: int, vcpus: int = 4, slow: bool = False) -> Case:
    report = EXITED | {"demo": "smp", "vcpus": vcpus, "shootdowns": at_least(1 if vcpus > 1 and cpus > 1 else 0)}
    return case(f"{backend}/smp/demo-{cpus}-{vcpus}", "--demo", "smp", "--ram", "256M", "--cpus", str(cpus), "--vcpus", str(vcpus),
                report=report, forbid=(r"FAILED",), slow=slow, text=(
                    rf"^(\S+: )?smp: {vcpus} vCPUs? and ", r"smp: share .*none lost$", r"smp: feet ", r"smp: fill .*\d+ pages of the others looked at$",
                    r"smp: every byte is what it should be$"))


SHARE = re.compile(r"neighbours: the (first|second|hog): (\d+)% of a CPU")


def judge_shares(least: int, most: int):
    def after(_: Path, result: Result) -> list[str]:
        shares = {who: int(share) for who, share in SHARE.findall(result.console)}
        if set(shares) != {"first", "second", "hog"}:
            return [f"shares were told of {sorted(shares)}"]
        return [f"the {who} got {share}% of a CPU, not {least} to {most}%" for who, share in shares.items()
                if not least <= share <= most]

    return after


def neighbours(backend: str, cpus: int, slow: bool) -> Case:
    least, most = (28, 40) if cpus == 1 else (80, 101)
    return case(f"{backend}/smp/neighbours-{cpus}", "--demo", "neighbours", "--ram", "256M", "--cpus", str(cpus), report=EXITED, forks=2,
                forbid=(r"FAILED",), slow=slow, after=judge_shares(least, most))


def crowd(backend: str) -> Case:
    return case(f"{backend}/smp/crowd", "--demo", "crowd", "--ram", "64M", "--host-ram", "512M", "--cpus", "1", forks=None, max_log=3000,
                seconds=600, forbid=(r"FAILED",), report=EXITED | {"forks": at_least(1000)}, fork={"memory_peak": lambda size: size <= 96 * K},
                text=(r"^crowd: \d{4} VMs beside this one, each promised 64 MiB: ",))


def demos() -> list[Case]:
    out = []
    for name in KINDS:
        out += [smp_demo(name, cpus, slow=(name, cpus) in (("vmx", 1), ("el2", 1), ("h", 2))) for cpus in CPUS[name]]
        out += [smp_demo(name, MANY[name], 1, slow=True), smp_demo(name, MANY[name], 16, slow=name != "h")]
        # Nobody else wants a vCPU's CPU, so one that waits stays there, and is to hear of shoot-downs all the same.
        out.append(smp_demo(name, 2, 2, slow=name in ("svm", "el2", "h")))
        out.append(neighbours(name, 1, slow=name == "vmx"))
        if MANY[name] > 2:
            out.append(neighbours(name, MANY[name], slow=name != "svm"))
        out.append(crowd(name))
    out.append(smp_demo("svm", 16, 16, slow=True))
    return out


# --- Guests of several vCPUs -------------------------------------------------------------------------------------------

# name: vCPUs, status, report, text, forks
GUESTS = {
    "cpu_start": (4, 0, EXITED, (r"cpu_start: 4 vCPUs, 300 starts$",), 0),
    "cpu_off": (4, 0, EXITED, tuple(rf"cpu_off: vCPU {n} stops$" for n in range(4)), 0),
    "smp_exit": (4, 42, {"outcome": "exited", "guest_status": 42}, (r"smp_exit: vCPU 3 ends it$",), 0),
    "smp_crash": (4, 3, {"outcome": "crashed"}, (r"smp_crash: here it comes, on vCPU 3$",), 0),
    "smp_fork": (4, 0, EXITED, tuple(rf"smp_fork: child {n}: all vCPUs went on$" for n in range(1, 5)), None),
    "smp_stale": (2, 0, EXITED, (r"smp_stale: 50 pages given back: 0 old values, 0 values of others$",), 4),
    "smp_state": (4, 0, EXITED, (), 0),
}


def smp_guest(backend: str, name: str, cpus: int, slow: bool) -> Case:
    vcpus, status, report, text, forks = GUESTS[name]
    if (Path(__file__).parents[1] / f"guests/{name}.c").read_text().count("return check_status"):
        text += (rf"{name}: all as it should be$",)
    return case(f"{backend}/smp/{name}-{cpus}", "--guest", BACKENDS[backend].guest(name), "--ram", "64M", "--cpus", str(cpus), "--vcpus",
                str(vcpus), status=status, report=report, text=text, forks=forks, forbid=(r"FAILED",), slow=slow)


def guests() -> list[Case]:
    out = []
    for name in KINDS:
        for guest in GUESTS:
            out.append(smp_guest(name, guest, MANY[name], False))
            out.append(smp_guest(name, guest, 1, name == "vmx" or guest not in ("smp_state", "cpu_start")))
        # One VM's registers are not another's, however often the CPU goes to and fro.
        out.append(case(f"{name}/smp/keep_state", "--guest", BACKENDS[name].guest("keep_state"), "--ram", "64M", "--cpus", "1", forks=1,
                        report=EXITED | {"preemptions": at_least(5)}, forbid=(r"FAILED",), text=(r"keep_state: all as it should be$",)))
    return out


# --- VMs beside each other ---------------------------------------------------------------------------------------------


def sections(backend: str, cpus: int, vms: dict[str, str], head: str = ""):
    """Writes a configuration: for each VM's name its lines, of which guest = NAME means a guest of the tests."""

    def write(directory: Path) -> None:
        text = f"cpus = {cpus}\nram = 64M\n{head}"
        for name, lines in vms.items():
            text += f"[vm {name}]\n"
            for line in lines.split("; "):
                key, value = line.split(" = ", 1)
                if key == "guest":
                    source = Path(BACKENDS[backend].guest(value))
                    (directory / source.name).write_bytes(source.read_bytes())
                    line = f"guest = \\{source.name}"
                text += line + "\n"
        (directory / "vms.cfg").write_text(text)

    return write


def reports_of(directory: Path) -> dict[str, dict]:
    """Each VM's report by its name; forked ones are left out."""
    lines = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
    return {line["name"]: line for line in lines if "forks" in line}


def side_by_side(name: str, vms: dict[str, str], outcomes: dict[str, str], cpus: int = 1, judge=None, head: str = "",
                 **more) -> Case:
    """Several VMs by one configuration: how each ends, and what `judge` makes of their reports."""
    backend = name.split("/")[0]

    def after(directory: Path, result: Result) -> list[str]:
        reports = reports_of(directory)
        errors = [f"{vm} is {reports.get(vm, {}).get('outcome')}, not {outcome}" for vm, outcome in outcomes.items()
                  if reports.get(vm, {}).get("outcome") != outcome]
        return errors + (judge(reports, result) if judge and not errors else [])

    return case(name, "--config", "{dir}/vms.cfg", "--cpus", str(cpus), files=sections(backend, cpus, vms, head), after=after,
                forbid=(r"FAILED",), **more)


WAITED = re.compile(r"^witness: witness: waited (\d+) us at most, got (\d+)% of a CPU$", re.M)
SLICE = 10000  # us


def judge_wait(others: int, counted: bool, slice_us: int = SLICE):
    """Nobody waits for longer than two slices of each of the others; which can be told where time goes by instructions."""

    def judge(_: dict, result: Result) -> list[str]:
        found = WAITED.search(result.console)
        if not found:
            return ["the witness has said nothing"]
        longest, share = map(int, found.groups())
        errors = [] if longest <= others * 2 * slice_us or not counted else [f"the witness waited for {longest} us, more than two slices"]
        return errors + ([] if share >= 100 // (others + 1) * 8 // 10 else [f"the witness got {share}% of a CPU only"])

    return judge


# Counted by instructions, so that other work of this host is not taken for the hypervisor's. Bochs has such a clock anyway; of x86_64
# in QEMU the firmware does not come to its end so.
COUNTED = {"NESTLING_QEMU_ARGS": "-icount shift=4,sleep=off"}


# The slice in microseconds, and the MiB of a call. RISC-V clears a large leaf by a few hundred thousand stores.
LONG = {"svm": (10000, 192), "vmx": (10000, 32), "el2": (2000, 320), "h": (4000, 320)}


def preemption() -> list[Case]:
    out = []
    for name in KINDS:
        # It leaves the guest far more often than it is interrupted, and goes on at once.
        out.append(case(f"{name}/smp/yield", "--guest", BACKENDS[name].guest("yield"), "--time-max", "1", status=3,
                        report={"outcome": "timed_out"}, text=(r"^yield: after you$", r"guest has used its time_max of 1\.000 s")))
        env = COUNTED if name in ("el2", "h") else {}
        for hostile in ("spin", "exception_loop"):
            out.append(side_by_side(f"{name}/smp/beside-{hostile}", {
                "witness": "guest = witness", "hostile": f"guest = {hostile}; time_max = 1"},
                {"witness": "exited", "hostile": "timed_out"}, status=3, report=EXITED, env=env, judge=judge_wait(1, name != "svm"), max_log=200,
                slow=name in ("vmx", "el2") and hostile == "exception_loop"))
        # A slice short enough that a call of so many pages that is not served in pieces lasts for several. The fork, or what is left
        # to do when it has ended, has a slice of its own.
        slice_us, size = LONG[name]
        out.append(side_by_side(f"{name}/smp/beside-long_calls", {
            "witness": "guest = witness; cmdline = ms=1500", "hostile":
                f"guest = long_calls; time_max = 3; ram = {size + 64}M; cmdline = mb={size}"},
            {"witness": "exited", "hostile": "timed_out"}, status=3, report=EXITED, env=env,
            judge=judge_wait(2, name != "svm", slice_us), max_log=1000, slow=True, head=f"slice = {slice_us // 1000}\n"))
    return out


# --- A witness beside each hostile guest -------------------------------------------------------------------------------

# So many hostile VMs beside one witness.
BESIDE = 8
# They ask for a machine of their own, or fill the console.
NOT_BESIDE = ("oom", "oom_sparse", "wild_hole", "debug_loop", "fork_bomb", "fake_report", "console", "libc")


def witnesses(table) -> list[Case]:
    """`table(backend)`: the hostile guests' names and outcomes. What the witness computes and costs is the same beside any of them."""
    out = []
    for name in KINDS:
        names = [guest for guest in table(name) if guest not in NOT_BESIDE]
        for number, first in enumerate(range(0, len(names), BESIDE)):
            some = {f"h{n}": guest for n, guest in enumerate(names[first:first + BESIDE])}
            vms = {"witness": "guest = witness; cmdline = ms=1500"} | {
                vm: f"guest = {guest}; ram = 1G; memory_max = 32M; time_max = 15" for vm, guest in some.items()}
            want = {"witness": "exited"} | {vm: table(name)[guest] for vm, guest in some.items()}

            def judge(reports: dict, result: Result) -> list[str]:
                own = reports["witness"]
                errors = [] if own["faults"]["handled"] < 150 else [f"the witness took {own['faults']} faults"]
                return errors + ([] if own["memory_peak"] < 2 * M else [f"the witness cost {own['memory_peak']} bytes"])

            out.append(side_by_side(f"{name}/smp/witness-{number}", vms, want, cpus=2, status=(0, 3), report=EXITED, judge=judge,
                                    text=(r"^witness: witness: all as it should be$",), max_log=1000,
                                    slow=name in ("vmx", "el2") and number > 0))
    return out


# --- Soak --------------------------------------------------------------------------------------------------------------

ENDS = ("exited", "crashed", "unmapped", "denied", "no_memory", "timed_out")


# Of the reports of VMs that end as they like.
ANY = {"outcome": lambda _: True, "guest_status": lambda _: True}
SECONDS, SEED = (int(os.environ.get(f"SOAK_{name}", default)) for name, default in (("SECONDS", 30), ("SEED", 1)))


def soak(backend: str, seconds: int = SECONDS, seed: int = SEED) -> Case:
    """VMs that come and go, in two fork trees, beside one that spins and one that uses all it may; the machine itself compares the free
    memory at the end with that at the start."""
    cpus = MANY[backend]
    # Twelve VMs a tree, of up to 16 MiB each: the first one, which sees the end, is not to meet the limit. The hog does.
    vms = {f"tree{n}": f"guest = soak; vcpus = {vcpus}; memory_max = 208M; time_max = {4 * seconds + 60}; cmdline = seconds={seconds} seed={seed * 10 + n}"
           for n, vcpus in enumerate((4, 1))}
    vms |= {"spin": f"guest = spin; time_max = {seconds / 8}", "hog": "guest = oom; memory_max = 8M",
            "again": "guest = oom; memory_max = 8M; after = hog"}

    def after(directory: Path, result: Result) -> list[str]:
        lines = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
        firsts = reports_of(directory)
        errors = [f"{vm} is {firsts.get(vm, {}).get('outcome')}" for vm in ("tree0", "tree1")
                  if (firsts.get(vm, {}).get("outcome"), firsts.get(vm, {}).get("guest_status")) != ("exited", 0)]
        errors += [f"{line['name']}, VM {line['vm']}: {line['outcome']}, {line['guest_status']}" for line in lines
                   if line["outcome"] not in ENDS or line["outcome"] == "exited" and line["guest_status"] != 0]
        return errors + ([] if len(lines) > seconds else [f"{len(lines)} VMs in {seconds} seconds"])

    return case(f"{backend}/smp/soak", "--config", "{dir}/vms.cfg", "--cpus", str(cpus), files=sections(backend, cpus, vms), after=after,
                forks=None, fork=ANY, forbid=(r"FAILED",), status=3, max_log=1 << 30, seconds=BACKENDS[backend].seconds + 10 * seconds, text=(r"tree0: soak: \d+ rounds, and nothing was lost$", r"tree1: soak: \d+ rounds, and nothing was lost$"))


QUICK_IN_BOCHS = ("vmx/smp/demo-2-2", "vmx/smp/yield")


# Not before `make test-all`: what takes minutes in Bochs, and crowd, which is a thousand reports.
def is_slow(case_: Case) -> bool:
    return case_.name.endswith("/crowd") or (case_.name.startswith("vmx/") and case_.name not in QUICK_IN_BOCHS)


# By the clock of this host, which other work would use up.
def is_timed(case_: Case) -> bool:
    return "/neighbours-" in case_.name or case_.name.startswith(("svm/smp/beside-", "svm/smp/witness-"))


def smp(table) -> list[Case]:
    out = demos() + guests() + preemption() + witnesses(table) + [soak(name) for name in KINDS]
    return [replace(one, slow=one.slow or is_slow(one), timed=is_timed(one)) for one in out]
