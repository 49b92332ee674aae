"""Random fault plans for clusters: what fails in the functions, in S3 and in EMR, and when the run is stopped."""

from __future__ import annotations

import random
from dataclasses import dataclass

from emr import EmrFault
from faults import CLUSTER_FUNCTIONS, TIMED, Fault, call, s3

OPERATIONS = (
    "RunJobFlow",
    "ListClusters",
    "DescribeCluster",
    "AddJobFlowSteps",
    "ListSteps",
    "TerminateJobFlows",
)
# Longest time until a run is stopped: a run without faults takes less.
MOST_SECONDS = 6.0


@dataclass(frozen=True)
class ClusterPlan:
    """One run and the faults that happen to it."""

    seed: int
    faults: tuple[Fault, ...]
    emr_faults: tuple[EmrFault, ...]
    # When the execution is stopped; `None`: never.
    stop_after_seconds: float | None
    # How many executions get the same input at once, as after two redrives.
    executions: int

    def __str__(self) -> str:
        faults = "; ".join(map(str, (*self.faults, *self.emr_faults))) or "nothing"
        stopped = "" if self.stop_after_seconds is None else f", stopped after {self.stop_after_seconds:.1f} s"
        return f"seed {self.seed}: {self.executions} executions with {faults}{stopped}"


def random_cluster_plan(seed: int) -> ClusterPlan:
    """The plan of a seed: 1 to 5 faults, and a third of the runs stopped."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    emr_faults: list[EmrFault] = []
    for _ in range(chance.randint(1, 3)):
        faults.append(_of_calls(chance) if chance.random() < 0.6 else _of_documents(chance))
    for _ in range(chance.randint(0, 2)):
        emr_faults.append(_of_emr(chance))
    stopped = chance.uniform(0.0, MOST_SECONDS) if chance.random() < 0.34 else None
    return ClusterPlan(seed, tuple(faults), tuple(emr_faults), stopped, chance.choice((1, 1, 1, 2)))


def _of_calls(chance: random.Random) -> Fault:
    function = chance.choice(CLUSTER_FUNCTIONS)
    # A call that is delivered twice, or whose response is lost, did its work: these faults are the most likely to create a second cluster.
    doubled = ("duplicate", "duplicate", "duplicate", "lose_answer", "lose_answer")
    do = chance.choice((*doubled, "throttle", "service_exception", "exit", "delay"))
    # A function that died is retried once: two deaths in a row fail the execution.
    times = chance.choice((1, 2, 4))
    return call(do, function, skip=chance.choice((0, 0, 1, 2)), times=times, milliseconds=TIMED.get(do))


def _of_documents(chance: random.Random) -> Fault:
    function = chance.choice(CLUSTER_FUNCTIONS)
    # At the marker documents of an attempt, a function is just before or just after its call to EMR.
    do = chance.choice(("kill_before", "kill_after", "kill_after", "hang_after", "lose_answer", "slow_down", "reset"))
    action = "PutObject" if do != "slow_down" else chance.choice(("PutObject", "GetObject"))
    return s3(do, function, action, skip=chance.randint(0, 2), times=chance.choice((1, 1, 2)))


def _of_emr(chance: random.Random) -> EmrFault:
    kind = chance.choice((*("throttle", "internal_error", "lost_answer") * 3, *SINGLE))
    if kind in SINGLE:
        message = "refused by the scenario" if kind in ("refuse_cluster", "cluster_invalid", "step_fails") else None
        return EmrFault(kind, message=message)
    operation = chance.choice(OPERATIONS)
    return EmrFault(kind, operation, times=chance.choice((1, 2, 5)), after=chance.choice((0, 0, 1, 2)))


# Faults of the next cluster or step.
SINGLE = (
    "refuse_cluster",
    "no_capacity",
    "cluster_invalid",
    "bootstrap_fails",
    "step_fails",
    "step_cancelled",
    "step_never_ends",
    "cluster_lost",
)
