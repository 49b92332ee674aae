#!/usr/bin/env python3
"""Compares a retail lake with the oracle's tables, row by row, as two independent Delta readers see it.

    compare.py --lake LAKE --oracle ORACLE_DIR [--domain sales] [--limit 5]

Silver and gold are compared as multisets of rows over all columns that do not start with `_`, names, order-free, and
types included. The quarantine is compared by (source file name, source row); the broken rules of both sides are
printed, not compared, because the contract chooses the rule ids. Exit code 0 equal, 1 different, JSON on stdout.
"""

import argparse
import json
import pathlib
import sys
import urllib.parse

import lake_readers as readers

TABLES = {
    "silver/{domain}/transactions": "silver_transactions",
    "gold/{domain}/daily_revenue": "daily_revenue",
    "gold/{domain}/customer_rfm": "customer_rfm",
}
QUARANTINE = "quarantine/{domain}/transactions"
# Signed 32 and 64 bit are both "integer": a contract may choose either.
SAME_KIND = {"INTEGER": "BIGINT"}


def data_columns(con, relation):
    found = readers.columns(con, relation)
    return {name: SAME_KIND.get(kind, kind) for name, kind in found.items() if not name.startswith("_")}


def compare_columns(con, name, relation, oracle, limit):
    ours, theirs = data_columns(con, relation), data_columns(con, oracle)
    if ours != theirs:
        return {"table": name, "equal": False, "columns": {"lake": ours, "oracle": theirs}}
    found = readers.differences(con, relation, oracle, sorted(theirs), limit)
    return {
        "table": name,
        "equal": found["only_left"]["rows"] == 0 and found["only_right"]["rows"] == 0,
        "rows": {"lake": count(con, relation), "oracle": count(con, oracle)},
        "columns": sorted(theirs),
        "only_in_lake": found["only_left"],
        "only_in_oracle": found["only_right"],
    }


def compare_quarantine(con, name, relation, oracle, limit):
    con.execute(
        f"""CREATE OR REPLACE VIEW {relation}_places AS
            SELECT file_name(_source_file) AS source_file, CAST(_source_row AS BIGINT) AS source_row FROM {relation}"""
    )
    found = readers.differences(con, f"{relation}_places", oracle, ["source_file", "source_row"], limit)
    rules = con.execute(
        f"""SELECT rule, count(*) FROM (
              SELECT unnest(json_extract_string(_broken_rules, '$[*].rule')) AS rule FROM {relation})
            GROUP BY rule ORDER BY rule"""
    ).fetchall()
    oracle_rules = con.execute(
        f"SELECT rule, count(*) FROM (SELECT unnest(broken_rules) AS rule FROM {oracle}) GROUP BY rule ORDER BY rule"
    ).fetchall()
    without_rule = con.execute(
        f"""SELECT count(*) FROM {relation} WHERE _raw IS NULL OR NOT json_valid(_raw)
            OR coalesce(json_array_length(_broken_rules), 0) = 0"""
    ).fetchone()[0]
    equal = found["only_left"]["rows"] == 0 and found["only_right"]["rows"] == 0
    return {
        "table": name,
        "equal": equal and without_rule == 0,
        "rows": {"lake": count(con, relation), "oracle": count(con, oracle)},
        "rows_without_rule_or_raw_json": without_rule,
        "broken_rules": {"lake": dict(rules), "oracle": dict(oracle_rules)},
        "only_in_lake": found["only_left"],
        "only_in_oracle": found["only_right"],
    }


def count(con, relation):
    return con.execute(f"SELECT count(*) FROM {relation}").fetchone()[0]


def file_name(uri):
    """The decoded last segment of a URI; a plain path has no escapes to decode."""
    if uri is None:
        return None
    last = uri.rsplit("/", 1)[-1]
    return urllib.parse.unquote(last) if "://" in uri else last


def open_views(con, reader, folder):
    if reader == "deltalake":
        readers.register_deltalake(con, "lake_table", folder)
    else:
        con.execute("DROP VIEW IF EXISTS lake_table")
        readers.create_duckdb_view(con, "lake_table", folder)


def compare_lake(lake, oracle_folder, domain, limit):
    results = []
    for reader in ("deltalake", "duckdb"):
        con = readers.connect()
        con.create_function("file_name", file_name, ["VARCHAR"], "VARCHAR", null_handling="special")
        for pattern, file in [*TABLES.items(), (QUARANTINE, "quarantine")]:
            name = pattern.format(domain=domain)
            parquet = oracle_folder / f"{file}.parquet"
            con.execute(f"CREATE OR REPLACE VIEW oracle_table AS FROM read_parquet({readers.text_literal(parquet)})")
            if not (lake / name / "_delta_log").is_dir():
                expected = count(con, "oracle_table")
                # A table without rows may not exist.
                results.append({"reader": reader, "table": name, "equal": expected == 0, "missing": True,
                                "rows": {"lake": None, "oracle": expected}})
                continue
            open_views(con, reader, lake / name)
            compare = compare_quarantine if file == "quarantine" else compare_columns
            results.append({"reader": reader, **compare(con, name, "lake_table", "oracle_table", limit)})
        con.close()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True, help="folder or file:// URL of the lake")
    parser.add_argument("--oracle", required=True, help="folder retail_oracle.py wrote")
    parser.add_argument("--domain", default="sales")
    parser.add_argument("--limit", type=int, default=5, help="differing rows to print per side")
    arguments = parser.parse_args()
    results = compare_lake(
        readers.lake_folder(arguments.lake), pathlib.Path(arguments.oracle), arguments.domain, arguments.limit
    )
    equal = all(result["equal"] for result in results)
    print(json.dumps({"equal": equal, "comparisons": results}, indent=2))
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
