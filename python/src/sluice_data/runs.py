"""Runs of pipelines: start, follow, redrive, stop."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from . import _html
from ._html import BAD, GOOD, NEUTRAL
from ._transport import Transport
from ._values import instant, optional_instant
from .errors import RunFailedError, WaitTimeoutError
from .models import when

ENDED = frozenset({"published", "skipped", "rejected", "failed", "stopped", "succeeded"})
"""States that a run stays in."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


@dataclass(frozen=True)
class StateChange:
    """Something that happened to a run while it was followed."""

    run_id: str
    state: str
    """A state of the state machine that was entered, such as ``Process``; at the end how the run ended."""
    at: datetime | None
    ended: bool = False
    """Whether this is the end of the run."""


@dataclass(frozen=True)
class TableRows:
    """Where the rows of a table went."""

    source: int
    staged: int
    quarantined: int
    collapsed: int
    deleted: int


@dataclass(frozen=True)
class Commit:
    """A table that the run published."""

    table: str
    version: int
    rows: int


@dataclass(frozen=True)
class Verdict:
    """What the gate decided."""

    decision: str
    rules: int
    broken_rules: tuple[str, ...]

    def _repr_html_(self) -> str:
        return _html.card("verdict", f"{self.rules} rules checked", *_verdict(self))


@dataclass(frozen=True)
class RunError:
    """Why a run failed."""

    name: str
    message: str
    next_step: str


@dataclass(frozen=True)
class RunReport:
    """All that the API says about a run."""

    run_id: str
    pipeline: str | None
    state: str
    started_at: datetime
    ended_at: datetime | None
    redrives: int
    requested_by: str | None
    states: tuple[StateChange, ...]
    rows: Mapping[str, TableRows]
    committed: tuple[Commit, ...]
    verdict: Verdict | None
    error: RunError | None

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.state in ENDED

    @classmethod
    def _of(cls, given: Mapping[str, Any]) -> RunReport:
        run_id, verdict, error = given["run_id"], given.get("verdict"), given.get("error")
        return cls(
            run_id=run_id,
            pipeline=given.get("pipeline"),
            state=given["state"],
            started_at=instant(given["started_at"]),
            ended_at=optional_instant(given.get("ended_at")),
            redrives=given["redrives"],
            requested_by=given.get("requested_by"),
            states=tuple(
                StateChange(run_id, item["name"], instant(item["entered_at"])) for item in given.get("states", ())
            ),
            rows={
                table: TableRows(**{name: item[name] for name in TableRows.__dataclass_fields__})
                for table, item in given.get("rows", {}).items()
            },
            committed=tuple(
                Commit(item["table"], item["version"], item["rows"]) for item in given.get("committed", ())
            ),
            verdict=verdict and Verdict(verdict["decision"], verdict["rules"], tuple(verdict["broken_rules"])),
            error=error and RunError(error["name"], error["message"], error["next_step"]),
        )

    def _repr_html_(self) -> str:
        tone = {"published": GOOD, "succeeded": GOOD, "skipped": NEUTRAL, "running": NEUTRAL}.get(self.state, BAD)
        took = f"{(self.ended_at - self.started_at).total_seconds():.1f} s" if self.ended_at else "not ended"
        versions = {item.table: str(item.version) for item in self.committed}
        rows = [
            (
                name,
                *(f"{number:,}" for number in (item.source, item.staged, item.quarantined)),
                versions.get(name),
            )
            for name, item in self.rows.items()
        ]
        failed: list[_html.Child] = []
        if self.error is not None:
            failed = [
                _html.fact(self.error.name, self.error.message),
                _html.fact("next step", self.error.next_step),
            ]
        return _html.card(
            f"run {self.run_id}" + (f" of {self.pipeline}" if self.pipeline else ""),
            f"started {when(self.started_at)}, {took}",
            _html.element("div", _html.badge(self.state, tone)),
            *failed,
            *(_verdict(self.verdict) if self.verdict else ()),
            _html.table(("table", "read", "staged", "quarantined", "version"), rows) if rows else None,
        )


def _verdict(verdict: Verdict) -> list[_html.Child]:
    decided = _html.badge(verdict.decision, BAD if verdict.decision == "rejected" else GOOD)
    broken = [_html.element("li", rule) for rule in verdict.broken_rules]
    return [
        _html.fact(f"verdict of {verdict.rules} rules", decided),
        _html.element("ul", *broken) if broken else None,
    ]


