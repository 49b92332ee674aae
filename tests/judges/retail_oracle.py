#!/usr/bin/env python3
"""Independent computation of the retail pipeline's tables, in DuckDB SQL over the raw CSV files.

    retail_oracle.py --out ORACLE_DIR SOURCE [SOURCE ...]

A SOURCE is a CSV file (plain or .gz) or a folder of them. Writes silver_transactions.parquet, quarantine.parquet,
daily_revenue.parquet and customer_rfm.parquet to ORACLE_DIR and prints a JSON summary.

It shares no code with the engine. All arithmetic is DECIMAL; cents round half away from zero (DuckDB's rule for
DECIMAL). Whether a row is quarantined is decided per source row, before keys are collapsed.
"""

import argparse
import csv
import gzip
import json
import pathlib
import sys

import duckdb
import pyarrow

COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
MAX_FIELD_BYTES = 64 * 1024 * 1024

# A readable value is completely a number of the target type: no rounding, no exponent, no thousands separator.
TYPED = r"""
CREATE TABLE typed AS
WITH texts AS (
  SELECT source_file, source_row, corrupt, InvoiceNo AS invoice_no, StockCode AS stock_code,
         trim(Description, E' \t\r\n') AS description_text, trim(Quantity) AS quantity_text,
         trim(InvoiceDate) AS invoice_ts_text, trim(UnitPrice) AS unit_price_text, CustomerID AS customer_text,
         Country AS country
  FROM raw)
SELECT source_file, source_row, corrupt,
       nullif(invoice_no, '') AS invoice_no,
       nullif(stock_code, '') AS stock_code,
       nullif(description_text, '') AS description,
       nullif(quantity_text, '') AS quantity_text,
       CASE WHEN regexp_full_match(quantity_text, '[+-]?[0-9]+') THEN TRY_CAST(quantity_text AS INTEGER) END AS quantity,
       nullif(invoice_ts_text, '') AS invoice_ts_text,
       try_strptime(invoice_ts_text, '%Y-%m-%d %H:%M:%S') AT TIME ZONE 'UTC' AS invoice_ts,
       nullif(unit_price_text, '') AS unit_price_text,
       CASE WHEN regexp_full_match(unit_price_text, '[+-]?([0-9]+(\.[0-9]{0,3}0*)?|\.[0-9]{1,3}0*)')
            THEN TRY_CAST(unit_price_text AS DECIMAL(12,3)) END AS unit_price,
       nullif(regexp_replace(customer_text, '\.0$', ''), '') AS customer_id,
       nullif(country, '') AS country,
       coalesce(starts_with(invoice_no, 'C'), false) AS is_cancellation
FROM texts
"""

JUDGED = """
CREATE TABLE judged AS
SELECT *, list_filter([
    CASE WHEN corrupt THEN 'corrupt_record' END,
    CASE WHEN NOT corrupt AND description IS NULL THEN 'description_missing' END,
    CASE WHEN unit_price < 0 THEN 'unit_price_negative' END,
    CASE WHEN quantity = 0 THEN 'quantity_zero' END,
    CASE WHEN NOT corrupt AND invoice_no IS NULL THEN 'invoice_no_missing' END,
    CASE WHEN NOT regexp_full_match(invoice_no, '[AC]?[0-9]{6}') THEN 'invoice_no_malformed' END,
    CASE WHEN NOT corrupt AND stock_code IS NULL THEN 'stock_code_missing' END,
    CASE WHEN NOT corrupt AND country IS NULL THEN 'country_missing' END,
    CASE WHEN NOT corrupt AND quantity IS NULL
         THEN CASE WHEN quantity_text IS NULL THEN 'quantity_missing' ELSE 'quantity_unreadable' END END,
    CASE WHEN NOT corrupt AND unit_price IS NULL
         THEN CASE WHEN unit_price_text IS NULL THEN 'unit_price_missing' ELSE 'unit_price_unreadable' END END,
    CASE WHEN NOT corrupt AND invoice_ts IS NULL
         THEN CASE WHEN invoice_ts_text IS NULL THEN 'invoice_ts_missing' ELSE 'invoice_ts_unreadable' END END
  ], lambda rule: rule IS NOT NULL) AS broken_rules
FROM typed
"""

TABLES = {
    "quarantine": """
        SELECT source_file, source_row, broken_rules FROM judged WHERE len(broken_rules) > 0""",
    # One row per key: the latest invoice_ts, ties to the file that was modified last, then to the later source position.
    "silver_transactions": """
        SELECT invoice_no, stock_code, description, quantity, invoice_ts, unit_price, customer_id, country,
               is_cancellation
        FROM judged JOIN files USING (source_file) WHERE len(broken_rules) = 0
        QUALIFY row_number() OVER (PARTITION BY invoice_no, stock_code, quantity, unit_price
                                   ORDER BY invoice_ts DESC, modified_us DESC, source_file DESC, source_row DESC) = 1""",
    "daily_revenue": """
        WITH lines AS (
          SELECT *, CAST(invoice_ts AT TIME ZONE 'UTC' AS DATE) AS invoice_date,
                 round(CAST(quantity AS DECIMAL(19,0)) * unit_price, 2) AS amount
          FROM silver_transactions)
        SELECT invoice_date, country,
               CAST(coalesce(sum(amount) FILTER (quantity > 0), 0) AS DECIMAL(18,2)) AS gross_revenue,
               CAST(coalesce(sum(amount) FILTER (quantity < 0), 0) AS DECIMAL(18,2)) AS returns,
               CAST(coalesce(sum(amount), 0) AS DECIMAL(18,2)) AS net_revenue,
               count(DISTINCT invoice_no) FILTER (NOT is_cancellation) AS orders,
               count(DISTINCT customer_id) AS customers
        FROM lines GROUP BY invoice_date, country""",
    "customer_rfm": """
        WITH lines AS (
          SELECT *, CAST(invoice_ts AT TIME ZONE 'UTC' AS DATE) AS invoice_date,
                 round(CAST(quantity AS DECIMAL(19,0)) * unit_price, 2) AS amount
          FROM silver_transactions),
        newest AS (SELECT max(invoice_date) AS day FROM lines)
        SELECT customer_id,
               max(invoice_date) FILTER (NOT is_cancellation) AS last_order_date,
               count(DISTINCT invoice_no) FILTER (NOT is_cancellation) AS orders,
               CAST(sum(amount) AS DECIMAL(18,2)) AS spend,
               date_diff('day', max(invoice_date) FILTER (NOT is_cancellation), any_value(newest.day)) AS recency_days
        FROM lines, newest WHERE customer_id IS NOT NULL
        GROUP BY customer_id HAVING count(*) FILTER (NOT is_cancellation) > 0""",
}


