#!/usr/bin/env python3
"""Measures `sluice run` over the same rows in every format and way of writing, each next to plain CSV.

    sources_job.py --sluice SLUICE --folder SCRATCH --rows 2000000 --rounds 3 --out sources.json

Every round runs every source once, one after the other, so that a slow minute of the machine costs all of them. A ratio is that
of the smallest times. Peak memory is measured at the rows given and at four times as many.
"""

import argparse
import dataclasses
import datetime
import gzip
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator

import fastavro
import pyarrow
import pyarrow.parquet

# So many rows differ; a source has them again and again, which is made faster.
BLOCK_ROWS = 100_000
# Memory is measured again at so many times the rows.
MORE_ROWS = 4
NAMES = ("id", "name", "amount", "day", "is_paid", "note")
PLAIN = {name: name for name in NAMES}

SPEC = """\
pipeline: bench
domain: bench
source: {source}
bronze: {{ table: rows }}
silver:
  - table: rows
    contract: contracts/rows.odcs.yaml
    columns: {columns}
    mode: append
    gate: {{ quarantined_percent_below: 1 }}
"""
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: rows
version: 1.0.0
status: active
schema:
  - name: rows
    properties:
      - { name: id, logicalType: integer, physicalType: BIGINT, required: true }
      - { name: name, logicalType: string }
      - { name: amount, logicalType: number, physicalType: 'DECIMAL(12,2)', required: true }
      - { name: day, logicalType: date }
      - { name: is_paid, logicalType: boolean }
      - { name: note, logicalType: string }
