"""HTTP over the standard library: kept connections, timeouts, bounded retries, one redirect to a file.

The rules that matter:

- The token goes to the endpoint alone. The address of a large answer carries its own proof, and gets neither token,
  API key nor signature.
- Only requests that are safe to repeat are repeated, on 429, on 503 and on a connection that broke.
- Connections are kept for requests that are safe to repeat: a kept connection may have ended, and then it is unknown
  whether the server did what was asked.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import random
import ssl
import threading
import time
import urllib.parse
import urllib.request
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ._version import __version__
from .errors import ApiError, ConnectionFailedError, UnexpectedAnswerError, error_of

log = logging.getLogger("sluice_data")

LARGEST_BODY = 256 << 20
"""Most bytes of one answer. The API itself gives at most 64 MiB."""
LONGEST_PAUSE = 30.0
"""Most seconds between two attempts, whatever `Retry-After` says."""
KEPT_CONNECTIONS = 8
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

Headers = dict[str, str]
Signer = Callable[[str, str, Headers, bytes], Headers]
"""Signs a request: method, address, headers and body to the headers to send."""


@dataclass(frozen=True)
class Response:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswerError(
                "the answer is not JSON: check that the endpoint is the address of a Sluice API"
            ) from error
        if not isinstance(document, dict):
            raise UnexpectedAnswerError("the answer is not a JSON object")
        return document


@dataclass(frozen=True)
class Retries:
    """How often requests that are safe to repeat are sent again."""

    attempts: int = 5
    """Attempts in all, the first included."""
    first_pause: float = 0.2
    """Seconds before the second attempt; each further pause is twice as long."""

    def pause(self, attempt: int, retry_after: float | None) -> float:
        """Seconds before the attempt after this one (counted from 1)."""
        pause = self.first_pause * 2.0 ** (attempt - 1) * (0.5 + random.random())
        return min(max(pause, retry_after or 0.0), LONGEST_PAUSE)


class Transport:
    """Sends requests to one endpoint. Safe for use by several threads."""

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        api_key: str | None = None,
        signer: Signer | None = None,
        timeout: float = 60.0,
        retries: Retries | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._token = token
        self._api_key = api_key
        self._signer = signer
        self._timeout = timeout
        self._retries = retries or Retries()
        self._ssl = ssl_context
        self._kept: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()
        self._sleep = time.sleep
        # A client that nobody closes leaves no open sockets behind.
        self._finalizer = weakref.finalize(self, _close_all, self._kept, self._lock)

    def __repr__(self) -> str:
        return f"Transport({self.endpoint!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a client holds a token and connections: make one in each process with connect()")

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Response:
        """GET of a path below the endpoint; parameters that are None are left out."""
        return self.call("GET", path, query=query)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Response:
        """One request, repeated if that is safe and may help.

        Raises the error of the answer, or ``ConnectionFailedError``.
        """
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        # Signatures cover the query in this very form: blanks are %20.
        encoded = urllib.parse.urlencode(given, quote_via=urllib.parse.quote, safe="")
        address = self.endpoint + path + (f"?{encoded}" if encoded else "")
        sent: Headers = {"user-agent": f"sluice-data/{__version__}", **(headers or {})}
        payload = b""
        if body is not None:
            payload = json.dumps(body).encode()
            sent["content-type"] = "application/json"
        for attempt in range(1, self._retries.attempts + 1):
            last = attempt == self._retries.attempts or not repeatable
            try:
                response = self._send(
                    method,
                    address,
                    self._with_proof(method, address, sent, payload),
                    payload,
                    kept=repeatable,
                )
            except TimeoutError as error:
                raise ConnectionFailedError(
                    f"{method} {path}: {self.endpoint} did not answer within {self._timeout:g} s; "
                    "call again, or give connect() a longer `timeout`"
                ) from error
            except ssl.SSLCertVerificationError as error:
                raise ConnectionFailedError(
                    f"{method} {path}: the certificate of {self.endpoint} is not valid: {error.verify_message}"
                ) from error
            except (OSError, http.client.HTTPException) as error:
                if last:
                    raise ConnectionFailedError(
                        f"{method} {path}: {self.endpoint} cannot be reached: {error or type(error).__name__}; "
                        "check the endpoint and that the server runs"
                    ) from error
                retry_after = None
            else:
                if response.status == 303:
                    return self._file(response, path)
                if response.status < 300:
                    return response
                problem = error_of(response.status, response.headers, response.body)
                may_help = isinstance(problem, ApiError) and response.status in (429, 503)
                if last or not may_help:
                    raise problem
                retry_after = problem.retry_after if isinstance(problem, ApiError) else None
            pause = self._retries.pause(attempt, retry_after)
            log.info("%s %s: attempt %d failed, the next in %.1f s", method, path, attempt, pause)
            self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Closes kept connections; further requests open new ones."""
        _close_all(self._kept, self._lock)

    def _with_proof(self, method: str, address: str, headers: Headers, body: bytes) -> Headers:
        """The headers with what proves who calls. A signature is made for each attempt, because it ages."""
        proved = dict(headers)
        if self._token is not None:
            proved["authorization"] = f"Bearer {self._token}"
        if self._api_key is not None:
            proved["x-api-key"] = self._api_key
        return self._signer(method, address, proved, body) if self._signer else proved

    def _file(self, response: Response, path: str) -> Response:
        """The file that a large answer is in, with the headers of the answer."""
        location = response.headers.get("location", "")
        address = urllib.parse.urljoin(self.endpoint, location) if location else ""
        parts = urllib.parse.urlsplit(address)
        downgraded = parts.scheme == "http" and not self.endpoint.startswith("http:")
        if parts.scheme not in ("http", "https") or not parts.hostname or downgraded:
            raise UnexpectedAnswerError(f"the answer to {path} is at an address that is not followed")
        for attempt in range(1, self._retries.attempts + 1):
            try:
                file = self._send("GET", address, {"user-agent": f"sluice-data/{__version__}"}, b"", kept=True)
            except (OSError, http.client.HTTPException) as error:
                if attempt == self._retries.attempts or isinstance(error, TimeoutError):
                    # The address is a secret for some minutes, so it is not in the message.
                    raise ConnectionFailedError(f"the file of the answer to {path} cannot be read") from error
                self._sleep(self._retries.pause(attempt, None))
                continue
            if file.status == 200:
                return Response(200, {**file.headers, **response.headers}, file.body)
            if file.status not in (429, 503) or attempt == self._retries.attempts:
                raise error_of(file.status, file.headers, file.body)
            problem = error_of(file.status, file.headers, file.body)
            self._sleep(self._retries.pause(attempt, getattr(problem, "retry_after", None)))
        raise AssertionError("the last attempt returns or raises")

    def _send(self, method: str, address: str, headers: Headers, body: bytes, *, kept: bool) -> Response:
        """One request and its whole answer."""
        parts = urllib.parse.urlsplit(address)
        connection = self._connection(parts, kept=kept)
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if getattr(connection, "sluice_by_proxy", False):
            target = address
        try:
            connection.request(method, target, body=body or None, headers=headers)
            answer = connection.getresponse()
            content = answer.read(LARGEST_BODY + 1)
            if len(content) > LARGEST_BODY:
                raise UnexpectedAnswerError(f"the answer is larger than {LARGEST_BODY >> 20} MiB")
            # Reading with a size reports a cut answer of known length as a shorter one.
            if answer.length not in (None, 0) and method != "HEAD":
                raise http.client.IncompleteRead(b"", answer.length)
        except BaseException:
            connection.close()
            raise
        response = Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)
        self._keep(parts, connection, answer.will_close)
        return response

    def _connection(self, parts: urllib.parse.SplitResult, *, kept: bool) -> http.client.HTTPConnection:
        if kept:
            with self._lock:
                connections = self._kept.get((parts.scheme, parts.netloc))
                if connections:
                    return connections.pop()
        host, secure = parts.hostname or "", parts.scheme == "https"
        proxy = None
        if host not in LOOPBACK and not urllib.request.proxy_bypass(parts.netloc):
            proxy = urllib.request.getproxies().get(parts.scheme)
        if proxy is None:
            return self._open(host, parts.port, secure)
        through = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
        if secure:
            connection = self._open(through.hostname or "", through.port or 80, secure=True)
            connection.set_tunnel(host, parts.port or 443)
        else:
            connection = self._open(through.hostname or "", through.port or 80, secure=False)
            connection.sluice_by_proxy = True  # type: ignore[attr-defined]
        return connection

    def _open(self, host: str, port: int | None, secure: bool) -> http.client.HTTPConnection:
        if secure:
            context = self._ssl or ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    def _keep(self, parts: urllib.parse.SplitResult, connection: http.client.HTTPConnection, ends: bool) -> None:
        if not ends:
            with self._lock:
                connections = self._kept.setdefault((parts.scheme, parts.netloc), [])
                if len(connections) < KEPT_CONNECTIONS:
                    connections.append(connection)
                    return
        with contextlib.suppress(OSError):
            connection.close()


def _close_all(kept: dict[tuple[str, str], list[http.client.HTTPConnection]], lock: threading.Lock) -> None:
    with lock:
        connections = [connection for of_server in kept.values() for connection in of_server]
        kept.clear()
    for connection in connections:
        connection.close()
