# SPDX-License-Identifier: BSD-2-Clause
"""Nestling's commands for gdb: docs/debugging.md. tools/gdb loads this file."""

import contextlib
import os
import signal
import sys
import threading
import time

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pte  # noqa: E402

PAGE = 4096
MAGIC = b"nestling-image\n\0"
# How far from the program counter an image may begin, or its marker be: no image has so many pages.
NEAR_PAGES = 512
# How often the machine is stopped to see whether the image runs, and how many times before memory is searched for it.
POLL_SECONDS = 0.3
NEAR_POLLS = 100
# Where the machines' CPUs begin: a PC; a RISC-V machine of QEMU's, and its AArch64 ones.
RESET = (0xfff0, 0x1000, 0)


# --- Memory ------------------------------------------------------------------------------------------------------------


def packet(text: str) -> str:
    """Send a packet of gdb's remote protocol; the answer as gdb shows it."""
    try:
        answer = gdb.execute(f"maintenance packet {text}", to_string=True)
    except gdb.error:
        raise gdb.GdbError("nestling: there is no machine to ask: see tools/gdb --help") from None
    return answer.split("received: ")[-1].strip().strip('"')


class Physical:
    """While this holds, memory is physical memory: the guest may have tables of its own where the CPU stopped.

    The hypervisor's map is one to one, so its pointers mean the same. Debuggers of real machines may lack the packet;
    there the CPU must have stopped in the hypervisor.
    """

    def __enter__(self) -> None:
        self.on = packet("Qqemu.PhyMemMode:1") == "OK"
        gdb.execute("maintenance flush dcache", to_string=True)

    def __exit__(self, *_) -> None:
        if self.on:
            packet("Qqemu.PhyMemMode:0")
        gdb.execute("maintenance flush dcache", to_string=True)


def read(address: int, size: int) -> bytes:
    return bytes(gdb.selected_inferior().read_memory(address, size))


def read_word(address: int) -> int:
    return int.from_bytes(read(address, 8), "little")


# --- Where the image is ------------------------------------------------------------------------------------------------


def image_at(marker: int) -> int | None:
    """The image's address, if there is a marker (boot/debugger.c) that the firmware has relocated to here."""
    try:
        if read(marker, 16) == MAGIC and read_word(marker + 16) == marker:
            return read_word(marker + 24)
    except gdb.MemoryError:
        pass
    return None


def near(address: int, offset: int) -> int | None:
    page = address & ~(PAGE - 1)
    for distance in range(NEAR_PAGES):
        for at in {page - distance * PAGE, page + distance * PAGE}:
            if at >= 0 and (image := image_at(at + offset)) is not None:
                return image
    return None


def ram_ranges() -> list[tuple[int, int]]:
    """QEMU's memory by its own word, the highest first, for firmware loads high; nothing elsewhere."""
    try:
        flat = gdb.execute("monitor info mtree -f", to_string=True)
    except gdb.error:
        return []
    ranges = set()
    for line in flat.splitlines():
        words = line.split()
        if "ram):" in words and words[0].count("-") == 1:
            first, last = (int(part, 16) for part in words[0].split("-"))
            ranges.add((first, last + 1))
    return sorted(ranges, reverse=True)


def anywhere(offset: int) -> int | None:
    for start, end in ram_ranges():
        for page in range((end - 1) & ~(PAGE - 1), start - 1, -PAGE):
            if (image := image_at(page + offset)) is not None:
                return image
    return None


def program_counter() -> int:
    return int(gdb.parse_and_eval("(unsigned long)$pc"))


def marker_offset(elf: str) -> int:
    """Where in its page the marker is; what has been relocated keeps that."""
    gdb.execute(f"symbol-file {elf}", to_string=True)
    at = int(gdb.parse_and_eval("(unsigned long)&image_marker"))
    gdb.execute("symbol-file", to_string=True)
    return at % PAGE


