"""Faults that the bed injects: single faults, and random plans determined by a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from json_values import JsonObject

# The functions of a run on Lambda, and those that only the large branch has.
FUNCTIONS = ("validate", "process", "quality-check", "publish", "notify")
CLUSTER_FUNCTIONS = ("start-emr", "run-etl", "terminate")
ALL_FUNCTIONS = (*FUNCTIONS, *CLUSTER_FUNCTIONS)
# Faults of S3 that need a duration, with the duration that random plans use.
TIMED = {"slow_body": 400, "stale_list": 3000, "delay": 700}


@dataclass(frozen=True)
class Fault:
    """One fault rule of the bed: what it matches, how many matches it skips, how often it fires, and what it does."""

    on: str
    do: str
    # For S3 faults the role of the caller, for Lambda faults the called function. `None` matches all.
    function: str | None = None
    action: str | None = None
    key: str | None = None
    skip: int = 0
    times: int = 1
    milliseconds: int | None = None

    def rule(self) -> JsonObject:
        """The rule in the form that the bed reads."""
        named = {"role" if self.on == "s3" else "function": self.function, "action": self.action, "key": self.key}
        what: object = self.do if self.milliseconds is None else {self.do: {"milliseconds": self.milliseconds}}
        kept = {name: value for name, value in named.items() if value is not None}
        return {"on": self.on, **kept, "skip": self.skip, "times": self.times, "do": what}

    def __str__(self) -> str:
        where = [part for part in (self.function, self.action, self.key) if part is not None]
        repeats = f" x{self.times}" if self.times > 1 else ""
        skipped = f" after {self.skip}" if self.skip else ""
        return f"{self.on} {self.do}{repeats} on {' '.join(where) or 'anything'}{skipped}"


def s3(
    do: str,
    role: str | None = None,
    action: str | None = None,
    key: str | None = None,
    skip: int = 0,
    times: int = 1,
    milliseconds: int | None = None,
) -> Fault:
    """A fault of S3."""
    return Fault("s3", do, role, action, key, skip, times, milliseconds)


def call(do: str, function: str, skip: int = 0, times: int = 1, milliseconds: int | None = None) -> Fault:
    """A fault of Lambda."""
    return Fault("lambda", do, function, None, None, skip, times, milliseconds)


@dataclass(frozen=True)
class Wave:
    """A delivery, the concurrent executions that it starts, and the faults that are active meanwhile."""

    # Numbers of sample files.
    days: tuple[int, ...]
    executions: int
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        faults = "; ".join(map(str, self.faults)) or "nothing"
        return f"days {list(self.days)} in {self.executions} executions with {faults}"


@dataclass(frozen=True)
class Plan:
    """Several waves, one after the other."""

    seed: int
    waves: tuple[Wave, ...]
    # Whether each day is a part of its own, read by a call of its own.
    is_in_parts: bool
    # Whether its first day is a large file, read in byte ranges, and the others are small.
    has_ranges: bool

    def __str__(self) -> str:
        parts = " in byte ranges" if self.has_ranges else " in parts" if self.is_in_parts else ""
        return f"seed {self.seed}{parts}: " + ", then ".join(map(str, self.waves))


def random_plan(seed: int) -> Plan:
    """The plan of a seed: 1 to 3 days in some order, in 1 or 2 waves, with 1 to 4 faults in all.

    A quarter is read in parts, half of that in byte ranges.
    """
    chance = random.Random(seed)
    days = list(range(chance.randint(1, 3)))
    chance.shuffle(days)
    cut = chance.randint(1, len(days))
    deliveries = [tuple(wave) for wave in (days[:cut], days[cut:]) if wave]
    faults: list[list[Fault]] = [[] for _ in deliveries]
    for _ in range(chance.randint(1, 4)):
        chance.choice(faults).append(_random_fault(chance))
    executions = [chance.choice((1, 1, 1, 2)) for _ in deliveries]
    waves = tuple(Wave(*wave) for wave in zip(deliveries, executions, map(tuple, faults), strict=True))
    # Drawn last, so that a seed keeps the days and faults that it had before runs were read in parts, or in ranges.
    is_in_parts = chance.random() < 0.25
    return Plan(seed, waves, is_in_parts, has_ranges=is_in_parts and chance.random() < 0.5)


def _random_fault(chance: random.Random) -> Fault:
    function = chance.choice(FUNCTIONS)
    if chance.random() < 0.35:
        return _random_call_fault(chance, function)
    return _random_s3_fault(chance, function)


def _random_call_fault(chance: random.Random, function: str) -> Fault:
    do = chance.choice(("throttle", "service_exception", "exit", "lose_answer", "duplicate", "delay"))
    # A function that died is retried once: two deaths in a row fail the execution, which should happen sometimes.
    times = chance.choice((1, 1, 2)) if do in ("throttle", "service_exception", "exit", "lose_answer") else 1
    return call(do, function, skip=chance.choice((0, 0, 1)), times=times, milliseconds=TIMED.get(do))


def _random_s3_fault(chance: random.Random, role: str) -> Fault:
    do, action = _choice_of(chance)
    # Only rarely more than the clients' own retries: each of them costs seconds.
    times = chance.choice((1, 2, 12)) if do in ("slow_down", "reset") else 1
    return s3(do, role, action, skip=chance.randint(0, 8), times=times, milliseconds=TIMED.get(do))


def _choice_of(chance: random.Random) -> tuple[str, str]:
    choices: Sequence[tuple[str, Sequence[str]]] = (
        ("slow_down", ("PutObject", "GetObject", "ListBucket")),
        ("reset", ("PutObject", "GetObject", "ListBucket")),
        ("slow_body", ("PutObject", "GetObject")),
        ("truncate", ("GetObject",)),
        ("lose_answer", ("PutObject",)),
        ("stale_list", ("ListBucket",)),
        ("kill_before", ("PutObject", "GetObject")),
        ("kill_during", ("PutObject",)),
        ("kill_after", ("PutObject",)),
        ("hang_after", ("PutObject",)),
        # Twice as likely as the others: exactly-once depends most on what happens when a function is killed after a write.
        ("kill_after", ("PutObject",)),
    )
    do, actions = chance.choice(choices)
    return do, chance.choice(actions)
