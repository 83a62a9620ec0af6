# SPDX-License-Identifier: BSD-2-Clause
"""What is typed, and the terminal on which that is done: by an emulator that is none."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

from backends import ROOT
from harness import Case
from newcomer import in_directory, left_behind

# It takes what comes until that ends with END, then for a moment more, then does THEN and tells what it has got.
EMULATOR = r"""#!/usr/bin/env python3
import os, select, signal, sys, time
out, keys = os.open("console.out", os.O_WRONLY), os.open("console.in", os.O_RDWR)
os.write(out, b"nestling of today\n")
time.sleep(EARLY)
early = bool(select.select([keys], [], [], 0)[0])
os.write(out, b"nestling: the machine is ours: all\n$ ")
typed = b""
while not typed.endswith(END):
    typed += os.read(keys, 16)
THEN
time.sleep(0.3)
os.write(out, b"\ngot %d bytes, early %d: %s\n" % (len(typed), early, typed[-40:].hex().encode()))
os.write(out, b'report: {"outcome":"exited","guest_status":0,"vms":1,"vms_failed":0}\n')
"""
# What a shell is told by keys that are orders elsewhere.
KEYS = b"a\x03\x1a\x1c\x11\x13\x04\x16\r\x7f!"


def fake(directory: Path, end: bytes, then: str = "", early: float = 0.0) -> dict[str, str]:
    (directory / "bin").mkdir(exist_ok=True)
    script = directory / "bin/qemu-system-x86_64"
    script.write_text(EMULATOR.replace("END", repr(end)).replace("THEN", then).replace("EARLY", str(early)))
    script.chmod(0o755)
    return os.environ | {"PATH": f"{directory}/bin:{os.environ['PATH']}"}


def a_guest() -> list[str]:
    return ["--guest", str(ROOT / "build/x86_64/guest/hello.elf")]


def piped(directory: Path) -> list[str]:
    """All of it, as fast as it is taken, and not before there is a hypervisor to take it; and its end is not the run's."""
    errors = []
    for text, early in ((b"uname -a\npoweroff\n", 1.0), (b"0123456789abcde\n" * 10000 + b"end\n", 0.0)):
        done = subprocess.run([ROOT / "run-qemu.sh", "--timeout", "60"], env=fake(directory, text[-4:], early=early), input=text,
                              capture_output=True, timeout=100)
        wanted = b"$ \ngot %d bytes, early 0: %s" % (len(text), text[-40:].hex().encode())
        if done.returncode != 0 or wanted not in done.stdout:
            errors.append(f"{done.returncode}: {done.stdout.decode()}{done.stderr.decode()}")
    for name, stdin in (("at its end", subprocess.DEVNULL), ("a terminal elsewhere", pty.openpty()[1]), ("closed", None)):
        command = f"exec {ROOT}/run-qemu.sh --timeout 5" + (" <&-" if stdin is None else "")
        done = subprocess.run(["bash", "-c", command], env=fake(directory, b""), stdin=stdin, capture_output=True, text=True, timeout=100)
        if done.returncode != 0 or "got 0 bytes" not in done.stdout:
            errors.append(f"standard input is {name}: {done.returncode}: {done.stdout}{done.stderr}")
    return errors


