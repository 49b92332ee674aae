"""Whatever happens, no cluster stays, and no attempt of a run ever has a second cluster.

Each run has an EMR of its own whose steps are done at once, and begins where process has read it. It is disturbed as a seed says;
then the rule for ended executions runs, idle clusters end, and nothing may be left. The sweeper is the net for events that
the rule could not deliver.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from functools import partial

from cluster_plans import ClusterPlan, random_cluster_plan
from control import FunctionSettings
from deployment import Deployment
from emr import EmrSteps
from faults import ALL_FUNCTIONS
from large_runs import PreparedPlan, ReportedEnd
from machines import Begun
from registry import Case, Tally, check, scenario
from world import World

CI_RUNS = 40
SOAK_RUNS = 300
# The plans include hanging requests. Longer than the longest call on a busy machine.
TIMEOUTS = {function: FunctionSettings(timeout_seconds=8) for function in ALL_FUNCTIONS}
# Limit of both loops here: enough for a cluster and a step of one second, and soon reached by a step that never ends.
MOST_POLLS = 12
LONGEST_WAIT_SECONDS = 1
# The sweeper ends every cluster older than 26 hours.
MOST_AGE_SECONDS = 27 * 3600
# Ending clusters takes a moment.
GONE_SECONDS = 10.0


@scenario("no leaked cluster")
def cases(world: World) -> Iterable[Case]:
    plan = PreparedPlan.make(world)
    first, count = world.scope.first_seed, SOAK_RUNS if world.scope.is_soak else CI_RUNS
    return [Case(f"seed {seed}", partial(disturbed, seed, plan)) for seed in range(first, first + count)]


def disturbed(seed: int, prepared: PreparedPlan, world: World, tally: Tally) -> None:
    plan = random_cluster_plan(seed)
    try:
        with world.deployment(
            tally, "leak", TIMEOUTS, emr=EmrSteps(), longest_wait_seconds=LONGEST_WAIT_SECONDS
        ) as deployment:
            machine = world.machines.create(
                f"{deployment.name}-branch",
                deployment.created.function_arns,
                begun=Begun("BeginCluster", deployment.request),
                most_polls=MOST_POLLS,
            )
            was_notified = run(plan, prepared, world, deployment, machine)
            judge(deployment, was_notified)
    except Exception as error:
        error.add_note(str(plan))
        raise


def run(plan: ClusterPlan, prepared: PreparedPlan, world: World, deployment: Deployment, machine: str) -> bool:
    """Runs under the faults of the plan; returns whether the rule could notify terminate of every failed execution."""
    tally, emr = deployment.tally, deployment.emr
    emr.add_faults(plan.emr_faults)
    with deployment.faults(plan.faults, must_fire=False):
        name = deployment.new_name()
        state = prepared.put(deployment, name)
        tally.runs += 1
        # Execution names are unique in Step Functions, so each gets its own. The run is the same, as after a redrive of an old execution.
        running = [world.machines.start(machine, f"{name}{suffix}", state) for suffix in ("", "-again")[: plan.executions]]
        if plan.stop_after_seconds is not None:
            time.sleep(plan.stop_after_seconds)
            for one in running:
                if not one.has_ended():
                    one.stop()
            tally.faults += 1
        ended = [one.wait() for one in running]
        ends = [ReportedEnd(name, one.status, deployment.request, one.error, one.cause) for one in ended]
        was_notified = [end.send_to(world, deployment, "terminate") for end in ends]
    left = sum(fault["times"] for fault in emr.pending_faults())
    tally.faults += sum(fault.times for fault in plan.emr_faults) - left
    emr.forget_faults()
    return all(was_notified)


def judge(deployment: Deployment, was_notified: bool) -> None:
    emr = deployment.emr
    emr.let_idle_time_pass()
    alive = emr.wait_until_gone(GONE_SECONDS)
    check(not (alive and was_notified), f"clusters that no net but the sweeper catches: {alive}")
    for seconds in (0, MOST_AGE_SECONDS):
        if alive:
            # A run without an end document in its folder counts as running until it is too old.
            emr.age(seconds)
            deployment.invoked("terminate", {"sweep": True})
            alive = emr.wait_until_gone(GONE_SECONDS)
    check(not alive, f"clusters that still exist: {alive}")
    made = Counter(cluster["Name"] for cluster in emr.clusters())
    check(all(count == 1 for count in made.values()), f"attempts with more than one cluster: {made}")
    check(not deployment.lake.tables(), "a run without any output of Spark committed something")
