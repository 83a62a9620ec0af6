# SPDX-License-Identifier: BSD-2-Clause
"""Boot tests on other machines than the usual ones: CPUs, firmware, interrupt controllers, disks."""

import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

from backends import BACKENDS, ROOT
from harness import EXITED, FATAL, Case, M, case


def qemu(args: str) -> dict:
    return {"NESTLING_QEMU_ARGS": args}


def x86_64() -> list[Case]:
    refused = {"status": 3, "report": None, "one_line": FATAL}
    return [
        case("svm/machine/no-svm", **refused, text=(FATAL + ".*(SVM|svm)",), env=qemu("-cpu max,-svm")),
        case("svm/machine/no-npt", **refused, text=(FATAL + ".*(?i:nested pag|npt)",), env=qemu("-cpu max,-npt")),
        case("svm/machine/no-1g-pages", report=EXITED, env=qemu("-cpu max,-pdpe1gb")),
        case("svm/machine/no-1g-pages-64G", "--ram", "64G", report=EXITED, env=qemu("-cpu max,-pdpe1gb"), slow=True),
        case("svm/machine/no-1g-pages-512G", "--ram", "500G", **refused, env=qemu("-cpu max,-pdpe1gb")),
        case("svm/machine/epyc", report=EXITED, env=qemu("-cpu EPYC")),
        case("svm/machine/opteron-g3", report=EXITED, env=qemu("-cpu Opteron_G3,+svm,+npt")),
        case("svm/machine/no-smap", report=EXITED, env=qemu("-cpu max,-smap,-smep,-umip")),
        case("svm/machine/pc", report=EXITED, env=qemu("-M pc"), slow=True),
        # U-Boot's page tables lie in what its map calls free.
        case("svm-uboot/machine/tables-are-kept", "--policy", "auto", report=EXITED, alone=True,
             text=(r"^boot: the CPU's own tables and stack are in or beside \d+ KiB that the firmware calls free",)),
        case("svm-uboot/machine/no-svm", **refused, text=(FATAL + ".*(SVM|svm)",), env=qemu("-cpu max,-svm")),
    ] + [
        # All CPUs that are there are started, and no others: by the MADT, or by UEFI's MP services, which is all that Bochs has.
        case(name, *args, report=EXITED, forbid=("^boot: CPU", "^error: "), text=(rf"^nestling: {count} CPUs run$",), slow=slow, alone=True,
             env=qemu(machine) if machine else {})
        for name, args, machine, count, slow in (
            ("svm/machine/2-cpus", ("--cpus", "2"), "", 2, True),
            ("svm/machine/4-cpus", ("--cpus", "4"), "", 4, True),
            ("svm/machine/16-cpus", ("--cpus", "16"), "", 16, False),
            ("svm/machine/cpus-with-gaps", (), "-smp 6,sockets=2,cores=3,threads=1", 6, False), # APIC ids 0, 1, 2, 4, 5, 6
            ("svm/machine/cpus-that-may-come-later", (), "-smp 2,maxcpus=4", 2, False),
            ("svm-uboot/machine/4-cpus", ("--cpus", "4"), "", 4, False),
            ("vmx/machine/2-cpus", ("--cpus", "2"), "", 2, True),
        )
    ] + [
        case("svm/machine/more-cpus-than-can-be-used", report=EXITED, env=qemu("-smp 70"), slow=True, seconds=600,
             text=(r"^boot: the firmware names 70 CPUs: 64 of them are used$", r"^nestling: 64 CPUs run$")),
    ]


# --- AArch64 ------------------------------------------------------------------------------------------------------------

EL2 = "-M virt,virtualization=on"


