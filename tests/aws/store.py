"""A bucket of the bed, as its operator sees it."""

from __future__ import annotations

import json

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from json_values import Json


class Bucket:
    """Objects by key."""

    def __init__(self, client: BaseClient, name: str) -> None:
        self._client = client
        self.name = name

    def put(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def json(self, key: str) -> Json:
        return json.loads(self.get(key))

    def find_json(self, key: str) -> Json | None:
        """A document, or `None` if it does not exist."""
        try:
            return self.json(key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise

    def list(self, prefix: str = "") -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
