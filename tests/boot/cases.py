# SPDX-License-Identifier: BSD-2-Clause
"""The table of boot tests: what is tried on every backend. A case's name begins with the one it runs on."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import bochs_svm
import debug
import disks
import elf
import flashing
import machines
import memory
import keyboard
import linux
import newcomer
import qemu10
import report
import screen
import several
import single
import smp
import static
import typed
import vhe
from backends import BACKENDS, KINDS, ROOT
from harness import EXITED, FATAL, PAGE, G, K, M, T, Boot, Case, Result, at_least, below, case, write_file

# --- The guests that ship -----------------------------------------------------------------------------------------------

RAM_START = {"x86_64": 0, "aarch64": 0x40000000, "riscv64": 0x80000000}


def demos() -> list[Case]:
    out = []
    for name, backend in BACKENDS.items():
        start = RAM_START[backend.isa]
        uart = "exits.pio" if backend.isa == "x86_64" else "exits.mmio"
        out.append(case(f"{name}/demo/hello", "--demo", "hello", slow=name in ("svm-uboot", "el2-uboot"), report=EXITED | {
            "demo": "hello", uart: at_least(64), "exits.hypercall": at_least(4)},
            text=(r"^hello: this line went through a serial port", r"^hello: I was promised 1 GiB",
                  rf"^hello: there is RAM from 0x{start:x} to 0x{start + G:x}$", r'to "Nestling')))
    for name in KINDS:
        # The same file for both vendors, and the same outcome as from inside the image.
        out.append(case(f"{name}/demo/lazy-from-file", "--guest", str(BACKENDS[name].build / "guest/lazy.elf"),
                        report=EXITED, slow=name == "el2", text=(r"^lazy: every page read as zeros",)))
        out.append(case(f"{name}/demo/trace", "--demo", "hello", "--trace", report=EXITED, slow=name == "vmx",
                        max_log=1000, text=(r"(?i)^trace: .*(hypercall|HVC|ecall|call)", r"(?i)^trace: .*fault")))
    return out


def acceptance(name: str) -> Case:
    """Promised 1 GiB, and then 64: it costs a few hundred pages, the same ones."""
    host = G if name == "pi3" else 512 * M
    spec = EXITED | {
        "demo": "lazy", "policy": "4k", "resident": below(G // 100), "resident_peak": below(G // 100),
        "faults.denied": 0, "faults.unmapped": 0, "faults.no_memory": 0, "leaves.2m": 0, "leaves.1g": 0,
        "host_free": lambda free: host // 2 < free < host,
    }
    text = (r"^lazy: every page read as zeros at first, and then as what was written$",
            r"^lazy: promised \d+ GiB, touched 320 pages, 1\.\d MiB resident")

    def together(reports: list[dict]) -> list[str]:
        small, large = reports
        errors = []
        for report in reports:
            # Each page is read first, which maps zeros, and written then, which gives it memory in place of them.
            given = sum(report["handled"][name] for name in ("fresh", "unzero", "copy"))
            if given * PAGE != report["resident"] or report["handled"]["unzero"] < 320:
                errors.append(f"{report['handled']} do not explain {report['resident']} bytes")
        if small["resident"] != large["resident"]:
            errors.append(f"resident: {small['resident']} for 1 GiB, {large['resident']} for 64 GiB")
        # At most a leaf table for each page, and a directory for each GiB that has any; RISC-V's root is four pages,
        # AArch64's up to sixteen.
        tables = (16 + small["resident"] // PAGE + 64 + 1) * PAGE
        if large["table_bytes"] > tables:
            errors.append(f"tables: {large['table_bytes']} bytes, the pages need at most {tables}")
        return errors

    boots = [Boot(["--ram", size], backend=name, text=text, report=spec | {"guest_ram": value}) for size, value in (("1G", G), ("64G", 64 * G))]
    return Case(f"{name}/lazy/1G-and-64G-cost-the-same", boots, together=together)


# Sizes of the guest's RAM and of the machine's: those that are quick to try, and the others.
RAM_SIZES = {
    "svm": (("2M", "258M", "3073M", "512G"), ("4M", "64M", "3G", "5G")),
    "vmx": (("5G",), ("2M",)),
    "el2": (("4M", "258M"), ("64M", "3G", "5G", "500G", "1000G")),
    "h": (("4M", "258M"), ("64M", "3G", "5G", "500G", "2T", "200T")),
}
HOST_SIZES = {
    "svm": (("64M", "256M", "4G"), ("128M", "1G", "2G", "3G")),
    "svm-uboot": (("4G",), ("64M", "2G")),
    "vmx": ((), ("64M", "256M", "2048M")),
    "el2": (("128M", "8G"), ("256M", "1G", "2G", "4G")),
    "el2-uboot": (("128M",), ("256M", "1G", "3G", "8G")),
    "h": (("128M", "8G"), ("256M", "1G", "2G", "4G")),
}


def sizes() -> list[Case]:
    out = [acceptance(name) for name in BACKENDS]
    for name, both in RAM_SIZES.items():
        out += [case(f"{name}/lazy/ram-{ram}", "--ram", ram, report=EXITED, slow=slow,
                     text=(r"^lazy: every page read as zeros",))
                for slow, rams in enumerate(both) for ram in rams]
    for name, both in HOST_SIZES.items():
        for slow, rams in enumerate(both):
            for ram in rams:
                size = int(ram[:-1]) * (G if ram.endswith("G") else M)
                out.append(case(f"{name}/lazy/host-{ram}", "--host-ram", ram, slow=slow,
                                report=EXITED | {"host_free": lambda free, size=size: size // 8 < free < size}))
    for name in BACKENDS:
        out.append(case(f"{name}/lazy/populate", "--policy", "populate", "--ram", "64M", report=EXITED | {
            "policy": "populate", "resident": 64 * M, "exits.fault": 0, "faults.handled": 0, "faults.spurious": 0},
            slow=name in ("svm-uboot", "el2-uboot", "pi3")))
        out.append(case(f"{name}/lazy/populate-too-much", "--policy", "populate", "--ram", "2G", status=3,
                        report={"outcome": "no_memory", "resident": 0}, text=(r"^error: vm: .*free",),
                        slow=name in ("svm-uboot", "vmx", "el2-uboot", "pi3")))
    # Wider than the CPU's addresses: refused before anything runs.
    for name in ("svm", "el2"):
        out.append(case(f"{name}/lazy/ram-256T", "--ram", "256T", status=3, report=None,
                        one_line=FATAL + r".* addresses end at \d+ TiB on this CPU"))
    return out


# --- Guests that misbehave ----------------------------------------------------------------------------------------------

CRASHED = {"outcome": "crashed"}
UNMAPPED = {"outcome": "unmapped", "faults.unmapped": 1}
NO_MEMORY = {"outcome": "no_memory", "faults.no_memory": 1, "host_free": below(4 * M)}
STOPPED = r"^error: vm: guest stopped at pc "

# name: (status, report, text, more arguments)
GUESTS = {
    "exit_status": (42, {"outcome": "exited", "guest_status": 42}, (), ()),
    "exit_256": (255, {"outcome": "exited", "guest_status": 256}, (), ()),
    "fake_report": (9, {"outcome": "exited", "guest_status": 9, "guest_ram": G},
                    (r"^an unfinished line, and then the end$",), ()),
    "cmdline": (0, EXITED, (r'^cmdline: \[console=ttyS0 init="/bin/sh -c ls" # quiet\]$',),
                ("--cmdline", 'console=ttyS0 init="/bin/sh -c ls" # quiet')),
    "halt": (0, EXITED, (r"^halt: going to sleep$",), ()),
    "illegal_insn": (3, CRASHED, (r"^illegal_insn: here it comes$", STOPPED), ()),
    "wild_write": (3, UNMAPPED, (r"^wild_write: to 0x([48c]0000000)$", r"^error: vm: guest write at 0x[48c]0000000,"), ()),
    "wild_hole": (3, UNMAPPED, (r"^error: vm: guest read at 0x(fe9|200)00000,",), ("--ram", "5G")),
    "wild_high": (3, UNMAPPED, (r"^error: vm: guest read at 0xf*fffff000,",), ()),
    "wild_exec": (3, UNMAPPED, (r"^error: vm: guest execution at 0x[48c]0000000,",), ()),
    "wild_walk": (3, UNMAPPED, (r"by its own page walk",), ()),
    "unknown_hypercall": (0, EXITED | {"exits.hypercall": at_least(10000)}, (), ()),
    "console": (0, EXITED, (r"^x{79}$", r"^x{999}$", r"^a page border$", r"^y{4095}$",
                            r"^(abcdefghijklmnopqrstuvwxyz)+abcdefghijklmn$"), ()),
    "oom": (3, NO_MEMORY, (r"^oom: 16384 pages written$", r"^error: vm: guest write at 0x\w+, pc 0x\w+: the host has no frame "
                           r"left for it: \d+ bytes free, \d+ resident of \d+ promised, \d+ of tables$"), ("--host-ram", "256M")),
    "oom_sparse": (3, NO_MEMORY, (), ("--host-ram", "256M", "--ram", "256G")),
    "exec": (0, EXITED, (), ()),
    "page_walk": (0, EXITED, (), ()),
    "libc": (0, EXITED, (r"^libc: formats   abc\|-42   \|00beef\|18446744073709551615 64 -5 !\n"
                         r"libc: the runtime's own, in between\nlibc: puts\nlibc: all as it should be\n"
                         r"libc: an unfinished line, and then the end$",), ()),
    "control": (42, {"outcome": "exited", "guest_status": 42, "exits.mmio": at_least(10000)}, (),
                ("--ram", "64M", "--vcpus", "2")),
    "virtio_balloon": (0, EXITED | {"exits.mmio": at_least(8000), "reported": at_least(16 << 20), "inflated": at_least(1 << 20)}, (),
                       ("--ram", "64M", "--vcpus", "2")),
    "virtio_rng": (0, EXITED, (r"virtio_rng: child has [0-9a-f]+ [0-9a-f]+$", r"virtio_rng: parent has [0-9a-f]+ [0-9a-f]+$"), ()),
    "virtio_fork": (0, EXITED, (r"virtio_fork: [1-6] of 6 forks with a chain in hand$",), ("--ram", "64M", "--vcpus", "2")),
    "panic_told": (3, CRASHED, (r"^error: vm: guest's kernel says that it has panicked, at pc 0x", r"^error: vm: what it printed last:$",
                                r"^error: vm:   \| panic_told: line 0$", r"^error: vm:   \| panic_told: line 19$", r"^error: vm:   \| panic_told: here it   comes$"), ()),
} | memory.GUESTS
# On ISAs whose runtime takes interrupts.
IRQ_SMP = (0, EXITED, (r"^irq_smp: 4 vCPUs$",), ("--cpus", "2", "--vcpus", "4"))
IRQ_FORK = (0, EXITED, tuple(rf"irq_fork: the child has had {what}$" for what in (
    "what was pending", "the timer", "the end of an interrupt")), ())

OWN_GUESTS = {
    "x86_64": {
        "triple_fault": (3, CRASHED, (r"^triple_fault: here it comes$",), ()),
        "wild_idt": (3, UNMAPPED, (), ()),
        "wild_pio": (0, EXITED | {"exits.pio": at_least(10000)}, (), ()),
        "uart": (0, EXITED, (r"^uart: a line of its own$",), ()),
        "event_fresh": (0, EXITED, (), ()),
        "denied_stack": (3, {"outcome": "denied", "faults.denied": at_least(2)}, (), ()),
        "bad_msr": (0, EXITED, (), ()),
        "cpuid_check": (0, EXITED, (r'^cpuid_check: "NestlingNest"',), ()),
        "set_vmxe": (0, EXITED, (), ()), "virt_insns": (0, EXITED, (), ()),
        "odd_insns": (0, EXITED, (), ()), "prefixed": (0, EXITED, (), ()),
        "user_call": (0, EXITED, (), ()), "entry_state": (0, EXITED, (), ()),
        "step_over": (0, EXITED, (), ()),
        "modes": (0, EXITED, (), ()),
        "fork_modes": (0, EXITED, (), ()),
        "debug_loop": (3, CRASHED, (r"^debug_loop: here it comes$", STOPPED + r".*raised again each time"), ()),
        "align_loop": (3, CRASHED, (r"^align_loop: here it comes$", STOPPED + r".*vector 17, raised again each time"), ()),
        "string_io": (3, CRASHED, (r"^string_io: here it comes$", r"OUTS"), ()),
        "real_mode": (0, EXITED, (r"^real_mode: sixteen bits and counting$",), ()),
        "apic_start": (0, EXITED | {"exits.mmio": at_least(20)}, (
            r"vCPU 1 came through the page$", r"vCPU 2 came through the MSRs$",
            r"no effect \(delivery mode 2, vector 0\): there is no such delivery mode"), ("--vcpus", "3")),
        "interrupts": (0, EXITED, (r"interrupts: the fork has all of its own$",), ("--vcpus", "2")),
        "irq_hostile": (0, EXITED | {"exits.mmio": at_least(4000)}, (), ()),
        "irq_fork": IRQ_FORK,
        "irq_smp": IRQ_SMP,
    },
    "aarch64": {
        "lazy_mmu": (0, EXITED, (r"^lazy: every page read as zeros",), ()),
        "mmio": (0, EXITED | {"exits.mmio": at_least(15)}, (), ()),
        "mmio_pair": (3, CRASHED, (r"^mmio_pair: here it comes$", STOPPED + r".*device"), ()),
        "psci_cpu_off": (0, EXITED, (r"^psci_cpu_off: here it comes$",), ()),
        "irq_fork": IRQ_FORK,
        "irq_hostile": (0, EXITED, (), ()),
        "irq_smp": IRQ_SMP,
        "smccc": (0, EXITED, (), ()),
        "sysregs": (0, EXITED, (), ()),
        "user": (0, EXITED, (), ()),
        "walk_device": (3, {"outcome": "denied"}, (r"^walk_device: tables at 0x8010000$",), ()),
    },
    "riscv64": {
        "fp": (0, EXITED, (), ()),
        "harts": (0, EXITED, (), ("--cpus", "4", "--vcpus", "4", "--slice", "500")),
        "irq_fork": IRQ_FORK,
        "irq_hostile": (0, EXITED, (), ()),
        "irq_smp": IRQ_SMP,
        "lazy_sv39": (0, EXITED, (r"^lazy: every page read as zeros",), ()),
        "lazy_sv48": (0, EXITED, (r"^lazy: every page read as zeros",), ()),
        "lazy_sv57": (0, EXITED, (r"^lazy: every page read as zeros",), ()),
        "mmio": (0, EXITED | {"exits.mmio": at_least(15)}, (), ()),
        "mmio_amo": (3, CRASHED, (r"^mmio_amo: here it comes$", STOPPED + r".*device"), ()),
        "sbi": (0, EXITED, (r"^sbi: by the debug console$",), ()),
        "timer": (0, EXITED, (), ()),
        "user": (0, EXITED, (), ()),
        "virt_insns": (0, EXITED, (), ()),
    },
}

def hostile(backend: str) -> dict[str, str]:
    """The guests that need nothing of their machine, and how each ends."""
    table = GUESTS | OWN_GUESTS[BACKENDS[backend].isa]
    return {name: report["outcome"] for name, (_, report, _, args) in table.items()
            if "outcome" in report and not args and name not in NOT_THERE.get(backend, ()) and not FORKS.get(name)}


# On the emulator that is slow to boot, and where another backend shows the same: only with --all.
SLOW_GUESTS = {
    "svm": (),
    "vmx": ("cmdline", "exit_256", "fake_report", "halt", "uart", "illegal_insn", "wild_hole", "wild_high", "wild_exec", "wild_pio",
            "string_io", "user_call", "console", "exec", "oom", "oom_sparse", "event_fresh", "odd_insns",
            "irq_hostile", "irq_fork", "irq_smp", "virtio_balloon"),
    "el2": ("exit_256", "fake_report", "wild_hole", "oom_sparse", "psci_cpu_off", "wild_exec"),
    "h": ("exit_256", "fake_report", "wild_hole", "oom_sparse", "lazy_sv48", "wild_exec", "irq_smp"),
}
# What only one of the two emulators of an ISA can do: QEMU checks no alignment, and does not tell where an intercepted instruction ends.
NOT_THERE = {"svm": ("align_loop", "prefixed")}
# How many VMs of their own a guest makes, of those that are not of memory.py.
FORKS = {"virtio_rng": 1, "virtio_fork": 6, "interrupts": 1, "step_over": 1, "fork_modes": 4, "irq_fork": 3, "control": 1}
# What the report has on one backend only. Where VMX is KVM's, an undefined instruction that does not exit to us is KVM's to serve.
REPORTS = {("vmx", "virt_insns"): {"exits.other": at_least(100)}}
# What depends on the machine below, tried on the other backends too.
ELSEWHERE = {"el2-uboot": ("lazy_mmu", "page_walk", "sysregs", "oom"), "pi3": ("lazy_mmu", "page_walk", "sysregs", "smccc", "irq_fork", "irq_hostile")}


# Where a guest crashed that has no handler: on x86 at the instruction, on AArch64 in its empty vectors, on RISC-V at 0, which says
# nothing.
CRASHED_AT = {isa: rf"^run-qemu: pc 0x[0-9a-f]+ is {place}; {isa}-linux-gnu-addr2line -fpe \S+ 0x[0-9a-f]+ tells$"
              for isa, place in (("x86_64", r"\w+ at tests/guests/illegal_insn\.c:\d+.*"), ("aarch64", "no address of its code"))}
# QEMU forgets no breakpoint that is still set when a guest ends, and would stop whatever lies at that address later.
ALONE = ("debug_loop",)


def guest_case(backend: str, name: str, slow: bool, *more: str) -> Case:
    status, report, text, args = (GUESTS | OWN_GUESTS[BACKENDS[backend].isa])[name]
    report = report and report | REPORTS.get((backend, name), {})
    # Which guests end by saying so can be seen from their sources.
    forks = FORKS.get(name, 0)
    source = Path(BACKENDS[backend].guest(name)).relative_to(BACKENDS[backend].build).with_suffix(".c")
    if "return check_status" in (ROOT / source).read_text():
        text += (rf"^{name}: all as it should be$",)
    text += debug.POST_MORTEM.get(name, ())
    if name == "illegal_insn" and BACKENDS[backend].isa in CRASHED_AT:
        text += (CRASHED_AT[BACKENDS[backend].isa],)
    return case("-".join((f"{backend}/guest/{name}", *more)).replace("---", "-"), "--guest", BACKENDS[backend].guest(name), *args, *more, status=status, report=report,
                text=text, forbid=(r"FAILED",), slow=slow, forks=forks, alone=name in ALONE and backend != "vmx")


def guests() -> list[Case]:
    out = []
    for name in KINDS:
        own = OWN_GUESTS[BACKENDS[name].isa]
        out += [guest_case(name, guest, guest in SLOW_GUESTS[name]) for guest in GUESTS | own
                if guest not in NOT_THERE.get(name, ())]
        # SVM's is screen/given-up.
        out.append(case(f"{name}/guest/spin", "--guest", BACKENDS[name].guest("spin"), status=4, report=None,
                        text=(r"^spin: round and round$",), seconds=120 if name == "vmx" else 30, slow=True))
        out.append(case(f"{name}/guest/oom-it-has", "--guest", BACKENDS[name].guest("oom"), "--ram", "128M",
                        report=EXITED | {"resident": lambda size: 125 * M < size <= 128 * M}, slow=name in ("vmx", "h"),
                        text=(r"^oom: all \d+ pages",)))
    # Its calls really at once, too.
    out += [guest_case(name, guest, name != "h", "--cpus", "2") for name in ("svm", "el2", "h") for guest in ("control", "virtio_balloon")]
    for name, some in ELSEWHERE.items():
        out += [guest_case(name, guest, True) for guest in some]
    for name in ("el2", "h"):
        out.append(case(f"{name}/guest/exception_loop", "--guest", BACKENDS[name].guest("exception_loop"), status=4,
                        report=None, text=(r"^exception_loop: here it comes$", r"^run-qemu: given up after 30 s$",
                              r"^run-qemu: the guest is at pc 0x[0-9a-f]+$"),
                        seconds=30, slow=True))
    # QEMU's monitor tells where that is, and Bochs' debugger.
    for name, seconds in (("svm", 30), ("vmx", 120)):
        out.append(case(f"{name}/guest/spin-given-up", "--guest", BACKENDS[name].guest("spin"), status=4, report=None, seconds=seconds,
                        text=(r"^spin: round and round$", r"^run-qemu: pc 0x[0-9a-f]+ is guest_main at tests/guests/spin\.c:\d+"),
                        slow=True))
    return out


# --- Files, guests or not -----------------------------------------------------------------------------------------------

# The loader has host tests of its own, which try each of these: here is what a person sees.
QUICK_FILES = {
    "svm": ("empty", "half-a-header", "wrong-machine", "overlapping", "behind-ram", "entry-outside", "huge-memsz",
            "minimal", "lazy-bss", "unaligned", "bss-behind-the-file", "physical-entry"),
    "vmx": (),
    "el2": ("overlapping", "minimal", "moved"),
    "h": ("below-the-floor", "minimal"),
}
# Of what tests/elf/build links, which a host test loads: some run, one of each way of relocating.
BUILT = {"svm": ("ld-static-plain", "ld-pie-relr", "gcc-static-pie", "ld-pie-with-bss"), "vmx": ("ld-pie-plain",), "el2": ("lld-pie-with-full", "ld-pie-placed"),
         "h": ("ld-pie-plain", "lld-pie-relr")}


def files() -> list[Case]:
    out = []
    for name in KINDS:
        isa, quick = elf.ISAS[BACKENDS[name].isa], QUICK_FILES[name]
        some = ("wrong-machine", "overlapping", "below-the-floor", "across-ram-end", "minimal", "unaligned", "lazy-bss")
        if name == "vmx":
            some = ("overlapping", "minimal")
        for which, content in elf.malformed(isa).items():
            if name == "svm" or which in some:
                out.append(case(f"{name}/elf/{which}", "--guest", "{dir}/guest.elf", "--ram", "64M", status=(2, 3),
                                report=None, one_line=rf"{FATAL}|^run-qemu: guest file ", slow=which not in quick,
                                files=write_file("guest.elf", content)))
        for which, content in elf.accepted(isa).items():
            if name == "svm" or which in some:
                out.append(case(f"{name}/elf/{which}", "--guest", "{dir}/guest.elf", "--ram", "64M", report=EXITED,
                                slow=which not in quick, files=write_file("guest.elf", content)))
    return out


def built() -> list[Case]:
    return [case(f"{name}/elf/{which}", "--guest", f"{ROOT}/build/host/elf/{BACKENDS[name].isa}-{which}.elf", "--ram", "64M", report=EXITED,
                 slow=number > 0)
            for name, all_of in BUILT.items() for number, which in enumerate(all_of)]


def wrong_guests() -> list[Case]:
    """What a person reads names the file, and says what to do; here is what the image finds, the rest is told before the boot."""
    return [case("svm/elf/says-what-to-do", "--guest", "{dir}/my kernel.elf", "--ram", "64M", status=3, report=None,
                 one_line=r"^nestling: fatal: guest \\my_kernel\.elf: segment 0 begins at 0xff000, with the file's headers, where the boot "
                          r"data goes: link it with -Ttext-segment=0x200000 \(ld\) or ",
                 files=lambda directory: shutil.copy(ROOT / "build/host/elf/refused/x86_64-ld-text-at-floor.elf",
                                                     directory / "my kernel.elf"))]


def linux_images() -> list[Case]:
    out = []
    for name in ("el2", "h"):
        isa = elf.ISAS[BACKENDS[name].isa]
        good = {"image": {}, "text-offset": {"text_offset": 0x80000}, "old": {"image_size": 0}}
        for which, header in good.items():
            out.append(case(f"{name}/linux/{which}", "--guest", "{dir}/Image", "--ram", "64M", report=EXITED,
                            files=write_file("Image", elf.linux_image(isa, **header)), slow=which != "image"))
        bad = {"too-large": {"image_size": 64 * M}, "endless": {"image_size": (1 << 64) - 1}, "big-endian": {"flags": 1},
               "far-offset": {"text_offset": (1 << 64) - 4096}}
        for which, header in bad.items():
            out.append(case(f"{name}/linux/{which}", "--guest", "{dir}/Image", "--ram", "64M", status=3, report=None,
                            one_line=FATAL, files=write_file("Image", elf.linux_image(isa, **header)),
                            slow=which != "too-large"))
    return out


def pvh_kernels() -> list[Case]:
    """Kernels that are entered by the PVH boot protocol, with and without an initrd."""
    def files(entry=None):
        def write(directory: Path) -> None:
            (directory / "kernel").write_bytes(elf.pvh(Path(BACKENDS["svm"].guest("pvh")), entry))
            (directory / "initrd").write_bytes(b"0707")
        return write
    text = (r"^pvh: all as it should be$", r'^pvh: \d rows of memory, command line "told"$')
    return [
        case("svm/pvh/kernel", "--guest", "{dir}/kernel", "--initrd", "{dir}/initrd", "--cmdline", "told", "--ram", "64M", report=EXITED,
             files=files(), text=(*text, r"^pvh: an initrd of 4 bytes$"), forbid=("FAILED",)),
        case("vmx/pvh/kernel", "--guest", "{dir}/kernel", "--cmdline", "told", "--ram", "64M", report=EXITED, files=files(), text=text,
             forbid=("FAILED", "initrd")),
        case("svm/pvh/entry-outside", "--guest", "{dir}/kernel", "--ram", "64M", status=3, report=None, files=files(0x3000000),
             one_line=FATAL + ".*its PVH entry point 0x3000000 is not in what it has loaded$"),
    ]


def documented_guest(directory: Path) -> None:
    """Build the example of docs/guest-abi.md by the commands that stand there."""
    text = (ROOT / "docs/guest-abi.md").read_text()
    source = text.split("```asm\n")[1].split("```")[0]
    commands = text.split("```sh\n")[1].split("```")[0]
    (directory / "guest.S").write_text(source)
    build = [line for line in commands.splitlines() if not line.startswith("./run-qemu.sh")]
    subprocess.run(["sh", "-e", "-c", "\n".join(build)], cwd=directory, check=True)


def documented() -> list[Case]:
    return [case(f"{name}/guest/documented", "--guest", "{dir}/guest.elf", status=7, files=documented_guest,
                 slow=name == "vmx", report={"outcome": "exited", "guest_status": 7},
                 text=(r"^Hello from the document$",))
            for name in ("svm", "vmx")]


# --- Configurations that a person could write ---------------------------------------------------------------------------

MALFORMED_CONFIGS = {
    "no-value": (b"demo = hello\nram\n", r"nestling\.cfg:2: "),
    "unknown-key": (b"# a comment\n\ncolour = blue\n", r"nestling\.cfg:3: unknown key"),
    "key-twice": (b"ram = 1G\nram = 1G\n", r"nestling\.cfg:2: "),
    "unknown-demo": (b"demo = nosuch\n", r"nosuch"),
    "unknown-policy": (b"policy = 3m\n", r"nestling\.cfg:1: "),
    "unknown-tracking": (b"tracking = both\n", r"nestling\.cfg:1: "),
    "ram-0": (b"ram = 0\n", r"nestling\.cfg:1: "),
    "ram-odd": (b"ram = 4097\n", r"nestling\.cfg:1: "),
    "ram-words": (b"ram = lots\n", r"nestling\.cfg:1: "),
    "ram-overflows": (b"ram = 99999999999999999999T\n", r"nestling\.cfg:1: "),
    "ram-4K": (b"ram = 4K\n", r""),
    "ram-huge": (b"ram = 16000000T\n", r""),
    "guest-missing": (b"guest = \\nosuch.elf\n", r"nosuch\.elf"),
    "guest-is-a-folder": (b"guest = \\EFI\n", r"EFI"),
    # Found, for it is no program: with / as with \\ between folders.
    "guest-by-slashes": (b"guest = /EFI/BOOT/BOOTX64.EFI\n", r"guest /EFI/BOOT/BOOTX64\.EFI: it is "),
    "guest-is-the-config": (b"guest = \\nestling.cfg\n", r"ELF"),
    "binary": (bytes(range(256)), r"nestling\.cfg:1: "),
    "long-line": (b"demo = " + b"x" * 5000, r"nestling\.cfg:1: "),
    "too-large": (b"# " + b"x" * 100000, r"nestling\.cfg: it has more than the 64 KiB"),
    "utf-16": ("demo = hello\r\n".encode("utf-16"), r"UTF-16.*UTF-8"),
    "circle": (b"[vm a]\nafter = b\n[vm b]\nafter = a\n", r"\[vm a\].*waits for it"),
    "cpus-0": (b"cpus = 0\n", r"nestling\.cfg:1: cpus = 0: wanted all, or a number from 1 to 64"),
    "slice-in-a-section": (b"[vm a]\nslice = 5\n", r"nestling\.cfg:2: slice is the machine's"),
    "vcpus-17": (b"vcpus = 17\n", r"nestling\.cfg:1: vcpus = 17: wanted a number from 1 to 16"),
    "pin-backwards": (b"pin = 3-1\n", r"nestling\.cfg:1: pin = 3-1: wanted "),
    "pin-to-nothing": (b"cpus = 2\n[vm a]\npin = 2-3\n", r"nestling\.cfg:3: pin names no CPU that is used"),
    "time-max-0": (b"time_max = 0.0\n", r"nestling\.cfg:1: time_max = 0\.0: wanted none, or seconds"),
    "section-twice": (b"[vm a]\n\n[vm a]\n", r"nestling\.cfg:3: "),
}
CONFIGS = {
    "empty": (b"", "lazy"),
    "quoted": (b"\xef\xbb\xbfdemo = \"hello\" # by a friend\rram='64M'\r", "hello"),
    "no-last-newline": (b"demo = hello", "hello"),
    "dos": (b"# made elsewhere\r\n\r\n  demo=hello  # trailing\r\n\tram = 64m\r\n", "hello"),
    "none": (None, "lazy"),
}
QUICK_CONFIGS = {
    "svm": ("no-value", "unknown-demo", "ram-overflows", "ram-huge", "guest-missing", "guest-is-the-config", "binary",
            "too-large", "utf-16", "quoted", "dos", "none"),
    "vmx": (),
    "el2": ("unknown-key", "none"),
    "h": ("guest-is-a-folder", "dos"),
}


# The second one crashes and the third cannot be loaded; the first one waits for the last of the file, which waits for nobody.
SEVERAL = """ram = 64M
[vm first]
demo = hello
after = last
[vm second]
guest = "\\bad.elf"
[vm third]
guest = \\none.elf
[vm last]   # runs before the first one
demo = zeros
"""


def several_vms(backend: str) -> Case:
    """The first VM's report is the last line whenever it ran, and none of the others changes what it finds."""

    def files(directory: Path) -> None:
        (directory / "several.cfg").write_text(SEVERAL)
        (directory / "bad.elf").write_bytes(Path(BACKENDS[backend].guest("illegal_insn")).read_bytes())
        (directory / "none.elf").write_bytes(b"no program")

    def after(directory: Path, result: Result) -> list[str]:
        lines = [json.loads(line) for line in (directory / "report.json").read_text().splitlines()]
        found = [(line["vm"], line["name"], line["outcome"]) for line in lines]
        want = [(1, "second", "crashed"), (2, "third", "refused"), (3, "last", "exited"), (0, "first", "exited")]
        # Those that wait for nobody run at once, and report as they end.
        return [] if sorted(found[:-1]) == want[:-1] and found[-1] == want[-1] else [f"the reports tell of {found}, not {want}"]

    return case(f"{backend}/config/several-vms", "--config", "{dir}/several.cfg", files=files, after=after, status=3, max_log=100, slow=backend == "vmx",
                report=EXITED | {"demo": "hello", "vms": 4, "vms_failed": 2}, text=(r"^first: hello: I was promised 64 MiB", r"^error: vm second: guest stopped at pc "))


