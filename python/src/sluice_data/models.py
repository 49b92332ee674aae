"""What the API says about data products and runs, as plain values.

All are frozen. Fields that this version does not know are passed over, so that a newer server can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _html
from ._html import BAD, GOOD, NEUTRAL
from ._values import instant, optional_instant

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column as you read it."""

    name: str
    type: str
    classification: str
    treatment: str
    """``clear``, ``hash``, ``partial`` or ``null``: what the policy does with its values for you."""
    description: str | None = None

    @classmethod
    def _of(cls, given: Json) -> Column:
        return cls(
            given["name"],
            given["type"],
            given["classification"],
            given["treatment"],
            given.get("description"),
        )


@dataclass(frozen=True)
class Promise:
    """What the owner of a product promises, and whether it is kept now."""

    property: str
    value: str
    unit: str | None
    observed: str | None
    met: bool | None

    @classmethod
    def _of(cls, given: Json) -> Promise:
        return cls(given["property"], given["value"], given.get("unit"), given.get("observed"), given.get("met"))


@dataclass(frozen=True)
class TableVersion:
    """A version of a table."""

    version: int
    committed_at: datetime | None
    run_id: str | None


@dataclass(frozen=True)
class Port:
    """An output port: one table of a product."""

    name: str
    version: str
    description: str | None
    contract_id: str
    contract_version: str
    columns: tuple[Column, ...]
    row_filter: bool
    """Whether rows are held back from you."""
    promises: tuple[Promise, ...]
    table_version: int | None
    """Newest version of the table; None until its pipeline has published."""
    committed_at: datetime | None
    rows: int | None
    """Rows of the newest version; None where rows are held back from you."""
    versions: tuple[TableVersion, ...]
    ways: tuple[str, ...]
    """How you may read it: ``rows``, ``query``, ``sharing``."""

    @classmethod
    def _of(cls, given: Json) -> Port:
        table: Json = given.get("table") or {}
        versions = (
            TableVersion(item["version"], optional_instant(item.get("committed_at")), item.get("run_id"))
            for item in table.get("versions", ())
        )
        return cls(
            name=given["name"],
            version=given["version"],
            description=given.get("description"),
            contract_id=given["contract"]["id"],
            contract_version=given["contract"]["version"],
            columns=tuple(Column._of(item) for item in given["columns"]),
            row_filter=given["row_filter"],
            promises=tuple(Promise._of(item) for item in given["sla"]),
            table_version=table.get("version"),
            committed_at=optional_instant(table.get("committed_at")),
            rows=table.get("rows"),
            versions=tuple(versions),
            ways=tuple(item["door"] for item in given["how_to_read"]),
        )


@dataclass(frozen=True)
class Support:
    """Where help is."""

    channel: str
    url: str
    description: str | None


@dataclass(frozen=True)
class ProductSummary:
    """A product in a list."""

    domain: str
    name: str
    version: str
    status: str
    purpose: str | None
    tags: tuple[str, ...]
    ports: tuple[str, ...]

    @property
    def address(self) -> str:
        """What :meth:`Client.product` takes, such as ``sales.retail``."""
        return f"{self.domain}.{self.name}"

    @classmethod
    def _of(cls, given: Json) -> ProductSummary:
        return cls(
            given["domain"],
            given["name"],
            given["version"],
            given["status"],
            given.get("purpose"),
            tuple(given["tags"]),
            tuple(given["ports"]),
        )


class Products(list[ProductSummary]):
    """Products in a list, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        rows = [(item.address, item.purpose, ", ".join(item.ports), ", ".join(item.tags), item.status) for item in self]
        return _html.card(
            f"{len(self)} data product{'' if len(self) == 1 else 's'}",
            "",
            _html.table(("product", "purpose", "tables", "tags", "status"), rows),
        )


@dataclass(frozen=True)
class Rule:
    """The outcome of a rule in an audit."""

    rule: str
    description: str
    dimension: str | None
    passed: bool | None
    """Whether it holds; None where rows are held back from you."""
    expected: str
    observed: str | None


@dataclass(frozen=True)
class Audit:
    """The verdict on one published run's rows of a table."""

    run_id: str
    audited_at: datetime
    score: str | None
    rules: tuple[Rule, ...]
    hidden_rules: int

    @property
    def broken(self) -> tuple[Rule, ...]:
        """The rules that do not hold."""
        return tuple(rule for rule in self.rules if rule.passed is False)

    @classmethod
    def _of(cls, given: Json) -> Audit:
        rules = (
            Rule(
                item["rule"],
                item["description"],
                item.get("dimension"),
                item.get("passed"),
                item["expected"],
                item.get("observed"),
            )
            for item in given["rules"]
        )
        return cls(
            given["run_id"],
            instant(given["audited_at"]),
            given.get("score"),
            tuple(rules),
            given["hidden_rules"],
        )

    def _repr_html_(self) -> str:
        ordered = sorted(self.rules, key=lambda rule: (rule.passed is not False, rule.passed is not None))
        rows = [(outcome(rule.passed), rule.rule, rule.description, rule.expected, rule.observed) for rule in ordered]
        score = f"score {self.score}" if self.score is not None else "no score for you: rows are held back"
        hidden = f", {self.hidden_rules} rules about hidden columns left out" if self.hidden_rules else ""
        return _html.card(
            f"{len(self.broken)} of {len(self.rules)} rules broken",
            f"run {self.run_id}, audited {when(self.audited_at)}, {score}{hidden}",
            _html.table(("", "rule", "meaning", "expected", "observed"), rows),
        )


@dataclass(frozen=True)
class Quality:
    """The audits of a table, the newest first."""

    port: str
    audits: tuple[Audit, ...]

    @property
    def newest(self) -> Audit | None:
        """The audit of the newest published run."""
        return self.audits[0] if self.audits else None

    @classmethod
    def _of(cls, given: Json) -> Quality:
        return cls(given["port"], tuple(Audit._of(item) for item in given["audits"]))

    def _repr_html_(self) -> str:
        if self.newest is None:
            return _html.card(f"quality of {self.port}", "not audited yet")
        earlier = [
            (audit.run_id, when(audit.audited_at), audit.score, str(len(audit.broken))) for audit in self.audits[1:]
        ]
        more = _html.folded(
            f"{len(earlier)} earlier audits", _html.table(("run", "audited", "score", "broken"), earlier)
        )
        return _html.join((_html.Html(self.newest._repr_html_()), more if earlier else None))


@dataclass(frozen=True)
class Lineage:
    """Where a product comes from and goes to, as pairs of what is read and what is made."""

    run_id: str | None
    upstream: tuple[tuple[str, str], ...]
    downstream: tuple[tuple[str, str], ...]

    @classmethod
    def _of(cls, given: Json) -> Lineage:
        def steps(items: Iterable[Json]) -> tuple[tuple[str, str], ...]:
            return tuple((item["from"], item["to"]) for item in items)

        return cls(given.get("run_id"), steps(given["upstream"]), steps(given["downstream"]))

    def _repr_html_(self) -> str:
        parts = [
            _html.table(("from", "to"), steps, caption)
            for caption, steps in (("made from", self.upstream), ("used by", self.downstream))
            if steps
        ]
        return _html.card("lineage", f"recorded by run {self.run_id}" if self.run_id else "", *parts)


def when(time: datetime | None) -> str:
    """An instant for people, in UTC."""
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def outcome(passed: bool | None) -> _html.Html:
    """Whether a rule holds, as a word."""
    if passed is None:
        return _html.badge("not shown", NEUTRAL)
    return _html.badge("holds", GOOD) if passed else _html.badge("broken", BAD)
