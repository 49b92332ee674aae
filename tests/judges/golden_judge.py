#!/usr/bin/env python3
"""Reads Delta tables of other writers with `sluice`, and compares every version with what was written.

    golden_judge.py --sluice BINARY --work FOLDER ARCHIVE...

An archive is one of the golden tables of delta-kernel-rs: a `.tar.zst` with the table in `delta/` and the rows of its
newest version in `expected/`, as Parquet. Older versions, and tables without `expected/`, are compared with a replay of
the log's JSON entries by this script, whose files pyarrow reads.

Prints JSON: for each table `right` (every row of every version that can be compared is), `refused` (with the stable
name of the error, and the table in its message), `wrong` (other rows, or rows of a table that nobody can read) or
`failed` (`Internal`, a panic, or anything else).
"""

import argparse
import collections
import concurrent.futures
import datetime
import decimal
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.parse

import pyarrow as pa
import pyarrow.parquet as pq

# Names of errors that say what is wrong with a table.
REFUSALS = ("ContractViolation", "TableUnreadable", "VersionGone")
# More rows than any table has.
ALL_ROWS = "4000000000"
EPOCH = datetime.datetime(1970, 1, 1)


class Unreadable(Exception):
    """A table that this script cannot read by the log's JSON entries."""


def unpack(archive, folder):
    with pa.input_stream(str(archive), compression="zstd") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        tar.extractall(folder, filter="data")


def tables_of(archive, folder):
    """The tables of an archive: name, folder, folder of the expected rows or `None`."""
    name = archive.name.removesuffix(".tar.zst")
    top = folder / name
    expected = top / "expected"
    nested = sorted(path.parent for path in top.glob("delta/*/_delta_log"))
    if nested:
        return [(f"{name}/{path.name}", path, None) for path in nested]
    return [(name, top / "delta", expected if expected.is_dir() else None)]


# What the values of a column are in the JSON of the command.

def whole(value):
    return ("whole", value)


def instant(text):
    """Microseconds since 1970."""
    day, clock = text.removesuffix("Z").split("T")
    clock, _, fraction = clock.partition(".")
    since = datetime.datetime.fromisoformat(f"{day}T{clock}") - EPOCH
    return since // datetime.timedelta(microseconds=1) + int(fraction.ljust(6, "0") or 0)


def expected_values(column):
    """The values of a column of pyarrow, comparable with `found_value`."""
    kind, is_a = column.type, pa.types
    if is_a.is_timestamp(kind):
        values = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).to_pylist()
        text = lambda value: ("instant", value)
    elif is_a.is_decimal(kind):
        values, text = column.to_pylist(), lambda value: ("text", format(value, "f"))
    elif is_a.is_date(kind):
        values, text = column.to_pylist(), lambda value: ("text", value.isoformat())
    elif is_a.is_string(kind) or is_a.is_large_string(kind):
        values, text = column.to_pylist(), lambda value: ("text", value)
    elif is_a.is_boolean(kind):
        values, text = column.to_pylist(), lambda value: ("boolean", value)
    elif is_a.is_integer(kind):
        values, text = column.to_pylist(), whole
    elif is_a.is_floating(kind):
        values, text = column.to_pylist(), lambda value: ("double", repr(value))
    elif is_nested(kind):
        values, text = column.to_pylist(), lambda value: expected_parts(value, kind)
    else:
        raise TypeError(f"no form of {kind} in JSON")
    return [None if value is None else text(value) for value in values]


def is_nested(kind):
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_struct(kind)


def expected_parts(value, kind):
    """A list or struct of pyarrow, with its parts as `expected_values` has values."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return tuple((field.name, expected_parts(value[field.name], field.type)) for field in kind)
    if is_nested(kind):
        return tuple(expected_parts(part, kind.value_type) for part in value)
    return expected_values(pa.array([value], kind))[0]


def found_parts(value, kind):
    """The same of the JSON of the command."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return tuple((name, found_parts(part, kind.field(name).type)) for name, part in value.items())
    if is_nested(kind):
        return tuple(found_parts(part, kind.value_type) for part in value)
    return found_value(value, kind)


