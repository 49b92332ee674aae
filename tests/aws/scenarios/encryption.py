"""Everything that is written is encrypted with the KMS key of the deployment."""

from __future__ import annotations

from collections.abc import Iterable

from control import S3Request
from deployment import Deployment
from faults import FUNCTIONS
from registry import Case, Tally, check, scenario
from world import World


@scenario("encryption")
def cases(world: World) -> Iterable[Case]:
    return [
        Case("every write names the key", every_write),
        Case("writes of parts name the key", writes_of_parts),
        Case("no key, no header", no_key),
    ]


def key_of_lake(world: World) -> str:
    return f"arn:aws:kms:{world.bed.addresses.region}:{world.bed.addresses.account}:key/lake"


def begun_by_functions(deployment: Deployment) -> list[S3Request]:
    """The request that begins each object says how it is encrypted; parts of an upload inherit that."""
    begun: dict[str, S3Request] = {}
    for one in deployment.requests():
        if one.action == "PutObject" and one.role in FUNCTIONS:
            begun.setdefault(one.key, one)
    return list(begun.values())


def check_key(writes: list[S3Request], key: str) -> None:
    bare = [one for one in writes if (one.sse, one.sse_key) != ("aws:kms", key)]
    check(not bare, f"{len(bare)} of {len(writes)} writes do not name the key: {bare[:5]}")


def every_write(world: World, tally: Tally) -> None:
    key = key_of_lake(world)
    with world.deployment(tally, "kms", environment={"SLUICE_KMS_KEY": key}) as deployment:
        days = world.samples.days(2)
        for day in days:
            deployment.deliver([day])
            deployment.execute().expect("Published")
        writes = begun_by_functions(deployment)
        check({one.role for one in writes} == set(FUNCTIONS), f"not every function wrote: {len(writes)} writes")
        check_key(writes, key)
        deployment.verify(days)


def writes_of_parts(world: World, tally: Tally) -> None:
    key = key_of_lake(world)
    with world.deployment(tally, "kms", environment={"SLUICE_KMS_KEY": key}) as deployment:
        days = world.samples.large_days(2)
        deployment.read_in_parts()
        deployment.deliver(days)
        deployment.execute().expect("Published")
        writes = begun_by_functions(deployment)
        check(any(one.key.endswith(".parquet") and one.key.startswith("parts/") for one in writes), "no typed row was written")
        check_key(writes, key)
        deployment.verify(days)


def no_key(world: World, tally: Tally) -> None:
    """Without a key the bucket's own encryption applies, and a header would override it."""
    with world.deployment(tally, "plain") as deployment:
        days = world.samples.days(1)
        deployment.deliver(days)
        deployment.execute().expect("Published")
        named = [one for one in deployment.requests() if one.role in FUNCTIONS and one.sse is not None]
        check(not named, f"writes name an encryption that was not configured: {named[:5]}")
        deployment.verify(days)
