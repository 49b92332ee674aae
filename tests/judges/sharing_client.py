"""Compares a served table, read with the public client of Delta Sharing, with the table read by `deltalake`.

Arguments: profile file, table as share.schema.table, folder of the same table. Ends with 1 and a difference if they disagree.
"""

import collections
import json
import sys
from datetime import datetime, timezone

import delta_sharing
import pandas as pd
from deltalake import DeltaTable


def canonical(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Rows as sorted texts, so that equivalent types of the two readers are equal."""
    columns = sorted(frame.columns)

    def text(value: object) -> str:
        if value is None or pd.isna(value):
            return ""
        if isinstance(value, (pd.Timestamp, datetime)):
            return str(pd.Timestamp(value).tz_localize(None) if pd.Timestamp(value).tzinfo is None
                       else pd.Timestamp(value).tz_convert("UTC").tz_localize(None))
        return str(value)

    return sorted(tuple(text(value) for value in row) for row in frame[columns].itertuples(index=False))


LINEAGE = ("_ingested_at", "_source_file", "_source_etag", "_source_modified_at", "_source_row", "_run_id")


def without_lineage(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that readers get who do not ask for others by name."""
    return frame.drop(columns=[name for name in LINEAGE if name in frame.columns])


def same(what: str, given: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Ends the program if the frames differ."""
    if sorted(given.columns) != sorted(expected.columns):
        sys.exit(f"{what}: columns {sorted(given.columns)}, expected {sorted(expected.columns)}")
    left, right = canonical(given), canonical(expected)
    if left != right:
        pairs = [(a, b) for a, b in zip(left, right) if a != b][:3]
        sys.exit(f"{what}: {len(left)} rows, expected {len(right)}; first differences: {pairs}")
    print(f"{what}: {len(left)} rows agree", flush=True)


def main() -> None:
    profile, name, folder = sys.argv[1:4]
    url = f"{profile}#{name}"
    tables = [f"{t.share}.{t.schema}.{t.name}" for t in delta_sharing.SharingClient(profile).list_all_tables()]
    if name not in tables:
        sys.exit(f"{name} is not listed: {tables}")
    newest = DeltaTable(folder)
    version = newest.version()
    if delta_sharing.get_table_version(url) != version:
        sys.exit(f"version {delta_sharing.get_table_version(url)}, expected {version}")
    # Lineage columns are in the files and not in the schema that clients get.
    expected, old = without_lineage(newest.to_pandas()), without_lineage(DeltaTable(folder, version=0).to_pandas())
    # The instant at which the first version was committed: later versions did not exist yet.
    first = min(entry["timestamp"] for entry in newest.history())
    then = datetime.fromtimestamp(first / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for delta in (False, True):
        form = "delta" if delta else "parquet"
        same(f"{form} newest", delta_sharing.load_as_pandas(url, use_delta_format=delta), expected)
        limited = delta_sharing.load_as_pandas(url, limit=3, use_delta_format=delta)
        if len(limited) != min(3, len(expected)) or not set(canonical(limited)) <= set(canonical(expected)):
            sys.exit(f"{form} limit: {len(limited)} rows")
        same(f"{form} version 0", delta_sharing.load_as_pandas(url, version=0, use_delta_format=delta), old)
        same(f"{form} timestamp", delta_sharing.load_as_pandas(url, timestamp=then, use_delta_format=delta), old)
        # With hints a response may contain other rows, but must never miss a matching row.
        hint = json.dumps({"op": "equal", "children": [
            {"op": "column", "name": "country", "valueType": "string"},
            {"op": "literal", "value": "France", "valueType": "string"},
        ]})
        hinted = delta_sharing.load_as_pandas(url, jsonPredicateHints=hint, use_delta_format=delta)
        same(f"{form} predicate", hinted[hinted.country == "France"], expected[expected.country == "France"])
        changes = delta_sharing.load_table_changes_as_pandas(url, starting_version=0, use_delta_format=delta)
        balance = collections.Counter()
        for kind, sign in (("insert", 1), ("delete", -1)):
            rows = changes[changes["_change_type"] == kind]
            rows = rows.drop(columns=["_change_type", "_commit_version", "_commit_timestamp"])
            for row in canonical(rows):
                balance[row] += sign
        if +balance != collections.Counter(canonical(expected)) or -balance:
            sys.exit(f"{form} changes: inserted minus removed rows do not give the table")
        print(f"{form} changes: {len(changes)} make the table", flush=True)


if __name__ == "__main__":
    main()
