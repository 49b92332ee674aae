"""Lakes for the browser: one that was really run, and a large one that is made of its documents."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

# What `sluice` prints when a gate rejects.
REJECTED = 3


class Sluice:
    """The command."""

    def __init__(self, program: pathlib.Path) -> None:
        self.program = program

    def __call__(self, *words: str | pathlib.Path, code: int = 0) -> str:
        done = subprocess.run([self.program, *words, "--json"], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != code:
            raise SystemExit(f"sluice {' '.join(map(str, words))} ends with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout


def real(sluice: Sluice, repository: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A lake with two published runs, one without anything new, and a rejected one."""
    pipeline, landing, lake = folder / "retail", folder / "landing", folder / "lake"
    shutil.copytree(repository / "pipelines/retail", pipeline)
    # Objects that arrive later are in the same folder, as in a bucket.
    for start, rows, dirt, code in (("2026-01-05", "400", "0.01", 0), ("2026-01-06", "400", "0.01", 0), ("2026-01-07", "400", "0.35", REJECTED)):
        sluice("sample", landing, "--start", start, "--days", "1", "--rows", rows, "--dirt", dirt, "--seed", "11")
        sluice("run", pipeline, "--lake", lake, "--landing", landing, code=code)
    sluice("run", pipeline, "--lake", lake, "--landing", landing)
    sluice("deploy", pipeline, "--lake", lake)
    return lake


def large(small: pathlib.Path, folder: pathlib.Path, runs: int, products: int, ports: int) -> pathlib.Path:
    """A lake whose listings and documents are as many as those of a company: copies of the documents of the small one."""
    lake = folder / "large"
    shutil.copytree(small / "pipelines", lake / "pipelines")
    found = next(path for path in sorted((small / "runs/retail").iterdir()) if any(path.glob("receipt-*.json")))
    for number in range(runs):
        name = f"run-{number:04}"
        copy = lake / "runs/retail" / name
        copy.mkdir(parents=True)
        for document in found.glob("*.json"):
            (copy / document.name).write_text(document.read_text(encoding="utf-8").replace(found.name, name), encoding="utf-8")
    product = json.loads((small / "products/sales/retail.json").read_text(encoding="utf-8"))
    place = lake / "products/sales"
    place.mkdir(parents=True)
    (place / "retail.json").write_text(json.dumps(product), encoding="utf-8")
    for number in range(products):
        other = json.loads(json.dumps(product))
        other["product"] = f"sales/made{number:03}"
        port = other["ports"][0]
        other["ports"] = [{**port, "name": f"table{index}"} for index in range(ports)]
        for grant in other["policy"]["grants"]:
            for name in ("ports", "columns", "rows"):
                grant.pop(name, None)
        (place / f"made{number:03}.json").write_text(json.dumps(other), encoding="utf-8")
    return lake