def aarch64() -> list[Case]:
    out = []
    for cpu in ("cortex-a53", "neoverse-n1", "max"):
        out.append(case(f"el2/machine/{cpu}", report=EXITED, env=qemu(f"-cpu {cpu}")))
        out.append(case(f"el2-uboot/machine/{cpu}", report=EXITED, env=qemu(f"-cpu {cpu}"), slow=cpu != "max"))
    out += [case(f"el2/machine/{cpus}-cpus", report=EXITED, env=qemu(f"-smp {cpus}"), slow=cpus != 8)
            for cpus in (2, 4, 8)]
    out += [case(f"el2-uboot/machine/{cpus}-cpus", report=EXITED, env=qemu(f"-smp {cpus}"), slow=True) for cpus in (4, 8)]
    out += [
        case("el2/machine/gic-v3", report=EXITED, env=qemu(f"{EL2},gic-version=3")),
        case("el2/machine/gic-v2", report=EXITED, env=qemu(f"{EL2},gic-version=2"), slow=True),
        case("el2/machine/gic-v3-max-8-cpus", report=EXITED, env=qemu(f"{EL2},gic-version=3 -cpu max -smp 8"), slow=True),
        case("el2-uboot/machine/gic-v3", report=EXITED, env=qemu(f"{EL2},gic-version=3"), slow=True),
        case("el2/machine/device-tree", report=EXITED, env=qemu(f"{EL2},acpi=off")),
        case("el2/machine/device-tree-gic-v3-max", report=EXITED, env=qemu(f"{EL2},acpi=off,gic-version=3 -cpu max"),
             slow=True),
        case("el2/machine/no-el2", status=3, report=None, one_line=FATAL, text=(FATAL + ".*EL1",),
             env=qemu("-M virt,virtualization=off")),
        case("el2-uboot/machine/no-el2", status=3, report=None, one_line=FATAL, text=(FATAL + ".*EL1",),
             env=qemu("-M virt,virtualization=off"), slow=True),
    ]
    # Every CPU is found and started: by PSCI, or by a spin table; interrupts by either GIC, or by the Pi's own controller.
    for name, args, machine, slow in (
        ("el2/machine/2-cpus-gic-v2", ("--cpus", "2"), f"{EL2},gic-version=2", True),
        ("el2/machine/8-cpus-gic-v2-device-tree", ("--cpus", "8"), f"{EL2},gic-version=2,acpi=off", True),
        ("el2/machine/16-cpus-gic-v3", ("--cpus", "16"), f"{EL2},gic-version=3", False),
        ("el2/machine/4-cpus-gic-v3-device-tree", ("--cpus", "4"), f"{EL2},gic-version=3,acpi=off", True),
        ("el2-uboot/machine/4-cpus-gic-v2", ("--cpus", "4"), f"{EL2},gic-version=2", False),
        ("el2-uboot/machine/4-cpus-gic-v3", ("--cpus", "4"), f"{EL2},gic-version=3", True),
        ("pi3/machine/4-cpus", ("--cpus", "4"), "", False),
    ):
        out.append(case(name, *args, report=EXITED, forbid=("^boot: CPU",), slow=slow, env=qemu(machine) if machine else {},
                        text=(rf"^nestling: {args[1]} CPUs run$",)))
    for backend, cpus, vcpus, machine, slow in (
        ("el2", 1, 3, "", False), ("el2", 4, 4, "", True), ("el2", 4, 16, f"{EL2},gic-version=3 -cpu max", False),
        ("el2-uboot", 2, 4, "", True), ("pi3", 4, 4, "", True),
    ):
        out.append(case(f"{backend}/guest/psci_cpus-{vcpus}-on-{cpus}", "--guest", BACKENDS[backend].guest("psci_cpus"),
                        "--cpus", str(cpus), "--vcpus", str(vcpus), report=EXITED, forbid=("FAILED",), slow=slow,
                        env=qemu(machine) if machine else {},
                        text=(rf"^psci_cpus: {vcpus} vCPUs$", r"^psci_cpus: all as it should be$")))
    # A guest that masks all interrupts is interrupted, by each of the controllers.
    for name, cpus, machine, slow in (
        ("el2/machine/interrupts-gic-v3", 2, f"{EL2},gic-version=3", False), ("el2-uboot/machine/interrupts-gic-v2", 1, "", True),
        ("pi3/machine/interrupts-bcm2836", 4, "", False),
    ):
        out.append(case(name, "--guest", BACKENDS["el2"].guest("spin"), "--cpus", str(cpus), "--time-max", "1", status=3,
                        report={"outcome": "timed_out"}, slow=slow, env=qemu(machine) if machine else {},
                        text=(r"^error: vm: guest has used its time_max of 1\.000 s and is stopped at pc 0x40200\w+$",)))
    # A guest has a GICv3 where the machine has one.
    out += [case(f"el2/machine/gic-v3-{guest}", "--guest", BACKENDS["el2"].guest(guest), *args, report=EXITED, forbid=("FAILED",),
                 env=qemu(f"{EL2},gic-version=3"), forks=forks, text=(rf"^{guest}: all as it should be$",))
            for guest, args, forks in (("irq_fork", (), 3), ("irq_hostile", (), 0), ("irq_smp", ("--cpus", "2", "--vcpus", "4"), 0))]
    # What CPUs differ in, guests can tell.
    for cpu, guest in (("max", "page_walk"), ("max", "sysregs"), ("cortex-a53", "sysregs"), ("neoverse-n1", "page_walk"),
                       ("max", "exec"), ("max", "lazy_mmu")):
        out.append(case(f"el2/machine/{cpu}-{guest}", "--guest", BACKENDS["el2"].guest(guest), report=EXITED,
                        forbid=("FAILED",), env=qemu(f"-cpu {cpu}"), slow=(cpu, guest) != ("max", "page_walk")))
    return out


