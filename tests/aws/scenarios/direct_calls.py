"""Sample events of functions, each sent to the real function by Lambda's Invoke API, in the order of a run.

The events of clusters are in `cluster_calls.py`. Those of API Gateway are not sent: clients of `submit` and `data-product` make real
requests in other scenarios.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.client import BaseClient

from deployment import Deployment
from json_values import Json, JsonObject
from registry import Case, Tally, check, scenario
from world import World


# Ends of executions that were planned, with the number of their attempts.
FAILURES = {"notify-failed.json": 2, "notify-timed-out.json": 1, "notify-stopped.json": 1}


@dataclass(frozen=True)
class Mailbox:
    """A topic, and a queue that has all of its messages."""

    topic: str
    queue: str
    client: BaseClient

    def subjects(self) -> list[str]:
        """Subjects of the messages so far, each once."""
        found: list[str] = []
        while messages := self.client.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"])["Subject"])
                self.client.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found


def mailbox(world: World) -> Mailbox:
    sns, sqs = world.services.aws("sns"), world.services.aws("sqs")
    name = f"runs-{world.number()}"
    topic: str = sns.create_topic(Name=name)["TopicArn"]
    queue: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"])
    return Mailbox(topic, queue, sqs)


@scenario("direct calls")
def cases(world: World) -> Iterable[Case]:
    return [
        Case("published and skipped", published_and_skipped),
        Case("rejected and accepted", rejected_and_accepted),
        Case("planned again", planned_again),
        Case("part by part", part_by_part),
        Case("failed", failed),
        Case("folders of this machine", folders),
        Case("wrong payloads", wrong_payloads),
    ]


def published_and_skipped(world: World, tally: Tally) -> None:
    mail = mailbox(world)
    with world.deployment(tally, "direct", environment=announcing(mail)) as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        run = run_through(world, deployment, "validate-request.json", "passed")
        published = sent(world, deployment, "publish", "publish.json")
        check(len(published["tables"]) == 5, f"published {published}")
        notified = sent(world, deployment, "notify", "notify-published.json")
        check(notified["outcome"] == "published", f"notify returned {notified}")
        again = event(world, deployment, "validate-request.json")
        again["execution_name"] = event(world, deployment, "notify-skipped.json")["execution_name"]
        planned = deployment.invoked("validate", again)
        check(planned["plan"]["status"] == "skipped", f"nothing is new, and the plan is {planned}")
        sent(world, deployment, "notify", "notify-skipped.json")
        report = deployment.bucket.json(f"runs/retail/{run}/report.json")
        check(report["outcome"] == "published", f"the report is {report}")
        page = deployment.bucket.get(f"runs/retail/{run}/report-1.html")
        check(b"published</span>" in page, "the report is no page of a published run")
        expected = ["Sluice: retail published", "Sluice: retail skipped, nothing new"]
        check(sorted(mail.subjects()) == expected, f"people were not notified with {expected}")
        deployment.verify(files)


def rejected_and_accepted(world: World, tally: Tally) -> None:
    with world.deployment(tally, "accept") as deployment:
        files = [world.samples.poisoned(0)]
        deployment.deliver(files)
        name = event(world, deployment, "notify-rejected.json")["execution_name"]
        run_through(world, deployment, "validate-request.json", "rejected", name)
        sent(world, deployment, "notify", "notify-rejected.json")
        deployment.verify([])
        refused = deployment.invoke("publish", {"run": {"pipeline": "retail", "run_id": name, "attempt": 1}})
        check(refused.error == "InvalidInput", f"publish of a rejected attempt returned {refused}")
        accept(deployment, name)
        planned = sent(world, deployment, "validate", "validate-accept.json")
        check(planned["plan"]["status"] == "accepted", f"the accepted run has the plan {planned}")
        deployment.invoked("publish", {"run": planned["run"]})
        deployment.tally.runs += 1
        deployment.execute().expect("Skipped")
        deployment.verify(files, is_accepted=True)


def accept(deployment: Deployment, run_id: str) -> None:
    """Writes a person's acceptance into the verdict, as `sluice runs accept` does."""
    key = f"runs/retail/{run_id}/verdict-1.json"
    verdict = deployment.bucket.json(key)
    broken = [
        f"{table['table']}: {rule['rule']}"
        for table in verdict["tables"]
        for rule in table["rules"]
        if not rule["passed"] and rule["severity"] == "error"
    ]
    check(bool(broken), f"the rejected verdict names no broken rule: {verdict}")
    word = {"by": "ann", "at": verdict["audited_at"], "reason": "confirmed by the shop", "rules": broken}
    deployment.bucket.put(key, json.dumps({**verdict, "decision": "accepted", "acceptance": word}).encode())


