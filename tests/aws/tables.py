"""The content of the tables of a lake, read with deltalake from PyPI, an independent Delta reader."""

from __future__ import annotations

import json
import pathlib
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import deltalake
import pyarrow

from bed import Addresses
from json_values import JsonObject
from store import Bucket

# They say when, by which run and from which copy of a file a row was read, so they differ between lakes with the same content.
# The etag depends on the store: our own hash in folders, S3's in buckets.
VOLATILE = frozenset({"_run_id", "_ingested_at", "_ingestion_date", "_source_etag", "_source_modified_at"})
SOURCE = ("_source_file", "_source_etag", "_source_row")
# Columns that together are unique per row. Bronze and quarantine have each record of each version of a file once.
KEYS: dict[str, tuple[str, ...]] = {
    "bronze/sales/transactions": SOURCE,
    "quarantine/sales/transactions": SOURCE,
    "silver/sales/transactions": ("invoice_no", "stock_code", "quantity", "unit_price"),
    "gold/sales/daily_revenue": ("invoice_date", "country"),
    "gold/sales/customer_rfm": ("customer_id",),
}
BRONZE = "bronze/sales/transactions"
# Number of differing rows that are shown of each side.
SHOWN = 3

Rows = Counter[tuple[str, ...]]


@dataclass(frozen=True)
class TableContent:
    """Names and types of the compared columns, and the rows with how often each occurs."""

    columns: tuple[str, ...]
    rows: Rows

    def count(self) -> int:
        return self.rows.total()


LakeContent = dict[str, TableContent]


@dataclass(frozen=True)
class LogEntry:
    """One commit: its version and its actions."""

    version: int
    actions: list[JsonObject]

    def of(self, kind: str) -> list[JsonObject]:
        return [action[kind] for action in self.actions if kind in action]


class Lake(Protocol):
    """A place with tables."""

    # Address of the folder to which `_source_file` is shown relative, ending with `/`.
    landing: str

    def tables(self) -> list[str]: ...

    def open(self, table: str) -> deltalake.DeltaTable: ...


class FolderLake:
    """A lake in a folder."""

    def __init__(self, folder: pathlib.Path, landing: pathlib.Path) -> None:
        self._folder = folder
        self.landing = f"{landing.resolve().as_uri()}/"

    def tables(self) -> list[str]:
        logs = (path for path in self._folder.rglob("_delta_log") if path.is_dir())
        return sorted(log.parent.relative_to(self._folder).as_posix() for log in logs)

    def open(self, table: str) -> deltalake.DeltaTable:
        return deltalake.DeltaTable(str(self._folder / table))


class BucketLake:
    """A lake that is a whole bucket of the bed."""

    def __init__(self, bucket: Bucket, addresses: Addresses) -> None:
        self.bucket = bucket
        self.landing = f"s3://{bucket.name}/landing/retail/"
        self._options = {
            "aws_endpoint_url": addresses.s3,
            "aws_access_key_id": addresses.access_key_id,
            "aws_secret_access_key": addresses.secret_access_key,
            "aws_region": addresses.region,
            "aws_allow_http": "true",
        }

    def tables(self) -> list[str]:
        return sorted({key.split("/_delta_log/")[0] for key in self.bucket.list() if "/_delta_log/" in key})

    def open(self, table: str) -> deltalake.DeltaTable:
        return deltalake.DeltaTable(f"s3://{self.bucket.name}/{table}", storage_options=self._options)

    def log(self, table: str) -> Iterator[LogEntry]:
        """The commits of a table, oldest first."""
        for key in self.bucket.list(f"{table}/_delta_log/"):
            name = key.rsplit("/", 1)[-1]
            if name.endswith(".json") and name.removesuffix(".json").isdecimal():
                lines = self.bucket.get(key).decode().splitlines()
                yield LogEntry(int(name.removesuffix(".json")), [json.loads(line) for line in lines if line])


def content(lake: Lake) -> LakeContent:
    """All tables at their newest versions."""
    return {table: _table_content(lake.open(table).to_pyarrow_table(), lake.landing) for table in lake.tables()}


def _table_content(table: pyarrow.Table, landing: str) -> TableContent:
    names = sorted(name for name in table.column_names if name not in VOLATILE)
    columns = tuple(f"{name} {table.schema.field(name).type}" for name in names)
    values = [_texts(table.column(name).to_pylist(), name, landing) for name in names]
    return TableContent(columns, Counter(zip(*values, strict=True)))


def _texts(values: list[object], name: str, landing: str) -> list[str]:
    if name == "_source_file":
        return [_below(value, landing) for value in values]
    if name == "_unchanged":
        return [repr(value) if value is None else _remembered(str(value), landing) for value in values]
    return [repr(value) for value in values]


def _below(uri: object, landing: str) -> str:
    return urllib.parse.unquote(str(uri).removeprefix(landing))


def _remembered(text: str, landing: str) -> str:
    """The events that a version of a history remembers, without what differs between lakes with the same content."""
    return repr([(event["at"], _below(event["file"], landing), event["row"]) for event in json.loads(text)])


def duplicates(lake: Lake) -> int:
    """How many rows too many the tables have for their keys, over all versions of all tables."""
    found = 0
    for name in lake.tables():
        table = lake.open(name)
        for version in range(table.version() + 1):
            table.load_as_version(version)
            keys = table.to_pyarrow_table(columns=list(KEYS[name]))
            found += keys.num_rows - keys.group_by(list(KEYS[name])).aggregate([]).num_rows
    return found


def differences(expected: LakeContent, found: LakeContent) -> list[str]:
    """The differences between two lakes, in words; empty when both hold the same."""
    problems: list[str] = []
    if expected.keys() != found.keys():
        problems.append(f"tables: expected {sorted(expected)}, found {sorted(found)}")
    for name in sorted(expected.keys() & found.keys()):
        wanted, got = expected[name], found[name]
        if wanted.columns != got.columns:
            problems.append(f"{name}: expected columns {wanted.columns}, found {got.columns}")
        elif wanted.rows != got.rows:
            missing, surplus = wanted.rows - got.rows, got.rows - wanted.rows
            problems.append(
                f"{name}: {missing.total()} rows are missing, such as {_some(missing)}; "
                f"{surplus.total()} are too many, such as {_some(surplus)}"
            )
    return problems


def _some(rows: Rows) -> list[tuple[str, ...]]:
    return sorted(rows)[:SHOWN]


def row_count(lake: LakeContent) -> int:
    return sum(table.count() for table in lake.values())
