"""A large file that is read in byte ranges: as the parts of `parts`, but where the records of a part begin is a guess, which process
proves. Quotes with line ends make it a hard one.

What is compared is what one call has read of the same files, with the same positions.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from control import FunctionSettings
from deployment import Deployment
from faults import Fault, call, s3
from large_runs import ReportedEnd
from machines import Ended
from registry import Case, Tally, check, scenario
from samples import RANGES, ROWS_IN_RANGES, SourceFile
from scenarios.parts import (
    SECOND_PART,
    SHORT_TIMEOUT,
    documents_of_parts,
    errors_of_parts,
    part_calls,
    parts_of,
    publish_once,
    stopped_while_reading,
)
from tables import BRONZE
from world import World

# The ranges of the large file, and one part with the small file behind it.
NUMBERS = list(range(1, RANGES + 2))
DOCUMENTS = [f"part-{number}.json" for number in NUMBERS]
THIRD_PART = r"parts/retail/[^/]+/1/part-3\.json$"
# The range that begins in the middle of its file.
AGAIN = "part-3-again.json"
COMBINED = r"/changeset-1\.json$"

DEATH = "Runtime.ExitError"
# Faults of calls that read ranges or combine them, how many calls for parts fail so, and the errors of the execution.
FAULTS: dict[str, tuple[Sequence[Fault], int, Sequence[str]]] = {
    "ranges and process die": (
        (
            s3("kill_before", "process", "PutObject", SECOND_PART),
            s3("kill_after", "process", "PutObject", THIRD_PART),
            s3("kill_before", "process", "PutObject", COMBINED),
        ),
        2,
        (DEATH,),
    ),
    "a range is read twice, and the answer of another is lost": (
        (call("duplicate", "process"), call("lose_answer", "process", skip=1)),
        1,
        (),
    ),
}


@scenario("byte ranges")
def cases(world: World) -> Iterable[Case]:
    faults = [Case(name, partial(disturbed, *fault)) for name, fault in FAULTS.items()]
    return [
        Case("a range times out", timed_out, is_long=True),
        Case("stopped while ranges are read, and redriven", redriven, is_long=True),
        Case("a quote that is never closed", never_closed, is_long=True),
        Case("the rows are at the bytes where they begin", undisturbed),
        *faults,
        Case("a guess that must be wrong, and process dies as it reads again", wrong_guess),
        Case("two executions over the same objects", same_objects),
    ]


@contextmanager
def in_ranges(
    world: World, tally: Tally, functions: Mapping[str, FunctionSettings] | None = None
) -> Iterator[tuple[Deployment, list[SourceFile]]]:
    """A deployment with a large file, which is read in ranges, and a small one, and these files."""
    with world.deployment(tally, "ranges", functions) as deployment:
        files = [world.samples.day_in_ranges(0), world.samples.day(1)]
        deployment.read_in_ranges()
        deployment.deliver(files)
        yield deployment, files


def check_ranges(deployment: Deployment, ended: Ended, again: Sequence[str] = ()) -> None:
    """Checks that the only attempt had these parts, and that each was written down; the ranges named here twice."""
    check(parts_of(ended) == [NUMBERS], f"the parts are {parts_of(ended)}: {ended.trace.summary()}")
    found = documents_of_parts(deployment, ended)
    check(sorted(found) == sorted([*DOCUMENTS, *again]), f"the documents of the parts are {found}")


def undisturbed(world: World, tally: Tally) -> None:
    with in_ranges(world, tally) as (deployment, files):
        check_ranges(deployment, deployment.execute().expect("Published"))
        check(len(part_calls(deployment)) == len(NUMBERS), f"{len(part_calls(deployment))} calls for {len(NUMBERS)} parts")
        check_positions(deployment, files)
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def check_positions(deployment: Deployment, files: list[SourceFile]) -> None:
    """Checks the positions in bronze against the bytes of the large file, and the numbers of the small one."""
    large, small = files
    table = deployment.lake.open(BRONZE).to_pyarrow_table(columns=["_source_file", "_source_row", "InvoiceNo"])
    found: dict[str, list[tuple[int, str | None]]] = {large.name: [], small.name: []}
    for source, row, invoice in zip(*(column.to_pylist() for column in table.columns), strict=True):
        found[urllib.parse.unquote(source).rsplit("/", 1)[-1]].append((row, invoice))
    wanted, offsets = large.offsets(), sorted(row for row, _ in found[large.name])
    check(offsets == sorted(wanted), f"{len(offsets)} positions, {len(wanted)} records: not the bytes at which they begin")
    # A record that cannot be split has no fields.
    others = [(row, invoice) for row, invoice in found[large.name] if (invoice or wanted[row]) != wanted[row]]
    check(not others, f"rows that begin elsewhere: {others[:3]}")
    numbers = sorted(row for row, _ in found[small.name])
    check(numbers == list(range(1, small.rows + 1)), f"the numbers of the small file are {numbers[:3]} to {numbers[-3:]}")


def disturbed(faults: Sequence[Fault], failures: int, errors: Sequence[str], world: World, tally: Tally) -> None:
    with in_ranges(world, tally) as (deployment, files):
        with deployment.faults(faults):
            ended = deployment.execute().expect("Published")
        check_ranges(deployment, ended)
        check(ended.trace.error_names() == [*errors], f"errors {ended.trace.error_names()}")
        found = errors_of_parts(deployment)
        check(found == [DEATH] * failures, f"errors of parts: {found}")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def timed_out(world: World, tally: Tally) -> None:
    """The document of the range is stored, but the function never learns of it: the second call finds the document."""
    with in_ranges(world, tally, {"process": SHORT_TIMEOUT}) as (deployment, files):
        with deployment.faults([s3("hang_after", "process", "PutObject", SECOND_PART)]):
            ended = deployment.execute().expect("Published")
        check_ranges(deployment, ended)
        check("Sandbox.Timedout" in errors_of_parts(deployment), f"errors of parts: {errors_of_parts(deployment)}")
        deployment.verify(files)


def wrong_guess(world: World, tally: Tally) -> None:
    """Nothing in the range shows that its first lines are the text of a field; the end of the range before it does.

    The fault proves that process reads the range again, and what it leaves half-way is of no consequence.
    """
    with world.deployment(tally, "guess") as deployment:
        files = [world.samples.day(0, ROWS_IN_RANGES).with_trap(), world.samples.day(1)]
        deployment.read_in_ranges()
        deployment.deliver(files)
        with deployment.faults([s3("kill_before", "process", "PutObject", rf"/1/{AGAIN}$")]):
            ended = deployment.execute().expect("Published")
        check_ranges(deployment, ended, again=[AGAIN])
        check(ended.trace.error_names() == [DEATH], f"errors {ended.trace.error_names()}")
        folder = f"parts/retail/{ended.name}/1"
        guessed, proven = (deployment.bucket.json(f"{folder}/{name}")["found"] for name in ("part-3.json", AGAIN))
        before = deployment.bucket.json(f"{folder}/part-2.json")["found"]
        check(guessed["begin"] < proven["begin"] == before["end"], f"guessed {guessed}, proven {proven}, after {before}")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def never_closed(world: World, tally: Tally) -> None:
    """The object is held, although only the last of its ranges has the quote, and the next attempt goes on without it."""
    with in_ranges(world, tally) as (deployment, files):
        deployment.deliver([files[0].renamed("2026-01-31.csv").torn()])
        ended = deployment.execute().expect("Published")
        tally.faults += 1
        check(ended.trace.error_names() == ["ObjectsHeld"], f"errors {ended.trace.error_names()}")
        both = [*NUMBERS, *range(NUMBERS[-1] + 1, NUMBERS[-1] + RANGES + 1)]
        check(parts_of(ended) == [both, NUMBERS], f"the parts are {parts_of(ended)}")
        held = deployment.bucket.list("holds/retail/")
        check(len(held) == 1, f"{len(held)} objects are held")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def same_objects(world: World, tally: Tally) -> None:
    with in_ranges(world, tally) as (deployment, files):
        publish_once(deployment, files)


def redriven(world: World, tally: Tally) -> None:
    """The execution ends in the Map. The redrive reads the ranges that nobody has read, and no other."""
    with in_ranges(world, tally) as (deployment, files):
        ended = stopped_while_reading(deployment)
        end = ReportedEnd.of(ended, deployment.request)
        for function in ("terminate", "notify"):
            check(end.send_to(world, deployment, function), f"{function} does not take the end of {ended}")
        read = documents_of_parts(deployment, ended)
        check(read != DOCUMENTS, "all ranges were read although the run was stopped")
        before = len(deployment.requests())
        again = deployment.redriven(ended).expect("Published")
        check_ranges(deployment, again)
        written = [one.key for one in deployment.requests()[before:] if one.method == "PUT" and "/1/part-" in one.key]
        twice = [name for name in read if any(key.endswith(f"/{name}") for key in written)]
        check(not twice, f"read again by the redrive: {twice}")
        deployment.execute().expect("Skipped")
        deployment.verify(files)
