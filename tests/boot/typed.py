# SPDX-License-Identifier: BSD-2-Clause
"""What is typed on the machine's console: it comes to a VM, or to the monitor; and guests that reboot."""

import json
import shutil
from pathlib import Path

from backends import BACKENDS, KINDS
from harness import EXITED, Case, Result, at_least, case

LONG = "a line of more than sixteen bytes, which is what the FIFO of a UART has room for"

# On one CPU, with one that never gives it away. All of it is typed at once; the last VM gets what is behind `switch`.
THREE = """ram = 16M
[vm web]
guest = \\echo.elf
[vm db]
guest = \\echo.elf
[vm hog]
guest = \\spin.elf
"""
ORDERS = b"\x1dlist\npause hog\nl\nmap web\ngo hog\nfrob\nend hog\nend web\nlist\nswitch db\nyes\nend\n"


def guests(backend: str, config: str, *names: str):
    def files(directory: Path) -> None:
        (directory / "a.cfg").write_text(config)
        for name in names:
            shutil.copyfile(BACKENDS[backend].guest(name), directory / f"{name}.elf")

    return files


def echo(backend: str, slow: bool) -> Case:
    return case(f"{backend}/typed/echo", "--guest", BACKENDS[backend].guest("echo"), typed=f"hello\n{LONG}\nend\n".encode(), slow=slow,
                report=EXITED, text=(r'^echo: heard "hello"$', rf'^echo: heard "{LONG}"$', r"^echo> end$", r"^echo: 3 lines$"))


def virtio_console(backend: str, slow: bool) -> Case:
    """What is typed comes by the virtio console, once that has a driver; a fork has one, too."""
    says = [rf"^virtio_console: it says {line}$" for line in ("hello", LONG, "fork", "end")]
    return case(f"{backend}/typed/virtio-console", "--guest", BACKENDS[backend].guest("virtio_console"), "--console", "virtio", slow=slow,
                typed=f"hello\n{LONG}\nfork\nend\n".encode(), report=EXITED, forks=1, forbid=("FAILED", "\r$"),
                text=(r"^virtio_console: ready$", *says, r"virtio_console: child prints$", r"virtio_console: parent prints$",
                      r"^virtio_console: all as it should be$"))


def monitor(backend: str, slow: bool) -> Case:
    def after(directory: Path, result: Result) -> list[str]:
        reports = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
        found = {report["name"]: report["outcome"] for report in reports}
        return [] if found == dict.fromkeys(("web", "db", "hog"), "exited") else [f"outcomes are {found}"]

    return case(f"{backend}/typed/monitor", "--config", "{dir}/a.cfg", typed=ORDERS, slow=slow, max_log=150, after=after,
                files=guests(backend, THREE, "echo", "spin"), report=EXITED | {"vms": 3, "vms_failed": 0},
                text=(r"^monitor: > list$", r"^monitor:   0 web          runs   \d+ KiB of 16 MiB, \d+\.\d{3} s, has the keyboard$",
                      r"^monitor:   2 hog          paused ", r"^map: web, ", r'^monitor: "frob" is no command: help lists them$',
                      r"^monitor: the keyboard is db's$", r'^db: echo: heard "yes"$', r"^db: echo: 2 lines$"),
                forbid=(r"^(web|hog): echo: heard",))


def forked(backend: str, slow: bool) -> Case:
    """A guest that waits for what is typed, and knows of nothing: its fork goes on without it."""
    orders = b"\x1dfork\nend 0\nswitch 1\nto the fork\nend\n"
    return case(f"{backend}/typed/forked", "--guest", BACKENDS[backend].guest("echo"), typed=orders, slow=slow, report=EXITED, forks=1,
                max_log=60, text=(r"forked: guest\.1$", r'^guest\.1: echo: heard "to the fork"$', r"^guest\.1: echo: 2 lines$"))


def too_dear(backend: str) -> Case:
    """What is left of memory_max is too little for a fork: that is what is told, not how much the host has."""
    return case(f"{backend}/typed/too-dear", "--guest", BACKENDS[backend].guest("echo"), "--memory-max", "108K", typed=b"\x1dfork\n\nend\n",
                report=EXITED, text=(r"not forked: memory_max is 108 KiB$", r"^echo: 1 line"))


def quits(backend: str, slow: bool) -> Case:
    return case(f"{backend}/typed/quit", "--guest", BACKENDS[backend].guest("spin"), typed=b"\x1dquit\n", slow=slow, report=EXITED,
                text=(r"^monitor: all VMs end$",))


def reboots(backend: str) -> list[Case]:
    guest = BACKENDS[backend].guest("reboot")
    storm = "guest = \\reboot.elf\nram = 64M\ncmdline = storm\ntime_max = 0.2\n"
    return [
        case(f"{backend}/reboot/twice", "--guest", guest, "--ram", "64M", "--vcpus", "2", "--cpus", "2", forks=3, max_log=100,
             report=EXITED | {"reboots": 2},
             text=(r"^reboot: life 3$", r"^reboot: all as it should be$", r"^guest\.1: reboot: a child has what it was forked with$")),
        # It has the time that it is allowed and no more, and the host has all of its memory back: machine_run panics otherwise.
        case(f"{backend}/reboot/storm", "--config", "{dir}/a.cfg", status=3, files=guests(backend, storm, "reboot"),
             report={"outcome": "timed_out", "reboots": at_least(2)}, text=(r"further reboots are not logged$",)),
        case(f"{backend}/reboot/end", "--config", "{dir}/a.cfg", slow=True,
             files=guests(backend, storm + "on_reboot = end\n", "reboot"), report=EXITED | {"reboots": 0}),
    ]


def typed() -> list[Case]:
    # All of its vCPUs wait, for nothing but what is typed.
    out = [case("h/typed/listens", "--guest", BACKENDS["h"].guest("listens"), typed=f"{LONG[:50]}\n".encode(), report=EXITED,
                text=(r"^listens: type a line> $", rf'^listens: heard "{LONG[:50]}"$', r"^listens: all as it should be$"))]
    for backend in KINDS:
        out += [echo(backend, backend == "vmx"), monitor(backend, backend in ("vmx", "svm")), virtio_console(backend, backend in ("vmx", "el2")), quits(backend, backend != "svm"), forked(backend, backend == "vmx")]
    out += [too_dear("svm"), too_dear("h")]
    return out + [item for backend in ("svm", "el2", "h") for item in reboots(backend)]