# --- RISC-V -------------------------------------------------------------------------------------------------------------


def riscv64() -> list[Case]:
    out = [
        case("h/machine/no-h", status=3, report=None, one_line=FATAL, text=(FATAL + ".*H extension",),
             env=qemu("-cpu rv64,h=false")),
        case("h/machine/rich", report=EXITED, env=qemu("-cpu rv64,h=true,svpbmt=true,svnapot=true,svinval=true,v=true")),
        case("h/machine/poor", report=EXITED, env=qemu("-cpu rv64,h=true,sstc=false,svpbmt=false,svnapot=false")),
        case("h/machine/no-fp", report=EXITED, env=qemu("-cpu rv64,h=true,d=false,f=false"), slow=True),
        case("h/machine/no-sstc-timer", "--guest", BACKENDS["h"].guest("timer"), report=EXITED, forbid=("FAILED",),
             env=qemu("-cpu rv64,h=true,sstc=false")),
        # vCPUs that share harts, with FP registers and timers to be switched.
        *(case(f"h/machine/{name}", "--guest", BACKENDS["h"].guest("harts"), "--cpus", cpus, "--vcpus", "4", report=EXITED,
               text=("^harts: all as it should be$",), forbid=("FAILED",), env=qemu(f"-cpu rv64,h=true,{more}"), slow=slow)
          for name, cpus, more, slow in (("4-vcpus-1-cpu-no-sstc", "1", "sstc=false", False),
                                         ("4-vcpus-2-cpus-vectors", "2", "v=true", False),
                                         ("4-vcpus-4-cpus-no-sstc", "4", "sstc=false", True))),
        # This QEMU has no Zicbom, without which a guest is not offered Svpbmt.
        case("h/machine/svpbmt-memtypes", "--guest", BACKENDS["h"].guest("memtypes"), report=EXITED, forbid=("FAILED",),
             text=("^memtypes: none offered",), env=qemu("-cpu rv64,h=true,svpbmt=true")),
        case("h/machine/rich-page-walk", "--guest", BACKENDS["h"].guest("page_walk"), report=EXITED, forbid=("FAILED",),
             env=qemu("-cpu rv64,h=true,svpbmt=true,svnapot=true,svinval=true,v=true"), slow=True),
    ]
    # U-Boot in M-mode, with no OpenSBI below it.
    out.append(case("h/machine/m-mode", status=3, report=None, one_line=FATAL, text=(FATAL + ".*M-mode",),
                    env=qemu("-bios /usr/lib/u-boot/qemu-riscv64/u-boot.bin")))
    for extension in ("svpbmt", "svnapot", "svinval", "sstc", "v"):
        out += [case(f"h/machine/{extension}-{state}", report=EXITED, env=qemu(f"-cpu rv64,h=true,{extension}={state}"),
                     slow=True)
                for state in ("true", "false")]
    out += [case(f"h/machine/{cpus}-cpus", "--cpus", str(cpus), report=EXITED, text=(rf"^nestling: {cpus} CPUs run$",),
                 slow=cpus != 8)
            for cpus in (2, 8, 16)]
    return out


