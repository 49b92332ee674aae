"""Signatures of AWS (SigV4) for an endpoint behind API Gateway with IAM, made by botocore."""

from __future__ import annotations

import re

from ._transport import Headers, Signer
from .errors import MissingExtraError, SluiceError

_EXECUTE_API = re.compile(r"^[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$")


def region_of(host: str) -> str | None:
    """The region of a host of API Gateway; None for another host.

    >>> region_of("abc123.execute-api.eu-central-1.amazonaws.com")
    'eu-central-1'
    >>> region_of("data.example.com") is None
    True
    """
    found = _EXECUTE_API.match(host)
    return found.group(1) if found else None


def signer(region: str, profile: str | None = None) -> Signer:
    """A signer with the credentials that botocore finds: environment, profile, SSO, container or instance role.

    Credentials are asked for at each signature, so that temporary ones are renewed.
    """
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session
    except ImportError as error:
        raise MissingExtraError(
            "the endpoint takes IAM callers, and botocore is not installed: pip install 'sluice-data[aws]'"
        ) from error
    credentials = Session(profile=profile).get_credentials()
    if credentials is None:
        raise SluiceError(
            "no AWS credentials were found: log in (`aws sso login`), or name a profile with `aws_profile`"
        )

    def sign(method: str, address: str, headers: Headers, body: bytes) -> Headers:
        # The user agent is left out of the signature: proxies change it.
        signed = {name: value for name, value in headers.items() if name != "user-agent"}
        request = AWSRequest(method=method, url=address, data=body, headers=signed)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
        return {**headers, **{name.lower(): str(value) for name, value in request.headers.items()}}

    return sign
