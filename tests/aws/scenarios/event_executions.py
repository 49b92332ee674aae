"""Executions that AWS starts with its own events: a new object, a schedule, and a person's acceptance."""

from __future__ import annotations

from collections.abc import Iterable

from deployment import Deployment
from faults import s3
from json_values import JsonObject
from large_runs import ReportedEnd
from registry import Case, Tally, check, scenario
from samples import SourceFile
from scenarios.direct_calls import accept
from world import World

OBJECT_CREATED = "validate-s3-object-created.json"
# EventBridge names executions with two ids. Names of staged files contain the run's id, and the store of the bed (s3s-fs) keeps
# an object's metadata in a file whose name is the key in base64: with both ids it would exceed the limit for file names.
NAME_CHARACTERS = 36


@scenario("event executions")
def cases(world: World) -> Iterable[Case]:
    return [
        Case("object created, twice and late", object_created),
        Case("delivery through a pipe", piped),
        Case("schedule replays the quarantine", scheduled),
        Case("accepted run", accepted),
    ]


def arrived(world: World, deployment: Deployment) -> tuple[JsonObject, SourceFile]:
    """The event of S3, and the file it announces, under the key in the event."""
    event = world.events.take(OBJECT_CREATED, deployment.name)
    key: str = event["request"]["detail"]["object"]["key"]
    check(key.startswith("landing/retail/"), f"{OBJECT_CREATED} names {key}")
    return event, world.samples.day(0).renamed(key.removeprefix("landing/retail/"))


def object_created(world: World, tally: Tally) -> None:
    """EventBridge delivers at least once: here a second delivery at the same time and a third one after the run."""
    with world.deployment(tally, "arrived") as deployment:
        event, file = arrived(world, deployment)
        deployment.deliver([file])
        running = [
            deployment.start(event["request"], event["execution_name"][:NAME_CHARACTERS]),
            deployment.start(event["request"]),
        ]
        ended = [one.wait().expect("Published", "Skipped") for one in running]
        check(any(one.last_state == "Published" for one in ended), f"nobody published: {ended}")
        deployment.execute(event["request"]).expect("Skipped")
        deployment.verify([file])


def piped(world: World, tally: Tally) -> None:
    """EventBridge Pipes starts executions with a JSON array, also for a batch of one."""
    with world.deployment(tally, "piped") as deployment:
        event = world.events.take("validate-delivery.json", deployment.name)
        check(isinstance(event["request"], list), f"a pipe sends an array: {event}")
        files = world.samples.days(2)
        deployment.deliver(files[:1])
        deployment.execute(event["request"], event["execution_name"]).expect("Published")
        deployment.execute(event["request"]).expect("Skipped")
        deployment.deliver(files[1:])
        with deployment.faults([s3("kill_before", "publish", "PutObject", r"/_delta_log/0+1\.json$", times=2)]):
            failed = deployment.execute(event["request"]).expect("Publish")
        # What the rule for ended executions delivers names the pipeline by the same array.
        end = ReportedEnd.of(failed, event["request"])
        for function in ("terminate", "notify"):
            check(end.send_to(world, deployment, function), f"{function} does not take the end of {failed}")
        report = deployment.bucket.json(f"runs/retail/{failed.name}/report.json")
        check(report["outcome"] == "failed", f"the report is {report}")
        deployment.redriven(failed).expect("Published")
        deployment.verify(files)


def scheduled(world: World, tally: Tally) -> None:
    """The contract has not changed, so every quarantined row breaks its rule again and stays where it is."""
    with world.deployment(tally, "schedule") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        deployment.execute().expect("Published")
        event = world.events.take("validate-scheduler.json", deployment.name)
        deployment.execute(event["request"], event["execution_name"]).expect("Published", "Skipped")
        deployment.verify(files)


def accepted(world: World, tally: Tally) -> None:
    with world.deployment(tally, "accepted") as deployment:
        event = world.events.take("validate-accept.json", deployment.name)
        run_id: str = event["request"]["action"]["accept"]["run_id"]
        files = [world.samples.poisoned(0)]
        deployment.deliver(files)
        deployment.execute(name=run_id).expect("Rejected")
        deployment.execute(event["request"]).expect("Failed")
        accept(deployment, run_id)
        deployment.execute(event["request"], event["execution_name"]).expect("Published")
        deployment.execute().expect("Skipped")
        deployment.verify(files, is_accepted=True)