def found_value(value, kind):
    """A value of the JSON of the command, comparable with `expected_values` of a column of this kind."""
    if value is None:
        return None
    if is_nested(kind):
        # A cell is a text, also in JSON.
        return found_parts(json.loads(value) if isinstance(value, str) else value, kind)
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float):
        return ("double", repr(value))
    if pa.types.is_timestamp(kind) and value.endswith("Z"):
        return ("instant", instant(value))
    return ("text", value)


def difference(expected, found):
    """The first difference between a table of pyarrow and rows of the command; `None` if they are equal."""
    names = expected.column_names
    if len(found) != expected.num_rows:
        return f"{len(found)} rows, not {expected.num_rows}"
    for row in found:
        if list(row) != names:
            return f"columns {list(row)}, not {names}"
    columns = [expected_values(expected[name]) for name in names]
    kinds = [expected.schema.field(name).type for name in names]
    wanted = collections.Counter(zip(*columns))
    had = collections.Counter(tuple(map(found_value, row.values(), kinds)) for row in found)
    if wanted == had:
        return None
    return f"too many: {list((had - wanted).items())[:2]}, missing: {list((wanted - had).items())[:2]}"


# Versions by the JSON entries of the log.

SIMPLE = {"string": pa.string(), "integer": pa.int32(), "long": pa.int64(), "double": pa.float64(),
          "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC")}


def arrow_type(name):
    found = re.fullmatch(r"decimal\((\d+),(\d+)\)", name) if isinstance(name, str) else None
    if found:
        return pa.decimal128(int(found[1]), int(found[2]))
    if isinstance(name, str) and name in SIMPLE:
        return SIMPLE[name]
    raise Unreadable(f"type {name}")


def partition_value(text, kind):
    """A partition value of the log as pyarrow has it."""
    if text is None or text == "":
        return None
    if pa.types.is_decimal(kind):
        return decimal.Decimal(text)
    if pa.types.is_timestamp(kind):
        return instant(text.replace(" ", "T", 1))
    if pa.types.is_date(kind):
        return datetime.date.fromisoformat(text)
    if pa.types.is_boolean(kind):
        return text == "true"
    return int(text) if pa.types.is_integer(kind) else float(text) if pa.types.is_floating(kind) else text


def versions_of(folder):
    return sorted(int(path.stem) for path in folder.glob("_delta_log/*.json") if re.fullmatch(r"\d{20}", path.stem))


def replay(folder, version):
    """The rows of a version."""
    if versions_of(folder)[: version + 1] != list(range(version + 1)):
        raise Unreadable("entries were cleaned up")
    live, metadata = {}, None
    for number in range(version + 1):
        entry = folder / "_delta_log" / f"{number:020}.json"
        actions = [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines() if line.strip()]
        # Within an entry the order says nothing.
        for action in actions:
            live.pop(action.get("remove", {}).get("path"), None)
        for action in actions:
            if "add" in action:
                live[action["add"]["path"]] = action["add"]
            metadata = action.get("metaData", metadata)
    if metadata is None or metadata.get("configuration", {}).get("delta.columnMapping.mode", "none") != "none":
        raise Unreadable("no metadata, or column mapping")
    fields = [(field["name"], arrow_type(field["type"])) for field in json.loads(metadata["schemaString"])["fields"]]
    parts = [rows_of(folder, add, fields, metadata["partitionColumns"]) for add in live.values()]
    return pa.concat_tables([pa.schema(fields).empty_table(), *parts])


def rows_of(folder, add, fields, partition_columns):
    if add.get("deletionVector"):
        raise Unreadable("a deletion vector")
    path = folder / urllib.parse.unquote(add["path"])
    if not path.is_file():
        raise Unreadable(f"{path} does not exist")
    rows = pq.ParquetFile(path, coerce_int96_timestamp_unit="us").read()
    columns = []
    for name, kind in fields:
        if name in partition_columns:
            value = partition_value(add["partitionValues"][name], kind)
            stored = pa.array([value] * rows.num_rows, pa.int64() if isinstance(value, int) else kind)
            columns.append(stored.cast(kind))
        elif name in rows.column_names:
            column = rows[name]
            # Instants of 96 bits have no zone in the file.
            columns.append(column.cast(pa.timestamp("us")).cast(kind) if pa.types.is_timestamp(kind) else column.cast(kind))
        else:
            columns.append(pa.nulls(rows.num_rows, kind))
    return pa.table(columns, schema=pa.schema(fields))


