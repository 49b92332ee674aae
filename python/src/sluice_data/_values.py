"""Values of JSON answers as exact Python values, by the type that the schema names."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

Decode = Callable[[Any], Any]

_INSTANT = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$")

LINEAGE_TYPES = {
    "_ingested_at": "TIMESTAMP",
    "_source_file": "STRING",
    "_source_etag": "STRING",
    "_source_modified_at": "TIMESTAMP",
    "_source_row": "BIGINT",
    "_run_id": "STRING",
}
"""Lineage columns, which no schema lists and which are given when they are asked for by name."""


def instant(text: str) -> datetime:
    """An instant in UTC; digits beyond microseconds are cut off.

    >>> instant("2026-01-05T08:00:00.123456789Z")
    datetime.datetime(2026, 1, 5, 8, 0, 0, 123456, tzinfo=datetime.timezone.utc)
    """
    found = _INSTANT.match(text)
    if found is None:
        raise ValueError(f"`{text}` is not an instant")
    day, time, fraction, zone = found.groups()
    value = datetime.fromisoformat(f"{day}T{time}").replace(
        microsecond=int(((fraction or "") + "000000")[:6]), tzinfo=timezone.utc
    )
    if zone in (None, "Z"):
        return value
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return value - timedelta(minutes=minutes if zone[0] == "+" else -minutes)


def optional_instant(text: str | None) -> datetime | None:
    """An instant, where one is given."""
    return None if text is None else instant(text)


def decoder(type_name: str) -> Decode:
    """The function from a value of JSON to the value of this type. Nulls stay None.

    >>> decoder("DECIMAL(12,3)")("3.390")
    Decimal('3.390')
    >>> decoder("ARRAY<STRUCT<sku STRING, price DECIMAL(9,2)>>")([{"sku": "S1", "price": "2.50"}])
    [{'sku': 'S1', 'price': Decimal('2.50')}]
    """
    return _nullable(_decoder(type_name.strip()))


def _decoder(name: str) -> Decode:
    upper = name.upper()
    if upper.startswith("DECIMAL"):
        return lambda value: Decimal(str(value))
    if upper == "TIMESTAMP":
        return instant
    if upper == "DATE":
        return date.fromisoformat
    if upper in ("DOUBLE", "FLOAT"):
        return float
    if upper.startswith("ARRAY<") and name.endswith(">"):
        each = decoder(name[6:-1])
        return lambda values: [each(value) for value in values]
    if upper.startswith("STRUCT<") and name.endswith(">"):
        fields = dict(_field(part) for part in _parts(name[7:-1]))
        return lambda value: {key: fields.get(key, _same)(item) for key, item in value.items()}
    return _same


def _field(text: str) -> tuple[str, Decode]:
    found = re.match(r"^\s*`?(\w+)`?\s*[: ]\s*(.+)$", text)
    if found is None:
        return text, _same
    return found.group(1), decoder(re.sub(r"(?i)\s+NOT NULL$", "", found.group(2)))


def _parts(text: str) -> list[str]:
    """The parts between commas that are in no brackets."""
    parts, depth, begin = [], 0, 0
    for at, sign in enumerate(text):
        if sign in "<(":
            depth += 1
        elif sign in ">)":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def _nullable(decode: Decode) -> Decode:
    return lambda value: None if value is None else decode(value)


def _same(value: Any) -> Any:
    return value
