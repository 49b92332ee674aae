"""Source files: small deterministic days of the retail data, and variants of them."""

from __future__ import annotations

import csv
import datetime
import io
import pathlib
import threading
from dataclasses import dataclass

from commands import Commands
from registry import check

FIRST_DAY = datetime.date(2026, 1, 5)
# A run over one such day takes about a second and has each kind of row: clean, repeated, cancelled and dirty.
ROWS_PER_DAY = 120
# More than 1 MB of text: where parts have 1 MB, such a day is a part of its own.
ROWS_OF_A_PART = 15_000
# 2.4 MB of text: where objects from 1 MB on may be divided, and parts have 1 MB, such a day is read in four byte ranges.
ROWS_IN_RANGES = 27_000
RANGES = 4
# Lines of a text in quotes: some 20 kB.
LINES_OF_A_TRAP = 250
# Below the gate's limit of 10 % but above zero: every day has rows for the quarantine.
DIRT = "0.04"
# Far above the limit.
POISON = "0.35"


@dataclass(frozen=True)
class SourceFile:
    """A file as delivered: its name below the landing folder, and its bytes."""

    name: str
    body: bytes

    @property
    def rows(self) -> int:
        """Records, the header not counted."""
        # Only counted, so any encoding will do that has ASCII.
        text = io.StringIO(self.body.decode("latin-1"), newline="")
        return sum(1 for record in csv.reader(text) if record) - 1

    def renamed(self, name: str) -> SourceFile:
        return SourceFile(name, self.body)

    def followed_by(self, other: SourceFile) -> SourceFile:
        """This file with the records of another one appended."""
        return SourceFile(self.name, self.body + other.body.split(b"\n", 1)[1])

    def torn(self) -> SourceFile:
        """The same file with a quote in its last line that is never closed."""
        return SourceFile(self.name, self.body + b'"torn')

    def with_lines(self) -> SourceFile:
        """The same records, but each seventh has line ends and quotes in its description, as dirty as it is otherwise."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for number, record in enumerate(csv.reader(io.StringIO(self.body.decode(), newline=""))):
            if number % 7 == 3 and len(record) > 2 and record[2]:
                record[2] = f'{record[2]}\nsay "two", or\r\n\nthree lines'
            writer.writerow(record)
        return SourceFile(self.name, text.getvalue().encode())

    def with_trap(self) -> SourceFile:
        """The same file with one more record in its middle, whose description has lines that are good records each.

        Whoever begins to read there takes them for records: with the line that closes the quote, too, nothing about them is wrong.
        """
        lines = self.body.splitlines(keepends=True)
        plain = [line for line in lines[1:] if b'"' not in line and line.count(b",") == lines[0].count(b",")]
        first, *fake = plain[: LINES_OF_A_TRAP + 1]
        number, code, _, *rest = first.split(b",")
        trap = b"%s,%s," % (number, code) + b'"trap\n' + b"".join(fake) + b'990000,90000,TRAP",' + b",".join(rest)
        middle = self.body.index(b"\n", len(self.body) // 2) + 1
        return SourceFile(self.name, self.body[:middle] + trap + self.body[middle:])

    def offsets(self) -> dict[int, str]:
        """The byte at which each record begins, with the text of its first field. Only for files whose quotes are all in pairs."""
        found: dict[int, str] = {}
        at, begin, record = 0, 0, b""
        for line in self.body.splitlines(keepends=True):
            at, record = at + len(line), record + line
            # In pairs, a quote is open where the quotes so far are odd in number.
            if record.count(b'"') % 2 == 0 and record.endswith(b"\n"):
                found[begin] = next(csv.reader([record.decode().split("\n", 1)[0]]))[0]
                begin, record = at, b""
        del found[0]
        return found

    def without_column(self, column: str) -> SourceFile:
        """The same file without one column in its header. The records keep the field, which does not matter to the tests."""
        header, rest = self.body.split(b"\n", 1)
        fields = header.decode().split(",")
        check(column in fields, f"{self.name} has no column {column}")
        fields.remove(column)
        return SourceFile(self.name, ",".join(fields).encode() + b"\n" + rest)


class Samples:
    """Makes each day once."""

    def __init__(self, commands: Commands, folder: pathlib.Path) -> None:
        self._commands = commands
        self._folder = folder
        self._made: dict[tuple[int, str, int], SourceFile] = {}
        self._lock = threading.Lock()

    def day(self, number: int, rows: int = ROWS_PER_DAY, dirt: str = DIRT) -> SourceFile:
        """The file of a day, counted from 0."""
        with self._lock:
            key = (number, dirt, rows)
            if key not in self._made:
                self._made[key] = self._make(number, rows, dirt)
            return self._made[key]

    def days(self, count: int) -> list[SourceFile]:
        return [self.day(number) for number in range(count)]

    def large_days(self, count: int) -> list[SourceFile]:
        """Days that are parts of their own."""
        return [self.day(number, rows=ROWS_OF_A_PART) for number in range(count)]

    def day_in_ranges(self, number: int) -> SourceFile:
        """A day that is read in byte ranges, with line ends in quotes."""
        return self.day(number, rows=ROWS_IN_RANGES).with_lines()

    def poisoned(self, number: int) -> SourceFile:
        """A day that the gate rejects."""
        return self.day(number, dirt=POISON)

    def _make(self, number: int, rows: int, dirt: str) -> SourceFile:
        date = (FIRST_DAY + datetime.timedelta(days=number)).isoformat()
        folder = self._folder / f"{rows}-{dirt}"
        order = ["--start", date, "--rows", str(rows), "--dirt", dirt, "--seed", "11", "--json"]
        made = self._commands.sluice(["sample", str(folder), *order])
        check(made.code == 0, f"no sample: {made}")
        file = SourceFile(f"{date}.csv", (folder / f"{date}.csv").read_bytes())
        check(file.rows == rows, f"{file.name} has {file.rows} rows, not {rows}")
        return file
