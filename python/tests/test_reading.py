"""Rows of a table, in every form."""

from __future__ import annotations

import csv
import io
import threading
import time
import tracemalloc
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from conftest import Lake

import sluice_data
from sluice_data import Table, errors

TRANSACTIONS = "sales.retail.transactions"
REVENUE = "sales.retail.daily_revenue"


@pytest.fixture(scope="module")
def transactions(owner: sluice_data.Client) -> Table:
    return owner.table(TRANSACTIONS)


def by_hand(lake: Lake, token: str, **query: object) -> list[dict[str, str]]:
    """Rows as CSV, asked without the package."""
    rows: list[dict[str, str]] = []
    given: dict[str, object] = {"port": "transactions", "format": "csv", "limit": 10_000, **query}
    while True:
        address = f"{lake.endpoint}/data-products/sales/retail/rows?{urllib.parse.urlencode(given)}"
        request = urllib.request.Request(address, headers={"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as answer:
            rows += csv.DictReader(io.StringIO(answer.read().decode()))
            cursor = answer.headers["sluice-next-cursor"]
        if cursor is None:
            return rows
        given["cursor"] = cursor


def in_duckdb(table: Table, name: str | None, how: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows by way of DuckDB; older ones end a relation with its connection."""
    connection = duckdb.connect()
    return table.to_duckdb(connection, name, **how).to_arrow_table().to_pylist()


FORMS: dict[str, Callable[[Table, dict[str, Any]], list[dict[str, Any]]]] = {
    "rows": lambda table, how: list(table.rows(**how)),
    "arrow": lambda table, how: table.to_arrow(**how).to_pylist(),
    "batches": lambda table, how: [row for batch in table.batches(**how) for row in batch.to_pylist()],
    "polars": lambda table, how: table.to_polars(**how).to_dicts(),
    "pandas": lambda table, how: table.to_pandas(**how).to_dict("records"),
    "pandas of NumPy": lambda table, how: table.to_pandas(arrow_types=False, **how).to_dict("records"),
    "duckdb": lambda table, how: in_duckdb(table, None, how),
    "duckdb table": lambda table, how: in_duckdb(table, "copied", how),
}


def canonical(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows as sorted texts: null as `NULL`, instants in UTC."""

    def text(value: Any) -> str:
        if value is None or value != value or str(value) in ("<NA>", "NaT"):
            return "NULL"
        if isinstance(value, datetime):
            return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return str(value).lower() if isinstance(value, bool) else str(value)

    return sorted(tuple(text(row[name]) for name in sorted(row)) for row in rows)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"page_rows": 700},
        {"limit": 1234, "page_rows": 500, "order": ["invoice_no", "-stock_code", "quantity", "unit_price"]},
        {"columns": ["unit_price", "country"], "filter": "country <> 'France' AND quantity > 5"},
        {"filter": "country = 'Atlantis'"},
        {"version": 0, "columns": ["invoice_no", "_source_row", "_ingested_at"]},
    ],
    ids=["all", "pages", "first rows", "columns and filter", "no row", "version and lineage columns"],
)
def test_every_form_gives_the_rows_that_the_api_gives(
    form: str, how: dict[str, Any], transactions: Table, lake: Lake
) -> None:
    given = FORMS[form](transactions, how)
    asked = {name: value for name, value in how.items() if name != "page_rows"}
    for name in ("columns", "order"):
        if name in asked:
            asked[name] = ",".join(asked[name])
    limit = asked.pop("limit", None)
    # The policy gives this recipient everything as it is.
    expected = by_hand(lake, lake.token("owner"), **asked)[:limit]
    assert canonical(given) == canonical([{name: value or None for name, value in row.items()} for row in expected])
    assert bool(given) == ("Atlantis" not in str(how))


def test_values_are_exact_in_every_library(transactions: Table, owner: sluice_data.Client) -> None:
    row = next(transactions.rows(limit=1))
    assert isinstance(row["unit_price"], Decimal)
    assert row["unit_price"].as_tuple().exponent == -3
    assert row["invoice_ts"].utcoffset() == timedelta(0)
    assert isinstance(next(owner.table(REVENUE).rows(limit=1))["invoice_date"], date)
    schema = transactions.to_arrow(limit=1).schema
    assert schema.field("unit_price").type == pa.decimal128(12, 3)
    assert schema.field("invoice_ts").type == pa.timestamp("us", "UTC")
    assert transactions.to_polars(limit=1).schema["unit_price"] == pl.Decimal(12, 3)
    assert isinstance(transactions.to_pandas(limit=1)["unit_price"].iloc[0], Decimal)
    assert isinstance(transactions.to_pandas(limit=1, arrow_types=False)["unit_price"].iloc[0], Decimal)
    connection = duckdb.connect()
    relation = transactions.to_duckdb(connection, limit=1)
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert types["unit_price"] == "DECIMAL(12,3)"