"""


@dataclasses.dataclass(frozen=True)
class Row:
    id: int
    name: str
    cents: int
    day: datetime.date
    is_paid: bool
    note: str

    def texts(self) -> list[str]:
        return [str(self.id), self.name, self.amount(), self.day.isoformat(), "true" if self.is_paid else "false", self.note]

    def amount(self) -> str:
        return f"{self.cents // 100}.{self.cents % 100:02}"


def row(number: int) -> Row:
    mixed = (number * 2_654_435_761) & 0xFFFFFFFF
    day = datetime.date(2020, 1, 1) + datetime.timedelta(days=mixed % 2000)
    return Row(number, f"customer {mixed % 5000}", mixed % 1_000_000, day, mixed % 3 == 0, f"note {mixed:x} of row {number}")


BLOCK = [row(number) for number in range(BLOCK_ROWS)]


def blocks(count: int) -> Iterator[list[Row]]:
    while count > 0:
        yield BLOCK[:count]
        count -= BLOCK_ROWS


@dataclasses.dataclass(frozen=True)
class Source:
    """One way to write the rows."""

    name: str
    # The spec's `source`, without its prefix.
    spec: dict
    write: Callable[[pathlib.Path, int], None]
    columns: dict = dataclasses.field(default_factory=lambda: PLAIN)
    # A workbook is read as a whole, and limited: it is measured with a tenth of the rows.
    is_whole: bool = False

    def of(self, rows: int) -> int:
        return rows // 10 if self.is_whole else rows


def lines(header: str | None, line: Callable[[Row], str], end: str = "\n", footer: str = "", encoding: str = "utf-8"):
    def write(path: pathlib.Path, count: int) -> None:
        with open(path, "w", encoding=encoding, newline="") as file:
            if header is not None:
                file.write(header + end)
            text = "".join(line(row) + end for row in BLOCK[:count])
            for block in blocks(count):
                file.write(text if len(block) == len(BLOCK) else "".join(line(row) + end for row in block))
            file.write(footer)

    return write


def joined(sign: str) -> Callable[[Row], str]:
    return lambda row: sign.join(row.texts())


def german(row: Row) -> str:
    amount = f"{row.cents // 100:,}".replace(",", ".") + f",{row.cents % 100:02}"
    amount = f"({amount} €)" if row.id % 50 == 0 else f"{amount} €"
    return ";".join([str(row.id), row.name if row.id % 20 else "NA", amount, row.day.strftime("%d.%m.%Y"), "J" if row.is_paid else "N", row.note])


def packed(write):
    def write_packed(path: pathlib.Path, count: int) -> None:
        plain = path.with_suffix(".plain")
        write(plain, count)
        with open(plain, "rb") as source, gzip.open(path, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        plain.unlink()

    return write_packed


def in_zip(write):
    def write_zip(path: pathlib.Path, count: int) -> None:
        plain = path.with_suffix(".plain")
        write(plain, count)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(plain, "rows.csv")
        plain.unlink()

    return write_zip


def in_tar(write):
    def write_tar(path: pathlib.Path, count: int) -> None:
        plain = path.with_suffix(".plain")
        write(plain, count)
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            archive.add(plain, "rows.csv")
        plain.unlink()

    return write_tar


def element(row: Row) -> str:
    return "<row>" + "".join(f"<{name}>{text}</{name}>" for name, text in zip(NAMES, row.texts())) + "</row>"


def xml(path: pathlib.Path, count: int) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write("<rows>\n")
        text = "\n".join(map(element, BLOCK)) + "\n"
        for block in blocks(count):
            file.write(text if len(block) == len(BLOCK) else "\n".join(map(element, block)) + "\n")
        file.write("</rows>\n")


def document(row: Row) -> str:
    return json.dumps(dict(zip(NAMES, [row.id, row.name, row.amount(), row.day.isoformat(), row.is_paid, row.note])))


def nested(row: Row) -> str:
    inner = {"name": row.name, "paid": [{"is_paid": row.is_paid}]}
    return json.dumps({"id": row.id, "customer": inner, "amount": row.amount(), "day": row.day.isoformat(), "note": row.note})


def json_document(path: pathlib.Path, count: int) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"items":[')
        text = ",\n".join(map(document, BLOCK))
        for number, block in enumerate(blocks(count)):
            file.write(("," if number else "") + (text if len(block) == len(BLOCK) else ",\n".join(map(document, block))))
        file.write("]}")


def parquet(path: pathlib.Path, count: int) -> None:
    fields = [("id", pyarrow.int64()), ("name", pyarrow.string()), ("amount", pyarrow.decimal128(12, 2)), ("day", pyarrow.date32())]
    schema = pyarrow.schema([*fields, ("is_paid", pyarrow.bool_()), ("note", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as target:
        for block in blocks(count):
            columns = [[getattr(row, name) for row in block] for name in ("id", "name", "cents", "day", "is_paid", "note")]
            columns[2] = pyarrow.array([row.amount() for row in block]).cast(pyarrow.decimal128(12, 2))
            target.write_table(pyarrow.table(columns, schema=schema))


def avro(path: pathlib.Path, count: int) -> None:
    kinds = ["long", "string", "string", {"type": "int", "logicalType": "date"}, "boolean", "string"]
    schema = {"type": "record", "name": "row", "fields": [{"name": name, "type": kind} for name, kind in zip(NAMES, kinds)]}
    made = [dict(zip(NAMES, [row.id, row.name, row.amount(), row.day, row.is_paid, row.note])) for row in BLOCK]
    records = itertools.chain.from_iterable(made[: len(block)] for block in blocks(count))
    with open(path, "wb") as file:
        fastavro.writer(file, schema, records, codec="deflate")


def workbook(path: pathlib.Path, count: int) -> None:
    def cells(values: list[str]) -> str:
        texts = (f'<c t="inlineStr"><is><t>{value}</t></is></c>' for value in values)
        return f"<row>{''.join(texts)}</row>"

    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relation}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relation}"><sheets><sheet name="rows" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, text in parts.items():
            book.writestr(name, text)
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>{cells(list(NAMES))}'.encode())
            text = "".join(cells(row.texts()) for row in BLOCK)
            for block in blocks(count):
                sheet.write((text if len(block) == len(BLOCK) else "".join(cells(row.texts()) for row in block)).encode())
            sheet.write(b"</sheetData></worksheet>")


def quoted(row: Row) -> str:
    return ",".join(f'"{text}"' for text in row.texts())


WIDTHS = (10, 16, 12, 10, 5, 40)
FIXED = [{"name": name, "width": width} for name, width in zip(NAMES, WIDTHS)]
HEADER = ",".join(NAMES)
PLAIN_CSV = lines(HEADER, joined(","))
GERMAN = {
    **PLAIN,
    "amount": {"from": "amount", "decimal": ",", "thousands": ".", "currency": ["€"], "minus": ["parentheses"]},
    "day": {"from": "day", "formats": ["%Y-%m-%d", "%d.%m.%Y"]},
    "is_paid": {"from": "is_paid", "true_words": ["J"], "false_words": ["N"]},
}
NESTED = {"id": "id", "name": "$.customer.name", "amount": "amount", "day": "day", "is_paid": "$.customer.paid[0].is_paid", "note": "note"}


def csv(**keys) -> dict:
    return {"format": "csv", "csv": keys} if keys else {"format": "csv"}


SOURCES = [
    Source("csv", csv(), PLAIN_CSV),
    Source("csv, all in quotes", csv(), lines(HEADER, quoted)),
    Source("csv, gzip", csv(), packed(PLAIN_CSV)),
    Source("csv in zip", {**csv(), "archive": {}}, in_zip(PLAIN_CSV)),
    Source("csv in tar.gz", {**csv(), "archive": {}}, in_tar(PLAIN_CSV)),
    Source("csv, delimiter of two signs", csv(delimiter="||"), lines("||".join(NAMES), joined("||"))),
    Source("csv, escapes as COPY writes", csv(delimiter="\t", quote="none", escapes="copy", header="absent", names=list(NAMES)), lines(None, joined("\t"))),
    Source("csv, escape", csv(escape="\\"), lines(HEADER, lambda row: ",".join([*row.texts()[:5], row.note.replace(" of", "\\, of")]))),
    Source("csv, record end of two signs", csv(record_end="~\n"), lines(HEADER, joined(","), end="~\n")),
    Source("csv, footer and ragged", csv(skip_last_lines=2, last_lines_begin="Total", ragged="pad"), lines(HEADER, lambda row: ",".join(row.texts()[: 6 if row.id % 9 else 5]), footer="Total\nend\n")),
    Source("csv, UTF-16", csv(encoding="utf-16le"), lines(HEADER, joined(","), encoding="utf-16-le")),
    Source("csv, Windows-1252", csv(encoding="windows-1252"), lines(HEADER, joined(","), encoding="cp1252")),
    Source("csv, values as in Germany", {**csv(delimiter=";"), "null_words": ["NA"]}, lines(";".join(NAMES), german), GERMAN),
    Source("fixed width", {"format": "fixed_width", "fixed_width": {"columns": FIXED}}, lines(None, lambda row: "".join(text.ljust(width) for text, width in zip(row.texts(), WIDTHS)))),
    Source("ndjson", {"format": "ndjson"}, lines(None, document)),
    Source("ndjson, paths", {"format": "ndjson"}, lines(None, nested), NESTED),
    Source("json, records", {"format": "json", "records": "$.items[*]"}, json_document),
    Source("xml", {"format": "xml", "records": "/rows/row"}, xml),
    Source("avro", {"format": "avro"}, avro),
    Source("parquet", {"format": "parquet"}, parquet),
    Source("xlsx", {"format": "xlsx"}, workbook, is_whole=True),
]


@dataclasses.dataclass(frozen=True)
class Cost:
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


class Bench:
    def __init__(self, sluice: pathlib.Path, folder: pathlib.Path) -> None:
        self.sluice = sluice
        self.folder = folder

    def deliver(self, source: Source, count: int) -> pathlib.Path:
        """The folder of a pipeline next to its landing folder."""
        place = self.folder / f"{SOURCES.index(source)}-{count}"
        if not place.exists():
            (place / "pipeline/contracts").mkdir(parents=True)
            (place / "landing").mkdir()
            source.write(place / "landing" / "rows.data", count)
            spec = SPEC.format(source=json.dumps({"prefix": "landing/bench", **source.spec}), columns=json.dumps(source.columns))
            (place / "pipeline/pipeline.yaml").write_text(spec)
            (place / "pipeline/contracts/rows.odcs.yaml").write_text(CONTRACT)
        return place

    def run(self, source: Source, count: int) -> Cost:
        place, lake = self.deliver(source, count), self.folder / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        cost, log = self.folder / "cost.json", self.folder / "log.txt"
        measure = [sys.executable, str(pathlib.Path(__file__).with_name("measure.py")), "--out", str(cost), "--log", str(log), "--"]
        job = [str(self.sluice), "run", str(place / "pipeline"), "--landing", str(place / "landing"), "--lake", str(lake), "--engine", "lambda", "--json"]
        done = subprocess.run([*measure, *job], check=False)
        report = log.read_text()
        silver = f'"table":"silver/bench/rows","rows_read":{count},"rows_added":{count},'
        if done.returncode != 0 or silver not in report:
            raise SystemExit(f"{source.name}: not all of {count} rows are in silver: {report[-2000:]}")
        found = json.loads(cost.read_text())
        return Cost(found["wall_seconds"], found["user_seconds"] + found["system_seconds"], found["peak_memory_bytes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sluice", required=True, type=pathlib.Path)
    parser.add_argument("--folder", required=True, type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--only", help="sources with this in their name, and plain CSV")
    options = parser.parse_args()
    bench = Bench(options.sluice, options.folder)
    chosen = [source for source in SOURCES if source is SOURCES[0] or options.only is None or options.only in source.name]
    times: dict[str, list[Cost]] = {source.name: [] for source in chosen}
    for _ in range(options.rounds):
        for source in chosen:
            times[source.name].append(bench.run(source, source.of(options.rows)))
    best = {name: min(costs, key=lambda cost: cost.wall_seconds) for name, costs in times.items()}
    cpu = {name: min(cost.cpu_seconds for cost in costs) for name, costs in times.items()}
    peak = {name: max(cost.peak_memory_bytes for cost in costs) for name, costs in times.items()}
    plain, report = SOURCES[0].name, []
    print(f"{'source':32} {'wall s':>7} {'ratio':>6} {'CPU s':>7} {'ratio':>6} {'peak MB':>8} {f'x{MORE_ROWS} rows':>8}")
    for source in chosen:
        name = source.name
        more = bench.run(source, source.of(options.rows) * MORE_ROWS).peak_memory_bytes
        share = source.of(options.rows) / options.rows
        wall, ratio = best[name].wall_seconds, best[name].wall_seconds / best[plain].wall_seconds / share
        cpu_ratio = cpu[name] / cpu[plain] / share
        print(f"{name:32} {wall:7.2f} {ratio:6.2f} {cpu[name]:7.2f} {cpu_ratio:6.2f} {peak[name] / 1e6:8.0f} {more / 1e6:8.0f}", flush=True)
        report.append({"source": name, "wall_seconds": wall, "cpu_seconds": cpu[name], "wall_ratio": ratio, "cpu_ratio": cpu_ratio,
                       "peak_memory_bytes": peak[name], "peak_memory_bytes_of_more": more, "rows": source.of(options.rows)})
        for count in (source.of(options.rows), source.of(options.rows) * MORE_ROWS):
            shutil.rmtree(options.folder / f"{SOURCES.index(source)}-{count}")
    if options.out is not None:
        options.out.write_text(json.dumps({"rows": options.rows, "rounds": options.rounds, "more_rows": MORE_ROWS, "sources": report}))


if __name__ == "__main__":
    main()
