"""Tables whose logs are older than the 30 days after which Delta would remove them: every version must stay readable."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from deployment import Deployment
from registry import Case, Tally, check, scenario
from tables import KEYS
from world import World

# Commits until every table has a checkpoint: Delta removes nothing before the first one.
COMMITS = 10
AGE_SECONDS = 40 * 24 * 3600


@scenario("old logs")
def cases(world: World) -> Iterable[Case]:
    return [Case("a run after 40 days", after_a_while, is_long=True)]


def after_a_while(world: World, tally: Tally) -> None:
    with world.deployment(tally, "old") as deployment:
        days = world.samples.days(COMMITS + 1)
        for day in days[:-1]:
            deployment.deliver([day])
            deployment.execute().expect("Published")
        aged = age(world, deployment)
        check(aged >= len(KEYS) * COMMITS, f"{aged} files of logs were aged; the bed keeps them elsewhere")
        tally.faults += aged
        deployment.deliver(days[-1:])
        deployment.execute().expect("Published")
        deployment.execute().expect("Skipped")
        deployment.verify(days)


def age(world: World, deployment: Deployment) -> int:
    """Dates the files of all logs back. S3 has no way to, so it is done where the bed's store keeps its objects."""
    long_ago = time.time() - AGE_SECONDS
    aged = 0
    # This bucket alone: those of other scenarios come and go.
    for path in (world.bed.folder / "data" / "buckets" / deployment.name).rglob("*.json"):
        if "_delta_log" in path.parts:
            os.utime(path, (long_ago, long_ago))
            aged += 1
    return aged
