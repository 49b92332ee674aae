"""Least privilege: what the deployed policy documents allow each function to do, and what they do not."""

from __future__ import annotations

from collections.abc import Iterable

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from deployment import Deployment
from faults import ALL_FUNCTIONS
from registry import Case, Tally, check, scenario
from samples import ROWS_OF_A_PART
from world import World

LOG = "silver/sales/elsewhere/_delta_log/00000000000000000000.json"
PART = "silver/sales/elsewhere/part-0.parquet"
QUARANTINED = "quarantine/sales/elsewhere/part-0.parquet"
# What a part of a run has left: rows that are still to be merged, and its document.
TYPED = "parts/retail/some-run/1/sales.elsewhere/part-0.parquet"
READ_PART = "parts/retail/some-run/1/part-1.json"
# What process has read of a run that Spark combines.
READ_RUN = "runs/retail/some-run/read-1.json"
# The documents that each function for clusters writes.
LAUNCH = "runs/retail/some-run/launch-1-1.json"
SCRIPT = "runs/retail/some-run/etl-1.sql"
CLOSED = "runs/retail/some-run/closed-1.json"
VERDICT = "runs/retail/some-run/verdict-1.json"
LANDED = "landing/retail/2026-01-05.csv"
OTHER_ACCOUNT = "999999999999"


@scenario("least privilege")
def cases(world: World) -> Iterable[Case]:
    return [
        Case("who may write a Delta log", delta_logs),
        Case("who may do what else", other_rights),
        Case("bucket owner and strangers", owners),
        Case("no function is refused anything in a run", nothing_is_refused),
    ]


def outcome(client: BaseClient, bucket: str, action: str, key: str, owner: str | None = None) -> str:
    """`done`, or the code of the error."""
    named = {"Bucket": bucket, **({"ExpectedBucketOwner": owner} if owner else {})}
    try:
        match action:
            case "put":
                client.put_object(**named, Key=key, Body=b"{}\n")
            case "get":
                client.get_object(**named, Key=key)["Body"].read()
            case "delete":
                client.delete_object(**named, Key=key)
            case "list":
                client.list_objects_v2(**named, Prefix=key)
            case unknown:
                raise ValueError(f"no action {unknown}")
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        # Responses to HEAD have no body with the error code.
        return "AccessDenied" if code == "403" else code
    return "done"


def expect(world: World, deployment: Deployment, rights: dict[tuple[str, str, str], str]) -> None:
    """Tries each action as each function, and compares the results with what is allowed."""
    clients = {
        function: world.services.s3(world.control.credentials(deployment.name, function))
        for function in {function for function, _, _ in rights}
    }
    found = {
        (function, action, key): outcome(clients[function], deployment.name, action, key)
        for function, action, key in rights
    }
    deployment.tally.faults += sum(code == "AccessDenied" for code in found.values())
    wrong = {asked: found[asked] for asked in rights if found[asked] != rights[asked]}
    check(not wrong, f"other rights than expected: {wrong}")


def delta_logs(world: World, tally: Tally) -> None:
    with world.deployment(tally, "logs") as deployment:
        allowed = {"publish": "done"}
        expect(
            world,
            deployment,
            {
                (function, "put", LOG): allowed.get(function, "AccessDenied")
                for function in ALL_FUNCTIONS
            },
        )


