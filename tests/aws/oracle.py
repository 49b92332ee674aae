"""The expected content of the tables: an undisturbed run of the same files on a folder, by the command, in one process."""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future

import tables
from commands import Commands
from registry import check
from samples import SourceFile
from tables import FolderLake, LakeContent

RUN_ID = "undisturbed"
# Exit code of a run that the gate rejected.
REJECTED = 3
# Key of the spec with which files of 1 MB or more could be divided, but parts are so large that none is.
OFFSETS = "parts: { ranges_from_mb: 1 }"


class Oracle:
    """Computes each expectation once and reuses it."""

    def __init__(self, commands: Commands, pipeline: pathlib.Path, folder: pathlib.Path) -> None:
        self._commands = commands
        self._pipeline = pipeline
        self._folder = folder
        self._known: dict[str, Future[LakeContent]] = {}
        self._lock = threading.Lock()

    def expected(
        self, files: Sequence[SourceFile], is_accepted: bool = False, has_offsets: bool = False
    ) -> LakeContent:
        """The tables after these files, independent of the order and number of runs that read them.

        With `is_accepted` the gate rejects them, and a person accepts them anyway. With `has_offsets` the rows of files of 1 MB or more
        have the bytes at which they begin as their positions, although one call reads each file as a whole.
        """
        key = _digest(files) + ("-accepted" if is_accepted else "") + ("-offsets" if has_offsets else "")
        with self._lock:
            known = self._known.get(key)
            mine = known is None
            promise = known or Future[LakeContent]()
            self._known[key] = promise
        if mine:
            try:
                promise.set_result(self._compute(files, key, is_accepted, has_offsets))
            except BaseException as error:
                promise.set_exception(error)
        return promise.result()

    def _compute(self, files: Sequence[SourceFile], key: str, is_accepted: bool, has_offsets: bool) -> LakeContent:
        if not files:
            return {}
        folder = self._folder / key
        landing, lake = folder / "landing", folder / "lake"
        for file in files:
            target = landing / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.body)
        pipeline = self._pipeline
        if has_offsets:
            pipeline = folder / "pipeline"
            shutil.copytree(self._pipeline, pipeline)
            spec = pipeline / "pipeline.yaml"
            spec.write_text(f"{spec.read_text()}\n{OFFSETS}\n")
        self._run(pipeline, landing, lake, is_accepted)
        found = FolderLake(lake, landing)
        content = tables.content(found)
        # The generator's own count, so that a loss in the undisturbed run is found, too.
        generated = sum(file.rows for file in files)
        in_bronze = content[tables.BRONZE].count()
        check(in_bronze == generated, f"the undisturbed run has {in_bronze} rows in bronze, {generated} were generated")
        check(len(content) == len(tables.KEYS), f"the undisturbed run has the tables {sorted(content)}")
        check(tables.duplicates(found) == 0, "the undisturbed run has duplicates")
        shutil.rmtree(folder)
        return content

    def _run(self, pipeline: pathlib.Path, landing: pathlib.Path, lake: pathlib.Path, is_accepted: bool) -> None:
        place = ["--lake", str(lake), "--json"]
        run = ["run", str(pipeline), "--landing", str(landing), "--run-id", RUN_ID, *place]
        made = self._commands.sluice(run)
        check(made.code == (REJECTED if is_accepted else 0), f"the undisturbed run failed: {made}")
        if is_accepted:
            made = self._commands.sluice(["runs", "accept", RUN_ID, "--by", "ann", "--reason", "confirmed", *place])
            check(made.code == 0, f"the acceptance failed: {made}")


def _digest(files: Sequence[SourceFile]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        digest.update(f"{file.name}\0{hashlib.sha256(file.body).hexdigest()}\n".encode())
    return digest.hexdigest()[:24]
