"""The large branch with real Spark: the whole state machine, the real functions, an EMR whose steps run spark-sql.

The lake is a folder: the local Spark has no client for S3 and does not need one for this comparison. What Spark and the functions
wrote together must equal what the command wrote in one process.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import tables
import traces
from deployment import SMALL_PARTS, Deployment
from emr import EmrSteps, why_no_spark
from json_values import JsonObject
from large_runs import large_request
from registry import Case, Tally, Unavailable, check, scenario
from samples import ROWS_OF_A_PART, SourceFile
from tables import FolderLake
from world import World

SPARK = EmrSteps("spark-sql")


@scenario("large branch")
def cases(world: World) -> Iterable[Case]:
    why = why_no_spark(world.bed.programs.emr)
    if why is not None:
        raise Unavailable(why)
    return [
        Case("Spark, then Polars, then Spark", in_turn, is_long=True),
        Case("rejected by the gate", rejected, is_long=True),
        Case("read in parts", read_in_parts, is_long=True),
        Case("the same states as under the command", same_states, is_long=True),
    ]


class Folder:
    """A deployment whose lake is a folder on this machine."""

    def __init__(self, world: World, deployment: Deployment, folder: pathlib.Path) -> None:
        self._world = world
        self._folder = folder
        self.deployment = deployment
        self.landing = folder / "landing" / "retail"
        self.lake = FolderLake(folder, self.landing)
        for path in sorted(world.pipeline.rglob("*.yaml")):
            copy = folder / "pipelines" / "retail" / path.relative_to(world.pipeline)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())

    def read_in_parts(self) -> None:
        """Has later runs of the pipeline read in small parts."""
        spec = self._folder / "pipelines" / "retail" / "pipeline.yaml"
        spec.write_text(f"{spec.read_text()}\n{SMALL_PARTS}\n")

    @property
    def address(self) -> str:
        return self._folder.resolve().as_uri()

    def deliver(self, files: Sequence[SourceFile]) -> None:
        self.landing.mkdir(parents=True, exist_ok=True)
        for file in files:
            (self.landing / file.name).write_bytes(file.body)

    def verify(self, files: Sequence[SourceFile]) -> None:
        """Checks that the tables hold exactly these files, once."""
        tally = self.deployment.tally
        expected, found = self._world.oracle.expected(files), tables.content(self.lake)
        tally.rows_expected += tables.row_count(expected)
        tally.rows_found += tables.row_count(found)
        twice = tables.duplicates(self.lake)
        tally.duplicates += twice
        apart = tables.differences(expected, found)
        check(not apart, "the tables are wrong: " + "; ".join(apart))
        check(twice == 0, f"{twice} rows are duplicated")
        alive = self.deployment.emr.alive()
        check(not any("WAITING" in one or "RUNNING" in one for one in alive), f"clusters that still exist: {alive}")


@contextmanager
def on_a_folder(world: World, tally: Tally, label: str) -> Iterator[Folder]:
    folder = world.folder / f"{label}-{world.number()}"
    variables = {"SLUICE_LAKE": f"{folder.resolve().as_uri()}/"}
    with world.deployment(tally, label, environment=variables, emr=SPARK, longest_wait_seconds=1) as deployment:
        yield Folder(world, deployment, folder)


def engine_of(folder: Folder, engine: str) -> JsonObject:
    return {**folder.deployment.request, "engine": engine}


def in_turn(world: World, tally: Tally) -> None:
    """Each engine continues where the other one stopped, and the tables are the same as with one engine."""
    with on_a_folder(world, tally, "large") as folder:
        days = world.samples.days(3)
        for day, engine in zip(days, ("emr", "lambda", "emr"), strict=True):
            folder.deliver([day])
            ended = folder.deployment.execute(engine_of(folder, engine)).expect("Published")
            states = {visit.state for visit in ended.trace.visits}
            check(("RunEtl" in states) == (engine == "emr"), f"not on {engine}: {ended.trace.summary()}")
        folder.verify(days)
        folder.deployment.execute(engine_of(folder, "emr")).expect("Skipped")
        made = folder.deployment.emr.clusters()
        check(len(made) == 2, f"{len(made)} clusters for two runs on Spark")


def rejected(world: World, tally: Tally) -> None:
    with on_a_folder(world, tally, "gate") as folder:
        folder.deliver([world.samples.poisoned(0)])
        folder.deployment.execute(large_request(folder.deployment)).expect("Rejected")
        folder.verify([])


def read_in_parts(world: World, tally: Tally) -> None:
    """Rows of several parts, and those of the table, meet in Spark."""
    with on_a_folder(world, tally, "parts") as folder:
        small, (first, second) = world.samples.day(0), (world.samples.day(number, ROWS_OF_A_PART) for number in (1, 2))
        folder.deliver([small])
        folder.deployment.execute(large_request(folder.deployment)).expect("Published")
        folder.read_in_parts()
        # The rows of the first part once more.
        files = [first, second, first.renamed("2026-01-30.csv")]
        folder.deliver(files)
        ended = folder.deployment.execute(large_request(folder.deployment)).expect("Published")
        states = [visit.state for visit in ended.trace.visits]
        check("Read" in states and "RunEtl" in states, f"not in parts, or not on Spark: {ended.trace.summary()}")
        check(ended.trace.input_of("Read")["plan"]["parts"]["numbers"] == [1, 2, 3], f"{ended.trace.input_of('Read')}")
        folder.verify([small, *files])


def same_states(world: World, tally: Tally) -> None:
    """moto's interpreter and the command's pass the same states; how often they poll depends on timing."""
    with on_a_folder(world, tally, "theirs") as theirs, on_a_folder(world, tally, "ours") as ours:
        for folder in (theirs, ours):
            folder.deliver(world.samples.days(1))
        name, request = theirs.deployment.new_name(), large_request(theirs.deployment)
        ended = theirs.deployment.execute(request, name).expect("Published")
        trace, finished = ours.deployment.execute_locally(request, name, ours.address)
        check(finished.code == 0, f"the command's run failed: {finished}")
        left, right = traces.without_polls(ended.trace), traces.without_polls(trace)
        left.bucket, right.bucket = theirs.address, ours.address
        apart = traces.differences(left, right)
        check(not apart, f"moto and the command differ: {'; '.join(apart)}")
        for folder in (theirs, ours):
            folder.verify(world.samples.days(1))
