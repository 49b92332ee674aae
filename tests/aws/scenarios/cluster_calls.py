"""Every sample event of start-emr, run-etl and terminate, sent to the real functions: called once, again, and twice at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from deployment import Deployment
from emr import EmrSteps
from json_values import JsonObject
from large_runs import PreparedPlan
from registry import Case, Tally, check, scenario
from world import World

# A cluster or a step of the bed takes less than a second.
MOST_CALLS = 60
ASK_AGAIN_SECONDS = 0.2
GONE_SECONDS = 5.0
AT_ONCE = 4
TERMINATIONS = (
    "terminate-attempt.json",
    "terminate-execution-aborted.json",
    "terminate-execution-timed-out.json",
    "terminate-execution-failed-accept.json",
    "terminate-execution-failed-delivery.json",
    "terminate-sweep.json",
)


@scenario("cluster calls")
def cases(world: World) -> Iterable[Case]:
    plan = PreparedPlan.make(world)
    ended = [Case(name.removesuffix(".json"), partial(terminated, name, plan)) for name in TERMINATIONS]
    return [Case("a cluster and a step", partial(started_and_submitted, plan)), *ended]


@contextmanager
def planned(world: World, tally: Tally, plan: PreparedPlan) -> Iterator[tuple[Deployment, str]]:
    """A deployment with the plan of the run that the sample events are about, and the name of that run."""
    with world.deployment(tally, "calls", emr=EmrSteps()) as deployment:
        run_id: str = event(world, deployment, "start-emr.json")["run"]["run_id"]
        plan.put(deployment, run_id)
        tally.runs += 1
        yield deployment, run_id


def event(world: World, deployment: Deployment, name: str) -> JsonObject:
    return world.events.take(name, deployment.name)


def at_once(deployment: Deployment, function: str, payload: JsonObject) -> list[JsonObject]:
    """The answers to the same call made several times at once. A call that lost the race may fail with an error to be retried."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: deployment.invoke(function, payload), range(AT_ONCE)))
    wrong = [answer for answer in answers if answer.error not in (None, "Throttled", "Unavailable")]
    check(not wrong, f"{function}, called {AT_ONCE} times at once, failed: {wrong}")
    return [answer.payload for answer in answers if answer.error is None]


def until(deployment: Deployment, function: str, payload: JsonObject, status: str) -> JsonObject:
    """Calls again until the answer has this status."""
    answer: JsonObject = {}
    for poll in range(MOST_CALLS):
        answer = deployment.invoked(function, {**payload, "poll": poll})
        if answer["status"] == status:
            return answer
        time.sleep(ASK_AGAIN_SECONDS)
    check(False, f"after {MOST_CALLS} calls {function} still returns {answer}, not {status}")
    return answer


def started(world: World, deployment: Deployment) -> str:
    """Starts a cluster, waits until it is ready, and returns its id."""
    first = deployment.invoked("start-emr", event(world, deployment, "start-emr.json"))
    check((first["status"], first["poll"]) == ("starting", 1), f"the first call returns {first}")
    ready = until(deployment, "start-emr", event(world, deployment, "start-emr-again.json"), "ready")
    made: list[str] = [cluster["Id"] for cluster in deployment.emr.clusters()]
    check(made == [ready["cluster_id"]], f"the cluster is {ready}, EMR has {made}")
    return made[0]


def started_and_submitted(plan: PreparedPlan, world: World, tally: Tally) -> None:
    with planned(world, tally, plan) as (deployment, run_id):
        at_once(deployment, "start-emr", event(world, deployment, "start-emr.json"))
        until(deployment, "start-emr", event(world, deployment, "start-emr-again.json"), "ready")
        [cluster] = deployment.emr.clusters()
        check(cluster["Name"] == f"sluice/retail/{run_id}/1", f"the cluster is called {cluster['Name']}")
        submitted = {**event(world, deployment, "run-etl.json"), "cluster_id": cluster["Id"]}
        at_once(deployment, "run-etl", submitted)
        again = {**event(world, deployment, "run-etl-again.json"), "cluster_id": cluster["Id"]}
        done = until(deployment, "run-etl", again, "completed")
        [cluster] = deployment.emr.clusters()
        check([step["Id"] for step in cluster["Steps"]] == [done["step_id"]], f"{done}, EMR has {cluster['Steps']}")
        keys = deployment.bucket.list(f"runs/retail/{run_id}/")
        check(f"runs/retail/{run_id}/etl-1.sql" in keys, f"the script is not kept: {keys}")
        at_once(deployment, "terminate", event(world, deployment, "terminate-attempt.json"))
        late = deployment.invoke("run-etl", again)
        check(late.error is None and late.payload["status"] == "completed", f"a call for a completed step returns {late}")
        check_gone(deployment)


def terminated(name: str, plan: PreparedPlan, world: World, tally: Tally) -> None:
    with planned(world, tally, plan) as (deployment, run_id):
        cluster = started(world, deployment)
        if name == "terminate-sweep.json":
            result = deployment.invoked("terminate", event(world, deployment, name))
            check(result["clusters"] == [], f"the sweep ended the cluster of a run that is still working: {result}")
            # After the audit the cluster is no longer needed.
            deployment.bucket.put(f"runs/retail/{run_id}/verdict-1.json", b"{}")
        result = deployment.invoked("terminate", event(world, deployment, name))
        check(result["clusters"] == [{"cluster_id": cluster, "status": "terminating"}], f"{name}: {result}")
        check_gone(deployment)
        late = deployment.invoke("start-emr", event(world, deployment, "start-emr.json"))
        check(late.error == "ClusterFailed", f"a late call after {name} returns {late}")
        again = deployment.invoked("terminate", event(world, deployment, name))
        check("terminating" not in str(again), f"terminated twice: {again}")
        check(len(deployment.emr.clusters()) == 1, "a late call created another cluster")


def check_gone(deployment: Deployment) -> None:
    alive = deployment.emr.wait_until_gone(GONE_SECONDS)
    check(not alive, f"clusters that still exist: {alive}")
