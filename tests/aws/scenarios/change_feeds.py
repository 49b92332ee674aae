"""Change feeds, whose delete events have a table of their own, and full snapshots: the tables are those of the command.

The executions bring the events out of order: updates after the delete event of their key, and delete events of keys that come later.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import small_pipelines
from deployment import Deployment
from faults import Fault, s3
from registry import Case, Tally, check, scenario
from samples import SourceFile
from world import World

DELETES = "deletes/sales/orders"
FOLLOWED = """\
columns: { id: id, name: name, amount: amount, day: day, op: op }
    mode: MODE
    keys: [id]
    latest_by: day
    delete_when: op = 'D'"""
# How the table takes in what is delivered.
FEEDS = {mode: FOLLOWED.replace("MODE", mode) for mode in ("merge", "scd2")}
# Compared with the table, or put in the place of all that it has.
FOLLOWED_WHOLE = {
    "snapshot": "columns: { id: id, name: name, amount: amount, day: day }\n    mode: snapshot\n    keys: [id]",
    "replace": "columns: { id: id, name: name, amount: amount, day: day }\n    mode: replace",
}
ORDERS = 60
EVENTS_OF_A_FILE = 200
FILES = 4
# The process of publish ends with a commit: before it, after it, and with its answer lost.
BROKEN_COMMITS = {
    "a death before the commit of delete events": ("kill_before", rf"^{DELETES}/_delta_log/\d+\.json$"),
    "a death after the commit of delete events": ("kill_after", rf"^{DELETES}/_delta_log/\d+\.json$"),
    "a death after the commit of the table": ("kill_after", r"^silver/sales/orders/_delta_log/\d+\.json$"),
    "the answer to the commit of delete events is lost": ("lose_answer", rf"^{DELETES}/_delta_log/\d+\.json$"),
}


@scenario("change feeds")
def cases(world: World) -> Iterable[Case]:
    followed = [Case(f"out of order, in several runs: {mode}", partial(several_runs, mode)) for mode in FEEDS]
    broken = [
        Case(f"{what}: {mode}", partial(one_fault, mode, s3(do, "publish", "PutObject", key)))
        for what, (do, key) in BROKEN_COMMITS.items()
        # A soak tries both modes.
        for mode in (FEEDS if world.scope.is_soak else ("merge",))
    ]
    whole = [Case(f"full snapshots: {mode}", partial(snapshots, mode)) for mode in FOLLOWED_WHOLE]
    return [*followed, *broken, *whole, Case("two executions over the same events", at_once)]


def events(number: int) -> SourceFile:
    """Events whose days go up and down over the files, so that each file has events that are older than those of the file before."""
    lines = ["op,id,name,amount,day"]
    for row in range(EVENTS_OF_A_FILE):
        place = row * FILES + (number * 3) % FILES
        order, day = (place * 7) % ORDERS, place * 37 % (ORDERS * 4)
        date = f"2026-{1 + day // 28:02}-{1 + day % 28:02}"
        # One of seven, whatever the order: some orders end deleted, others come back.
        is_deleted = (order + day) % 7 == 0
        # One of fifty has no amount: a row for the quarantine, unless it is a delete event.
        amount = "" if row % 50 == 49 else f"{place % 500}.{place % 100:02}"
        lines.append(f"{'D' if is_deleted else 'U'},{order},name {order % 5},{amount},{date}")
    return SourceFile(f"{number}.csv", ("\n".join(lines) + "\n").encode())


def several_runs(mode: str, world: World, tally: Tally) -> None:
    with world.deployment(tally, f"feed-{mode}") as deployment:
        pipeline = small_pipelines.orders(FEEDS[mode])
        pipeline.deploy(deployment)
        deliveries = [[events(0)], [events(1), events(2)], [events(3)]]
        for files in deliveries:
            deployment.deliver(files)
            deployment.execute().expect("Published")
        deployment.execute().expect("Skipped")
        check_deletes(deployment)
        pipeline.judge(world, deployment, deliveries)


def one_fault(mode: str, fault: Fault, world: World, tally: Tally) -> None:
    """Publish breaks off in the second run, and what it had not committed is committed without help."""
    with world.deployment(tally, f"broken-{mode}") as deployment:
        small_pipelines.orders(FEEDS[mode]).judge_after(fault, world, deployment, [events(0)], [events(1)])
        check_deletes(deployment)


def at_once(world: World, tally: Tally) -> None:
    with world.deployment(tally, "feed-twice") as deployment:
        pipeline = small_pipelines.orders(FEEDS["merge"])
        pipeline.deploy(deployment)
        files = [events(number) for number in range(FILES)]
        deployment.deliver(files)
        ended = [one.wait().expect("Published", "Skipped") for one in [deployment.start(), deployment.start()]]
        check(any(one.last_state == "Published" for one in ended), f"nobody published: {ended}")
        deployment.settle()
        pipeline.judge(world, deployment, [files])


def check_deletes(deployment: Deployment) -> None:
    """Checks that events did remove rows, so that the case proves something."""
    check(DELETES in deployment.lake.tables(), f"without {DELETES}: {deployment.lake.tables()}")


def snapshots(mode: str, world: World, tally: Tally) -> None:
    """Each delivery has every order: keys are added, changed and missing. Compared, the same snapshot again changes nothing."""
    with world.deployment(tally, mode) as deployment:
        pipeline = small_pipelines.orders(FOLLOWED_WHOLE[mode])
        pipeline.deploy(deployment)
        deliveries = [[extract(0)], [extract(1)], [extract(1).renamed("2-again.csv")]]
        for files in deliveries:
            deployment.deliver(files)
            deployment.execute().expect("Published")
        deployment.execute().expect("Skipped")
        versions = [entry for entry in deployment.lake.log("silver/sales/orders") if entry.of("add") or entry.of("remove")]
        expected = 2 if mode == "snapshot" else 3
        check(len(versions) == expected, f"{len(versions)} versions of the table have files, not {expected}")
        pipeline.judge(world, deployment, deliveries)


def extract(number: int) -> SourceFile:
    lines = ["id,name,amount,day"]
    for order in range(number * 5, ORDERS + number * 3):
        lines.append(f"{order},name {order % 5},{order + number * (order % 4 == 0)}.00,2026-01-05")
    return SourceFile(f"{number}.csv", ("\n".join(lines) + "\n").encode())
