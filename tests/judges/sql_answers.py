#!/usr/bin/env python3
"""Answers SQL statements over small tables with DuckDB, for the fuzzer of the SQL subset.

Reads lines of JSON: {"tables": [{"name", "columns": [[name, type]], "rows": [[text or null]]}], "statements": [sql]}.
Instants are written in microseconds of the epoch. Prints one line of JSON for each: a list with, for each statement,
{"rows": [[text or null]]} or {"error": message}.
"""

import datetime
import decimal
import json
import sys

import duckdb

EPOCH = datetime.datetime(1970, 1, 1)
# The subset's TIMESTAMP is an instant in UTC; DuckDB's has no zone, so its fields are those of UTC.
READ = {"TIMESTAMP": "make_timestamp(CAST(? AS BIGINT))"}


def text(value):
    """A value as the engine's side writes it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return str((value - EPOCH) // datetime.timedelta(microseconds=1))
    if isinstance(value, datetime.date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def load(con, table):
    columns = table["columns"]
    shown = ", ".join(f"{name} {kind}" for name, kind in columns)
    con.execute(f"CREATE OR REPLACE TABLE {table['name']} ({shown})")
    values = ", ".join(READ.get(kind, f"CAST(? AS {kind})") for _, kind in columns)
    for row in table["rows"]:
        con.execute(f"INSERT INTO {table['name']} VALUES ({values})", row)


def answer(con, statement):
    try:
        return {"rows": [[text(value) for value in row] for row in con.execute(statement).fetchall()]}
    except duckdb.Error as error:
        return {"error": str(error)}


def main():
    con = duckdb.connect()
    con.execute("SET threads = 1")
    for line in sys.stdin:
        question = json.loads(line)
        for table in question["tables"]:
            load(con, table)
        print(json.dumps([answer(con, statement) for statement in question["statements"]]), flush=True)


if __name__ == "__main__":
    main()