# What the command says.

class Refused(Exception):
    """An error of the command with its stable name."""


class Failed(Exception):
    """Anything else that is not an answer."""


def ask(sluice, lake, table, *words):
    command = [str(sluice), "table", *words, table, "--lake", str(lake), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    if "panicked" in run.stderr:
        raise Failed(f"panicked: {run.stderr[-400:]}")
    if run.returncode == 0:
        return run.stdout
    try:
        error = json.loads(run.stdout)["error"]
    except (ValueError, KeyError):
        raise Failed(f"code {run.returncode}: {run.stdout[-200:]}{run.stderr[-200:]}")
    says = f"{error['name']}: {error['message']}: {' '.join(error['causes'])}"[:400]
    is_there = (lake / table / "_delta_log").is_dir()
    if error["name"] not in (REFUSALS if is_there else ("NotFound",)) or table not in error["message"]:
        raise Failed(f"{words[0]}: {says}")
    raise Refused(says)


def head(sluice, lake, table, *words):
    return [json.loads(line) for line in ask(sluice, lake, table, "head", "--rows", ALL_ROWS, *words).splitlines()]


def compare_newest(sluice, lake, table, folder, expected):
    """The first difference of the newest version; `None` if they are equal."""
    found = head(sluice, lake, table)
    if expected is not None:
        files = sorted(expected.glob("*.parquet"))
        wanted = pa.concat_tables(pq.ParquetFile(file, coerce_int96_timestamp_unit="us").read() for file in files)
    else:
        try:
            wanted = replay(folder, versions_of(folder)[-1])
        except Unreadable as error:
            return f"read, but this script does not: {error}"
    counted = json.loads(ask(sluice, lake, table, "show"))["rows"]
    if counted not in (None, len(found)):
        return f"the statistics count {counted} rows, not {len(found)}"
    return difference(wanted, found)


def compare_older(sluice, lake, table, folder):
    """The first difference of an older version; `None` if they are equal."""
    json.loads(ask(sluice, lake, table, "history"))
    for version in versions_of(folder)[:-1]:
        try:
            wanted = replay(folder, version)
        except Unreadable:
            wanted = None
        try:
            found = head(sluice, lake, table, "--version", str(version))
        except Refused as refused:
            if wanted is not None:
                return f"version {version} is refused, but this script reads it: {refused}"
            continue
        different = difference(wanted, found) if wanted is not None else "read, but this script does not"
        if different:
            return f"version {version}: {different}"
    return None


def judge(sluice, lake, table, folder, expected):
    """The verdict, the name of the error and what was found."""
    name = None
    try:
        different = compare_newest(sluice, lake, table, folder, expected)
        different = different or compare_older(sluice, lake, table, folder)
        return ("wrong", name, different) if different else ("right", name, "")
    except Failed as failed:
        return "failed", name, str(failed)
    except Refused as refused:
        says = str(refused)
    # What a table is refused for must not break the commands that read its log alone.
    try:
        for words in (["show"], ["history"]):
            try:
                ask(sluice, lake, table, *words)
            except Refused:
                pass
    except Failed as failed:
        return "failed", name, str(failed)
    name, _, says = says.partition(": ")
    return "refused", name, says


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("archives", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    lake, tables = arguments.work / "lake", []
    for archive in arguments.archives:
        unpack(archive, arguments.work / "unpacked")
        for name, folder, expected in tables_of(archive, arguments.work / "unpacked"):
            # Names of tables have no hyphens, and not as many letters.
            table = f"silver/golden/t{len(tables)}"
            shutil.copytree(folder, lake / table)
            tables.append((name, table, lake / table, expected))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(lambda one: judge(arguments.sluice, lake, *one[1:]), tables))
    answers = [{"table": name, "verdict": verdict, "error": error, "detail": detail}
               for (name, *_), (verdict, error, detail) in zip(tables, judged)]
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
    # The libraries' threads may abort an interpreter that shuts down.
    sys.stdout.flush()
    os._exit(0)
