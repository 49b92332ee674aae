"""The package as it is installed: what is in it, what it needs, and which version it has."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, Lake

import sluice_data

EXTRAS = {"arrow", "aws", "duckdb", "pandas", "polars"}


def test_the_installed_wheel_is_tested_and_not_the_source() -> None:
    place = Path(sluice_data.__file__).resolve()
    assert REPOSITORY not in place.parents, "run python/tests/run.py, which builds and installs the wheel"
    assert (place.parent / "py.typed").is_file()


def test_the_version_is_that_of_the_workspace() -> None:
    manifest = (REPOSITORY / "Cargo.toml").read_text()
    workspace = re.search(r'\[workspace\.package\][^\[]*?^version = "([^"]+)"', manifest, re.DOTALL | re.MULTILINE)
    assert workspace is not None
    assert sluice_data.__version__ == importlib.metadata.version("sluice-data") == workspace.group(1)


def test_nothing_is_needed_but_the_standard_library() -> None:
    requires = importlib.metadata.requires("sluice-data") or []
    assert requires
    assert all("extra ==" in line for line in requires), requires
    assert set(importlib.metadata.metadata("sluice-data").get_all("Provides-Extra") or []) == EXTRAS
    names = {str(file) for file in importlib.metadata.files("sluice-data") or []}
    assert all(name.startswith(("sluice_data/", "sluice_data-")) for name in names), names


ALONE = """
import json, sys
import sluice_data
client = sluice_data.connect()
table = client.table("sales.retail.daily_revenue")
rows = list(table.rows(limit=2))
said = []
for ask in (table.to_arrow, table.to_pandas, table.to_polars, table.to_duckdb, lambda: next(table.batches())):
    try:
        ask()
    except sluice_data.MissingExtraError as error:
        said.append(str(error))
try:
    sluice_data.connect("https://a.execute-api.eu-central-1.amazonaws.com", token="")
except sluice_data.MissingExtraError as error:
    said.append(str(error))
print(json.dumps([len(rows), said, sorted(set(sys.modules) & {"pandas", "polars", "pyarrow", "duckdb", "botocore"})]))
"""


def test_without_other_libraries_rows_are_read_and_extras_are_named(lake: Lake, tmp_path: Path) -> None:
    # `-S -I` leaves out every installed package; the wheel's own folder is given.
    place = Path(sluice_data.__file__).resolve().parents[1]
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "sluice_data").symlink_to(place / "sluice_data")
    script = f"import sys; sys.path.insert(0, {str(alone)!r})\n{ALONE}"
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SLUICE_TOKEN")}
    environment |= {"SLUICE_ENDPOINT": lake.endpoint, "SLUICE_TOKEN": lake.token("owner")}
    script = script.replace('token="")', 'token=None) if __import__("os").environ.pop("SLUICE_TOKEN") else 0')
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    rows, said, imported = json.loads(done.stdout)
    assert rows == 2
    assert imported == []
    extras = ["arrow", "pandas", "polars", "duckdb", "arrow", "aws"]
    assert [re.findall(r"sluice-data\[(\w+)\]", text) for text in said] == [[extra] for extra in extras]


@pytest.mark.parametrize("name", sluice_data.__all__)
def test_every_public_name_exists_and_is_described(name: str) -> None:
    item = getattr(sluice_data, name)
    assert name == "__version__" or item.__doc__, name