def run_for(seconds: float) -> bool:
    """Let the machine run, and stop it as a person would who presses Ctrl-C; false when a person has."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    try:
        with silence():
            gdb.execute("continue")
    finally:
        timer.cancel()
    return time.monotonic() - start >= seconds


@contextlib.contextmanager
def silence():
    """gdb shows nothing, not even where the machine stops, for which there is no setting."""
    gdb.flush()
    shown, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        gdb.flush()
        os.dup2(shown, 1)
        os.close(shown)
        os.close(nothing)


def load_symbols(elf: str, image: int) -> None:
    gdb.execute(f"symbol-file {elf} -o {image:#x}", to_string=True)
    print(f"nestling: image at {image:#x}")


# --- What the hypervisor has -------------------------------------------------------------------------------------------


def value(expression: str) -> gdb.Value:
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise gdb.GdbError(f"{expression}: {error}") from None


def all_vms() -> list[gdb.Value]:
    """Those that have not ended: of the configuration in its order, each with its forks behind it."""
    run = value("'machine.c'::run")
    if not int(run):
        return []
    found = []
    for config in (run["vm"][i] for i in range(int(run["count"]))):
        tree = config["tree"]
        room = PAGE // tree["part"][0].type.sizeof
        slots = (tree["part"][number // room][number % room] for number in range(int(tree["count"])))
        found += [vm.dereference() for vm in slots if int(vm)]
    return found


def name_of(vm: gdb.Value) -> str:
    """As on the console; there one that is alone has none."""
    name = vm["options"]["name"].string()
    return f"{name}.{int(vm['tree_number'])}" if int(vm["tree_number"]) else name


def resident() -> gdb.Value | None:
    """The vCPU in the CPU that gdb looks at; or else in any: machines may number CPUs otherwise than their debugger does."""
    thread = gdb.selected_thread()
    count = int(value("cpu_count"))
    cpus = sorted((value("cpus")[i] for i in range(count)), key=lambda cpu: not thread or int(cpu["hw_id"]) != thread.num - 1)
    return next((cpu["resident"].dereference() for cpu in cpus if int(cpu["resident"])), None)


def the_vm(text: str = "") -> gdb.Value:
    """By its name or its number in the run; without either the one that runs here, or any that is there."""
    vms = all_vms()
    if text:
        vms = [vm for vm in vms if text in (name_of(vm), str(int(vm["number"])))]
        if not vms:
            raise gdb.GdbError(f"there is no VM {text} now: nestling vms lists those that are there")
    elif vcpu := resident():
        return vcpu["vm"].dereference()
    if not vms:
        raise gdb.GdbError("there is no VM now")
    return vms[0]


def the_vcpu(vm: gdb.Value, text: str = "") -> gdb.Value:
    """By its number; without one the vCPU that runs here, if it is one of this VM's, or the first."""
    if not text:
        here = resident()
        return here if here and int(here["vm"]) == int(vm.address) else vm["vcpu"]
    if (index := number(text)) >= int(vm["vcpus"]):
        raise gdb.GdbError(f"VM {name_of(vm)} has {int(vm['vcpus'])} vCPUs, from 0 on")
    return vm["vcpu_table"][index].dereference()


def vm_lines(vm: gdb.Value) -> list[str]:
    lines = [f"VM {int(vm['number'])} {name_of(vm)}: {enumerator('vm_outcome', 'VM_', int(vm['outcome']))}"]
    for vcpu in (vm["vcpu_table"][i].dereference() for i in range(int(vm["vcpus"]))):
        where = f" CPU {int(vcpu['cpu']['id'])}," if int(vcpu["cpu"]) else ""
        lines.append(f"  vCPU {int(vcpu['id'])}: {enumerator('vcpu_state', 'VCPU_', int(vcpu['state']))},{where}"
                     f" {int(vcpu['exits']['total'])} exits, {int(vcpu['switches'])} times in a CPU")
    return lines


def format_of(vm: gdb.Value) -> str:
    npt = vm["as"]["npt"]
    for symbol, name in (("npt_ept", "ept"), ("npt_amd", "npt"), ("npt_stage2", "stage2"), ("npt_stage2_fwb", "stage2-fwb"),
                         ("npt_riscv_x4", f"sv{9 * int(npt['config']['levels']) + 12}x4")):
        try:
            if int(npt["ops"]) == int(gdb.parse_and_eval(f"&{symbol}")):
                return name
        except gdb.error:
            pass  # the linker has left it out
    raise gdb.GdbError("the nested tables are of no known format")


def walk_lines(vm: gdb.Value, gpa: int) -> list[str]:
    npt, name = vm["as"]["npt"], format_of(vm)
    levels, table = int(npt["config"]["levels"]), int(npt["root"]["raw"])
    if gpa >= int(npt["end"]):
        return [f"gpa {gpa:#x}: beyond the address space, which ends at {int(npt['end']):#x}"]
    lines = [f"gpa {gpa:#x}: {name}, root at {table:#x}"]
    for level in range(levels - 1, -1, -1):
        index = gpa >> pte.level_shift(level)
        if level < levels - 1:
            index &= 511
        raw = read_word(table + 8 * index)
        entry = pte.decode(name, raw, level)
        lines.append(f"  level {level} [{index:4}] {raw:#018x} {entry}")
        if entry.kind == "leaf":
            lines.append(f"  hpa {entry.address | gpa & (1 << pte.level_shift(level)) - 1:#x}")
        if entry.kind != "table":
            break
        table = entry.address
    return lines