def test_a_masked_and_filtered_table_has_the_same_rows_in_every_form(lake: Lake) -> None:
    table = lake.client("acme").table(TRANSACTIONS)
    assert table.port.row_filter
    seen = {name: canonical(form(table, {"page_rows": 40})) for name, form in FORMS.items()}
    assert len(seen["rows"]) > 40, "more than one page"
    assert all(rows == seen["rows"] for rows in seen.values())
    assert {row["country"] for row in table.rows()} == {"France"}
    assert all(row["customer_id"] in (None, "******") for row in table.rows())
    assert "unit_price" not in table.to_arrow(limit=1).column_names


def test_two_tokens_read_in_two_forms(lake: Lake, owner: sluice_data.Client) -> None:
    plain = {row["customer_id"] for row in owner.table(TRANSACTIONS).rows()} - {None}
    analyst = lake.client("analyst")
    masked = list(analyst.table(TRANSACTIONS).rows())
    hashes = {row["customer_id"] for row in masked} - {None}
    assert len(hashes) == len(plain)
    assert all(len(value) == 32 for value in hashes)
    assert {row["unit_price"] for row in masked} == {None}
    treatments = {column.name: column.treatment for column in analyst.table(TRANSACTIONS).columns}
    assert (treatments["customer_id"], treatments["unit_price"]) == ("hash", "null")
    answer = analyst.sql(f"SELECT customer_id, COUNT(*) AS lines FROM {TRANSACTIONS} GROUP BY customer_id")
    assert set(answer.to_polars()["customer_id"]) - {None} == hashes
    # What any representation shows is what the rows show.
    page = analyst.table(TRANSACTIONS).preview(50)._repr_html_()
    assert not any(f">{value}<" in page for value in plain)


def test_a_product_that_the_policy_hides_is_not_found(lake: Lake, owner: sluice_data.Client) -> None:
    stranger = lake.client("stranger")
    assert [item.address for item in owner.products()] == ["sales.retail"]
    assert stranger.products() == []
    with pytest.raises(errors.NotFoundError) as hidden:
        stranger.product("sales.retail")
    with pytest.raises(errors.NotFoundError) as missing:
        stranger.product("sales.nowhere")
    assert hidden.value.detail.replace("retail", "nowhere") == missing.value.detail
    assert hidden.value.request_id != missing.value.request_id
    acme = lake.client("acme").product("sales.retail")
    assert list(acme.tables) == ["transactions"]
    with pytest.raises(errors.NotFoundError, match="it has: transactions"):
        acme["daily_revenue"]


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"columns": "country"}, TypeError, r"write \['country'\]"),
        ({"columns": []}, ValueError, "columns is empty"),
        ({"columns": ["a,b"]}, ValueError, "not the name of a column"),
        ({"limit": 0}, ValueError, "at least 1"),
        ({"page_rows": 0}, ValueError, "1 to 10000"),
        ({"page_rows": 10_001}, ValueError, "1 to 10000"),
        ({"as_of": datetime(2026, 1, 5)}, ValueError, "no time zone"),
        ({"colums": ["country"]}, TypeError, "colums"),
        ({"columns": ["nope"]}, errors.ApiError, "nope"),
        ({"filter": "country ="}, errors.InvalidSqlError, "filter"),
        ({"filter": "nope = 1"}, errors.ApiError, "nope"),
        ({"order": "nope"}, errors.ApiError, "nope"),
        ({"version": 99}, errors.ApiError, "99"),
        ({"version": 0, "as_of": datetime(2027, 1, 1, tzinfo=timezone.utc)}, errors.InvalidRequestError, "two ways"),
    ],
)
def test_a_wrong_question_is_refused_by_name(
    how: dict[str, Any], error: type[Exception], words: str, transactions: Table
) -> None:
    with pytest.raises(error, match=words):
        transactions.to_arrow(**how)


def test_a_table_is_read_as_it_was_at_a_version_and_at_an_instant(transactions: Table) -> None:
    newest, first = transactions.port.versions[0], transactions.port.versions[-1]
    assert (newest.version, first.version) == (1, 0)
    assert first.committed_at is not None
    old = transactions.to_arrow(version=0).num_rows
    assert 0 < old < transactions.to_arrow().num_rows == transactions.port.rows
    assert transactions.to_arrow(as_of=first.committed_at).num_rows == old


def test_paging_goes_on_when_the_server_is_killed_and_restarted(own_lake: Lake) -> None:
    own_lake.sample("2026-01-05", 1, 3000)
    own_lake.run()
    client = own_lake.client("owner", retries=sluice_data.Retries(attempts=8, first_pause=0.2))
    table = client.table(TRANSACTIONS)
    whole = canonical(list(table.rows()))
    reading = table.rows(page_rows=500)
    rows = [next(reading) for _ in range(700)]
    own_lake.kill()

    def restart() -> None:
        time.sleep(1)
        own_lake.serve()

    restarting = threading.Thread(target=restart)
    restarting.start()
    try:
        rows += reading
    finally:
        restarting.join()
    assert canonical(rows) == whole
    own_lake.kill()
    hasty = sluice_data.connect(own_lake.endpoint, "a.b.c", retries=sluice_data.Retries(2, 0.01))
    with pytest.raises(errors.ConnectionFailedError, match="check the endpoint and that the server runs"):
        hasty.products()


