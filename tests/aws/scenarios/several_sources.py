"""A pipeline of several sources: one run takes in what is new of each, and its tables are those of the command."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

from faults import Fault, s3
from registry import Case, Tally, check, scenario
from samples import SourceFile
from small_pipelines import COLUMNS_OF_ORDERS, SmallPipeline
from world import World

SPEC = """\
pipeline: retail
domain: sales
sources:
  orders: { prefix: landing/retail/orders, format: csv, bronze: orders }
  names: { prefix: landing/retail/names, format: ndjson, bronze: names }
silver:
  - table: orders
    source: orders
    contract: contracts/orders.yaml
    columns: { id: id, name: name, amount: amount, day: day }
    mode: merge
    keys: [id]
    latest_by: day
    gate: { quarantined_percent_below: none }
  - table: names
    source: names
    contract: contracts/names.yaml
    columns: { name: name, title: title }
    mode: replace
gold:
  - table: totals
    contract: contracts/totals.yaml
    sql: >
      SELECT n.title AS name, SUM(o.amount) AS amount, COUNT(*) AS orders
      FROM silver.orders AS o JOIN silver.names AS n ON o.name = n.name GROUP BY n.title
"""
NAMES = ("name: name, logicalType: string, required: true", "name: title, logicalType: string")
PIPELINE = SmallPipeline(SPEC, {**COLUMNS_OF_ORDERS, "names": NAMES})
# More than 1 MB of text: where parts have 1 MB, such a file is a part of its own.
ROWS_OF_A_PART = 40_000


@scenario("several sources")
def cases(world: World) -> Iterable[Case]:
    bronze = r"^bronze/sales/(orders|names)/_delta_log/\d+\.json$"
    deaths = [
        Case(f"publish dies after commit {number} of bronze", partial(one_death, s3("kill_after", "publish", "PutObject", bronze, skip=skip)))
        for number, skip in (("1", 0), ("2", 1))
    ]
    return [Case("in one part and in several", in_parts), *deaths, Case("a bad file of one source", bad_file)]


def orders(number: int, rows: int = 150) -> SourceFile:
    lines = ["id,name,amount,day"]
    for row in range(rows):
        place = row * 7 + number * 100
        lines.append(f"{place % 900},n{place % 20},{place % 50}.25,2026-02-{1 + place % 28:02}")
    return SourceFile(f"orders/{number}.csv", ("\n".join(lines) + "\n").encode())


def names(number: int) -> SourceFile:
    lines = [json.dumps({"name": f"n{name}", "title": f"title {name % (3 + number)}"}) for name in range(20)]
    return SourceFile(f"names/{number}.json", ("\n".join(lines) + "\n").encode())


def in_parts(world: World, tally: Tally) -> None:
    with world.deployment(tally, "sources") as deployment:
        PIPELINE.deploy(deployment)
        deliveries = [[orders(0), names(0)], [orders(1)], [names(1)], [orders(2, ROWS_OF_A_PART), orders(3, ROWS_OF_A_PART), names(2)]]
        for files in deliveries[:-1]:
            deployment.deliver(files)
            deployment.execute().expect("Published")
        deployment.read_in_parts()
        deployment.deliver(deliveries[-1])
        ended = deployment.execute().expect("Published")
        parts = [visit.state_input["plan"]["parts"]["numbers"] for visit in ended.trace.visits if visit.state == "Read"]
        check([len(numbers) >= 3 for numbers in parts] == [True], f"the parts are {parts}")
        deployment.execute().expect("Skipped")
        PIPELINE.judge(world, deployment, deliveries)


def one_death(fault: Fault, world: World, tally: Tally) -> None:
    """Publish dies between the commits of the sources, and goes on where it was."""
    with world.deployment(tally, "sources") as deployment:
        PIPELINE.judge_after(fault, world, deployment, [orders(0), names(0)], [orders(1), names(1)])


def bad_file(world: World, tally: Tally) -> None:
    """It is held, and the other source goes on."""
    with world.deployment(tally, "sources") as deployment:
        PIPELINE.deploy(deployment)
        deployment.deliver([orders(0), names(0)])
        deployment.execute().expect("Published")
        deployment.deliver([orders(1).torn(), names(1)])
        deployment.execute().expect("Published")
        held = deployment.bucket.list("holds/retail/")
        tally.faults += 1
        check(len(held) == 1, f"{len(held)} objects are held")
        deployment.execute().expect("Skipped")
        PIPELINE.judge(world, deployment, [[orders(0), names(0)], [names(1)]])