def area_lines(vm: gdb.Value) -> list[str]:
    lines = []
    area = vm["as"]["areas"]["level"][0]["next"]
    while int(area["end"]):  # the head of the ring is empty
        policy = value(f"alloc_policy_names[{int(area['policy'])}]").string()
        memtype = ("wb", "wt", "wp", "wc", "uc")[int(area["attr"]["memtype"])]
        backend = f"alloc {policy}" if int(area["backend"]) else "linear"
        lines.append(f"{int(area['start']):#x}-{int(area['end']):#x} {pte.prot_text(int(area['attr']['prot']))} "
                     f"{memtype} {backend}")
        area = area["next"]
    return lines or ["no areas"]


def enumerator(type_name: str, prefix: str, number: int) -> str:
    """The name that an enum has for a number, as reports have it."""
    return str(gdb.Value(number).cast(gdb.lookup_type(f"enum {type_name}"))).removeprefix(prefix).lower()


def reason_name(reason: int) -> str:
    """By the ISA's own tables of names: vmm/<isa>/."""
    if gdb.lookup_global_symbol("esr_class_name"):
        table, index = "esr_class_name::names", reason >> 26 & 63
    elif gdb.lookup_global_symbol("cause_name"):
        table, index = "cause_name::names", reason
    elif value("virt->name").string() == "svm":
        table, index = "exit_names", reason
    else:
        table, index = "reason_names", reason & 0xffff
    try:
        return gdb.parse_and_eval(table)[index].string()
    except (gdb.error, gdb.MemoryError):
        return "of the machine"


def exit_text(entry: gdb.Value) -> str:
    kind = enumerator("vm_exit_kind", "VM_EXIT_", int(entry["kind"]))
    if kind == "fault":
        fault = entry["fault"]
        return (f"{pte.prot_text(int(fault['access']))} fault at {int(fault['gpa']['raw']):#x}"
                f"{' by a page walk' if fault['on_guest_walk'] else ''}, "
                + enumerator("fault_outcome", "FAULT_", int(entry["outcome"])))
    if kind == "io":
        io = entry["io"]
        return (f"{'port I/O' if int(io['space']) == 0 else 'MMIO'}, {'write' if io['write'] else 'read'} of "
                f"{int(io['size'])} at {int(io['addr']):#x}, value {int(io['value']):#x}")
    if kind == "hypercall":
        call = entry["hypercall"]
        arguments = [f"{int(call['arg'][i]):#x}" for i in range(4)]
        return (f"hypercall {enumerator('hypercall_number', 'HYPERCALL_', int(call['number']))}"
                f"({', '.join(arguments)})")
    return f"{kind}: {reason_name(int(entry['reason']))} ({int(entry['reason']):#x})"


def exit_lines(vcpu: gdb.Value, wanted: int) -> list[str]:
    total, ring = int(vcpu["exits"]["total"]), vcpu["ring"]
    size = ring.type.range()[1] + 1
    first = max(total - min(wanted, size) + 1, 1)
    return [f"{number:8} pc {int(entry['pc']):#x} {exit_text(entry)}"
            for number in range(first, total + 1) for entry in [ring[(number - 1) % size]]] or ["no exits yet"]


# --- Commands ----------------------------------------------------------------------------------------------------------


def number(text: str) -> int:
    """A number, or any expression that gdb knows: `fault->gpa` too, which is a structure of one."""
    result = value(text)
    if result.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        result = result["raw"]
    return int(result) & (1 << 64) - 1


