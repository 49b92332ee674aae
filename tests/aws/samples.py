"""Source files: small deterministic days of the retail data, and variants of them."""

from __future__ import annotations

import datetime
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
        """Records, the header not counted. Generated files have no line break within a field."""
        return self.body.count(b"\n") - 1

    def renamed(self, name: str) -> SourceFile:
        return SourceFile(name, self.body)

    def followed_by(self, other: SourceFile) -> SourceFile:
        """This file with the records of another one appended."""
        return SourceFile(self.name, self.body + other.body.split(b"\n", 1)[1])

    def torn(self) -> SourceFile:
        """The same file with a quote in its last line that is never closed."""
        return SourceFile(self.name, self.body + b'"torn')

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
