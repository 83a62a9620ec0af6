# SPDX-License-Identifier: BSD-2-Clause
"""The table of boot tests."""

import subprocess
from pathlib import Path

import elf
import static
from harness import BUILD, PAGE, ROOT, G, K, M, T, Boot, Case

VIRTS = ("svm", "vmx")

EXITED = {"outcome": "exited", "guest_status": 0}
FATAL = r"^nestling: fatal: "
PANIC = r"nestling: panic|X64 Exception Type"


def at_least(least: int):
    return lambda value: value >= least


def below(most: int):
    return lambda value: value < most


def case(name: str, *args: str, files=None, slow: bool = False, **boot) -> Case:
    """A case of one boot; its name begins with the machine it runs on."""
    boot.setdefault("virt", name.split("/")[0])
    boot["forbid"] = boot.get("forbid", ()) + (PANIC,)
    return Case(name, [Boot(list(args), **boot)], files=files, slow=slow)


# --- The guests that ship -----------------------------------------------------------------------------------------------


def demos() -> list[Case]:
    out = []
    for virt in VIRTS:
        out.append(case(f"{virt}/demo/hello", "--demo", "hello", report=EXITED | {
            "demo": "hello", "exits.pio": at_least(100), "exits.hypercall": at_least(4)},
            text=(r"^hello: this line went through a serial port", r"^hello: there is RAM from 0x0 to 0x40000000$",
                  r"^hello: I was promised 1 GiB")))
        # The same file for both vendors, and the same outcome as from inside the image.
        out.append(case(f"{virt}/demo/lazy-from-file", "--guest", str(BUILD / "guest/lazy.elf"), report=EXITED,
                        text=(r"^lazy: every page read as zeros",)))
    out.append(case("svm/demo/trace", "--demo", "hello", "--trace", report=EXITED,
                    text=(r"(?i)hypercall", r"(?i)fault")))
    return out


