# SPDX-License-Identifier: BSD-2-Clause
"""Benchmarks on the target: the guest of bench/guest/ in each machine, under counters that count instructions."""

import json
import os
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from image import ROOT, Image

ICOUNT = "-icount shift=0,sleep=off"
# One CPU, so that nothing but what is measured is executed; slices as bench/guest/bench.c counts them.
DEFAULTS = (("--cpus", "1"), ("--slice", "1"))
BACKENDS = {"svm": "x86_64", "vmx": "x86_64", "el2": "aarch64", "h": "riscv64"}
PHASE_BOOT = 1

Counts = dict[int, Counter]  # phase: how often the instruction at an offset in the image was executed


def boot(backend: str, guest: Path, env: dict, *options: str) -> str:
    """Run a guest; what the console shows."""
    command = [str(ROOT / "run-qemu.sh"), BACKENDS[backend], "--guest", str(guest), "--timeout", "900", *options]
    for name, value in DEFAULTS:
        if name not in options:
            command += [name, value]
    if backend == "vmx":
        command += ["--virt", "vmx"]
    result = subprocess.run(command, env=os.environ | env, text=True, errors="replace", capture_output=True)
    if result.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)} ended with {result.returncode}:\n"
                         f"{result.stdout[-1500:]}{result.stderr[-1500:]}")
    return result.stdout


# --- Profiles -----------------------------------------------------------------------------------------------------------


def qemu_profile(backend: str, image: Image, guest: Path, *options: str, threads: int = 0, one_phase: bool = False,
                 machine: str = ICOUNT) -> tuple[str, dict[int, int], Counts]:
    """
    The console, and by phase: all instructions executed, and those of the image. See bench/plugin/profile.c. With `threads`, that
    many CPUs that run at once, each with a phase of its own, or in one; else all take turns, in virtual time.
    """
    program = Image(image.isa, guest)
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "profile"
        plugin = (f"{ROOT}/build/bench/profile.so,out={out},offset={image.entry:#x},size={image.size:#x},"
                  f"entry={image.bytes_at(image.entry, 20).hex()},guest={program.bytes_at(program.entry, 14).hex()}"
                  + (f",cpus={threads},one-phase={one_phase:d}" if threads else ""))
        console = boot(backend, guest, {"NESTLING_QEMU_ARGS": f"{'' if threads else machine} -plugin {plugin}"}, *options)
        return console, *read_profile(out.read_text())


def read_profile(text: str) -> tuple[dict[int, int], Counts]:
    totals: Counter = Counter()
    counts: Counts = defaultdict(Counter)
    for line in text.splitlines():
        phase, what, *number = line.split()
        if phase == "base":
            continue
        if what == "total":
            totals[int(phase)] += int(number[0])
        else:
            counts[int(phase)][int(what, 16)] += int(number[0])
    return totals, counts


def bochs_profile(image: Image, guest: Path) -> tuple[str, Counts]:
    """By the debugger's trace: it starts and ends at every other magic breakpoint."""
    with tempfile.TemporaryDirectory() as directory:
        script, log = Path(directory) / "go", Path(directory) / "log"
        script.write_text("c\n" + "trace on\nc\ntrace off\nc\n" * 40)
        args = f"-rc {script} -dbglog {log} magic_break:enabled=1"
        console = boot("vmx", guest, {"NESTLING_BOCHS_ARGS": args})
        return console, read_trace(image, log)


TRACED = re.compile(r"^\(0\)\.\[\d+\] \[0x([0-9a-f]+)\] .*; ([0-9a-f]+)$")


def read_trace(image: Image, log: Path) -> Counts:
    counts: Counts = defaultdict(Counter)
    phase, base = 0, None
    rows = [(int(row[1], 16), row[2]) for row in map(TRACED.match, log.open(errors="replace")) if row]
    for i, (address, code) in enumerate(rows):
        if code.startswith("0f1f80") and code.endswith("00534e"):  # mark() of bench/guest/x86_64/isa.h
            phase = int(code[6:8], 16)
        if base is None and code == "0f01c1":  # VMCALL: next comes the image's own exit handler
            base = rows[i + 1][0] - find_code(image, [code for _, code in rows[i + 1:i + 12]])
        if base is not None and 0 <= address - base < image.size:
            counts[phase][address - base] += 1
    return counts


def find_code(image: Image, code: list[str]) -> int:
    start, text = image.text
    needle = bytes.fromhex("".join(code))
    if text.count(needle) != 1:
        raise SystemExit(f"bench: {text.count(needle)} places in the image look like where Bochs' exit leads")
    return start + text.index(needle)


