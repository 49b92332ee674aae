"""Tables with log entries older than 30 days, which Delta would remove by default: every version must stay readable."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from deployment import Deployment
from registry import Case, Tally, check, scenario
from tables import KEYS
from world import World

# Commits until every table has a checkpoint: Delta removes nothing before the first checkpoint.
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
        check(aged >= len(KEYS) * COMMITS, f"{aged} log files were aged; the bed keeps them elsewhere")
        tally.faults += aged
        deployment.deliver(days[-1:])
        deployment.execute().expect("Published")
        deployment.execute().expect("Skipped")
        deployment.verify(days)


def age(world: World, deployment: Deployment) -> int:
    """Makes the files of all logs older. S3 offers no way to do that, so it is done in the folder of the bed's store."""
    long_ago = time.time() - AGE_SECONDS
    aged = 0
    # Only this bucket: those of other scenarios are created and removed meanwhile.
    for path in (world.bed.folder / "data" / "buckets" / deployment.name).rglob("*.json"):
        if "_delta_log" in path.parts:
            os.utime(path, (long_ago, long_ago))
            aged += 1
    return aged
