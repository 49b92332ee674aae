"""A commit succeeds but its response is lost: exactly one commit exists, found by its `txn`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from audit import commits_of_run
from deployment import Deployment
from faults import Fault, s3
from registry import Case, Tally, check, scenario
from tables import KEYS
from world import World


def lost_answers(version: int) -> list[Fault]:
    """Loses the response to the commit of this version, once for every table."""
    return [s3("lose_answer", "publish", "PutObject", f"^{table}/_delta_log/0*{version}\\.json$") for table in KEYS]


@scenario("lost commit answers")
def cases(world: World) -> Iterable[Case]:
    every = Case("every table, created and extended", every_table)
    if not world.scope.is_soak:
        return [every]
    single = [
        Case(f"{table} version {version}", partial(one_table, table, version))
        for table in KEYS
        for version in (0, 1)
    ]
    return [every, *single]


def every_table(world: World, tally: Tally) -> None:
    with world.deployment(tally, "lost") as deployment:
        days = world.samples.days(2)
        for version, day in enumerate(days):
            deployment.deliver([day])
            lost(deployment, lost_answers(version), version)
        deployment.execute().expect("Skipped")
        deployment.verify(days)


def one_table(table: str, version: int, world: World, tally: Tally) -> None:
    with world.deployment(tally, "lost") as deployment:
        days = world.samples.days(version + 1)
        for day in days[:-1]:
            deployment.deliver([day])
            deployment.execute().expect("Published")
        deployment.deliver(days[-1:])
        lost(deployment, [fault for fault in lost_answers(version) if table in (fault.key or "")], version)
        deployment.verify(days)


def lost(deployment: Deployment, faults: list[Fault], version: int) -> None:
    """Runs with these responses lost. The run must succeed without help, and each table must have exactly one commit of it."""
    with deployment.faults(faults):
        ended = deployment.execute().expect("Published")
    commits = commits_of_run(deployment.lake, ended.name)
    check(commits == dict.fromkeys(KEYS, 1), f"commits of the run: {commits}")
    newest = {table: deployment.lake.open(table).version() for table in KEYS}
    check(newest == dict.fromkeys(KEYS, version), f"versions of the tables: {newest}")
