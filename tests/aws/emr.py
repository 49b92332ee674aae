"""A local EMR per deployment: the program emr-local, its faults, and the calls it received."""

from __future__ import annotations

import json
import os
import pathlib
import selectors
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commands import KEPT
from json_values import Json, JsonObject
from registry import check

# It listens immediately, but a busy machine takes a moment to start a program.
READY_SECONDS = 30.0
# It kills its steps immediately.
END_SECONDS = 20.0
CALL_SECONDS = 30.0
ASK_AGAIN_SECONDS = 0.1
# States of a cluster last only a moment. An idle second is shortened, too: the timeout of 600 s takes 30 s here, longer than
# a cluster waits for its step.
DELAYS: Mapping[str, int] = {
    "starting_ms": 200,
    "bootstrapping_ms": 200,
    "step_pending_ms": 50,
    "terminating_ms": 100,
    # Lists are delayed: a cluster that was launched a moment ago is not listed yet.
    "listing_ms": 400,
    "idle_second_ms": 50,
}
# Variables that say where Spark is, if it is not in a default place.
SPARK = ("JAVA_HOME", "SPARK_HOME", "SLUICE_SPARK_HOME", "SLUICE_DELTA_JARS")
# Settings that an operator must choose for clusters; the local EMR ignores them.
SETTINGS: Mapping[str, str] = {
    "SLUICE_EMR_LOG_URI": "s3://example-logs/emr/",
    "SLUICE_EMR_SUBNETS": "subnet-0123456789abcdef0",
    "SLUICE_EMR_SERVICE_ROLE": "sluice-emr",
    "SLUICE_EMR_INSTANCE_PROFILE": "sluice-emr-instances",
    "SLUICE_EMR_SECURITY_CONFIGURATION": "sluice-emr",
    "SLUICE_EMR_STEP_ROLE_ARN": "none",
}
# With these, every idle timeout has passed.
IDLE_IS_OVER: Mapping[str, int] = {**DELAYS, "idle_second_ms": 0}


@dataclass(frozen=True)
class EmrFault:
    """A fault of EMR, in the form of its control API."""

    kind: str
    operation: str | None = None
    message: str | None = None
    command: tuple[str, ...] | None = None
    times: int = 1
    after: int = 0

    def body(self) -> JsonObject:
        fields = {
            "operation": self.operation,
            "message": self.message,
            "command": None if self.command is None else list(self.command),
        }
        kept = {name: value for name, value in fields.items() if value is not None}
        return {"kind": self.kind, "times": self.times, "after": self.after, **kept}

    def __str__(self) -> str:
        where = f" of {self.operation}" if self.operation else ""
        return f"emr {self.kind}{where} x{self.times}" + (f" after {self.after}" if self.after else "")


@dataclass(frozen=True)
class EmrSteps:
    """What runs the steps: `none` completes them immediately, `command` runs a program, `spark-sql` runs Spark."""

    executor: str = "none"
    command: Sequence[str] = ()


def why_no_spark(program: pathlib.Path) -> str | None:
    """Why steps cannot run Spark on this machine; `None` when they can."""
    # Without input it ends as soon as it has found Spark.
    line = [str(program), "--until-stdin-closes", "--executor", "spark-sql"]
    tried = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=READY_SECONDS, env=kept())
    return None if tried.returncode == 0 else tried.stderr.strip() or f"emr-local ended with {tried.returncode}"


def kept() -> dict[str, str]:
    """The variables of the environment that a program needs to start and to find Spark."""
    return {name: os.environ[name] for name in (*KEPT, *SPARK) if name in os.environ}


class LocalEmr:
    """A running EMR. Used as a context it ends with its steps."""

    def __init__(self, program: pathlib.Path, steps: EmrSteps, environment: Mapping[str, str]) -> None:
        line = [str(program), "--until-stdin-closes", "--executor", steps.executor, "--delays", json.dumps(dict(DELAYS))]
        if steps.command:
            line += ["--", *steps.command]
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**kept(), **environment},
        )
        try:
            self.endpoint = self._address()
        except BaseException:
            self.stop()
            raise

    def _address(self) -> str:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            ready = selector.select(READY_SECONDS)
        line = self._process.stdout.readline().decode().strip() if ready else ""
        check(line.startswith("http://"), f"emr-local does not start; it said {line!r}")
        return line

    def variables(self) -> dict[str, str]:
        """The variables with which functions find it and request clusters."""
        return {"AWS_ENDPOINT_URL_EMR": self.endpoint, **SETTINGS}

    def stop(self) -> None:
        """Ends it, and every step with it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def add_faults(self, faults: Sequence[EmrFault]) -> None:
        for fault in faults:
            self._call("POST", "faults", fault.body())

    def pending_faults(self) -> list[JsonObject]:
        faults: list[JsonObject] = self._call("GET", "faults")["faults"]
        return faults

    def forget_faults(self) -> None:
        self._call("DELETE", "faults")

    def calls(self) -> list[JsonObject]:
        """Every call of EMR's API, with its result."""
        calls: list[JsonObject] = self._call("GET", "calls")["calls"]
        return calls

    def clusters(self) -> list[JsonObject]:
        """Every cluster that was ever created."""
        clusters: list[JsonObject] = self._call("GET", "clusters")["clusters"]
        return clusters

    def alive(self) -> list[str]:
        """Clusters that would cost money, with their states."""
        return [f"{one['Name']} ({one['Status']['State']})" for one in self.clusters() if one["IsActive"]]

    def let_idle_time_pass(self) -> None:
        """Makes every idle timeout pass immediately from now on."""
        self._call("POST", "delays", dict(IDLE_IS_OVER))

    def age(self, seconds: int) -> None:
        """Makes every existing cluster older by this time."""
        for cluster in self.clusters():
            if cluster["IsActive"]:
                self._call("POST", "age", {"cluster_id": cluster["Id"], "seconds": seconds})

    def wait_until_gone(self, seconds: float) -> list[str]:
        """Waits for all clusters to end, and returns those that still exist after this time."""
        deadline = time.monotonic() + seconds
        while (alive := self.alive()) and time.monotonic() < deadline:
            time.sleep(ASK_AGAIN_SECONDS)
        return alive

    def _call(self, method: str, path: str, body: Json = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.endpoint}/_control/{path}"
        request = urllib.request.Request(address, data=data, method=method, headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=CALL_SECONDS) as answer:
            return json.loads(answer.read())
