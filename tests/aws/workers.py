"""Runs cases in parallel: long ones first, failures reported immediately, everything dropped on a stop."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from registry import Case, CheckFailed, Result, Scenario, Tally, Unavailable
from world import World


@dataclass(frozen=True)
class Work:
    """A case of a scenario."""

    scenario: Scenario
    case: Case


class Workers:
    """Threads that take work until none is left. They mostly wait for other processes."""

    def __init__(self, world: World, jobs: int, is_verbose: bool) -> None:
        self._world = world
        self._jobs = jobs
        self._is_verbose = is_verbose
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.results: dict[str, Result] = {}

    def run(self, work: Iterator[Work]) -> None:
        """Does all the work, and returns when it is done or stopped."""
        self._threads = [threading.Thread(target=self._loop, args=(work,), daemon=True) for _ in range(self._jobs)]
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            # With a time limit, so that Ctrl-C is handled while waiting.
            while thread.is_alive():
                thread.join(0.2)

    def stop(self) -> None:
        """Starts no more work, and ignores failures from now on."""
        self._stopped.set()

    def join(self, seconds: float) -> list[str]:
        """Waits for the threads after `stop`; names those that do not end."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [f"worker {thread.name} has not ended" for thread in self._threads if thread.is_alive()]

    def _loop(self, work: Iterator[Work]) -> None:
        while not self._stopped.is_set():
            with self._lock:
                one = next(work, None)
            if one is None:
                return
            self._do(one)

    def _do(self, work: Work) -> None:
        tally, began = Tally(), time.monotonic()
        problem: str | None = None
        try:
            work.case.work(self._world, tally)
        except Exception as error:
            problem = described(error)
        seconds = time.monotonic() - began
        if self._stopped.is_set():
            return
        with self._lock:
            result = self.results.setdefault(work.scenario.name, Result())
            result.cases += 1
            result.seconds += seconds
            result.tally.add(tally)
            if problem is not None:
                result.problems.append(f"{work.case.name}: {problem}")
            if problem is not None or self._is_verbose:
                state = "FAILED" if problem is not None else "ok"
                print(f"{state}  {work.scenario.name}: {work.case.name} ({seconds:.1f} s)", flush=True)
                if problem is not None:
                    print(f"        {problem}", flush=True)


def described(error: Exception) -> str:
    """A failed check with its own message; any other error with the place where it was raised."""
    if isinstance(error, CheckFailed):
        return f"{error}" + "".join(f" [{note}]" for note in getattr(error, "__notes__", []))
    return "".join(traceback.format_exception(error)[-6:]).strip()


def fixed(world: World, scenarios: Sequence[Scenario], wanted: str, results: dict[str, Result]) -> list[Work]:
    """The cases of the scenarios that have this text in `<scenario>: <case>`; the long ones first.

    Scenarios that this machine cannot run get their result at once.
    """
    work: list[Work] = []
    for one in scenarios:
        try:
            work += [Work(one, case) for case in cases_of(one, world)]
        except Unavailable as missing:
            results[one.name] = Result(skipped=str(missing))
    chosen = [one for one in work if wanted in f"{one.scenario.name}: {one.case.name}"]
    return sorted(chosen, key=lambda one: not one.case.is_long)


def cases_of(scenario: Scenario, world: World) -> list[Case]:
    """The cases; if they cannot be made, one case that fails with the reason."""
    try:
        return list(scenario.cases(world))
    except Unavailable:
        raise
    except Exception as error:
        return [Case("making the cases", partial(failed, described(error)))]


def failed(problem: str, world: World, tally: Tally) -> None:
    raise CheckFailed(problem)
