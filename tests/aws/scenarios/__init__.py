"""The scenarios. Importing this package registers all of them, in the order of the table."""

from scenarios import (  # noqa: F401
    trace_equality,
    direct_calls,
    cluster_calls,
    event_executions,
    s3_faults,
    lost_commits,
    lambda_faults,
    deliveries,
    redrive,
    concurrency,
    privileges,
    encryption,
    large_files,
    data_products,
    old_logs,
    no_leak,
    emr_faults,
    large_branch,
    random_faults,
    judges,
)
