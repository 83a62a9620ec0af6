# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests of Debian's own kernels: what a person would do with one."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from backends import BACKENDS, ROOT
from harness import EXITED, Case, Result, at_least, case

# A boot is some billion instructions, and Bochs is the slowest to execute them.
SECONDS = {"vmx": 1800, "pi3": 600}
# Not what tells of time alone, as stalls: it passes while this host has other work.
FORBIDDEN = (r"Kernel panic", r"\bOops\b", r"Unable to handle", r"nobody cared", r"not found$")
RELEASE = r"6\.\d+\.\d+\+deb\d+-"
UNAME = rf"^Linux nestling {RELEASE}\S+ .* GNU/Linux$"
# By the control page, and by Linux's own account.
MEMORY = (r"^promised +1048576 KiB  .*, \d{6,7} of it Linux's", r"^used +\d{5,6} KiB  ", r"^resident +\d{5,6} KiB  ", r"^costs +\d{5,6} KiB  ")
INTERRUPTS = r"^ +CPU0 "
TIMER = {"x86_64": r"^ *LOC: +[1-9]\d", "aarch64": r"^ *\d+: +[1-9]\d.*arch_timer", "riscv64": r"^ *\d+: +[1-9]\d.*riscv-timer"}
CONSOLE = {"x86_64": "ttyS0", "aarch64": "ttyAMA0", "riscv64": "ttyS0"}
OFF = r"reboot: Power down"
# The control page's figure 12, USED, in KiB: docs/guest-abi.md.
USED = {isa: f"{page + 0x200 + 8 * 12:#x}" for isa, page in (("x86_64", 0xfea00000), ("aarch64", 0x9100000), ("riscv64", 0x9100000))}
FILE = 48 << 20
# What an idle one costs at most, 1 GiB promised, in KiB. What amd64 has above that is its kernel, which unpacks itself.
IDLE_MOST = {"x86_64": 55000, "aarch64": 55000, "riscv64": 45000}


def linux(backend: str, name: str, *args: str, text: tuple[str, ...] = (), **boot) -> Case:
    boot.setdefault("seconds", SECONDS.get(backend, 300))
    boot.setdefault("report", EXITED)
    return case(f"{backend}/debian/{name}", *args, text=text, forbid=FORBIDDEN, max_log=100, **boot)


def shell(backend: str, slow: bool) -> Case:
    """What is typed before there is a shell is the shell's."""
    isa = BACKENDS[backend].isa
    return linux(backend, "shell", "--linux", typed=b"uname -a; nestling-memory; cat /proc/interrupts\npoweroff -f\n", slow=slow,
                 report=EXITED | {"guest_ram": 1 << 30, "interrupts": at_least(10)},
                 text=(rf"^linux: {RELEASE}\S+ on {isa}, 1 CPU: ", UNAME, *MEMORY, INTERRUPTS, TIMER[isa], OFF))


def on_hvc0(backend: str, slow: bool) -> Case:
    """The same by a virtio console: what is typed before anybody has opened it comes, too."""
    return linux(backend, "hvc0", "--linux", "--console", "virtio", typed=b"tty; stty -a\npoweroff -f\n", slow=slow, report=EXITED,
                 text=(r"^/dev/hvc0$", r"isig icanon", OFF))


def commands(backend: str, cpus: int, slow: bool) -> Case:
    """Of several vCPUs, by the kernel's command line."""
    isa = BACKENDS[backend].isa
    run = f'console={CONSOLE[isa]} run="nproc; cat /proc/interrupts; for i in $(seq {cpus}); do (taskset -c $((i - 1)) md5sum /bin/busybox) & done; wait"'
    return linux(backend, f"vcpus-{cpus}", "--linux", "--vcpus", str(cpus), "--cpus", str(cpus), "--cmdline", run, slow=slow,
                 report=EXITED | {"vcpus": cpus},
                 text=(rf"^linux: .*, {cpus} CPU: ", rf"^{cpus}$", rf"^ +CPU0 .* CPU{cpus - 1} *$", TIMER[isa], OFF),
                 after=lambda _, result: sums(result.console, cpus))


def sums(console: str, wanted: int) -> list[str]:
    found = re.findall(r"^([0-9a-f]{32})  /bin/busybox$", console, re.M)
    return [] if len(found) == wanted and len(set(found)) == 1 else [f"sums are {found}"]


def sums_of_vms(console: str, wanted: int) -> list[str]:
    """One of each VM. A line that another VM's has cut short, be it before its very end, comes once more as a whole."""
    found = set(re.findall(r"^((?:guest\.\d+: )?)([0-9a-f]{32,64})  /bin/busybox$", console, re.M))
    return [] if len(found) == wanted and len({one for _, one in found}) == 1 else [f"sums are {sorted(found)}"]


