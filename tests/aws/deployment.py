"""One lake with its functions and state machine: delivers files, runs, injects faults and verifies the result."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import audit
import tables
from commands import Finished
from control import Answer, ControlError, Created, S3Request, invoke
from emr import LocalEmr
from faults import ALL_FUNCTIONS, Fault
from json_values import Json, JsonObject
from machines import Begun, Ended, Running
from registry import Tally, check
from samples import SourceFile
from store import Bucket
from tables import BucketLake
from traces import Trace, trace_of_command

if TYPE_CHECKING:
    from world import World

# Maximum number of executions until nothing is new. Each completes what the previous one left.
MOST_EXECUTIONS = 6
REQUEST_EVENT = "validate-request.json"
SPEC = "pipelines/retail/pipeline.yaml"
# Key of the spec with which every large sample file is a part of its own.
SMALL_PARTS = "parts: { size_mb: 1, at_once: 2 }"
# The same, and files that are larger are read in byte ranges.
BYTE_RANGES = "parts: { size_mb: 1, at_once: 2, ranges_from_mb: 1 }"
PLAN = re.compile(r"/plan-\d+\.json$")
FORBIDDEN = 403


class Deployment:
    """A deployment. Counts runs, faults and rows in the tally of its case."""

    def __init__(
        self, world: World, name: str, created: Created, tally: Tally, emr: LocalEmr | None = None
    ) -> None:
        self._world = world
        self._emr = emr
        self.name = name
        self.created = created
        self.tally = tally
        self.bucket = Bucket(world.s3, name)
        self.lake = BucketLake(self.bucket, world.bed.addresses)
        self._has_ranges = False

    @functools.cached_property
    def machine(self) -> str:
        return self._world.machines.create(self.name, self.created.function_arns)

    @functools.cached_property
    def request(self) -> JsonObject:
        """The simplest input of an execution, from the sample event."""
        request: JsonObject = self._world.events.take(REQUEST_EVENT, self.name)["request"]
        return request

    @property
    def emr(self) -> LocalEmr:
        """Its EMR, if it was created with one."""
        assert self._emr is not None
        return self._emr

    def deploy_pipeline(self) -> None:
        for path in sorted(self._world.pipeline.rglob("*.yaml")):
            self.bucket.put(f"pipelines/retail/{path.relative_to(self._world.pipeline).as_posix()}", path.read_bytes())

    def read_in_parts(self) -> None:
        """Has later runs of the deployed pipeline read in small parts."""
        self.bucket.put(SPEC, self.bucket.get(SPEC) + f"\n{SMALL_PARTS}\n".encode())

    def read_in_ranges(self) -> None:
        """The same, and has large files read in byte ranges."""
        self._has_ranges = True
        self.bucket.put(SPEC, self.bucket.get(SPEC) + f"\n{BYTE_RANGES}\n".encode())

    def deliver(self, files: Sequence[SourceFile]) -> None:
        for file in files:
            self.bucket.put(f"landing/retail/{file.name}", file.body)

    def new_name(self) -> str:
        """A new name for an execution. Step Functions requires a different one for every start, and it becomes the run's id."""
        return f"run-{self._world.number()}"

    # Executions

    def start(self, state_input: Json = None, name: str | None = None) -> Running:
        self.tally.runs += 1
        return self._world.machines.start(self.machine, name or self.new_name(), state_input or self.request)

    def execute(self, state_input: Json = None, name: str | None = None) -> Ended:
        return self.start(state_input, name).wait()

    def redriven(self, ended: Ended, most_polls: int | None = None) -> Ended:
        """Goes on with the execution in the state that ended it: with the same name and the input that the state had."""
        self.tally.runs += 1
        name, state = f"{self.name}-{self._world.number()}-{ended.last_state}", ended.last_state
        state_input = ended.trace.input_of(state)
        begun = Begun(state, state_input["request"])
        machine = self._world.machines.create(name, self.created.function_arns, begun=begun, most_polls=most_polls)
        return self._world.machines.start(machine, ended.name, state_input).wait()

    def execute_locally(self, state_input: Json, name: str, lake: str | None = None) -> tuple[Trace, Finished]:
        """Runs the same execution with the command's own interpreter, which calls the same functions.

        `lake` is the lake of the functions if it is not the deployment's bucket.
        """
        self.tally.runs += 1
        event, trace = (self._world.folder / f"{self.name}-{name}.{kind}" for kind in ("event", "trace"))
        event.write_text(json.dumps(state_input))
        started = ["run", "--event", str(event), "--lake", lake or self.created.lake, "--run-id", name, "--json"]
        started += ["--functions", self.created.invoke_url, "--trace", str(trace)]
        finished = self._world.commands.sluice(started, self._world.bed.addresses.environment())
        check(trace.exists(), f"the trace file is missing: {finished}")
        return trace_of_command(trace.read_text()), finished

    def settle(self) -> list[Ended]:
        """Executes until nothing is new, which proves that the lake considers itself complete."""
        executed: list[Ended] = []
        while len(executed) < MOST_EXECUTIONS:
            executed.append(self.execute())
            if executed[-1].last_state == "Skipped":
                return executed
        listed = "; ".join(map(str, executed))
        check(False, f"after {MOST_EXECUTIONS} executions without faults something is still new: {listed}")
        return executed

    def invoke(self, function: str, event: Json) -> Answer:
        """Calls a function directly, as `cargo lambda invoke` does."""
        return invoke(self.created.invoke_url, function, event)

    def invoked(self, function: str, event: Json) -> Json:
        """Calls a function that must not fail, and returns its answer."""
        answer = self.invoke(function, event)
        check(answer.error is None, f"{function} failed with {answer.payload} on {event}")
        return answer.payload

    def invoke_quietly(self, function: str, event: Json) -> str | None:
        """The error of a direct call, or `None`; a call that Lambda itself refuses is an error, too."""
        try:
            return self.invoke(function, event).error
        except ControlError as error:
            return str(error)

    # Faults

    @contextmanager
    def faults(self, faults: Sequence[Fault], must_fire: bool = True) -> Iterator[None]:
        """Activates these faults, and removes all faults afterwards. Each has to happen, otherwise the case proves nothing."""
        self._world.control.set_faults(self.name, faults)
        try:
            yield
        finally:
            fired = self._world.control.fired(self.name)
            self._world.control.set_faults(self.name, [])
            self.tally.faults += sum(fired)
        idle = [str(fault) for fault, times in zip(faults, fired, strict=True) if times == 0]
        check(not (must_fire and idle), f"faults that never happened: {'; '.join(idle)}")

    def requests(self) -> list[S3Request]:
        return self._world.control.requests(self.name)

    def calls(self) -> list[JsonObject]:
        return self._world.control.calls(self.name)

    # Judgement

    def verify(self, files: Sequence[SourceFile], is_accepted: bool = False) -> None:
        """Checks that the tables hold exactly these files: no row is lost, duplicated or unaudited at any version."""
        expected = self._world.oracle.expected(files, is_accepted, self._has_ranges)
        found = tables.content(self.lake)
        self.tally.rows_expected += tables.row_count(expected)
        self.tally.rows_found += tables.row_count(found)
        twice = tables.duplicates(self.lake)
        self.tally.duplicates += twice
        orphans = audit.unaudited(self.lake)
        self.tally.orphans += sum(rows for _, rows in orphans)
        apart = tables.differences(expected, found)
        check(not apart, "the tables are wrong: " + "; ".join(apart))
        check(twice == 0, f"{twice} rows are duplicated in some version")
        check(not orphans, f"published without a verdict: {orphans[:5]}")
        repeated = audit.repeated_sources(self.lake)
        check(not repeated, f"committed more than once: {repeated[:5]}")
        if self._has_ranges:
            ranges = self._planned_ranges()
            self.tally.ranges += ranges
            check(ranges > 0, "no file was to be read in byte ranges")
        # A refused request that the function does not report means that the function needs a right that it lacks.
        refused = [request for request in self.requests() if request.status == FORBIDDEN and request.role in ALL_FUNCTIONS]
        check(not refused, f"functions were refused {refused[:5]}")

    def _planned_ranges(self) -> int:
        """Byte ranges in the plans of all runs."""
        plans = [key for key in self.bucket.list("runs/") if PLAN.search(key)]
        return sum(isinstance(cut, dict) for key in plans for cut in self.bucket.json(key).get("cuts", []))
