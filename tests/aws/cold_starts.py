#!/usr/bin/env python3
"""Cold starts of the functions: from a new process to its first poll, and the first small event, in the bed.

    cold_starts.py --bed BED --functions DIR --sluice SLUICE --moto MOTO_SERVER [--starts 30]

Every start is a new process: the bed kills it once it has answered. The event is the function's own step of a run that is
already complete, which the function verifies by reading its documents: real work on S3, but only a little. Package sizes are
those of the program alone in a zip, the form that Lambda expects. Prints JSON, one object per function.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass

sys.dont_write_bytecode = True

from bed import REPOSITORY, Bed, BedPrograms  # noqa: E402
from deployment import Deployment  # noqa: E402
from faults import FUNCTIONS, call  # noqa: E402
from json_values import Json  # noqa: E402
from registry import Tally, check  # noqa: E402
from world import Scope, World  # noqa: E402


@dataclass(frozen=True)
class Spread:
    """Half of the values are below the median, 19 of 20 below the 95th percentile."""

    median: float
    p95: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        ordered = sorted(values)
        return Spread(statistics.median(ordered), ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))])


@dataclass(frozen=True)
class ColdStart:
    """The measurements of one function."""

    function: str
    starts: int
    first_poll_ms: Spread
    first_event_ms: Spread
    peak_memory_mb: float
    program_mb: float
    zipped_mb: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    BedPrograms.add_arguments(parser)
    parser.add_argument("--starts", type=int, default=30, help="starts of each function")
    options = parser.parse_args()
    with Bed(BedPrograms.of(options)) as bed:
        world = World(bed, options.sluice, REPOSITORY, Scope())
        with world.deployment(Tally(), "cold") as deployment:
            events = events_of_a_run(world, deployment)
            measured = [
                measure(deployment, function, events[function], options.functions, options.starts)
                for function in FUNCTIONS
            ]
    print(json.dumps([asdict(one) for one in measured], indent=2))
    return 0


def events_of_a_run(world: World, deployment: Deployment) -> dict[str, Json]:
    """The event of every step of a run that was published."""
    deployment.deliver(world.samples.days(1))
    ended = deployment.execute().expect("Published")
    step = {"run": {"pipeline": "retail", "run_id": ended.name, "attempt": 1}}
    state = ended.trace.input_of("NotifyPublished")
    notification = {"outcome": "published", "execution_name": ended.name, "state": state}
    planned = {"execution_name": ended.name, "request": deployment.request}
    return {"validate": planned, "process": step, "quality-check": step, "publish": step, "notify": notification}


def measure(deployment: Deployment, function: str, event: Json, programs: pathlib.Path, starts: int) -> ColdStart:
    # The instance that the run left is warm: the first call ends it and is not counted.
    with deployment.faults([call("lose_answer", function, times=starts + 1)]):
        for _ in range(starts + 1):
            deployment.invoke(function, event)
    calls = [made for made in deployment.calls() if made["function"] == function and made["fault"] == "lose_answer"]
    cold = [made for made in calls if made["cold"]]
    check(len(cold) == starts, f"{function}: {len(cold)} cold starts in {len(calls)} calls")
    program = programs / function
    return ColdStart(
        function=function,
        starts=starts,
        first_poll_ms=Spread.of([made["init_ms"] for made in cold]),
        first_event_ms=Spread.of([made["duration_ms"] for made in cold]),
        peak_memory_mb=max(made["peak_memory_mb"] for made in cold),
        program_mb=megabytes(program),
        zipped_mb=zipped_megabytes(program),
    )


def megabytes(file: pathlib.Path) -> float:
    return round(file.stat().st_size / 1e6, 1)


def zipped_megabytes(program: pathlib.Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        package = pathlib.Path(folder) / "package.zip"
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.write(program, "bootstrap")
        return megabytes(package)


if __name__ == "__main__":
    sys.exit(main())
