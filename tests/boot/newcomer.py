# SPDX-License-Identifier: BSD-2-Clause
"""What somebody meets who is new here: help, what is to be installed, a guest of one's own."""

import itertools
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from backends import ROOT
from harness import Case

# As few programs as a fresh machine has; what must not be found is left out.
TOOLS = ("bash", "sh", "env", "basename", "dirname", "paste", "grep", "sed", "mkdir", "flock", "cat", "tail", "setpriv", "id",
         "mktemp", "rm", "uname", "true", "fold", "awk", "sha256sum", "head", "realpath")


def lines_of(*command: str) -> list[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def help_fits() -> list[str]:
    """--help: a screen, with every option that is parsed; docs/run-qemu.md has each of them too."""
    script, page = (ROOT / "run-qemu.sh").read_text(), (ROOT / "docs/run-qemu.md").read_text()
    shown = lines_of("./run-qemu.sh", "--help")
    parsed = sorted(set(re.findall(r"(--[a-z-]+)(?=[|)])", script.split("\nparse() {")[1].split("\n}\n")[0])))
    errors = [] if len(parsed) >= 15 else [f"only {parsed} are parsed"]
    errors += [f"--help lacks {option}" for option in parsed if not any(re.match(rf"  (--[a-z-]+( [^ ]+)?, )*{option}\b", line) for line in shown)]
    errors += [f"docs/run-qemu.md lacks {option}" for option in parsed if f"`{option}" not in page and f"--help" != option]
    demos = " ".join(shown)
    errors += [f"--help lacks the demo {path.stem}" for path in ROOT.glob("guest/*.c") if path.stem not in demos]
    if len(shown) > 24 or max(map(len, shown)) > 80:
        errors.append(f"--help has {len(shown)} lines of up to {max(map(len, shown))} columns")
    return errors


def version_is_told(directory: Path) -> list[str]:
    """The same by the script, in the image, and in a tree that has no history: an archive, and a bare copy."""
    [version] = lines_of("tools/version")
    errors = [] if lines_of("./run-qemu.sh", "--version") == [f"nestling {version}"] else ["--version tells another one"]
    for isa in ("x86_64", "aarch64", "riscv64"):
        if version.encode() + b"\0" not in (ROOT / f"build/{isa}/nestling.elf").read_bytes():
            errors.append(f"{isa}'s image is not of version {version}")
    bare, archive = directory / "bare", directory / "archive"
    for place in (bare, archive):
        (place / "tools").mkdir(parents=True)
        for name in ("VERSION", "tools/version"):
            shutil.copy(ROOT / name, place / name)
    told = [lines_of(str(bare / "tools/version"))]
    if (ROOT / ".git").exists():
        [commit] = lines_of("git", "rev-parse", "HEAD")
        packed = subprocess.run(["git", "archive", "HEAD", "VERSION"], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", archive], input=packed, check=True)
        told.append(lines_of(str(archive / "tools/version")))
        word = told[1][0].split("-g")[-1]
        if not commit.startswith(word) and word not in lines_of("git", "tag", "--points-at", "HEAD"):
            errors.append(f"an archive of {commit} is of version {told[1]}")
    return errors + ([] if told[0] == ["unknown"] else [f"a tree without a history is of version {told[0]}"])


def make_help_is_whole() -> list[str]:
    """Each target that is for people: those that make's own rules call besides are in the second list."""
    inner = {"FORCE", "setup", "bench-build", "guests-$(ARCH)"}
    makefile = (ROOT / "Makefile").read_text()
    phony = {name for line in re.findall(r"^\.PHONY:(.*)$", makefile, re.M) for name in line.split()}
    targets = {name for name in phony if not name.startswith("setup")} - inner
    shown = "\n".join(lines_of("make", "-s", "help"))
    missing = [name for name in sorted(targets) if name != "all" and not re.search(rf"\b(make )?{name}\b", shown)]
    return [f"`make help` lacks {name}" for name in missing] + ([] if len(targets) >= 12 else [f"only {targets} found"])


# --- What is told, and what not: by an emulator that is none ------------------------------------------------------------

REPORT = ('report: {"outcome":"exited","guest_status":%d,"vms":1,"vms_failed":0}')
SHOWN = "nestling of today: this is shown once"


def fake(directory: Path, status: int, then: str = "") -> dict[str, str]:
    """An environment in which QEMU prints a run's lines to the console, and does `then` before its end."""
    (directory / "bin").mkdir(exist_ok=True)
    script = directory / "bin/qemu-system-x86_64"
    script.write_text(f"#!/bin/sh\nprintf '%s\\n' '{SHOWN}' '{REPORT % status}' >console.out\n{then}\n")
    script.chmod(0o755)
    return os.environ | {"PATH": f"{directory}/bin:{os.environ['PATH']}"}


def on_terminal(env: dict[str, str], *args: str, press: bytes = b"") -> tuple[int, str, int]:
    """Status and output of run-qemu.sh on a terminal, on which something is pressed once a line is shown; its process id."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(ROOT / "run-qemu.sh", ["run-qemu.sh", *args], env | {"TERM": "xterm"})
    out = b""
    while select.select([fd], [], [], 100)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:  # the other end is closed
            break
        out += piece
        if press and SHOWN.encode() in out:
            os.write(fd, press)
            press = b""
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode(errors="replace"), pid


def left_behind(pid: int) -> list[str]:
    """What of a run is still there: processes in its directory, and that."""
    found = [str(path) for path in (ROOT / "build/run").glob(f"{pid}-*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"/build/run/{pid}-" in os.readlink(process / "cwd") or f"/build/run/{pid}-" in (process / "cmdline").read_text():
                found.append(str(process))
        except OSError:
            pass
    return found


def terminal_and_pipe(directory: Path) -> list[str]:
    """The line for programs is for pipes; a status that could be run-qemu.sh's own is told of as the guest's."""
    errors = []
    for status in (0, 2, 3, 4, 5):
        env = fake(directory, status)
        done = subprocess.run([ROOT / "run-qemu.sh"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        told = f"run-qemu: the guest exited with status {status}: the run itself went well" in done.stderr
        if done.returncode != status or REPORT % status not in done.stdout or told != (status in (2, 3, 4)):
            errors.append(f"piped, status {status}: {done.returncode}: {done.stdout}{done.stderr}")
    status, text, _ = on_terminal(fake(directory, 0), "--report", str(directory / "report"))
    if status != 0 or SHOWN not in text or "report: {" in text or '"exited"' not in (directory / "report").read_text():
        errors.append(f"terminal: {status}: {text}")
    return errors


def interrupted(directory: Path) -> list[str]:
    """Ctrl-C: one line, and nothing is left."""
    errors = []
    for args in ([], ["--trace", str(directory / "trace")]):
        status, text, pid = on_terminal(fake(directory, 0, "exec sleep 1000"), *args, press=b"\x03")
        last = re.sub(r"^.*\r(\x1b\[K)+", "", text.rstrip("\r\n").split("\n")[-1])
        if status != 130 or last != "run-qemu: interrupted" or "Traceback" in text:
            errors.append(f"{status}: {text!r}")
        time.sleep(0.5)
        errors += [f"left behind: {name}" for name in left_behind(pid)]
    return errors


def given_up(directory: Path) -> list[str]:
    """A time-out: what was shown is not told again; what was not, is."""
    errors = []
    for shown in (True, False):
        env = fake(directory, 0, "exec sleep 1000")
        script = directory / "bin/qemu-system-x86_64"
        script.write_text(script.read_text() if shown else script.read_text().replace(SHOWN, "BdsDxe: something"))
        done = subprocess.run([ROOT / "run-qemu.sh", "--timeout", "2"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=100)
        wanted = SHOWN if shown else "BdsDxe: something"
        if done.returncode != 4 or done.stdout.count(wanted) != 1 or "given up after 2 s" not in done.stdout or \
                "the emulator did not tell where its CPU is" not in done.stdout:
            errors.append(f"{done.returncode}: {done.stdout}")
    return errors


SUGGESTIONS = {"arm64": "aarch64", "x86-64": "x86_64", "amd64": "x86_64", "riscv": "riscv64", "DEMO": "--demo", "lazyy": "--demo lazy",
               "--demo HELLO": "hello", "--polcy 4k": "--policy", "--policy 4K": "4k", "--policy atuo": "auto", "--Demo lazy": "--demo",
               "--host_ram 1G": "--host-ram", "--trce": "--trace", "--virt intel": "vmx", "aarch64 --board pi3": "raspi3b",
               "--tracking sofware": "software", "aarch64 --firmware u-boot": "uboot", "-gdb": "--gdb"}
NO_SUGGESTIONS = ("--", "-x", "xyzzy", "--demo xyzzy", "--" + "x" * 5000, "\x01", "*")
REFUSED_ALIKE = ("--demo lazy --demo lazy", "--ram=1G --ram=1G", "--trace --trace", "--gdb --gdb", "--display --display",
                 "--report a --report b", "--timeout 5 --timeout 5")


def suggestions() -> list[str]:
    errors = []

    def refused(text: str) -> str:
        done = subprocess.run([ROOT / "run-qemu.sh", *text.split(" ")], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode != 2 or done.stdout or len(done.stderr.splitlines()) != 1:
            errors.append(f"{text}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stderr

    errors += [f"{text}: {said}" for text, meant in SUGGESTIONS.items() if f"(is {meant} meant?)" not in (said := refused(text))]
    errors += [f"{text}: {said}" for text in NO_SUGGESTIONS if "meant?" in (said := refused(text))]
    errors += [f"{text}: {said}" for text in REFUSED_ALIKE if f"{re.split('[ =]', text)[0]} is given twice" not in (said := refused(text))]
    errors += [said for text in ("x86_64 aarch64", "riscv64 riscv64") if "one machine is booted" not in (said := refused(text))]
    errors += [said for text in ("--gdb=yes", "--help=me", "--version=1") if "takes no value" not in (said := refused(text))]
    errors += [said for text in ("--report --gdb", "--demo=", "--ram") if "needs a value" not in (said := refused(text))]
    return errors


# --- The tools ----------------------------------------------------------------------------------------------------------

# Each program for people: what is a wrong command to it, and what can not be done, if that is quick to try.
TOOLS_ASKED = {
    "run-qemu.sh": ("--nonsense", None), "bench/run": ("--nonsense", None), "bench/linux": ("nonsense", None),
    "tests/boot/run": ("--nonsense", None), "tests/boot/repeat": ("nowhere", None),
    "tests/fuzz/run": ("soon", None), "tests/fuzz/seeds": ("--nonsense", None), "tools/check-guest": ("x86_64", None), "tools/check-names": ("--nonsense", None),
    "tools/check-structure": ("--nonsense", None), "tools/config-files": ("", "/nowhere"), "tools/console": ("--nonsense", None), "tools/coverage": ("--nonsense", "/nowhere npt"),
    "tools/flash": ("--nonsense", "/nowhere"), "tools/gdb": ("sparc", None), "tools/heatmap": ("/nowhere -o a.svg", None),
    "tests/nested/run": ("--nonsense", None), "tools/debian-root": ("sparc", "x86_64 /nowhere/out"),
    "tools/mkefi": ("--nonsense", "-o /nowhere/out --cfg boot/nestling.cfg Makefile"), "tools/mkimage": ("--nonsense 1", None), "tools/mkinitramfs": ("--nonsense", "/nowhere/out guest/linux"), "tools/new-guest": ("No-Name", None), "tools/nxcompat": ("", "/nowhere"), "tools/readme-check": ("--nonsense", None),
    "tools/run-tests": ("--nonsense", None), "tools/screen": ("--nonsense", None), "tools/setup": ("nonsense", None),
    "tools/take-records": ("one", None), "tools/version": ("--nonsense", None), "tools/where": ("", "/nowhere"),
}


def tools_agree() -> list[str]:
    """--help on standard output, and 0; 2 for a wrong command, 3 for what could not be done, both with a word about it."""
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "tools").iterdir() if path.is_file() and os.access(path, os.X_OK)}
    errors = [f"{name} is not asked here" for name in sorted(there - set(TOOLS_ASKED))]

    def ask(name: str, arguments: str, status: int) -> None:
        done = subprocess.run([ROOT / name, *arguments.split()], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)
        if done.returncode != status or not (done.stderr if status else done.stdout) or "Traceback" in done.stderr:
            errors.append(f"{name} {arguments}: {done.returncode}, not {status}: {done.stdout}{done.stderr}")

    for name, (wrong, impossible) in TOOLS_ASKED.items():
        ask(name, "--help", 0)
        ask(name, wrong, 2)
        if impossible:
            ask(name, impossible, 3)
    return errors


def by_links(directory: Path) -> list[str]:
    """What is called by a link, from anywhere, finds its own tree."""
    errors = []
    for name, arguments in (("run-qemu.sh", "--demo nowhere"), ("tools/version", ""), ("tools/new-guest", "hello")):
        link = directory / Path(name).name
        link.symlink_to(ROOT / name)
        outputs = [subprocess.run([path, *arguments.split()], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
                   for path in (ROOT / name, link)]
        told = [(done.returncode, (done.stdout + done.stderr).replace(link.name, "")) for done in outputs]
        if told[0] != told[1]:
            errors.append(f"{name}: {told[1]}, not {told[0]}")
    return errors


def completion() -> list[str]:
    """Every option of --help is completed, and the values of those that have a list."""
    shown = "\n".join(lines_of("./run-qemu.sh", "--help"))

    def completed(*words: str) -> set[str]:
        script = 'source tools/completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nestling ./run-qemu.sh; printf "%s\\n" "${COMPREPLY[@]}"'
        return set(lines_of("bash", "-c", script, "bash", "./run-qemu.sh", *words))

    options = set(re.findall(r"--[a-z][a-z-]*", shown))
    errors = [f"completion lacks {option}" for option in options - completed("--")]
    errors += [f"completion has {option}, which is none" for option in completed("--") - options]
    for words, wanted in ((("--virt", ""), {"svm", "vmx"}), (("--policy", ""), {"4k", "64k", "2m", "auto", "populate"}),
                          (("--board", "=", "r"), {"raspi3b"}), (("--demo", "la"), {"lazy"}), (("aa",), {"aarch64"}),
                          (("--tracking", "s"), {"software"}), (("--guest", "./READ"), {"./README.md"})):
        if completed(*words) != wanted:
            errors.append(f"{words} is completed to {completed(*words)}")
    for option in options:
        if (values := re.search(rf"^  {option} ([a-z0-9]+(?:\|[a-z0-9]+)+) ", shown, re.M)) and completed(option, "") != set(values[1].split("|")):
            errors.append(f"{option} is completed to {completed(option, '')}")
    return errors


def licences_listed() -> list[str]:
    """Each archive that an image has parts of is in LICENSES.md, and each object of ours that has others' source."""
    page, errors = (ROOT / "LICENSES.md").read_text(), []
    for isa in ("x86_64", "aarch64", "riscv64"):
        linked = set(re.findall(r"/(\w+\.a)\(", (ROOT / f"build/{isa}/nestling.map").read_text()))
        errors += [] if len(linked) >= 3 else [f"{isa}: only {linked} is linked"]
        linked |= {f"{made.stem}.o" for made in (ROOT / f"build/{isa}/vmm").rglob("*.d") if re.search(r"third-party/\S+\.c\b", made.read_text())}
        # Its start code is an object by itself, and what relocates is beside it.
        errors += [f"{isa}: {name} is not in LICENSES.md" for name in linked - {"libgnuefi.a"} if f"`{name}`" not in page]
    return errors


def names_exist() -> list[str]:
    done = subprocess.run([ROOT / "tools/check-names"], capture_output=True, text=True)
    return [] if done.returncode == 0 else done.stdout.splitlines() + done.stderr.splitlines()


def gdb_tells() -> list[str]:
    """What gdb's help has of each command, in the list and by itself, is a sentence; and usage."""

    def shown(*commands: str) -> str:
        return "\n".join(lines_of("gdb-multiarch", "-q", "-nx", "--batch", "-ex", "source tools/debugger/commands.py",
                                  *(word for command in commands for word in ("-ex", command))))

    listed = dict(re.findall(r"^nestling (\w+) -- (.*)$", shown("help nestling"), re.M))
    errors = [] if len(listed) >= 5 else [f"only {sorted(listed)} are listed"]
    for name, text in listed.items():
        usage = re.search(rf"^Usage: nestling {name}( .*)?$", shown(f"help nestling {name}"), re.M)
        if not usage or f"nestling {name}" in text or not re.match(r"[A-Z].{20,}\.$", text):
            errors.append(f"nestling {name}: {text}")
    return errors


# --- Setting up a machine -----------------------------------------------------------------------------------------------


def bare_machine(directory: Path, sudo: str | None) -> dict[str, str]:
    """A tree and a PATH on which nothing of ours is installed; what apt-get and sudo are told goes to `calls`."""
    bin_dir = directory / "bin"
    bin_dir.mkdir()
    (directory / "tools").mkdir()
    for name in ("run-qemu.sh", "tools/setup", "tools/machines.sh", "tools/words.sh",
                 "tools/options.sh", "tools/aftermath.sh", "tools/boards.sh", "tools/packages.sh"):
        shutil.copy(ROOT / name, directory / name)
    for name in ("guest", "include"):
        (directory / name).mkdir()
    shutil.copy(ROOT / "include/abi.h", directory / "include")
    (directory / "guest/lazy.c").touch()
    for tool in TOOLS:
        (bin_dir / tool).symlink_to(shutil.which(tool))
    fakes = {"dpkg-query": "exit 1", "apt-get": f'echo "apt-get $*" >>{directory}/calls'}
    if sudo:
        fakes["sudo"] = sudo
    for name, script in fakes.items():
        (bin_dir / name).write_text(f"#!/bin/sh\n{script}\n")
        (bin_dir / name).chmod(0o755)
    directory.chmod(0o777)
    return {"PATH": str(bin_dir), "HOME": str(directory)}


def run_bare(directory: Path, env: dict[str, str], *command: str, root: bool = False) -> subprocess.CompletedProcess:
    """Run it as nobody, if we are root; else as who we are."""
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 and not root else []
    return subprocess.run([*prefix, *command], cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)


def packages_asked_for(text: str) -> set[str]:
    found = re.findall(r"apt-get install -y --no-install-recommends (.*)$", text, re.M)
    return set(found[0].split()) if len(found) == 1 else set()


X86_64 = {"gcc", "make", "python3", "qemu-system-x86", "ovmf", "bochs", "mtools", "dosfstools", "fdisk"}


def no_root_no_sudo(directory: Path) -> list[str]:
    """One line with the one command that root is to run; nothing is installed."""
    errors = []
    # No sudo at all, and one that asks for a password that nobody is there to give.
    for number, sudo in enumerate((None, "exit 1")):
        place = directory / str(number)
        place.mkdir()
        env = bare_machine(place, sudo)
        done = run_bare(place, env, "./run-qemu.sh")
        if done.returncode != 3 or not X86_64 <= packages_asked_for(done.stderr):
            errors.append(f"status {done.returncode}: {done.stderr}")
        if len(done.stderr.splitlines()) != 2 or done.stdout or (place / "calls").exists():
            errors.append(f"more than the command and what it is for: {done.stderr}{done.stdout}")
    done = run_bare(place, env, "tools/setup", "tests")
    if done.returncode != 3 or not {"libcmocka-dev", "clang-14"} <= packages_asked_for(done.stderr):
        errors.append(f"tools/setup tests: {done.returncode}: {done.stderr}")
    return errors


def installs(directory: Path) -> list[str]:
    """By sudo, and as root: it says what it installs, and does."""
    errors = []
    for root in (False, True) if os.geteuid() == 0 else (False,):
        place = directory / str(root)
        place.mkdir()
        env = bare_machine(place, None if root else '[ "$1" != -n ] || shift; exec "$@"')
        done = run_bare(place, env, "tools/setup", "tests", root=root)
        calls = (place / "calls").read_text() if (place / "calls").exists() else ""
        said = re.findall(r"^setup: installing (.*)$", done.stderr, re.M)
        if done.returncode != 0 or len(said) != 1 or packages_asked_for(calls) != set(said[0].split()) or \
                not {"libcmocka-dev", "gcc"} <= packages_asked_for(calls):
            errors.append(f"root {root}: {done.returncode}: {done.stderr}{calls}")
    return errors


# --- A guest of one's own -----------------------------------------------------------------------------------------------


def copy_tree(to: Path) -> None:
    """The sources and what is built of them: a guest that is only tried must not get into the images of this tree."""
    names = [path.name for path in ROOT.iterdir() if path.name not in ("build", ".git")]
    names += [f"build/{name}" for name in ("x86_64", "aarch64", "riscv64", "third-party")]
    (to / "build").mkdir()
    for name in names:
        subprocess.run(["cp", "-a", "--reflink=auto", ROOT / name, to / name], check=True)


def new_guest(directory: Path) -> list[str]:
    copy_tree(directory)

    def new(name: str) -> subprocess.CompletedProcess:
        return subprocess.run([directory / "tools/new-guest", name], capture_output=True, text=True)

    errors = []
    for name in ("", "Mine", "my-guest", "hello", "embed", "../mine", "9lives", "a" * 32, "--force", "a b"):
        done = new(name)
        if done.returncode != 2 or len(done.stderr.splitlines()) != 1 or done.stdout:
            errors.append(f"new-guest '{name}': {done.returncode}: {done.stdout}{done.stderr}")
    if (done := new("mine_2")).returncode != 0:
        return [*errors, done.stderr]
    for isa in ("x86_64", "aarch64", "riscv64"):
        done = subprocess.run([directory / "run-qemu.sh", isa, "--demo", "mine_2"], capture_output=True, text=True, timeout=400)
        if done.returncode != 0 or not re.search(r"^mine_2: got 256 MiB, and have cost \d\d KiB so far\n"
                                                 r"mine_2: wrote 1 MiB of them, and have cost 10\d\d KiB$", done.stdout, re.M):
            errors.append(f"{isa}: {done.returncode}: {done.stdout}{done.stderr}")
    # A macro to gcc; a label, perhaps.
    for name in ("linux", "mine_2_end"):
        new(name)
    made = subprocess.run(["make", "-s", "ARCH=x86_64"], cwd=directory, capture_output=True, text=True, timeout=120)
    errors += [made.stderr] if made.returncode != 0 else []
    # Away with them, and nothing of them is left.
    for name in ("linux", "mine_2_end", "mine_2"):
        (directory / f"guest/{name}.c").unlink()
    done = subprocess.run(["make", "-s", "ARCH=x86_64"], cwd=directory, capture_output=True, text=True, timeout=120)
    if done.returncode != 0 or b"mine_2" in (directory / "build/x86_64/nestling.efi").read_bytes():
        errors.append(f"it is in the image after its removal: {done.stderr}")
    return errors


def linux_has_gone(directory: Path) -> list[str]:
    """The pinned kernel, or that with boards' device trees, is no longer there, or is another one: a line that says so, and nothing else."""
    errors = []
    gone = r"no apt source .* offers linux-image-\S+ \S+ of Debian (trixie|bookworm) any more: with NESTLING_LINUX=newest .*docs/linux"
    changed = r"linux-image-\S+ \S+ is not the package that was tried with Nestling"
    for (name, then, said), (component, out) in itertools.product(
            (("gone", "exit 100", gone), ("changed", 'echo >"${4%=*}_1.deb"', changed)),
            (("linux-riscv64", "linux/riscv64"), ("boards", "boards"))):
        place = directory / f"{name}-{component}"
        place.mkdir()
        env = bare_machine(place, 'exec "$@"')
        fake_apt = place / "bin/apt-get"
        fake_apt.write_text('#!/bin/sh\nwhile [ $# -gt 0 ] && [ "$1" != download ]; do shift; done\n'
                            f'[ $# -eq 0 ] || {{ set -- a b c "$2"; {then}; }}\n')
        done = run_bare(place, env, "tools/setup", component, root=os.geteuid() == 0)
        lines = [line for line in done.stderr.splitlines() if not re.match(r"setup: (installing|fetching) ", line)]
        if done.returncode != 3 or len(lines) != 1 or not re.search(said, lines[0]) or (place / "build" / out).exists():
            errors.append(f"{component} {name}: {done.returncode}: {done.stderr}")
    return errors


def nothing_twice(directory: Path) -> list[str]:
    """What is there already is not fetched or built again, nor said to be. With an apt-get that has nothing, so that what is there stays."""
    fake_apt = directory / "apt-get"
    fake_apt.write_text("#!/bin/sh\nexit 100\n")
    fake_apt.chmod(0o755)
    places = {"boards": "boards", **{f"linux-{isa}": f"linux/{isa}" for isa in ("x86_64", "aarch64", "riscv64")},
              **{name: f"third-party/{name}" for name in ("x86_64", "aarch64", "riscv64", "raspi3b", "qemu10", "sbsa-ref", "uboot-boards", "kvm-aarch64")}}
    here = [component for component, place in places.items() if (ROOT / "build" / place).exists()]
    done = subprocess.run(["tools/setup", *here], cwd=ROOT, env=os.environ | {"PATH": f"{directory}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=600)
    said = done.stdout + done.stderr.replace("setup: waiting for another tools/setup\n", "")
    return [f"tools/setup {' '.join(here)}: status {done.returncode}: {said}"] if done.returncode or said or not here else []


def in_directory(function):
    def call() -> list[str]:
        with tempfile.TemporaryDirectory(prefix="nestling-test-") as name:
            Path(name).chmod(0o755)
            return function(Path(name))

    return call


def newcomer() -> list[Case]:
    return [Case(f"newcomer/{name}", [], function=function) for name, function in (
        ("help", help_fits), ("version", in_directory(version_is_told)),
        ("tools-agree", tools_agree), ("by-links", in_directory(by_links)), ("completion", completion), ("names-exist", names_exist),
        ("licences", licences_listed), ("gdb-tells", gdb_tells),
        ("suggestions", suggestions), ("terminal-and-pipe", in_directory(terminal_and_pipe)),
        ("interrupted", in_directory(interrupted)), ("given-up", in_directory(given_up)), ("make-help", make_help_is_whole), ("no-root-no-sudo", in_directory(no_root_no_sudo)),
        ("installs", in_directory(installs)), ("nothing-twice", in_directory(nothing_twice)), ("linux-has-gone", in_directory(linux_has_gone)), ("new-guest", in_directory(new_guest)))]