def state_of_another(backend: str) -> Case:
    """What one VM leaves in the CPU the next one does not find at its entry."""
    def files(directory: Path) -> None:
        lines = ""
        for name in ("leave_state", "entry_state"):
            shutil.copyfile(BACKENDS[backend].guest(name), directory / f"{name}.elf")
            lines += f"[vm {name}]\nguest = \\{name}.elf\n"
        lines += "after = leave_state\n"
        (directory / "two.cfg").write_text(lines)

    return case(f"{backend}/config/state-of-another", "--config", "{dir}/two.cfg", files=files, forbid=(r"FAILED",),
                report=EXITED | {"vms": 2}, text=(r"^leave_state: leave_state: all as", r"^entry_state: entry_state: all as"))


def itlb_multihit() -> Case:
    """Code executes from pages only, though memory comes by large leaves: the first fetch from one splits it."""
    def files(directory: Path) -> None:
        for name in ("exec", "lazy"):
            source = BACKENDS["vmx"].guest("exec") if name == "exec" else BACKENDS["vmx"].build / "guest/lazy.elf"
            shutil.copyfile(source, directory / f"{name}.elf")
        (directory / "two.cfg").write_text("policy = 2m\nitlb_multihit = on\n"
                                           "[vm exec]\nguest = \\exec.elf\n[vm lazy]\nguest = \\lazy.elf\n")

    return case("vmx/config/itlb-multihit", "--config", "{dir}/two.cfg", files=files, forbid=(r"FAILED",),
                report=EXITED | {"vms": 2, "split": at_least(1), "leaves.4k": at_least(512)},
                text=(r"^exec: exec: all as", r"^lazy: lazy: every page read as zeros"))


