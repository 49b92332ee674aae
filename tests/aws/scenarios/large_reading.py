"""What process reads for Spark: faults before a cluster exists, and what the script of the run is made of.

The steps of this bed write nothing, so a run comes as far as the audit, which finds no output of Spark. With real Spark the tables are
compared in `large_branch`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from deployment import Deployment
from emr import EmrSteps
from faults import Fault, call, s3
from json_values import JsonObject
from large_runs import large_request
from machines import Ended, Running
from registry import Case, Tally, check, scenario
from samples import SourceFile
from world import World

READ = r"/read-1\.json$"
# Limit of both loops here: more than a cluster and a step of one second need.
MOST_POLLS = 12
# Ending clusters takes a moment.
GONE_SECONDS = 5.0
# How long process waits, so that an object can be replaced before it is read.
LATE_MILLISECONDS = 6000
# Until an execution has come to process, on a busy machine.
BEGUN_SECONDS = 60.0
ASK_AGAIN_SECONDS = 0.1
# More than validate reads of a file (64 KiB).
ROWS_BEHIND_THE_SAMPLE = 3_000
# A run of which Spark leaves nothing fails in the audit, and with the same error in the state that a redrive enters.
NO_OUTPUT = ("EtlFailed", "EtlFailed")

# A function that dies once around the document of what it read, and how often it reads each object then.
DEATHS = {
    "before it has written down what it read": (s3("kill_before", "process", "PutObject", READ), 2),
    "after it has written down what it read": (s3("kill_after", "process", "PutObject", READ), 1),
}


@scenario("reading for Spark")
def cases(world: World) -> Iterable[Case]:
    deaths = [Case(f"process dies {when}", partial(dead_once, *death)) for when, death in DEATHS.items()]
    return [
        Case("an object is replaced before it is read", replaced, is_long=True),
        Case("in parts", in_parts, is_long=True),
        *deaths,
        Case("process dies twice", dead_twice),
        Case("process is called twice", called_twice),
        Case("a bad object", bad_object),
    ]


@contextmanager
def for_spark(world: World, tally: Tally) -> Iterator[Deployment]:
    with world.deployment(tally, "reading", emr=EmrSteps(), longest_wait_seconds=1) as deployment:
        yield deployment


def start(world: World, deployment: Deployment) -> Running:
    machine = world.machines.create(f"{deployment.name}-short", deployment.created.function_arns, most_polls=MOST_POLLS)
    deployment.tally.runs += 1
    return world.machines.start(machine, deployment.new_name(), large_request(deployment))


def judge(deployment: Deployment, ended: Ended, errors: Iterable[str] = (), attempt: int = 1) -> None:
    """Checks that a run had these errors until it had been read, in this attempt, and that Spark was asked for this attempt alone."""
    ended.expect("ReplanAfterFailure")
    check(ended.trace.error_names() == [*errors, *NO_OUTPUT], f"errors {ended.trace.error_names()}: {ended}")
    check("metrics" in (ended.cause or ""), f"the run failed for another reason: {ended}")
    names = [cluster["Name"] for cluster in deployment.emr.clusters()]
    check(names == [f"sluice/retail/{ended.name}/{attempt}"], f"clusters {names}")
    alive = deployment.emr.wait_until_gone(GONE_SECONDS)
    check(not alive, f"clusters that still exist: {alive}")
    found = [key.rpartition("/")[2] for key in deployment.bucket.list(f"runs/retail/{ended.name}/read-")]
    check(found == [f"read-{attempt}.json"], f"what was read is in {found}")
    deployment.verify([])


def reads_of_objects(deployment: Deployment) -> list[int]:
    """How often process has read each object."""
    read = Counter(
        one.key for one in deployment.requests()
        if (one.role, one.method) == ("process", "GET") and one.key.startswith("landing/")
    )
    return list(read.values())


def dead_once(fault: Fault, times: int, world: World, tally: Tally) -> None:
    """The call after it reads again, or finds what was read."""
    with for_spark(world, tally) as deployment:
        deployment.deliver(world.samples.days(2))
        with deployment.faults([fault]):
            ended = start(world, deployment).wait()
        judge(deployment, ended, ["Runtime.ExitError"])
        check(reads_of_objects(deployment) == [times] * 2, f"the objects were read {reads_of_objects(deployment)} times")


def dead_twice(world: World, tally: Tally) -> None:
    """The execution ends in process, before a cluster costs anything. A redrive goes on there, with the same attempt."""
    with for_spark(world, tally) as deployment:
        deployment.deliver(world.samples.days(1))
        with deployment.faults([s3("kill_before", "process", "PutObject", READ, times=2)]):
            ended = start(world, deployment).wait().expect("Process")
        made = deployment.emr.clusters()
        check(not made, f"{len(made)} clusters for a run that was not read")
        judge(deployment, deployment.redriven(ended, MOST_POLLS))


def called_twice(world: World, tally: Tally) -> None:
    with for_spark(world, tally) as deployment:
        deployment.deliver(world.samples.days(1))
        with deployment.faults([call("duplicate", "process")]):
            ended = start(world, deployment).wait()
        judge(deployment, ended)


def replaced(world: World, tally: Tally) -> None:
    """The object is another one by the time process reads it: the run plans again, and Spark gets the second plan alone."""
    with for_spark(world, tally) as deployment:
        files = world.samples.days(2)
        deployment.deliver(files)
        with deployment.faults([call("delay", "process", milliseconds=LATE_MILLISECONDS)]):
            running = start(world, deployment)
            deadline = time.monotonic() + BEGUN_SECONDS
            while not running.has_entered("Process"):
                check(time.monotonic() < deadline, f"execution {running.name} has not come to process")
                time.sleep(ASK_AGAIN_SECONDS)
            deployment.deliver([files[-1].followed_by(world.samples.day(2))])
            ended = running.wait()
        judge(deployment, ended, ["SourceChanged"], attempt=2)


def bad_object(world: World, tally: Tally) -> None:
    """It is held before a cluster starts, and the next attempt goes on without it."""
    with for_spark(world, tally) as deployment:
        torn = world.samples.day(1, rows=ROWS_BEHIND_THE_SAMPLE).torn()
        deployment.deliver([world.samples.day(0), torn])
        tally.faults += 1
        ended = start(world, deployment).wait()
        judge(deployment, ended, ["ObjectsHeld"], attempt=2)
        held = deployment.bucket.list("holds/retail/")
        check(len(held) == 1, f"{len(held)} objects are held")


def in_parts(world: World, tally: Tally) -> None:
    """Each object is read once, whoever reads it, and the script reads what waits below `parts/`."""
    with for_spark(world, tally) as deployment:
        files: list[SourceFile] = world.samples.large_days(3)
        deployment.read_in_parts()
        deployment.deliver(files)
        ended = start(world, deployment).wait()
        judge(deployment, ended)
        numbers = ended.trace.input_of("Read")["plan"]["parts"]["numbers"]
        check(numbers == [1, 2, 3], f"the parts are {numbers}: {ended.trace.summary()}")
        check(reads_of_objects(deployment) == [1] * len(files), f"the objects were read {reads_of_objects(deployment)} times")
        folder = f"runs/retail/{ended.name}"
        read: JsonObject = deployment.bucket.json(f"{folder}/read-1.json")
        rows, delivered = sum(file["rows"] for file in read["bronze"]["adds"]), sum(file.rows for file in files)
        check(rows == delivered, f"bronze gets {rows} of {delivered} rows")
        script = deployment.bucket.get(f"{folder}/etl-1.sql").decode()
        check(f"/parts/retail/{ended.name}/1/sales.transactions/" in script, "the script reads no typed rows")
        others = [name for name in ("landing", "bronze", "quarantine") if f"/{name}/" in script]
        check(not others, f"the script reads {others}")