class Run:
    """A run, which is asked for its state when that is needed."""

    def __init__(self, transport: Transport, report: RunReport) -> None:
        self._transport = transport
        self._report = report

    @property
    def id(self) -> str:
        """The run's identifier."""
        return self._report.run_id

    @property
    def state(self) -> str:
        """The state as it was when it was last asked for: see :meth:`refresh`."""
        return self._report.state

    @property
    def ended(self) -> bool:
        """Whether the run had ended when it was last asked for."""
        return self._report.ended

    @property
    def report(self) -> RunReport:
        """All that the API says about the run now."""
        return self.refresh()._report

    def refresh(self) -> Run:
        """Asks for the run again."""
        self._report = RunReport._of(self._transport.get(f"/runs/{_safe(self.id)}").json())
        return self

    def follow(self, timeout: float | None = None) -> Iterator[StateChange]:
        """Yields each state that the run enters, and at last how it ended.

        Asks at most every quarter of a second, and less often the longer nothing happens.

        Raises :class:`WaitTimeoutError` after `timeout` seconds; the run itself goes on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        seen, pause = 0, _FIRST_PAUSE
        while True:
            report = self.refresh()._report
            for change in report.states[seen:]:
                pause = _FIRST_PAUSE
                yield change
            seen = max(seen, len(report.states))
            if report.ended:
                yield StateChange(report.run_id, report.state, report.ended_at, ended=True)
                return
            left = pause if until is None else min(pause, until - time.monotonic())
            if left <= 0:
                raise WaitTimeoutError(
                    f"run {self.id} is {self.state} after {timeout:g} s; it goes on: wait again, or stop() it"
                )
            time.sleep(left)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def wait(self, timeout: float | None = None, *, check: bool = True) -> RunReport:
        """Waits until the run has ended, and returns its report.

        Raises :class:`RunFailedError` when it failed, was stopped or rejected, unless `check` is False, and
        :class:`WaitTimeoutError` when it has not ended after `timeout` seconds.
        """
        for _ in self.follow(timeout):
            pass
        report = self._report
        if check and report.state in ("failed", "stopped", "rejected"):
            raise _failure(report)
        return report

    def redrive(self) -> Run:
        """Continues a run that failed, timed out or was stopped, with the task that failed."""
        # Not repeated by itself: the run may fail again in between, and would be redriven twice.
        self._transport.call("POST", f"/runs/{_safe(self.id)}/redrive", repeatable=False)
        return self.refresh()

    def stop(self) -> Run:
        """Stops the run. What was committed stays."""
        self._transport.call("DELETE", f"/runs/{_safe(self.id)}")
        return self.refresh()

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self._report.pipeline}: {self.state}>"

    def _repr_html_(self) -> str:
        return self._report._repr_html_()


def _failure(report: RunReport) -> RunFailedError:
    if report.error is not None:
        return RunFailedError(
            report.run_id,
            report.state,
            f"{report.error.name}: {report.error.message}",
            name=report.error.name,
            fix=report.error.next_step,
        )
    if report.state == "rejected" and report.verdict is not None:
        broken = "; ".join(report.verdict.broken_rules)
        return RunFailedError(
            report.run_id,
            report.state,
            f"the gate found broken rules: {broken}",
            fix="Correct the data or the contract and run again; nothing was published.",
        )
    return RunFailedError(report.run_id, report.state, "it did not publish")


class RunList(list[Run]):
    """Runs in a list, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        rows = [
            (
                run.id,
                run._report.pipeline,
                run.state,
                when(run._report.started_at),
                when(run._report.ended_at),
            )
            for run in self
        ]
        return _html.card(f"{len(self)} runs", "", _html.table(("run", "pipeline", "state", "started", "ended"), rows))


class Runs:
    """The runs of the pipelines on which you have rights."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start(
        self,
        pipeline: str,
        *,
        prefix: str | None = None,
        objects: Sequence[str] | None = None,
        engine: str | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Starts a run and returns at once.

        One call starts one run, however often its request has to be sent: it has a key of its own. Give
        `idempotency_key` yourself, such as ``retail-2026-01-05``, where two calls are meant to be one run.
        """
        if isinstance(objects, str):
            raise TypeError(f"objects is a list of paths: write [{objects!r}]")
        given = {
            "pipeline": pipeline,
            "prefix": prefix,
            "objects": list(objects) if objects is not None else None,
            "engine": engine,
        }
        body = {name: value for name, value in given.items() if value is not None}
        headers = {"idempotency-key": idempotency_key or f"sluice-data-{uuid.uuid4().hex}"}
        started = self._transport.call("POST", "/process", body=body, headers=headers)
        return Run(self._transport, RunReport._of(started.json()))

    def get(self, run_id: str) -> Run:
        """A run by its identifier."""
        return Run(self._transport, RunReport._of(self._transport.get(f"/runs/{_safe(run_id)}").json()))

    def each(self, pipeline: str | None = None) -> Iterator[Run]:
        """All runs, newest first, page by page. What they know is a line of a list: `report` has all."""
        cursor = None
        while True:
            page = self._transport.get("/runs", {"pipeline": pipeline, "cursor": cursor}).json()
            for item in page["runs"]:
                yield Run(self._transport, RunReport._of(item))
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def list(self, pipeline: str | None = None, limit: int = 20) -> RunList:
        """The newest runs."""
        runs = RunList()
        if limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        for run in self.each(pipeline):
            runs.append(run)
            if len(runs) == limit:
                break
        return runs


def _safe(run_id: str) -> str:
    return quote(run_id, safe="")
