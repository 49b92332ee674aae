"""The API of runs behind an HTTP gateway: the real function over Step Functions, from the request to published tables."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable

from deployment import Deployment
from faults import call as lambda_call
from gateway import Gateway, gateway
from json_values import Json
from registry import Case, Tally, check, scenario
from tables import BRONZE
from world import World

FUNCTION = "submit"
OPERATOR = "arn:aws:iam::123456789012:user/ann"
# A run on sample data takes seconds.
RUN_SECONDS = 120.0
ASK_AGAIN_SECONDS = 0.2
FORBIDDEN = 403


@scenario("the API of runs")
def cases(world: World) -> Iterable[Case]:
    return [
        Case("a run is started once, followed and listed", started_once),
        Case("only the named objects are read", only_named_objects),
        Case("a failed run is reported, a running one stopped", failed_and_stopped),
    ]


class Api:
    """The function of one deployment behind a gateway, called by an IAM caller."""

    def __init__(self, deployment: Deployment, front: Gateway) -> None:
        front.invoke_url = deployment.created.invoke_url
        front.caller = OPERATOR
        self.front, self.deployment = front, deployment
        # Created on first use; the function already has its ARN.
        check(deployment.machine.endswith(f":stateMachine:{deployment.name}"), f"the state machine is {deployment.machine}")

    def call(self, method: str, path: str, body: Json = None, key: str | None = None) -> tuple[int, Json, str | None]:
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.front.endpoint + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status), json.loads(answer.read()), answer.headers.get("Location")
        except urllib.error.HTTPError as error:
            return int(error.code), json.loads(error.read()), None

    def ended(self, run: str) -> Json:
        """Waits until the run has ended, and returns it."""
        return self._until(run, "end", lambda response: response["state"] != "running")

    def entered(self, run: str) -> Json:
        """Waits until the run is in a state: moto 5.2.5 answers a stop with 500 as long as it parses the definition."""
        return self._until(run, "enter a state", lambda response: bool(response["states"]))

    def _until(self, run: str, what: str, holds: Callable[[Json], bool]) -> Json:
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            status, response, _ = self.call("GET", f"/runs/{run}")
            check(status == 200, f"run {run} gets {status}: {response}")
            if holds(response):
                return response
            check(time.monotonic() < deadline, f"run {run} does not {what}: {response}")
            time.sleep(ASK_AGAIN_SECONDS)

    def verify_rights(self) -> None:
        refused = [one for one in self.deployment.requests() if one.role == FUNCTION and one.status == FORBIDDEN]
        check(not refused, f"the function lacks a right: {refused[:5]}")


def served(world: World, tally: Tally, work: Callable[[Api], None]) -> None:
    """Does `work` with a new deployment behind a gateway."""
    with gateway(FUNCTION, world.bed.addresses.account) as front, world.deployment(tally, "api") as deployment:
        api = Api(deployment, front)
        work(api)
        api.verify_rights()


def started_once(world: World, tally: Tally) -> None:
    def work(api: Api) -> None:
        days = world.samples.days(1)
        api.deployment.deliver(days)
        status, response, _ = api.call("GET", "/runs/api-0123456789abcdef0123456789abcdef")
        check(status == 404 and response["code"] == "not-found", f"an unknown run gets {status}: {response}")
        body = {"pipeline": "retail"}
        status, accepted, location = api.call("POST", "/process", body, key="day-1")
        check(status == 202 and location == f"/runs/{accepted['run_id']}", f"a start gets {status}: {accepted}")
        api.deployment.tally.runs += 1
        status, again, _ = api.call("POST", "/process", body, key="day-1")
        check(again["run_id"] == accepted["run_id"], f"the same request is another run: {again}")
        status, other, _ = api.call("POST", "/process", {**body, "engine": "lambda"}, key="day-1")
        check(status == 409 and other["code"] == "conflict", f"another body gets {status}: {other}")
        ended = api.ended(accepted["run_id"])
        check(ended["state"] == "published" and ended["verdict"] is not None, f"the run did not end as expected: {ended}")
        passed = [state["name"] for state in ended["states"]]
        check(passed[0] == "Receive" and passed[-1] == "Published", f"it passed the states {passed}")
        status, page, _ = api.call("GET", "/runs?pipeline=retail&limit=5")
        check([run["run_id"] for run in page["runs"]] == [accepted["run_id"]], f"the list has {page}")
        status, waited, _ = api.call("POST", "/process?wait=20", body, key="nothing-new")
        check(status == 200 and waited["state"] == "skipped", f"a run with a wait gets {status}: {waited}")
        api.deployment.tally.runs += 1
        api.front.caller = None
        status, response, _ = api.call("GET", "/runs")
        check(status == 401, f"a caller without credentials gets {status}: {response}")
        api.deployment.verify(days)

    served(world, tally, work)


def only_named_objects(world: World, tally: Tally) -> None:
    def work(api: Api) -> None:
        days = world.samples.days(2)
        api.deployment.deliver(days)
        named = {"pipeline": "retail", "objects": [f"retail/{days[1].name}"]}
        status, ended, _ = api.call("POST", "/process?wait=25", named)
        check(status == 200 and ended["state"] == "published", f"a start with objects gets {status}: {ended}")
        api.deployment.tally.runs += 1
        rows = api.deployment.lake.open(BRONZE).to_pyarrow_table(columns=["_source_file"])
        files = {file.rsplit("/", 1)[1] for file in rows.column(0).to_pylist()}
        check(files == {days[1].name}, f"the run read {files}")
        missing = {"pipeline": "retail", "objects": ["retail/not-there.csv"]}
        status, response, _ = api.call("POST", "/process?wait=25", missing)
        check(status == 200 and response["state"] == "failed", f"an object that does not exist gets {status}: {response}")
        check(response["error"]["name"] == "NotFound" and "not-there.csv" in response["error"]["message"], f"it is reported as {response}")
        api.deployment.settle()
        api.deployment.verify(days)

    served(world, tally, work)


def failed_and_stopped(world: World, tally: Tally) -> None:
    def work(api: Api) -> None:
        days = world.samples.days(1)
        api.deployment.deliver(days)
        with api.deployment.faults([lambda_call("exit", "process", times=2)]):
            status, started, _ = api.call("POST", "/process", {"pipeline": "retail"})
            check(status == 202, f"a start gets {status}: {started}")
            ended = api.ended(started["run_id"])
        check(ended["state"] == "failed" and ended["error"]["next_step"], f"a failed run is reported as {ended}")
        # The emulator cannot redrive: the response is a problem, and the function keeps working.
        status, refused, _ = api.call("POST", f"/runs/{started['run_id']}/redrive")
        check(status in (202, 409, 500, 503), f"a redrive gets {status}: {refused}")
        with api.deployment.faults([lambda_call("delay", "validate", milliseconds=8000)], must_fire=False):
            status, slow, _ = api.call("POST", "/process", {"pipeline": "retail"})
            api.entered(slow["run_id"])
            status, response, _ = api.call("DELETE", f"/runs/{slow['run_id']}")
            check(status in (200, 202), f"a stop gets {status}: {response}")
            check(api.ended(slow["run_id"])["state"] == "stopped", "the run was not stopped")
        status, response, _ = api.call("DELETE", f"/runs/{slow['run_id']}")
        check(status == 200 and response["state"] == "stopped", f"a second stop gets {status}: {response}")
        api.deployment.tally.runs += 2
        api.deployment.settle()
        api.deployment.verify(days)

    served(world, tally, work)
