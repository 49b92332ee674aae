"""Events that are delivered twice or late: to each function, and long after the run."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from audit import commits_of_run
from faults import FUNCTIONS, call
from registry import Case, Tally, check, scenario
from tables import KEYS
from world import World

LATE_MILLISECONDS = 1500


@scenario("deliveries")
def cases(world: World) -> Iterable[Case]:
    twice = [Case(f"twice: {function}", partial(delivered, "duplicate", function)) for function in FUNCTIONS]
    late = [Case(f"late: {function}", partial(delivered, "delay", function)) for function in FUNCTIONS]
    lost = [Case(f"answer lost: {function}", partial(delivered, "lose_answer", function)) for function in FUNCTIONS]
    return [*twice, *lost, *late, Case("every step again after the next run", steps_again)]


def delivered(do: str, function: str, world: World, tally: Tally) -> None:
    """The second run meets the fault, and both runs make one commit per table."""
    milliseconds = LATE_MILLISECONDS if do == "delay" else None
    with world.deployment(tally, "deliver") as deployment:
        days = world.samples.days(2)
        deployment.deliver(days[:1])
        deployment.execute().expect("Published")
        deployment.deliver(days[1:])
        with deployment.faults([call(do, function, milliseconds=milliseconds)]):
            ended = deployment.execute().expect("Published")
        deployment.settle()
        commits = commits_of_run(deployment.lake, ended.name)
        check(commits == dict.fromkeys(KEYS, 1), f"commits of the run: {commits}")
        deployment.verify(days)


def steps_again(world: World, tally: Tally) -> None:
    """Repeats each step of an old run after a newer run changed the tables. Nothing may change."""
    with world.deployment(tally, "old") as deployment:
        days = world.samples.days(2)
        deployment.deliver(days[:1])
        old = deployment.execute().expect("Published")
        deployment.deliver(days[1:])
        deployment.execute().expect("Published")
        before = {table: deployment.lake.open(table).version() for table in KEYS}
        step = {"run": {"pipeline": "retail", "run_id": old.name, "attempt": 1}}
        events = {
            "validate": {"execution_name": old.name, "request": deployment.request},
            "process": step,
            "quality-check": step,
            "publish": step,
            "notify": {
                "outcome": "published",
                "execution_name": old.name,
                "state": old.trace.input_of("NotifyPublished"),
            },
        }
        for function, event in events.items():
            deployment.invoked(function, event)
        tally.runs += 1
        tally.faults += len(events)
        after = {table: deployment.lake.open(table).version() for table in KEYS}
        check(before == after, f"old steps changed the tables: {before} became {after}")
        deployment.settle()
        deployment.verify(days)