# --- Registers ----------------------------------------------------------------------------------------------------------


def registers_beside(backend: str, name: str, args: str, slow: bool) -> Case:
    """The same while VMs beside it, on the one CPU, fill theirs: nothing of them is to be read."""
    guests = {"first": "registers", "dirty": "fork_state", "second": "registers"}

    def files(directory: Path) -> None:
        for guest in set(guests.values()):
            (directory / f"{guest}.elf").write_bytes(Path(BACKENDS[backend].guest(guest)).read_bytes())
        (directory / "three.cfg").write_text("cpus = 1\nslice = 1\n" + "".join(
            f"[vm {vm}]\nguest = \\{guest}.elf\n" for vm, guest in guests.items()) + "[vm fork]\ndemo = fork\n")

    return case(f"{backend}/registers/{name}", "--config", "{dir}/three.cfg", files=files, forbid=("FAILED",), slow=slow,
                max_log=150, forks=1, report=EXITED | {"forks": 1}, env=qemu(args) if args else {},
                text=tuple(rf"^{vm}(\.\d)?: {guest}: all as it should be$" for vm, guest in guests.items()))


def registers() -> list[Case]:
    """All that can be read, on CPUs that have much of it and on such that have little."""
    machines = (
        ("el2", "cortex-a72", "", False),
        ("el2", "max-gic-v3", f"{EL2},gic-version=3 -cpu max", False),
        ("el2", "cortex-a53", "-cpu cortex-a53", True),
        ("el2-uboot", "max", "-cpu max", True),
        ("pi3", "cortex-a53", "", True),
        ("h", "vectors-aia", "-M virt,aia=aplic-imsic -cpu rv64,h=true,v=true", False),
        ("h", "usual", "", True),
        ("h", "no-fp", "-cpu rv64,h=true,d=false,f=false", True),
    )
    beside = [registers_beside("el2", "beside-others-max", f"{EL2},gic-version=3 -cpu max", False),
              registers_beside("el2", "beside-others", "", True)]
    return beside + [case(f"{backend}/registers/{name}", "--guest", BACKENDS[backend].guest("registers"), forks=1,
                 report=EXITED | {"forks": 1}, forbid=("FAILED",), slow=slow, env=qemu(args) if args else {},
                 text=(r"^registers: \d+, in the parent$", r"^registers: all as it should be$",
                       r"^guest\.1: registers: \d+, in the child$", r"^guest\.1: registers: all as it should be$"))
            for backend, name, args, slow in machines]


# --- Machines that lack something ---------------------------------------------------------------------------------------


