#!/usr/bin/env python3
"""Asks three readers for the rows of a Delta table that fit conditions, and compares with all rows, filtered in Python.

    filter_judge.py --lake LAKE --table silver/sales/orders

Readers leave out files by the statistics in the log. So the conditions compare each column with the least and greatest
value of every data file and with their neighbours, and ask for nulls. The readers are `deltalake` (PyArrow dataset),
DuckDB's delta extension and Polars. The column `id` distinguishes rows. Exit code 0 all good, 1 problems found, JSON on
stdout.
"""

import argparse
import datetime
import decimal
import json
import math
import operator
import sys

import deltalake
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

import lake_readers as readers

OPERATORS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
# Problems shown; the count has all of them.
SHOWN = 40


def neighbours(value, kind):
    """Values just below and above, as far as the type has them."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        low, high = (-(2**31), 2**31 - 1) if pyarrow.types.is_int32(kind) else (-(2**63), 2**63 - 1)
        return [near for near in (value - 1, value + 1) if low <= near <= high]
    if isinstance(value, float):
        near = [math.nextafter(value, -math.inf), math.nextafter(value, math.inf)]
        return [value for value in near if math.isfinite(value)]
    if isinstance(value, decimal.Decimal):
        with decimal.localcontext(prec=60):
            step = decimal.Decimal(1).scaleb(-kind.scale)
            most = decimal.Decimal(10) ** (kind.precision - kind.scale)
            return [near for near in (value - step, value + step) if -most < near < most]
    if isinstance(value, str):
        return [value[:-1], value + "\U0010ffff"]
    steps = [datetime.timedelta(days=1)]
    if isinstance(value, datetime.datetime):
        steps = [datetime.timedelta(microseconds=1), datetime.timedelta(milliseconds=1)]
    found = []
    for step in steps:
        for move in (operator.sub, operator.add):
            try:
                found.append(move(value, step))
            except OverflowError:
                pass
    return found


def questions(table, folder):
    """(column, operator or 'null', value) for every column that is not lineage."""
    asked = []
    for field in pyarrow.schema(table.schema().to_arrow()):
        if field.name.startswith("_"):
            continue
        asked += [(field.name, "null", True), (field.name, "null", False)]
        values = set()
        for path in table.file_uris():
            column = pyarrow.parquet.read_table(path, columns=[field.name], partitioning=None).column(field.name)
            known = [value for value in column.to_pylist() if value is not None]
            for bound in {min(known), max(known)} if known else ():
                values.update([bound, *neighbours(bound, field.type)])
        asked += [(field.name, sign, value) for value in sorted(values) for sign in OPERATORS]
    return asked


def holds(row, question):
    column, sign, value = question
    if sign == "null":
        return (row[column] is None) == value
    return row[column] is not None and OPERATORS[sign](row[column], value)


class ByDeltalake:
    """The dataset that `deltalake` makes, with what it guarantees of each file."""

    def __init__(self, table, folder):
        self.dataset = table.to_pyarrow_dataset()

    def ids(self, column, sign, value):
        field = pyarrow.dataset.field(column)
        if sign == "null":
            wanted = field.is_null() if value else field.is_valid()
        else:
            wanted = OPERATORS[sign](field, pyarrow.scalar(value, self.dataset.schema.field(column).type))
        return self.dataset.to_table(columns=["id"], filter=wanted).column("id").to_pylist()


class ByDuckDB:
    def __init__(self, table, folder):
        self.con = readers.connect()
        readers.create_duckdb_view(self.con, "judged", folder)
        self.kinds = readers.columns(self.con, "judged")

    def ids(self, column, sign, value):
        name = readers.name_literal(column)
        if sign == "null":
            wanted = f"{name} IS {'' if value else 'NOT '}NULL"
        else:
            shown = value.isoformat() if isinstance(value, datetime.date) else repr(value) if isinstance(value, float) else value
            wanted = f"{name} {sign} CAST({readers.text_literal(shown)} AS {self.kinds[column]})"
        return [row[0] for row in self.con.execute(f"SELECT id FROM judged WHERE {wanted}").fetchall()]


class ByPolars:
    def __init__(self, table, folder):
        self.rows = polars.scan_delta(str(folder))
        self.schema = self.rows.collect_schema()

    def ids(self, column, sign, value):
        known = polars.col(column)
        if sign == "null":
            wanted = known.is_null() if value else known.is_not_null()
        else:
            wanted = OPERATORS[sign](known, polars.lit(value, dtype=self.schema[column]))
        return self.rows.filter(wanted).select("id").collect()["id"].to_list()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True, help="folder or file:// URL of the lake")
    parser.add_argument("--table", required=True, help="the table: layer/domain/name")
    arguments = parser.parse_args()
    folder = readers.lake_folder(arguments.lake) / arguments.table
    table = deltalake.DeltaTable(str(folder))
    rows = table.to_pyarrow_table().to_pylist()
    asked = questions(table, folder)
    problems = []
    for reader in (ByDeltalake, ByDuckDB, ByPolars):
        answers = reader(table, folder)
        for question in asked:
            expected = sorted(row["id"] for row in rows if holds(row, question))
            try:
                found = sorted(answers.ids(*question))
            except Exception as error:  # any failure of a third-party reader is a finding
                found = f"{type(error).__name__}: {error}"
            if found != expected:
                column, sign, value = question
                problems.append(f"{reader.__name__}: {column} {sign} {value}: {found}, not {expected}")
    report = {"good": not problems, "rows": len(rows), "files": len(table.file_uris()), "questions": len(asked)}
    print(json.dumps({**report, "problem_count": len(problems), "problems": problems[:SHOWN]}, indent=2))
    sys.exit(0 if not problems else 1)


if __name__ == "__main__":
    main()
