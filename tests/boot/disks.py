# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests of disks: a guest of ours drives them, Debian's kernels have their root there, VMs and clones share them."""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

from backends import BACKENDS, ROOT
from harness import EXITED, FATAL, M, Case, Result, at_least, below, case, write_file
from linux import CONSOLE, OFF, linux, sums_of_vms

SECTOR = 512
# What tests/guests/virtio_blk.c expects: each sector is full of its number.
NUMBERS = b"".join(bytes([(n + 1) % 256]) * SECTOR for n in range(M // SECTOR))
DATA = random.Random("data").randbytes(4 * M)
INIT = """#!/bin/busybox sh
echo "root: $(cat /etc/name) on $(uname -m), $(grep -c ' / ext4 rw' /proc/mounts) to write"
eval "$run"
poweroff -f
"""


def numbers(directory: Path) -> None:
    (directory / "numbers.img").write_bytes(NUMBERS)


def driven(backend: str, slow: bool, *more: str) -> Case:
    """By a guest of ours; what one VM writes is no other's."""
    name = "-".join((f"{backend}/disk/driven", *more)).replace("---", "-")
    return case(name, "--guest", BACKENDS[backend].guest("virtio_blk"), "--ram", "64M", "--vcpus", "2", "--disk", "{dir}/numbers.img",
                "--disk", "{dir}/numbers.img,ro", *more, files=numbers, slow=slow, forks=1, report=EXITED | {"exits.mmio": at_least(3000)},
                text=(r"^virtio_blk: all as it should be$",), forbid=(r"FAILED",))


TWO = """ram = 64M
guest = \\guest.elf
disk = \\numbers.img
disk = \\numbers.img,ro
[vm first]
[vm second]
[vm none]
demo = hello
disk = none
"""


def shared(backend: str, slow: bool) -> Case:
    """Two VMs at once, each with its forks, on one file that is read once."""

    def files(directory: Path) -> None:
        numbers(directory)
        shutil.copyfile(BACKENDS[backend].guest("virtio_blk"), directory / "guest.elf")
        (directory / "two.cfg").write_text(TWO)

    def after(directory: Path, _: Result) -> list[str]:
        reports = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
        found = sorted((report["name"], report["outcome"]) for report in reports)
        wanted = [(name, "exited") for name in ("first", "first.1", "none", "second", "second.1")]
        return [] if [outcome for _, outcome in found] == ["exited"] * len(wanted) else [f"outcomes are {found}"]

    return case(f"{backend}/disk/shared", "--config", "{dir}/two.cfg", "--cpus", "2", files=files, after=after, slow=slow, forks=None,
                report=EXITED | {"vms_failed": 0}, forbid=(r"FAILED",),
                text=(r"^first: virtio_blk: all as it should be$", r"^second\.1: virtio_blk: all as it should be$"))


def make_root(backend: str, directory: Path, size: str = "16M") -> None:
    """An ext4 root.img with busybox and a few files."""
    root = directory / "root"
    for folder in ("bin", "dev", "etc", "proc", "root", "sbin", "sys", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy(ROOT / "build/linux" / BACKENDS[backend].isa / "busybox", root / "bin/busybox")
    for script in (ROOT / "guest/linux/bin").iterdir():
        shutil.copy(script, root / "bin")
    (root / "sbin/init").write_text(INIT)
    (root / "sbin/init").chmod(0o755)
    (root / "etc/name").write_text("nest\n")
    (root / "etc/data").write_bytes(DATA)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-d", root, directory / "root.img", size], check=True, capture_output=True,
                   env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    shutil.rmtree(root)


def root(backend: str, slow: bool) -> Case:
    """An ext4 root that is read, written, and trimmed; 16 MiB of disk cost what was written of it."""
    run = (f'console={CONSOLE[BACKENDS[backend].isa]} root=/dev/vda rw run="md5sum /etc/data; echo changed >/etc/name; sync; '
           'dd if=/dev/zero of=/big bs=1M count=4; sync; echo 3 >/proc/sys/vm/drop_caches; cat /etc/name; rm /big; sync; fstrim /; '
           'blkdiscard /dev/vdb; od -An -tx1 -N1 /dev/vdb; cat /sys/block/vda/serial; echo; cat /sys/block/vdc/ro"')

    def files(directory: Path) -> None:
        make_root(backend, directory)
        numbers(directory)

    return linux(backend, "root", "--linux", "--disk", "{dir}/root.img", "--disk", "{dir}/numbers.img", "--disk", "{dir}/numbers.img,ro", "--cmdline",
                 run, files=files, slow=slow, report=EXITED | {"discarded": at_least(4 * M), "file_bytes": at_least(4 * M)},
                 text=(r"^root: nest on \S+, 1 to write$", rf"^{hashlib.md5(DATA).hexdigest()}  /etc/data$", r"^changed$", r"^ 00$", r"^root\.img$",
                       r"^1$", OFF))


def clones(backend: str, slow: bool) -> Case:
    """Each writes something else to the same place of the disk, and reads that again."""
    run = (f'console={CONSOLE[BACKENDS[backend].isa]} root=/dev/vda run="n=$(nestling-fork -n); md5sum /bin/busybox; echo I am $n >/dev/vdb; sync; '
           'sleep 1; echo 3 >/proc/sys/vm/drop_caches; head -n 1 /dev/vdb"')

    def files(directory: Path) -> None:
        make_root(backend, directory)
        numbers(directory)

    def after(_: Path, result: Result) -> list[str]:
        return sums_of_vms(result.console, 3)

    return linux(backend, "root-clones", "--linux", "--clones", "2", "--clone-when", "root: nest", "--disk", "{dir}/root.img", "--disk", "{dir}/numbers.img",
                 "--cmdline", run, files=files, slow=slow, forks=2, after=after, fork={"memory_used": below(8 * M)},
                 text=(r"^I am 0$", r"^guest\.1: I am 1$", r"^guest\.2: I am 2$", OFF))


def make_debian(backend: str, directory: Path, *options: str) -> None:
    subprocess.run([ROOT / "tools/debian-root", *options, BACKENDS[backend].isa, directory / "root.img"], check=True, capture_output=True)


def debian_root(backend: str) -> Case:
    """Debian's own system, two of whose three copies do something else: one tests memory, which disturbs none of the others."""
    run = (f'console={CONSOLE[BACKENDS[backend].isa]} root=/dev/vda rw quiet run="n=$(nestling-fork -n); echo copy $n >/etc/hostname; sync; '
           '[ $n != 1 ] || { memtester 2M 1 >/dev/null && echo tested; }; dpkg -l | grep -c memtester; md5sum /bin/busybox; cat /etc/hostname"')

    def after(_: Path, result: Result) -> list[str]:
        errors = sums_of_vms(result.console, 3)
        tested, calm = (report["memory_peak"] for report in result.forks)
        return errors if calm < 8 * M and tested > 2 * M else [*errors, f"copies cost {tested} and {calm} bytes"]

    return linux(backend, "root-debian", "--linux", "--clones", "2", "--clone-when", "exit ends it", "--cpus", "2", "--disk", "{dir}/root.img", "--cmdline", run,
                 files=lambda directory: make_debian(backend, directory), slow=True, forks=2, after=after, seconds=900,
                 text=(r"^debian: 13\.\d+ on \S+; exit ends it", r"^guest\.1: tested$", r"^copy 0$", r"^guest\.1: copy 1$", r"^guest\.2: copy 2$",
                       r"^(guest\.2: )?1$", OFF))


def debian_systemd(backend: str) -> Case:
    """Its own first process starts what it has to, with no unit that fails, and switches the machine off in good order."""
    run = (f'console={CONSOLE[BACKENDS[backend].isa]} root=/dev/vda rw quiet run="systemctl is-system-running --wait; '
           'systemctl --failed --no-legend; cat /proc/1/comm; grep -c vda /proc/mounts; md5sum /bin/busybox"')

    def after(_: Path, result: Result) -> list[str]:
        failed = re.findall(r"^\W*(\S+\.service .*failed.*)", result.console, re.M)
        return sums_of_vms(result.console, 1) + [f"of systemd's units: {line}" for line in failed]

    return linux(backend, "root-systemd", "--linux", "--disk", "{dir}/root.img", "--cmdline", run, slow=True, seconds=900, after=after,
                 files=lambda directory: make_debian(backend, directory, "--systemd"),
                 text=(r"^debian: 13\.\d+ on \S+; exit ends it", r"^running$", r"^systemd$", r"^1$", OFF))


def left_alone(backend: str, slow: bool) -> Case:
    """Without root= nobody touches it; and one that cannot be mounted leaves the shell."""
    run = f'console={CONSOLE[BACKENDS[backend].isa]} root=/dev/vda run="grep -c /dev/vda /proc/mounts; ls -d /lib/modules; cmp -n 512 /dev/vda /dev/vda && echo there"'
    return linux(backend, "no-root", "--linux", "--disk", "{dir}/numbers.img", "--cmdline", run, files=numbers, slow=slow,
                 text=(r"^mount: mounting /dev/vda on /root failed", r"^0$", r"ls: /lib/modules: No such file", r"^there$", OFF))


def refused() -> list[Case]:
    """What is wrong with a disk is told in one line, and nothing is run."""
    configs = {
        "missing": (b"disk = \\nosuch.img\n", r"file \\nosuch\.img: ", b""),
        "small": (b"demo = hello\ndisk = \\small.img\n", r"disk \\small\.img: it has less than a sector of 512 bytes", b"x" * 511),
        "nine": (b"disk = \\a\n" * 9, r"nestling\.cfg:9: disk = \\a: wanted a file name", b""),
    }
    out = []
    for name, (text, line, content) in configs.items():

        def files(directory: Path, text=text, content=content, name=name) -> None:
            (directory / "nestling.cfg").write_bytes(text)
            (directory / "small.img").write_bytes(content)
            isa = ROOT / "build/x86_64/nestling.efi"
            more = ["--file", f"{directory}/small.img:small.img"] if content else []
            subprocess.run([ROOT / "tools/mkimage", "-o", directory / "disk.img", "--isa", f"x86_64={isa}", "--cfg", directory / "nestling.cfg", *more],
                           check=True)

        out.append(case(f"svm/disk/refused-{name}", "--image", "{dir}/disk.img", status=3, report=None, one_line=FATAL + r".*" + line, files=files,
                        slow=name != "small"))
    return out


def no_memory(backend: str) -> Case:
    """A file that the machine cannot hold: how large it is, and how much memory there is."""
    def files(directory: Path) -> None:
        with open(directory / "large.img", "wb") as file:
            file.truncate(200 << 20)

    return case(f"{backend}/disk/no-memory", "--demo", "hello", "--disk", "{dir}/large.img", "--host-ram", "128M", status=3, report=None, files=files,
                one_line=FATAL + r"file \\large\.img: out of memory: it has 204800 KiB, and the machine [1-9]\d{4,5} KiB that are free, [1-9]\d* KiB ",
                slow=backend not in ("svm", "h"))


def disks() -> list[Case]:
    out = [driven(name, slow) for name, slow in (("svm", False), ("el2", False), ("h", False), ("vmx", True), ("pi3", True))]
    out += [driven(name, True, "--cpus", "2") for name in ("svm", "el2", "h")]
    out += [shared(name, slow) for name, slow in (("svm", True), ("el2", True), ("h", False))]
    out += [root(name, slow) for name, slow in (("h", False), ("el2", False), ("svm", False), ("vmx", True))]
    out += [clones(name, slow) for name, slow in (("h", False), ("el2", True), ("svm", True))]
    out += [make(name) for make in (debian_root, debian_systemd) for name in ("h", "el2", "svm")]
    out += [no_memory(name) for name in ("svm", "el2", "h")]
    return out + [left_alone("h", True)] + refused()
