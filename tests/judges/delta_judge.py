#!/usr/bin/env python3
"""Checks every Delta table below a lake with two independent readers.

    delta_judge.py --lake LAKE [--table silver/sales/transactions ...]

Per table: `deltalake` and DuckDB's delta extension see the same columns and rows; every Add action of the log has
statistics (numRecords, minValues, maxValues, nullCount) and a partition value for every partition column; the
statistics of the live files are true for the Parquet they describe; every version from 0 to the newest can be read by
both. Exit code 0 all good, 1 problems found, JSON on stdout.
"""

import argparse
import decimal
import json
import re
import sys
import urllib.parse

import deltalake
import pyarrow.parquet

import lake_readers as readers

STATISTICS = ("numRecords", "minValues", "maxValues", "nullCount")


def log_actions(folder):
    """(version, action name, action) of every JSON commit still in the log, in order."""
    commits = sorted(path for path in (folder / "_delta_log").iterdir() if re.fullmatch(r"\d{20}\.json", path.name))
    for commit in commits:
        for line in commit.read_text(encoding="utf-8").splitlines():
            if line.strip():
                for name, action in json.loads(line).items():
                    yield int(commit.stem), name, action


def judge_adds(folder, problems):
    """Checks statistics and partition values of every Add; returns how many were seen, and the Adds of live files."""
    partition_columns, live, adds = [], {}, 0
    for version, name, action in log_actions(folder):
        if name == "metaData":
            partition_columns = action["partitionColumns"]
        elif name == "remove":
            live.pop(action["path"], None)
        elif name == "add":
            adds += 1
            live[action["path"]] = action
            where = f"version {version}, file {action['path']}"
            if sorted(action.get("partitionValues") or {}) != sorted(partition_columns):
                problems.append(f"{where}: partitionValues {action.get('partitionValues')} for {partition_columns}")
            statistics = json.loads(action["stats"]) if action.get("stats") else {}
            missing = [key for key in STATISTICS if key not in statistics]
            if missing:
                problems.append(f"{where}: no {', '.join(missing)} in the statistics")
    return adds, live, partition_columns


def judge_file(con, folder, action, problems):
    """Compares the statistics of a live file with the file itself."""
    path = folder / urllib.parse.unquote(action["path"])
    where = f"file {action['path']}"
    if not path.is_file():
        problems.append(f"{where}: is in the log but not in the folder")
        return
    if path.stat().st_size != action["size"]:
        problems.append(f"{where}: size {action['size']} in the log, {path.stat().st_size} on disk")
    # Bounds of decimals have more digits than a float.
    statistics = json.loads(action["stats"], parse_float=decimal.Decimal) if action.get("stats") else {}
    rows = pyarrow.parquet.read_metadata(path).num_rows
    if statistics.get("numRecords") != rows:
        problems.append(f"{where}: numRecords {statistics.get('numRecords')}, the file has {rows}")
    source = f"read_parquet({readers.text_literal(path)}, hive_partitioning=false)"
    types = readers.columns(con, source)
    checks, labels = [], []
    for column, kind in types.items():
        quoted = readers.name_literal(column)
        nulls = (statistics.get("nullCount") or {}).get(column)
        if nulls is None:
            continue
        checks.append(f"count(*) - count({quoted}) = {int(nulls)}")
        labels.append(f"nullCount of {column} is {nulls}")
        for key, comparison in (("minValues", "min({c}) >= {v}"), ("maxValues", "max({c}) <= {v}")):
            value = (statistics.get(key) or {}).get(column)
            if value is None:
                continue
            if key == "maxValues" and kind == "VARCHAR" and len(value) >= 32:
                continue  # a long text's maximum may be cut and padded: readers allow for it
            literal = f"CAST({readers.text_literal(json.dumps(value) if isinstance(value, bool) else value)} AS {kind})"
            if kind.startswith("TIMESTAMP"):
                # Delta writes timestamps in milliseconds: the true maximum may lie within that millisecond.
                literal = f"({literal} + INTERVAL 1 MILLISECOND)" if key == "maxValues" else literal
            checks.append(f"coalesce({comparison.format(c=quoted, v=literal)}, true)")
            labels.append(f"{key} of {column} is {value}")
    if not checks:
        problems.append(f"{where}: no column has statistics")
        return
    outcome = con.execute(f"SELECT {', '.join(checks)} FROM {source}").fetchone()
    problems += [f"{where}: {label}, but the file differs" for label, good in zip(labels, outcome) if not good]


def judge_time_travel(con, folder, newest, problems):
    """Compares the row counts of every version between both readers."""
    versions = []
    for version in range(newest + 1):
        try:
            table = deltalake.DeltaTable(str(folder), version=version)
            ours = table.to_pyarrow_dataset().count_rows()
            query = f"SELECT count(*) FROM delta_scan({readers.text_literal(folder)}, version => {version})"
            theirs = con.execute(query).fetchone()[0]
        except Exception as error:  # any failure of a third-party reader is a finding
            problems.append(f"version {version} cannot be read: {error}")
            continue
        if ours != theirs:
            problems.append(f"version {version}: deltalake counts {ours} rows, DuckDB {theirs}")
        versions.append({"version": version, "rows": ours})
    return versions


def judge_table(name, folder):
    problems = []
    report = {"table": name}
    con = readers.connect()
    try:
        adds, live, partition_columns = judge_adds(folder, problems)
        table = deltalake.DeltaTable(str(folder))
        report.update(version=table.version(), adds=adds, partition_columns=partition_columns)
        in_log = {urllib.parse.unquote(path) for path in live}
        in_snapshot = {urllib.parse.unquote(path) for path in table.get_add_actions(flatten=True)["path"].to_pylist()}
        if in_log - in_snapshot or (in_snapshot - in_log and 0 in {v for v, _, _ in log_actions(folder)}):
            problems.append("the files of the newest snapshot are not those a replay of the log gives")
        for action in live.values():
            judge_file(con, folder, action, problems)
        readers.register_deltalake(con, "by_deltalake", folder)
        readers.create_duckdb_view(con, "by_duckdb", folder)
        ours, theirs = readers.columns(con, "by_deltalake"), readers.columns(con, "by_duckdb")
        if ours != theirs:
            problems.append(f"deltalake sees columns {ours}, DuckDB {theirs}")
        else:
            found = readers.differences(con, "by_deltalake", "by_duckdb", list(ours), 3)
            if found["only_left"]["rows"] or found["only_right"]["rows"]:
                problems.append(f"the two readers see different rows: {json.dumps(found)}")
        report.update(
            rows=con.execute("SELECT count(*) FROM by_deltalake").fetchone()[0],
            files=len(in_snapshot),
            versions=judge_time_travel(con, folder, table.version(), problems),
        )
    except Exception as error:  # any failure of a third-party reader is a finding
        problems.append(f"cannot be read: {type(error).__name__}: {error}")
    finally:
        con.close()
    return {**report, "good": not problems, "problems": problems}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True, help="folder or file:// URL of the lake")
    parser.add_argument("--table", action="append", help="only this table (layer/domain/name); may be repeated")
    arguments = parser.parse_args()
    lake = readers.lake_folder(arguments.lake)
    folders = readers.table_folders(lake)
    unknown = sorted(set(arguments.table or []) - set(folders))
    if unknown or not folders:
        sys.exit(f"delta_judge: no Delta table {', '.join(unknown) or 'at all'} below {lake}")
    reports = [judge_table(name, folders[name]) for name in (arguments.table or folders)]
    good = all(report["good"] for report in reports)
    print(json.dumps({"good": good, "tables": reports}, indent=2))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
