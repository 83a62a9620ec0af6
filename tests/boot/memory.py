# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests of what lazy memory can do: policies, zeros, forks, giving back, tracking, shortage, protection."""

from pathlib import Path

from backends import BACKENDS, KINDS
from harness import EXITED, FATAL, PAGE, G, K, M, Case, Result, at_least, below, case

POLICIES = ("64k", "2m", "auto")
TRACKING = ("hardware", "software")
ELSEWHERE = ("svm-uboot", "el2-uboot", "pi3")


def between(least: int, most: int):
    return lambda value: least <= value <= most


# --- The demos, each of which checks itself what it claims ---------------------------------------------------------------

# What a guest's own pages and its program may come to, beside those that it works on.
OWN = 64 * PAGE


def sized(backend: str) -> tuple[str, int]:
    """The guest's RAM, less on the slow emulator, and how much of it demos fill."""
    return ("64M", 32 * M) if backend == "vmx" else ("1G", 64 * M)


# The least that the firmware starts with.
SMALL_HOST = {"svm": "64M", "vmx": "48M", "el2": "128M", "el2-uboot": "64M", "h": "64M"}


def density(backend: str, *args: str, **more) -> Case:
    return demo(backend, "density", *args, **more, report={"handled.zero": at_least(1), "promoted": at_least(1)}, text=(
        r"^density: sequential +4k .* exits", r"^density: reading +auto .* 0 B resident",
        r"^density: in a row, 64k and auto take a quarter of the exits at most"))


def zeros(backend: str, *args: str, **more) -> Case:
    # 256 pages are written. All of RAM is read, which the slow emulator does for a smaller one.
    return demo(backend, "zeros", *args, **more, report={
        "resident": between(256 * PAGE, 256 * PAGE + OWN), "handled.unzero": at_least(256)},
        text=(r"^zeros: wrote 256 pages of it: 1(\.0)? MiB more$", r"^zeros: only what was written costs memory"))


def fork(backend: str, *args: str, **more) -> Case:
    _, filled = sized(backend)
    return demo(backend, "fork", *args, **more, forks=8, report={
        "forks": 8, "resident": between(filled, filled + 128 * PAGE + OWN), "shared": below(filled)}, fork={
        "resident": between(16 * PAGE, 16 * PAGE + OWN),
        "resident_peak": below(16 * PAGE + OWN), "shared": at_least(filled - 32 * PAGE)},
        text=tuple(rf"^guest\.{number}: fork: child {number} found the memory of its moment" for number in range(1, 9)) + (
            r"^fork: the parent has what it wrote itself$",))


