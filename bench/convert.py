#!/usr/bin/env python3
"""Converts a CSV file of the benchmark to another format, so that a run reads the same rows from it.

    convert.py --source sales.csv --format gzip|ndjson|parquet --out FOLDER

Every value stays the same text. Reads and writes in blocks: memory does not grow with the file.
"""

import argparse
import csv
import gzip
import itertools
import json
import pathlib
import shutil

import pyarrow
import pyarrow.parquet

BLOCK_ROWS = 100_000
# The default size of pyarrow's row groups, the largest that readers commonly meet.
ROW_GROUP_BLOCKS = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, type=pathlib.Path)
    parser.add_argument("--format", required=True, choices=["gzip", "ndjson", "parquet"])
    parser.add_argument("--out", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True)
    if arguments.format == "gzip":
        target = arguments.out / "sales.csv.gz"
        with open(arguments.source, "rb") as source, gzip.open(target, "wb", compresslevel=1) as packed:
            shutil.copyfileobj(source, packed, 1 << 20)
        return
    with open(arguments.source, encoding="utf-8", newline="") as source:
        rows = csv.reader(source)
        header = next(rows)
        # Only CSV can have lines that cannot be split.
        rows = (row for row in rows if len(row) == len(header))
        if arguments.format == "ndjson":
            with open(arguments.out / "sales.ndjson", "w", encoding="utf-8") as target:
                for row in rows:
                    target.write(json.dumps(dict(zip(header, row)), ensure_ascii=False) + "\n")
            return
        schema = pyarrow.schema([(name, pyarrow.string()) for name in header])
        with pyarrow.parquet.ParquetWriter(arguments.out / "sales.parquet", schema, compression="zstd") as target:
            blocks = iter(lambda: list(itertools.islice(rows, BLOCK_ROWS)), [])
            while group := [table_of(block, schema) for block in itertools.islice(blocks, ROW_GROUP_BLOCKS)]:
                target.write_table(pyarrow.concat_tables(group))


def table_of(rows, schema):
    columns = [pyarrow.array(values, pyarrow.string()) for values in zip(*rows)]
    return pyarrow.table(columns, schema=schema)


if __name__ == "__main__":
    main()
