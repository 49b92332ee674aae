"""The receipts of runs say what the bed has counted: requests, calls, times and memory.

Compared exactly: PUT and its kin, and listings, of validate, process (its parts, too), quality-check and publish; the number of
calls; memory. Within bounds: GET and HEAD, because nobody can count those that Polars makes with a client of its own: the measured
ones are at most those of the bed, and with what was counted as scanned they are not far from them; times, because a document
is written before its call ends. Not compared: what notify requests after its report, EMR, and the transitions of states, which
`shared/core` compares with the definition.
"""

from __future__ import annotations

from collections.abc import Iterable

from control import S3Request
from deployment import Deployment
from json_values import JsonObject
from registry import Case, Tally, check, scenario
from world import World

PUT_METHODS = frozenset({"PUT", "POST"})
# A call ends with an answer, and the document before it is written in one request.
MOST_MILLISECONDS_AFTER = 1500
SMALL_SAMPLES = 2


@scenario("costs")
def cases(world: World) -> Iterable[Case]:
    return [Case("a published and a skipped run", receipts), Case("a run in parts", in_parts)]


def receipts(world: World, tally: Tally) -> None:
    with world.deployment(tally, "costs") as deployment:
        files = world.samples.days(SMALL_SAMPLES)
        deployment.deliver(files)
        compare(deployment, "Published", {"validate", "process", "quality-check", "publish", "notify"})
        compare(deployment, "Skipped", {"validate", "notify"})
        deployment.verify(files)


def in_parts(world: World, tally: Tally) -> None:
    with world.deployment(tally, "costs") as deployment:
        deployment.read_in_parts()
        files = world.samples.large_days(SMALL_SAMPLES)
        deployment.deliver(files)
        used = compare(deployment, "Published", {"validate", "process", "quality-check", "publish", "notify"})
        check(used["process"]["parts"]["calls"] >= SMALL_SAMPLES, f"process does not know its parts: {used['process']}")
        deployment.verify(files)


def compare(deployment: Deployment, end: str, functions: set[str]) -> dict[str, JsonObject]:
    """Executes, and compares what the report says with what the bed has recorded meanwhile."""
    requests_before, calls_before = len(deployment.requests()), len(deployment.calls())
    ended = deployment.execute()
    ended.expect(end)
    requests = deployment.requests()[requests_before:]
    calls = deployment.calls()[calls_before:]
    cost = deployment.bucket.json(f"runs/retail/{ended.name}/report.json")["cost"]
    used = {call["function"].removeprefix(f"{deployment.name}-"): call for call in cost["usage"]["calls"]}
    check(used.keys() == functions, f"the report has the calls {sorted(used)}")
    check(not cost["usage"].get("not_known"), f"the report does not know {cost['usage'].get('not_known')}")
    check(cost["receipt"]["is_billed"], "the receipt is not one of Lambda")
    for function, call in used.items():
        recorded = [one for one in calls if one["function"] == function]
        parts = call.get("parts", {}).get("calls", 0)
        check(len(recorded) == 1 + parts, f"{function} was called {len(recorded)} times, and the report has 1 and {parts} parts")
        own = [request for request in requests if request.role == function]
        compare_requests(function, call, own)
        compare_times(function, call, recorded)
    return used


def compare_requests(function: str, call: JsonObject, recorded: list[S3Request]) -> None:
    counted = dict(call["requests"])
    for name, number in call.get("parts", {}).get("requests", {}).items():
        counted[name] = counted.get(name, 0) + number
    lists = sum(request.action == "ListBucket" for request in recorded)
    puts = sum(request.method in PUT_METHODS and request.action != "DeleteObject" for request in recorded)
    gets = sum(request.method in ("GET", "HEAD") and request.action != "ListBucket" for request in recorded)
    check(counted["s3_list"] == lists, f"{function} made {lists} listings, and the report has {counted['s3_list']}")
    check(counted["s3_put"] == puts, f"{function} wrote {puts} times, and the report has {counted['s3_put']}")
    check(counted["s3_get"] <= gets, f"{function} read {gets} times, and the report has measured {counted['s3_get']}")
    if counted["scanned_files"] == 0:
        check(counted["s3_get"] == gets, f"{function} read {gets} times, and the report has {counted['s3_get']}")


def compare_times(function: str, call: JsonObject, recorded: list[JsonObject]) -> None:
    # The call that wrote the document of the whole run is the last.
    last = recorded[-1]
    duration = last["duration_ms"]
    check(
        call["millis"] <= duration + 1 and duration - call["millis"] <= MOST_MILLISECONDS_AFTER,
        f"{function} took {duration} ms, and the report has {call['millis']} ms",
    )
    check(call["memory_mb"] > 0 and call["peak_memory_mb"] > 0, f"{function} does not know its memory: {call}")
