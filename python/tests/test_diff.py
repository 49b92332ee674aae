"""Differences between versions."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

import sluice_data
from sluice_data import SluiceError, Table

KEY = ["invoice_no", "stock_code", "quantity", "unit_price"]


@pytest.fixture(scope="module")
def revenue(owner: sluice_data.Client) -> Table:
    return owner.table("sales.retail.daily_revenue")


def rows(table: Table, version: int) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.rows(version=version)]


@pytest.mark.parametrize("key", [(), KEY])
def test_rows_of_a_second_day_are_added(key: tuple[str, ...], owner: sluice_data.Client) -> None:
    table = owner.table("sales.retail.transactions")
    old, new = Counter(rows(table, 0)), Counter(rows(table, 1))
    found = table.diff(0, key=key, preview=2)
    assert (found.old, found.new) == (0, 1)
    if not key:
        assert (found.added, found.removed) == ((new - old).total(), (old - new).total())
    assert found.added - found.removed == new.total() - old.total() > 0
    assert found.unchanged + found.changed + found.added == new.total()
    assert len(found.examples["added"]) == 2
    same = table.diff(1, 1, key=key)
    assert same.is_empty
    assert same.unchanged == new.total()
    back = table.diff(1, 0, key=key)
    assert (back.added, back.removed) == (found.removed, found.added)


def test_a_diff_by_key_agrees_with_one_of_whole_rows(revenue: Table) -> None:
    found = revenue.diff(0, 1, key=["invoice_date", "country"])
    whole = revenue.diff(0, 1)
    assert whole.added == found.added + found.changed
    assert whole.removed == found.removed + found.changed


def test_a_diff_that_cannot_be_made_says_why(revenue: Table) -> None:
    with pytest.raises(SluiceError, match="name more columns as `key`"):
        revenue.diff(0, key=["invoice_date"])
    with pytest.raises(SluiceError, match="has no column nope for you"):
        revenue.diff(0, key=["nope"])
    with pytest.raises(SluiceError, match="more than 3 rows to compare"):
        revenue.diff(0, most_rows=3)
    with pytest.raises(ValueError, match="must be among columns"):
        revenue.diff(0, key=["country"], columns=["invoice_date"])
    with pytest.raises(ValueError, match="preview is -1"):
        revenue.diff(0, preview=-1)


class _Answers:
    """A transport whose tables have these rows, by version."""

    def __init__(self, versions: dict[int, list[dict[str, Any]]]) -> None:
        self._versions = versions

    def get(self, _path: str, query: dict[str, Any]) -> Any:
        body = json.dumps({"version": query["version"], "rows": self._versions[query["version"]]}).encode()
        return SimpleNamespace(body=body, headers={})


def table_of(*versions: list[dict[str, Any]]) -> Table:
    port = SimpleNamespace(name="t", columns=())
    return Table("d.p.t", port, "/x", _Answers(dict(enumerate(versions))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ([], [], ["k"], (0, 0, 0, 0, {})),
        ([{"k": 1, "v": "a"}], [{"k": 1, "v": "b"}], ["k"], (0, 0, 1, 0, {"v": 1})),
        ([{"k": 1, "v": "a"}], [{"k": 1, "v": "b"}], [], (1, 1, 0, 0, {})),
        ([{"k": 1, "v": None}], [{"k": 1, "v": "null"}], ["k"], (0, 0, 1, 0, {"v": 1})),
        ([{"k": 1}], [{"k": "1"}], ["k"], (1, 1, 0, 0, {})),
        ([{"k": 1}, {"k": 1}], [{"k": 1}], [], (0, 1, 0, 1, {})),
        ([{"k": 1}], [{"k": 1}, {"k": 1}, {"k": 2}], [], (2, 0, 0, 1, {})),
        ([{"k": 1, "v": 1}], [{"k": 1, "w": 1}], ["k"], (0, 0, 0, 1, {})),
        ([{"k": 1, "v": 1}], [{"k": 1, "w": 1}], [], (0, 0, 0, 1, {})),
        ([], [{"k": 1}], [], (1, 0, 0, 0, {})),
        ([{"k": 1}], [], ["k"], (0, 1, 0, 0, {})),
    ],
)
def test_rows_are_counted_once(
    old: list[dict[str, Any]], new: list[dict[str, Any]], key: list[str], expected: tuple[Any, ...]
) -> None:
    found = table_of(old, new).diff(0, 1, key=key, preview=5)
    assert (found.added, found.removed, found.changed, found.unchanged, found.changes_by_column) == expected
    assert len(found.examples["added"]) == found.added
    assert len(found.examples["removed"]) == found.removed
    if new and "w" in new[0]:
        assert (found.columns_added, found.columns_removed) == (("w",), ("v",))
        assert not found.is_empty
