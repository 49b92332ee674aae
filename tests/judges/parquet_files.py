#!/usr/bin/env python3
"""Writes Parquet files of every physical, logical and nested type by pyarrow, DuckDB and Polars.

    parquet_files.py --out FOLDER

Prints JSON: for each file what a careful reader does with it, `right` (reads all values) or `refused` (a type without
a text form, or damage).
"""

import argparse
import datetime as dt
import decimal
import json
import pathlib

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

D = decimal.Decimal
UTC = dt.timezone.utc
DAY, LAST_DAY = dt.date(2024, 1, 5), dt.date(9999, 12, 31)
AT, FAR = dt.datetime(2024, 1, 5, 1, 2, 3, 456789), dt.datetime(1, 1, 1)
NEAR = dt.datetime(1969, 12, 31, 23, 59, 59, 999000)


def arrow_leaves():
    """Each type with values at its edges. Nulls are added where they are used."""
    yield "bool", pa.bool_(), [True, False]
    for bits in (8, 16, 32, 64):
        yield f"i{bits}", getattr(pa, f"int{bits}")(), [-(2 ** (bits - 1)), -1, 2 ** (bits - 1) - 1]
        yield f"u{bits}", getattr(pa, f"uint{bits}")(), [0, 1, 2**bits - 1]
    yield "f16", pa.float16(), [np.float16(v) for v in (1.5, -0.0, 0.1, 65504, "inf", "nan", 6e-8)]
    yield "f32", pa.float32(), [0.1, -0.0, 3.4e38, 1e-45, float("nan"), float("-inf")]
    yield "f64", pa.float64(), [0.1, -0.0, 1.7e308, 5e-324, 17850.0, float("nan"), float("inf")]
    yield "dec9", pa.decimal128(9, 2), [D("1.50"), D("-0.05"), D("9999999.99")]
    yield "dec18", pa.decimal128(18, 6), [D("1.500000"), D("-999999999999.999999")]
    yield "dec38", pa.decimal128(38, 10), [D("0.0000000001"), D("-1234567890123456789012345678.9012345678")]
    yield "dec0", pa.decimal128(20, 0), [D("-7"), D("12345678901234567890")]
    yield "text", pa.string(), ["", " é\n\"\\", "null", "\u0001", "a" * 200]
    yield "large", pa.large_string(), ["x", "☃"]
    yield "words", pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"]
    yield "day", pa.date32(), [DAY, LAST_DAY, dt.date(1, 1, 1)]
    yield "day64", pa.date64(), [DAY, dt.date(1969, 12, 31)]
    yield "time_s", pa.time32("s"), [dt.time(0, 0), dt.time(23, 59, 59)]
    yield "time_ms", pa.time32("ms"), [dt.time(1, 2, 3, 4000)]
    yield "time_us", pa.time64("us"), [dt.time(23, 59, 59, 999999)]
    yield "time_ns", pa.time64("ns"), [dt.time(1, 2, 3, 4)]
    for unit in ("s", "ms", "us", "ns"):
        values = [AT.replace(microsecond=0), NEAR.replace(microsecond=0)] + ([FAR, dt.datetime.max.replace(microsecond=0)] if unit != "ns" else [])
        yield f"at_{unit}", pa.timestamp(unit), values
        yield f"utc_{unit}", pa.timestamp(unit, tz="UTC"), [value.replace(tzinfo=UTC) for value in values]
    # Zones that are offsets, and some that no reader knows.
    for number, zone in enumerate(["+05:30", "-12:45", "+25:00", "+00:00:30", "Europe/Berlin", "Mars/Phobos", ""]):
        yield f"zone_{number}", pa.timestamp("us", tz=zone), [1704416523456789, -1]
    yield "uuid", pa.uuid(), [bytes(range(16)), b"\xff" * 16]


def array_of(kind, values):
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    return pa.array(values, kind)