def disk_with(config: bytes | None, isa: str):
    def make(directory: Path) -> None:
        command = [ROOT / "tools/mkimage", "-o", directory / "own.img", "--isa", f"{isa}={ROOT}/build/{isa}/nestling.efi"]
        if config is not None:
            (directory / "own.cfg").write_bytes(config)
            command += ["--cfg", directory / "own.cfg"]
        subprocess.run(command, check=True)

    return make


def configs() -> list[Case]:
    out = []
    for backend in KINDS:
        isa, quick = BACKENDS[backend].isa, QUICK_CONFIGS[backend]
        some = ("unknown-key", "guest-is-a-folder", "ram-overflows", "none", "dos") if backend != "vmx" else ("none",)
        for name, (config, text) in MALFORMED_CONFIGS.items():
            if backend == "svm" or name in some:
                out.append(case(f"{backend}/config/{name}", "--image", "{dir}/own.img", status=3, report=None,
                                files=disk_with(config, isa), one_line=FATAL, text=(FATAL + ".*" + text,),
                                slow=name not in quick))
        out.append(several_vms(backend))
        # Demos alone: no file is beside this one.
        out.append(case(f"{backend}/config/three-demos", "--config", "{dir}/three.cfg", report=EXITED | {"vms": 3, "demo": "hello"},
                        files=write_file("three.cfg", b"ram = 64M\n[vm a]\ndemo = hello\n[vm b]\ndemo = lazy\n[vm c]\ndemo = zeros\n"),
                        max_log=100, slow=backend == "vmx", text=(r"^b: lazy: every page read as zeros", r"^c: zeros: only what was written costs memory")))
        if isa == "x86_64":
            out.append(state_of_another(backend))
        if backend == "vmx":
            out.append(itlb_multihit())
        for name, (config, demo) in CONFIGS.items():
            if backend == "svm" or name in some:
                out.append(case(f"{backend}/config/{name}", "--image", "{dir}/own.img", report=EXITED | {"demo": demo},
                                files=disk_with(config, isa), slow=name not in quick))
    return out


