"""What a real server does seldom: refusals with `Retry-After`, cut answers, silence, addresses elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import sluice_data
from sluice_data import Client, ConnectionFailedError, UnexpectedAnswerError, errors
from sluice_data._transport import LONGEST_PAUSE, Retries

RUN = {"run_id": "api-1", "state": "running", "started_at": "2026-01-05T00:00:00Z", "redrives": 0}
PRODUCTS = {"products": []}


class Server:
    """Answers as the test says, and keeps what was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.asked.append((self.command, self.path, headers, body))
                status, given, content = server.answers.pop(0) if server.answers else (200, {}, PRODUCTS)
                if status == 0:
                    self.close_connection = True
                    return
                if callable(content):
                    content(self)
                    return
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **given}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = handle_any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def client(self, **options: Any) -> Client:
        return sluice_data.connect(self.endpoint, "a.b.secret", **{"retries": Retries(4, 0.001), **options})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def problem(code: str, status: int, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], Any]:
    return status, headers or {}, {"code": code, "status": status, "detail": "d", "requestId": "r"}


BUSY = problem("too-many-requests", 429)
DOWN = problem("unavailable", 503)
GONE = (0, {}, None)

START: Callable[[Client], Any] = lambda client: client.runs.start("retail")  # noqa: E731
LIST: Callable[[Client], Any] = lambda client: client.products()  # noqa: E731
SQL: Callable[[Client], Any] = lambda client: client.sql("SELECT 1")  # noqa: E731
REDRIVE: Callable[[Client], Any] = lambda client: client.runs.get("api-1").redrive()  # noqa: E731
STOP: Callable[[Client], Any] = lambda client: client.runs.get("api-1").stop()  # noqa: E731
RUNNING = (200, {}, RUN)


@pytest.mark.parametrize(
    ("call", "answers", "asked", "error"),
    [
        (LIST, [BUSY, DOWN, GONE], 4, None),
        (LIST, [BUSY] * 9, 4, errors.TooManyRequestsError),
        (LIST, [DOWN] * 9, 4, errors.UnavailableError),
        (LIST, [GONE] * 9, 4, ConnectionFailedError),
        (LIST, [problem("internal", 500)], 1, errors.InternalError),
        (LIST, [problem("not-found", 404)], 1, errors.NotFoundError),
        (LIST, [(502, {}, b"")], 1, errors.UnavailableError),
        (SQL, [BUSY, (200, {}, b"")], 2, None),
        (START, [DOWN, GONE, (202, {}, RUN)], 3, None),
        (REDRIVE, [RUNNING, DOWN], 2, errors.UnavailableError),
        (REDRIVE, [RUNNING, GONE], 2, ConnectionFailedError),
        (STOP, [RUNNING, DOWN, (202, {}, RUN), RUNNING], 4, None),
    ],
)
def test_only_what_is_safe_to_repeat_is_repeated_and_not_for_ever(
    call: Callable[[Client], Any],
    answers: list[Any],
    asked: int,
    error: type[Exception] | None,
    server: Server,
) -> None:
    server.answers = list(answers)
    client = server.client()
    if error is None:
        call(client)
    else:
        with pytest.raises(error):
            call(client)
    assert len(server.asked) == asked


def test_one_call_has_one_key_and_another_call_another(server: Server) -> None:
    server.answers = [DOWN, (202, {}, RUN), (202, {}, RUN)]
    client = server.client()
    client.runs.start("retail")
    client.runs.start("retail")
    keys = [headers["idempotency-key"] for _, _, headers, _ in server.asked]
    assert keys[0] == keys[1] != keys[2]
    assert json.loads(server.asked[0][3]) == {"pipeline": "retail"}


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [("1", 1.0, 1.0), ("7", 7.0, 7.0), ("0", 0.0, 0.01), ("soon", 0.0, 0.01), ("86400", LONGEST_PAUSE, LONGEST_PAUSE)],
)
def test_retry_after_is_kept_to(given: str, least: float, most: float, server: Server) -> None:
    server.answers = [problem("too-many-requests", 429, {"retry-after": given})]
    pauses: list[float] = []
    client = server.client()
    client._transport._sleep = pauses.append  # type: ignore[assignment]
    client.products()
    assert [least <= pause <= most for pause in pauses] == [True]


def test_a_pause_is_never_longer_than_its_limit() -> None:
    assert Retries().pause(1, 86_400) == LONGEST_PAUSE
    assert max(Retries().pause(attempt, None) for attempt in range(1, 40)) == LONGEST_PAUSE


