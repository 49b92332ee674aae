"""Small pipelines of one silver table and perhaps a gold table, and what the command makes of the same files in one process."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import audit
import tables
from deployment import Deployment
from faults import Fault
from registry import check
from samples import SourceFile
from tables import FolderLake
from world import World


# Orders with a gold table, of which scenarios write how silver takes them in.
ORDERS = """\
pipeline: retail
domain: sales
source: { prefix: landing/retail, format: csv }
bronze: { table: orders }
silver:
  - table: orders
    contract: contracts/orders.yaml
    SILVER
gold:
  - table: totals
    contract: contracts/totals.yaml
    sql: SELECT name, SUM(amount) AS amount, COUNT(*) AS orders FROM silver.orders GROUP BY name
"""
COLUMNS_OF_ORDERS = {
    "orders": (
        "name: id, logicalType: integer, physicalType: BIGINT, required: true",
        "name: name, logicalType: string",
        "name: amount, logicalType: number, physicalType: 'DECIMAL(10,2)', required: true",
        "name: day, logicalType: date, required: true",
    ),
    "totals": (
        "name: name, logicalType: string",
        "name: amount, logicalType: number, physicalType: 'DECIMAL(18,2)'",
        "name: orders, logicalType: integer, physicalType: BIGINT",
    ),
}


@dataclass(frozen=True)
class SmallPipeline:
    """A pipeline that stands where the retail pipeline does: its spec, and the columns of each table's contract."""

    spec: str
    columns: Mapping[str, Sequence[str]]

    def files(self) -> dict[str, str]:
        """Its texts, by the names of its files."""
        found = {"pipeline.yaml": self.spec}
        for table, columns in self.columns.items():
            properties = "".join(f"      - {{ {column} }}\n" for column in columns)
            found[f"contracts/{table}.yaml"] = (
                f"apiVersion: v3.2.0\nkind: DataContract\nid: {table}\nname: {table}\nversion: 1.0.0\nstatus: active\n"
                f"schema:\n  - name: {table}\n    physicalType: table\n    properties:\n{properties}"
            )
        return found

    def deploy(self, deployment: Deployment) -> None:
        for name, text in self.files().items():
            deployment.bucket.put(f"pipelines/retail/{name}", text.encode())

    def judge_after(
        self, fault: Fault, world: World, deployment: Deployment, first: Sequence[SourceFile], second: Sequence[SourceFile]
    ) -> None:
        """Publishes two deliveries, a fault in the second run, which goes on without help, and judges the tables."""
        self.deploy(deployment)
        deployment.deliver(first)
        deployment.execute().expect("Published")
        deployment.deliver(second)
        with deployment.faults([fault]):
            deployment.execute().expect("Published")
        deployment.settle()
        self.judge(world, deployment, [first, second])

    def judge(self, world: World, deployment: Deployment, deliveries: Sequence[Sequence[SourceFile]]) -> None:
        """Compares the tables with those that the command makes of the same deliveries, a run each, in one process and one part."""
        expected = tables.content(self._whole(world, world.folder / f"{deployment.name}-whole", deliveries))
        found, tally = tables.content(deployment.lake), deployment.tally
        tally.rows_expected += tables.row_count(expected)
        tally.rows_found += tables.row_count(found)
        apart = tables.differences(expected, found)
        check(not apart, "the tables are not those of the command: " + "; ".join(apart))
        orphans = audit.unaudited(deployment.lake)
        tally.orphans += sum(rows for _, rows in orphans)
        check(not orphans, f"published without a verdict: {orphans[:5]}")
        repeated = audit.repeated_sources(deployment.lake)
        check(not repeated, f"committed more than once: {repeated[:5]}")

    def _whole(self, world: World, folder: pathlib.Path, deliveries: Sequence[Sequence[SourceFile]]) -> FolderLake:
        pipeline, landing, lake = folder / "pipeline", folder / "landing", folder / "lake"
        _write({pipeline / name: text.encode() for name, text in self.files().items()})
        for number, files in enumerate(deliveries):
            _write({landing / file.name: file.body for file in files})
            run = ["run", str(pipeline), "--landing", str(landing), "--lake", str(lake), "--run-id", f"whole-{number}", "--json"]
            made = world.commands.sluice(run)
            check(made.code == 0, f"the run of the command failed: {made}")
        return FolderLake(lake, landing)


def orders(silver: str) -> SmallPipeline:
    """The pipeline of orders whose silver table has these keys, from the second on with the four spaces before them."""
    return SmallPipeline(ORDERS.replace("SILVER", silver), COLUMNS_OF_ORDERS)


def _write(files: Mapping[pathlib.Path, bytes]) -> None:
    for path, body in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