def planned_again(world: World, tally: Tally) -> None:
    """Another run commits between this run's audit and its publication."""
    with world.deployment(tally, "replan") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        run_through(world, deployment, "validate-request.json", "passed")
        failed = deployment.invoke("validate", event(world, deployment, "validate-after-failure.json"))
        check(failed.error == "EtlFailed", f"nobody has redriven the execution, and validate returned {failed}")
        deployment.execute().expect("Published")
        late = deployment.invoke("publish", event(world, deployment, "publish.json"))
        conflict = event(world, deployment, "validate-replan.json")["conflict"]["Error"]
        check(late.error == conflict, f"another run committed first, and publish returned {late}")
        planned = sent(world, deployment, "validate", "validate-replan.json")
        check(planned["run"]["attempt"] == 2, f"planned again: {planned}")
        check(planned["plan"]["status"] == "skipped", f"the other run left nothing to do, and the plan is {planned}")
        deployment.verify(files)


def part_by_part(world: World, tally: Tally) -> None:
    """A part is read once, however often it is asked for, and process reads what nobody has asked for."""
    with world.deployment(tally, "parts") as deployment:
        files = world.samples.large_days(3)
        deployment.read_in_parts()
        deployment.deliver(files)
        planned = sent(world, deployment, "validate", "validate-request.json")
        run_id: str = planned["run"]["run_id"]
        check(planned["plan"].get("parts") == {"numbers": [1, 2, 3], "at_once": 2}, f"the plan is {planned}")
        step = event(world, deployment, "process-part.json")
        wrong = deployment.invoke("process", {**step, "part": len(files) + 1})
        check(wrong.error == "InvalidInput", f"a part that the plan does not have was read: {wrong}")
        read = sent(world, deployment, "process", "process-part.json")
        check((read["part"], read["rows"]) == (step["part"], files[1].rows), f"the part is {read}")
        before = len(deployment.requests())
        again = sent(world, deployment, "process", "process-part.json")
        check(again == read, f"the part was {read}, and is {again} when it is asked for again")
        twice = [one for one in deployment.requests()[before:] if one.action != "GetObject" or not one.key.startswith("parts/")]
        check(not twice, f"the part was read again: {twice[:5]}")
        documents = f"parts/retail/{run_id}/1/part-"
        check(deployment.bucket.list(documents) == [key_of(deployment, read["uri"])], "other parts were read, too")
        for function in ("process", "quality-check", "publish"):
            sent(world, deployment, function, f"{function}.json")
        check(len(deployment.bucket.list(documents)) == len(files), "process has not written down what it read")
        deployment.tally.runs += 1
        deployment.execute().expect("Skipped")
        deployment.verify(files)


def failed(world: World, tally: Tally) -> None:
    mail = mailbox(world)
    with alert_receiver() as (address, bodies), \
            world.deployment(tally, "failed", environment={**announcing(mail), **alerting(address)}) as deployment:
        deployment.deliver(world.samples.days(1))
        for name, attempts in FAILURES.items():
            plan_for(world, deployment, name, attempts)
            sent(world, deployment, "notify", name)
        alerted_once(deployment, bodies)
        refused = event(world, deployment, "notify-failed-validate.json")["detail"]
        answer = deployment.invoke(
            "validate", {"execution_name": refused["name"], "request": json.loads(refused["input"])}
        )
        check(answer.error == refused["error"], f"validate returned {answer}")
        found, sample = answer.payload["errorMessage"], json.loads(refused["cause"])["errorMessage"]
        check(found.split(",")[0] == sample.split(",")[0], f"the sample event has {sample!r}, the function returns {found!r}")
        sent(world, deployment, "notify", "notify-failed-validate.json")
        subjects = mail.subjects()
        expected = ["Sluice: retail failed"] * len(FAILURES) + ["Sluice: unknown failed"]
        check(sorted(subjects) == expected, f"people were notified with {subjects}")
        deployment.verify([])


def plan_for(world: World, deployment: Deployment, name: str, attempts: int) -> None:
    """Plans the run of a notification, once for each of its attempts."""
    run_id = event(world, deployment, name)["detail"]["name"]
    request = event(world, deployment, "validate-request.json")
    planned = deployment.invoked("validate", {**request, "execution_name": run_id})
    while planned["run"]["attempt"] < attempts:
        again = event(world, deployment, "validate-replan.json")
        planned = deployment.invoked("validate", {**again, "run": planned["run"]})
    deployment.tally.runs += 1


