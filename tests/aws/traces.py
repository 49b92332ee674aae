"""One normal form for two interpreters: the states an execution went through, with inputs, outputs and errors.

What is normalised, and why nothing else is:

- the bucket's name: each interpreter works on a deployment of its own, and buckets have names of their own;
- request ids in causes: Lambda and S3 give every request another;
- times that requests took, in causes: they are never the same twice;
- causes of `Lambda.*` errors: they are raised by the client of Lambda, each client in words of its own;
- causes that are JSON text are compared as JSON: the order of fields does not matter.

Run ids need no treatment: both executions get the same name.

Of a Map, its items are compared, and its input and output. What happens within an item is in no trace: an execution that Step Functions
starts for an item has a history of its own, which moto drops.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from json_values import Json, JsonObject

# Patterns in causes, and what replaces their matches.
OF_THE_REQUEST = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<request id>"),
    (re.compile(r"<RequestId>[^<]*</RequestId>"), "<request id>"),
    (re.compile(r"\bin [0-9.]+(?:s|ms|µs)(?=[ ,])"), "in <time>"),
)
CLIENTS_OWN_WORDS = "<words of the client>"


@dataclass
class Visit:
    """One stay in a state."""

    state: str
    state_input: Json
    # Absent for a Fail state, which has no output.
    output: Json = None
    # Errors of its attempts with their causes, in order.
    errors: list[tuple[str, str]] = field(default_factory=list)
    # How many items a Map has; `None` for other states.
    items: int | None = None


@dataclass
class Trace:
    """An execution from its first state to its end."""

    visits: list[Visit] = field(default_factory=list)
    # How it ended: the last state's output, or error and cause.
    output: Json = None
    error: tuple[str, str] | None = None
    # Name of the bucket that the execution worked on.
    bucket: str = ""

    def summary(self) -> str:
        """States and errors in one line."""
        return " > ".join(
            visit.state + "".join(f" !{error}" for error, _ in visit.errors) for visit in self.visits
        )

    def error_names(self) -> list[str]:
        return [error for visit in self.visits for error, _ in visit.errors]

    def input_of(self, state: str) -> Json:
        """Input of the last visit of a state."""
        return next(visit.state_input for visit in reversed(self.visits) if visit.state == state)


def trace_of_history(events: Iterable[JsonObject]) -> Trace:
    """The trace in the answer of `GetExecutionHistory`."""
    trace = Trace()
    for event in events:
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            details = event["stateEnteredEventDetails"]
            trace.visits.append(Visit(details["name"], json.loads(details["input"])))
        elif kind.endswith("StateExited"):
            trace.visits[-1].output = json.loads(event["stateExitedEventDetails"]["output"])
        elif kind == "MapStateStarted":
            trace.visits[-1].items = event["mapStateStartedEventDetails"]["length"]
        elif kind in ("TaskFailed", "TaskTimedOut"):
            details = event["taskFailedEventDetails" if kind == "TaskFailed" else "taskTimedOutEventDetails"]
            trace.visits[-1].errors.append((details.get("error", ""), details.get("cause", "")))
        elif kind == "ExecutionSucceeded":
            trace.output = json.loads(event["executionSucceededEventDetails"]["output"])
        elif kind in ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"):
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
            trace.error = (details.get("error", ""), details.get("cause", ""))
    return trace


def trace_of_command(text: str) -> Trace:
    """The trace that `sluice run --trace` writes, one event a line."""
    trace = Trace()
    for line in text.splitlines():
        event = json.loads(line)
        match event["event"]:
            case "state_entered":
                trace.visits.append(Visit(event["name"], event["input"]))
            case "state_exited":
                trace.visits[-1].output = event["output"]
            case "map_started":
                items = event["items"]
                trace.visits[-1].items = items if isinstance(items, int) else len(items)
            case "task_failed" if trace.visits[-1].items is not None:
                # Of an item: see above.
                pass
            case "task_failed":
                trace.visits[-1].errors.append((event["error"], event["cause"]))
            case "execution_succeeded":
                trace.output = event["output"]
            case "execution_failed":
                trace.error = (event["error"], event["cause"])
            case "retry_scheduled" | "caught" | "item_ended":
                # The errors and the next state say the same; the service has no such events.
                pass
            case unknown:
                raise ValueError(f"the trace has an unknown event, which would not be compared: {unknown}")
    return trace


# States that wait for the next poll.
WAITS = frozenset({"WaitForCluster", "WaitForEtl"})
# What polls leave in the state data: their count, and the ids from EMR.
OF_POLLS = frozenset({"cluster", "etl"})


def without_polls(trace: Trace) -> Trace:
    """The trace as if every cluster and every step had been ready immediately, because the number of polls is random."""
    kept: list[Visit] = []
    for visit in trace.visits:
        kept.append(visit)
        if len(kept) >= 5 and kept[-3].state in WAITS:
            # Removes the previous poll, the check of its result and the wait.
            del kept[-5:-2]
    visits = [
        Visit(visit.state, _uncounted(visit.state_input), _uncounted(visit.output), visit.errors, visit.items) for visit in kept
    ]
    return Trace(visits, _uncounted(trace.output), trace.error, trace.bucket)


def _uncounted(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _uncounted(part) for name, part in value.items() if name not in OF_POLLS}
    if isinstance(value, list):
        return [_uncounted(part) for part in value]
    return value


def differences(left: Trace, right: Trace) -> list[str]:
    """Where two executions differ; empty when they are the same state by state."""
    problems: list[str] = []
    ours, theirs = [visit.state for visit in left.visits], [visit.state for visit in right.visits]
    if ours != theirs:
        return [f"states: {left.summary()} against {right.summary()}"]
    for (what, one), (_, other) in zip(_parts(left), _parts(right), strict=True):
        ours, theirs = _Normal(left.bucket).of(one), _Normal(right.bucket).of(other)
        if ours != theirs:
            problems.append(f"{what}: {json.dumps(ours, sort_keys=True)} against {json.dumps(theirs, sort_keys=True)}")
    return problems


def _parts(trace: Trace) -> Iterator[tuple[str, Json]]:
    """Everything that is compared, with its name."""
    for visit in trace.visits:
        yield f"{visit.state}: input", visit.state_input
        yield f"{visit.state}: output", visit.output
        yield f"{visit.state}: errors", _errors(visit.errors)
        yield f"{visit.state}: items", visit.items
    yield "output of the execution", trace.output
    yield "error of the execution", _errors([] if trace.error is None else [trace.error])


def _errors(errors: Sequence[tuple[str, str]]) -> Json:
    return [{"Error": error, "Cause": cause} for error, cause in errors]


@dataclass(frozen=True)
class _Normal:
    """Normalises what may differ in the data of an execution that worked on this bucket."""

    bucket: str

    def of(self, value: Json) -> Json:
        if isinstance(value, dict):
            if value.keys() == {"Error", "Cause"}:
                return {"Error": value["Error"], "Cause": self._cause(value["Error"], value["Cause"])}
            return {name: self.of(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.of(part) for part in value]
        return value.replace(self.bucket, "<bucket>") if isinstance(value, str) and self.bucket else value

    def _cause(self, error: str, cause: str) -> Json:
        if error.startswith("Lambda."):
            return CLIENTS_OWN_WORDS
        for pattern, stand_in in OF_THE_REQUEST:
            cause = pattern.sub(stand_in, cause)
        try:
            return self.of(json.loads(cause))
        except json.JSONDecodeError:
            return self.of(cause)
