"""Checks that every right for S3 in `iam/` is needed: a right that no request of any scenario needed could be removed unnoticed.

The bed refuses what the documents do not allow, so every request that succeeded was allowed by a statement. A statement is needed when
it alone of the function's statements allowed some request: without it, the scenario of that request would fail. Rights for other services
are not checked here, because the bed does not enforce them.
"""

from __future__ import annotations

import fnmatch
import json
import pathlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from control import S3Request

FORBIDDEN = 403
MISSING = 404
# Rights that are needed in situations that no scenario covers; each with the reason.
UNSEEN = {
    ("process", "s3:AbortMultipartUpload", "bronze/*"): "an upload of more than 5 MB that is aborted",
    ("process", "s3:AbortMultipartUpload", "runs/*"): "the same",
    ("process", "s3:AbortMultipartUpload", "silver/*"): "the same",
    ("process", "s3:AbortMultipartUpload", "gold/*"): "the same",
    ("process", "s3:AbortMultipartUpload", "quarantine/*"): "the same",
    ("process", "s3:AbortMultipartUpload", "parts/*"): "the same",
    ("process", "s3:AbortMultipartUpload", "deletes/*"): "the same",
    ("notify", "s3:PutObject", "runs/*/*/lineage-*.json"): "events of OpenLineage, which the bed does not turn on",
    ("quality-check", "s3:GetObject", "bronze/*"): "rows of each object, where a run has too many quarantined ones",
    ("quality-check", "s3:GetObject", "quarantine/*"): "the same",
}


@dataclass(frozen=True)
class Right:
    """One action of a statement, on one of its resources."""

    function: str
    statement: str
    action: str
    resource: str

    def allows(self, request: S3Request, bucket: str) -> bool:
        if f"s3:{request.action}" != self.action:
            return False
        if request.action == "DeleteObject" and not request.key:
            # A request for several objects: the keys are in the body, and every one was allowed.
            return True
        asked = f"arn:aws:s3:::{bucket}" if request.action == "ListBucket" else f"arn:aws:s3:::{bucket}/{request.key}"
        filled = self.resource.replace("${LakeBucket}", bucket).replace("${LakePrefix}", "")
        return fnmatch.fnmatchcase(asked, filled.replace("[", "[[]"))

    @property
    def folder(self) -> str:
        """The resource below the lake."""
        return self.resource.rpartition("${LakePrefix}")[2]

    def __str__(self) -> str:
        return f"iam/{self.function}.json, {self.statement}: {self.action} on {self.resource}"


class Rights:
    """The rights of all functions, and which of them requests have needed. Safe to use from several threads."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._rights = [right for path in sorted(folder.glob("*.json")) for right in rights_of(path)]
        self._needed: set[Right] = set()
        self._lock = threading.Lock()

    def note(self, bucket: str, requests: Iterable[S3Request]) -> None:
        """Records the requests of the functions of a deployment."""
        answered = [one for one in requests if one.status not in (None, FORBIDDEN)]
        seen = {(one.role, one.action, one.key, one.status): one for one in answered}
        # A caller without the right to list gets 403 instead of 404 for a missing object.
        missing = {one.role: replace(one, action="ListBucket", key="") for one in seen.values() if one.status == MISSING}
        needed = set()
        for request in [*seen.values(), *missing.values()]:
            allowing = [right for right in self._rights if right.function == request.role and right.allows(request, bucket)]
            if len({right.statement for right in allowing}) == 1:
                needed.update(allowing)
        with self._lock:
            self._needed |= needed

    def needless(self) -> list[str]:
        """The rights that no request has needed."""
        return [
            str(right) for right in self._rights
            if right not in self._needed and (right.function, right.action, right.folder) not in UNSEEN
        ]


def rights_of(path: pathlib.Path) -> Iterator[Right]:
    # The scenario of least privilege proves what is denied.
    allowed = [one for one in json.loads(path.read_text())["Statement"] if one["Effect"] == "Allow"]
    for statement in allowed:
        for action in statement["Action"]:
            if action.startswith("s3:"):
                for resource in statement["Resource"]:
                    yield Right(path.stem, statement["Sid"], action, resource)