def test_pages_are_of_one_version_while_a_run_publishes(own_lake: Lake) -> None:
    own_lake.sample("2026-01-05", 1, 1000)
    own_lake.run()
    table = own_lake.client("owner").table(TRANSACTIONS)
    count = table.to_arrow().num_rows
    reading = table.batches(page_rows=100)
    rows = next(iter(reading)).num_rows
    own_lake.sample("2026-01-06", 1, 1000)
    own_lake.run()
    assert rows + sum(batch.num_rows for batch in reading) == count


def test_a_large_table_is_read_in_bounded_memory(own_lake: Lake) -> None:
    own_lake.sample("2026-01-05", 1, 60_000)
    own_lake.run()
    table = own_lake.client("owner").table(TRANSACTIONS)
    whole = table.to_arrow()
    size, count = whole.nbytes, whole.num_rows
    assert count > 50_000
    del whole
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    arrow = 0
    rows = 0
    for batch in table.batches(page_rows=2000):
        rows += batch.num_rows
        arrow = max(arrow, pa.total_allocated_bytes() - before)
    assert rows == count
    assert sum(1 for _ in table.rows(page_rows=1000)) == count
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Pages of 1,000 or 2,000 of some 58,000 rows: far less than the table, in Arrow and in dictionaries.
    assert python + arrow < size / 3, f"{python:,} and {arrow:,} of {size:,} bytes"
    con = duckdb.connect()
    table.to_duckdb(con, "tx")
    assert con.execute("SELECT COUNT(*) FROM tx").fetchone() == (count,)


def test_a_large_answer_comes_by_its_address(own_lake: Lake) -> None:
    own_lake.sample("2026-01-05", 1, 60_000)
    own_lake.run()
    table = own_lake.client("owner").table(TRANSACTIONS)
    columns = [column.name for column in table.columns]
    wide = [*columns, "_ingested_at", "_source_file", "_source_etag", "_source_row", "_run_id"]
    page = next(table.read(columns=wide, limit=10_000).pages("json"))
    assert len(page) > 4_000_000, "as large as no inline answer is"
    assert len(list(table.rows(columns=wide, limit=20_000))) == 20_000


def test_a_name_for_duckdb_is_a_plain_name(transactions: Table) -> None:
    for name in ("a; DROP TABLE b", 'a"', "", "1a"):
        with pytest.raises(ValueError, match="not a plain name"):
            transactions.to_duckdb(duckdb.connect(), name, limit=1)


def test_sql_is_answered_in_every_form(owner: sluice_data.Client) -> None:
    answer = owner.sql(f"SELECT country, SUM(net_revenue) AS revenue FROM {REVENUE} GROUP BY country ORDER BY country")
    rows = list(answer.rows())
    assert isinstance(rows[0]["revenue"], Decimal)
    assert answer.to_polars().to_dicts() == answer.to_arrow().to_pylist() == rows
    assert answer.to_pandas().to_dict("records") == rows
    connection = duckdb.connect()
    assert answer.to_duckdb(connection).to_arrow_table().to_pylist() == rows
    assert len(answer.preview(2).rows) == 2
    with pytest.raises(errors.InvalidSqlError, match="position in `detail`") as refused:
        owner.sql(f"SELECT nope FROM {REVENUE}")
    assert refused.value.field == "sql"
    assert refused.value.request_id


@pytest.mark.parametrize("address", ["sales", "sales.retail.x", "Sales.retail", "../x.y", "a.b?c", ""])
def test_an_address_of_no_product_is_refused_before_it_is_asked(address: str, owner: sluice_data.Client) -> None:
    with pytest.raises(ValueError, match="is not the address of a product"):
        owner.product(address)


def test_what_the_catalogue_says_is_given(owner: sluice_data.Client) -> None:
    product = owner.product("sales.retail")
    assert product.owners == ("ann@example.com",)
    assert product.support[0].channel == "sales-data"
    table = product["transactions"]
    assert table.contract().count("id: retail-transactions") == 1
    audit = table.quality().newest
    assert audit is not None
    assert [rule.rule for rule in audit.broken] == ["customer_id_present"]
    assert len(table.quality().audits) == 2
    assert ("silver/sales/transactions", "gold/sales/daily_revenue") in product.lineage().upstream
    assert owner.products(q="no product has these words") == []
    assert [item.name for item in owner.products(domain="sales", tag="revenue")] == ["retail"]