def unread(directory: Path) -> list[str]:
    """Nobody reads what is shown: the run ends, and nothing is left."""
    run = subprocess.Popen([ROOT / "run-qemu.sh", "--timeout", "60"], env=fake(directory, b"never"), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    run.stdout.close()
    status = run.wait(60)
    return ([] if status == 141 else [f"status {status}"]) + left_behind(run.pid)


class Terminal:
    """run-qemu.sh on a terminal of its own, started by a shell: the terminal is gone when the one that it was opened for is."""

    def __init__(self, env: dict[str, str], *command: str) -> None:
        self.fd, self.other = pty.openpty()
        self.before = termios.tcgetattr(self.other)
        self.text = b""
        self.process = subprocess.Popen(["bash", "-c", '"$@"; exit $?', "bash", *command], env=env | {"TERM": "xterm"},
                                        stdin=self.other, stdout=self.other, stderr=self.other, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def pid(self) -> int:
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def read(self, until: bytes, seconds: float = 60) -> bool:
        deadline = time.monotonic() + seconds
        while until not in self.text:
            if not select.select([self.fd], [], [], max(deadline - time.monotonic(), 0))[0]:
                return False
            self.text += os.read(self.fd, 65536)
        return True

    def end(self) -> int:
        """The status; all that it writes until then is read."""
        while True:
            status = self.process.poll()
            while select.select([self.fd], [], [], 0.05)[0]:
                self.text += os.read(self.fd, 65536)
            if status is not None:
                return status

    def is_as_before(self) -> bool:
        deadline = time.monotonic() + 5
        while termios.tcgetattr(self.other) != self.before:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def close(self) -> None:
        os.close(self.other)
        os.close(self.fd)


def keys(directory: Path) -> list[str]:
    """Each key is the guest's; a prompt, which has no end of a line, is there at once."""
    terminal = Terminal(fake(directory, KEYS[-1:]), str(ROOT / "run-qemu.sh"), *a_guest())
    shown = terminal.read(b"\n\x1b[K$ ")
    time.sleep(0.5)  # until the terminal is the guest's, which it is when that line has come
    os.write(terminal.fd, KEYS)
    status = terminal.end()
    wanted = f"got {len(KEYS)} bytes, early 0: {KEYS.hex()}".encode()
    ok = shown and status == 0 and wanted in terminal.text and terminal.is_as_before()
    terminal.close()
    return [] if ok else [f"{status}: {terminal.text!r}"]


def end_reader_twice(terminal: Terminal) -> None:
    """The reader of the console is told to end, and while it does, once more."""
    pid = terminal.pid()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(ProcessLookupError):  # another child, or it had ended before it could be told again
            if b"tools/console" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGTERM)
                os.kill(int(child), signal.SIGHUP)


def put_back(directory: Path) -> list[str]:
    """The terminal is as it was, whatever ended the run."""
    errors = []

    def check(name: str, status: int, how, then: str = "", end: bytes = b"!") -> None:
        place = directory / name
        place.mkdir()
        terminal = Terminal(fake(place, end, then), str(ROOT / "run-qemu.sh"), *a_guest())
        shown = terminal.read(b"\n\x1b[K$ ")
        time.sleep(0.5)
        changed = termios.tcgetattr(terminal.other) != terminal.before
        pid = terminal.pid()
        how(terminal)
        got = terminal.end()
        rules = {"the prompt is shown": shown, "the terminal is the guest's": changed, f"status {got}": got == status,
                 "the terminal is as it was": terminal.is_as_before()}
        terminal.close()
        time.sleep(0.3)
        left = left_behind(pid) if status != 137 else []
        errors.extend(f"{name}: does not hold: {rule}: {terminal.text!r}" for rule, holds in rules.items() if not holds)
        errors.extend(f"{name}: left behind: {what}" for what in left)

    check("killed emulator", 3, lambda terminal: os.write(terminal.fd, b"!"), "os.kill(os.getpid(), signal.SIGKILL)")
    check("terminated", 143, lambda terminal: os.kill(terminal.pid(), signal.SIGTERM))
    check("killed", 137, lambda terminal: os.kill(terminal.pid(), signal.SIGKILL))
    check("killed reader", 3, end_reader_twice)
    check("three times Ctrl-]", 130, lambda terminal: os.write(terminal.fd, b"\x1d\x1d\x1d"))
    return errors


def background(directory: Path) -> list[str]:
    """A run that is not in the foreground leaves the terminal alone, and is not stopped by it."""
    terminal = Terminal(fake(directory, b""), "bash", "-mc", f"{ROOT}/run-qemu.sh --timeout 20 & wait $!")
    status = terminal.end()
    ok = status == 0 and b"got 0 bytes" in terminal.text
    terminal.close()
    return [] if ok else [f"{status}: {terminal.text!r}"]


def keyboard() -> list[Case]:
    return [Case(f"keyboard/{check.__name__.replace('_', '-')}", [], function=in_directory(check))
            for check in (piped, unread, keys, put_back, background)]
