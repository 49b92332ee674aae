"""The same execution again after it failed in each of its states: redriven from that state, and started again from the beginning.

moto has no `RedriveExecution`. A redrive is imitated with a copy of the state machine that begins in the failed state: the execution
has the name of the failed one, so it is the same run, and it gets the input that the state had.

On AWS a redrive of our definition can do less: each failure is caught and ends in the Fail state `Failed`, and a redrive begins with
the state that ended the execution. Starting the same input again then completes the run; this is tried, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from faults import call, s3
from registry import Case, Tally, check, scenario
from tables import BRONZE
from world import World

# Each task state with its function, and where the execution ends when the function dies twice in it.
STATES = {
    "Validate": ("validate", "Failed"),
    "Process": ("process", "Failed"),
    "QualityCheck": ("quality-check", "Failed"),
    "Publish": ("publish", "Failed"),
    "NotifyPublished": ("notify", "Unannounced"),
}


@scenario("redrive")
def cases(world: World) -> Iterable[Case]:
    redriven = [Case(f"from {state}", partial(redriven_from, state)) for state in STATES]
    again = [Case(f"started again after {state}", partial(started_again, state)) for state in STATES]
    within = [Case(f"publish dead after commit {done}", partial(dead_in_publish, done)) for done in range(5)]
    read_back = Case("bronze read back, its dirt all at one end", uneven_dirt)
    return [*redriven, *again, *within, read_back, Case("after a failed notification of a failure", failure_without_notification)]


def redriven_from(state: str, world: World, tally: Tally) -> None:
    function, last_state = STATES[state]
    with world.deployment(tally, "redrive") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("exit", function, times=2)]):
            running = deployment.start()
            ended = running.wait().expect(last_state)
        check(
            not world.machines.redrive(running),
            "the emulator can redrive executions now: use it here instead of a state machine that begins elsewhere",
        )
        deployment.redriven(ended, state).expect("Published")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def started_again(state: str, world: World, tally: Tally) -> None:
    function, last_state = STATES[state]
    with world.deployment(tally, "again") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("exit", function, times=2)]):
            deployment.execute().expect(last_state)
        # If only the notification was lost, nothing is new for the next run.
        deployment.execute().expect("Skipped" if last_state == "Unannounced" else "Published")
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


def failure_without_notification(world: World, tally: Tally) -> None:
    """A failed notification must not hide the failure of the run."""
    with world.deployment(tally, "unreported") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("exit", "process", times=2), call("exit", "notify", times=2)]):
            ended = deployment.execute().expect("Failed")
        check(ended.error == "Runtime.ExitError", f"{ended}")
        check("notify_error" in ended.trace.input_of("Failed"), f"{ended.trace.summary()}")
        deployment.settle()
        deployment.verify(files)
