#!/usr/bin/env python3
"""Delivers Parquet files to `sluice`, each to a pipeline of its own, and compares bronze with what pyarrow reads.

    parquet_judge.py --sluice BINARY --work FOLDER FILE...

Prints JSON: for each file `right` (every value is), `refused` (held by its name, so that the run is rejected), `wrong`
(another value than pyarrow's, or values of a file that pyarrow does not read) or `failed` (anything else).
"""

import argparse
import concurrent.futures
import itertools
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import uuid

import deltalake
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CONTRACT = """apiVersion: v3.2.0
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
- name: t
  properties:
  - {name: c, logicalType: string}
"""

# Exit code of a run that the gate rejected.
REJECTED = 3


class Number(str):
    """Digits that stand in JSON without quotes."""


class Float:
    """A number of this many bits."""

    def __init__(self, value, bits):
        self.value, self.bits = value, bits

    def __repr__(self):
        return f"{self.value!r} ({self.bits} bits)"

    def is_written(self, text):
        kind = np.float64 if self.bits == 64 else np.float32
        value, written = kind(self.value), kind(text)
        same = (math.isnan(value) and math.isnan(written)) or value == written
        return same and (math.isnan(value) or math.copysign(1, value) == math.copysign(1, written))


class Instant:
    """A timestamp of 96 bits, which pyarrow reads in microseconds here; its nanoseconds may follow."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text

    def is_written(self, text):
        return text.startswith(self.text) and text[len(self.text):].isdigit() | (text == self.text)

def date_text(days):
    text = str(np.datetime64(days, "D"))
    year = text[:-6]
    return f"+{text}" if len(year) > 4 and not year.startswith("-") else text


def clock_text(nanos):
    seconds, nanos = divmod(nanos, 10**9)
    fraction = f"{nanos // 1000:06}" if nanos % 1000 == 0 else f"{nanos:09}"
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction}"


PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def stamp_text(ticks, unit, utc):
    nanos = ticks * (10**9 // PER_SECOND[unit])
    days, nanos = divmod(nanos, 86_400 * 10**9)
    return f"{date_text(days)}T{clock_text(nanos)}" + ("Z" if utc else "")


def leaf(array, column):
    """What each value of a leaf is as text; `column` is the leaf in the schema of the file."""
    kind, is_a = array.type, pa.types
    logical = str(column.logical_type)
    ticks = lambda to: array.cast(to).to_pylist()
    if is_a.is_null(kind):
        return [None] * len(array)
    if is_a.is_boolean(kind):
        values, text = array.to_pylist(), bool
    elif is_a.is_integer(kind):
        values, text = array.to_pylist(), lambda value: Number(value)
    elif is_a.is_floating(kind):
        values, text = array.to_pylist(), lambda value: Float(value, kind.bit_width)
    elif is_a.is_decimal(kind):
        values, text = array.to_pylist(), lambda value: Number(format(value, "f"))
    elif is_a.is_string(kind) or is_a.is_large_string(kind) or is_a.is_string_view(kind):
        values, text = array.to_pylist(), str
    elif is_a.is_date32(kind):
        values, text = ticks(pa.int32()), date_text
    elif is_a.is_date64(kind):
        values, text = ticks(pa.int64()), lambda value: date_text(value // 86_400_000)
    elif is_a.is_time(kind):
        values = ticks(pa.int32() if is_a.is_time32(kind) else pa.int64())
        text = lambda value: clock_text(value * (10**9 // PER_SECOND[kind.unit]))
    elif is_a.is_timestamp(kind) and column.physical_type == "INT96":
        values, text = ticks(pa.int64()), lambda value: Instant(stamp_text(value, kind.unit, False))
    elif is_a.is_timestamp(kind):
        utc = "isadjustedtoutc=true" in logical.lower()
        values, text = ticks(pa.int64()), lambda value: stamp_text(value, kind.unit, utc)
    elif logical == "UUID":
        values, text = array.to_pylist(), lambda value: str(value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value))
    else:
        raise TypeError(f"no text for {kind} ({logical})")
    return [None if value is None else text(value) for value in values]


def trees(array, columns):
    """The values of an array, nested as they are."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind, is_a = array.type, pa.types
    if is_a.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    present = array.is_valid().to_pylist()
    if is_a.is_map(kind):
        offsets, keys, items = array.offsets.to_pylist(), trees(array.keys, columns), trees(array.items, columns)
        entries = [(("key", key), ("value", item)) for key, item in zip(keys, items)]
        return [entries[offsets[i]:offsets[i + 1]] if here else None for i, here in enumerate(present)]
    if is_a.is_fixed_size_list(kind):
        values, size = trees(array.values, columns), kind.list_size
        return [values[i * size:(i + 1) * size] if here else None for i, here in enumerate(present)]
    if is_a.is_list(kind) or is_a.is_large_list(kind):
        offsets, values = array.offsets.to_pylist(), trees(array.values, columns)
        return [values[offsets[i]:offsets[i + 1]] if here else None for i, here in enumerate(present)]
    if is_a.is_struct(kind):
        fields = [(kind.field(i).name, trees(array.field(i), columns)) for i in range(kind.num_fields)]
        # A tuple of pairs: an object with its keys in their order.
        return [tuple((name, values[i]) for name, values in fields) if here else None for i, here in enumerate(present)]
    return leaf(array, next(columns))


