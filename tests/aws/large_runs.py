"""Runs of the large branch: how they are planned and read for Spark, and what happens on AWS after they end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from deployment import Deployment
from json_values import Json, JsonObject
from machines import Ended
from registry import Tally, check
from world import World

PLANNED = "planned-elsewhere"
# Lambda retries an asynchronous event twice after an error.
DELIVERIES = 3


@dataclass(frozen=True)
class PreparedPlan:
    """A plan for Spark and what was read of it, as the real functions made them, reusable for any run of any deployment.

    The files that were staged are not part of it: they are for Spark alone.
    """

    # The documents by their names.
    documents: dict[str, str]
    bucket: str
    plan: JsonObject
    processed: JsonObject

    @staticmethod
    def make(world: World) -> PreparedPlan:
        """Plans one day for Spark, and reads it."""
        with world.deployment(Tally(), "plan") as deployment:
            deployment.deliver(world.samples.days(1))
            planned = deployment.invoked(
                "validate", {"execution_name": PLANNED, "request": large_request(deployment)}
            )
            check(planned["plan"]["engine"] == "emr", f"the plan for Spark is {planned}")
            answer = deployment.invoked("process", {"run": planned["run"]})
            processed = {name: answer[name] for name in ("uri", "engine")}
            check(processed["engine"] == "emr", f"process leaves nothing for Spark: {answer}")
            folder = f"runs/retail/{PLANNED}"
            documents = {name: deployment.bucket.get(f"{folder}/{name}").decode() for name in ("plan-1.json", "read-1.json")}
            return PreparedPlan(documents, deployment.name, planned["plan"], processed)

    def put(self, deployment: Deployment, run_id: str) -> JsonObject:
        """Writes the documents of this run, and returns the state data with which the large branch begins."""

        def of_run(text: str) -> str:
            return text.replace(PLANNED, run_id).replace(self.bucket, deployment.name)

        for name, text in self.documents.items():
            deployment.bucket.put(f"runs/retail/{run_id}/{name}", of_run(text).encode())
        made: JsonObject = json.loads(of_run(json.dumps({"plan": self.plan, "processed": self.processed})))
        run = {"pipeline": "retail", "run_id": run_id, "attempt": 1}
        return {"request": deployment.request, "run": run, **made}


@dataclass(frozen=True)
class ReportedEnd:
    """What EventBridge reports of an execution that ended without success."""

    run_id: str
    status: str
    state_input: Json
    error: str | None = None
    cause: str | None = None

    @staticmethod
    def of(ended: Ended, state_input: Json) -> ReportedEnd:
        return ReportedEnd(ended.name, ended.status, state_input, ended.error, ended.cause)

    def send_to(self, world: World, deployment: Deployment, function: str) -> bool:
        """Does what the rule for ended executions does; returns whether the event could be delivered to the function."""
        if self.status == "SUCCEEDED":
            return True
        event = world.events.take("terminate-execution-aborted.json", deployment.name)
        event["detail"] |= {
            "name": self.run_id,
            "status": self.status,
            "stopDate": int(time.time() * 1000),
            "input": json.dumps(self.state_input),
            "error": self.error,
            "cause": self.cause,
        }
        return any(deployment.invoke_quietly(function, event) is None for _ in range(DELIVERIES))


def large_request(deployment: Deployment) -> JsonObject:
    """The request of a deployment, for Spark."""
    return {**deployment.request, "engine": "emr"}
