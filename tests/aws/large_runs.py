"""Runs of the large branch: how they are planned for Spark, and what happens on AWS after they end."""

from __future__ import annotations

import json
from dataclasses import dataclass

from deployment import Deployment
from json_values import JsonObject
from registry import Tally, check
from world import World

PLANNED = "planned-elsewhere"
# Lambda retries an asynchronous event twice after an error.
DELIVERIES = 3


@dataclass(frozen=True)
class PreparedPlan:
    """A plan for Spark that the real validate function made, reusable for any run of any deployment."""

    text: str
    bucket: str
    uri: str

    @staticmethod
    def make(world: World) -> PreparedPlan:
        """Plans one day for Spark without executing anything."""
        with world.deployment(Tally(), "plan") as deployment:
            deployment.deliver(world.samples.days(1))
            answer = deployment.invoked(
                "validate", {"execution_name": PLANNED, "request": large_request(deployment)}
            )
            check(answer["plan"]["engine"] == "emr", f"the plan for Spark is {answer}")
            key = f"runs/retail/{PLANNED}/plan-1.json"
            return PreparedPlan(deployment.bucket.get(key).decode(), deployment.name, answer["plan"]["uri"])

    def put(self, deployment: Deployment, run_id: str) -> JsonObject:
        """Writes the plan of this run, and returns the state data with which the large branch begins."""

        def of_run(text: str) -> str:
            return text.replace(PLANNED, run_id).replace(self.bucket, deployment.name)

        deployment.bucket.put(f"runs/retail/{run_id}/plan-1.json", of_run(self.text).encode())
        return {
            "request": deployment.request,
            "run": {"pipeline": "retail", "run_id": run_id, "attempt": 1},
            "plan": {"status": "planned", "engine": "emr", "uri": of_run(self.uri)},
        }


def status_change(world: World, deployment: Deployment, run_id: str, status: str) -> JsonObject:
    """The event that EventBridge sends when the execution of a run ended."""
    event = world.events.take("terminate-execution-aborted.json", deployment.name)
    event["detail"] |= {"name": run_id, "status": status, "input": json.dumps(deployment.request)}
    return event


def notify_terminate(world: World, deployment: Deployment, run_id: str, status: str) -> bool:
    """Does what the rule for ended executions does; returns whether the event could be delivered to the function."""
    if status == "SUCCEEDED":
        return True
    event = status_change(world, deployment, run_id, status)
    return any(deployment.invoke_quietly("terminate", event) is None for _ in range(DELIVERIES))


def large_request(deployment: Deployment) -> JsonObject:
    """The request of a deployment, for Spark."""
    return {**deployment.request, "engine": "emr"}