def balloon(backend: str, *args: str, **more) -> Case:
    _, filled = sized(backend)
    return demo(backend, "balloon", *args, **more, report={
        "resident_peak": between(filled, filled + OWN), "resident": below(42 * PAGE + OWN),
        # Each page in place of zeros takes a flush, of two instructions on AArch64; giving back thousands takes one for some 500 of them.
        "discarded": 2 * filled - 42 * PAGE, "flush_instructions": below(2 * filled // PAGE + 160)},
        text=(r"^balloon: what was given back came again as zeros",))


def workingset(backend: str, *args: str, **more) -> Case:
    return demo(backend, "workingset", *args, **more, report={"split": at_least(1)},
                text=(r"^workingset: 4 KiB, idle: +accessed +0, estimate +0; written +0, estimate +0$",
                      r"^workingset: the estimate was the truth wherever it can be$"))


def pressure(backend: str, *args: str, **more) -> Case:
    return demo(backend, "pressure", "--host-ram", SMALL_HOST[backend], *args, **more, ram="256M", report={
        "reclaimed": at_least(4 * M), "faults.no_memory": 0, "handled.unzero": at_least(0)},
        forbid=(r"the host has room for all of that",), text=(r"^pressure: every page holds what it should$",))


def protect(backend: str, *args: str, **more) -> Case:
    # Three times a forbidden access to each of 32 pages.
    return demo(backend, "protect", *args, **more, report={"faults.denied": 96},
                text=(r"^protect: 96 forbidden accesses, each an exception of its own, and no other$",))


DEMOS = {"density": density, "zeros": zeros, "fork": fork, "balloon": balloon, "workingset": workingset,
         "pressure": pressure, "protect": protect}


def demo(backend: str, name: str, *args: str, report: dict, forbid=(), ram: str | None = None, tag: str = "",
         **more) -> Case:
    if "--policy" in args:
        # The guest's own pages and program come in larger pieces then; what it checks itself holds all the same.
        report = {name: want for name, want in report.items() if name in ("forks", "faults.denied", "faults.no_memory")}
        more.pop("fork", None)
    return case(f"{backend}/demo/{name}{tag}", "--demo", name, "--ram", ram or sized(backend)[0], *args,
                report=EXITED | {"demo": name} | report, forbid=(r"FAILED",) + forbid, **more)


def demos() -> list[Case]:
    out = [make(name, slow=(name, which) == ("vmx", "pressure")) for name in KINDS for which, make in DEMOS.items()]
    # The RAM of a Raspberry Pi is what it is: to run short of it takes long.
    out += [make(name, slow=True) for name in ELSEWHERE for which, make in DEMOS.items()
            if name in SMALL_HOST or which != "pressure"]
    # Every demo is to do without any particular policy of its surroundings, and with little RAM.
    for name in KINDS:
        for policy in POLICIES:
            out += [make(name, "--policy", policy, tag=f"-{policy}", slow=name != "el2" or policy != "auto")
                    for which, make in DEMOS.items()]
        out += [make(name, "--tracking", "software", tag="-software", slow=which != "workingset" or name == "el2")
                for which, make in DEMOS.items()]
    # The default CPU of AArch64 keeps no marks, and so goes by software anyway.
    out.append(workingset("el2", tag="-hardware", env=marking("el2", "hardware")))
    return out


# --- Policies and tracking ----------------------------------------------------------------------------------------------


def marking(backend: str, tracking: str) -> dict:
    """The environment for a CPU that keeps the marks of nested tables itself: few of AArch64's do."""
    return {"NESTLING_QEMU_ARGS": "-cpu max"} if backend == "el2" and tracking == "hardware" else {}


def kept(backend: str, tracking: str) -> str:
    """How marks are kept when `tracking` was asked for: no hart of this QEMU says that it keeps them."""
    return "software" if backend == "h" else tracking


def lazy() -> list[Case]:
    out = []
    for name in BACKENDS:
        # The largest leaves: for each page that is touched the block around it, or the 64 KiB.
        most = {"64k": 320 * 64 * K, "2m": 256 * M, "auto": 320 * 64 * K}
        out += [case(f"{name}/lazy/policy-{policy}", "--policy", policy, "--ram", "256M",
                     slow=name in ELSEWHERE or name == "vmx" and policy != "auto",
                     text=(r"^lazy: every page read as zeros",), report=EXITED | {
                         "policy": policy, "resident": between(320 * PAGE, most[policy] + OWN), "faults.no_memory": 0})
                for policy in POLICIES]
        out += [case(f"{name}/lazy/tracking-{tracking}", "--tracking", tracking, "--ram", "256M",
                     text=(r"^lazy: every page read as zeros",), env=marking(name, tracking),
                     report=EXITED | {"tracking": kept(name, tracking)},
                     slow=name in ELSEWHERE or (name, tracking) == ("vmx", "hardware"))
                for tracking in TRACKING if name not in ELSEWHERE or tracking == "software"]
    return out


# --- Test guests --------------------------------------------------------------------------------------------------------

AREA = r"area 0x\w+-0x\w+"  # of the one page
DENIED = {"outcome": "denied", "faults.denied": 1}

# As in cases.py: status, report, text, more arguments.
GUESTS = {
    "denied_write": (3, DENIED, (r"^denied_write: to 0x(\w+)$",
                                rf"^error: vm: guest write at 0x\w+, pc 0x\w+: {AREA} is r--$"), ()),
    "denied_exec": (3, DENIED, (rf"^error: vm: guest execution at 0x\w+, pc 0x\w+: {AREA} is rw-$",), ()),
    "denied_twice": (3, {"outcome": "crashed", "faults.denied": 1}, (r"^denied_twice: here it comes$",), ()),
    "hostile_calls": (0, EXITED | {"discarded": 0}, (), ("--ram", "256M")),
    "flush_count": (0, EXITED | {"flush_instructions": below(64)}, (), ("--ram", "64M")),
}


# A limit to what a VM costs, and what it costs of small pieces: reached by all ways that there are.
LIMIT = r"^error: vm: guest write at 0x\w+, pc 0x\w+: the VM's memory_max is reached: \d+ bytes of \d+ are used"
# What a VM costs that has no memory yet, and a few pages.
BARE = {"svm": "44K", "vmx": "44K", "el2": "48K", "h": "52K"}
LIMITED = {"outcome": "no_memory", "faults.no_memory": 1, "memory_max": 12 * M, "memory_peak": between(11 * M, 12 * M)}


# One limit for all forks together: at it, some are refused a call, others need a page that they do not get.
AT_LIMIT = {"outcome": lambda outcome: outcome in ("exited", "no_memory"), "guest_status": 0}


def tree_within(limit: int):
    """What the machine had free when each VM ended says what all others cost then."""

    def after(_: Path, result: Result) -> list[str]:
        free = [report["host_free"] for report in (result.report, *result.forks)]
        return [] if max(free) - min(free) <= limit else [f"the VMs cost {max(free) - min(free)} bytes together"]

    return after


def limits() -> list[Case]:
    out = []
    for name in KINDS:
        guest = BACKENDS[name].guest
        out += [case(f"{name}/limit/oom-{policy}", "--guest", guest("oom"), "--ram", "1G", "--memory-max", "12M", "--policy",
                     policy, status=3, report=LIMITED, text=(LIMIT,), slow=name == "vmx" and policy != "4k")
                for policy in ("4k", *POLICIES)]
        out += [
            case(f"{name}/limit/oom_sparse", "--guest", guest("oom_sparse"), "--ram", "256G", "--memory-max", "12M", status=3,
                 report=LIMITED, text=(LIMIT,)),
            case(f"{name}/limit/area_all", "--guest", guest("area_all"), "--ram", "8G", "--memory-max", "8M",
                 report=EXITED | {"memory_peak": between(7 * M, 8 * M), "memory_used": below(M), "faults.no_memory": 0},
                 forbid=(r"FAILED",), text=(r"^area_all: all as it should be$",)),
            case(f"{name}/limit/area_all-host", "--guest", guest("area_all"), "--ram", "8G", "--host-ram", SMALL_HOST[name],
                 report=EXITED | {"memory_peak": at_least(8 * M), "memory_used": below(M), "faults.no_memory": 0},
                 forbid=(r"FAILED",), text=(r"^area_all: all as it should be$",), slow=name != "h"),
            case(f"{name}/limit/fork_bomb", "--guest", guest("fork_bomb"), "--ram", "64M", "--memory-max", "1M", "--host-ram",
                 SMALL_HOST[name], forks=None, max_log=8000, slow=name == "vmx", forbid=(r"FAILED",), status=(0, 3), after=tree_within(M),
                 report=AT_LIMIT | {"forks": at_least(4)}, fork=AT_LIMIT),
            case(f"{name}/limit/load", "--guest", guest("oom"), "--ram", "64M", "--memory-max", BARE[name], status=3,
                 report={"outcome": "no_memory", "memory_peak": below(80 * K + 1), "exits.total": 0},
                 one_line=r"^error: vm: no frame left to load guest \S+ into: memory_max is \d+ KiB$"),
            case(f"{name}/limit/populate", "--demo", "hello", "--ram", "64M", "--memory-max", "16M", "--policy", "populate",
                 status=3, report={"outcome": "no_memory", "memory_peak": below(16 * M + 1)},
                 one_line=r"^error: vm: of the guest's RAM, 64 MiB are to be there from the start, and memory_max is 16 MiB$"),
            case(f"{name}/limit/nothing", "--demo", "hello", "--memory-max", "4K", status=3, report=None,
                 one_line=FATAL + r"memory_max = 4 KiB is less than what a VM costs that has no memory yet, ", slow=name != "svm"),
        ]
    out.append(case("svm/limit/zero", "--demo", "hello", "--memory-max", "0", status=2, report=None))
    return out


def forks() -> list[Case]:
    out = []
    for name in KINDS:
        guest = BACKENDS[name].guest
        out += [
            case(f"{name}/guest/wait_circle", "--guest", guest("wait_circle"), "--ram", "64M", forks=2, forbid=(r"FAILED",), slow=name == "vmx",
                 report=EXITED | {"forks": 2}, text=(r"guest waits for VMs that all wait for each other", r"wait_circle: number \d is gone$")),
            case(f"{name}/guest/fork_deep", "--guest", guest("fork_deep"), "--ram", "64M", forks=3, forbid=(r"FAILED",),
                 report=EXITED | {"forks": 3},
                 text=tuple(rf"^{f'guest.{n}: ' if n else ''}fork_deep: generation {n} has what it should$" for n in range(4))),
            case(f"{name}/guest/fork_state", "--guest", guest("fork_state"), "--ram", "64M", forks=3, forbid=(r"FAILED",),
                 report=EXITED | {"forks": 3}),
            case(f"{name}/guest/fork_bomb", "--guest", guest("fork_bomb"), "--ram", "64M", "--host-ram", SMALL_HOST[name], forks=None,
                 max_log=4000, slow=name == "vmx", forbid=(r"FAILED",), report=EXITED | {"forks": at_least(1)},
                 text=(r"^fork_bomb: (refused|enough) at number",)),
            case(f"{name}/guest/fork_no_memory", "--guest", guest("fork_no_memory"), "--ram", "256M", "--host-ram",
                 SMALL_HOST[name], forks=1, forbid=(r"FAILED",), report=EXITED | {"forks": 1},
                 slow=name == "vmx", text=(r"^fork_no_memory: all as it should be$",)),
        ]
        out.append(case(f"{name}/guest/dead_parent", "--guest", guest("dead_parent"), "--ram", "1G", "--host-ram",
                        SMALL_HOST[name], forks=1, forbid=(r"FAILED",), report=EXITED | {"forks": 1, "reclaimed": 0},
                        fork={"reclaimed": 0}, slow=name == "vmx", text=(r"^guest\.1: dead_parent: all as it should be$",)))
        for tracking in TRACKING:
            out.append(case(f"{name}/guest/stale-{tracking}", "--guest", guest("stale"), "--ram", "64M", "--tracking",
                            tracking, forks=6, forbid=(r"FAILED",), env=marking(name, tracking),
                            report=EXITED | {"forks": 6, "tracking": kept(name, tracking)},
                            text=(r"^stale: all as it should be$",),
                            slow=tracking == "hardware" and name in ("vmx", "h")))
    for name in ("svm", "el2", "h"):
        out.append(case(f"{name}/guest/flush_count-1G", "--guest", BACKENDS[name].guest("flush_count"), "--ram", "1G",
                        report=EXITED | {"flush_instructions": below(640), "handled.zero": at_least(262000)},
                        forbid=(r"FAILED",), text=(r"^flush_count: 26\d{4} pages given back, \d{1,3} flush instructions$",)))
    return out


def memory() -> list[Case]:
    return demos() + lazy() + limits() + forks()
