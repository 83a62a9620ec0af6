# SPDX-License-Identifier: BSD-2-Clause
"""Runs cases, several at a time, those that can share a boot together, and tells of each."""

import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import batch
from harness import Boot, Case, Result, boot, judge, running, stop, tail

Outcome = tuple[list[str], float]  # the errors, each a line or more, and the seconds it took


def judge_boot(spec: Boot, directory: Path, result: Result) -> list[str]:
    found = judge(spec, result)
    if spec.after and not found:
        found = spec.after(directory, result)
    return found + [f"on {spec.backend}: ./run-qemu.sh " + " ".join(spec.args)] + tail(result.console) if found else []


def judge_case(case: Case, directory: Path, results: list[Result]) -> list[str]:
    errors = [error for spec, result in zip(case.boots, results) for error in judge_boot(spec, directory, result)]
    if case.together and not errors:
        errors += case.together([result.report for result in results])
    return errors


def prepare(case: Case, directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    if case.files:
        case.files(directory)
    return directory


def run_case(case: Case) -> Outcome:
    start = time.monotonic()
    if case.function:
        return case.function(), time.monotonic() - start
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as name:
        directory = prepare(case, Path(name))
        errors = judge_case(case, directory, [boot(spec, directory) for spec in case.boots])
    return errors, time.monotonic() - start


def run_together(cases: list[Case]) -> list[Outcome]:
    """By one boot; those that it did not come to, because an earlier guest has ended it, by themselves."""
    start = time.monotonic()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="nestling-test-") as name:
        shared = Path(name)
        own = [prepare(case, shared / f"case{n}") for n, case in enumerate(cases)]
        specs = [spec for case in cases for spec in case.boots]
        places = [directory for case, directory in zip(cases, own) for _ in case.boots]
        results = batch.boot_together(specs, places, shared)
        seconds = (time.monotonic() - start) / len(cases)
        for case, directory in zip(cases, own):
            mine, results = results[:len(case.boots)], results[len(case.boots):]
            if None in mine:
                outcomes.append(run_case(case))
            else:
                outcomes.append((judge_case(case, directory, mine), seconds))
    return outcomes


def key(case: Case) -> tuple | None:
    keys = {batch.key(spec) for spec in case.boots}
    return keys.pop() if len(keys) == 1 and not case.function else None


def plan(cases: list[Case]) -> list[list[Case]]:
    """Which cases share a boot; in the order in which the first of each came."""
    groups: dict[object, list[Case]] = {}
    for case in cases:
        groups.setdefault(key(case) or case.name, []).append(case)
    return [chunk for group in groups.values() for chunk in (batch.chunks(group) if len(group) > 1 else [group])]


def tell(case: Case, errors: list[str], seconds: float) -> bool:
    """Print how a case ended; whether it failed."""
    print(f"{'FAIL' if errors else 'ok':4} {seconds:5.1f} s  {case.name}", flush=True)
    for line in errors:
        print(f"     {line}", flush=True)
    return bool(errors)


def tell_all(cases: list[Case], future: Future) -> int:
    """How many of them have failed."""
    try:
        outcomes = future.result()
    except Exception as error:  # a mistake of the tests is a failure like any other
        outcomes = [([repr(error)], 0.0)] * len(cases)
    return sum(tell(case, *outcome) for case, outcome in zip(cases, outcomes))


def run_cases(cases: list[Case], jobs: int, alone: bool = False) -> int:
    """Run all and tell of each as it ends; the exit status. Alone: each by a boot of its own."""
    timed = [case for case in cases if case.timed]
    others = [case for case in cases if not case.timed]
    groups = [[case] for case in others] if alone else plan(others)
    failed = run_groups(groups, jobs) + run_groups([[case] for case in timed], 1)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def run_groups(groups: list[list[Case]], jobs: int) -> int:
    """How many cases have failed."""
    failed = 0
    pools = {False: ThreadPoolExecutor(jobs), True: ThreadPoolExecutor(1)}
    submitted = {pools[all(case.waits for case in group)].submit(run_together if len(group) > 1 else lambda one: [run_case(one[0])],
                                                                 group): group for group in groups}
    try:
        for future in as_completed(submitted):
            failed += tell_all(submitted[future], future)
    finally:
        # Interrupted: nothing that was started may stay behind.
        for pool in pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            stop(process)
    return failed
