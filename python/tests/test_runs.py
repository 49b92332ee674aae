"""Runs: started, followed, redriven, stopped."""

from __future__ import annotations

import pytest
from conftest import Lake

from sluice_data import RunFailedError, WaitTimeoutError, errors


def test_a_run_is_started_followed_and_reported(own_lake: Lake) -> None:
    client = own_lake.client("ops")
    run = client.runs.start("retail", idempotency_key="retail-2026-01-05")
    changes = list(run.follow(timeout=60))
    assert [change.ended for change in changes] == [False] * (len(changes) - 1) + [True]
    assert changes[-1].state == "published"
    names = [change.state for change in changes]
    assert names.index("Validate") < names.index("Process") < names.index("Publish")
    report = run.report
    assert report.ended
    assert report.verdict is not None
    assert report.verdict.decision == "passed"
    assert report.rows["bronze/sales/transactions"].source == 500
    assert {commit.table for commit in report.committed} >= {"silver/sales/transactions"}
    assert report.requested_by == "recipient:ops"
    # The same key is the same run; a call of its own is another.
    assert client.runs.start("retail", idempotency_key="retail-2026-01-05").id == run.id
    with pytest.raises(errors.ConflictError):
        client.runs.start("retail", idempotency_key="retail-2026-01-05", engine="lambda")
    other = client.runs.start("retail")
    assert other.id != run.id
    assert other.wait(60).state == "skipped"
    assert [item.id for item in client.runs.list("retail")] == [other.id, run.id]
    assert len(client.runs.list(limit=1)) == 1
    assert client.runs.get(run.id).state == "published"
    with pytest.raises(errors.ConflictError):
        run.redrive()
    assert run.stop().state == "published"


def test_a_run_that_fails_says_what_to_do(own_lake: Lake) -> None:
    client = own_lake.client("ops")
    run = client.runs.start("retail", objects=["retail/nowhere.csv"])
    with pytest.raises(RunFailedError) as failed:
        run.wait(60)
    assert (failed.value.state, failed.value.name) == ("failed", "NotFound")
    assert failed.value.fix in str(failed.value)
    report = run.wait(60, check=False)
    assert report.error is not None
    assert report.error.name == "NotFound"
    page = run._repr_html_()
    assert "NotFound" in page
    assert "next step" in page
    assert run.redrive().wait(60, check=False).redrives == 1


def test_waiting_ends_and_a_run_can_be_stopped(own_lake: Lake) -> None:
    own_lake.sample("2026-01-06", 3, 40_000, "lake/landing/retail")
    client = own_lake.client("ops")
    run = client.runs.start("retail")
    with pytest.raises(WaitTimeoutError, match="it goes on"):
        run.wait(0.01)
    run.stop()
    assert run.wait(60, check=False).state == "stopped"
    with pytest.raises(RunFailedError, match="stopped"):
        run.wait(60)


def test_a_rejected_run_names_the_broken_rules(own_lake: Lake) -> None:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    bad = "".join(f"53630{number},P,x,0,2026-01-05 08:00:00,1.00,1,France\n" for number in range(9))
    (own_lake.root / "landing/retail/bad.csv").write_text(header + bad)
    run = own_lake.client("ops").runs.start("retail", objects=["retail/bad.csv"])
    report = run.wait(60, check=False)
    assert report.state == "rejected", report
    assert report.verdict is not None
    assert report.verdict.broken_rules
    with pytest.raises(RunFailedError, match="the gate found broken rules: ") as rejected:
        run.wait()
    assert report.verdict.broken_rules[0] in str(rejected.value)
    assert report.verdict.broken_rules[0].partition(":")[0] in run._repr_html_()


@pytest.mark.parametrize("recipient", ["stranger", "acme"])
def test_a_caller_without_rights_starts_and_sees_nothing(recipient: str, lake: Lake) -> None:
    client = lake.client(recipient)
    with pytest.raises(errors.ForbiddenError):
        client.runs.start("retail")
    with pytest.raises(errors.ForbiddenError):
        client.runs.list()


def test_wrong_calls_are_refused_by_name(lake: Lake) -> None:
    client = lake.client("ops")
    with pytest.raises(TypeError, match=r"write \['a.csv'\]"):
        client.runs.start("retail", objects="a.csv")
    with pytest.raises(errors.NotFoundError):
        client.runs.get("api-00000000000000000000000000000000")
    with pytest.raises(errors.ApiError):
        client.runs.get("../data-products")
    with pytest.raises(errors.InvalidRequestError):
        client.runs.start("retail", engine="abacus")
    with pytest.raises(ValueError, match="at least 1"):
        client.runs.list(limit=0)
