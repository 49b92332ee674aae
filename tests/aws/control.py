"""Client of the bed's control API: deployments, faults, and the recorded requests to S3 and Lambda."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faults import Fault
from json_values import Json, JsonObject

# Longer than any function may run in a scenario.
CALL_SECONDS = 240.0


class ControlError(Exception):
    """The bed refused a control request."""


@dataclass(frozen=True)
class FunctionSettings:
    """Limits of one function, as in Lambda. `None` keeps the bed's default."""

    timeout_seconds: int | None = None
    memory_mb: int | None = None
    # How many calls may run at once.
    concurrency: int | None = None

    def body(self) -> JsonObject:
        settings = {"timeout_seconds": self.timeout_seconds, "memory_mb": self.memory_mb, "concurrency": self.concurrency}
        return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True)
class Created:
    """A deployment that the bed created."""

    lake: str
    function_arns: dict[str, str]
    invoke_url: str


@dataclass(frozen=True)
class S3Request:
    """One request that a function, or the operator, sent to S3."""

    number: int
    role: str
    # The process that sent it; empty for the operator, whose requests have none.
    instance: str
    action: str
    method: str
    key: str
    status: int | None
    sse: str | None
    sse_key: str | None
    fault: str | None
    # Milliseconds since 1970.
    at_ms: int

    @staticmethod
    def of(line: JsonObject) -> S3Request:
        return S3Request(
            number=line["n"],
            # Empty for unknown callers.
            role=line["role"] or "",
            instance=line["instance"] or "",
            action=line["action"],
            method=line["method"],
            key=line["key"],
            status=line["status"],
            sse=line["sse"],
            sse_key=line.get("sse_key"),
            fault=line["fault"],
            at_ms=line["at_ms"],
        )


@dataclass(frozen=True)
class RoleCredentials:
    """Credentials of a function's role."""

    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True)
class Answer:
    """The response of a function to a direct call."""

    error: str | None
    payload: Json


class Control:
    """Client of the control address."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def create(
        self,
        name: str,
        functions: Mapping[str, FunctionSettings],
        environment: Mapping[str, str],
        longest_wait_seconds: int | None = None,
    ) -> Created:
        body = {
            "name": name,
            "functions": {function: settings.body() for function, settings in functions.items()},
            "environment": dict(environment),
            "longest_wait_seconds": longest_wait_seconds,
        }
        made = self._call("POST", "/deployments", body)
        return Created(made["lake"], made["function_arns"], made["invoke_url"])

    def delete(self, name: str) -> None:
        self._call("DELETE", f"/deployments/{name}")

    def set_faults(self, name: str, faults: Sequence[Fault]) -> None:
        self._call("PUT", f"/deployments/{name}/faults", [fault.rule() for fault in faults])

    def fired(self, name: str) -> list[int]:
        """How often each fault of the last `set_faults` happened, in its order."""
        return [rule["fired"] for rule in self._call("GET", f"/deployments/{name}/faults")]

    def set_s3_latency(self, name: str, milliseconds: int) -> None:
        """From now on, S3 answers each request this much later."""
        self._call("PUT", f"/deployments/{name}/s3-latency", {"milliseconds": milliseconds})

    def requests(self, name: str) -> list[S3Request]:
        lines = self._call("GET", f"/deployments/{name}/requests")
        return sorted((S3Request.of(line) for line in lines), key=lambda request: request.number)

    def calls(self, name: str) -> list[JsonObject]:
        calls: list[JsonObject] = self._call("GET", f"/deployments/{name}/calls")
        return calls

    def credentials(self, name: str, function: str) -> RoleCredentials:
        found = self._call("GET", f"/deployments/{name}/credentials/{function}")
        return RoleCredentials(found["access_key_id"], found["secret_access_key"], found["session_token"])

    def _call(self, method: str, path: str, body: Json = None) -> Json:
        return _request(method, self._address + path, body)[0]


def invoke(url: str, function: str, event: Json) -> Answer:
    """Calls a function as `aws lambda invoke` does, by its short name below the deployment's address."""
    address = f"{url.rstrip('/')}/2015-03-31/functions/{urllib.parse.quote(function)}/invocations"
    payload, headers = _request("POST", address, event)
    failed = headers.get("X-Amz-Function-Error") is not None
    return Answer(payload["errorType"] if failed else None, payload)


def _request(method: str, address: str, body: Json) -> tuple[Json, http.client.HTTPMessage]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data=data, method=method, headers={"Content-Type": "application/json"})
    # Requests to this machine must not go through a proxy of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=CALL_SECONDS) as answer:
            text = answer.read()
            return (json.loads(text) if text.strip() else None), answer.headers
    except urllib.error.HTTPError as error:
        detail = error.read().decode(errors="replace")[:2000]
        raise ControlError(f"{method} {address}: {error.code} {detail}") from error
