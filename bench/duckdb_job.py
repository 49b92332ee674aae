#!/usr/bin/env python3
"""The retail job as one would write it in DuckDB: the rival of `sluice run` in `cargo xtask bench`.

    duckdb_job.py --source FILE.csv --out FOLDER [--partition-by COLUMN ...]

Typed cast, quarantine split, one row per key, silver as partitioned Parquet, both gold tables. Prints a JSON summary.
COLUMN is a silver column, or `invoice_date` / `invoice_month`, which are then derived from invoice_ts.
"""

import argparse
import json
import pathlib

import duckdb

DERIVED = {
    "invoice_date": "CAST(invoice_ts AS DATE)",
    "invoice_month": "strftime(invoice_ts, '%Y-%m')",
}

GOOD = r"""coalesce(description IS NOT NULL AND unit_price >= 0 AND quantity <> 0 AND invoice_ts IS NOT NULL
  AND stock_code IS NOT NULL AND country IS NOT NULL AND regexp_full_match(invoice_no, '[AC]?[0-9]{6}'), false)"""

# One pass over the file; the source text is kept for the rows that break a rule only.
TYPED = rf"""
CREATE TEMP TABLE typed AS
SELECT source_row, invoice_no, stock_code, description, quantity, invoice_ts, unit_price, customer_id, country,
       starts_with(invoice_no, 'C') AS is_cancellation,
       {GOOD} AS good,
       CASE WHEN NOT good THEN to_json([t1, t2, t3, t4, t5, t6, t7, t8]) END AS raw
FROM (SELECT *, row_number() OVER () AS source_row,
             nullif(t1, '') AS invoice_no,
             nullif(t2, '') AS stock_code,
             nullif(trim(t3), '') AS description,
             TRY_CAST(t4 AS INTEGER) AS quantity,
             try_strptime(t5, '%Y-%m-%d %H:%M:%S') AS invoice_ts,
             TRY_CAST(t6 AS DECIMAL(12,3)) AS unit_price,
             CASE WHEN ends_with(t7, '.0') THEN t7[:-3] ELSE nullif(t7, '') END AS customer_id,
             nullif(t8, '') AS country
      FROM read_csv(?, all_varchar=true, header=true, delim=',', quote='"', escape='"',
                    names=['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8'], store_rejects=true))
"""

# Lines with too many or too few fields are the reader's rejects, one row per fault found in the line.
QUARANTINE = """
CREATE TEMP TABLE quarantine AS
SELECT source_row, CAST(raw AS VARCHAR) AS raw FROM typed WHERE NOT good
UNION ALL
SELECT line, any_value(csv_line) FROM reject_errors GROUP BY line
"""

SILVER = """
CREATE TEMP TABLE silver AS
SELECT * EXCLUDE (source_row, good) FROM typed WHERE good
QUALIFY row_number() OVER (PARTITION BY invoice_no, stock_code, quantity, unit_price
                           ORDER BY invoice_ts DESC, source_row DESC) = 1
"""

DAILY_REVENUE = """
SELECT CAST(invoice_ts AS DATE) AS invoice_date, country,
       CAST(coalesce(sum(amount) FILTER (quantity > 0), 0) AS DECIMAL(18,2)) AS gross_revenue,
       CAST(coalesce(sum(amount) FILTER (quantity < 0), 0) AS DECIMAL(18,2)) AS returns,
       CAST(sum(amount) AS DECIMAL(18,2)) AS net_revenue,
       count(DISTINCT invoice_no) FILTER (NOT is_cancellation) AS orders,
       count(DISTINCT customer_id) AS customers
FROM lines GROUP BY ALL
"""

CUSTOMER_RFM = """
SELECT customer_id, max(CAST(invoice_ts AS DATE)) FILTER (NOT is_cancellation) AS last_order_date,
       count(DISTINCT invoice_no) FILTER (NOT is_cancellation) AS orders,
       CAST(sum(amount) AS DECIMAL(18,2)) AS spend,
       date_diff('day', max(CAST(invoice_ts AS DATE)) FILTER (NOT is_cancellation),
                 (SELECT max(CAST(invoice_ts AS DATE)) FROM silver)) AS recency_days
FROM lines WHERE customer_id IS NOT NULL
GROUP BY customer_id HAVING count(*) FILTER (NOT is_cancellation) > 0
"""


def run(source, out, partition_by):
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute(TYPED, [str(source)])

    def write(query, name, options=""):
        target = str(out / name).replace("'", "''")
        con.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd{options})")

    con.execute(QUARANTINE)
    write("FROM quarantine", "quarantine.parquet")
    con.execute(SILVER)
    con.execute("DROP TABLE typed")
    derived = "".join(f", {DERIVED[column]} AS {column}" for column in partition_by if column in DERIVED)
    keys = f", PARTITION_BY ({', '.join(partition_by)})" if partition_by else ""
    write(f"SELECT *{derived} FROM silver", "silver" if partition_by else "silver.parquet", keys)
    con.execute("CREATE TEMP VIEW lines AS SELECT *, round(quantity::DECIMAL(18,0) * unit_price, 2) AS amount FROM silver")
    con.execute(f"CREATE TEMP TABLE daily_revenue AS {DAILY_REVENUE}")
    con.execute(f"CREATE TEMP TABLE customer_rfm AS {CUSTOMER_RFM}")
    write("FROM daily_revenue", "daily_revenue.parquet")
    write("FROM customer_rfm", "customer_rfm.parquet")

    def one(query):
        return con.execute(query).fetchone()[0]

    return {
        "silver_rows": one("SELECT count(*) FROM silver"),
        "quarantined_rows": one("SELECT count(*) FROM quarantine"),
        "daily_revenue_rows": one("SELECT count(*) FROM daily_revenue"),
        "customer_rfm_rows": one("SELECT count(*) FROM customer_rfm"),
        "net_revenue": str(one("SELECT sum(net_revenue) FROM daily_revenue")),
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
