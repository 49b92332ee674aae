"""What changed between two versions of a table, in the form in which the caller reads it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _html
from .errors import SluiceError

if TYPE_CHECKING:
    from .table import Table

Row = dict[str, Any]


@dataclass(frozen=True)
class TableDiff:
    """How one version of a table differs from another."""

    table: str
    old: int
    new: int
    key: tuple[str, ...]
    added: int
    removed: int
    changed: int
    """Rows of equal key with other values; 0 where no key was given."""
    unchanged: int
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    changes_by_column: dict[str, int]
    """For each column, how many of the changed rows have another value in it."""
    examples: dict[str, tuple[Row, ...]] = field(repr=False)
    """The rows that the caller asked to see: `added`, `removed`, and `changed` as they are now."""

    @property
    def is_empty(self) -> bool:
        """Whether both versions have the same rows and columns."""
        return not (self.added or self.removed or self.changed or self.columns_added or self.columns_removed)

    def _repr_html_(self) -> str:
        kinds = ("added", "removed", "changed", "unchanged") if self.key else ("added", "removed", "unchanged")
        counts = [(name, f"{getattr(self, name):,}") for name in kinds]
        columns = [(name, f"{count:,}") for name, count in sorted(self.changes_by_column.items())]
        parts: list[_html.Child] = [_html.table(("rows", "number"), counts)]
        if columns:
            parts.append(_html.table(("column", "rows with another value"), columns))
        for words, names in (
            ("columns added", self.columns_added),
            ("columns removed", self.columns_removed),
        ):
            if names:
                parts.append(_html.fact(words, ", ".join(names)))
        for name, rows in self.examples.items():
            if rows:
                heads = list(rows[0])
                cells = [["null" if row[head] is None else str(row[head])[:200] for head in heads] for row in rows]
                parts.append(_html.table(heads, cells, f"{name}: the first {len(rows)}"))
        by = f"by {', '.join(self.key)}" if self.key else "whole rows"
        return _html.card(f"{self.table}: version {self.old} to {self.new}", f"compared {by}", *parts)


class _Version:
    """The rows of a version, page by page. The first page is read at once, because it names the columns."""

    def __init__(self, pages: Iterator[bytes]) -> None:
        self._pages = pages
        self._first = json.loads(next(pages))
        self.version: int = self._first["version"]
        self.columns: tuple[str, ...] = tuple(self._first["rows"][0]) if self._first["rows"] else ()

    def rows(self) -> Iterator[Row]:
        """The rows, once."""
        yield from self._first["rows"]
        self._first = {}
        for page in self._pages:
            yield from json.loads(page)["rows"]


def diff(
    table: Table,
    old: int,
    new: int | None,
    *,
    key: tuple[str, ...],
    preview: int = 0,
    columns: Sequence[str] | None = None,
    filter: str | None = None,
    most_rows: int = 1_000_000,
) -> TableDiff:
    """Compares two versions of a table. The older one is held in memory: as rows with a key, else as digests."""
    if preview < 0:
        raise ValueError(f"preview is {preview}: it must be 0 or more")
    if columns is not None and not set(key) <= set(columns):
        raise ValueError(f"key ({', '.join(key)}) must be among columns")
    before = _Version(table.read(columns=columns, filter=filter, version=old).pages("json"))
    after = _Version(table.read(columns=columns, filter=filter, version=new).pages("json"))
    compare = _by_key if key else _by_row
    counts, by_column, examples = compare(table.address, before, after, key, preview, most_rows)
    # A version without rows says nothing about its columns.
    both = bool(before.columns and after.columns)
    return TableDiff(
        table=table.address,
        old=before.version,
        new=after.version,
        key=key,
        added=counts["added"],
        removed=counts["removed"],
        changed=counts["changed"],
        unchanged=counts["unchanged"],
        columns_added=tuple(name for name in after.columns if name not in before.columns) if both else (),
        columns_removed=tuple(name for name in before.columns if name not in after.columns) if both else (),
        changes_by_column=dict(by_column),
        examples={kind: tuple(rows) for kind, rows in examples.items()},
    )


Outcome = tuple["Counter[str]", "Counter[str]", dict[str, list[Row]]]


def _by_key(
    address: str, before: _Version, after: _Version, key: tuple[str, ...], preview: int, most_rows: int
) -> Outcome:
    """Rows of equal key are the same row."""
    held: dict[bytes, Row] = {}
    for row in before.rows():
        _bounded(address, len(held), most_rows)
        name = _key_of(address, row, key)
        if name in held:
            raise SluiceError(_repeated(address, key, before.version))
        held[name] = row
    counts: Counter[str] = Counter()
    by_column: Counter[str] = Counter()
    examples: dict[str, list[Row]] = {"added": [], "removed": [], "changed": []}
    seen: set[bytes] = set()
    for row in after.rows():
        _bounded(address, len(seen), most_rows)
        name = _key_of(address, row, key)
        if name in seen:
            raise SluiceError(_repeated(address, key, after.version))
        seen.add(name)
        old = held.pop(name, None)
        differing = [] if old is None else [column for column in row if column in old and row[column] != old[column]]
        kind = "added" if old is None else "changed" if differing else "unchanged"
        counts[kind] += 1
        by_column.update(differing)
        if kind in examples and len(examples[kind]) < preview:
            examples[kind].append(row)
    counts["removed"] = len(held)
    examples["removed"] = [row for row, _ in zip(held.values(), range(preview), strict=False)]
    return counts, by_column, examples


def _by_row(
    address: str, before: _Version, after: _Version, key: tuple[str, ...], preview: int, most_rows: int
) -> Outcome:
    """Rows are equal in all columns that both versions have, or are different rows. Equal ones count each time."""
    common = [name for name in before.columns if name in after.columns] or before.columns or after.columns
    held: Counter[bytes] = Counter()
    samples: dict[bytes, Row] = {}
    for number, row in enumerate(before.rows()):
        _bounded(address, number, most_rows)
        name = _digest(row, common)
        held[name] += 1
        if preview:
            samples.setdefault(name, row)
    counts: Counter[str] = Counter()
    examples: dict[str, list[Row]] = {"added": [], "removed": []}
    for row in after.rows():
        name = _digest(row, common)
        # Not `held[name]`: a Counter would keep the question.
        if held.get(name, 0) > 0:
            held[name] -= 1
            counts["unchanged"] += 1
            continue
        counts["added"] += 1
        if len(examples["added"]) < preview:
            examples["added"].append(row)
    counts["removed"] = sum(held.values())
    for name, number in held.items():
        if number > 0 and len(examples["removed"]) < preview:
            examples["removed"].append(samples[name])
    return counts, Counter(), examples


def _key_of(address: str, row: Row, key: tuple[str, ...]) -> bytes:
    missing = [name for name in key if name not in row]
    if missing:
        raise SluiceError(f"{address} has no column {missing[0]} for you: name others as `key`")
    return _digest(row, key)


def _digest(row: Row, columns: Sequence[str]) -> bytes:
    """What stands for a row in memory: 16 bytes, whatever its size."""
    text = json.dumps([row.get(name) for name in columns], ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _bounded(address: str, rows: int, most_rows: int) -> None:
    if rows >= most_rows:
        raise SluiceError(
            f"a version of {address} has more than {most_rows:,} rows to compare: narrow it with `filter` or "
            "`columns`, or give a larger `most_rows`"
        )


def _repeated(address: str, key: tuple[str, ...], version: int) -> str:
    return f"several rows of {address}, version {version}, have the same {', '.join(key)}: name more columns as `key`"
