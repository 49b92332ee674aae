"""A table file that is larger than one part of an upload, and a function that dies between two of its parts."""

from __future__ import annotations

import base64
import csv
import io
import random
from collections import Counter
from collections.abc import Iterable

from faults import s3
from registry import Case, Tally, check, scenario
from samples import SourceFile
from tables import BRONZE
from world import World

ROWS = 120_000
# Incompressible bytes in each description. Parts have 8 MiB, and the file exceeds 10 MB.
NOISE_BYTES = 90


@scenario("large files")
def cases(world: World) -> Iterable[Case]:
    return [Case("in parts, killed between two of them", in_parts, is_long=True)]


def in_parts(world: World, tally: Tally) -> None:
    with world.deployment(tally, "large") as deployment:
        file = noisy(world.samples.day(0, rows=ROWS))
        deployment.deliver([file])
        # The first request begins the upload of bronze's file, the second is its first part.
        with deployment.faults([s3("kill_after", "process", "PutObject", f"^{BRONZE}/.*parquet$", skip=1)]):
            deployment.execute().expect("Published")
        sent = Counter(
            one.key for one in deployment.requests() if one.action == "PutObject" and one.key.startswith(f"{BRONZE}/_ing")
        )
        # A complete upload has a begin, at least two parts and a completion. The killed one has only the begin and its parts.
        check(len(sent) == 2 and max(sent.values()) >= 4, f"the files of bronze were not sent as expected: {sent}")
        deployment.execute().expect("Skipped")
        deployment.verify([file])


def noisy(file: SourceFile) -> SourceFile:
    """The file with descriptions that do not compress, the same in every run."""
    chance = random.Random(7)
    header, *rows = csv.reader(io.StringIO(file.body.decode()))
    description = header.index("Description")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        # Records that cannot be split stay that way.
        if len(row) == len(header):
            row[description] = base64.b64encode(chance.randbytes(NOISE_BYTES)).decode()
        writer.writerow(row)
    return SourceFile(file.name, text.getvalue().encode())
