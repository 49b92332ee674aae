"""Scenarios, their cases, and what a case counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from world import World


class CheckFailed(Exception):
    """A check failed."""


class Unavailable(Exception):
    """A scenario needs something that is missing on this machine."""


def check(holds: bool, message: str) -> None:
    """Ends the case with this message unless the condition holds."""
    if not holds:
        raise CheckFailed(message)


@dataclass
class Tally:
    """The numbers of a row of the result table, added up over the cases of a scenario."""

    runs: int = 0
    faults: int = 0
    # Byte ranges of files that were to be read.
    ranges: int = 0
    rows_expected: int = 0
    rows_found: int = 0
    duplicates: int = 0
    orphans: int = 0

    def add(self, other: Tally) -> None:
        for number in fields(self):
            setattr(self, number.name, getattr(self, number.name) + getattr(other, number.name))


@dataclass(frozen=True)
class Case:
    """One thing to try. It counts in the tally that it gets, so that a case that fails half-way has counted up to there."""

    name: str
    work: Callable[[World, Tally], None]
    # Cases that take long are started first, so that the others fill the time.
    is_long: bool = False


@dataclass(frozen=True)
class Scenario:
    """A scenario: one row of the result table."""

    name: str
    # Makes the cases; may run something itself to find out which cases are needed.
    cases: Callable[[World], Iterable[Case]]


@dataclass
class Result:
    """The result of a scenario."""

    tally: Tally = field(default_factory=Tally)
    cases: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    # Why nothing was tried; `None` if cases ran.
    skipped: str | None = None

    @property
    def is_good(self) -> bool:
        if self.skipped is not None:
            return True
        counts = self.tally
        even = counts.rows_expected == counts.rows_found
        return self.cases > 0 and not self.problems and even and not counts.duplicates and not counts.orphans


SCENARIOS: list[Scenario] = []


def scenario(name: str) -> Callable[[Callable[[World], Iterable[Case]]], Callable[[World], Iterable[Case]]]:
    """Registers a function that makes cases as the scenario `name`."""

    def register(cases: Callable[[World], Iterable[Case]]) -> Callable[[World], Iterable[Case]]:
        SCENARIOS.append(Scenario(name, cases))
        return cases

    return register