def other_rights(world: World, tally: Tally) -> None:
    with world.deployment(tally, "rights") as deployment:
        deployment.deliver(world.samples.days(1))
        deployment.bucket.put(PART, b"rows")
        deployment.bucket.put(QUARANTINED, b"rows")
        deployment.bucket.put(TYPED, b"rows")
        deployment.bucket.put(LOG, b"{}\n")
        deployment.bucket.put(READ_RUN, b"{}\n")
        refused = "AccessDenied"
        expect(
            world,
            deployment,
            {
                ("process", "put", PART): "done",
                ("process", "get", LANDED): "done",
                ("process", "delete", PART): refused,
                ("process", "delete", LOG): refused,
                ("process", "put", LANDED): refused,
                ("process", "put", TYPED): "done",
                ("process", "get", TYPED): "done",
                ("process", "delete", TYPED): refused,
                ("process", "put", READ_PART): "done",
                ("process", "delete", READ_PART): refused,
                ("process", "put", READ_RUN): "done",
                ("process", "delete", READ_RUN): refused,
                ("validate", "get", LOG): "done",
                # Which full snapshot a table has is read from its rows.
                ("validate", "get", PART): "done",
                ("validate", "get", QUARANTINED): refused,
                ("validate", "put", PART): refused,
                ("validate", "get", TYPED): refused,
                ("quality-check", "get", PART): "done",
                ("quality-check", "put", PART): refused,
                ("quality-check", "delete", PART): refused,
                ("quality-check", "get", LANDED): refused,
                ("quality-check", "get", READ_RUN): "done",
                ("quality-check", "get", TYPED): refused,
                ("quality-check", "put", TYPED): refused,
                ("publish", "delete", PART): refused,
                ("publish", "put", LANDED): refused,
                ("publish", "get", TYPED): refused,
                ("publish", "delete", TYPED): refused,
                ("notify", "get", PART): refused,
                ("notify", "get", LOG): refused,
                # All functions may list: without that right S3 hides whether an object is missing or forbidden.
                ("notify", "list", "silver/"): "done",
                ("notify", "put", PART): refused,
                ("start-emr", "put", LAUNCH): "done",
                ("run-etl", "put", SCRIPT): "done",
                ("terminate", "put", CLOSED): "done",
                ("start-emr", "put", SCRIPT): refused,
                ("run-etl", "put", CLOSED): refused,
                ("terminate", "put", VERDICT): refused,
                ("run-etl", "get", READ_RUN): "done",
                ("run-etl", "put", READ_RUN): refused,
                ("run-etl", "get", LANDED): refused,
                ("run-etl", "get", TYPED): refused,
                ("run-etl", "put", PART): refused,
                ("terminate", "delete", CLOSED): refused,
            },
        )


def owners(world: World, tally: Tally) -> None:
    with world.deployment(tally, "owner") as mine, world.deployment(tally, "other") as other:
        mine.bucket.put(PART, b"rows")
        other.bucket.put(PART, b"rows")
        client = world.services.s3(world.control.credentials(mine.name, "process"))
        account = world.bed.addresses.account
        asked = {
            "the owner is the expected one": (outcome(client, mine.name, "get", PART, account), "done"),
            "another owner is expected": (outcome(client, mine.name, "get", PART, OTHER_ACCOUNT), "AccessDenied"),
            "the bucket of another lake": (outcome(client, other.name, "get", PART), "AccessDenied"),
        }
        tally.faults += 2
        wrong = {what: found for what, (found, wanted) in asked.items() if found != wanted}
        check(not wrong, f"other answers than expected: {wrong}")


def nothing_is_refused(world: World, tally: Tally) -> None:
    """The documents allow what the functions need: published, rejected and skipped runs are refused nothing."""
    with world.deployment(tally, "allowed") as deployment:
        day = world.samples.day(0)
        deployment.deliver([day])
        deployment.execute().expect("Published")
        deployment.deliver([world.samples.poisoned(1)])
        deployment.execute().expect("Rejected")
        # A spoilt file next to a good one: quality-check finds it, and the run is planned again.
        deployment.deliver([world.samples.day(2), world.samples.poisoned(3)])
        deployment.execute().expect("Published")
        deployment.execute().expect("Skipped")
        # Calls that read a part each, and one that merges their rows with the table.
        deployment.read_in_parts()
        parts = [world.samples.day(number, ROWS_OF_A_PART) for number in (4, 5)]
        deployment.deliver(parts)
        deployment.execute().expect("Published")
        # Every verification checks for refusals; this case covers all the ways in which a run without faults can end.
        deployment.verify([day, world.samples.day(2), *parts])
