#!/usr/bin/env python3
"""Requests to S3 and wall time of every function, in runs of more and more parts, with a slower S3.

    latency.py --bed BED --functions DIR --sluice SLUICE --moto MOTO_SERVER --emr EMR_LOCAL
               [--latency-ms 25] [--parts 1,3,10,30,100] [--at-once 4]

The measured runs add to tables that an earlier run made of one file. Each gets as many small files as it has parts: a
file has some kB, but opening it counts as 1 MB, which is the size of a part here. A single file is read by one call, not
in parts.

The bed records each request with the process that sent it, and a process has one call at a time. So each request belongs
to one call, also where parts are read at the same time. The wall time of a call does not include the start of its
process. The wall time of a run goes from the begin of its first call to the end of its last; starts and Step Functions
are included.
Prints JSON, one object per run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

sys.dont_write_bytecode = True

from bed import REPOSITORY, Bed, BedPrograms  # noqa: E402
from control import S3Request  # noqa: E402
from deployment import SPEC  # noqa: E402
from faults import FUNCTIONS  # noqa: E402
from json_values import JsonObject  # noqa: E402
from registry import Tally, check  # noqa: E402
from scenarios.parts import orders, parts_of, pipeline_files  # noqa: E402
from world import Scope, World  # noqa: E402

MODES = ("append", "merge")
ROWS_OF_A_FILE = 300
PART = "process, a part"
# The steps in the order of a run.
STEPS = ("validate", PART, *FUNCTIONS[1:])
# How requests are named that have another method than their kind.
KINDS = {"ListBucket": "LIST", "PutObject": "PUT", "AbortMultipartUpload": "DELETE", "DeleteObject": "DELETE"}


@dataclass(frozen=True)
class Requests:
    """How many requests of each kind were sent; those of an upload in pieces count as PUT."""

    total: int
    get: int
    head: int
    list: int
    put: int
    delete: int

    @staticmethod
    def of(requests: Sequence[S3Request]) -> Requests:
        kinds = [KINDS.get(one.action, one.method) for one in requests]
        get, head, listed, put, delete = (kinds.count(kind) for kind in ("GET", "HEAD", "LIST", "PUT", "DELETE"))
        check(get + head + listed + put + delete == len(kinds), f"requests of unknown kinds: {set(kinds)}")
        return Requests(len(kinds), get, head, listed, put, delete)


@dataclass(frozen=True)
class Call:
    """One call of a function."""

    step: str
    requests: Requests
    wall_ms: int


@dataclass(frozen=True)
class Step:
    """The calls of one step of a run."""

    step: str
    calls: int
    fewest_requests: int
    # Of the call that sent the most.
    requests: Requests
    median_ms: float
    longest_ms: int

    @staticmethod
    def of(step: str, calls: Sequence[Call]) -> Step:
        sent = [one.requests for one in calls]
        times = [one.wall_ms for one in calls]
        most = max(sent, key=lambda one: one.total)
        return Step(step, len(calls), min(one.total for one in sent), most, statistics.median(times), max(times))


@dataclass(frozen=True)
class MeasuredRun:
    """The measurements of one run."""

    mode: str
    parts: int
    at_once: int
    latency_ms: int
    wall_ms: int
    requests: Requests
    steps: list[Step]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    BedPrograms.add_arguments(parser)
    parser.add_argument("--latency-ms", type=int, default=25, help="how much later S3 answers each request")
    parser.add_argument("--parts", type=numbers, default="1,3,10,30,100", help="how many parts the runs have")
    parser.add_argument("--at-once", type=int, default=4, help="how many parts are read at the same time")
    options = parser.parse_args()
    with Bed(BedPrograms.of(options)) as bed:
        world = World(bed, options.sluice, REPOSITORY, Scope())
        measured = [
            measure(world, mode, parts, options.at_once, options.latency_ms)
            for mode in MODES
            for parts in options.parts
        ]
    print(json.dumps([asdict(one) for one in measured], indent=2))
    return 0


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def measure(world: World, mode: str, parts: int, at_once: int, latency_ms: int) -> MeasuredRun:
    with world.deployment(Tally(), f"latency-{mode}") as deployment:
        for name, text in pipeline_files(mode).items():
            deployment.bucket.put(f"pipelines/retail/{name}", text.encode())
        in_parts = f"\nparts: {{ size_mb: 1, at_once: {at_once} }}\n"
        deployment.bucket.put(SPEC, deployment.bucket.get(SPEC) + in_parts.encode())
        deployment.deliver([orders(0, ROWS_OF_A_FILE)])
        deployment.execute().expect("Published")
        deployment.deliver([orders(number, ROWS_OF_A_FILE) for number in range(1, parts + 1)])
        calls_before, requests_before = len(deployment.calls()), len(deployment.requests())
        if latency_ms > 0:
            world.control.set_s3_latency(deployment.name, latency_ms)
        ended = deployment.execute().expect("Published")
        expected = [list(range(1, parts + 1))] if parts > 1 else []
        check(parts_of(ended) == expected, f"the parts are {parts_of(ended)}, not {expected}")
        calls, requests = deployment.calls()[calls_before:], deployment.requests()[requests_before:]
    failed = [one["error_type"] for one in calls if one["error_type"] is not None]
    check(not failed, f"calls failed: {failed}")
    of_functions = [one for one in requests if one.role in FUNCTIONS]
    measured = list(with_requests(calls, of_functions))
    steps = [Step.of(step, chosen) for step in STEPS if (chosen := [one for one in measured if one.step == step])]
    called = [one["function"] for one in calls]
    check(sum(one.calls for one in steps) == len(called), f"functions that are not part of a run were called: {called}")
    return MeasuredRun(mode, parts, at_once, latency_ms, wall_ms(calls), Requests.of(of_functions), steps)


def with_requests(calls: Sequence[JsonObject], requests: Sequence[S3Request]) -> Iterable[Call]:
    """Each call with its requests: those that its process sent from its begin to the begin of the next call."""
    sent: dict[str, list[S3Request]] = {call["request_id"]: [] for call in calls}
    for request in requests:
        of_process = [
            call for call in calls if call["instance"] == request.instance and call["started_at_ms"] <= request.at_ms
        ]
        check(bool(of_process), f"a request belongs to no call: {request}")
        sent[of_process[-1]["request_id"]].append(request)
    for call in calls:
        step = PART if "part" in call["payload"] else call["function"]
        yield Call(step, Requests.of(sent[call["request_id"]]), call["duration_ms"])


def wall_ms(calls: Sequence[JsonObject]) -> int:
    ends = (one["started_at_ms"] + (one["init_ms"] or 0) + one["duration_ms"] for one in calls)
    wall: int = max(ends) - min(one["started_at_ms"] for one in calls)
    return wall


if __name__ == "__main__":
    sys.exit(main())
