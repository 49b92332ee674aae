"""The same execution again after it failed in each of its states: redriven from that state, and started again from the beginning.

moto has no `RedriveExecution`. A redrive is imitated by its documented rules, with a copy of the state machine that begins in the state
that ended the execution: the execution has the name of the failed one, so it is the same run, and it gets the input that the state
had. Between the two, the rule for ended executions has notify report the failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from deployment import Deployment
from emr import EmrFault, EmrSteps
from faults import call, s3
from large_runs import ReportedEnd, large_request
from machines import Ended
from registry import Case, Tally, check, scenario
from tables import BRONZE
from world import World

# Each task state with its function. The execution ends in it when the function dies twice.
STATES = {
    "Validate": "validate",
    "Process": "process",
    "QualityCheck": "quality-check",
    "Publish": "publish",
    "NotifyPublished": "notify",
}
# Limit of the loops of a run on a cluster: more than a cluster and a step of one second need.
MOST_POLLS = 12
# Ending clusters takes a moment.
GONE_SECONDS = 5.0


@scenario("redrive")
def cases(world: World) -> Iterable[Case]:
    redriven = [Case(f"from {state}", partial(redriven_from, state)) for state in STATES]
    again = [Case(f"started again after {state}", partial(started_again, state)) for state in STATES]
    within = [Case(f"publish dead after commit {done}", partial(dead_in_publish, done)) for done in range(5)]
    read_back = Case("bronze read back, its dirt all at one end", uneven_dirt)
    return [*redriven, *again, *within, read_back, Case("from a failed step of a cluster", failed_step)]


def redriven_from(state: str, world: World, tally: Tally) -> None:
    with world.deployment(tally, "redrive") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("exit", STATES[state], times=2)]):
            running = deployment.start()
            ended = running.wait().expect(state)
        check(
            not world.machines.redrive(running),
            "the emulator can redrive executions now: use it here instead of a state machine that begins elsewhere",
        )
        # The tables exist when only the announcement was lost, and then the rule makes it.
        reported(world, deployment, ended, "published" if state == "NotifyPublished" else "failed")
        deployment.redriven(ended).expect("Published")
        report = deployment.bucket.json(f"runs/retail/{ended.name}/report.json")
        check((report["outcome"], report.get("error")) == ("published", None), f"the report is {report}")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def started_again(state: str, world: World, tally: Tally) -> None:
    with world.deployment(tally, "again") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("exit", STATES[state], times=2)]):
            deployment.execute().expect(state)
        # If only the notification was lost, nothing is new for the next run.
        deployment.execute().expect("Skipped" if state == "NotifyPublished" else "Published")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def dead_in_publish(done: int, world: World, tally: Tally) -> None:
    """publish dies between two commits and is not retried: the next run commits the rest, and nothing twice."""
    with world.deployment(tally, "between") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        fault = s3("kill_before", "publish", "PutObject", r"/_delta_log/0+\.json$", skip=done, times=2)
        with deployment.faults([fault]):
            deployment.execute().expect("Failed")
        check(len(deployment.lake.tables()) == done, f"{len(deployment.lake.tables())} tables, not {done}")
        deployment.settle()
        deployment.verify(files)


def uneven_dirt(world: World, tally: Tally) -> None:
    """Rows that only bronze has are read back from it in pieces; a piece without a quarantined row must not matter."""
    with world.deployment(tally, "uneven") as deployment:
        file = world.samples.day(0, rows=2000, dirt="0").followed_by(world.samples.day(1, rows=300, dirt="0.35"))
        deployment.deliver([file])
        fault = s3("kill_before", "publish", "PutObject", r"/_delta_log/0+\.json$", skip=1, times=2)
        with deployment.faults([fault]):
            deployment.execute().expect("Failed")
        check(deployment.lake.tables() == [BRONZE], f"the tables are {deployment.lake.tables()}")
        deployment.execute().expect("Published")
        deployment.settle()
        deployment.verify([file])


def failed_step(world: World, tally: Tally) -> None:
    """The cluster of the failed attempt is gone, so a redrive plans the next attempt, which gets a cluster of its own."""
    with world.deployment(tally, "step", emr=EmrSteps(), longest_wait_seconds=1) as deployment:
        deployment.deliver(world.samples.days(1))
        deployment.emr.add_faults([EmrFault("step_fails", message="no memory")])
        tally.faults += 1
        machine = world.machines.create(f"{deployment.name}-short", deployment.created.function_arns, most_polls=MOST_POLLS)
        tally.runs += 1
        request = large_request(deployment)
        ended = world.machines.start(machine, deployment.new_name(), request).wait().expect("ReplanAfterFailure")
        check((ended.error or "", "no memory" in (ended.cause or "")) == ("EtlFailed", True), f"{ended}")
        # Before the failure is reported, a redrive fails as the execution did.
        early = deployment.redriven(ended, MOST_POLLS).expect("ReplanAfterFailure")
        check(early.error == "EtlFailed" and len(deployment.emr.clusters()) == 1, f"{early}")
        for function in ("terminate", "notify"):
            check(ReportedEnd.of(ended, request).send_to(world, deployment, function), f"{function} refuses the end of {ended}")
        # The steps of this bed write nothing, so the next attempt comes as far as the audit.
        again = deployment.redriven(ended, MOST_POLLS).expect("ReplanAfterFailure")
        check("metrics" in (again.cause or ""), f"{again}")
        names = sorted(cluster["Name"] for cluster in deployment.emr.clusters())
        check(names == [f"sluice/retail/{ended.name}/{attempt}" for attempt in (1, 2)], f"clusters {names}")
        alive = deployment.emr.wait_until_gone(GONE_SECONDS)
        check(not alive, f"clusters that still exist: {alive}")
        deployment.verify([])


def reported(world: World, deployment: Deployment, ended: Ended, outcome: str) -> None:
    """Has the rule for ended executions report the end, twice, as EventBridge may."""
    end = ReportedEnd.of(ended, deployment.request)
    for _ in range(2):
        check(end.send_to(world, deployment, "notify"), f"notify refuses the end of {ended}")
    report = deployment.bucket.find_json(f"runs/retail/{ended.name}/report.json")
    found = None if report is None else (report["outcome"], report["error"]["Error"])
    check(found == (outcome, ended.error), f"the report says {found}")
