"""Two independent readers of a local Delta lake: PyPI `deltalake` (delta-rs) and DuckDB's delta extension (delta-kernel)."""

import datetime
import decimal
import glob
import os
import pathlib
import urllib.parse

import deltalake
import duckdb
import duckdb_extension_delta


def connect():
    """A DuckDB connection in UTC with the delta extension of the installed wheel: nothing is downloaded."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    folder = os.path.dirname(duckdb_extension_delta.__file__)
    binaries = glob.glob(os.path.join(folder, "extensions", f"v{duckdb.__version__}", "delta.duckdb_extension"))
    if not binaries:
        raise RuntimeError(f"no delta extension for DuckDB {duckdb.__version__} below {folder}")
    con.execute(f"LOAD {text_literal(binaries[0])}")
    return con


def lake_folder(argument):
    """The folder of a lake given as a path or a file:// URL."""
    if argument.startswith("file://"):
        argument = urllib.parse.unquote(urllib.parse.urlparse(argument).path)
    return pathlib.Path(argument)


def table_folders(lake):
    """Every Delta table below the lake, as {layer/domain/table: folder}."""
    logs = sorted(path for path in lake.rglob("_delta_log") if path.is_dir())
    return {log.parent.relative_to(lake).as_posix(): log.parent for log in logs}


def text_literal(text):
    return "'" + str(text).replace("'", "''") + "'"


def name_literal(name):
    return '"' + name.replace('"', '""') + '"'


def register_deltalake(con, view, folder, version=None):
    """Reads a table with `deltalake` into DuckDB under the name `view`."""
    table = deltalake.DeltaTable(str(folder), version=version).to_pyarrow_table()
    con.register(view, table)
    return table


def create_duckdb_view(con, view, folder, version=None):
    """The same table, read by DuckDB's delta extension."""
    at = "" if version is None else f", version => {int(version)}"
    con.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM delta_scan({text_literal(folder)}{at})")


def columns(con, relation):
    """Column names and DuckDB types of a relation, in order."""
    return {row[0]: row[1] for row in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def differences(con, left, right, names, limit):
    """Multiset difference both ways: counts, and the first rows of each side."""
    picked = ", ".join(name_literal(name) for name in names)
    result = {}
    for side, one, other in (("only_left", left, right), ("only_right", right, left)):
        query = f"SELECT {picked} FROM {one} EXCEPT ALL SELECT {picked} FROM {other}"
        count = con.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]
        rows = con.execute(f"{query} ORDER BY ALL LIMIT {int(limit)}").fetchall() if count else []
        result[side] = {"rows": count, "first": [[plain(value) for value in row] for row in rows]}
    return result


def plain(value):
    """A JSON value for any cell."""
    if isinstance(value, (decimal.Decimal, datetime.date, datetime.time, datetime.timedelta)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return value
