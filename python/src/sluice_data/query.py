"""Answers to statements of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _arrow, _html
from .table import Preview

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True)
class QueryResult:
    """The answer to one statement: at most 10,000 rows, held as a stream of Arrow."""

    statement: str
    content: bytes = field(repr=False)
    """The stream of Arrow."""

    def to_arrow(self) -> pa.Table:
        """The rows as a table of Arrow."""
        return _arrow.to_arrow([self.content])

    def to_polars(self) -> pl.DataFrame:
        """The rows as a DataFrame of Polars."""
        return _arrow.to_polars([self.content])

    def to_pandas(self, *, arrow_types: bool = True) -> pd.DataFrame:
        """The rows as a DataFrame of pandas, in exact types of Arrow or in NumPy's."""
        return _arrow.to_pandas([self.content], arrow_types=arrow_types)

    def to_duckdb(
        self, connection: duckdb.DuckDBPyConnection | None = None, name: str | None = None
    ) -> duckdb.DuckDBPyRelation:
        """The rows as a relation of DuckDB, or as a table of DuckDB with this name."""
        return _arrow.to_duckdb([self.content], connection, name)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows as dictionaries: decimals as ``Decimal``, instants as ``datetime`` in UTC."""
        for batch in _arrow.reader([self.content]):
            yield from batch.to_pylist()

    def preview(self, rows: int = 10) -> Preview:
        """The first rows, for a notebook to show."""
        first = self.to_arrow().slice(0, rows)
        return Preview("answer", tuple(first.column_names), tuple(first.to_pylist()))

    def _repr_html_(self) -> str:
        try:
            table = self.to_arrow()
        except ImportError:
            return _html.card("answer", "install sluice-data[arrow] to see its columns")
        columns = [(column.name, str(column.type)) for column in table.schema]
        return _html.card(
            f"answer of {table.num_rows:,} row{'' if table.num_rows == 1 else 's'}",
            "preview() shows rows, to_pandas(), to_polars(), to_arrow() and to_duckdb() give them",
            _html.table(("column", "type"), columns),
        )
