#!/usr/bin/env python3
"""DuckDB, in its own process, over the files of the table that `cargo xtask bench --apis` serves: the same two questions.

    apis_duckdb.py TABLE_FOLDER [--seconds 20] [--callers 8]

Prints one JSON object. The files are those of the newest version, so that no extension is needed; no network is between
caller and engine, and nobody checks who asks.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import threading
import time

import duckdb
from deltalake import DeltaTable

DAYS = [f"2026-01-{day:02}" for day in range(5, 25)]
QUESTIONS = {
    "100 rows of 10 million by range": (
        "SELECT * FROM rows WHERE invoice_ts >= TIMESTAMPTZ '{day} 10:00:00+00' "
        "AND invoice_ts < TIMESTAMPTZ '{day} 10:30:00+00' LIMIT 100"
    ),
    "aggregate over half a day": (
        "SELECT country, COUNT(*), SUM(quantity) FROM rows WHERE invoice_ts >= TIMESTAMPTZ '{day} 00:00:00+00' "
        "AND invoice_ts < TIMESTAMPTZ '{day} 12:00:00+00' GROUP BY country"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--callers", type=int, default=8, help="threads that ask, each with a cursor of its own")
    options = parser.parse_args()
    files = DeltaTable(str(options.table)).file_uris()
    connection = duckdb.connect()
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    connection.execute(f"CREATE VIEW rows AS SELECT * FROM read_parquet([{listed}])")
    measured = {name: measure(connection, text, options) for name, text in QUESTIONS.items()}
    print(json.dumps({"callers": options.callers, **measured}))


def measure(connection: duckdb.DuckDBPyConnection, text: str, options: argparse.Namespace) -> dict[str, float]:
    days, lock, times = itertools.cycle(DAYS), threading.Lock(), []
    until = time.monotonic() + options.seconds

    def ask() -> None:
        cursor = connection.cursor()
        while time.monotonic() < until:
            with lock:
                day = next(days)
            began = time.monotonic()
            # As the HTTP APIs do: the answer as JSON text.
            json.dumps(cursor.execute(text.format(day=day)).fetchall(), default=str)
            with lock:
                times.append(time.monotonic() - began)

    began = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(options.callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    times.sort()
    at = lambda percent: round(1000 * times[(len(times) - 1) * percent // 100], 2)  # noqa: E731
    return {"requests_per_second": round(len(times) / took, 1), "p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99)}


if __name__ == "__main__":
    main()
