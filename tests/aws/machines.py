"""State machines in moto: created from the unchanged definition, started, awaited, and read back."""

from __future__ import annotations

import json
import pathlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from json_values import Json, JsonObject
from registry import check
from traces import Trace, trace_of_history

T = TypeVar("T")

# Longest time of an execution here: every retry of one state, and one or two timeouts.
EXECUTION_SECONDS = 300.0
# moto parses a definition in 0.2 s, and in 2.5 s next to 3 busy processes and 12 other starts on 2 cores.
UNSETTLED_SECONDS = 60.0
ASK_AGAIN_SECONDS = 0.1
# The placeholders of the definition and the functions that replace them.
PLACEHOLDERS = {
    "ValidateFunctionArn": "validate",
    "ProcessFunctionArn": "process",
    "StartEmrFunctionArn": "start-emr",
    "RunEtlFunctionArn": "run-etl",
    "TerminateFunctionArn": "terminate",
    "QualityCheckFunctionArn": "quality-check",
    "PublishFunctionArn": "publish",
    "NotifyFunctionArn": "notify",
}


# Loops of the definition that poll.
LOOPS = 2


@dataclass(frozen=True)
class Begun:
    """An execution that goes on in a later state."""

    state: str
    # The input that the execution was started with.
    execution_input: Json


@dataclass(frozen=True)
class Ended:
    """An execution that has ended."""

    name: str
    status: str
    error: str | None
    cause: str | None
    # The state in which it ended.
    last_state: str
    trace: Trace

    @property
    def outcome(self) -> str:
        """The Succeed state in which it ended, or `Failed`: a failed task ends the execution by itself."""
        return self.last_state if self.status == "SUCCEEDED" else "Failed"

    def __str__(self) -> str:
        why = f", {self.error}: {self.cause}" if self.error else ""
        return f"execution {self.name} ended as {self.status} in {self.last_state}{why}"

    def expect(self, *states: str) -> Ended:
        """Returns itself if it ended in one of these states, or as `Failed` in any; otherwise fails the case."""
        check(self.last_state in states or self.outcome in states, f"{self}, not in {' or '.join(states)}; states {self.trace.summary()}")
        return self


@dataclass(frozen=True)
class Running:
    """A running execution."""

    machines: Machines
    name: str
    arn: str

    def wait(self) -> Ended:
        return self.machines.wait(self)

    def stop(self) -> None:
        """Stops the execution, as a person does. Does nothing when it has already ended."""
        self.machines.stop(self)

    def has_ended(self) -> bool:
        return self.machines.has_ended(self)

    def has_entered(self, state: str) -> bool:
        return self.machines.has_entered(self, state)


class Machines:
    """The Step Functions of the bed."""

    def __init__(self, client: BaseClient, account: str, definition: pathlib.Path) -> None:
        self._client = client
        self._role = f"arn:aws:iam::{account}:role/states"
        self._definition = definition.read_text()

    def create(
        self,
        name: str,
        function_arns: Mapping[str, str],
        begun: Begun | None = None,
        most_polls: int | None = None,
    ) -> str:
        """A state machine; with `begun` it goes on there, as a redrive does, and with `most_polls` its loops end sooner.

        Nothing else is ever changed.
        """
        definition = self._definition
        for placeholder, function in PLACEHOLDERS.items():
            # Replaces placeholders in the text, as the deployment does; the file itself is not changed.
            definition = definition.replace(f"${{{placeholder}}}", function_arns[function])
        check("${" not in definition, "the definition has a placeholder without a value")
        if begun is not None:
            # A redrive keeps the input of its execution. Here a new one begins, whose input is that of the state.
            definition, inputs = re.subn(
                r'"request\.\$": "\$\$\.Execution\.Input"',
                lambda _: f'"request": {json.dumps(begun.execution_input)}',
                definition,
            )
            check(inputs > 0 and "$$.Execution.Input" not in definition, f"the definition reads its input {inputs} times")
            definition = json.dumps({**json.loads(definition), "StartAt": begun.state})
        if most_polls is not None:
            definition, loops = re.subn(r'("NumericLessThan": )\d+', rf"\g<1>{most_polls}", definition)
            check(loops == LOOPS, f"the definition has {loops} loops")
        made = self._client.create_state_machine(name=name, definition=definition, roleArn=self._role)
        arn: str = made["stateMachineArn"]
        return arn

    def start(self, machine: str, name: str, state_input: Json) -> Running:
        started = self._client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(state_input))
        return Running(self, name, started["executionArn"])

    def wait(self, running: Running) -> Ended:
        """Waits for the end, up to a limit."""
        deadline = time.monotonic() + EXECUTION_SECONDS
        while (described := self._client.describe_execution(executionArn=running.arn))["status"] == "RUNNING":
            check(time.monotonic() < deadline, f"execution {running.name} still runs after {EXECUTION_SECONDS:.0f} s")
            time.sleep(ASK_AGAIN_SECONDS)
        events = _patiently(lambda: self._history(running.arn))
        trace = trace_of_history(events)
        last = trace.visits[-1].state if trace.visits else ""
        return Ended(running.name, described["status"], described.get("error"), described.get("cause"), last, trace)

    def has_ended(self, running: Running) -> bool:
        status: str = self._client.describe_execution(executionArn=running.arn)["status"]
        return status != "RUNNING"

    def has_entered(self, running: Running, state: str) -> bool:
        events = _patiently(lambda: self._history(running.arn))
        return any(visit.state == state for visit in trace_of_history(events).visits)

    def stop(self, running: Running) -> None:
        def stop() -> None:
            if not self.has_ended(running):
                self._client.stop_execution(executionArn=running.arn, error="Stopped", cause="by the scenario")

        _patiently(stop)

    def redrive(self, running: Running) -> bool:
        """Redrives an execution; `False` when the emulator cannot."""
        try:
            self._client.redrive_execution(executionArn=running.arn)
        except ClientError as error:
            # moto 5.2.5 does not support this action and returns an internal server error.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 501):
                return False
            raise
        return True

    def _history(self, arn: str) -> list[JsonObject]:
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=arn, PaginationConfig={"PageSize": 1000}
        )
        return [event for page in pages for event in page["events"]]


def _patiently(call: Callable[[], T]) -> T:
    """Calls until moto 5.2.5 does not answer 500.

    It does to a stop as long as it parses the definition of an execution that has begun. On a busy machine it did to a request for the history
    of an execution that was just stopped.
    """
    deadline = time.monotonic() + UNSETTLED_SECONDS
    while True:
        try:
            return call()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 500 or time.monotonic() > deadline:
                raise
            time.sleep(ASK_AGAIN_SECONDS)