def without_property(blob: bytes, name: str) -> bytes:
    """A device tree whose every property of that name is empty space. Devicetree Specification 0.4, 5: "Flattened Devicetree"."""
    begin_node, prop, nop, end = 1, 3, 4, 9
    tree = bytearray(blob)
    at, strings = struct.unpack_from(">II", tree, 8)
    while (token := struct.unpack_from(">I", tree, at)[0]) != end:
        start, at = at, at + 4
        if token == begin_node:
            at = tree.index(0, at) + 1
        elif token == prop:
            size, offset = struct.unpack_from(">II", tree, at)
            at += 8 + size
        at += -at % 4
        if token == prop and tree[strings + offset:].split(b"\0", 1)[0].decode() == name:
            tree[start:at] = struct.pack(">I", nop) * ((at - start) // 4)
    return bytes(tree)


def qemus_tree(directory: Path) -> Path:
    """QEMU's own tree for its machine."""
    tree = directory / "own.dtb"
    subprocess.run(["qemu-system-aarch64", *f"{EL2},acpi=off,dumpdtb={tree}".split(), "-cpu", "cortex-a72", "-m", "512M",
                    "-display", "none"], check=True, capture_output=True)
    return tree


def tree_with(*nodes: tuple[str, dict[str, str | tuple[int, ...] | None]]):
    """The same with more nodes, or others' properties: text, numbers of 32 bits, or none any more."""
    def make(directory: Path) -> None:
        tree = str(qemus_tree(directory))
        for node, properties in nodes:
            subprocess.run(["fdtput", "-c", "-p", tree, node], check=True)
            for name, value in properties.items():
                if value is None:
                    words = ["-d", tree, node, name]
                elif isinstance(value, str):
                    words = ["-ts", tree, node, name, *([value] if value else [])]
                else:
                    words = ["-tu", tree, node, name, *map(str, value)]
                subprocess.run(["fdtput", *words], check=True)
    return make


def tree_without_console(directory: Path) -> None:
    """The same, but that nothing in it is the console: no name leads to the port, and something is wired to it."""
    tree_with(("/pl011@9000000/modem", {}))(directory)
    tree = directory / "own.dtb"
    tree.write_bytes(without_property(tree.read_bytes(), "stdout-path"))


BUS = {"#address-cells": (2,), "#size-cells": (2,)}
TREE = qemu(f"{EL2},acpi=off -dtb {{dir}}/own.dtb")


def trees() -> list[Case]:
    def kept(free: int) -> bool:
        return 512 * M - 80 * M - 24 * M < free < 512 * M - 80 * M

    # What a tree means to be the console cannot be it; the first port, by its alias, is.
    first = ("/aliases", {"serial0": "/pl011@9000000"})
    uart = {"compatible": "ns16550a", "reg": (0, 0x50000000, 0, 0x1000)}

    def cpu(number: int, **properties) -> tuple:
        return (f"/cpus/cpu@{number}", {"device_type": "cpu", "compatible": "arm,cortex-a72", "reg": (number,),
                                        "enable-method": "psci", **properties})

    alone = r"^warning: boot: guests are not interrupted, and one CPU is used: the machine's tables name no interrupt controller"
    spin = {"enable-method": "spin-table"}
    return [
        # One that is there; one that must not be used; one that is not there; one that would wait in a device; one that never comes.
        case("el2-uboot/machine/cpus-left-out", "--cpus", "3", report=EXITED, env=TREE, files=tree_with(
            cpu(1), cpu(2, status="disabled"), cpu(9), cpu(10, **spin, **{"cpu-release-addr": (0, 0x9000000)}),
            cpu(11, **spin, **{"cpu-release-addr": (0, 0x40000100)})),
            text=(r"^warning: boot: CPU MPIDR 0xa is not used: its cpu-release-addr 0x9000000 is no memory",
                  r"^warning: boot: CPU \d \(MPIDR 0x9\) cannot be started", r"^warning: boot: CPU \d \(MPIDR 0xa\) cannot be started",
                  r"^warning: boot: CPU \d \(MPIDR 0xb\) did not come: it is left out$", r"^nestling: 2 CPUs run$")),
        case("el2-uboot/machine/controller-in-memory", "--cpus", "2", report=EXITED, env=TREE, files=tree_with(
            cpu(1), ("/intc@8000000", {"reg": (0, 0x50000000, 0, 0x10000, 0, 0x50010000, 0, 0x10000)})),
            text=(r"^warning: boot: the interrupt controller at 0x50000000 is not used: there is memory", alone)),
        # A GICv2 whose list registers are not to be used: guests have one in software.
        case("el2/machine/gic-v2-software-irq_fork", "--guest", BACKENDS["el2"].guest("irq_fork"), report=EXITED, forbid=("FAILED",), env=TREE,
             forks=3, files=tree_with(("/intc@8000000", {"reg": (0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000,
                                                                0, 0x8030000, 0, 0x10000, 0, 0x50000000, 0, 0x10000)})),
             text=(r"^warning: boot: the interrupt controller at 0x50000000 is not used: there is memory", r"^irq_fork: all as it should be$")),
        *[case(f"el2/machine/gic-v2-software-{guest}", "--guest", BACKENDS["el2"].guest(guest), *args, report=EXITED, forbid=("FAILED",), env=TREE,
               slow=slow, files=tree_with(cpu(1), ("/intc@8000000", {"reg": (0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000)})),
               text=(rf"^{guest}: all as it should be$",))
          for guest, args, slow in (("irq_hostile", (), False), ("irq_smp", ("--cpus", "2", "--vcpus", "4"), True))],
        case("el2-uboot/machine/controller-unknown", "--cpus", "2", report=EXITED, env=TREE, slow=True, files=tree_with(
            cpu(1), ("/intc@8000000", {"compatible": "arm,gic-v9"})), text=(alone,)),
        # EDK2 knows nothing of what a tree reserves: the upper half of memory, where it starts programs.
        case("el2/machine/reserved-image", status=3, report=None, one_line=FATAL, text=(FATAL + ".*reserved",), env=TREE,
             files=tree_with(("/reserved-memory", BUS), ("/reserved-memory/all@50000000", {"reg": (0, 0x50000000, 0, 0x10000000)}))),
        case("el2/machine/reserved-or-disabled", report=EXITED | {"host_free": kept}, env=TREE, files=tree_with(
            ("/reserved-memory", BUS), ("/reserved-memory/one@44000000", {"reg": (0, 0x44000000, 0, 0x4000000)}),
            # What the firmware's own runtime services are in, which switch the machine off at the end.
            ("/reserved-memory/top@5f000000", {"reg": (0, 0x5f000000, 0, 0x1000000)}),
            ("/reserved-memory/two@48000000", {"reg": (0, 0x48000000, 0, 0x4000000), "status": "disabled"}))),
        # The firmware must not believe it: it reads another property.
        case("el2/machine/console-in-memory", report=EXITED, env=TREE, files=tree_with(
            ("/uart@50000000", uart), first, ("/chosen", {"stdout-path": None, "linux,stdout-path": "/uart@50000000"})),
            text=(r"^warning: boot: the serial port at 0x50000000 is not used: there is memory",)),
        case("el2/machine/console-disabled", report=EXITED, env=TREE, files=tree_with(
            ("/uart@8000000", uart | {"reg": (0, 0x8000000, 0, 0x1000), "status": "disabled"}), first,
            ("/chosen", {"stdout-path": "/uart@8000000"}))),
        case("el2/machine/console-disabled-bus", report=EXITED, env=TREE, slow=True, files=tree_with(
            ("/bus", BUS | {"ranges": "", "status": "fail"}), ("/bus/uart@8000000", uart | {"reg": (0, 0x8000000, 0, 0x1000)}), first,
            ("/chosen", {"stdout-path": "/bus/uart@8000000"}))),
        # No name leads to a port: the first one is taken.
        case("el2-uboot/machine/console-nowhere", report=EXITED, env=TREE, files=tree_with(("/chosen", {"stdout-path": "/nowhere"})),
             text=(r"^warning: boot: no table names a console: the serial port at 0x9000000 is taken for it",)),
    ]


def no_console_at_all() -> list[str]:
    """A PC without a serial port and without a screen: it boots, runs unseen, and switches itself off."""
    command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-bios", "/usr/share/ovmf/OVMF.fd", "-m", "512M",
               "-drive", f"if=none,id=disk,format=raw,readonly=on,file={ROOT}/build/nestling.img",
               "-device", "virtio-blk-pci,drive=disk,bootindex=0", "-nodefaults", "-display", "none", "-no-reboot"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return ["the machine has not switched itself off"]
    return [] if done.returncode == 0 else [f"QEMU ended with {done.returncode}: {done.stderr}"]


def lacking() -> list[Case]:
    no_console = {"status": 3, "report": None, "files": tree_without_console, "forbid": ("the machine is ours",),
                  "text": (r"^warning: boot: no serial port is known here, nor a screen .*: the console ends where the firmware does$",
                           r"^run-qemu: the machine stopped without a report$")}
    return [
        # A PC whose firmware has neither ACPI nor a device tree, and one whose memory has a large hole.
        case("svm/machine/no-tables", report=EXITED, env=qemu("-M q35,acpi=off")),
        case("svm/machine/ram-with-a-hole", "--host-ram", "2G", env=qemu("-M q35,max-ram-below-4g=128M"),
             report=EXITED | {"host_free": lambda free: 19 << 26 < free < 2 << 30}),
        Case("svm/machine/no-console-at-all", [], function=no_console_at_all),
        case("el2/machine/no-console", **no_console, env=qemu(f"{EL2},acpi=off -dtb {{dir}}/own.dtb")),
        case("el2-uboot/machine/no-console", **no_console, env=qemu("-dtb {dir}/own.dtb"), slow=True),
    ]


# --- The one image for all of them --------------------------------------------------------------------------------------


def universal() -> list[Case]:
    return [case(f"{name}/image/universal", "--image", str(ROOT / "build/nestling.img"), slow=name in ("svm-uboot", "vmx"),
                 report=EXITED | {"demo": "lazy", "guest_ram": 1 << 30}, text=(r"^lazy: every page read as zeros",))
            for name in BACKENDS]


# --- Secure Boot --------------------------------------------------------------------------------------------------------

OVMF = Path("/usr/share/OVMF")
# The key that Debian's OVMF_VARS_4M.snakeoil.fd has enrolled, for tests; its password is its name.
SNAKEOIL = Path("/usr/share/ovmf/PkKek-1-snakeoil.pem")
SECURE = qemu("-M q35,smm=on -global driver=cfi.pflash01,property=secure,value=on "
              f"-drive if=pflash,unit=0,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.secboot.fd -drive if=pflash,unit=1,format=raw,file={{dir}}/vars.fd")


def secure_boot(name: str, signed: bool, **boot) -> Case:
    def files(directory: Path) -> None:
        image, key = BACKENDS["svm"].build / "nestling.efi", directory / "key.pem"
        shutil.copyfile(OVMF / "OVMF_VARS_4M.snakeoil.fd", directory / "vars.fd")
        subprocess.run(["openssl", "rsa", "-in", SNAKEOIL.with_suffix(".key"), "-passin", "pass:snakeoil", "-out", key], check=True, capture_output=True)
        if signed:
            subprocess.run(["sbsign", "--key", key, "--cert", SNAKEOIL, "--output", directory / "nestling.efi", image], check=True, capture_output=True)
        else:
            shutil.copyfile(image, directory / "nestling.efi")

    return case(f"svm/machine/{name}", "--image", "{dir}/nestling.efi", files=files, env=SECURE, **boot)


def secure_boots() -> list[Case]:
    return [secure_boot("secure-boot", True, report=EXITED | {"demo": "lazy"}, text=(r"^lazy: every page read as zeros",)),
            secure_boot("secure-boot-unsigned", False, status=4, report=None, seconds=60, slow=True, text=(r"Access Denied",), forbid=(r"^nestling ",))]


# --- A trap in the hypervisor -------------------------------------------------------------------------------------------


def send_nmi(directory: Path) -> None:
    """Once the guest runs, press the button."""
    deadline = time.monotonic() + 90
    while "spin: round and round" not in (directory / "console").read_text(errors="replace"):
        if time.monotonic() > deadline:
            return  # the case fails by what it does not find
        time.sleep(0.2)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(directory / "mon"))
        monitor.settimeout(10)
        received = b""
        while b"(qemu)" not in received:
            received += monitor.recv(4096)
        monitor.sendall(b"nmi\n")
        time.sleep(1)


