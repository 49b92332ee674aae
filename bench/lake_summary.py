#!/usr/bin/env python3
"""Prints the same JSON summary as the rival jobs, for a lake that `sluice run` filled, to prove that they produced the same result.

    lake_summary.py --lake LAKE [--domain sales]
"""

import argparse
import json
import pathlib

import deltalake
import pyarrow.compute as pc


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True, type=pathlib.Path)
    parser.add_argument("--domain", default="sales")
    arguments = parser.parse_args()

    def table(layer, name):
        return deltalake.DeltaTable(str(arguments.lake / layer / arguments.domain / name))

    def rows(layer, name):
        if layer == "quarantine" and not (arguments.lake / layer / arguments.domain / name / "_delta_log").is_dir():
            return 0  # a quarantine table without rows may not exist
        return table(layer, name).to_pyarrow_dataset().count_rows()

    revenue = table("gold", "daily_revenue").to_pyarrow_table(columns=["net_revenue"])
    summary = {
        "silver_rows": rows("silver", "transactions"),
        "quarantined_rows": rows("quarantine", "transactions"),
        "daily_revenue_rows": rows("gold", "daily_revenue"),
        "customer_rfm_rows": rows("gold", "customer_rfm"),
        "net_revenue": str(pc.sum(revenue["net_revenue"]).as_py()),
    }
    silver = table("silver", "transactions")
    print(json.dumps({"summary": summary, "partition_columns": silver.metadata().partition_columns}))


if __name__ == "__main__":
    main()
