"""Disasters: a table is damaged, or the lake is lost and its copy in another bucket takes over.

Measured as an operator would: the recovery point is the age of what the tables have right after `sluice restore`, the recovery time
is how long the command and the first run after it take. The copy is what replication leaves: objects arrive in any order, and the last
have not arrived yet.
"""

from __future__ import annotations

import datetime
import json
import random
import sys
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterable

import audit
import tables
from deployment import Deployment
from json_values import JsonObject
from registry import Case, Tally, check, scenario
from tables import TableContent
from world import World

DAYS = 4
# Share of the last run's objects that had not been copied when the lake was lost.
SHARES_LOST = (0.1, 0.5, 0.9)
SILVER = "silver/sales/transactions"


@scenario("disasters")
def cases(world: World) -> Iterable[Case]:
    copies = [
        Case(f"the lake is lost, {share:.0%} of the last run not copied", lambda world, tally, share=share: lost(world, tally, share))
        for share in SHARES_LOST
    ]
    return [Case("a table is broken", broken), *copies]


def published(world: World, deployment: Deployment) -> list[str]:
    """Runs several days, one after the other, and returns the keys that the last run wrote."""
    days = world.samples.days(DAYS)
    before: set[str] = set()
    for day in days:
        before = set(deployment.bucket.list())
        deployment.deliver([day])
        deployment.execute().expect("Published")
    return sorted(set(deployment.bucket.list()) - before)


def restore(world: World, lake: str, *words: str) -> JsonObject:
    command = ["restore", "--lake", lake, "--yes", "--json", *words]
    finished = world.commands.sluice(command, world.bed.addresses.environment())
    check(finished.code == 0, str(finished))
    page: JsonObject = json.loads(finished.stdout)
    return page


def print_recovery(name: str, page: JsonObject, at: datetime.datetime, seconds: float) -> None:
    """Prints recovery point and recovery time."""
    kept = page["restoration"]["tables"]
    newest = max(str(table["to_committed_at"])[:19] for table in kept if table["to_committed_at"])
    age = (at - datetime.datetime.fromisoformat(f"{newest}+00:00")).total_seconds()
    gone = sum(table["to"] != table["from"] for table in kept)
    print(
        f"  {name}: {gone} of {len(kept)} tables set back, to runs of {age:.0f} s before; {page['seconds']:.2f} s for the command, "
        f"{seconds:.1f} s until every table was complete again",
        file=sys.stderr,
    )


def broken(world: World, tally: Tally) -> None:
    with world.deployment(tally, "broken") as deployment:
        published(world, deployment)
        newest = max(deployment.lake.log(SILVER), key=lambda entry: entry.version)
        deployment.bucket.put(f"{SILVER}/{urllib.parse.unquote(newest.of('add')[0]['path'])}", b"\0" * 4096)
        at, began = datetime.datetime.now(datetime.UTC), time.monotonic()
        page = restore(world, deployment.created.lake)
        check(any(table["to"] != table["from"] for table in page["restoration"]["tables"]), f"nothing was set back: {page}")
        deployment.execute().expect("Published")
        print_recovery("a table is broken", page, at, time.monotonic() - began)
        deployment.settle()
        deployment.verify(world.samples.days(DAYS))


def lost(world: World, tally: Tally, share: float) -> None:
    chance = random.Random(f"copied {share}")
    with world.deployment(tally, "lost") as lake, world.deployment(tally, "copy") as copy:
        last = published(world, lake)
        missing = set(chance.sample(last, round(len(last) * share)))
        # Deliveries are written first, minutes before a run completes, so they have been copied.
        missing = {key for key in missing if not key.startswith("landing/")}
        at = datetime.datetime.now(datetime.UTC)
        keys = [key for key in lake.bucket.list() if key not in missing]
        chance.shuffle(keys)
        for key in keys:
            copy.bucket.put(key, lake.bucket.get(key))
        began = time.monotonic()
        page = restore(world, copy.created.lake, "--was", lake.created.lake)
        copy.settle()
        print_recovery(f"the lake is lost, {share:.0%} not copied", page, at, time.monotonic() - began)
        verify_copy(world, tally, copy, lake)


def verify_copy(world: World, tally: Tally, copy: Deployment, lake: Deployment) -> None:
    """Checks that the copy holds exactly what was delivered, whether a row was copied or read again."""
    expected = world.oracle.expected(world.samples.days(DAYS), False)
    found = {name: renamed(table, lake.lake.landing) for name, table in tables.content(copy.lake).items()}
    tally.rows_expected += tables.row_count(expected)
    tally.rows_found += tables.row_count(found)
    apart = tables.differences(expected, found)
    check(not apart, "the copy is wrong: " + "; ".join(apart))
    twice = tables.duplicates(copy.lake)
    tally.duplicates += twice
    check(twice == 0, f"{twice} rows are duplicated in some version")
    orphans = audit.unaudited(copy.lake)
    tally.orphans += sum(rows for _, rows in orphans)
    check(not orphans, f"published without a verdict: {orphans[:5]}")


def renamed(table: TableContent, landing: str) -> TableContent:
    """The rows with the file names of the copy: copied rows still name the files of the original."""
    rows = Counter(
        {tuple(value.removeprefix(landing) for value in row): count for row, count in table.rows.items()}
    )
    return TableContent(table.columns, rows)


