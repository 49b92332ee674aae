"""An HTTP gateway before a function: what API Gateway's HTTP API does with a proxy integration (payload format 2.0), as far as
callers can see. A request becomes an event, the function's answer becomes the response; nothing is decided here.
"""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

from control import invoke

# API Gateway's limit.
MOST_BODY_BYTES = 10_000_000


@contextmanager
def gateway(function: str, account: str) -> Iterator[Gateway]:
    """A gateway in front of this function, on a free local port; removed afterwards. The deployment sets the function's address."""
    server = Gateway(function, account)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


class Gateway(http.server.ThreadingHTTPServer):
    """Holds the function to call and the IAM caller: none, as for an API without IAM authorisation, or the given one."""

    daemon_threads = True

    def __init__(self, function: str, account: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.function, self.account = function, account
        # The address of the function; empty until it is deployed.
        self.invoke_url = ""
        # ARN of the caller that IAM authorisation would recognise.
        self.caller: str | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Gateway

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Logs nothing: scenarios report failures themselves."""

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BODY_BYTES:
            self.send_error(413)
            return
        answer = invoke(self.server.invoke_url, self.server.function, self.event(self.rfile.read(length)))
        if answer.error is not None:
            self.send_error(502, "Bad Gateway")
            return
        payload = answer.payload
        body = payload.get("body") or ""
        content = base64.b64decode(body) if payload.get("isBase64Encoded") else body.encode()
        self.send_response(payload["statusCode"])
        for name, value in (payload.get("headers") or {}).items():
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        for cookie in payload.get("cookies") or []:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer

    def event(self, body: bytes) -> dict[str, object]:
        address = urllib.parse.urlsplit(self.path)
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known},{value}"
        host = self.headers.get("Host", "localhost")
        pairs: dict[str, str] = {}
        for name, value in urllib.parse.parse_qsl(address.query, keep_blank_values=True):
            pairs[name] = f"{pairs[name]},{value}" if name in pairs else value
        context: dict[str, object] = {
            "accountId": self.server.account,
            "apiId": "bed",
            "domainName": host,
            "domainPrefix": "bed",
            "http": {
                "method": self.command,
                "path": urllib.parse.unquote(address.path),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": self.headers.get("User-Agent", ""),
            },
            "requestId": f"bed-{time.monotonic_ns()}",
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "timeEpoch": int(time.time() * 1000),
        }
        if self.server.caller is not None:
            context["authorizer"] = {"iam": {
                "accessKey": "AKIAIOSFODNN7EXAMPLE", "accountId": self.server.account, "callerId": "AIDACKCEVSQ6C2EXAMPLE",
                "userArn": self.server.caller, "userId": "AIDACKCEVSQ6C2EXAMPLE",
            }}
        event: dict[str, object] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": urllib.parse.unquote(address.path),
            "rawQueryString": address.query,
            "headers": headers,
            "requestContext": context,
            "isBase64Encoded": True,
        }
        if pairs:
            event["queryStringParameters"] = pairs
        if body:
            event["body"] = base64.b64encode(body).decode()
        else:
            event["isBase64Encoded"] = False
        return event