# --- Events -------------------------------------------------------------------------------------------------------------


def profile_of(image: Image, counts: Counter, events: int) -> dict:
    """Instructions per event that the hypervisor executed, in all, by part and by function."""
    image.resolve(list(counts))
    parts, functions = Counter(), Counter()
    for address, count in counts.items():
        parts[image.part(address)] += count
        functions[image.function(address)] += count
    return {
        "all": sum(counts.values()) / events,
        "parts": {name: count / events for name, count in parts.most_common()},
        "functions": {name: count / events for name, count in functions.most_common() if count / events >= 0.5},
    }


def event_of(line: str, image: Image, counts: Counts) -> tuple[str, dict]:
    """One line of the guest's, in instructions instead of ticks."""
    told = json.loads(line)
    events, tick = told["events"], told["tick"]
    event = {
        "events": events,
        "mean": (told["total"] - told["loop"]) * tick / events,
        "median": told["median"] * tick,
        "loop": told["loop"] * tick / events,
        "pages": told["pages"],
        "faults": told["faults"],
        "resident": (told["resident"] + (1 << 63)) % (1 << 64) - (1 << 63),
    }
    if told["faults"]:
        event["per_fault"] = (told["total"] - told["loop"]) * tick / told["faults"]
    if counts.get(told["phase"]):
        event["profile"] = profile_of(image, counts[told["phase"]], told["profiled"])
    return told["name"], event


def measure(backend: str, *options: str) -> dict:
    """What the guest measures; with "--ram" and less than a GiB, that is only a call and a fresh page."""
    isa = BACKENDS[backend]
    image, guest = Image(isa, ROOT / f"build/{isa}/nestling.elf"), ROOT / f"build/{isa}/bench/guest/bench.elf"
    if backend == "vmx":
        console, counts = bochs_profile(image, guest)
    else:
        console, _, counts = qemu_profile(backend, image, guest, *options)
    return events_of(backend, image, console, counts)


# With -icount a CPU that spins keeps its turn until some timer is due: a timer of the network's, which has nothing to do, ends turns.
# An instruction takes 64 ns, for firmware that starts a second CPU waits for many milliseconds, and each look at its clock is slow.
TURNS = "-icount shift=6,sleep=off -netdev hubport,id=turns,hubid=0 -object filter-buffer,id=turn,netdev=turns,interval=500"


# Backends, and what else the machine is: by its GIC it depends who delivers a guest's interrupts, the hypervisor or the CPU.
INTERRUPTS = {"svm": ("svm", ""), "el2": ("el2", ""), "el2-gicv3": ("el2", "-M virt,virtualization=on,gic-version=3"), "h": ("h", "")}
SLEEPY = ("--ram", "256M", "--slice", "1000")  # no slice ends meanwhile


def measure_interrupts(name: str) -> dict:
    """Interrupts and devices: two vCPUs on two CPUs, whose instructions are counted together. None is of a slice that ends."""
    backend, more = INTERRUPTS[name]
    isa = BACKENDS[backend]
    image, guest = Image(isa, ROOT / f"build/{isa}/nestling.elf"), ROOT / f"build/{isa}/bench/guest/interrupts.elf"
    if backend == "h":
        return interrupts_apart(image, guest)
    console, _, counts = qemu_profile(backend, image, guest, *SLEEPY, "--cpus", "2", "--vcpus", "2", machine=f"{TURNS} {more}")
    return profiles(backend, image, console, counts)


def interrupts_apart(image: Image, guest: Path) -> dict:
    """
    On H an IPI waits for the end of a turn, whatever timer is due, for seconds each. So what one vCPU does is measured on one CPU, and
    IPIs where two run at once, without what one of them waits for the other's lock. Timers that the CPU has for the guest (Sstc)
    cost no instruction.
    """
    console, _, counts = qemu_profile("h", image, guest, *SLEEPY)
    alone = profiles("h", image, console, counts)
    console, _, counts = qemu_profile("h", image, guest, *SLEEPY, "--cpus", "2", "--vcpus", "2", threads=2, one_phase=True)
    working = {phase: found - waiting(image, found) for phase, found in counts.items()}
    return profiles("h", image, console, working) | alone


def profiles(backend: str, image: Image, console: str, counts: Counts) -> dict:
    """By event; one that the hypervisor has nothing to do with has no instruction of it."""
    nothing = profile_of(image, Counter(), 1)
    return {name: event.get("profile", nothing) for name, event in events_of(backend, image, console, counts).items()}


