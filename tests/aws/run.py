#!/usr/bin/env python3
"""Runs the deployed form against the bed: real function binaries, the S3 protocol, moto's Step Functions; and breaks it.

    run.py --bed BED --functions DIR --sluice SLUICE --moto MOTO_SERVER --emr EMR_LOCAL
           [--only NAME] [--seeds 24] [--jobs 4]
    run.py … --soak --seed N --minutes M       all cases, then random faults until the time is up
    run.py … --only random --seed N --seeds 1  repeat the random case of one seed

Starts the bed, runs all scenarios, prints a table and always stops the bed. Exit code 0: all expected rows were found, no row
is duplicated or unaudited, and nothing of the bed is left. 1: something is wrong. 130 and 143: stopped by a signal.

`rows expected` and `rows found` are the rows of all tables: those of an undisturbed run of the same files on a folder, whose
bronze has as many rows as were generated, and those that an independent reader finds in the bucket. `byte ranges` are those that the
plans of runs had to read.
"""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from types import FrameType

# Do not write __pycache__ folders into the repository.
sys.dont_write_bytecode = True

import scenarios  # noqa: E402, F401  (registers them)
from bed import REPOSITORY, Bed, BedError, BedPrograms  # noqa: E402
from registry import SCENARIOS, Case, Result, Scenario  # noqa: E402
from scenarios import random_faults  # noqa: E402
from workers import Work, Workers, fixed  # noqa: E402
from world import Scope, World  # noqa: E402

# Workers notice immediately that the bed has ended; a child that is being killed takes a moment.
END_SECONDS = 30.0
HEADINGS = (
    "scenario", "cases", "runs", "faults injected", "byte ranges", "rows expected", "rows found", "duplicates", "orphans published", "",
)


def main() -> int:
    options = arguments()
    wanted = options.only or ""
    # A text that is not the name of a scenario may be part of the names of cases, which are only known when the bed runs.
    chosen = [one for one in SCENARIOS if wanted.split(":")[0] in one.name] or SCENARIOS
    signal.signal(signal.SIGTERM, terminated)
    # A shell starts background jobs with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    programs = BedPrograms.of(options)
    scope = Scope(options.soak, options.seed, options.seeds)
    began = time.monotonic()
    try:
        problems = run_all(programs, options, scope, chosen)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        return 130
    except BedError as error:
        print(f"FAILED  the bed: {error}", flush=True)
        return 1
    print(f"{time.monotonic() - began:.0f} s; the bed has ended, and none of its processes, ports and files is left")
    for problem in problems:
        # The details of each failure were printed when it happened.
        print(f"FAILED  {problem.splitlines()[0][:300]}")
    return 1 if problems else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    BedPrograms.add_arguments(parser)
    parser.add_argument("--only", help="scenarios with this in their name, or cases with this in '<scenario>: <case>'")
    parser.add_argument("--seeds", type=int, default=24, help="random fault runs; with --soak their time is the limit")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--soak", action="store_true", help="all cases, then random faults")
    parser.add_argument("--minutes", type=float, default=60.0, help="time of the soak")
    parser.add_argument("--jobs", type=int, default=4, help="number of cases that run in parallel")
    parser.add_argument("--logs", type=pathlib.Path, help="folder that gets the logs of the bed and of all functions")
    parser.add_argument("--verbose", action="store_true", help="print every case, not only those that failed")
    options = parser.parse_args()
    for program in (options.bed, options.sluice, options.moto, options.emr, options.functions, options.policies):
        if not program.exists():
            parser.error(f"{program} does not exist")
    return options


def terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends this process as Ctrl-C does: through every `finally`."""
    raise SystemExit(128 + number)


def run_all(programs: BedPrograms, options: argparse.Namespace, scope: Scope, chosen: Sequence[Scenario]) -> list[str]:
    """Runs the scenarios in a bed and returns what is wrong."""
    bed = Bed(programs, options.logs)
    workers: Workers | None = None
    try:
        with bed:
            world = World(bed, options.sluice, REPOSITORY, scope)
            workers = Workers(world, options.jobs, options.verbose)
            try:
                workers.run(feed(world, options, scope, chosen, workers.results))
            finally:
                # From here on a second Ctrl-C must not interrupt the clean-up.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                workers.stop()
                world.commands.stop()
    finally:
        left = workers.join(END_SECONDS) if workers is not None else []
    if options.only is not None:
        chosen = [one for one in chosen if one.name in workers.results]
        if not chosen:
            return [f"no case has the name {options.only}; the scenarios are {', '.join(one.name for one in SCENARIOS)}"]
    print_table(chosen, workers.results)
    report_skipped(workers.results)
    problems = left + [
        f"{name}: {problem}" for name, result in workers.results.items() for problem in result.problems
    ]
    problems += [
        f"{one.name}: the numbers are wrong, see the table"
        for one in chosen
        if not workers.results.get(one.name, Result()).is_good and not workers.results.get(one.name, Result()).problems
    ]
    if options.only is None:
        problems += [f"no scenario uses events/{name}" for name in world.events.unused()]
        # Scenarios that could not run here need rights, too.
        if not any(result.skipped is not None for result in workers.results.values()):
            problems += [f"no scenario needs a right: {right}" for right in world.rights.needless()]
    return problems


def feed(
    world: World,
    options: argparse.Namespace,
    scope: Scope,
    chosen: Sequence[Scenario],
    results: dict[str, Result],
) -> Iterator[Work]:
    """The cases to run; in a soak, random faults follow until the time is up."""
    deadline = time.monotonic() + options.minutes * 60
    yield from fixed(world, chosen, options.only or "", results)
    if not scope.is_soak:
        return
    endless = next(one for one in SCENARIOS if one.cases is random_faults.cases)
    for seed in itertools.count(scope.first_seed + scope.seeds):
        if time.monotonic() >= deadline:
            return
        yield Work(endless, Case(f"seed {seed}", partial(random_faults.disturbed, seed)))


def report_skipped(results: dict[str, Result]) -> None:
    """Reports what this machine cannot run: here, and in the file that `SLUICE_SKIPS` names."""
    lines = [f"{name}: {result.skipped}" for name, result in results.items() if result.skipped is not None]
    for line in lines:
        print(f"SKIPPED  {line}", flush=True)
    if (skips := os.environ.get("SLUICE_SKIPS")) is not None:
        with pathlib.Path(skips).open("a") as file:
            file.writelines(f"the deployed form: {line.splitlines()[0]}\n" for line in lines)


def print_table(chosen: Sequence[Scenario], results: dict[str, Result]) -> None:
    lines: list[tuple[str, ...]] = [HEADINGS]
    for one in chosen:
        result = results.get(one.name, Result())
        counts = result.tally
        numbers = (result.cases, counts.runs, counts.faults, counts.ranges, counts.rows_expected, counts.rows_found)
        counted = [f"{number:,}" for number in (*numbers, counts.duplicates, counts.orphans)]
        state = "skipped" if result.skipped is not None else "ok" if result.is_good else "FAILED"
        lines.append((one.name, *counted, state))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    print()
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
