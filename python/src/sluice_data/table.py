"""Tables of data products, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypedDict

from . import _arrow, _html
from ._transport import Transport
from ._values import LINEAGE_TYPES, decoder
from .diff import TableDiff, diff
from .models import Column, Port, Quality

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from typing_extensions import Unpack

LARGEST_PAGE = 10_000
"""Most rows of one page, as the API limits them."""


class ReadOptions(TypedDict, total=False):
    """What to read of a table; all of the newest version when nothing is given."""

    columns: Sequence[str] | None
    """Columns, in this order. Lineage columns (``_source_file``, …) are given when they are named."""
    filter: str | None
    """Only rows for which this predicate of the SQL subset is true, such as ``"country = 'France'"``."""
    order: str | Sequence[str] | None
    """Columns to order by; ``-`` in front for descending."""
    limit: int | None
    """Most rows in all."""
    version: int | None
    """The table as it was at this version."""
    as_of: datetime | None
    """The table as it was at this instant; it must have a time zone."""
    page_rows: int
    """Most rows of one page, 1 to 10,000: what is in memory at a time in `batches()` and `rows()`."""


@dataclass(frozen=True)
class Table:
    """A table of a data product: one of its output ports."""

    address: str
    """``<domain>.<product>.<port>``, as SQL names it."""
    port: Port
    _path: str
    _transport: Transport

    @property
    def name(self) -> str:
        """The port's name."""
        return self.port.name

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns as you read them."""
        return self.port.columns

    def quality(self) -> Quality:
        """The audits of the table, the newest first."""
        return Quality._of(self._transport.get(f"{self._path}/quality", {"port": self.name}).json())

    def contract(self) -> str:
        """The data contract, as YAML (Open Data Contract Standard)."""
        return self._transport.get(f"{self._path}/contract", {"port": self.name}).body.decode()

    def read(self, **options: Unpack[ReadOptions]) -> Reading:
        """What to read, as a value: nothing is asked before rows are taken from it."""
        return Reading._of(self, **options)

    def to_pandas(self, *, arrow_types: bool = True, **options: Unpack[ReadOptions]) -> pd.DataFrame:
        """The rows as a DataFrame of pandas; see :meth:`Reading.to_pandas`."""
        return self.read(**options).to_pandas(arrow_types=arrow_types)

    def to_polars(self, **options: Unpack[ReadOptions]) -> pl.DataFrame:
        """The rows as a DataFrame of Polars."""
        return self.read(**options).to_polars()

    def to_arrow(self, **options: Unpack[ReadOptions]) -> pa.Table:
        """The rows as a table of Arrow."""
        return self.read(**options).to_arrow()

    def to_duckdb(
        self,
        connection: duckdb.DuckDBPyConnection | None = None,
        name: str | None = None,
        **options: Unpack[ReadOptions],
    ) -> duckdb.DuckDBPyRelation:
        """The rows as a relation of DuckDB; see :meth:`Reading.to_duckdb`."""
        return self.read(**options).to_duckdb(connection, name)

    def batches(self, **options: Unpack[ReadOptions]) -> Iterator[pa.RecordBatch]:
        """The rows in batches of Arrow, with one page in memory at a time."""
        return self.read(**options).batches()

    def rows(self, **options: Unpack[ReadOptions]) -> Iterator[dict[str, Any]]:
        """The rows as dictionaries with exact values; needs no other library."""
        return self.read(**options).rows()

    def preview(self, rows: int = 10, **options: Unpack[ReadOptions]) -> Preview:
        """The first rows, for a notebook to show."""
        options["limit"] = rows
        names = tuple(options.get("columns") or (column.name for column in self.columns))
        return Preview(self.address, names, tuple(self.rows(**options)))

    def diff(
        self, old: int, new: int | None = None, *, key: Sequence[str] = (), preview: int = 0, **how: Any
    ) -> TableDiff:
        """What changed between two versions, in the form in which you read the table.

        With `key`, rows of equal key are the same row, which may have changed; without, rows are added or removed as
        a whole. `preview` rows of each kind are kept for the notebook to show; without it no value is. `how` may have
        `columns`, `filter` and `most_rows` (rows of one version that are held in memory, 1,000,000 when left out).
        """
        return diff(self, old, new, key=tuple(key), preview=preview, **how)

    def __repr__(self) -> str:
        return f"<Table {self.address}: {len(self.columns)} columns>"

    def _repr_html_(self) -> str:
        return table_html(self)


@dataclass(frozen=True)
class Reading:
    """Rows of a table that are asked for when they are taken. All pages are of one version."""

    table: Table
    _query: dict[str, Any]
    _limit: int | None
    _page_rows: int
    _columns: tuple[str, ...] | None

    @classmethod
    def _of(
        cls,
        table: Table,
        *,
        columns: Sequence[str] | None = None,
        filter: str | None = None,
        order: str | Sequence[str] | None = None,
        limit: int | None = None,
        version: int | None = None,
        as_of: datetime | None = None,
        page_rows: int = LARGEST_PAGE,
    ) -> Reading:
        if isinstance(columns, str):
            raise TypeError(f"columns is a list of names: write [{columns!r}]")
        if columns is not None and not columns:
            raise ValueError("columns is empty: name a column, or leave it out to read all")
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        if not 1 <= page_rows <= LARGEST_PAGE:
            raise ValueError(f"page_rows is {page_rows}: it must be 1 to {LARGEST_PAGE}")
        if as_of is not None and as_of.tzinfo is None:
            raise ValueError("as_of has no time zone: write datetime(…, tzinfo=timezone.utc)")
        for name in columns or ():
            if "," in name:
                raise ValueError(f"{name!r} is not the name of a column")
        query = {
            "port": table.name,
            "columns": ",".join(columns) if columns else None,
            "filter": filter,
            "order": order if order is None or isinstance(order, str) else ",".join(order),
            "version": version,
            "as_of": as_of and as_of.astimezone(timezone.utc).isoformat().replace("+00:00", "Z"),
        }
        return cls(table, query, limit, page_rows, tuple(columns) if columns else None)

    def pages(self, format: str = "arrow") -> Iterator[bytes]:
        """The answers of the API page by page, in one of its formats: arrow, parquet, csv, ndjson or json.

        One page is in memory at a time. The first page comes also when no row fits.
        """
        left, cursor = self._limit, None
        while True:
            rows = self._page_rows if left is None else min(left, self._page_rows)
            query = {**self._query, "limit": rows, "cursor": cursor, "format": format}
            answer = self.table._transport.get(f"{self.table._path}/rows", query)
            yield answer.body
            cursor = answer.headers.get("sluice-next-cursor")
            left = None if left is None else left - rows
            if cursor is None or left == 0:
                return

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in batches of Arrow, with one page in memory at a time."""
        return iter(self.reader())

    def reader(self) -> pa.RecordBatchReader:
        """The rows as a stream of Arrow, which other libraries take as it is. It can be read once."""
        return _arrow.reader(self.pages())

    def to_arrow(self) -> pa.Table:
        """All rows as a table of Arrow."""
        return _arrow.to_arrow(self.pages())

    def to_polars(self) -> pl.DataFrame:
        """All rows as a DataFrame of Polars."""
        return _arrow.to_polars(self.pages())

    def to_pandas(self, *, arrow_types: bool = True) -> pd.DataFrame:
        """All rows as a DataFrame of pandas.

        Columns have types of Arrow, which are exact: decimals stay decimals, and whole numbers with nulls stay whole
        numbers. With `arrow_types=False` they have NumPy's: decimals, and whole numbers with nulls, are objects.
        """
        return _arrow.to_pandas(self.pages(), arrow_types=arrow_types)

    def to_duckdb(
        self, connection: duckdb.DuckDBPyConnection | None = None, name: str | None = None
    ) -> duckdb.DuckDBPyRelation:
        """All rows as a relation of DuckDB, over an Arrow table in memory.

        With `name`, a table of DuckDB is made page by page, and the relation is over that: for what is larger than
        the memory, in a DuckDB that has a file.
        """
        return _arrow.to_duckdb(self.pages(), connection, name)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows as dictionaries: decimals as ``Decimal``, instants as ``datetime`` in UTC, days as ``date``."""
        types = LINEAGE_TYPES | {column.name: column.type for column in self.table.columns}
        decoders = {name: decoder(type_name) for name, type_name in types.items()}
        for page in self.pages("json"):
            for row in json.loads(page)["rows"]:
                names = self._columns or row
                yield {name: decoders[name](row[name]) if name in decoders else row[name] for name in names}

    def __repr__(self) -> str:
        given = {name: value for name, value in self._query.items() if value is not None and name != "port"}
        return f"<Reading of {self.table.address}: {given}>"


@dataclass(frozen=True)
class Preview:
    """A few rows that the caller asked to see."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    def _repr_html_(self) -> str:
        return preview_html(self.title, self.columns, self.rows)