def acceptance(virt: str) -> Case:
    """Promised 1 GiB, and then 64: it costs a few hundred pages, the same ones."""
    spec = EXITED | {
        "demo": "lazy", "policy": "4k", "resident": below(G // 100), "resident_peak": below(G // 100),
        "faults.denied": 0, "faults.unmapped": 0, "faults.no_memory": 0, "leaves.2m": 0, "leaves.1g": 0,
        "host_free": lambda free: 256 * M < free < 512 * M,
    }
    text = (r"^lazy: every page read as zeros at first, and then as what was written$",
            r"^lazy: promised \d+ GiB, touched 320 pages, 1\.\d MiB resident")

    def together(reports: list[dict]) -> list[str]:
        small, large = reports
        errors = []
        for report in reports:
            if report["faults"]["handled"] * PAGE != report["resident"]:
                errors.append(f"{report['faults']['handled']} faults do not explain {report['resident']} bytes")
        if small["resident"] != large["resident"]:
            errors.append(f"resident: {small['resident']} for 1 GiB, {large['resident']} for 64 GiB")
        # At most a leaf table for each page, and a directory for each GiB that has any.
        tables = (1 + small["resident"] // PAGE + 64 + 1) * PAGE
        if large["table_bytes"] > tables:
            errors.append(f"tables: {large['table_bytes']} bytes, the pages need at most {tables}")
        return errors

    boots = [Boot(["x86_64", "--ram", size, "--host-ram", "512M"], virt=virt, text=text, forbid=(PANIC,),
                  report=spec | {"guest_ram": value})
             for size, value in (("1G", G), ("64G", 64 * G))]
    return Case(f"{virt}/lazy/1G-and-64G-cost-the-same", boots, together=together)


def sizes() -> list[Case]:
    out = [acceptance(virt) for virt in VIRTS]
    for virt, rams in (("svm", ("2M", "4M", "64M", "258M", "3G", "3073M", "5G", "512G")), ("vmx", ("2M", "5G"))):
        for ram in rams:
            out.append(case(f"{virt}/lazy/ram-{ram}", "--ram", ram, report=EXITED,
                            text=(r"^lazy: every page read as zeros",)))
    for virt, rams in (("svm", ("64M", "128M", "256M", "1G", "2G", "3G", "4G")), ("vmx", ("64M", "256M", "2048M"))):
        for ram in rams:
            size = int(ram[:-1]) * (G if ram.endswith("G") else M)
            out.append(case(f"{virt}/lazy/host-{ram}", "--host-ram", ram,
                            report=EXITED | {"host_free": lambda free, size=size: size // 8 < free < size},
                            slow=ram in ("128M", "3G", "2048M")))
    for virt in VIRTS:
        out.append(case(f"{virt}/lazy/populate", "--policy", "populate", "--ram", "64M", report=EXITED | {
            "policy": "populate", "resident": 64 * M, "exits.fault": 0, "faults.handled": 0, "faults.spurious": 0}))
        out.append(case(f"{virt}/lazy/populate-too-much", "--policy", "populate", "--ram", "1G", status=3,
                        report={"outcome": "no_memory", "resident": 0}, text=(r"^error: vm: .*free",)))
    # Wider than the CPU's addresses: refused before anything runs.
    out.append(case("svm/lazy/ram-256T", "--ram", "256T", status=3, report=None, one_line=FATAL))
    return out


# --- Guests that misbehave ----------------------------------------------------------------------------------------------

CRASHED = {"outcome": "crashed"}
UNMAPPED = {"outcome": "unmapped", "faults.unmapped": 1}
NO_MEMORY = {"outcome": "no_memory", "faults.no_memory": 1, "host_free": below(4 * M)}

# name: (status, report, text, more arguments)
GUESTS = {
    "exit_status": (42, {"outcome": "exited", "guest_status": 42}, (), ()),
    "exit_256": (255, {"outcome": "exited", "guest_status": 256}, (), ()),
    "fake_report": (9, {"outcome": "exited", "guest_status": 9, "guest_ram": G},
                    (r"^an unfinished line, and then the end$",), ()),
    "halt": (0, EXITED, (r"^halt: going to sleep$",), ()),
    "triple_fault": (3, CRASHED, (r"^triple_fault: here it comes$",), ()),
    "illegal_insn": (3, CRASHED, (r"^illegal_insn: here it comes$",), ()),
    "wild_write": (3, UNMAPPED, (r"^wild_write: to 0x40000000$", r"0*40000000"), ()),
    "wild_hole": (3, UNMAPPED, (r"0*fee00000",), ("--ram", "5G")),
    "wild_high": (3, UNMAPPED, (), ()),
    "wild_exec": (3, UNMAPPED, (), ()),
    "wild_walk": (3, UNMAPPED, (), ()),
    "wild_idt": (3, UNMAPPED, (), ()),
    "wild_pio": (0, EXITED | {"exits.pio": at_least(10000)}, (), ()),
    "unknown_hypercall": (0, EXITED | {"exits.hypercall": at_least(10000)}, (), ()),
    "console": (0, EXITED, (r"^x{79}$", r"^x{999}$", r"^a page border$", r"^y{4095}$",
                            r"^(abcdefghijklmnopqrstuvwxyz)+abcdefghijklmn$"), ()),
    "uart": (0, EXITED, (r"^uart: a line of its own$",), ()),
    "exec": (0, EXITED, (), ()),
    "page_walk": (0, EXITED, (), ()),
    "event_fresh": (0, EXITED, (), ()),
    "bad_msr": (0, EXITED, (), ()),
    "cpuid_check": (0, EXITED, (r'^cpuid_check: "NestlingNest"',), ()),
    "set_vmxe": (0, EXITED, (), ()),
    "virt_insns": (0, EXITED, (), ()),
    "odd_insns": (0, EXITED, (), ()),
    "user_call": (0, EXITED, (), ()),
    "string_io": (3, CRASHED, (r"^string_io: here it comes$", r"OUTS"), ()),
    "real_mode": (0, EXITED, (r"^real_mode: sixteen bits and counting$",), ()),
    "oom": (3, NO_MEMORY, (r"^oom: 16384 pages written$",), ("--host-ram", "256M")),
    "oom_sparse": (3, NO_MEMORY, (), ("--host-ram", "256M", "--ram", "256G")),
}

# What these try out does not depend on the vendor: on the slow emulator they are among the slow cases.
SAME_ON_ALL = ("exit_256", "fake_report", "uart", "illegal_insn", "oom_sparse")


def guest_file(name: str) -> str:
    """Where the build puts a test guest: what is particular to the ISA is in a folder of its own."""
    own = (ROOT / f"tests/guests/x86_64/{name}.c").exists()
    return str(BUILD / f"tests/guests/{'x86_64/' if own else ''}{name}.elf")


def guests() -> list[Case]:
    out = []
    for virt in VIRTS:
        for name, (status, report, text, args) in GUESTS.items():
            if name.startswith(("wild_pio", "unknown_hypercall", "bad_msr")):
                text += (rf"^{name}: all as it should be$",)
            out.append(case(f"{virt}/guest/{name}", "--guest", guest_file(name), *args,
                            status=status, report=report, text=text, forbid=(r"FAILED",),
                            slow=virt == "vmx" and name in SAME_ON_ALL))
        out.append(case(f"{virt}/guest/spin", "--guest", guest_file("spin"), status=4, report=None,
                        text=(r"^spin: round and round$",), seconds=120 if virt == "vmx" else 30, slow=virt == "vmx"))
    out.append(case("svm/guest/oom-it-has", "--guest", guest_file("oom"), "--ram", "128M",
                    report=EXITED | {"resident": lambda bytes: 127 * M < bytes < 128 * M}, text=(r"^oom: all \d+ pages",)))
    return out


# --- Files that are no guest --------------------------------------------------------------------------------------------


def write_file(name: str, content: bytes):
    def write(directory: Path) -> None:
        (directory / name).write_bytes(content)

    return write


def elves() -> list[Case]:
    out = []
    for virt, malformed in (("svm", elf.MALFORMED), ("vmx", ("overlapping",))):
        for name in malformed:
            out.append(case(f"{virt}/elf/{name}", "--guest", "{dir}/guest.elf", "--ram", "64M", status=(2, 3),
                            report=None, one_line=rf"{FATAL}|^run-qemu: guest file ",
                            files=write_file("guest.elf", elf.MALFORMED[name])))
    for name, content in elf.ACCEPTED.items():
        out.append(case(f"svm/elf/{name}", "--guest", "{dir}/guest.elf", "--ram", "64M", report=EXITED,
                        files=write_file("guest.elf", content)))
    out.append(case("vmx/elf/minimal", "--guest", "{dir}/guest.elf", report=EXITED,
                    files=write_file("guest.elf", elf.ACCEPTED["minimal"])))
    return out


def documented_guest(directory: Path) -> None:
    """Build the example of docs/guest-abi.md by the commands that stand there."""
    text = (ROOT / "docs/guest-abi.md").read_text()
    source = text.split("```asm\n")[1].split("```")[0]
    commands = text.split("```sh\n")[1].split("```")[0]
    (directory / "guest.S").write_text(source)
    build = [line for line in commands.splitlines() if not line.startswith("./run-qemu.sh")]
    subprocess.run(["sh", "-e", "-c", "\n".join(build)], cwd=directory, check=True)


def documented() -> list[Case]:
    return [case(f"{virt}/guest/documented", "--guest", "{dir}/guest.elf", status=7, files=documented_guest,
                 report={"outcome": "exited", "guest_status": 7}, text=(r"^Hello from the document$",))
            for virt in VIRTS]


# --- Configurations that a person could write ---------------------------------------------------------------------------

MALFORMED_CONFIGS = {
    "no-value": (b"demo = hello\nram\n", r"nestling\.cfg:2: "),
    "unknown-key": (b"# a comment\n\ncolour = blue\n", r"nestling\.cfg:3: unknown key"),
    "key-twice": (b"ram = 1G\nram = 1G\n", r"nestling\.cfg:2: "),
    "unknown-demo": (b"demo = nosuch\n", r"nosuch"),
    "unknown-policy": (b"policy = 3m\n", r"nestling\.cfg:1: "),
    "ram-0": (b"ram = 0\n", r"nestling\.cfg:1: "),
    "ram-odd": (b"ram = 4097\n", r"nestling\.cfg:1: "),
    "ram-words": (b"ram = lots\n", r"nestling\.cfg:1: "),
    "ram-overflows": (b"ram = 99999999999999999999T\n", r"nestling\.cfg:1: "),
    "ram-4K": (b"ram = 4K\n", r""),
    "ram-huge": (b"ram = 16000000T\n", r""),
    "guest-missing": (b"guest = \\nosuch.elf\n", r"nosuch\.elf"),
    "guest-is-a-folder": (b"guest = \\EFI\n", r"EFI"),
    "guest-is-the-config": (b"guest = \\nestling.cfg\n", r"ELF"),
    "binary": (bytes(range(256)), r"nestling\.cfg:1: "),
    "long-line": (b"demo = " + b"x" * 5000, r"nestling\.cfg:1: "),
    "too-large": (b"# " + b"x" * 100000, r"nestling\.cfg"),
}
CONFIGS = {
    "empty": (b"", "lazy"),
    "no-last-newline": (b"demo = hello", "hello"),
    "dos": (b"# made elsewhere\r\n\r\n  demo=hello  # trailing\r\n\tram = 64m\r\n", "hello"),
    "none": (None, "lazy"),
}
OWN_DISK = {"NESTLING_QEMU_ARGS": "-set drive.disk.file={dir}/own.img"}


def disk_with(config: bytes | None):
    def make(directory: Path) -> None:
        command = [ROOT / "tools/mkimage", "-o", directory / "own.img", "--isa", f"x86_64={BUILD}/nestling.efi"]
        if config is not None:
            (directory / "own.cfg").write_bytes(config)
            command += ["--cfg", directory / "own.cfg"]
        subprocess.run(command, check=True)

    return make


def configs() -> list[Case]:
    out = []
    for name, (config, text) in MALFORMED_CONFIGS.items():
        out.append(case(f"svm/config/{name}", status=3, report=None, env=OWN_DISK, files=disk_with(config),
                        one_line=FATAL, text=(FATAL + ".*" + text,)))
    for name, (config, demo) in CONFIGS.items():
        out.append(case(f"svm/config/{name}", report=EXITED | {"demo": demo}, env=OWN_DISK, files=disk_with(config)))
    return out


# --- Other machines -----------------------------------------------------------------------------------------------------


def machines() -> list[Case]:
    def qemu(args: str) -> dict:
        return {"NESTLING_QEMU_ARGS": args}

    return [
        case("svm/machine/no-svm", status=3, report=None, one_line=FATAL, text=(FATAL + ".*(SVM|svm)",),
             env=qemu("-cpu max,-svm")),
        case("svm/machine/no-npt", status=3, report=None, one_line=FATAL, text=(FATAL + ".*(?i:nested pag|npt)",),
             env=qemu("-cpu max,-npt")),
        case("svm/machine/no-1g-pages", report=EXITED, env=qemu("-cpu max,-pdpe1gb")),
        case("svm/machine/no-1g-pages-64G", "--ram", "64G", report=EXITED, env=qemu("-cpu max,-pdpe1gb")),
        case("svm/machine/no-1g-pages-512G", "--ram", "500G", status=3, report=None, one_line=FATAL,
             env=qemu("-cpu max,-pdpe1gb")),
        case("svm/machine/epyc", report=EXITED, env=qemu("-cpu EPYC")),
        case("svm/machine/opteron-g3", report=EXITED, env=qemu("-cpu Opteron_G3,+svm,+npt")),
        case("svm/machine/no-smap", report=EXITED, env=qemu("-cpu max,-smap,-smep,-umip")),
        case("svm/machine/4-cpus", report=EXITED, env=qemu("-smp 4")),
        case("svm/machine/pc", report=EXITED, env=qemu("-M pc"), slow=True),
    ]


# --- The command itself -------------------------------------------------------------------------------------------------

BAD_USAGE = [
    "--nope", "arm", "aarch64", "--ram", "--ram 0", "--ram 1M", "--ram lots", "--ram -1", "--ram 1.5G", "--ram 2G2",
    "--ram 2097153", "--ram 99999999999999999999", "--ram 9999999T", "--ram=", "--host-ram 1M", "--host-ram 9999T",
    "--virt vmx --host-ram 4G", "--demo nosuch", "--demo ../hello", "--policy 3m", "--virt kvm", "--timeout 0",
    "--timeout soon", "--guest {dir}/nosuch.elf", "--guest {dir}", "--guest {dir}/empty", "--report {dir}/no/r.json",
    "--report {dir}", "--virt vmx --gdb", "--firmware uboot",
]
OPTIONS = ("--virt", "--demo", "--guest", "--ram", "--host-ram", "--policy", "--trace", "--report", "--timeout",
           "--gdb", "--help")


def usage() -> list[Case]:
    out = [case("usage/help", "--help", virt="svm", bare=True, report=None,
                text=tuple(rf"^\s+{option}\b" for option in OPTIONS) + (r"\bhello\b", r"\blazy\b"))]
    for args in BAD_USAGE:
        out.append(case(f"usage/{args}".replace("{dir}", "DIR"), *args.split(), virt="svm", bare=True, status=2,
                        report=None, one_line="", files=write_file("empty", b"")))
    out.append(case("usage/report-to-a-full-disk", "--demo", "hello", "--report", "/dev/full", virt="svm", bare=True,
                    status=3, report=None, text=(r"^run-qemu: .*report",)))
    out.append(case("usage/gdb", "--gdb", virt="svm", seconds=5, status=4, report=None,
                    text=(r"target remote :\d+",)))
    return out


def all_cases() -> list[Case]:
    checks = [
        Case("static/no-simd-in-image", [], function=static.no_simd_in_image),
        Case("static/no-isa-conditionals", [], function=static.no_isa_conditionals),
        Case("static/hypercalls-agree", [], function=static.hypercalls_agree),
    ]
    # The slow emulator first, so that the quick cases fill the end.
    cases = checks + usage() + demos() + sizes() + guests() + documented() + elves() + configs() + machines()
    return sorted(cases, key=lambda c: not c.name.startswith("vmx/"))
