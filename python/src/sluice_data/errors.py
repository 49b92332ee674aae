"""What can go wrong, as a small hierarchy.

Every error of this package is a :class:`SluiceError`. What the API refused is an :class:`ApiError` with the stable
``code`` of the problem; each code has a class of its own, so that callers can catch exactly what they handle:

>>> from sluice_data.errors import ApiError, NotFoundError
>>> error = ApiError.of("not-found", 404, "the data product `sales/x` does not exist", request_id="01a2")
>>> isinstance(error, NotFoundError)
True
>>> error.code, error.fix
('not-found', 'Check the name; `/data-products` lists what you may find.')
>>> print(error)
not-found: the data product `sales/x` does not exist. Check the name; `/data-products` lists what you may find. \
(request 01a2)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar


class SluiceError(Exception):
    """Any error of this package."""


class ConnectionFailedError(SluiceError):
    """The server was not reached, did not answer in time, or broke off its answer."""


class UnexpectedAnswerError(SluiceError):
    """The answer is not of the documented form: the address is probably not that of a Sluice API."""


class MissingExtraError(SluiceError, ImportError):
    """A library is needed that is not installed; the message names the extra that installs it."""


class WaitTimeoutError(SluiceError, TimeoutError):
    """A run did not end within the time that the caller gave it. The run itself goes on."""


class RunFailedError(SluiceError):
    """A run ended without publishing: it failed, was stopped, or the gate rejected it."""

    def __init__(self, run_id: str, state: str, message: str, *, name: str | None = None, fix: str = "") -> None:
        super().__init__(f"run {run_id} {state}: {message}" + (f" {fix}" if fix else ""))
        self.run_id = run_id
        """The run."""
        self.state = state
        """How it ended: ``failed``, ``stopped`` or ``rejected``."""
        self.name = name
        """The stable name of the error, where the run failed (see docs/errors.md)."""
        self.fix = fix
        """What to do next."""


class ApiError(SluiceError):
    """The API refused a request.

    A code that this version of the package does not know is an ``ApiError`` itself, with all that the API said.
    """

    default_fix: ClassVar[str] = "Give the operator the request id."

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.code = code
        """The stable code, such as ``not-found``."""
        self.status = status
        """The HTTP status."""
        self.detail = detail
        """What is wrong, with the name of the object."""
        self.field = field
        """The part of the request that is wrong, where one is."""
        self.request_id = request_id
        """The request, as it is in the operator's log."""
        self.retry_after = retry_after
        """Seconds after which the same request may succeed, where the API said so."""
        self.fix = type(self).default_fix
        """What to do next."""
        super().__init__(self._text())

    def _text(self) -> str:
        where = f" (in {self.field})" if self.field else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.code}: {self.detail.rstrip('.')}{where}. {self.fix}{request}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors travel between processes (joblib, Dask, multiprocessing) with all they know.
        return (
            _restored,
            (self.code, self.status, self.detail, self.field, self.request_id, self.retry_after),
        )

    @staticmethod
    def of(
        code: str,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> ApiError:
        """The error of this code, as the class that the code has."""
        kind = CODES.get(code, ApiError)
        return kind(code, status, detail, field=field, request_id=request_id, retry_after=retry_after)


def _restored(code: str, status: int, detail: str, *more: Any) -> ApiError:
    field, request_id, retry_after = more
    return ApiError.of(code, status, detail, field=field, request_id=request_id, retry_after=retry_after)


class InvalidRequestError(ApiError):
    """The request is not of the documented form."""

    default_fix = "Correct `field`; `/openapi.json` describes the form."


class InvalidSqlError(InvalidRequestError):
    """The SQL is outside of the subset, or names what does not exist for the caller."""

    default_fix = "Correct it at the position in `detail`."


class InvalidCursorError(InvalidRequestError):
    """The cursor of a page is not valid any more."""

    default_fix = "Begin again with the first page."


class UnauthenticatedError(ApiError):
    """No credentials, or a token that is unknown, expired or revoked."""

    default_fix = "Use a valid profile file, or call with IAM credentials."


class ForbiddenError(ApiError):
    """The caller may not do this, or the address has expired."""

    default_fix = "Ask the owner of the product, whose page has the support channels, or ask for a new address."


class NotFoundError(ApiError):
    """It does not exist, or the caller may not know of it."""

    default_fix = "Check the name; `/data-products` lists what you may find."


class MethodNotAllowedError(ApiError):
    """The address does not take this method."""

    default_fix = "See `/openapi.json`."


class NotAcceptableError(ApiError):
    """No format that was asked for is available."""

    default_fix = "Ask for a format that `detail` names."


class RequestTimeoutError(ApiError):
    """The body of the request did not arrive in time."""

    default_fix = "Send it again."


class ConflictError(ApiError):
    """Another request has this key, or the run is in a state that does not allow this."""

    default_fix = "Use a new key, or read the state of the run."


class VersionGoneError(ApiError):
    """The version of a table existed and has been cleaned up."""

    default_fix = "Ask for a newer version."


class BodyTooLargeError(ApiError):
    """The body of the request is too large."""

    default_fix = "Shorten it."


class UnsupportedMediaTypeError(ApiError):
    """The media type of the body is not supported."""

    default_fix = "Send JSON with `content-type: application/json`."


class QueryTooLargeError(ApiError):
    """The question reads or returns more than one call may."""

    default_fix = "Narrow the question, or read by Delta Sharing."


class QueryTooSlowError(ApiError):
    """The question takes longer than one call may."""

    default_fix = "Narrow the question, or read by Delta Sharing."


class TooManyRequestsError(ApiError):
    """Too many calls at once, also after the retries of this package."""

    default_fix = "Call again after `Retry-After`."


class UnavailableError(ApiError):
    """A store or service does not answer, also after the retries of this package."""

    default_fix = "Call again after `Retry-After`."


class InternalError(ApiError):
    """A defect, or data that are not as they must be."""

    default_fix = "Give the operator the request id."


CODES: Mapping[str, type[ApiError]] = {
    "invalid-request": InvalidRequestError,
    "invalid-sql": InvalidSqlError,
    "invalid-cursor": InvalidCursorError,
    "unauthenticated": UnauthenticatedError,
    "forbidden": ForbiddenError,
    "not-found": NotFoundError,
    "method-not-allowed": MethodNotAllowedError,
    "not-acceptable": NotAcceptableError,
    "request-timeout": RequestTimeoutError,
    "conflict": ConflictError,
    "version-gone": VersionGoneError,
    "body-too-large": BodyTooLargeError,
    "unsupported-media-type": UnsupportedMediaTypeError,
    "query-too-large": QueryTooLargeError,
    "query-too-slow": QueryTooSlowError,
    "too-many-requests": TooManyRequestsError,
    "unavailable": UnavailableError,
    "internal": InternalError,
}
"""The class of every problem code of docs/errors.md."""

# What API Gateway and proxies answer without a problem document, by status.
_BY_STATUS = {
    401: "unauthenticated",
    403: "forbidden",
    413: "body-too-large",
    429: "too-many-requests",
    500: "internal",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> SluiceError:
    """The error of an answer that is not a success."""
    request_id = headers.get("x-request-id") or headers.get("x-amzn-requestid")
    retry_after = seconds_of(headers.get("retry-after"))
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if isinstance(problem, dict) and isinstance(problem.get("code"), str):
        return ApiError.of(
            problem["code"],
            status,
            str(problem.get("detail") or problem.get("title") or "no detail"),
            field=problem.get("field"),
            request_id=problem.get("requestId") or request_id,
            retry_after=retry_after,
        )
    code = _BY_STATUS.get(status)
    said = problem.get("message") if isinstance(problem, dict) else None
    detail = f"HTTP status {status} without a problem document" + (f": {str(said)[:200]}" if said else "")
    if code is None:
        return UnexpectedAnswerError(f"{detail}. Check that the endpoint is the address of a Sluice API.")
    return ApiError.of(code, status, detail, request_id=request_id, retry_after=retry_after)


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds of a ``Retry-After`` header; None where it is absent or a date."""
    if retry_after is None or not retry_after.strip().isdecimal():
        return None
    return float(retry_after)
