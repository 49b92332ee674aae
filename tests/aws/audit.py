"""Checks that everything visible was audited: every file of every version against the verdicts of the runs."""

from __future__ import annotations

import datetime
import json
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from json_values import JsonObject
from tables import BucketLake, LogEntry

CHANGESET = re.compile(r"^runs/[^/]+/(?P<run>[^/]+)/changeset-(?P<attempt>\d+)\.json$")
OF_A_SOURCE = "sluice.source/"
PUBLISHABLE = ("passed", "accepted")


@dataclass(frozen=True)
class Audited:
    """A file that a verdict allows into its table, and when the verdict was made."""

    table: str
    path: str
    at: datetime.datetime


def unaudited(lake: BucketLake) -> list[tuple[str, int]]:
    """Files that some version of a table shows although no verdict allowed them, with their rows."""
    audited: dict[tuple[str, str], datetime.datetime] = {}
    for file in _audited(lake):
        audited[(file.table, file.path)] = file.at
    found: list[tuple[str, int]] = []
    for table in lake.tables():
        for entry in lake.log(table):
            found += [
                (f"{table} version {entry.version}: {add['path']}", _rows(add))
                for add in entry.of("add")
                if not _is_covered(audited.get((table, urllib.parse.unquote(add["path"]))), entry)
            ]
    return found


def _audited(lake: BucketLake) -> Iterator[Audited]:
    for key in lake.bucket.list("runs/"):
        matched = CHANGESET.match(key)
        if matched is None:
            continue
        verdict = lake.bucket.find_json(key.replace("/changeset-", "/verdict-"))
        if verdict is None or verdict["decision"] not in PUBLISHABLE:
            continue
        at = _instant(verdict["audited_at"])
        for change in lake.bucket.json(key)["tables"]:
            for add in change["adds"]:
                yield Audited(change["table"], urllib.parse.unquote(add["path"]), at)


def _is_covered(audited_at: datetime.datetime | None, entry: LogEntry) -> bool:
    """A verdict that was made after the commit covers nothing."""
    if audited_at is None:
        return False
    committed = [info["timestamp"] for info in entry.of("commitInfo")]
    # One side has milliseconds, the other a finer resolution.
    return all(audited_at.timestamp() * 1000 <= instant + 1 for instant in committed)


def _instant(text: str) -> datetime.datetime:
    # Python reads microseconds, we write nanoseconds.
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00"))


def _rows(add: JsonObject) -> int:
    """Rows of a file; a file with an unknown number counts as one row, so that it is never overlooked."""
    return max(1, json.loads(add["stats"])["numRecords"]) if add.get("stats") else 1


def repeated_sources(lake: BucketLake) -> list[str]:
    """Source objects that more than one commit of a table added, by the `txn` of each."""
    repeated: list[str] = []
    for table in lake.tables():
        brought = Counter(
            txn["appId"] for entry in lake.log(table) for txn in entry.of("txn") if txn["appId"].startswith(OF_A_SOURCE)
        )
        repeated += [f"{table}: {source} in {times} commits" for source, times in brought.items() if times > 1]
    return repeated


def commits_of_run(lake: BucketLake, run_id: str) -> dict[str, int]:
    """How many commits of each table carry the `txn` of this run, whatever the attempt."""
    prefix = f"sluice.run/{run_id}/"
    return {
        table: sum(any(txn["appId"].startswith(prefix) for txn in entry.of("txn")) for entry in lake.log(table))
        for table in lake.tables()
    }