def source_files(sources):
    files = []
    for source in map(pathlib.Path, sources):
        if source.is_dir():
            files += [p for p in source.rglob("*") if p.is_file() and p.name.endswith((".csv", ".csv.gz"))]
        else:
            files.append(source)
    names = [file.name for file in files]
    if not files:
        sys.exit("retail_oracle: no .csv or .csv.gz file in " + ", ".join(sources))
    if len(set(names)) != len(names):
        sys.exit("retail_oracle: two source files have the same name; the quarantine is keyed by file name")
    return sorted(files, key=lambda file: file.name)


def open_text(file):
    opener = gzip.open if file.name.endswith(".gz") else open
    return opener(file, "rt", encoding="utf-8-sig", newline="")


def load_file(con, file):
    with open_text(file) as text:
        header = next(csv.reader(text), None)
    if header is None:
        sys.exit(f"retail_oracle: {file.name} is empty")
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        sys.exit(f"retail_oracle: {file.name} has no column {', '.join(missing)}")
    picked = ", ".join(f'"{column}"' for column in COLUMNS)
    try:
        con.execute(
            f"""INSERT INTO raw SELECT ?, row_number() OVER (), false, {picked}
                FROM read_csv(?, auto_detect=false, header=true, delim=',', quote='"', escape='"', strict_mode=true,
                              null_padding=false, parallel=false, max_line_size={MAX_FIELD_BYTES}, columns=?)""",
            [file.name, str(file), {name: "VARCHAR" for name in header}],
        )
    except duckdb.InvalidInputException:
        load_file_with_corrupt_lines(con, file, header)


def load_file_with_corrupt_lines(con, file, header):
    """DuckDB refuses a file with too many or too few fields in a line: this splits its records and marks those lines."""
    csv.field_size_limit(MAX_FIELD_BYTES)
    places = [header.index(column) for column in COLUMNS]
    with open_text(file) as text:
        records = [fields for fields in csv.reader(text) if fields][1:]
    whole = [len(fields) == len(header) for fields in records]
    texts = {
        column: pyarrow.array([fields[place] if good else None for fields, good in zip(records, whole)], pyarrow.string())
        for column, place in zip(COLUMNS, places)
    }
    lines = pyarrow.table({"good": pyarrow.array(whole, pyarrow.bool_()), **texts})
    con.register("lines", lines)
    picked = ", ".join(f'"{column}"' for column in COLUMNS)
    con.execute(f"INSERT INTO raw SELECT ?, row_number() OVER (), NOT good, {picked} FROM lines", [file.name])
    con.unregister("lines")


def compute(sources):
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{column}" VARCHAR' for column in COLUMNS)
    con.execute(f"CREATE TABLE raw (source_file VARCHAR, source_row BIGINT, corrupt BOOLEAN, {columns})")
    con.execute("CREATE TABLE files (source_file VARCHAR, modified_us BIGINT)")
    files = source_files(sources)
    for file in files:
        con.execute("INSERT INTO files VALUES (?, ?)", [file.name, file.stat().st_mtime_ns // 1000])
        load_file(con, file)
    con.execute(TYPED)
    con.execute(JUDGED)
    # The view names below are what the later statements read.
    for table in ("quarantine", "silver_transactions", "daily_revenue", "customer_rfm"):
        con.execute(f"CREATE TABLE {table} AS {TABLES[table]}")
    return con, files


def summary(con, files):
    def one(query):
        return con.execute(query).fetchone()[0]

    rules = con.execute("""SELECT rule, count(*) FROM (SELECT unnest(broken_rules) AS rule FROM quarantine)
                           GROUP BY rule ORDER BY rule""").fetchall()
    return {
        "files": len(files),
        "source_rows": one("SELECT count(*) FROM raw"),
        "silver_rows": one("SELECT count(*) FROM silver_transactions"),
        "quarantined_rows": one("SELECT count(*) FROM quarantine"),
        "collapsed_rows": one("SELECT count(*) FROM judged WHERE len(broken_rules) = 0")
        - one("SELECT count(*) FROM silver_transactions"),
        "daily_revenue_rows": one("SELECT count(*) FROM daily_revenue"),
        "customer_rfm_rows": one("SELECT count(*) FROM customer_rfm"),
        "net_revenue": str(one("SELECT sum(net_revenue) FROM daily_revenue")),
        "broken_rules": dict(rules),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder for the oracle's Parquet files; created if missing")
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="CSV file or folder of CSV files")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    con, files = compute(arguments.sources)
    for table in TABLES:
        target = str(out / f"{table}.parquet").replace("'", "''")
        con.execute(f"COPY {table} TO '{target}' (FORMAT parquet)")
    print(json.dumps(summary(con, files), indent=2))


if __name__ == "__main__":
    main()