# --- The command itself -------------------------------------------------------------------------------------------------

BAD_USAGE = [
    "--nope", "arm", "--ram", "--ram 0", "--ram 1M", "--ram lots", "--ram -1", "--ram 1.5G", "--ram 2G2",
    "--ram 2097153", "--ram 99999999999999999999", "--ram 9999999T", "--ram=", "--host-ram 1M", "--host-ram 9999T", "aarch64 --host-ram 127M",
    "--virt vmx --host-ram 4G", "--demo nosuch", "--cmdline", "--image {dir}/empty --cmdline quiet", "--demo ../hello", "--policy 3m", "--tracking no",
    "--virt kvm", "--timeout 0", "--cpus 0", "--cpus 17", "--cpus two", "--cpus=", "--vcpus 0", "--vcpus 17", "--slice 0", "--slice 1001",
    "--clones 1001", "--clones -1", "--clone-when ready", "--config {dir}/empty --clones 1", "--time-max 0", "--time-max 0.0", "--time-max 1m", "--pin one", "--pin 4", "--cpus 2 --pin 2-3", "--pin 3-1", "--image {dir}/empty --vcpus 2",
    "--config {dir}/empty --time-max 1", "aarch64 --board raspi3b --cpus 5", "aarch64 --board raspi3b --config {dir}/empty --cpus 2",
    "--timeout soon", "--guest {dir}/nosuch.elf", "--guest {dir}", "--guest {dir}/empty", "--report {dir}/no/r.json",
    "--report {dir}", "--virt vmx --gdb", "--trace {dir}", "--trace={dir}/no/t.json", "--trace=", "--image {dir}/empty --trace t.json", "--virt vmx --firmware uboot", "--config {dir}/none.cfg", "--config {dir}/empty --demo hello", "--board virt", "aarch64 --virt svm", "riscv64 --virt h",
    "aarch64 --firmware seabios", "riscv64 --firmware edk2", "aarch64 --board pi", "riscv64 --board raspi3b",
    "aarch64 --board raspi3b --host-ram 512M", "aarch64 --board raspi3b --firmware edk2", "--image {dir}/nosuch", "--image {dir}/empty",
    "--image {dir}/empty --demo hello", "--demo hello --guest {build}/guest/hello.elf", "--report {dir}/one --trace {dir}/./one",
    "aarch64 --guest {build}/guest/hello.elf", "riscv64 --guest {build}/guest/hello.elf",
    "--initrd {build}/guest/hello.elf", "--guest {build}/guest/hello.elf --initrd {dir}/nosuch", "--guest {build}/guest/hello.elf --initrd {dir}",
    "--guest {build}/guest/hello.elf --initrd {dir}/empty", "--linux --demo lazy", "--linux --guest {build}/guest/hello.elf",
    "--linux --initrd {build}/guest/hello.elf", "--linux --config {dir}/empty", "--linux --image {dir}/empty", "--linux=yes",
    "--disk", "--disk {dir}/nosuch", "--disk {dir}", "--disk {dir}/empty", "--disk {dir}/empty,ro", "--config {dir}/empty --disk {build}/guest/hello.elf",
    "--image {dir}/empty --disk {build}/guest/hello.elf", " ".join(["--disk {build}/guest/hello.elf"] * 9),
]