def events_of(backend: str, image: Image, console: str, counts: Counts) -> dict:
    lines = re.findall(r"^(?:guest\.\d+: )?bench: (\{.*\})$", console, re.M)
    if len(lines) < 2:
        raise SystemExit(f"bench: the guest on {backend} measured nothing:\n{console[-1500:]}")
    return dict(event_of(line, image, counts) for line in lines)


# --- Several vCPUs -----------------------------------------------------------------------------------------------------

# Memory for bench/guest/vcpus.c, and slices that do not end meanwhile.
SEVERAL = ("--ram", "256M", "--slice", "1000")
THREADS = 4
WAITING = {"spin_until_free", "shootdown_serve", "await_flushes", "arch_cpu_pause"}


def waiting(image: Image, counts: Counter) -> Counter:
    """Those of loops that wait for another CPU."""
    image.resolve(list(counts))
    return Counter({address: count for address, count in counts.items()
                    if WAITING & {function for function, _ in image.frames[address]}})


def calls_of(image: Image, counts: Counter, function: str) -> int:
    return sum(counts[start] for start, _, name in image.functions if name == function)


def several_events(image: Image, console: str, counts: Counts) -> dict:
    events = {}
    for line in re.findall(r"^(?:guest\.\d+: )?bench: (\{.*\})$", console, re.M):
        told = json.loads(line)
        found = counts.get(told["phase"], Counter())
        # Elsewhere what is done while waiting is work: who is shot down does it, and who leaves its CPU.
        waits = waiting(image, found).total() if told["name"].endswith(("-together", "-shot")) else 0
        events[told["name"]] = {"events": told["events"], "waiting": waits / told["events"],
                                "waits": calls_of(image, found, "spin_until_free") / told["events"],
                                "profile": profile_of(image, found, told["events"])}
    return events


def measure_several(backend: str) -> dict:
    """Two vCPUs that take turns on one CPU, and THREADS of them on as many; IPIs are by the run's report."""
    isa = BACKENDS[backend]
    image, guest = Image(isa, ROOT / f"build/{isa}/nestling.elf"), ROOT / f"build/{isa}/bench/guest/vcpus.elf"
    console, _, counts = qemu_profile(backend, image, guest, *SEVERAL, "--vcpus", "2")
    events = several_events(image, console, counts)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report"
        console, _, counts = qemu_profile(backend, image, guest, *SEVERAL, "--cpus", str(THREADS), "--vcpus", str(THREADS),
                                          "--report", str(report), threads=THREADS)
        events |= several_events(image, console, counts)
        told = json.loads(report.read_text().splitlines()[0])
    return {"events": events, "shootdowns": told["shootdowns"], "ipis": told["ipis"]}


# --- Boot ---------------------------------------------------------------------------------------------------------------

# RAM of the machine and of the guest; CPUs.
BOOTS = (("128M", "1G", 1), ("512M", "1G", 1), ("512M", "1G", 4), ("512M", "64G", 1), ("8G", "1G", 1))


def measure_boot(backend: str, host_ram: str, ram: str, cpus: int) -> dict:
    """From the image's first instruction to the guest's: all, firmware's services included, and the image's own."""
    isa = BACKENDS[backend]
    image = Image(isa, ROOT / f"build/{isa}/nestling.elf")
    _, totals, counts = qemu_profile(backend, image, ROOT / f"build/{isa}/guest/hello.elf", "--host-ram", host_ram, "--ram", ram,
                                     "--cpus", str(cpus))
    image.resolve(list(counts[PHASE_BOOT]))
    functions = Counter()
    for address, count in counts[PHASE_BOOT].items():
        functions[image.function(address)] += count
    return {"all": totals[PHASE_BOOT], "own": sum(counts[PHASE_BOOT].values()), "functions": dict(functions.most_common(12))}


# --- Crowd --------------------------------------------------------------------------------------------------------------


def measure_crowd(backend: str) -> dict:
    """How many VMs of 64 MiB the demo `crowd` has beside each other, and what one of them costs at most, in bytes."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report"
        command = [str(ROOT / "run-qemu.sh"), BACKENDS[backend], "--demo", "crowd", "--ram", "64M", "--cpus", "1",
                   "--timeout", "900", "--report", str(report)]
        if backend == "vmx":
            command += ["--virt", "vmx"]
        result = subprocess.run(command, text=True, errors="replace", capture_output=True)
        if result.returncode != 0:
            raise SystemExit(f"bench: {' '.join(command)} ended with {result.returncode}:\n{result.stdout[-1500:]}")
        vms = [json.loads(line) for line in report.read_text().splitlines()]
    return {"vms": len(vms), "memory": max(vm["memory_peak"] for vm in vms)}
