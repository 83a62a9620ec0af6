# SPDX-License-Identifier: BSD-2-Clause
"""Checks of what was built and written, without a boot. Each returns its complaints, a line each."""

import os
import re
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from backends import ROOT


# The guest's FP and SIMD registers stay loaded while the hypervisor handles an exit. The check is of every function in
# the image, which is more than the exit path, and nothing to keep a list of callees for.
@dataclass(frozen=True)
class Simd:
    operand: re.Pattern
    mnemonic: re.Pattern | None = None  # of instructions that need not name a register
    allowed: frozenset = frozenset()  # vmm/<isa>/fp.S: called for a VM that has not run yet


SIMD = {
    # Prefixes and mnemonics that begin with an f have nothing to do with floating point if they are not x87's.
    "x86_64": Simd(re.compile(r"%([xyz]mm\d+|mm[0-7]|st\b|k[0-7]\b)"), re.compile(r"^f(?!s\b)[a-z]"),
                   frozenset({"fp_save", "fp_load"})),
    "aarch64": Simd(re.compile(r"\b[vqdshbz]\d{1,2}\b|\bp\d{1,2}/"), None,
                    frozenset({"reset_fp", "fp_save", "fp_load"})),
    "riscv64": Simd(re.compile(r"\b(f[ats]\d{1,2}|v\d{1,2})\b"), re.compile(r"^(c\.)?f(?!ence)[a-z]|^v"),
                    frozenset({*(f"fp_{verb}{width}" for verb in ("save", "load") for width in ("", "_single")),
                               "vector_save", "vector_load"})),
}
# A guest's gp and tp stay in the hart, too, until its exit takes the slow path (vmm/riscv64/entry.S).
RISCV_KEPT = re.compile(r"\b(gp|tp)\b")
RISCV_KEPT_ALLOWED = {"save_all", "enter_all", "trap_entry"}

# What disassemblers add: where an address is, and remarks.
NO_OPERANDS = re.compile(r"[0-9a-f]+ <[^>]*>|<[^>]*>|//.*|#.*")


def no_simd_in_image(isa: str) -> list[str]:
    simd = SIMD[isa]
    listing = subprocess.run([f"{isa}-linux-gnu-objdump", "-d", "--no-show-raw-insn", f"{ROOT}/build/{isa}/nestling.elf"],
                             check=True, capture_output=True, text=True).stdout
    function, found, functions = "", [], 0
    for line in listing.splitlines():
        if name := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            function, functions = name[1], functions + 1
            continue
        parts = line.split("\t", 1)
        if len(parts) < 2 or function.split(".")[0] in simd.allowed:
            continue
        insn = NO_OPERANDS.sub("", parts[1].strip()) if isa != "x86_64" else parts[1].strip()
        if simd.operand.search(insn) or simd.mnemonic and simd.mnemonic.match(insn):
            found.append(f"{function}: {insn}")
        if isa == "riscv64" and function not in RISCV_KEPT_ALLOWED and RISCV_KEPT.search(insn):
            found.append(f"{function}: {insn}")
    if functions < 100:
        found.append(f"only {functions} functions were found in the image's disassembly")
    return found[:20]


GENERIC = ("npt/*.[ch]", "mm/*.[ch]", "vmm/*.[ch]", "drivers/*.[ch]", "include/*.h")
AARCH64 = ("vmm/aarch64/*.[chS]", "drivers/aarch64/*.[chS]", "boot/aarch64/*.[chS]", "include/arch/aarch64/*.h")
ISA_CONDITIONAL = re.compile(r"^\s*#\s*(if|elif|ifdef|ifndef)\b.*(__x86_64__|__amd64__|__aarch64__|__riscv|ARCH_)")


def no_isa_conditionals() -> list[str]:
    files = [path for pattern in GENERIC for path in sorted(ROOT.glob(pattern))]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ISA_CONDITIONAL.match(line)
    ]
    return found if len(files) >= 20 else [f"only {len(files)} generic sources were found"]


