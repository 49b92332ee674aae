"""The sample events of the repository, with the addresses of a deployment instead of the examples."""

from __future__ import annotations

import json
import pathlib
import threading

from json_values import JsonObject

# The lake of the samples, as an address and as the parts in an S3 event.
SAMPLE_LAKE = "s3://example-lake/prod/"
SAMPLE_BUCKET = "example-lake"
SAMPLE_PREFIX = "prod/"


class SampleEvents:
    """Reads events and remembers which ones were used."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def take(self, name: str, bucket: str) -> JsonObject:
        """The event of a file, for the lake that is the whole bucket `bucket`."""
        with self._lock:
            self._used.add(name)
        text = (self._folder / name).read_text()
        text = text.replace(SAMPLE_LAKE, f"s3://{bucket}/").replace(SAMPLE_BUCKET, bucket)
        event: JsonObject = json.loads(text.replace(f'"{SAMPLE_PREFIX}landing/', '"landing/'))
        return event

    def local_request(self, name: str, folders: dict[str, pathlib.Path]) -> JsonObject:
        """An event whose request names local folders, replaced by these."""
        event = self.take(name, SAMPLE_BUCKET)
        for part, folder in folders.items():
            if part not in event["request"]:
                raise KeyError(f"{name} has no {part}")
            event["request"][part] = folder.resolve().as_uri()
        return event

    def unused(self) -> list[str]:
        """Event files that no scenario has used."""
        # Here, clients make API Gateway's requests; the functions' own tests use the samples.
        of_gateway = {path.name for pattern in ("submit-*.json", "data-product-*.json", "authorize.json") for path in self._folder.glob(pattern)}
        return sorted({path.name for path in self._folder.glob("*.json")} - of_gateway - self._used)
