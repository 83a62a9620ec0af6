# SPDX-License-Identifier: BSD-2-Clause
"""What is on the disk image, and tools/flash, which writes it: on files, on a loop device, on disks that are made up."""

import contextlib
import importlib.machinery
import importlib.util
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from backends import ROOT
from harness import EXITED, M, Case, case

IMAGE = ROOT / "build/nestling.img"
TOOL = ROOT / "tools/flash"
BOOT_FILES = ("BOOTX64.EFI", "BOOTAA64.EFI", "BOOTRISCV64.EFI")


# --- The image ----------------------------------------------------------------------------------------------------------


def mtools(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"MTOOLS_SKIP_CHECK": "1"}).stdout


def image_contents() -> list[str]:
    """One partition, three loaders, the configuration, and as much room as that says."""
    errors = []
    table = subprocess.run(["sfdisk", "--verify", IMAGE], capture_output=True, text=True)
    if table.returncode != 0 or "No errors" not in table.stdout:
        errors.append(f"sfdisk does not like the image: {table.stdout} {table.stderr}")
    dump = mtools("sfdisk", "--dump", str(IMAGE))
    if len(re.findall(r"type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B", dump)) != 1 or dump.count("start=") != 1:
        errors.append(f"not one EFI system partition: {dump}")
    volume = f"{IMAGE}@@1M"
    listing = mtools("mdir", "-b", "-i", volume, "-/", "::")
    errors += [f"{name} is missing" for name in BOOT_FILES if f"/EFI/BOOT/{name}" not in listing]
    config = mtools("mtype", "-i", volume, "::nestling.cfg")
    if config != (ROOT / "boot/nestling.cfg").read_text():
        errors.append("nestling.cfg on the image is not boot/nestling.cfg")
    said = int(re.search(r"(\d+) MiB of this partition are free", config)[1])
    free = int(re.sub(r"\s", "", re.search(r"([\d ]+) bytes free", mtools("mdir", "-i", volume, "::"))[1]))
    if not said * M <= free < (said + 4) * M:
        errors.append(f"{said} MiB are said to be free, {free} bytes are")
    return errors


def config_keys() -> list[str]:
    """Each key of the parser is in the file as shipped, commented out, and in the README's list."""
    keys = re.findall(r'^\t\{ "(\w+)", "', (ROOT / "boot/config_keys.c").read_text(), re.M)
    # By itself, or in the example of several VMs.
    shipped = set(re.findall(r"^#(?:   )?(\w+) = ", (ROOT / "boot/nestling.cfg").read_text(), re.M))
    if len(keys) < 6 or sorted(keys) != sorted(shipped):
        return [f"boot/config_keys.c knows {sorted(keys)}, boot/nestling.cfg offers {sorted(shipped)}"]
    return []


# --- The tool -----------------------------------------------------------------------------------------------------------


def load_tool():
    loader = importlib.machinery.SourceFileLoader("flash_tool", str(TOOL))
    sys.dont_write_bytecode = True
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("flash_tool", loader))
    sys.modules["flash_tool"] = module  # for its data classes
    loader.exec_module(module)
    return module


def run(*args: str, prefix: tuple[str, ...] = (), answer: str | None = None) -> subprocess.CompletedProcess:
    """Run the tool; with an answer, on a terminal that gives it."""
    command = [*prefix, str(TOOL), *map(str, args)]
    if answer is None:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    ours, its = pty.openpty()
    os.write(ours, answer.encode())
    try:
        return subprocess.run(command, stdin=its, capture_output=True, text=True, timeout=120)
    finally:
        os.close(ours)
        os.close(its)


def judge(done: subprocess.CompletedProcess, status: int, message: str = "") -> list[str]:
    """The status, and where it is not 0, one line of complaint besides the progress."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("writing", "verifying"))]
    if done.returncode != status:
        return [f"status {done.returncode}, not {status}: {done.stdout} {done.stderr}"]
    if status and (len(lines) != 1 or not re.search(message, lines[0])):
        return [f"not one line like /{message}/: {lines}"]
    if not status and lines:
        return [f"complaints: {lines}"]
    return [] if status or re.search(message, done.stdout) else [f"no line like /{message}/: {done.stdout}"]


def holds_image(path: Path) -> list[str]:
    """Same files, and a partition table that is right for the disk's own size."""
    table = subprocess.run(["sfdisk", "--verify", path], capture_output=True, text=True)
    errors = [] if "No errors" in table.stdout and "mismatch" not in table.stderr else [table.stdout + table.stderr]
    offset, size = M, 60 * M
    with open(path, "rb") as disk, open(IMAGE, "rb") as image:
        disk.seek(offset)
        image.seek(offset)
        if disk.read(size) != image.read(size):
            errors.append("the partition is not the image's")
    return errors


def in_directory(function):
    def call() -> list[str]:
        with tempfile.TemporaryDirectory(prefix="nestling-test-") as name:
            return function(Path(name))

    return call