def arrow_shapes(name, kind, values):
    """A column of a type, flat and in every shape that nests it."""
    values = values + [None]
    flat = array_of(kind, values)
    count, one = len(values), pa.array([i % 3 == 2 for i in range(len(values))])
    yield name, flat
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind):
        return
    offsets = pa.array([0, min(2, count)] + [min(2, count)] + [count], pa.int32())
    lists = pa.ListArray.from_arrays(offsets, flat)
    yield name + "_list", lists
    yield name + "_null_list", pa.ListArray.from_arrays(offsets, flat, mask=pa.array([False, True, False]))
    yield name + "_lists", pa.ListArray.from_arrays(pa.array([0, 2, 2, 3], pa.int32()), lists)
    struct = pa.StructArray.from_arrays([flat, pa.array(range(count))], names=["x", "n"], mask=one)
    yield name + "_struct", struct
    yield name + "_structs", pa.ListArray.from_arrays(offsets, struct)
    keys = pa.array([f"k{i}" for i in range(count)])
    yield name + "_map", pa.MapArray.from_arrays(offsets, keys, flat)
    yield name + "_in", pa.StructArray.from_arrays([lists], names=["l"])
    yield name + "_two", pa.FixedSizeListArray.from_arrays(flat.slice(0, count // 2 * 2), 2)


def arrow_table():
    """All columns, each filled up with nulls to the same number of rows."""
    columns = {}
    for name, kind, values in arrow_leaves():
        columns.update(arrow_shapes(name, kind, values))
    columns["nothing"] = pa.nulls(1)
    rows = max(len(column) for column in columns.values())

    def filled(column):
        more = rows - len(column)
        return column if more == 0 else pa.concat_arrays([column, array_of(column.type, [None] * more)])

    return pa.table({name: filled(column) for name, column in columns.items()})


def by_pyarrow(out):
    table = arrow_table()
    variants = {
        "plain": dict(use_dictionary=False, compression="none"),
        "dictionary": dict(use_dictionary=True, compression="snappy"),
        "version-1": dict(version="1.0", coerce_timestamps="us", allow_truncated_timestamps=True),
        "version-2.4": dict(version="2.4", compression="gzip"),
        "pages-2": dict(data_page_version="2.0", compression="zstd", use_dictionary=False),
        "pages-2-dictionary": dict(data_page_version="2.0", compression="brotli"),
        "small-groups": dict(row_group_size=2, compression="lz4"),
        "small-pages": dict(data_page_size=1, write_batch_size=1, use_dictionary=False, write_page_checksum=True),
        "checksums": dict(write_page_checksum=True, data_page_version="2.0"),
        "no-arrow-schema": dict(store_schema=False),
        "old-lists": dict(use_compliant_nested_type=False),
        "no-statistics": dict(write_statistics=False, write_page_index=True),
        "decimals-as-integers": dict(store_decimal_as_integer=True),
    }
    for name, options in variants.items():
        pq.write_table(table, out / f"pyarrow-{name}.parquet", **options)
        yield f"pyarrow-{name}.parquet", "right"
    near = table.select([c for c in table.column_names if c.startswith("at_ns") or c.startswith("i32")])
    pq.write_table(near, out / "pyarrow-int96.parquet", use_deprecated_int96_timestamps=True)
    yield "pyarrow-int96.parquet", "right"
    encodings = {
        "BYTE_STREAM_SPLIT": ("f32", "f64", "f16", "i32", "i64", "dec38"),
        "DELTA_BINARY_PACKED": ("i8", "i32", "i64", "u64", "at_us", "day"),
        "DELTA_LENGTH_BYTE_ARRAY": ("text", "large"),
        "DELTA_BYTE_ARRAY": ("text", "large", "dec38"),
        "RLE": ("bool",),
    }
    for encoding, names in encodings.items():
        chosen = table.select([c for c in table.column_names if c in names])
        target = out / f"pyarrow-{encoding.lower()}.parquet"
        pq.write_table(chosen, target, use_dictionary=False, column_encoding={c: encoding for c in chosen.column_names})
        yield target.name, "right"
    pq.write_table(table.slice(0, 0), out / "pyarrow-no-rows.parquet")
    yield "pyarrow-no-rows.parquet", "right"
    many = pa.table({"n": range(200_000), "l": [[i % 7] * (i % 4) for i in range(200_000)], "t": ["x" * (i % 9) for i in range(200_000)]})
    pq.write_table(many, out / "pyarrow-many.parquet", row_group_size=30_000)
    yield "pyarrow-many.parquet", "right"
    yield from refused_by_pyarrow(out)


def refused_by_pyarrow(out):
    without_text = {
        "binary": pa.array([b"a"], pa.binary()),
        "large-binary": pa.array([b"a"], pa.large_binary()),
        "fixed": pa.array([b"abc"], pa.binary(3)),
        "binary-list": pa.array([[b"a"]], pa.list_(pa.binary())),
        "duration": pa.array([1], pa.duration("ms")),
        "durations": pa.array([[1]], pa.list_(pa.duration("ns"))),
        "in-struct": pa.array([{"x": 1}], pa.struct([("x", pa.duration("s"))])),
        "wide-decimal": pa.array([D("1.5")], pa.decimal256(50, 1)),
    }
    for name, column in without_text.items():
        pq.write_table(pa.table({"id": [1], "odd": column}), out / f"pyarrow-refused-{name}.parquet")
        yield f"pyarrow-refused-{name}.parquet", "refused"
    for version in ("1.0", "2.0"):
        marks = pa.table({"id": [1, 2], "mark": ["MARKED", "values"]})
        options = dict(compression="none", use_dictionary=False, write_page_checksum=True, write_statistics=False)
        target = out / f"pyarrow-refused-checksum-{version}.parquet"
        pq.write_table(marks, target, data_page_version=version, store_schema=False, **options)
        data = target.read_bytes()
        assert data.count(b"MARKED") == 1
        target.write_bytes(data.replace(b"MARKED", b"HARMED"))
        yield target.name, "refused"


DUCKDB = """
SELECT i, v::TINYINT AS ti, v::SMALLINT AS si, v::INTEGER AS ii, (v * 1e15)::BIGINT AS bi, (v * 1e15)::HUGEINT AS hi,
  abs(v)::UTINYINT AS ut, abs(v)::USMALLINT AS us, abs(v)::UINTEGER AS ui, abs(v * 1e15)::UBIGINT AS ub,
  (v / 3)::FLOAT AS f, v / 3 AS d, (v / 10)::DECIMAL(4,1) AS d4, (v / 10)::DECIMAL(9,2) AS d9, (v / 7)::DECIMAL(18,3) AS d18,
  (v / 7)::DECIMAL(38,5) AS d38, 't' || v AS t, ['x', 'y', 'z'][1 + i % 3]::ENUM('x', 'y', 'z') AS e, v > 0 AS b,
  CASE WHEN v IS NULL THEN NULL ELSE '00000000-0000-4000-8000-00000000000a'::UUID END AS u,
  DATE '2024-01-05' + v::INTEGER AS day, TIME '01:02:03.000004' + INTERVAL (i) SECOND AS tm,
  ('01:02:03+02'::TIMETZ) AS tz, make_timestamp_ns(v::BIGINT * 1000000001) AS ns,
  make_timestamp(v::BIGINT * 1000001)::TIMESTAMP_S AS ts, make_timestamp(v::BIGINT * 1000001)::TIMESTAMP_MS AS tms,
  make_timestamp(v::BIGINT * 1000001) AS tus, to_timestamp(v) AS tutc,
  [v::DECIMAL(9,2), NULL] AS l, CASE WHEN i % 2 = 0 THEN [] ELSE [[v::INTEGER], NULL] END AS ll,
  {'a': v::DECIMAL(9,2), 'at': to_timestamp(v)} AS s, [{'a': DATE '2024-01-05' + v::INTEGER}] AS ls,
  MAP {'k': v::DECIMAL(9,2)} AS m, [v::INTEGER, 1]::INTEGER[2] AS arr, union_value(num := v::INTEGER) AS un
FROM (SELECT i, CASE WHEN i % 5 = 4 THEN NULL ELSE (i - 10) * 1.25 END::DOUBLE AS v FROM range(20) r(i))
"""


def by_duckdb(out):
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    for name, options in {
        "v1": "PARQUET_VERSION V1, COMPRESSION snappy",
        "v2": "PARQUET_VERSION V2, COMPRESSION zstd",
        "groups": "ROW_GROUP_SIZE 7, COMPRESSION uncompressed",
        "lz4": "COMPRESSION lz4_raw",
    }.items():
        con.execute(f"COPY ({DUCKDB}) TO '{out}/duckdb-{name}.parquet' (FORMAT parquet, {options})")
        yield f"duckdb-{name}.parquet", "right"
    for name, column in {"blob": "'a'::BLOB", "interval": "INTERVAL 3 DAY", "blobs": "['a'::BLOB]"}.items():
        con.execute(f"COPY (SELECT 1 AS id, {column} AS odd) TO '{out}/duckdb-refused-{name}.parquet' (FORMAT parquet)")
        yield f"duckdb-refused-{name}.parquet", "refused"


def polars_frame():
    integers = {f"{kind}{bits}".lower(): pl.Series([0, None, 100], dtype=getattr(pl, f"{kind}{bits}"))
                for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)}
    at = [AT, None, NEAR]
    stamps = {f"at_{unit}_{zone}": pl.Series(at).dt.cast_time_unit(unit).dt.replace_time_zone(zone)
              for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Europe/Berlin")}
    dates = pl.Series([[DAY, None], None, []], dtype=pl.List(pl.Date))
    decimals = [{"x": D("1.50"), "l": [D("-0.05")]}, None, {"x": None, "l": None}]
    return pl.DataFrame({
        **integers, **stamps,
        "f32": pl.Series([0.1, None, float("nan")], dtype=pl.Float32), "f64": [0.1, None, float("inf")],
        "b": [True, None, False], "t": ["", None, "é\""], "nothing": [None, None, None],
        "cat": pl.Series(["a", None, "a"], dtype=pl.Categorical), "enum": pl.Series(["a", None, "b"], dtype=pl.Enum(["a", "b"])),
        "dec": pl.Series([D("1.50"), None, D("-0.05")], dtype=pl.Decimal(10, 2)),
        "dec38": pl.Series([D("1.50"), None, D("-0.05")], dtype=pl.Decimal(38, 2)),
        "day": [DAY, None, LAST_DAY], "time": [dt.time(1, 2, 3, 4), None, dt.time(0, 0)],
        "dates": dates, "deep": pl.Series([[[1.5], None], [[]], None], dtype=pl.List(pl.List(pl.Float64))),
        "struct": pl.Series(decimals, dtype=pl.Struct({"x": pl.Decimal(9, 2), "l": pl.List(pl.Decimal(9, 2))})),
        "structs": pl.Series([[{"at": AT.replace(tzinfo=UTC)}], None, []], dtype=pl.List(pl.Struct({"at": pl.Datetime("us", "UTC")}))),
        "array": pl.Series([[1, None], None, [3, 4]], dtype=pl.Array(pl.Int16, 2)),
    })


def by_polars(out):
    frame = polars_frame()
    for name, options in {
        "zstd": dict(), "groups": dict(row_group_size=1, compression="uncompressed"),
        "pages": dict(data_page_size=1, compression="lz4"), "bare": dict(statistics=False, compression="snappy"),
    }.items():
        frame.write_parquet(out / f"polars-{name}.parquet", **options)
        yield f"polars-{name}.parquet", "right"
    for name, column in {"binary": [b"a"], "duration": [dt.timedelta(days=1)], "durations": [[dt.timedelta(days=1)]]}.items():
        pl.DataFrame({"id": [1], "odd": column}).write_parquet(out / f"polars-refused-{name}.parquet")
        yield f"polars-refused-{name}.parquet", "refused"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    files = dict(pair for by in (by_pyarrow, by_duckdb, by_polars) for pair in by(out))
    print(json.dumps(files))


if __name__ == "__main__":
    main()
    # The libraries' threads may abort an interpreter that shuts down.
    import os
    import sys
    sys.stdout.flush()
    os._exit(0)