def test_the_address_of_a_large_answer_gets_no_token(server: Server) -> None:
    elsewhere = Server()
    elsewhere.answers = [DOWN, (200, {}, {"version": 1, "rows": []})]
    server.answers = [
        (200, {}, manifest()),
        (303, {"location": f"{elsewhere.endpoint}/file?proof=1", "sluice-next-cursor": "c2"}, b""),
        (200, {}, {"version": 1, "rows": []}),
    ]
    client = server.client(api_key="key-of-usage")
    assert list(client.table("d.p.t").rows()) == []
    assert [path for _, path, _, _ in elsewhere.asked] == ["/file?proof=1"] * 2
    assert all("secret" not in str(headers) and "x-api-key" not in headers for _, _, headers, _ in elsewhere.asked)
    assert "cursor=c2" in server.asked[2][1], "the cursor of the answer is kept to"
    assert all(headers["authorization"] == "Bearer a.b.secret" for _, _, headers, _ in server.asked)
    assert all(headers["x-api-key"] == "key-of-usage" for _, _, headers, _ in server.asked)
    elsewhere.close()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/y", "", "gopher://x"])
def test_an_address_of_another_kind_is_not_followed(location: str, server: Server) -> None:
    server.answers = [(303, {"location": location}, b"")]
    with pytest.raises(UnexpectedAnswerError, match="is not followed"):
        server.client().products()


def manifest() -> dict[str, Any]:
    column = {"name": "a", "type": "INT", "classification": "public", "treatment": "clear"}
    port = {
        "name": "t", "version": "1", "contract": {"id": "c", "version": "1"}, "columns": [column],
        "row_filter": False, "sla": [], "how_to_read": [], "table": None, "a_new_field": 1,
    }  # fmt: skip
    return {
        "domain": "d", "name": "p", "version": "1", "status": "active", "tags": [], "owners": [], "support": [],
        "deployed_at": "2026-01-05T00:00:00Z", "ports": [port],
    }  # fmt: skip


def test_a_cut_answer_is_not_taken_for_a_whole_one(server: Server) -> None:
    server.answers = [(200, {"content-length": "5000"}, cut), (200, {}, PRODUCTS)]
    assert server.client().products() == []
    assert len(server.asked) == 2


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"products": []}')
    handler.close_connection = True


def test_a_silent_server_is_not_waited_for_longer_than_the_timeout(server: Server) -> None:
    server.answers = [(200, {}, lambda _: time.sleep(10))]
    began = time.monotonic()
    with pytest.raises(ConnectionFailedError, match=r"did not answer within 0\.2 s"):
        server.client(timeout=0.2).products()
    assert time.monotonic() - began < 5
    assert len(server.asked) == 1, "what waits is not asked again"


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"\xff", b""])
def test_an_answer_of_another_server_is_named_as_such(content: bytes, server: Server) -> None:
    server.answers = [(200, {}, content)]
    with pytest.raises(UnexpectedAnswerError):
        server.client().products()


def test_threads_share_a_client(server: Server) -> None:
    client = server.client()
    threads = [threading.Thread(target=lambda: [client.products() for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 160


def test_a_signature_of_aws_is_the_one_that_its_rules_give(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    client = sluice_data.connect(server.endpoint, aws_region="eu-central-1", api_key="usage")
    assert repr(client).endswith("with AWS credentials>")
    client.products(q="a b&c/é+~", tag="x")
    client.runs._transport.call("POST", "/query", body={"sql": "é"})
    for method, target, headers, body in server.asked:
        fields = dict(part.split("=", 1) for part in headers["authorization"].split(" ", 1)[1].split(", "))
        signed = fields["SignedHeaders"].split(";")
        assert {"host", "x-api-key", "x-amz-date", "x-amz-security-token"} <= set(signed)
        path, _, query = target.partition("?")
        canonical = "\n".join(
            [
                method,
                path,
                "&".join(sorted(query.split("&"))) if query else "",
                *(f"{name}:{headers[name].strip()}" for name in signed),
                "",
                fields["SignedHeaders"],
                hashlib.sha256(body).hexdigest(),
            ]
        )
        day = headers["x-amz-date"][:8]
        scope = f"{day}/eu-central-1/execute-api/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = b"AWS4not-a-real-key"
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        assert fields["Signature"] == hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    query = urllib.parse.parse_qs(server.asked[0][1].partition("?")[2])
    assert query == {"q": ["a b&c/é+~"], "tag": ["x"]}


def test_without_credentials_of_aws_the_fix_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(sluice_data.SluiceError, match="aws sso login"):
        sluice_data.connect("https://abc.execute-api.eu-central-1.amazonaws.com/live")
