#!/usr/bin/env python3
"""Rows for `cargo xtask bench --merge`, and its rivals: the same rows merged with DuckDB and with `deltalake`.

    merge_job.py rows --rows N [--over M] --out FILE.csv   N rows; with --over, every second one has the id of one of M rows
    merge_job.py deltalake --source FILE.csv --table FOLDER
    merge_job.py duckdb --source FILE.csv --table FILE.parquet
    merge_job.py summary --table FOLDER                    of a Delta table

A rival makes the table where it does not exist, and merges into it where it does: rows of a known id replace the older one.
It prints how many rows the table has and the sum of their amounts, as `summary` does.
"""

import argparse
import json
import os
import pathlib

import duckdb

# As `readings.odcs.yaml` types them.
TYPES = "{'id': 'BIGINT', 'name': 'VARCHAR', 'amount': 'DECIMAL(12,2)', 'day': 'DATE'}"


def rows(arguments):
    # Ids in no order, so that the rows of a day are spread over the whole table. A prime beyond every count that is measured.
    scattered = "CAST((i * 48271) % 2147483647 AS BIGINT)"
    if arguments.over is None:
        numbers, day = "i", "DATE '2026-01-05'"
    else:
        step = max(1, arguments.over // arguments.rows)
        numbers = f"CASE WHEN i % 2 = 0 THEN (i * {step}) % {arguments.over} ELSE {arguments.over} + i END"
        day = "DATE '2026-01-06'"
    query = f"""
        SELECT {scattered} AS id, 'sensor ' || (i % 5000) AS name, (i % 100000) / 100.0 AS amount, {day} AS day
        FROM (SELECT {numbers} AS i FROM range({arguments.rows}) t(i))
    """
    connection = duckdb.connect()
    connection.execute(f"COPY ({query}) TO '{quoted(arguments.out)}' (FORMAT csv, HEADER)")


def quoted(path):
    return str(path).replace("'", "''")


def merge_with_deltalake(arguments):
    import deltalake

    source = duckdb.connect().execute(read_rows(arguments.source)).to_arrow_reader(100_000)
    folder = str(arguments.table)
    if not arguments.table.exists():
        deltalake.write_deltalake(folder, source)
    else:
        merge = deltalake.DeltaTable(folder).merge(
            source=source, predicate="t.id = s.id", source_alias="s", target_alias="t"
        )
        merge.when_matched_update_all(predicate="s.day >= t.day").when_not_matched_insert_all().execute()
    return delta_rows(arguments)


def delta_rows(arguments):
    import deltalake

    files = deltalake.DeltaTable(str(arguments.table)).file_uris()
    return f"read_parquet({[str(file) for file in files]})"


def read_rows(source):
    return f"SELECT * FROM read_csv('{quoted(source)}', header = true, columns = {TYPES})"


def merge_with_duckdb(arguments):
    connection = duckdb.connect()
    table, new = quoted(arguments.table), arguments.table.with_suffix(".new")
    all_rows = read_rows(arguments.source)
    if arguments.table.exists():
        all_rows = f"""
            WITH source AS MATERIALIZED ({all_rows})
            FROM source
            UNION ALL
            FROM read_parquet('{table}') t WHERE NOT EXISTS (SELECT 1 FROM source s WHERE s.id = t.id)
        """
    connection.execute(f"COPY ({all_rows}) TO '{quoted(new)}' (FORMAT parquet, COMPRESSION zstd)")
    os.replace(new, arguments.table)
    return f"read_parquet('{table}')"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    jobs = parser.add_subparsers(dest="job", required=True)
    data = jobs.add_parser("rows")
    data.add_argument("--rows", required=True, type=int)
    data.add_argument("--over", type=int)
    data.add_argument("--out", required=True, type=pathlib.Path)
    for name in ["deltalake", "duckdb"]:
        job = jobs.add_parser(name)
        job.add_argument("--source", required=True, type=pathlib.Path)
        job.add_argument("--table", required=True, type=pathlib.Path)
    jobs.add_parser("summary").add_argument("--table", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.job == "rows":
        rows(arguments)
        return
    steps = {"deltalake": merge_with_deltalake, "duckdb": merge_with_duckdb, "summary": delta_rows}
    table = steps[arguments.job](arguments)
    count, amount = duckdb.connect().execute(f"SELECT count(*), CAST(sum(amount) AS VARCHAR) FROM {table}").fetchone()
    print(json.dumps({"rows": count, "amount": amount}))


if __name__ == "__main__":
    main()