def full(size: int) -> str:
    """A file of that many bytes at least, and no zeros: those would be taken back by themselves."""
    return f"for i in $(seq {size // 1600000 + 1}); do cat /bin/busybox; done >/x"


def give_back(backend: str, slow: bool) -> Case:
    """What is freed is the host's again: a file in memory, as large as most of what is touched."""
    run = (f'console={CONSOLE[BACKENDS[backend].isa]} quiet run="ls -d /lib/modules; {full(FILE)}; '
           'nestling-memory; rm /x; sleep 12; nestling-memory; grep virtio /proc/interrupts"')

    def after(_: Path, result: Result) -> list[str]:
        most = result.report["resident_peak"] - FILE * 2 // 3
        return [] if result.report["resident"] <= most else [f"resident is {result.report['resident']}, more than {most}"]

    return linux(backend, "give-back", "--linux", "--cmdline", run, slow=slow, after=after,
                 report=EXITED | {"resident_peak": at_least(FILE), "reported": at_least(FILE * 2 // 3), "inflated": 0},
                 text=(r"ls: /lib/modules: No such file", r"^ *\d+: +[1-9]\d* .*virtio0", OFF))


def fill(backend: str) -> Case:
    """Two minutes in the life of one: idle, when it costs little, then 600 MiB of files and of a process, then idle as before."""
    isa = BACKENDS[backend].isa
    run = (f'console={CONSOLE[isa]} quiet run="sleep 60; nestling-memory; {full(300 << 20)}; '
           'dd if=/x of=/dev/null bs=300M count=1; rm /x; sleep 60; nestling-memory -v"')

    def after(_: Path, result: Result) -> list[str]:
        before, then = (int(kib) for kib in re.findall(r"^resident +(\d+) KiB", result.console, re.M))
        errors = [] if before <= IDLE_MOST[isa] else [f"resident is {before} KiB when it is idle, more than {IDLE_MOST[isa]}"]
        return errors + ([] if then <= before * 1.05 else [f"resident is {then} KiB, more than 5% over {before}"])

    return linux(backend, "fill", "--linux", "--host-ram", "1G", "--cmdline", run, slow=True, after=after, seconds=SECONDS.get(backend, 900),
                 report=EXITED | {"resident_peak": at_least(600 << 20)},
                 text=(r"^ +\d+ KiB  the kernel's code and data", r"^ +(\d+ KiB  the rest: |-\d+ KiB  that is not there of these: )", OFF))


NEIGHBOURS = """cpus = 2
[vm first]
guest = \\kernel
initrd = \\initrd
cmdline = 'console={console} run="uname -a; nestling-memory"'
[vm second]
guest = \\kernel
initrd = \\initrd
cmdline = 'console={console} run="nestling-memory; uname -a"'
[vm small]
demo = lazy
"""


def neighbours(backend: str, slow: bool) -> Case:
    """Two of them and a guest of ours, each with its console. They share their kernel's file, the same for both."""
    isa = BACKENDS[backend].isa

    def files(directory: Path) -> None:
        for name in ("kernel", "initrd"):
            shutil.copyfile(ROOT / "build/linux" / isa / name, directory / name)
        (directory / "three.cfg").write_text(NEIGHBOURS.format(console=CONSOLE[isa]))

    def after(directory: Path, _: Result) -> list[str]:
        reports = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
        found = {report["name"]: report["outcome"] for report in reports}
        errors = [] if found == dict.fromkeys(("first", "second", "small"), "exited") else [f"outcomes are {found}"]
        return errors + [f"{report['name']} shares only {report['file_bytes']} bytes of files" for report in reports
                         if report["name"] != "small" and report["file_bytes"] < 14 << 20]

    uname = UNAME[1:]
    return linux(backend, "neighbours", "--config", "{dir}/three.cfg", "--host-ram", "1G", "--cpus", "2", files=files, after=after, slow=slow,
                 report=EXITED | {"vms": 3, "vms_failed": 0},
                 text=(rf"^first: {uname}", rf"^second: {uname}", r"^first: promised ", r"^second: promised ",
                       r"^small: lazy: every page read as zeros"))


def different(console: str, wanted: int) -> list[str]:
    """Of what each machine has drawn as random bytes, no two are the same."""
    found = set(re.findall(r"^((?:guest\.\d+: )?)random (.+)$", console, re.M))
    return [] if len({drawn for _, drawn in found}) == len(found) == wanted else [f"random bytes are {sorted(found)}"]


def clones(backend: str, slow: bool) -> Case:
    """Copies of one that runs, made in its middle; each asks who it is, and the last one makes another. What each costs is what it writes.
    Each is told that it is a copy, and its random numbers are its own."""
    isa = BACKENDS[backend].isa
    run = (f'console={CONSOLE[isa]} run="n=$(nestling-fork -n); echo I am $n; md5sum /bin/busybox; [ $n != 2 ] || echo child $(nestling-fork); '
           'cat /sys/class/misc/hw_random/rng_current; echo random $(head -c 8 /dev/urandom | md5sum)"')

    def after(directory: Path, result: Result) -> list[str]:
        errors = sums_of_vms(result.console, 3) + different(result.console, 4)
        costs = [report["memory_used"] for report in result.forks]
        return errors + [f"a clone costs {cost} bytes" for cost in costs if cost > 4 << 20]

    return linux(backend, "clones", "--linux", "--clones", "2", "--cpus", "2", "--vcpus", "2", "--cmdline", run, slow=slow, forks=3, after=after,
                 text=(r"^I am 0$", r"^guest\.1: I am 1$", r"^guest\.2: I am 2$", r"^guest\.2: child 3$", r"^guest\.3: child 0$", OFF,
                       r"^vm: forked: guest\.2$", r"^virtio_rng\.0$",
                       *(rf"^guest\.{n}: .*random: crng reseeded due to virtual machine fork" for n in (1, 2, 3))))


def sixteen(backend: str) -> Case:
    """Copies that each read a file and wait: what each costs then, all of it."""
    isa = BACKENDS[backend].isa
    run = f'console={CONSOLE[isa]} quiet run="sha256sum /bin/busybox; echo used $(devmem {USED[isa]}); sleep 5"'

    def after(_: Path, result: Result) -> list[str]:
        costs = dict(re.findall(r"^(guest\.\d+): used (0x[0-9A-F]+)$", result.console, re.M))
        errors = sums_of_vms(result.console, 17) + ([] if len(costs) == 16 else [f"only {len(costs)} say what they cost"])
        return errors + [f"{name} costs {int(cost, 16)} KiB" for name, cost in costs.items() if int(cost, 16) > 3 << 10]

    return linux(backend, "clones-16", "--linux", "--clones", "16", "--cpus", "2", "--cmdline", run, slow=True, forks=16, after=after, text=(OFF,))


# What each kernel needs to boot, in MiB, and that of some ten clones.
STORM_MOST = {"x86_64": 92, "aarch64": 80, "riscv64": 98}
STORM = """cpus = 2
[vm calm]
guest = \\kernel
initrd = \\initrd
cmdline = 'console={console} quiet run="sleep 20; md5sum /bin/busybox; nestling-memory"'
[vm storm]
guest = \\kernel
initrd = \\initrd
memory_max = {most}M
cmdline = 'console={console} quiet run="for i in 1 2 3 4 5 6; do nestling-fork -n; nestling-fork; done; sleep 5"'
[vm late]
demo = lazy
ram = 224M
policy = populate
after = storm
"""


def storm(backend: str) -> Case:
    """Clones of clones of clones, until there is no memory: those that get none are told, or end, in so many words; their neighbour goes on,
    and all that they had is there for who comes later."""
    isa = BACKENDS[backend].isa

    def files(directory: Path) -> None:
        for name in ("kernel", "initrd"):
            shutil.copyfile(ROOT / "build/linux" / isa / name, directory / name)
        (directory / "storm.cfg").write_text(STORM.format(console=CONSOLE[isa], most=STORM_MOST[isa]))

    def after(directory: Path, result: Result) -> list[str]:
        reports = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
        found = {name: [report["outcome"] for report in reports if report["name"] == name] for name in ("calm", "storm", "late")}
        starved = found["storm"].count("no_memory")
        told = len(re.findall(r"^error: vm storm(?:\.\d+)?: guest .*: the VM's memory_max is reached: ", result.console, re.M))
        refused = len(re.findall(r"nestling-fork: there is no memory for a copy$", result.console, re.M))
        errors = [] if found["calm"] == found["late"] == ["exited"] else [f"the neighbours' outcomes are {found['calm']}, {found['late']}"]
        errors += [] if len(found["storm"]) > 10 else [f"only {len(found['storm'])} clones"]
        errors += [] if set(found["storm"]) <= {"exited", "no_memory"} else [f"outcomes are {set(found['storm'])}"]
        errors += [] if starved + refused > 0 else ["memory was never short"]
        return errors + ([] if told == starved else [f"{starved} had no memory, {told} of them are told of"])

    spec = linux(backend, "storm", "--config", "{dir}/storm.cfg", "--host-ram", "512M", "--cpus", "2", files=files, after=after, slow=True, status=(0, 3), seconds=900,
                 text=(r"^calm: [0-9a-f]{32}  /bin/busybox$", r"^late: lazy: every page read as zeros"))
    spec.boots[0].max_log = 2000
    return spec


def stuck(backend: str) -> Case:
    """A kernel that has crashed, and has no way to say so, stays where it is for ever: its time is up one day."""
    isa = BACKENDS[backend].isa
    forget = "rmmod pvpanic_mmio; " if isa == "x86_64" else ""
    run = f'console={CONSOLE[isa]} run="{forget}echo c >/proc/sysrq-trigger"'
    spec = linux(backend, "stuck", "--linux", "--time-max", "90", "--cmdline", run, slow=True, status=3, report={"outcome": "timed_out"},
                 text=(r"Kernel panic - not syncing", r"^error: vm: guest has used its time_max of 90\.000 s and is stopped at pc 0xffff"))
    spec.boots[0].forbid = (r"nestling: panic",)
    return spec


def panics(backend: str, slow: bool) -> Case:
    """One that has the driver says so. What it printed last is told once more."""
    spec = linux(backend, "panics", "--linux", "--cmdline", 'console=ttyS0 run="echo c >/proc/sysrq-trigger"', slow=slow, status=3,
                 report={"outcome": "crashed", "reboots": 0},
                 text=(r"Kernel panic - not syncing: sysrq triggered crash", r"^error: vm: guest's kernel says that it has panicked, at pc 0xffff",
                       r"^error: vm: what it printed last:$", r"^error: vm:   \| .*</TASK>"))
    spec.boots[0].forbid = (r"nestling: panic", r"end Kernel panic")
    return spec


def panics_and_reboots(backend: str) -> Case:
    """One that is to reboot after a panic does that, the driver or not. Here it unpacks itself, too."""

    def files(directory: Path) -> None:
        for name in ("kernel", "initrd"):
            shutil.copyfile(ROOT / "build/linux" / BACKENDS[backend].isa / name, directory / name)
        (directory / "one.cfg").write_text("guest = \\kernel\ninitrd = \\initrd\non_reboot = end\nunpack = off\n"
                                           "cmdline = 'console=ttyS0 panic=1 run=\"echo c >/proc/sysrq-trigger\"'\n")

    spec = linux(backend, "panics-and-reboots", "--config", "{dir}/one.cfg", files=files, slow=True,
                 text=(r"Kernel panic - not syncing: sysrq triggered crash", r"Rebooting in 1 seconds"))
    spec.boots[0].forbid = (r"nestling: panic", r"says that it has panicked")
    return spec


def on_a_board(backend: str, slow: bool) -> Case:
    """From the image that a board is flashed with."""
    isa = BACKENDS[backend].isa
    image = ROOT / "build" / isa / "nestling-linux.img"

    def files(_: Path) -> None:
        subprocess.run(["make", "-C", ROOT, "image", f"ARCH={isa}", "LINUX=1"], check=True, capture_output=True, env=os.environ | {"MAKEFLAGS": ""})

    return linux(backend, "image", "--image", str(image), typed=b"uname -a\npoweroff -f\n", files=files, slow=slow,
                 report=EXITED | {"guest_ram": 1 << 30}, text=(rf"^linux: {RELEASE}\S+ on {isa}, 1 CPU: ", UNAME, OFF))


def linuxes() -> list[Case]:
    out = [shell(name, slow) for name, slow in (("h", False), ("el2", False), ("svm", False), ("pi3", True), ("el2-uboot", True), ("vmx", True))]
    out += [on_hvc0(name, slow) for name, slow in (("h", False), ("el2", True), ("svm", True))]
    out += [commands(name, cpus, slow) for name, cpus, slow in (("h", 4, False), ("el2", 4, True), ("svm", 4, True), ("pi3", 4, True), ("vmx", 2, True))]
    out += [give_back(name, slow) for name, slow in (("h", False), ("el2", False), ("svm", False), ("pi3", True), ("vmx", True))]
    out += [fill(name) for name in ("h", "el2", "svm", "vmx")]
    out += [neighbours(name, slow) for name, slow in (("h", True), ("el2", True), ("svm", True), ("vmx", True))]
    out += [on_a_board(name, slow) for name, slow in (("h", False), ("el2", True), ("pi3", True), ("svm", True))]
    out += [panics("svm", False), panics("vmx", True), panics_and_reboots("svm")]
    out += [clones(name, slow) for name, slow in (("h", False), ("el2", False), ("svm", True), ("pi3", True), ("vmx", True))]
    out += [sixteen(name) for name in ("h", "el2", "svm")]
    out += [storm(name) for name in ("h", "el2", "svm")]
    return out + [stuck(name) for name in ("h", "el2", "svm")]