class Nestling(gdb.Command):
    """Look at the hypervisor's state: its VM's memory, the tables behind it, and the exits. See docs/debugging.md."""

    def __init__(self) -> None:
        super().__init__("nestling", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Attach(gdb.Command):
    """Connect to a machine and load the symbols of the image in it; tools/gdb does this.
Usage: nestling attach HOST:PORT ELF

Connect to a machine, let it run until Nestling's image is there, and load its symbols. An image that waits
(gdb = on in nestling.cfg, which run-qemu.sh --gdb writes) goes on by the next continue; one that runs is stopped
where it is."""

    def __init__(self) -> None:
        super().__init__("nestling attach", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, _: bool) -> None:
        target, elf = gdb.string_to_argv(argument)
        gdb.execute(f"file {elf}", to_string=True)
        offset = marker_offset(elf)
        try:
            with silence():
                gdb.execute(f"target remote {target}")
        except gdb.error as error:
            raise gdb.GdbError(f"nestling: no machine waits at {target}: {error}") from None
        load_symbols(elf, self.find(offset))
        with Physical():
            gdb.execute("set var debugger_is_here = 1")

    def find(self, offset: int) -> int:
        # What the machine does from its reset on is soon there by itself; one that runs may be in its guest for ever.
        patient = program_counter() in RESET
        while True:
            if (image := near(program_counter(), offset)) is not None:
                return image
            if not patient:
                with Physical():
                    image = anywhere(offset)
                if image is not None:
                    return image
            print("nestling: waiting for the image; Ctrl-C searches all memory for it", flush=True)
            patient = self.wait(offset)

    def wait(self, offset: int) -> bool:
        """Until the image runs, for a while; false when that has to end early."""
        for _ in range(NEAR_POLLS):
            if not run_for(POLL_SECONDS):
                return False
            if near(program_counter(), offset) is not None:
                return True
        return False


class Pte(gdb.Command):
    """Decode a page-table entry: what it maps, with which permissions.
Usage: nestling pte FORMAT VALUE [LEVEL]

Level 0, the default, is that of 4 KiB pages. Formats: ept, npt, stage2, stage2-fwb,
sv39x4, sv48x4, sv57x4; of the hypervisor's own map: x86_host, el2_host, el20_host, sv39, sv48,
sv57."""

    def __init__(self) -> None:
        super().__init__("nestling pte", gdb.COMMAND_DATA)

    def complete(self, text: str, word: str) -> list[str]:
        return [name for name in pte.LEVELS if name.startswith(word)] if " " not in text.strip() else []

    def invoke(self, argument: str, _: bool) -> None:
        words = gdb.string_to_argv(argument)
        if len(words) not in (2, 3) or words[0] not in pte.LEVELS:
            raise gdb.GdbError("wanted: nestling pte FORMAT VALUE [LEVEL], FORMAT one of " + ", ".join(pte.LEVELS))
        try:
            print(pte.decode(words[0], number(words[1]), number(words[2]) if len(words) == 3 else 0))
        except ValueError as error:
            raise gdb.GdbError(str(error)) from None


class Vms(gdb.Command):
    """List the VMs and their vCPUs: state, the CPU that each is in or was in last, exits.
Usage: nestling vms

All VMs that have not ended, with the number and the name by which the other commands take them."""

    def __init__(self) -> None:
        super().__init__("nestling vms", gdb.COMMAND_DATA)

    def invoke(self, argument: str, _: bool) -> None:
        with Physical():
            print("\n".join(line for vm in all_vms() for line in vm_lines(vm)) or "no VMs")


class Walk(gdb.Command):
    """Walk the nested tables on the way to an address of a VM.
Usage: nestling walk GPA [VM]

Walk the nested tables, from the root to what decides about a guest-physical address. VM is a name or a number of nestling
vms; without it, it is the one that runs on this CPU."""

    def __init__(self) -> None:
        super().__init__("nestling walk", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument: str, _: bool) -> None:
        words = gdb.string_to_argv(argument)
        if len(words) not in (1, 2):
            raise gdb.GdbError("wanted: nestling walk GPA [VM]")
        gpa = number(words[0])
        with Physical():
            print("\n".join(walk_lines(the_vm(*words[1:]), gpa)))


class Areas(gdb.Command):
    """List the areas of a VM: ranges, permissions, memory type, policy.
Usage: nestling areas [VM]

What its guest-physical memory is promised to be. Without VM, of the one that runs on this CPU."""

    def __init__(self) -> None:
        super().__init__("nestling areas", gdb.COMMAND_DATA)

    def invoke(self, argument: str, _: bool) -> None:
        with Physical():
            print("\n".join(area_lines(the_vm(argument.strip()))))


class Exits(gdb.Command):
    """Show the last exits of a vCPU, and what each came to.
Usage: nestling exits [N [VM [VCPU]]]

The last N exits, the newest at the end; without N, all that are kept. What the newest came to is an older one's while it is
being served. Without VM and VCPU, of the vCPU that runs on this CPU."""

    def __init__(self) -> None:
        super().__init__("nestling exits", gdb.COMMAND_DATA)

    def invoke(self, argument: str, _: bool) -> None:
        words = gdb.string_to_argv(argument)
        if len(words) > 3:
            raise gdb.GdbError("wanted: nestling exits [N [VM [VCPU]]]")
        wanted = number(words[0]) if words else 1 << 63
        with Physical():
            print("\n".join(exit_lines(the_vcpu(the_vm(*words[1:2]), *words[2:]), wanted)))


class State(gdb.Command):
    """Show what is kept of a vCPU that is in no CPU: its registers and all else, as the ISA's struct vcpu_arch has it.
Usage: nestling state [VM [VCPU]]

Of one that runs, a part is in the CPU's own registers: that of the last time it left."""

    def __init__(self) -> None:
        super().__init__("nestling state", gdb.COMMAND_DATA)

    def invoke(self, argument: str, _: bool) -> None:
        words = gdb.string_to_argv(argument)
        if len(words) > 2:
            raise gdb.GdbError("wanted: nestling state [VM [VCPU]]")
        with Physical():
            vcpu = the_vcpu(the_vm(*words[:1]), *words[1:])
            print(vcpu["arch"].format_string(format="x", styling=False, max_elements=64))


for command in (Nestling, Attach, Pte, Vms, Walk, Areas, Exits, State):
    command()