def traps() -> list[Case]:
    spin = BACKENDS["svm"].guest("spin")
    # The button is the first CPU's, whatever it is doing. Which one it was is told where there are several.
    return [case("svm/machine/trap-beside-others", "--guest", spin, "--cpus", "4", status=3, report=None, panics=True,
                 during=send_nmi, env=qemu("-monitor unix:{dir}/mon,server,nowait"), forbid=("(?s)nestling: panic.*nestling: panic",),
                 text=(r"^error: trap: on CPU 0:\nerror: trap: non-maskable interrupt \(vector 2\)",
                       r"^nestling: panic on CPU 0: non-maskable interrupt")),
            case("svm/machine/trap", "--guest", spin, status=3, report=None, panics=True,
                 during=send_nmi, env=qemu("-monitor unix:{dir}/mon,server,nowait"),
                 text=(r"^error: trap: non-maskable interrupt \(vector 2\)", r"^error: trap: rip .* = nestling\.elf \+ 0x",
                       # What the guest did until then.
                       r"^nestling: panic: non-maskable interrupt.*\nerror: vm: the last \d+ of \d+ exits, .*\nerror: vm:   exit 1(-\d+)?: "))]


def machines() -> list[Case]:
    return x86_64() + aarch64() + riscv64() + registers() + lacking() + trees() + universal() + secure_boots() + traps()