def equal(expected, found):
    """Whether parsed JSON is what is expected. Objects are tuples of pairs."""
    if isinstance(expected, Float):
        bare = isinstance(found, Number)
        return isinstance(found, str) and bare == math.isfinite(expected.value) and expected.is_written(found)
    if isinstance(expected, Instant):
        return isinstance(found, str) and not isinstance(found, Number) and expected.is_written(found)
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(equal, expected, found))
    if isinstance(expected, tuple):
        return isinstance(found, tuple) and [k for k, _ in found] == [k for k, _ in expected] and all(
            equal(one, two) for (_, one), (_, two) in zip(expected, found))
    return type(found) is type(expected) and found == expected


def written(expected, text):
    """Whether a cell of bronze is what is expected."""
    if expected is None or text is None:
        return expected is None and text is None
    if isinstance(expected, (list, tuple)):
        parsed = json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=tuple)
        return equal(expected, parsed)
    if isinstance(expected, (Float, Instant)):
        return expected.is_written(text)
    return text == (str(expected).lower() if isinstance(expected, bool) else str(expected))


class Unknown:
    """A leaf of which the oracle gives no more than the values."""

    logical_type = physical_type = ""


def read(path):
    """The rows of a file, and the leaves of its schema."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True, coerce_int96_timestamp_unit="us")
        return file.read(), iter([file.schema.column(i) for i in range(len(file.schema))])
    except pa.ArrowInvalid as error:
        if "Map keys must be annotated as required" not in str(error):
            raise
        # Some writers leave the annotation out; DuckDB and Spark read their maps.
        table = duckdb.connect().execute("FROM read_parquet(?)", [str(path)]).to_arrow_table()
        return table, itertools.repeat(Unknown())


def compare(path, lake):
    """The first difference between a file and bronze; `None` if they agree."""
    table, columns = read(path)
    bronze = pa.table(deltalake.DeltaTable(str(lake / "bronze/d/t")).to_pyarrow_table()).sort_by("_source_row") \
        if (lake / "bronze/d/t/_delta_log").exists() else None
    rows = 0 if bronze is None else bronze.num_rows
    if rows != table.num_rows:
        return f"{rows} rows, not {table.num_rows}"
    for name in table.column_names:
        column = table[name].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
        expected = trees(column, columns)
        if rows == 0:
            continue
        found = bronze[name.strip()].to_pylist()
        for row, (one, text) in enumerate(zip(expected, found), 1):
            if not written(one, text):
                return f"column {name}, row {row}: {text!r}, not {one!r}"
    return None


def column_names(path):
    try:
        return pq.read_schema(path).names
    except Exception:
        pass
    try:
        names = duckdb.connect().execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
        return [name for (name,) in names[1:]]
    except Exception:
        return []


def judge(sluice, path, work):
    (work / "pipeline/contracts").mkdir(parents=True)
    (work / "landing").mkdir()
    names = column_names(path) or ["x"]
    spec = {
        "pipeline": "p", "domain": "d", "source": {"prefix": "landing/p", "format": "parquet"}, "bronze": {"table": "t"},
        "silver": [{"table": "t", "contract": "contracts/t.odcs.yaml", "columns": {"c": names[0].strip()}, "mode": "append"}],
        # Spark's reader is not judged here.
        "engine": "lambda",
    }
    (work / "pipeline/pipeline.yaml").write_text(json.dumps(spec))
    (work / "pipeline/contracts/t.odcs.yaml").write_text(CONTRACT)
    shutil.copyfile(path, work / "landing" / path.name)
    command = [str(sluice), "run", "pipeline", "--lake", "lake", "--landing", "landing"]
    run = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    said = run.stdout + run.stderr
    errors = " ".join(line for line in said.splitlines() if "error" in line.lower())[:400]
    if "panicked" in said:
        return "failed", f"panicked: {said[-400:]}"
    if run.returncode != 0:
        reasons = [json.loads(hold.read_text())["reason"] for hold in (work / "lake/holds").rglob("*.json")]
        named = len(reasons) == 1 and path.name in reasons[0] and "lacks column" not in reasons[0]
        is_refused = run.returncode == REJECTED and named
        return ("refused" if is_refused else "failed"), " ".join(reasons)[:400] or errors or said[-400:]
    try:
        difference = compare(path, work / "lake")
    except Exception as error:
        return "wrong", f"read, but the oracle does not: {type(error).__name__}: {error}"[:400]
    return ("wrong", difference) if difference else ("right", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("files", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(
            lambda numbered: judge(arguments.sluice, numbered[1].resolve(), arguments.work / str(numbered[0])),
            enumerate(arguments.files)))
    answers = [{"file": file.name, "verdict": verdict, "detail": detail}
               for file, (verdict, detail) in zip(arguments.files, judged)]
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
    # The libraries' threads may abort an interpreter that shuts down.
    sys.stdout.flush()
    os._exit(0)
