"""The same execution again after it failed in each of its states: redriven from there, and started anew.

moto has no `RedriveExecution`. What a redrive does is done with a state machine that is the same but begins in the failed
state: it has the name of the failed execution, so it is the same run, and it gets the input that the state had.

On AWS our definition leaves less to a redrive than that: each failure is caught and ends in the Fail state `Failed`, and a
redrive begins with the state that ended the execution. To start the same input anew is then what heals, and is tried too.
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
    anew = [Case(f"anew after {state}", partial(started_anew, state)) for state in STATES]
    within = [Case(f"publish dead after commit {done}", partial(dead_in_publish, done)) for done in range(5)]
    read_back = Case("bronze read back, its dirt all at one end", uneven_dirt)
    return [*redriven, *anew, *within, read_back, Case("after a failed notification of a failure", untold_failure)]


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
            "the emulator redrives executions now: use it here in place of a state machine that begins elsewhere",
        )
        deployment.redriven(ended, state).expect("Published")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def started_anew(state: str, world: World, tally: Tally) -> None:
    function, last_state = STATES[state]
    with world.deployment(tally, "anew") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("exit", function, times=2)]):
            deployment.execute().expect(last_state)
        # Where only the message was lost, nothing is new for the next run.
        deployment.execute().expect("Skipped" if last_state == "Unannounced" else "Published")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def dead_in_publish(done: int, world: World, tally: Tally) -> None:
    """publish dies for good between two commits: the next run brings the rest, and nothing twice."""
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
    """Rows that only bronze has are read back from it in pieces; pieces without a refused row must not matter."""
    with world.deployment(tally, "uneven") as deployment:
        file = world.samples.day(0, rows=2000, dirt="0").followed_by(world.samples.day(1, rows=300, dirt="0.35"))
        deployment.deliver([file])
        fault = s3("kill_before", "publish", "PutObject", r"/_delta_log/0+\.json$", skip=1, times=2)
        with deployment.faults([fault]):
            deployment.execute().expect("Failed")
        check(deployment.lake.tables() == [BRONZE], f"{deployment.lake.tables()} are there")
        deployment.execute().expect("Published")
        deployment.settle()
        deployment.verify([file])


def untold_failure(world: World, tally: Tally) -> None:
    """The failure of the message must not hide the failure of the run."""
    with world.deployment(tally, "untold") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("exit", "process", times=2), call("exit", "notify", times=2)]):
            ended = deployment.execute().expect("Failed")
        check(ended.error == "Runtime.ExitError", f"{ended}")
        check("notify_error" in ended.trace.input_of("Failed"), f"{ended.trace.told()}")
        deployment.settle()
        deployment.verify(files)
