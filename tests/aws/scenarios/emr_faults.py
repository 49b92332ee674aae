"""Faults of EMR, one at a time: each run fails with the right error name, people are notified, and no cluster stays."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from deployment import Deployment
from emr import EmrFault, EmrSteps
from large_runs import ReportedEnd, large_request
from registry import Case, Tally, check, scenario
from world import World

# Limit of both loops here: more than a cluster and a step of one second need.
MOST_POLLS = 12
# Ending clusters takes a moment, but far less than the idle timeout.
GONE_SECONDS = 5.0
# Calls of EMR that every run makes and that may be repeated immediately.
REPEATABLE = ("ListClusters", "DescribeCluster", "ListSteps", "TerminateJobFlows")
# More than all retries of the clients in all attempts of a task.
FOR_EVER = 1000


@dataclass(frozen=True)
class Trouble:
    """A fault, and how its run ends."""

    name: str
    faults: Sequence[EmrFault]
    error: str
    # Part of the cause that people read.
    message: str
    # The state that fails.
    state: str
    steps: EmrSteps = EmrSteps()
    clusters: int = 1


def broken_output(breakage: str, message: str) -> Trouble:
    script = str(__file__).replace("scenarios/emr_faults.py", "spark_output.py")
    steps = EmrSteps("command", (sys.executable, script, breakage))
    return Trouble(f"output of Spark: {breakage}", (), "EtlFailed", message, "QualityCheck", steps)


TROUBLES = (
    Trouble("no capacity", [EmrFault("no_capacity")], "ClusterFailed", "capacity", "StartEmr"),
    Trouble(
        "launch refused",
        [EmrFault("refuse_cluster", message="The subnet is unknown")],
        "ClusterFailed",
        "The subnet is unknown",
        "StartEmr",
        clusters=0,
    ),
    Trouble(
        "fails validation while it starts",
        [EmrFault("cluster_invalid", message="The AMI is gone")],
        "ClusterFailed",
        "The AMI is gone",
        "StartEmr",
    ),
    Trouble("bootstrap fails", [EmrFault("bootstrap_fails")], "ClusterFailed", "bootstrap action", "StartEmr"),
    Trouble(
        "step fails", [EmrFault("step_fails", message="cannot resolve column")], "EtlFailed", "cannot resolve column", "RunEtl"
    ),
    Trouble("step cancelled", [EmrFault("step_cancelled")], "EtlFailed", "CANCELLED", "RunEtl"),
    Trouble("cluster lost under its step", [EmrFault("cluster_lost")], "ClusterFailed", "user request", "RunEtl"),
    Trouble("step that never ends", [EmrFault("step_never_ends")], "EtlFailed", "240 polls", "EtlOverdue"),
    Trouble(
        "launch throttled for ever",
        [EmrFault("throttle", "RunJobFlow", times=FOR_EVER)],
        # After a failed launch start-emr waits minutes before the next one; the loop here ends before that.
        "ClusterFailed",
        "60 polls",
        "ClusterOverdue",
        clusters=0,
    ),
    Trouble(
        "submission throttled",
        [EmrFault("throttle", "AddJobFlowSteps")],
        "EtlFailed",
        "240 polls",
        "EtlOverdue",
    ),
    Trouble(
        "every other call throttled twice",
        [EmrFault("throttle", operation, times=2) for operation in REPEATABLE],
        "EtlFailed",
        "metrics",
        "QualityCheck",
    ),
    Trouble("no output of Spark", (), "EtlFailed", "metrics", "QualityCheck"),
    broken_output("unfinished", "_SUCCESS"),
    broken_output("no-number", "seven"),
    broken_output("no-files", "0 staged files"),
)


@scenario("EMR faults")
def cases(world: World) -> Iterable[Case]:
    return [Case(one.name, partial(troubled, one)) for one in TROUBLES]


def troubled(trouble: Trouble, world: World, tally: Tally) -> None:
    variables = world.bed.addresses.environment()
    with world.deployment(
        tally, "emr", emr=trouble.steps, longest_wait_seconds=1, emr_variables=variables
    ) as deployment:
        deployment.deliver(world.samples.days(1))
        deployment.emr.add_faults(trouble.faults)
        # Of the faults that last forever, at least one happens.
        tally.faults += sum(fault.times if fault.times < FOR_EVER else 1 for fault in trouble.faults) or 1
        machine = world.machines.create(
            f"{deployment.name}-short", deployment.created.function_arns, most_polls=MOST_POLLS
        )
        tally.runs += 1
        request = large_request(deployment)
        ended = world.machines.start(machine, deployment.new_name(), request).wait().expect("ReplanAfterFailure")
        # Only the definition's own net has acted: neither the rule nor the idle timeout yet.
        alive = deployment.emr.wait_until_gone(GONE_SECONDS)
        check(not alive, f"clusters that still exist: {alive}")
        check(ended.error == trouble.error, f"{ended}, not {trouble.error}")
        check(trouble.message in (ended.cause or ""), f"the cause does not name {trouble.message!r}: {ended}")
        states = [visit.state for visit in ended.trace.visits]
        end = "ReplanAfterFailure" if trouble.state == "QualityCheck" else "TerminateAfterFailure"
        check(states[states.index(end) - 1] == trouble.state, f"{trouble.state} is not what failed: {ended.trace.summary()}")
        ReportedEnd.of(ended, request).send_to(world, deployment, "notify")
        judge(deployment, trouble, ended.name)


def judge(deployment: Deployment, trouble: Trouble, run_id: str) -> None:
    made = deployment.emr.clusters()
    check(len(made) == trouble.clusters, f"{len(made)} clusters were made, not {trouble.clusters}")
    report = deployment.bucket.find_json(f"runs/retail/{run_id}/report.json")
    reported = None if report is None else (report["outcome"], report["error"]["Error"])
    check(reported == ("failed", trouble.error), f"the report says {reported}")
    deployment.verify([])
