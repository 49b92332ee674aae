"""Clients of the bed's S3 and of moto, for a role or for the operator."""

from __future__ import annotations

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from bed import Addresses
from control import RoleCredentials


class Services:
    """Creates clients that ignore the AWS configuration of this machine."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def s3(self, credentials: RoleCredentials | None = None) -> BaseClient:
        """S3 as the operator, or as a function's role. Faults are meant for the functions, so these clients never retry."""
        config = Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
            proxies={},
        )
        return self._client("s3", self._addresses.s3, config, credentials)

    def aws(self, service: str) -> BaseClient:
        """A service that moto emulates."""
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=32, proxies={}, read_timeout=60)
        return self._client(service, self._addresses.aws, config, None)

    def _client(
        self, service: str, endpoint: str, config: Config, credentials: RoleCredentials | None
    ) -> BaseClient:
        addresses = self._addresses
        # A new session each time: clients can be shared between threads, sessions cannot.
        return boto3.Session().client(
            service,
            endpoint_url=endpoint,
            region_name=addresses.region,
            aws_access_key_id=credentials.access_key_id if credentials else addresses.access_key_id,
            aws_secret_access_key=credentials.secret_access_key if credentials else addresses.secret_access_key,
            aws_session_token=credentials.session_token if credentials else None,
            config=config,
        )
