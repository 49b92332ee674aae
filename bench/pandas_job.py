#!/usr/bin/env python3
"""The retail job as one would write it in pandas: the second rival of `sluice run` in `cargo xtask bench`.

    pandas_job.py --source FILE.csv --out FOLDER [--partition-by COLUMN ...]

Typed cast, quarantine split, one row per key, silver as partitioned Parquet, both gold tables. Prints a JSON summary.
Money is exact: prices are integers of a thousandth, amounts integers of a cent, written as DECIMAL.
COLUMN is a silver column, or `invoice_date` / `invoice_month`, which are then derived from invoice_ts.
"""

import argparse
import decimal
import json
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEYS = ["invoice_no", "stock_code", "quantity", "price_mills"]
SOURCE_COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
# A line with too many fields spills into these; one with too few lacks its country.
SPILL_COLUMNS = ["spill_1", "spill_2", "spill_3", "spill_4"]


def decimals(integers, scale, precision):
    """Integers counting the smallest unit, as DECIMAL(precision, scale)."""
    unit = pa.scalar(decimal.Decimal(1).scaleb(-scale), pa.decimal128(scale + 1, scale))
    return pc.multiply(pa.array(integers).cast(pa.decimal128(19, 0)), unit).cast(pa.decimal128(precision, scale))


def typed(raw):
    frame = pd.DataFrame()
    frame["invoice_no"] = raw["InvoiceNo"]
    frame["stock_code"] = raw["StockCode"]
    frame["description"] = raw["Description"].str.strip().replace("", None)
    frame["quantity"] = pd.to_numeric(raw["Quantity"], errors="coerce")
    frame["invoice_ts"] = pd.to_datetime(raw["InvoiceDate"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    frame["price_mills"] = (pd.to_numeric(raw["UnitPrice"], errors="coerce") * 1000).round()
    frame["customer_id"] = raw["CustomerID"].str.removesuffix(".0")
    frame["country"] = raw["Country"]
    return frame


def is_good(frame, raw):
    return (
        frame["description"].notna()
        & (frame["price_mills"] >= 0)
        & frame["quantity"].notna()
        & (frame["quantity"] != 0)
        & frame["invoice_ts"].notna()
        & frame["stock_code"].notna()
        & frame["country"].notna()
        & raw["spill_1"].isna()
        & frame["invoice_no"].str.fullmatch(r"[AC]?[0-9]{6}").fillna(False).astype(bool)
    )


def write_silver(silver, out, partition_by):
    table = pa.table(
        {
            "invoice_no": pa.array(silver["invoice_no"]),
            "stock_code": pa.array(silver["stock_code"]),
            "description": pa.array(silver["description"]),
            "quantity": pa.array(silver["quantity"]),
            "invoice_ts": pa.array(silver["invoice_ts"]).cast(pa.timestamp("us", "UTC")),
            "unit_price": decimals(silver["price_mills"], 3, 12),
            "customer_id": pa.array(silver["customer_id"]),
            "country": pa.array(silver["country"]),
            "is_cancellation": pa.array(silver["is_cancellation"]),
        }
    )
    derived = {"invoice_date": lambda ts: ts.dt.date, "invoice_month": lambda ts: ts.dt.strftime("%Y-%m")}
    for column in partition_by:
        if column in derived:
            table = table.append_column(column, pa.array(derived[column](silver["invoice_ts"])))
    if partition_by:
        pq.write_to_dataset(table, out / "silver", partition_cols=partition_by, compression="zstd")
    else:
        pq.write_table(table, out / "silver.parquet", compression="zstd")


def daily_revenue(lines):
    grouped = lines.assign(
        gross=lines["amount_cents"].where(lines["quantity"] > 0, 0),
        returned=lines["amount_cents"].where(lines["quantity"] < 0, 0),
        order_no=lines["invoice_no"].where(~lines["is_cancellation"]),
    ).groupby(["invoice_date", "country"], dropna=False)
    return grouped.agg(
        gross_revenue=("gross", "sum"),
        returns=("returned", "sum"),
        net_revenue=("amount_cents", "sum"),
        orders=("order_no", "nunique"),
        customers=("customer_id", "nunique"),
    ).reset_index()


def customer_rfm(lines):
    orders = lines[~lines["is_cancellation"]].groupby("customer_id")
    result = orders.agg(last_order_date=("invoice_date", "max"), orders=("invoice_no", "nunique"))
    result["spend"] = lines.groupby("customer_id")["amount_cents"].sum()
    result["recency_days"] = (lines["invoice_date"].max() - result["last_order_date"]).dt.days
    return result.reset_index()


def write_gold(frame, money, file):
    columns = {}
    for column in frame.columns:
        if column in money:
            columns[column] = decimals(frame[column], 2, 18)
        elif column.endswith("_date"):
            columns[column] = pa.array(frame[column]).cast(pa.date32())
        else:
            columns[column] = pa.array(frame[column])
    pq.write_table(pa.table(columns), file, compression="zstd")


def run(source, out, partition_by):
    columns = SOURCE_COLUMNS + SPILL_COLUMNS
    raw = pd.read_csv(
        source, dtype=str, keep_default_na=False, na_values=[""], names=columns, header=None, skiprows=1
    )
    frame = typed(raw)
    good = is_good(frame, raw)
    raw[~good].to_parquet(out / "quarantine.parquet", compression="zstd")
    del raw
    frame = frame[good]
    frame = frame.astype({"quantity": np.int64, "price_mills": np.int64})
    # Stable by file position: of the rows with the latest timestamp, the last one wins.
    silver = frame.sort_values("invoice_ts", kind="stable").drop_duplicates(KEYS, keep="last")
    silver["is_cancellation"] = silver["invoice_no"].str.startswith("C")
    write_silver(silver, out, partition_by)

    mills = silver["quantity"] * silver["price_mills"]
    silver["amount_cents"] = np.sign(mills) * ((mills.abs() + 5) // 10)
    silver["invoice_date"] = silver["invoice_ts"].dt.normalize()
    revenue, rfm = daily_revenue(silver), customer_rfm(silver)
    write_gold(revenue, ["gross_revenue", "returns", "net_revenue"], out / "daily_revenue.parquet")
    write_gold(rfm, ["spend"], out / "customer_rfm.parquet")
    return {
        "silver_rows": len(silver),
        "quarantined_rows": int((~good).sum()),
        "daily_revenue_rows": len(revenue),
        "customer_rfm_rows": len(rfm),
        "net_revenue": str(decimal.Decimal(int(revenue["net_revenue"].sum())).scaleb(-2)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--partition-by", nargs="*", default=[])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True)
    print(json.dumps(run(arguments.source, arguments.out, arguments.partition_by)))


if __name__ == "__main__":
    main()