def preview_html(title: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Rows as a table; a null is shown as such."""
    cells = [[shown(row.get(name)) for name in columns] for row in rows]
    return _html.card(title, f"{len(rows)} row{'' if len(rows) == 1 else 's'}", _html.table(columns, cells))


def shown(value: Any) -> _html.Child:
    """A value of a cell, cut where it is long."""
    if value is None:
        return _html.element("em", "null", style="opacity:.6")
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def table_html(table: Table) -> _html.Html:
    """The page of a table: what it has, never a value of it."""
    port = table.port
    rows = "rows held back from you" if port.row_filter else f"{port.rows:,} rows" if port.rows is not None else ""
    state = f"version {port.table_version}, {rows}" if port.table_version is not None else "not published yet"
    columns = [
        (column.name, column.type, column.classification, treatment(column), column.description)
        for column in port.columns
    ]
    promises = [
        (item.property, f"{item.value} {item.unit or ''}".strip(), item.observed, met(item.met))
        for item in port.promises
    ]
    return _html.card(
        table.address,
        port.description or "",
        _html.fact("state", state),
        _html.fact("contract", f"{port.contract_id} {port.contract_version}"),
        _html.fact("read by", ", ".join(port.ways)),
        _html.table(("promise", "value", "observed", ""), promises) if promises else None,
        _html.table(("column", "type", "class", "you read", "meaning"), columns),
    )


def treatment(column: Column) -> _html.Child:
    """How a column is read, in a word that says more than the policy's."""
    words = {"clear": "as it is", "hash": "hashed", "partial": "in part", "null": "always null"}
    word = words.get(column.treatment, column.treatment)
    return word if column.treatment == "clear" else _html.badge(word)


def met(value: bool | None) -> _html.Child:
    """Whether a promise is kept."""
    if value is None:
        return "not measured"
    return _html.badge("kept", _html.GOOD) if value else _html.badge("not kept", _html.BAD)
