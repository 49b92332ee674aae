"""S3 that is slow, overloaded, disconnected or stale: for every function in turn, and every kind of request that it sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from control import S3Request
from faults import FUNCTIONS, Fault, s3
from registry import Case, Tally, check, scenario
from world import World

# Requests that a single fault of a kind can hit.
ACTIONS = {
    "slow_down": ("PutObject", "GetObject", "ListBucket"),
    "reset": ("PutObject", "GetObject", "ListBucket"),
    "slow_body": ("PutObject", "GetObject"),
    "truncate": ("GetObject",),
    "lose_answer": ("PutObject",),
    "stale_list": ("ListBucket",),
}
MILLISECONDS = {"slow_body": 600, "stale_list": 60_000}


@dataclass(frozen=True)
class Disturbance:
    """One kind of fault, on one action, of the functions that send such requests."""

    do: str
    action: str
    functions: Sequence[str]

    def faults(self) -> list[Fault]:
        # A stale list is stale for every request within its time, not for a single one.
        times = 50 if self.do == "stale_list" else 1
        milliseconds = MILLISECONDS.get(self.do)
        return [s3(self.do, function, self.action, None, 0, times, milliseconds) for function in self.functions]


@scenario("S3 faults")
def cases(world: World) -> Iterable[Case]:
    """One case per kind and action; in CI all functions are disturbed in the same run, in the soak each in its own."""
    senders = who_sends(world)
    found: list[Case] = []
    for do, actions in ACTIONS.items():
        for action in actions:
            functions = [function for function in FUNCTIONS if function in senders[action]]
            check(bool(functions), f"no function sends {action}")
            # After a stale list the next functions have nothing to do.
            is_single = world.scope.is_soak or do == "stale_list"
            groups = [[function] for function in functions] if is_single else [functions]
            for group in groups:
                name = f"{do} on {action} of {', '.join(group)}"
                found.append(Case(name, partial(disturbed, Disturbance(do, action, group))))
    return found


def who_sends(world: World) -> dict[str, set[str]]:
    """The functions that send requests of each kind, from the log of two undisturbed runs."""
    senders: dict[str, set[str]] = {action: set() for actions in ACTIONS.values() for action in actions}
    for request in undisturbed(world):
        if request.action in senders:
            senders[request.action].add(request.role)
    return senders


def undisturbed(world: World) -> list[S3Request]:
    """The S3 requests of two runs over one day each."""
    with world.deployment(Tally(), "requests") as deployment:
        for day in world.samples.days(2):
            deployment.deliver([day])
            deployment.execute().expect("Published")
        return deployment.requests()


def disturbed(disturbance: Disturbance, world: World, tally: Tally) -> None:
    """The second run is disturbed: it reads and extends existing tables. Later runs add what it misses."""
    with world.deployment(tally, "s3") as deployment:
        first, second = world.samples.days(2)
        deployment.deliver([first])
        deployment.execute().expect("Published")
        deployment.deliver([second])
        with deployment.faults(disturbance.faults()):
            ended = deployment.execute()
        # The clients and the state machine must overcome a single fault of S3. A run with a stale list may find nothing to
        # do, or fail because of commits that it did not see.
        states = ("Published", "Skipped", "Failed") if disturbance.do == "stale_list" else ("Published",)
        ended.expect(*states)
        deployment.settle()
        deployment.verify([first, second])