def make_file(path: Path, size: int, content: bytes = b"") -> Path:
    with open(path, "wb") as file:
        file.write(content)
        file.truncate(size)
    return path


def writes(directory: Path) -> list[str]:
    size = IMAGE.stat().st_size
    errors = []
    for name, more in ("same", 0), ("larger", 77 * M + 512):
        disk = make_file(directory / name, size + more, b"\xa5" * (3 * M))
        errors += judge(run(disk, "--yes"), 0, r"was read back") + holds_image(disk)
    # It says what is there before it asks; now that is what it has written itself.
    errors += judge(run(disk, "--yes"), 0, r"(?s)larger: 205 MiB.*GPT with 1 partition\n.*MiB  FAT32  \"nestling\"")
    return errors


def asks(directory: Path) -> list[str]:
    disk = make_file(directory / "disk", IMAGE.stat().st_size)
    errors = judge(run(disk), 3, r"nobody to ask") + judge(run(disk, answer="no\n"), 3, r"nothing was written")
    errors += judge(run(disk, answer="\x04"), 3, r"nothing was written")
    if any(disk.read_bytes()):
        errors.append("something was written without a yes")
    return errors + judge(run(disk, answer="yes\n"), 0, r"will be lost") + holds_image(disk)


def refuses(directory: Path) -> list[str]:
    size = IMAGE.stat().st_size
    small, locked = make_file(directory / "small", size - 512), make_file(directory / "locked", size)
    locked.chmod(0o400)
    os.chmod(directory, 0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    image, damaged = make_file(directory / "image", 4 * M), directory / "damaged"
    make_file(damaged, 4 * M, IMAGE.read_bytes()[:512 + 80] + b"\xff\xff\xff\xff")
    return judge(run(directory / "none", "--yes"), 3, r"^flash: there is no /.*/none$") + \
        judge(run(small, "--yes"), 3, r"too small: it has .* the image 128 MiB$") + \
        judge(run(locked, "--yes", prefix=nobody), 3, r"no permission for /.*/locked") + \
        judge(run(directory, "--yes"), 3, r"neither a disk nor a file") + \
        judge(run("/dev/null", "--yes"), 3, r"neither a disk nor a file") + \
        judge(run(locked, "--yes", "--image", directory / "none"), 3, r"there is no image") + \
        judge(run(locked, "--yes", "--image", image), 3, r"not a disk image") + \
        judge(run(locked, "--yes", "--image", damaged), 3, r"not a disk image") + \
        judge(run(IMAGE, "--yes"), 3, r"the image itself")


# Put before the tool: a disk that takes no more, and one that changes what it was given.
BAD_DISK = """
import os, runpy, sys
pwrite = os.pwrite
def short(fd, data, at): return pwrite(fd, data[:1000], at) if at < 5 << 20 else 0
def forgets(fd, data, at): return pwrite(fd, b"?" + data[1:] if at == 3 << 20 else data, at)
def broken(fd, data, at): raise OSError(5, "Input/output error")
os.pwrite = locals()[sys.argv[1]]
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def bad_disks(directory: Path) -> list[str]:
    disk = make_file(directory / "disk", IMAGE.stat().st_size)
    errors = []
    for how, message in (("short", r"takes no more at byte 5242880$"), ("broken", r"Input/output error$"),
                         ("forgets", r"does not hold what was written to it, from byte 3145728 on$")):
        errors += judge(run(disk, "--yes", prefix=("python3", "-c", BAD_DISK, how)), 3, message)
    # A file may not grow beyond this, and a write that begins before it ends there.
    errors += judge(run(disk, "--yes", prefix=("sh", "-c", 'ulimit -f 8193; exec "$@"', "sh")), 3, r"File too large$")
    return errors


def made_up(directory: Path) -> list[str]:
    """Disks that this machine need not have, as sysfs would describe them."""
    sys_dir, proc = directory / "sys", directory / "proc"
    disks = {"sda": ("8:0", {"removable": "0", "device/model": "A fixed one"}), "sdb": ("8:16", {"removable": "1",
             "device/vendor": "Acme", "device/model": "Stick"}), "mmcblk0": ("179:0", {"removable": "0", "device/type": "SD",
             "device/name": "SC32G"}), "mmcblk1": ("179:32", {"removable": "0", "device/type": "MMC", "device/name": "eMMC"}),
             "nvme0n1": ("259:0", {"removable": "0"}), "sdc": ("0:0", {"removable": "1"})}
    (sys_dir / "dev/block").mkdir(parents=True)
    for name, (number, files) in disks.items():
        for file, text in ({"size": "2097152", "dev": number, f"{name}1/partition": "1", f"{name}1/dev": number + "1"} | files).items():
            path = sys_dir / "block" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        (sys_dir / "dev/block" / number).symlink_to(sys_dir / "block" / name)
        (sys_dir / "dev/block" / (number + "1")).symlink_to(sys_dir / "block" / name / f"{name}1")
    (proc / "self").mkdir(parents=True)
    (proc / "self/mountinfo").write_text("30 1 8:161 / /media/stick rw,relatime - vfat /dev/sdb1 rw\n")
    (proc / "swaps").write_text("Filename Type Size Used Priority\n/dev/sdc1 partition 100 0 -2\n")
    tool = load_tool()
    tool.SYS, tool.PROC = sys_dir, proc
    errors = []
    if [disk.name for disk in tool.disks()] != ["mmcblk0", "sdb", "sdc"]:
        errors.append(f"removable: {tool.disks()}")
    if tool.Disk("sdb").uses != ["sdb1 is mounted on /media/stick"] or tool.Disk("sdb").model != "Acme Stick":
        errors.append(f"sdb: {tool.Disk('sdb').uses}, {tool.Disk('sdb').model}")
    if tool.Disk("sdc").uses != ["sdc1 is swap space"] or tool.Disk("mmcblk0").uses:
        errors.append(f"sdc: {tool.Disk('sdc').uses}")
    # A plain file that passes for the device 0:0, then for other ones.
    file = make_file(directory / "disk", IMAGE.stat().st_size)
    tool.stat.S_ISBLK, block = lambda mode: True, tool.stat.S_ISBLK
    number_of, tool.disk_of = tool.disk_of, None
    try:
        for number, force, message in ((os.makedev(8, 0), False, r"fixed disk"), (os.makedev(8, 16), False, r"is mounted on"),
                                       (os.makedev(179, 32), False, r"fixed disk"), (os.makedev(8, 161), True, r"is a partition"),
                                       (os.makedev(0, 0), False, r"is swap space")):
            tool.disk_of = lambda _, number=number: number_of(number)
            try:
                tool.open_target(str(file), IMAGE, force)
                errors.append(f"{number:#x} was not refused")
            except tool.Refused as refused:
                errors += [] if re.search(message, str(refused)) else [f"{refused}, not /{message}/"]
    finally:
        tool.stat.S_ISBLK = block
    return errors


def loop_device(directory: Path) -> list[str]:
    """A real block device, which is refused while it is mounted."""
    file = make_file(directory / "disk", IMAGE.stat().st_size + 9 * M)
    device = mtools("losetup", "--find", "--show", "--partscan", str(file)).strip()
    mounted = directory / "mounted"
    mounted.mkdir()
    try:
        errors = judge(run(device, "--yes"), 0, r"was read back") + holds_image(file)
        # Not every kernel reads a GPT by itself, or mounts FAT.
        subprocess.run(["partx", "--add", device], check=False, capture_output=True)
        subprocess.run(["mkfs.ext4", "-q", f"{device}p1"], check=True)
        subprocess.run(["mount", f"{device}p1", mounted], check=True)
        errors += judge(run(device, "--yes"), 3, rf"in use: {device[5:]}p1 is mounted on {mounted} ")
        errors += judge(run(f"{device}p1", "--yes"), 3, r"is a partition: name the whole disk, " + device)
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", "--quiet", mounted], check=False)
            subprocess.run(["losetup", "--detach", device], check=True)
    return errors


def beside_others(directory: Path) -> list[str]:
    """Into an EFI system partition that is in use, and out of it: as it was."""
    image = make_file(directory / "single.efi", M, b"MZ")
    esp, theirs = directory / "esp", directory / "esp/efi/BOOT/BOOTX64.EFI"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    before = sorted(esp.rglob("*"))
    errors = judge(run("--esp", esp, "--remove"), 3, r"nestling is not there$") + judge(run("--esp", directory, "--image", image), 3, r"no folder EFI$") + \
        judge(run("--esp", esp, "--image", directory / "none"), 3, r"there is no .*make efi CONFIG=FILE")
    for _ in range(2):
        errors += judge(run("--esp", esp, "--image", image), 0, r"nestling\.efi is there")
    if (esp / "efi/nestling/nestling.efi").read_bytes() != image.read_bytes():
        errors.append("it is not what was put there")
    errors += judge(run("--esp", esp, "--remove"), 0, r"nestling is gone")
    return errors + ([] if sorted(esp.rglob("*")) == before and theirs.read_bytes() == b"theirs" else ["it is not as it was"])


def flashed_file(directory: Path) -> None:
    disk = make_file(directory / "stick", 256 * M)
    subprocess.run([TOOL, disk, "--yes"], check=True, capture_output=True)


def flashing() -> list[Case]:
    checks = {"image/contents": image_contents, "image/config-keys": config_keys, "flash/writes": in_directory(writes),
              "flash/asks": in_directory(asks), "flash/refuses": in_directory(refuses),
              "flash/beside-others": in_directory(beside_others), "flash/bad-disks": in_directory(bad_disks), "flash/made-up-disks": in_directory(made_up)}
    if os.geteuid() == 0 and os.access("/dev/loop-control", os.W_OK):
        checks["flash/loop-device"] = in_directory(loop_device)
    return [Case(f"static/{name}", [], function=function) for name, function in checks.items()] + [
        case("svm/flash/boots", "--image", "{dir}/stick", report=EXITED | {"demo": "lazy"}, files=flashed_file)]