def folders(world: World, tally: Tally) -> None:
    """Spec and files on this machine, tables on S3."""
    name = "validate-request-local.json"
    with world.deployment(tally, "folders") as deployment:
        files = world.samples.days(1)
        landing = world.folder / f"{deployment.name}-landing"
        landing.mkdir()
        for file in files:
            (landing / file.name).write_bytes(file.body)
        request = world.events.local_request(name, {"spec": world.pipeline, "landing": landing})
        planned = deployment.invoked("validate", request)
        check(planned["run"]["run_id"] == request["execution_name"], f"the plan is {planned}")
        check(len(deployment.bucket.json(key_of(deployment, planned["plan"]["uri"]))["objects"]) == 1, f"{planned}")
        deployment.lake.landing = f"{landing.resolve().as_uri()}/"
        deployment.execute(request["request"]).expect("Published")
        deployment.verify(files)


def wrong_payloads(world: World, tally: Tally) -> None:
    """An unknown field is refused with its name, in a direct call and as the input of an execution."""
    functions = ("validate", "process", "quality-check", "publish", "notify")
    samples = ("validate-request.json", "process.json", "quality-check.json", "publish.json", "notify-skipped.json")
    with world.deployment(tally, "wrong") as deployment:
        for function, sample in zip(functions, samples, strict=True):
            answer = deployment.invoke(function, {**event(world, deployment, sample), "surprise": 1})
            check(answer.error == "InvalidInput", f"{function} accepted an unknown field: {answer}")
            check("surprise" in answer.payload["errorMessage"], f"{function} does not name the field: {answer}")
        ended = deployment.execute({**deployment.request, "surprise": 1}).expect("Failed")
        check(ended.error == "InvalidInput", f"the execution does not show the error: {ended}")
        deployment.verify([])


def run_through(
    world: World, deployment: Deployment, request: str, decision: str, execution_name: str | None = None
) -> str:
    """Plans, processes and audits with direct calls; returns the run's id."""
    asked = event(world, deployment, request)
    run_id: str = execution_name or asked["execution_name"]
    planned = deployment.invoked("validate", {**asked, "execution_name": run_id})
    check(planned["plan"]["status"] == "planned", f"the plan is {planned}")
    for function, sample in (("process", "process.json"), ("quality-check", "quality-check.json")):
        step = event(world, deployment, sample)
        step["run"]["run_id"] = run_id
        answer = deployment.invoked(function, step)
    check(answer["decision"] == decision, f"the verdict is {answer}, not {decision}")
    deployment.tally.runs += 1
    return run_id


def event(world: World, deployment: Deployment, name: str) -> JsonObject:
    return world.events.take(name, deployment.name)


def sent(world: World, deployment: Deployment, function: str, name: str) -> Json:
    """Sends the event of a file to its function, which must not fail."""
    return deployment.invoked(function, event(world, deployment, name))


@contextmanager
def alert_receiver() -> Iterator[tuple[str, list[JsonObject]]]:
    """A receiver of webhooks on this machine: its address, and what it has received."""
    bodies: list[JsonObject] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            check(self.headers["webhook-signature"].startswith("v1,"), f"the webhook is not signed: {self.headers}")
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Prints nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def alerting(address: str) -> dict[str, str]:
    """The environment of a deployment whose runs alert the receiver."""
    channel = {"name": "hook", "kind": "webhook", "address": address, "key": "env:IT_WEBHOOK_SECRET", "default": True}
    return {"SLUICE_ALERT_CHANNELS": json.dumps([channel]), "IT_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


def alerted_once(deployment: Deployment, bodies: list[JsonObject]) -> None:
    """Every open alert of the book was received once, although notify was called for each of the failures."""
    open_keys = sorted(entry["alert"]["key"] for entry in deployment.bucket.json("alerts/retail.json")["alerts"])
    received = sorted(body["data"]["key"] for body in bodies)
    check(len(received) > 0 and received == open_keys, f"the receiver got {received}, and {open_keys} are open")
    check({body["type"] for body in bodies} == {"sluice.alert.firing"}, f"the receiver got {bodies}")


def announcing(mail: Mailbox) -> dict[str, str]:
    return {"SLUICE_TOPIC_ARN": mail.topic, "SLUICE_EVENT_BUS": "default"}


def key_of(deployment: Deployment, uri: str) -> str:
    return uri.removeprefix(f"{deployment.created.lake}/")
