"""Scenarios, the cases they are made of, and what a case counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from world import World


class CheckFailed(Exception):
    """Something is not as it has to be."""


class Unavailable(Exception):
    """A scenario needs something that this machine does not have."""


def check(holds: bool, message: str) -> None:
    """Ends the case with this message unless the condition holds."""
    if not holds:
        raise CheckFailed(message)


@dataclass
class Tally:
    """Numbers of the table, added up over the cases of a scenario."""

    runs: int = 0
    faults: int = 0
    rows_expected: int = 0
    rows_found: int = 0
    duplicates: int = 0
    orphans: int = 0

    def add(self, other: Tally) -> None:
        for number in fields(self):
            setattr(self, number.name, getattr(self, number.name) + getattr(other, number.name))


@dataclass(frozen=True)
class Case:
    """One thing to try. It counts into the tally it is given, so that a case that fails half-way has counted so far."""

    name: str
    work: Callable[[World, Tally], None]
    # Cases that wait for long are begun first, so that the others fill the time.
    is_long: bool = False


@dataclass(frozen=True)
class Scenario:
    """A row of the table."""

    name: str
    # Makes the cases; may run something itself to find out which there are.
    cases: Callable[[World], Iterable[Case]]


@dataclass
class Result:
    """What became of a scenario."""

    tally: Tally = field(default_factory=Tally)
    cases: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    # Why nothing was tried; `None` when something was.
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
    """Registers a maker of cases as the scenario `name`."""

    def register(cases: Callable[[World], Iterable[Case]]) -> Callable[[World], Iterable[Case]]:
        SCENARIOS.append(Scenario(name, cases))
        return cases

    return register
