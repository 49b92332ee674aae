"""Problems and what the package makes of them."""

from __future__ import annotations

import json
import logging
import pickle
import re
import traceback

import pytest
from conftest import REPOSITORY, Lake

import sluice_data
from sluice_data import ApiError, SluiceError, UnexpectedAnswerError, errors
from sluice_data.errors import error_of


def documented() -> dict[str, tuple[int, str]]:
    """The codes of docs/errors.md, with status and next step."""
    page = (REPOSITORY / "docs/errors.md").read_text()
    part = page.split("<!-- begin: problem codes -->")[1].split("<!-- end: problem codes -->")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| [^|]+ \| ([^|]+) \|$", part, re.MULTILINE)
    return {code: (int(status), fix.strip()) for code, status, fix in rows}


def test_every_documented_code_has_a_class_with_its_next_step() -> None:
    codes = documented()
    assert len(codes) >= 18
    assert set(codes) == set(errors.CODES), "add the code to sluice_data.errors"
    classes = list(errors.CODES.values())
    assert len(set(classes)) == len(classes)
    for code, (status, fix) in codes.items():
        problem = {"code": code, "status": status, "detail": "what happened", "field": "f", "requestId": "r1"}
        error = error_of(status, {}, json.dumps(problem).encode())
        assert isinstance(error, ApiError)
        assert type(error) is errors.CODES[code]
        assert (error.code, error.status, error.detail, error.fix) == (code, status, "what happened", fix)
        assert (error.field, error.request_id) == ("f", "r1")
        for part in (code, "what happened", fix, "r1"):
            assert part in str(error)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
        assert (type(again), str(again), again.request_id) == (type(error), str(error), "r1")


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "code"),
    [
        (409, {}, b'{"code": "brand-new", "detail": "x"}', ApiError, "brand-new"),
        (403, {"x-amzn-requestid": "aws1"}, b'{"message": "Forbidden"}', errors.ForbiddenError, "forbidden"),
        (429, {}, b'{"message": "Limit Exceeded"}', errors.TooManyRequestsError, "too-many-requests"),
        (502, {}, b"<html>bad gateway</html>", errors.UnavailableError, "unavailable"),
        (504, {}, b"", errors.UnavailableError, "unavailable"),
        (404, {}, b"<html>a web site</html>", UnexpectedAnswerError, None),
        (302, {}, b"", UnexpectedAnswerError, None),
        (400, {}, b'{"code": 7}', UnexpectedAnswerError, None),
        (400, {}, b"[1]", UnexpectedAnswerError, None),
    ],
)
def test_what_is_no_problem_document_is_an_error_as_well(
    status: int, headers: dict[str, str], body: bytes, kind: type[SluiceError], code: str | None
) -> None:
    error = error_of(status, headers, body)
    assert type(error) is kind
    assert getattr(error, "code", None) == code
    if headers:
        assert isinstance(error, ApiError)
        assert error.request_id == "aws1"


BAD_TOKENS = ["x", "a.b.c", "owner.000000000000." + "0" * 64, "x" * 4000]


@pytest.mark.parametrize("token", BAD_TOKENS)
def test_a_bad_token_is_refused_and_shown_nowhere(token: str, lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = sluice_data.connect(lake.endpoint, token, retries=sluice_data.Retries(2, 0.01))
    for ask in (client.products, client.runs.list, lambda: client.product("sales.retail"), lambda: client.sql("x")):
        with pytest.raises(errors.UnauthenticatedError) as refused:
            ask()
        shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value.__dict__)
        if len(token) > 1:
            assert token not in shown + caplog.text + repr(client) + repr(client._transport)


@pytest.mark.parametrize("token", ["a b", "a\nx-evil: 1", "ü", "a\r"])
def test_a_token_that_no_header_can_hold_is_refused_unseen(token: str, lake: Lake) -> None:
    with pytest.raises(ValueError, match="copy it again") as refused:
        sluice_data.connect(lake.endpoint, token)
    assert token not in str(refused.value)


def test_a_revoked_token_stops_working_and_the_good_one_is_shown_nowhere(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = lake.token("owner")
    client = sluice_data.connect(lake.endpoint, token)
    product = client.product("sales.retail")
    table = product["transactions"]
    run = client.runs
    for value in (client, product, table, table.read(limit=1), run, client.sql("SELECT country FROM " + table.address)):
        page = getattr(value, "_repr_html_", lambda: "")()
        assert token not in repr(value) + page + caplog.text
    with pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(client)


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (None, "no endpoint"),
        ("data.example.com", "is not an address"),
        ("ftp://data.example.com", "is not an address"),
        ("https://data.example.com/?x=1", "is not an address"),
        ("https://user:pw@data.example.com", "give a token instead"),
        ("http://data.example.com", "use https"),
        ("http://127.0.0.1.example.com", "use https"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused(endpoint: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sluice_data.connect(endpoint, "a.b.c")


def test_settings_come_from_arguments_then_a_profile_then_the_environment(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("SLUICE_ENDPOINT", "http://localhost:1")
    monkeypatch.setenv("SLUICE_TOKEN", "a.b.c")
    assert repr(sluice_data.connect()) == "<Client of http://localhost:1 with a token>"
    with sluice_data.connect(profile=lake.profile("owner")) as client:
        assert client.endpoint == lake.endpoint
        assert len(client.products()) == 1
    assert sluice_data.connect("http://localhost:2/", profile=lake.profile("owner")).endpoint == "http://localhost:2"
    wrong = lake.folder / "wrong.share"
    wrong.write_text('{"endpoint": "secret"}')
    with pytest.raises(ValueError, match="is not a profile file"):
        sluice_data.connect(profile=wrong)
    with pytest.raises(ValueError, match="more than 0 seconds"):
        sluice_data.connect("http://localhost:1", timeout=0)
