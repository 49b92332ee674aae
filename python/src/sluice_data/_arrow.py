"""Arrow streams as tables of the libraries that are installed. Each library is imported when it is needed."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .errors import MissingExtraError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa


def needed(module: str, extra: str) -> Any:
    """The module, or an error that names the extra which installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module.partition('.')[0]} is not installed: pip install 'sluice-data[{extra}]'"
        ) from error


def reader(pages: Iterable[bytes]) -> pa.RecordBatchReader:
    """A reader over pages of Arrow streams, which holds one page at a time. The first page is read now."""
    arrow, ipc = needed("pyarrow", "arrow"), needed("pyarrow.ipc", "arrow")
    following = iter(pages)
    first = ipc.open_stream(next(following))
    schema = first.schema

    def batches() -> Iterator[pa.RecordBatch]:
        yield from first
        for page in following:
            yield from ipc.open_stream(page)

    return arrow.RecordBatchReader.from_batches(schema, batches())


def to_arrow(pages: Iterable[bytes]) -> pa.Table:
    """One table of all pages."""
    return reader(pages).read_all()


def to_polars(pages: Iterable[bytes]) -> pl.DataFrame:
    """One frame of all pages; pyarrow is not needed."""
    pl = needed("polars", "polars")
    return pl.concat([pl.read_ipc_stream(io.BytesIO(page)) for page in pages], rechunk=False)


def to_pandas(pages: Iterable[bytes], *, arrow_types: bool) -> pd.DataFrame:
    """One frame of all pages, in types of Arrow (exact) or of NumPy."""
    pd = needed("pandas", "pandas")
    table = to_arrow(pages)
    if arrow_types:
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    return table.to_pandas(integer_object_nulls=True)


def to_duckdb(
    pages: Iterable[bytes], connection: duckdb.DuckDBPyConnection | None, name: str | None
) -> duckdb.DuckDBPyRelation:
    """A relation of all pages: over an Arrow table in memory, or over a table of DuckDB with this name."""
    duckdb = needed("duckdb", "duckdb")
    connection = connection if connection is not None else duckdb.default_connection()
    if name is None:
        return connection.from_arrow(to_arrow(pages))
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} is not a plain name for a table of DuckDB: use letters, digits and `_`")
    source = connection.from_arrow(reader(pages))
    source.create(name)
    return connection.table(name)
