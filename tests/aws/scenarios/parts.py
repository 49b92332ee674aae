"""Large runs that are read in parts: each part by a call of its own, after which one call combines what they staged. Where Spark
combines it, `large_reading` and `large_branch` read runs in parts. Parts that are byte ranges of a file are in `byte_ranges`.

The parts are the items of a Distributed Map. moto 5.2.5 executes it in threads of the execution itself, so some things are not as
on AWS:

- An item is not an execution. It has no ARN and no name, `ListExecutions` knows nothing of it, its history is dropped, and EventBridge
  gets no event of it. What happened to a part is read from the calls of the function here.
- An item that fails does not fail the Map, whatever is tolerated: on AWS it would, as `States.ExceedToleratedFailureThreshold`. The
  definition has no such item; `trace_equality` compares what follows from a part that failed.
- A stop waits for the calls that are under way; then no other part begins. AWS stops the executions of parts at once; the calls that
  they have made go on there, too.
- Rights of the machine's role are not checked: `cdk/test/workflow/machine.test.ts` names those that AWS asks for.
- A Map Run cannot be redriven, as no execution can (`redrive`). On AWS a redrive of an execution that ended in the Map starts the
  parts that were stopped.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import small_pipelines
from control import FunctionSettings
from deployment import Deployment
from faults import Fault, call, s3
from json_values import JsonObject
from large_runs import ReportedEnd
from machines import Ended, Running
from registry import Case, Tally, check, scenario
from samples import ROWS_OF_A_PART, SourceFile
from world import World

PARTS = 3
# What a call that has read the second part writes last.
SECOND_PART = r"parts/retail/[^/]+/1/part-2\.json$"
# How long the first calls wait, so that something can be done before any part is read.
LATE_MILLISECONDS = 6000
# Until an execution has come to its parts, on a busy machine.
READING_SECONDS = 60.0
ASK_AGAIN_SECONDS = 0.1
# Enough for a cold start on a busy machine, and short enough to wait for.
SHORT_TIMEOUT = FunctionSettings(timeout_seconds=8)

# A function that dies once in a part.
DEATHS = {
    "as it begins": call("exit", "process"),
    "before its document": s3("kill_before", "process", "PutObject", SECOND_PART),
    "after its document": s3("kill_after", "process", "PutObject", SECOND_PART),
}

# The write modes, as the spec of a small pipeline has them, and those whose rows wait to be merged.
MODES = {
    "append": "mode: append",
    "merge": "mode: merge\n    keys: [id]\n    latest_by: day",
    "scd2": "mode: scd2\n    keys: [id]\n    latest_by: day",
    "replace": "mode: replace\n    snapshot: folder",
}
MERGED = ("merge", "scd2")
SILVER = """\
columns: { id: id, name: name, amount: amount, day: day }
    MODE
    gate: { quarantined_percent_below: none }"""


@scenario("parts")
def cases(world: World) -> Iterable[Case]:
    modes = [Case(f"the same tables as in one part: {mode}", partial(same_tables, mode)) for mode in MODES]
    deaths = [Case(f"a part dies {when}", partial(dead_once, fault)) for when, fault in DEATHS.items()]
    return [
        Case("a part that finds no free place", no_free_place, is_long=True),
        Case("a part times out", timed_out, is_long=True),
        Case("an object is replaced while parts are read", replaced, is_long=True),
        Case("stopped while parts are read", stopped, is_long=True),
        *modes,
        Case("onto tables that exist", onto_tables),
        *deaths,
        Case("a part that nobody could read is read by process", left_to_process),
        Case("a bad object in one part", bad_object),
        Case("two executions over the same objects", same_objects),
        Case("redriven after process", redriven),
        Case("requests of a part do not depend on the others", requests_of_parts),
    ]


# What parts are made of, and what became of them


@contextmanager
def in_parts(
    world: World, tally: Tally, functions: Mapping[str, FunctionSettings] | None = None
) -> Iterator[tuple[Deployment, list[SourceFile]]]:
    """A deployment with files that are a part each, and these files."""
    with world.deployment(tally, "parts", functions) as deployment:
        files = world.samples.large_days(PARTS)
        deployment.read_in_parts()
        deployment.deliver(files)
        yield deployment, files


def parts_of(ended: Ended) -> list[list[int]]:
    """The numbers of the parts, for each attempt that was read in parts."""
    return [visit.state_input["plan"]["parts"]["numbers"] for visit in ended.trace.visits if visit.state == "Read"]


def part_calls(deployment: Deployment) -> list[JsonObject]:
    """The calls of process that read a part."""
    return [one for one in deployment.calls() if one["function"] == "process" and "part" in one["payload"]]


def errors_of_parts(deployment: Deployment) -> list[str]:
    return [one["error_type"] for one in part_calls(deployment) if one["error_type"] is not None]


def documents_of_parts(deployment: Deployment, ended: Ended, attempt: int = 1) -> list[str]:
    folder = f"parts/retail/{ended.name}/{attempt}/"
    return [key.removeprefix(folder) for key in deployment.bucket.list(f"{folder}part-")]


def check_parts(deployment: Deployment, ended: Ended) -> None:
    """Checks that the only attempt had three parts, and that each was read and written down."""
    check(parts_of(ended) == [[1, 2, 3]], f"the parts are {parts_of(ended)}: {ended.trace.summary()}")
    found = documents_of_parts(deployment, ended)
    check(found == ["part-1.json", "part-2.json", "part-3.json"], f"the documents of the parts are {found}")


def wait_until_reading(running: Running) -> None:
    deadline = time.monotonic() + READING_SECONDS
    while not running.has_entered("Read"):
        check(time.monotonic() < deadline, f"execution {running.name} has not come to its parts")
        time.sleep(ASK_AGAIN_SECONDS)


# The same result


def order_files() -> list[SourceFile]:
    """Orders whose keys are in several files, with a row for the quarantine in each hundred. The middle files are small."""
    return [orders(number, rows) for number, rows in enumerate((ROWS_OF_A_PART, 200, 200, ROWS_OF_A_PART))]


def orders(number: int, rows: int) -> SourceFile:
    lines = ["id,name,amount,day"]
    for row in range(rows):
        order, day = (row * 7 + number * 1000) % 12_000, 1 + (row * 13 + number) % 28
        amount = "" if row % 100 == 99 else f"{row % 500}.{row % 100:02}"
        lines.append(f"{order},{'order line ' * 5}{order % 50},{amount},2026-01-{day:02}")
    # One folder, which is one snapshot for mode replace.
    return SourceFile(f"day/{number}.csv", ("\n".join(lines) + "\n").encode())


def same_tables(mode: str, world: World, tally: Tally) -> None:
    with world.deployment(tally, mode) as deployment:
        files, pipeline = order_files(), small_pipelines.orders(SILVER.replace("MODE", MODES[mode]))
        pipeline.deploy(deployment)
        deployment.read_in_parts()
        deployment.deliver(files)
        ended = deployment.execute().expect("Published")
        check([len(numbers) >= PARTS for numbers in parts_of(ended)] == [True], f"the parts are {parts_of(ended)}")
        typed = deployment.bucket.list(f"parts/retail/{ended.name}/1/sales.")
        check(bool(typed) == (mode in MERGED), f"rows that wait to be merged: {typed[:5]}")
        deployment.execute().expect("Skipped")
        pipeline.judge(world, deployment, [files])


def onto_tables(world: World, tally: Tally) -> None:
    """Parts know nothing of the tables: what meets rows of an earlier run, or of another part, meets them in process."""
    with world.deployment(tally, "onto") as deployment:
        small = world.samples.day(0)
        deployment.deliver([small])
        whole_run = deployment.execute().expect("Published")
        check(parts_of(whole_run) == [], f"a small run was read in parts: {whole_run.trace.summary()}")
        first, second = (world.samples.day(number, ROWS_OF_A_PART) for number in (1, 2))
        # The rows of the first part once more.
        files = [first, second, first.renamed("2026-01-30.csv")]
        deployment.read_in_parts()
        deployment.deliver(files)
        check_parts(deployment, deployment.execute().expect("Published"))
        deployment.execute().expect("Skipped")
        deployment.verify([small, *files])


# Parts that fail


def dead_once(fault: Fault, world: World, tally: Tally) -> None:
    """The part is tried again, and nobody else notices."""
    with in_parts(world, tally) as (deployment, files):
        with deployment.faults([fault]):
            ended = deployment.execute().expect("Published")
        check_parts(deployment, ended)
        check(errors_of_parts(deployment) == ["Runtime.ExitError"], f"errors of parts: {errors_of_parts(deployment)}")
        check(len(part_calls(deployment)) == PARTS + 1, f"{len(part_calls(deployment))} calls for {PARTS} parts")
        check(ended.trace.error_names() == [], f"errors {ended.trace.error_names()}")
        deployment.settle()
        deployment.verify(files)


def timed_out(world: World, tally: Tally) -> None:
    """The document of the part is stored, but the function never learns of it: the second call finds the document."""
    with in_parts(world, tally, {"process": SHORT_TIMEOUT}) as (deployment, files):
        with deployment.faults([s3("hang_after", "process", "PutObject", SECOND_PART)]):
            ended = deployment.execute().expect("Published")
        check_parts(deployment, ended)
        check(errors_of_parts(deployment) == ["Sandbox.Timedout"], f"errors of parts: {errors_of_parts(deployment)}")
        deployment.settle()
        deployment.verify(files)


def no_free_place(world: World, tally: Tally) -> None:
    """Fewer places of the function than parts at once, as by a reserved concurrency: the part waits, and is not given up."""
    with in_parts(world, tally, {"process": FunctionSettings(concurrency=1)}) as (deployment, files):
        ended = deployment.execute().expect("Published")
        check_parts(deployment, ended)
        refused = errors_of_parts(deployment)
        tally.faults += len(refused)
        check(set(refused) == {"TooManyRequestsException"}, f"errors of parts: {refused}")
        read = {one["payload"]["part"] for one in part_calls(deployment) if one["error_type"] is None}
        check(read == {1, 2, 3}, f"of the parts only {read} were read before process")
        deployment.verify(files)


def left_to_process(world: World, tally: Tally) -> None:
    """A part that fails for good ends neither the Map nor the run: process reads it."""
    with in_parts(world, tally) as (deployment, files):
        with deployment.faults([s3("kill_before", "process", "PutObject", SECOND_PART, times=2)]):
            ended = deployment.execute().expect("Published")
        check_parts(deployment, ended)
        check(errors_of_parts(deployment) == ["Runtime.ExitError"] * 2, f"errors of parts: {errors_of_parts(deployment)}")
        check(ended.trace.error_names() == [], f"errors {ended.trace.error_names()}")
        deployment.settle()
        deployment.verify(files)


def bad_object(world: World, tally: Tally) -> None:
    """The part with the object fails, process fails as it did, and the next attempt goes on without the object."""
    with world.deployment(tally, "bad") as deployment:
        first, second, third = world.samples.large_days(PARTS)
        deployment.read_in_parts()
        deployment.deliver([first, second.torn(), third])
        ended = deployment.execute().expect("Published")
        tally.faults += 1
        check(ended.trace.error_names() == ["ObjectsHeld"], f"errors {ended.trace.error_names()}")
        check(parts_of(ended) == [[1, 2, 3], [1, 2]], f"the parts are {parts_of(ended)}")
        check(errors_of_parts(deployment) == ["ObjectsHeld"], f"errors of parts: {errors_of_parts(deployment)}")
        held = deployment.bucket.list("holds/retail/")
        check(len(held) == 1, f"{len(held)} objects are held")
        deployment.execute().expect("Skipped")
        deployment.verify([first, third])


def replaced(world: World, tally: Tally) -> None:
    """The object of the last part is another one by the time it is read: the run plans again."""
    with in_parts(world, tally) as (deployment, files):
        newer = files[-1].followed_by(world.samples.day(PARTS))
        with deployment.faults([call("delay", "process", times=2, milliseconds=LATE_MILLISECONDS)]):
            running = deployment.start()
            wait_until_reading(running)
            deployment.deliver([newer])
            ended = running.wait().expect("Published")
        check(ended.trace.error_names() == ["SourceChanged"], f"errors {ended.trace.error_names()}")
        check(parts_of(ended) == [[1, 2, 3]] * 2, f"the parts are {parts_of(ended)}")
        deployment.execute().expect("Skipped")
        deployment.verify([*files[:-1], newer])


# Runs that meet each other or do not end


def publish_once(deployment: Deployment, files: list[SourceFile]) -> None:
    """Two executions over the same objects at once."""
    ended = [one.wait().expect("Published", "Skipped") for one in [deployment.start(), deployment.start()]]
    check(any(one.last_state == "Published" for one in ended), f"nobody published: {ended}")
    deployment.execute().expect("Skipped")
    deployment.verify(files)


def stopped_while_reading(deployment: Deployment) -> Ended:
    """An execution that is stopped in the Map."""
    with deployment.faults([call("delay", "process", times=2, milliseconds=LATE_MILLISECONDS)]):
        running = deployment.start()
        wait_until_reading(running)
        running.stop()
        ended = running.wait()
    check((ended.status, ended.last_state) == ("ABORTED", "Read"), f"{ended}")
    return ended


def same_objects(world: World, tally: Tally) -> None:
    with in_parts(world, tally) as (deployment, files):
        publish_once(deployment, files)


def redriven(world: World, tally: Tally) -> None:
    """Process dies before it can write what it combined. The redrive goes on there, and reads no part again."""
    with in_parts(world, tally) as (deployment, files):
        with deployment.faults([s3("kill_before", "process", "PutObject", r"/changeset-1\.json$", times=2)]):
            ended = deployment.execute().expect("Process")
        check_parts(deployment, ended)
        before = len(deployment.requests())
        deployment.redriven(ended).expect("Published")
        again = [
            one.key for one in deployment.requests()[before:]
            if (one.role, one.method) == ("process", "GET") and one.key.startswith("landing/")
        ]
        check(not again, f"read again by the redrive: {again}")
        check(len(part_calls(deployment)) == PARTS, f"{len(part_calls(deployment))} calls for {PARTS} parts")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def stopped(world: World, tally: Tally) -> None:
    """The parts that have not begun do not begin, and the next run reads everything."""
    with in_parts(world, tally) as (deployment, files):
        ended = stopped_while_reading(deployment)
        begun = {one["payload"]["part"] for one in part_calls(deployment)}
        check(len(begun) < PARTS, f"parts {begun} were read although the run was stopped")
        end = ReportedEnd.of(ended, deployment.request)
        for function in ("terminate", "notify"):
            check(end.send_to(world, deployment, function), f"{function} does not take the end of {ended}")
        check(deployment.lake.tables() == [], f"a run that was stopped made {deployment.lake.tables()}")
        deployment.settle()
        deployment.verify(files)


# What a part costs


def requests_of_parts(world: World, tally: Tally) -> None:
    few, many = (requests_of_second_part(world, tally, parts) for parts in (PARTS, 2 * PARTS))
    check(few == many, f"requests of a part: {few} of {PARTS} parts, {many} of {2 * PARTS}")


def requests_of_second_part(world: World, tally: Tally, parts: int) -> Counter[tuple[str, str]]:
    """The requests of the call that reads the second part, by action and the first folder of the key."""
    with world.deployment(tally, "requests") as deployment:
        files = world.samples.large_days(parts)
        deployment.read_in_parts()
        deployment.deliver(files)
        planned = deployment.invoked("validate", {"execution_name": deployment.new_name(), "request": deployment.request})
        check(planned["plan"]["parts"]["numbers"] == list(range(1, parts + 1)), f"the plan is {planned}")
        for part in (1, 2):
            before = len(deployment.requests())
            deployment.invoked("process", {"run": planned["run"], "part": part})
        tally.runs += 1
        requests = deployment.requests()[before:]
        check(any(one.key.startswith("landing/") for one in requests), f"the part read no object: {requests}")
        return Counter((one.action, one.key.split("/")[0]) for one in requests)