def guest_registers_have_both_names() -> list[str]:
    """At EL2 with HCR_EL2.E2H set some of EL1's names reach EL2's registers: the guest's are read_guest_sysreg's."""
    names = re.findall(r"^#define (\w+_el[01])2 ", (ROOT / "include/arch/aarch64/e2h.h").read_text(), re.M)
    plain = re.compile(rf"\b(?:read|write)_sysreg\((?:{'|'.join(names)})\b|\b(?:mrs|msr)\b[^;]*\b(?:{'|'.join(names)})\b")
    # What the firmware leaves may be of either kind, and both are silenced there.
    files = [path for pattern in AARCH64 for path in sorted(ROOT.glob(pattern)) if path.name != "quiet.c"]
    found = [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for path in files
             for number, line in enumerate(path.read_text().splitlines(), 1) if plain.search(line)]
    return found if len(names) >= 20 and len(files) >= 30 else [f"only {len(names)} registers, {len(files)} sources"]


def no_circles() -> list[str]:
    """No two files need each other, and no folder reaches up."""
    done = subprocess.run([ROOT / "tools/check-structure", *SIMD], capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()[:20]


def numbers(path: str, pattern: str) -> dict[str, int]:
    text = (ROOT / path).read_text()
    pairs = [sorted(pair, key=lambda part: part.lstrip("-").isdigit()) for pair in re.findall(pattern, text, re.M)]
    return {name.upper(): int(value, 0) for name, value in pairs}


def hypercalls_agree() -> list[str]:
    """The list that hypervisor and guests are built of, and the document, have the same numbers."""
    calls = numbers("include/abi.h", r"^\s*(?:fast|slow|X)\((?P<number>\d+), (\w+)")
    document = numbers("docs/guest-abi.md", r"^\| (?P<value>\w+) \| (\d+) \|")
    results = numbers("include/abi.h", r"^#define HYPERCALL_(\w+)\s+\(\(uint64_t\)(-\d+)\)")
    document_results = numbers("docs/guest-abi.md", r"^\| (\w+) \| (-\d+) \|")
    errors = []
    if len(calls) < 22 or calls != document:
        errors.append(f"include/abi.h has {calls}, docs/guest-abi.md {document}")
    if not results or results != document_results:
        errors.append(f"results: include/abi.h has {results}, docs/guest-abi.md {document_results}")
    return errors


def pe_sections(efi: bytes) -> dict[str, int]:
    """Names and flags. Microsoft, "PE Format": "COFF File Header", "Section Table (Section Headers)"."""
    header = struct.unpack_from("<I", efi, 0x3C)[0]
    count, optional = struct.unpack_from("<H", efi, header + 6)[0], struct.unpack_from("<H", efi, header + 20)[0]
    table = [efi[at:at + 40] for at in range(header + 24 + optional, header + 24 + optional + 40 * count, 40)]
    return {row[:8].rstrip(b"\0").decode(): struct.unpack_from("<I", row, 36)[0] for row in table}


def pe_sections_w_xor_x(isa: str) -> list[str]:
    """Firmware may leave out one of the two permissions where a section asks for both; and it is told that none does (NX_COMPAT)."""
    execute, write, nx_compat = 0x20000000, 0x80000000, 0x100
    efi = (ROOT / f"build/{isa}/nestling.efi").read_bytes()
    sections = pe_sections(efi)
    found = [f"section {name} has flags {flags:#x}: writable and executable"
             for name, flags in sections.items() if flags & write and flags & execute]
    for flag, what in (execute, "executable"), (write, "writable"):
        if not any(flags & flag for flags in sections.values()):
            found.append(f"no section is {what}")
    if not struct.unpack_from("<H", efi, struct.unpack_from("<I", efi, 0x3C)[0] + 24 + 70)[0] & nx_compat:
        found.append("the header does not say that this is so")
    return found + nxcompat_refuses(efi, execute)


def nxcompat_refuses(efi: bytes, execute: int) -> list[str]:
    """The tool that writes it there looks first."""
    # A row of the table of sections begins with the name and ends with the flags.
    flags = efi.index(b".data\0\0\0") + 36
    both = struct.unpack_from("<I", efi, flags)[0] | execute
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as name:
        path = Path(name) / "both.efi"
        path.write_bytes(efi[:flags] + struct.pack("<I", both) + efi[flags + 4:])
        done = subprocess.run([ROOT / "tools/nxcompat", path], capture_output=True, text=True)
    refused = done.returncode == 3 and "section .data is both written and executed" in done.stderr
    return [] if refused else [f"nxcompat let it pass: {done.returncode}: {done.stderr}"]


# --- The build ----------------------------------------------------------------------------------------------------------

def would_make(target: str, *variables: str) -> set[str]:
    """What make would do, in words like "CC mm/fault.c"."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "V"}
    done = subprocess.run(["make", "-n", "ARCH=x86_64", target, *variables], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return {f"{step} {what}" for step, what in re.findall(r"printf '  %-7s %s\\n' (\w+) (\S+)", done.stdout)}


def flags_are_dependencies() -> list[str]:
    """What a changed flag concerns is built again, and nothing else."""
    def files(step: str, *patterns: str) -> set[str]:
        return {f"{step} {path.relative_to(ROOT)}" for pattern in patterns for path in ROOT.glob(pattern)}

    image, linked = "build/x86_64/nestling.efi", {"LD x86_64/nestling.elf", "EFI x86_64/nestling.efi"}
    test = "build/host/tests/host/test_area"
    host_linked = {"HOSTLD host/tests/host/test_area"}
    cases = (
        (image, ("flags-drivers=-Os -DCHANGED",), files("CC", "drivers/*.c", "drivers/uart/*.c", "drivers/x86_64/*.c") | files("AS", "drivers/x86_64/*.S") | linked),
        (image, ("flags-mm/survey.c=-O1",), {"CC mm/survey.c"} | linked),
        (image, ("flags-vmm/elf.c=",), {"CC vmm/elf.c"} | linked),
        (image, ("flags-tests=-DCHANGED",), set()),
        (image, ("host-flags=-O3",), set()),
        (image, ("image-link=-pie",), linked),
        (image, ("efi-flags=-O binary",), {"EFI x86_64/nestling.efi"}),
        (test, ("flags-drivers=-Os -DCHANGED",), set()),
        (test, ("host-link=-lcmocka",), host_linked),
    )
    errors = [f"make {target} is not at rest: {sorted(steps)[:5]}" for target in (image, test) if (steps := would_make(target))]
    for target, variables, wanted in () if errors else cases:
        steps = would_make(target, *variables)
        if steps != wanted:
            errors.append(f"{variables[0]}: {target}: unneeded {sorted(steps - wanted)[:5]}, missing {sorted(wanted - steps)[:5]}")
    # Everything, where everything is concerned.
    for target, variable, step, least in ((test, "host-flags=-O3", "HOSTCC", 40), (image, "warnings=-Wall", "CC", 60), (image, "guest-link=-static", "LD", 5),
                                          ("build/bench/host", "bench-host-flags=-O3", "HOSTCC", 20), ("build/fuzz/fuzz_elf", "FUZZCC=clang", "FUZZCC", 40),
                                          ("build/coverage/tests/host/test_area", "coverage-flags=-O3", "HOSTCC", 40)):
        count = sum(what.startswith(f"{step} ") for what in would_make(target, variable))
        if count < least:
            errors.append(f"{variable}: only {count} times {step} for {target}")
    return errors


def files_are_formatted() -> list[str]:
    """By .clang-format, every C file of the tree."""
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    files = listed or [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.[ch]") if "build" not in path.relative_to(ROOT).parts]
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror", "--ferror-limit=1", *files], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    return re.findall(r"^\S+:\d+:\d+: error: .*$", done.stderr, re.M)[:20] + ([] if done.returncode == 0 or done.stderr else ["?"])