def link(directory: Path) -> None:
    (directory / "link").symlink_to(directory / "trace")


def report_to_own_output() -> list[str]:
    """A file that standard output goes to keeps what is in it, and has the report behind that."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "out"
        with open(path, "wb") as out:
            subprocess.run([ROOT / "run-qemu.sh", "--demo", "hello", "--report", "/dev/stdout"], stdin=subprocess.DEVNULL, stdout=out,
                           stderr=subprocess.DEVNULL, timeout=300, check=True)
        lines = path.read_text(errors="replace").splitlines()
    return [] if lines[0].startswith("nestling ") and lines[-2] == f"report: {lines[-1]}" else [f"it has {lines[0]!r} to {lines[-1]!r}"]


def trace_to_own_output() -> list[str]:
    """Refused where that is a file, which stays as it is."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "out"
        path.write_text("before\n")
        with open(path, "ab") as out:
            done = subprocess.run([ROOT / "run-qemu.sh", "--demo", "hello", "--trace", path], stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        told, kept = done.stderr.splitlines(), path.read_text()
    return [] if (done.returncode, kept, told) == (2, "before\n", [f"run-qemu: --trace '{path}' is where standard output goes (see --help)"]) \
        else [f"status {done.returncode}: {told}, and the file has {kept!r}"]


def build_not_writable() -> list[str]:
    """One line says so where build/ is not ours to write, as the super-user finds it if it is none."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(ROOT / "tools", Path(directory) / "tools")
        (Path(directory) / "build").write_text("")
        done = subprocess.run([f"{directory}/tools/setup", "x86_64"], capture_output=True, text=True, timeout=300, check=False)
    return [] if done.returncode == 3 and done.stderr == f"setup: {directory}/build cannot be written, and all that is built or run is there\n" \
        else [f"status {done.returncode}: {done.stderr}"]


def no_output() -> list[str]:
    """A run whose output or complaints nobody wants, for they are closed, goes as any other."""
    run = f"{ROOT}/run-qemu.sh --guest {BACKENDS['svm'].guest('exit_status')} --timeout 100 </dev/null"
    errors = []
    for closed in (">&-", "2>&-"):
        done = subprocess.run(["bash", "-c", f"{run} {closed}"], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 42 or (closed == "2>&-") != ("report: {" in done.stdout):
            errors.append(f"{closed}: status {done.returncode}: {done.stderr}{done.stdout}")
    return errors


def usage() -> list[Case]:
    out = []
    for args in BAD_USAGE:
        out.append(case(f"usage/{args}".replace("{dir}", "DIR").replace("{build}", "BUILD"),
                        *args.replace("{build}", str(BACKENDS["svm"].build)).split(), bare=True, status=2,
                        report=None, one_line="", files=write_file("empty", b"")))
    out.append(case("usage/report-to-a-full-disk", "--demo", "hello", "--report", "/dev/full", bare=True,
                    status=3, report=None, text=(r"^run-qemu: .*report",)))
    out.append(case("usage/trace-to-a-full-disk", "--demo", "hello", "--trace", "/dev/full", status=3,
                    text=(r"^run-qemu: trace: /dev/full is not whole: No space left on device$",)))
    out.append(Case("usage/report-to-own-output", [], function=report_to_own_output))
    out.append(Case("usage/trace-to-own-output", [], function=trace_to_own_output))
    out.append(Case("usage/build-not-writable", [], function=build_not_writable))
    out.append(Case("usage/no-output", [], function=no_output))
    # What a link leads to is written.
    out.append(case("usage/trace-to-a-link", "--demo", "hello", "--trace", "{dir}/link", report=EXITED, files=link,
                    after=lambda directory, _: [] if (directory / "link").is_symlink() and (directory / "trace").stat().st_size
                    else ["the link was replaced"]))
    out.append(case("usage/gdb", "--gdb", seconds=5, status=4, report=None,
                    text=(r"^run-qemu: waiting for: /\S+/tools/gdb x86_64 :\d+$", r"^run-qemu: the CPU is at pc 0xfff0: in the firmware")))
    for name, line in (("long", "x" * 512), ("two-lines", "a\nram = 1T"), ("quotes-and-blank", "a='1' b=\"2\" "), ("quotes-and-comment", "a='1' b=\"2\" #3")):
        out.append(case(f"usage/cmdline-{name}", "--demo", "hello", "--cmdline", line, status=2, report=None, one_line=r"^run-qemu: --cmdline has "))
    # Any text else is the guest's as it is, of the greatest length, too.
    for name, line in (("both-quotes", "a='1' b=\"2#\""), ("utf-8", "gr\u00fc\u00dfe=\u20ac"), ("511", "x" * 501 + " 'y' z=\"z\"")):
        out.append(case(f"svm/cmdline/{name}", "--guest", BACKENDS["svm"].guest("cmdline"), "--cmdline", line, report=EXITED,
                        text=(rf"^cmdline: \[{re.escape(line)}\]$",)))
    out.append(Case("usage/foreign-files", [], function=elf.foreign_files_are_named))
    return out


def all_cases() -> list[Case]:
    checks = [Case(f"static/{name}/{isa}", [], function=lambda isa=isa, check=check: check(isa)) for isa in elf.ISAS
              for name, check in (("no-simd-in-image", static.no_simd_in_image), ("pe-sections", static.pe_sections_w_xor_x))]
    checks += [
        Case("static/flags-are-dependencies", [], function=static.flags_are_dependencies),
        Case("static/formatted", [], function=static.files_are_formatted),
        Case("static/no-isa-conditionals", [], function=static.no_isa_conditionals),
        Case("static/guest-registers", [], function=static.guest_registers_have_both_names),
        Case("static/no-circles", [], function=static.no_circles),
        Case("static/hypercalls-agree", [], function=static.hypercalls_agree),
    ]
    cases = checks + usage() + demos() + sizes() + guests() + documented() + files() + built() + wrong_guests() + linux_images() + pvh_kernels() + configs()
    cases += machines.machines() + memory.memory() + report.report() + flashing.flashing() + newcomer.newcomer() + keyboard.keyboard() + screen.screen()
    cases += linux.linuxes() + disks.disks() + debug.debug() + several.several() + typed.typed() + smp.smp(hostile) + vhe.vhe() + qemu10.qemu10() + single.singles() + bochs_svm.bochs_svm()
    # The slow emulators first, so that the quick cases fill the end.
    return sorted(cases, key=lambda c: not c.name.startswith(("vmx/", "pi3/", "svm-bochs/")))
