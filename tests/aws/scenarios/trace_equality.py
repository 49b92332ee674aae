"""The same execution under moto's interpreter and under the command's: equal state by state, tables equal row by row.

Each case has two deployments with the same files and the same faults. An execution input that is not a request is covered
by `direct_calls`: the command refuses it before it starts an execution, so there is nothing to compare. So is an execution that
is stopped: the command ends with its process, and moto when the calls under way have ended (`parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import traces
from control import FunctionSettings
from deployment import Deployment
from faults import Fault, call, s3
from registry import Case, Tally, check, scenario
from samples import SourceFile
from world import World

# Enough for a cold start on a busy machine, and short enough to wait for it twice.
SHORT_TIMEOUT = FunctionSettings(timeout_seconds=8)
# Requests for one document until its client gives up: the first and 6 retries.
BEYOND_THE_CLIENT = 7
# More than validate reads of a file (64 KiB).
ROWS_BEHIND_THE_SAMPLE = 3_000
# MaxAttempts of the transient errors, and the first attempt.
ALL_ATTEMPTS = 6
# What a call that has read the second part writes last.
SECOND_PART = r"parts/retail/[^/]+/1/part-2\.json$"


@dataclass(frozen=True)
class Comparison:
    """The input of both interpreters, and the state in which both must end."""

    name: str
    last_state: str
    files: Callable[[World], Sequence[SourceFile]]
    faults: Sequence[Fault] = ()
    # Names of the errors of all attempts, in order.
    errors: Sequence[str] = ()
    functions: Mapping[str, FunctionSettings] = field(default_factory=dict)
    # Whether an undisturbed run comes first.
    is_run_before: bool = False
    is_published: bool = True
    # Names of files that are held while the others are published.
    held: Sequence[str] = ()
    # Whether each file is a part of its own, read by a call of its own.
    is_in_parts: bool = False
    is_long: bool = False


def two_days(world: World) -> Sequence[SourceFile]:
    return world.samples.days(2)


def one_day(world: World) -> Sequence[SourceFile]:
    return world.samples.days(1)


def three_parts(world: World) -> Sequence[SourceFile]:
    return world.samples.large_days(3)


def one_torn_part(world: World) -> Sequence[SourceFile]:
    first, second, third = three_parts(world)
    return [first, second.torn(), third]


COMPARISONS = (
    Comparison("published", "Published", two_days),
    Comparison("skipped", "Skipped", one_day, is_run_before=True),
    Comparison("rejected", "Rejected", lambda world: [world.samples.poisoned(0)], is_published=False),
    Comparison(
        "every file at fault",
        "Rejected",
        lambda world: [world.samples.day(0).without_column("Quantity")],
        is_published=False,
    ),
    # Behind the beginning that validate reads: process meets the fault, and holds the file.
    Comparison(
        "one file torn at its end",
        "Published",
        lambda world: [world.samples.day(0), world.samples.day(1, rows=ROWS_BEHIND_THE_SAMPLE).torn()],
        errors=["ObjectsHeld"],
        held=["2026-01-06.csv"],
    ),
    Comparison(
        "one file over the limit",
        "Published",
        lambda world: [world.samples.day(0), world.samples.poisoned(1), world.samples.day(2)],
        errors=["ObjectsHeld"],
        held=["2026-01-06.csv"],
    ),
    Comparison(
        "throttled, then success",
        "Published",
        one_day,
        # The second attempt waits 10 s for a place.
        [call("throttle", "process")],
        ["Lambda.TooManyRequestsException"],
    ),
    Comparison(
        "service exception, then success",
        "Published",
        one_day,
        [call("service_exception", "publish")],
        ["Lambda.ServiceException"],
    ),
    Comparison(
        "S3 unavailable, then success",
        "Published",
        one_day,
        # The first call of quality-check only gets 503 until its client gives up; for the second call S3 works.
        [s3("slow_down", "quality-check", "PutObject", key=r"/verdict-1\.json$", times=BEYOND_THE_CLIENT)],
        ["Throttled"],
    ),
    Comparison(
        "retries exhausted",
        "Validate",
        one_day,
        [call("service_exception", "validate", times=ALL_ATTEMPTS)],
        ["Lambda.ServiceException"] * ALL_ATTEMPTS,
        is_published=False,
        is_long=True,
    ),
    Comparison(
        "timeout, then success",
        "Published",
        one_day,
        [s3("hang", "quality-check", "GetObject", key=r"/changeset-1\.json$")],
        ["Sandbox.Timedout"],
        {"quality-check": SHORT_TIMEOUT},
    ),
    Comparison(
        "timeout twice",
        "Process",
        one_day,
        [s3("hang", "process", "GetObject", key=r"/plan-1\.json$", times=2)],
        ["Sandbox.Timedout"] * 2,
        {"process": SHORT_TIMEOUT},
        is_published=False,
    ),
    Comparison("dead process, then success", "Published", one_day, [call("exit", "publish")], ["Runtime.ExitError"]),
    Comparison(
        "dead process twice",
        "Process",
        one_day,
        [call("exit", "process", times=2)],
        ["Runtime.ExitError"] * 2,
        is_published=False,
    ),
    # What happens to a part shows in no trace; what follows from it does.
    Comparison("in parts", "Published", three_parts, is_in_parts=True),
    Comparison("a part throttled", "Published", three_parts, [call("throttle", "process")], is_in_parts=True),
    Comparison("a part dead, then read", "Published", three_parts, [call("exit", "process")], is_in_parts=True),
    Comparison(
        "a part dead twice",
        "Published",
        three_parts,
        # It is left to Process, which reads it.
        [s3("kill_before", "process", "PutObject", key=SECOND_PART, times=2)],
        is_in_parts=True,
    ),
    Comparison(
        "a part dead in process, too",
        "Process",
        three_parts,
        [s3("kill_before", "process", "PutObject", key=SECOND_PART, times=4)],
        ["Runtime.ExitError"] * 2,
        is_published=False,
        is_in_parts=True,
    ),
    Comparison(
        "a part with a torn file",
        "Published",
        one_torn_part,
        errors=["ObjectsHeld"],
        held=["2026-01-06.csv"],
        is_in_parts=True,
    ),
    Comparison(
        "failed notification",
        "NotifyPublished",
        one_day,
        [call("exit", "notify", times=2)],
        ["Runtime.ExitError"] * 2,
    ),
)

# `TimeoutSeconds` of the state itself: the event reaches the function after notify's states have waited 90 s. It takes twice
# that under each interpreter, so it only runs in the soak.
STATE_TIMEOUT = Comparison(
    "state timeout",
    "NotifyPublished",
    one_day,
    [call("delay", "notify", times=2, milliseconds=95_000)],
    ["States.Timeout"] * 2,
    is_long=True,
)


@scenario("trace equality")
def cases(world: World) -> Iterable[Case]:
    chosen = (*COMPARISONS, STATE_TIMEOUT) if world.scope.is_soak else COMPARISONS
    return [Case(one.name, partial(compare, one), one.is_long) for one in chosen]


def compare(comparison: Comparison, world: World, tally: Tally) -> None:
    files = comparison.files(world)
    due = [file for file in files if file.name not in comparison.held] if comparison.is_published else []
    functions = comparison.functions
    with (
        world.deployment(tally, "moto", functions) as deployed,
        world.deployment(tally, "local", functions) as local,
    ):
        for deployment in (deployed, local):
            deployment.deliver(files)
            if comparison.is_in_parts:
                deployment.read_in_parts()
            if comparison.is_run_before:
                deployment.execute().expect("Published")
        name = deployed.new_name()
        theirs = run_deployed(deployed, comparison, name)
        ours = run_locally(local, comparison, deployed, name)
        apart = traces.differences(theirs, ours)
        check(not apart, f"moto and the command differ: {'; '.join(apart)}")
        for deployment in (deployed, local):
            deployment.verify(due)


def run_deployed(deployment: Deployment, comparison: Comparison, name: str) -> traces.Trace:
    with deployment.faults(comparison.faults):
        ended = deployment.execute(name=name).expect(comparison.last_state)
    found = ended.trace.error_names()
    check(found == list(comparison.errors), f"expected the errors {list(comparison.errors)}, found {found}: {ended}")
    ended.trace.bucket = deployment.name
    return ended.trace


def run_locally(local: Deployment, comparison: Comparison, deployed: Deployment, name: str) -> traces.Trace:
    # The same input: a request does not name a bucket.
    with local.faults(comparison.faults):
        trace, finished = local.execute_locally(deployed.request, name)
    trace.bucket = local.name
    last = trace.visits[-1].state if trace.visits else "nothing"
    check(last == comparison.last_state, f"the command's interpreter ended in {last}: {trace.summary()}\n{finished}")
    return trace
