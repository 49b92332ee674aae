"""Representations in notebooks."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from conftest import Lake

import sluice_data
from sluice_data import Products, _html

TAGS = {
    "a", "b", "caption", "details", "div", "em", "li", "span", "summary", "table", "tbody", "td", "th", "thead",
    "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"style", "scope", "href", "rel", "target"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;"


class Page(HTMLParser):
    """Reads markup; fails on what no representation may have."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name)
            assert value is not None
            assert name != "style" or ("url(" not in value and "expression" not in value)
            if name == "href":
                self.links.append(value)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(markup: str) -> Page:
    page = Page()
    page.feed(markup)
    page.close()
    assert page.open == [], "every element is closed"
    return page


def everything(owner: sluice_data.Client) -> dict[str, Any]:
    product = owner.product("sales.retail")
    table = product["transactions"]
    quality = table.quality()
    return {
        "products": owner.products(),
        "product": product,
        "table": table,
        "quality": quality,
        "audit": quality.newest,
        "lineage": product.lineage(),
        "answer": owner.sql("SELECT country, customer_id FROM sales.retail.transactions"),
        "diff": table.diff(0),
    }


def test_representations_are_plain_markup_and_show_no_value_that_was_not_asked_for(
    owner: sluice_data.Client, lake: Lake
) -> None:
    values = {row["invoice_no"] for row in owner.table("sales.retail.transactions").rows()}
    values |= {"United Kingdom", "Germany"}
    for name, item in everything(owner).items():
        page = read(item._repr_html_())
        assert page.texts, name
        shown = " ".join(page.texts)
        assert not any(value in shown for value in values), name
    preview = owner.table("sales.retail.transactions").preview(3)
    shown = " ".join(read(preview._repr_html_()).texts)
    assert sum(row["invoice_no"] in shown for row in preview.rows) == 3
    diff = owner.table("sales.retail.transactions").diff(0, preview=1)
    assert str(diff.examples["added"][0]["invoice_no"]) in diff._repr_html_()


def hostile(value: Any) -> Any:
    """The value with every text in it replaced by markup that must not act."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(hostile(item) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        names = [name for name in value.__dataclass_fields__ if not name.startswith("_") and name != "content"]
        return replace(value, **{name: hostile(getattr(value, name)) for name in names})
    if isinstance(value, dict):
        return {f"{HOSTILE}{number}": hostile(item) for number, item in enumerate(value.values())}
    return type(value)(hostile(item) for item in value) if isinstance(value, list) else value


def test_texts_of_others_are_never_markup(owner: sluice_data.Client) -> None:
    items = everything(owner) | {"preview": owner.table("sales.retail.transactions").preview(2)}
    for name in ("products", "product", "table", "quality", "audit", "lineage", "diff", "preview"):
        markup = hostile(items[name])._repr_html_()
        page = read(markup)
        assert "alert(1)" in "".join(page.texts), name
        assert page.links == [], "an address that is no web address is no link"


def test_a_run_is_shown_with_its_verdict_and_error() -> None:
    report = sluice_data.RunReport._of(
        {
            "run_id": HOSTILE, "pipeline": HOSTILE, "state": "failed", "started_at": "2026-01-05T00:00:00Z",
            "ended_at": "2026-01-05T00:00:03.5Z", "redrives": 0, "requested_by": HOSTILE, "states": [],
            "rows": {HOSTILE: {"source": 1000, "staged": 2, "quarantined": 3, "collapsed": 0, "deleted": 0}},
            "committed": [{"table": HOSTILE, "version": 7, "rows": 2}],
            "verdict": {"decision": "rejected", "rules": 3, "broken_rules": [HOSTILE]},
            "error": {"name": "NotFound", "message": HOSTILE, "next_step": HOSTILE},
        }
    )  # fmt: skip
    page = read(report._repr_html_())
    shown = " ".join(page.texts)
    for part in ("failed", "rejected", "NotFound", "1,000", "7", "3.5 s", "next step"):
        assert part in shown
    assert report.verdict is not None
    read(report.verdict._repr_html_())


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://chat.example.com/x", True),
        ("mailto:a@example.com", True),
        ("javascript:alert(1)", False),
        (" https://x", False),
        ("data:text/html,x", False),
        ('https://x" onclick="y', True),
    ],
)
def test_only_addresses_of_the_web_and_of_mail_are_links(address: str, is_link: bool) -> None:
    page = read(_html.link("text", address))
    assert page.links == ([address] if is_link else [])


def test_an_empty_list_is_shown() -> None:
    assert "0 data products" in " ".join(read(Products()._repr_html_()).texts)
