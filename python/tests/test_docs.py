"""Examples of the page and of docstrings are run; the types of JSON are decoded."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from conftest import REPOSITORY, Lake

import sluice_data
from sluice_data._values import decoder, instant

MODULES = ["sluice_data", *(f"sluice_data.{item.name}" for item in pkgutil.iter_modules(sluice_data.__path__))]


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_docstrings_are_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS).failed == 0


def test_examples_of_docstrings_were_found() -> None:
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 6


def blocks() -> list[tuple[int, str]]:
    page = (REPOSITORY / "docs/python.md").read_text()
    return [
        (page.count("\n", 0, found.start()) + 2, found.group(1))
        for found in re.finditer(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    ]


def test_examples_of_the_page_are_run_from_top_to_bottom(
    own_lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = own_lake.pipeline / "product.policy.yaml"
    policy.write_text(policy.read_text().replace("'recipient:owner'", "'recipient:owner', 'recipient:ops'"))
    own_lake.sluice("deploy", own_lake.pipeline, "--lake", own_lake.root)
    monkeypatch.setenv("SLUICE_ENDPOINT", own_lake.endpoint)
    monkeypatch.setenv("SLUICE_TOKEN", own_lake.token("ops"))
    monkeypatch.chdir(own_lake.folder)
    own_lake.profile("ops").rename(own_lake.folder / "bi.share")
    first = own_lake.client("ops").runs.start("retail")
    first.wait(60)
    own_lake.sample("2026-01-06", 1, 300, "lake/landing/retail")
    names: dict[str, Any] = {}
    found = blocks()
    assert len(found) >= 8
    for line, text in found:
        # Line numbers of the page in tracebacks.
        exec(compile("\n" * (line - 1) + text, "docs/python.md", "exec"), names)  # noqa: S102 (our own page)
    assert "published" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("type_name", "given", "expected"),
    [
        ("STRING", "1.50", "1.50"),
        ("INT", 7, 7),
        ("BIGINT", 9_007_199_254_740_993, 9_007_199_254_740_993),
        ("DOUBLE", 1, 1.0),
        ("BOOLEAN", False, False),
        ("DATE", "2026-01-05", date(2026, 1, 5)),
        ("DECIMAL(38,10)", "1234567890123456789012345678.0000000001",
         Decimal("1234567890123456789012345678.0000000001")),
        ("DECIMAL(12,3)", None, None),
        ("ARRAY<DECIMAL(9,2)>", ["1.50", None], [Decimal("1.50"), None]),
        ("STRUCT<a: DATE, b: ARRAY<STRUCT<c: DECIMAL(9,2), d: STRING>>>",
         {"a": "2026-01-05", "b": [{"c": "1.00", "d": "x"}, None]},
         {"a": date(2026, 1, 5), "b": [{"c": Decimal("1.00"), "d": "x"}, None]}),
        ("A_TYPE_OF_TOMORROW", "x", "x"),
    ],
)  # fmt: skip
def test_values_of_json_are_decoded_by_their_type(type_name: str, given: Any, expected: Any) -> None:
    found = decoder(type_name)(given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T08:00:00Z", "2026-01-05T08:00:00+00:00"),
        ("2026-01-05T08:00:00.1Z", "2026-01-05T08:00:00.100000+00:00"),
        ("2026-01-05T08:00:00+02:00", "2026-01-05T06:00:00+00:00"),
        ("2026-01-05T08:00:00-0330", "2026-01-05T11:30:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_instants_are_in_utc(text: str, expected: str) -> None:
    assert instant(text).isoformat() == expected
    with pytest.raises(ValueError, match="is not an instant"):
        instant(text + "x")
