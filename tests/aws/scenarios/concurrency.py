"""Concurrent executions: over the same files, and eight that publish to the same tables."""

from __future__ import annotations

from collections.abc import Iterable

from registry import Case, Tally, check, scenario
from world import World

PUBLISHERS = 8
# Rounds until all eight have published: a run whose every attempt met a conflict fails with CommitConflict and is started again.
MOST_ROUNDS = 4


@scenario("concurrency")
def cases(world: World) -> Iterable[Case]:
    return [
        Case("eight publishers on one table", eight_publishers, is_long=True),
        Case("two executions over the same files", same_files),
        Case("two executions over the same second day", same_second_day),
    ]


def same_files(world: World, tally: Tally) -> None:
    with world.deployment(tally, "both") as deployment:
        files = world.samples.days(2)
        deployment.deliver(files)
        ended = [one.wait().expect("Published", "Skipped") for one in [deployment.start(), deployment.start()]]
        check(any(one.last_state == "Published" for one in ended), f"nobody published: {ended}")
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def same_second_day(world: World, tally: Tally) -> None:
    with world.deployment(tally, "second") as deployment:
        first, second = world.samples.days(2)
        deployment.deliver([first])
        deployment.execute().expect("Published")
        deployment.deliver([second])
        for ended in [one.wait() for one in [deployment.start(), deployment.start(), deployment.start()]]:
            ended.expect("Published", "Skipped")
        deployment.execute().expect("Skipped")
        deployment.verify([first, second])


def eight_publishers(world: World, tally: Tally) -> None:
    """Each has a landing folder of its own, so each has work that no other can do."""
    with world.deployment(tally, "eight") as deployment:
        files = [day.renamed(f"part-{number}/{day.name}") for number, day in enumerate(world.samples.days(PUBLISHERS))]
        deployment.deliver(files)
        requests = [
            {**deployment.request, "landing": f"{deployment.created.lake}/landing/retail/part-{number}/"}
            for number in range(PUBLISHERS)
        ]
        waiting, rounds = requests, 0
        while waiting:
            rounds += 1
            check(rounds <= MOST_ROUNDS, f"{len(waiting)} of {PUBLISHERS} publishers have not published after {MOST_ROUNDS} rounds")
            ended = [(request, running.wait()) for request, running in [(one, deployment.start(one)) for one in waiting]]
            for _, one in ended:
                check(one.outcome != "Failed" or one.error == "CommitConflict", f"{one}")
            waiting = [request for request, one in ended if one.outcome == "Failed"]
        deployment.settle()
        deployment.verify(files)
