#!/usr/bin/env python3
"""Broken output of Spark: run as a step instead of spark-sql, it writes output that no real script would write.

    spark_output.py BREAKAGE STEP-ARGUMENT…

The address of the script, `s3://bucket/…/runs/<pipeline>/<run>/etl-<attempt>.sql`, says where the run is. S3 is found by the
usual variables of AWS.
"""

from __future__ import annotations

import json
import os
import re
import sys

import boto3
from botocore.client import BaseClient
from botocore.config import Config

SCRIPT = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<folder>runs/[^/]+/[^/]+)/etl-(?P<attempt>\d+)\.sql$")
TABLE = "silver/sales/transactions"


def main() -> int:
    breakage, arguments = sys.argv[1], sys.argv[2:]
    found = next((matched for one in arguments if (matched := SCRIPT.search(one))), None)
    if found is None:
        print(f"{arguments} do not name a script", file=sys.stderr)
        return 2
    bucket, folder = found["bucket"], f"{found['folder']}/metrics-{found['attempt']}"
    client = s3()
    for name, text in output(breakage).items():
        client.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=text.encode())
    return 0


def output(breakage: str) -> dict[str, str]:
    """Files of the metrics folder by their names."""
    rows = json.dumps({"table": TABLE, "metric": "staged_rows", "rule": None, "value": "7"}) + "\n"
    match breakage:
        case "unfinished":
            return {"part-00000.json": rows}
        case "no-number":
            return {"part-00000.json": rows.replace('"7"', '"seven"'), "_SUCCESS": ""}
        case "no-files":
            return {"part-00000.json": rows, "_SUCCESS": ""}
        case unknown:
            raise ValueError(f"unknown breakage {unknown}")


def s3() -> BaseClient:
    config = Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        proxies={},
    )
    return boto3.Session().client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"], config=config)


if __name__ == "__main__":
    sys.exit(main())
