"""Tests of the judges: each must find the fault that is planted for it; otherwise its success in the other scenarios proves nothing."""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable

import leftovers
import tables
import traces
from audit import OF_A_SOURCE, repeated_sources
from bed import MARKER_VARIABLE
from deployment import Deployment
from json_values import JsonObject
from registry import Case, CheckFailed, Tally, check, scenario
from tables import BRONZE
from world import World

SILVER = "silver/sales/transactions"


@scenario("judges")
def cases(world: World) -> Iterable[Case]:
    return [
        Case("rows that nobody audited", planted_rows),
        Case("rows that are lost", lost_rows),
        Case("traces that differ", differing_traces),
        Case("a process and a port left behind", left_behind),
    ]


def commit(deployment: Deployment, table: str, action: JsonObject) -> None:
    """Writes a version into a table's log, which only publish may do."""
    version = deployment.lake.open(table).version() + 1
    info = {"commitInfo": {"timestamp": int(time.time() * 1000), "operation": "WRITE"}}
    text = "\n".join(json.dumps(line) for line in (info, action)) + "\n"
    deployment.bucket.put(f"{table}/_delta_log/{version:020}.json", text.encode())


def added(deployment: Deployment, table: str) -> JsonObject:
    """The first file of a table, from its log."""
    add: JsonObject = next(entry.of("add")[0] for entry in deployment.lake.log(table))
    return add


def refused(world: World, deployment: Deployment) -> Tally:
    """What `verify` counts for a lake that it must refuse."""
    judged = Tally()
    honest, deployment.tally = deployment.tally, judged
    try:
        deployment.verify(world.samples.days(1))
    except CheckFailed:
        return judged
    finally:
        deployment.tally = honest
    raise CheckFailed("a lake with planted faults passed verification")


def published(world: World, deployment: Deployment) -> None:
    deployment.deliver(world.samples.days(1))
    deployment.execute().expect("Published")
    deployment.verify(world.samples.days(1))


def planted_rows(world: World, tally: Tally) -> None:
    with world.deployment(tally, "planted") as deployment:
        published(world, deployment)
        add = added(deployment, BRONZE)
        rows = json.loads(add["stats"])["numRecords"]
        copied = f"{add['path']}.copy.parquet"
        deployment.bucket.put(f"{BRONZE}/{copied}", deployment.bucket.get(f"{BRONZE}/{add['path']}"))
        commit(deployment, BRONZE, {"add": {**add, "path": copied}})
        tally.faults += 1
        judged = refused(world, deployment)
        check(judged.duplicates == rows, f"{rows} rows were doubled, {judged.duplicates} found")
        check(judged.orphans == rows, f"{rows} rows were not audited, {judged.orphans} found")
        check(judged.rows_found == judged.rows_expected + rows, f"the rows were not counted: {judged}")
        brought = next(
            txn for entry in deployment.lake.log(BRONZE) for txn in entry.of("txn") if OF_A_SOURCE in txn["appId"]
        )
        commit(deployment, BRONZE, {"txn": brought})
        tally.faults += 1
        repeated = repeated_sources(deployment.lake)
        check(len(repeated) == 1 and brought["appId"] in repeated[0], f"the second commit is reported as {repeated}")


def lost_rows(world: World, tally: Tally) -> None:
    with world.deployment(tally, "lost") as deployment:
        published(world, deployment)
        add = added(deployment, SILVER)
        remove = {"path": add["path"], "deletionTimestamp": int(time.time() * 1000), "dataChange": True}
        commit(deployment, SILVER, {"remove": remove})
        tally.faults += 1
        judged = refused(world, deployment)
        check(judged.rows_found < judged.rows_expected, f"the loss was not counted: {judged}")
        apart = tables.differences(world.oracle.expected(world.samples.days(1)), tables.content(deployment.lake))
        check(len(apart) == 1 and apart[0].startswith(SILVER), f"the loss is reported as {apart}")


def differing_traces(world: World, tally: Tally) -> None:
    """Compares a trace with itself, with one thing changed at a time."""
    with world.deployment(tally, "trace") as deployment:
        published(world, deployment)
        trace = deployment.execute().expect("Skipped").trace
    check(traces.differences(trace, copy.deepcopy(trace)) == [], "a trace differs from itself")
    for change in ("state", "input", "output", "error", "items", "end"):
        other = copy.deepcopy(trace)
        visit = other.visits[1]
        match change:
            case "state":
                visit.state = "Elsewhere"
            case "input":
                visit.state_input["surprise"] = 1
            case "output":
                visit.output["run"]["attempt"] = 2
            case "error":
                visit.errors.append(("Throttled", "slow down"))
            case "items":
                visit.items = 3
            case "end":
                other.output["plan"]["status"] = "planned"
        tally.faults += 1
        check(len(traces.differences(trace, other)) == 1, f"a changed {change} is not found")


def left_behind(world: World, tally: Tally) -> None:
    """A child that keeps a port open and outlives the process that started it."""
    marker = f"left-behind-{uuid.uuid4().hex}"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            pass_fds=[listener.fileno()],
            env={**os.environ, MARKER_VARIABLE: marker},
        )
        try:
            before = leftovers.footprint(child.pid, marker)
            listener.close()
            left = leftovers.remains(before, marker, world.folder / "no such folder")
        finally:
            child.kill()
            child.wait()
        tally.faults += 1
        check(any(str(child.pid) in one for one in left), f"the process is not found: {left}")
        check(f"port {port} is still open" in left, f"the port is not found: {left}")
        left = leftovers.remains(before, marker, world.folder / "no such folder")
        check(left == [], f"found although it has ended: {left}")
