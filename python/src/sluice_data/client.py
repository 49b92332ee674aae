"""The client: where everything begins."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from . import _html
from ._aws import region_of, signer
from ._transport import LOOPBACK, Retries, Transport
from .errors import NotFoundError
from .models import Lineage, Port, Products, ProductSummary, Support, when
from .query import QueryResult
from .runs import Runs
from .table import Table, table_html

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}$")


def connect(
    endpoint: str | None = None,
    token: str | None = None,
    *,
    profile: str | os.PathLike[str] | None = None,
    api_key: str | None = None,
    aws_region: str | None = None,
    aws_profile: str | None = None,
    timeout: float = 60.0,
    retries: Retries | None = None,
    ssl_context: ssl.SSLContext | None = None,
    allow_http: bool = False,
) -> Client:
    """A client of the API at an endpoint; nothing is asked yet.

    What is left out is taken from a profile file (`profile`, as `sluice share create` writes it) and then from the
    environment: `SLUICE_ENDPOINT`, `SLUICE_TOKEN`, `SLUICE_API_KEY`. Without a token, an endpoint of API Gateway
    (or any with `aws_region`) is called with your AWS credentials, for which the extra `aws` is needed.

    `timeout` is the longest silence of the server in seconds; `retries` says how often requests that are safe to
    repeat are sent again. A token is sent by `https` alone, except to this machine or with `allow_http`.

    >>> client = connect("http://127.0.0.1:8080", "bi.a77c11df2c7d.secret")
    >>> client
    <Client of http://127.0.0.1:8080 with a token>
    >>> connect("http://data.example.com", "bi.a77c11df2c7d.secret")
    Traceback (most recent call last):
    ValueError: http://data.example.com is not https, and the token would be readable on the way: use https, or \
allow_http=True in a network that you trust
    """
    if profile is not None:
        stored_endpoint, stored_token = _profile(Path(profile))
        endpoint, token = endpoint or stored_endpoint, token or stored_token
    endpoint = endpoint or os.environ.get("SLUICE_ENDPOINT")
    if not endpoint:
        raise ValueError("no endpoint: give connect() one, or a profile file, or set SLUICE_ENDPOINT")
    token = token or os.environ.get("SLUICE_TOKEN") or None
    api_key = api_key or os.environ.get("SLUICE_API_KEY") or None
    if timeout <= 0:
        raise ValueError(f"timeout is {timeout:g}: it must be more than 0 seconds")
    endpoint = _endpoint(endpoint)
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    for name, secret in (("token", token), ("api_key", api_key)):
        # The value itself is in no message.
        if secret is not None and not re.fullmatch(r"[\x21-\x7e]+", secret):
            raise ValueError(f"{name} has blanks or other signs that no token has: copy it again")
    if (token or api_key) and parts.scheme == "http" and host not in LOOPBACK and not allow_http:
        raise ValueError(
            f"{endpoint} is not https, and the token would be readable on the way: use https, or "
            "allow_http=True in a network that you trust"
        )
    region = aws_region or region_of(host)
    sign = signer(region, aws_profile) if region is not None and token is None else None
    transport = Transport(
        endpoint,
        token=token,
        api_key=api_key,
        signer=sign,
        timeout=timeout,
        retries=retries,
        ssl_context=ssl_context,
    )
    proof = "a token" if token else "AWS credentials" if sign else "no credentials"
    return Client(transport, proof)


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"endpoint {text!r} is not an address such as https://data.example.com")
    if parts.username or parts.password:
        raise ValueError("the endpoint has a user or password in it: give a token instead")
    return text.rstrip("/")


def _profile(path: Path) -> tuple[str, str]:
    """Endpoint and token of a profile file of Delta Sharing, whose endpoint ends with `/sharing`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        endpoint, token = document["endpoint"], document["bearerToken"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not a profile file: `sluice share create --out FILE` writes one") from None
    return str(endpoint).rstrip("/").removesuffix("/sharing"), str(token)


@dataclass(frozen=True)
class Product:
    """A data product: what it is for, whose it is, and its tables."""

    domain: str
    name: str
    version: str
    status: str
    purpose: str | None
    limitations: str | None
    usage: str | None
    tags: tuple[str, ...]
    team: str | None
    owners: tuple[str, ...]
    support: tuple[Support, ...]
    tables: dict[str, Table]
    """The tables that you may find, by name."""
    _path: str
    _transport: Transport

    @property
    def address(self) -> str:
        """``<domain>.<name>``."""
        return f"{self.domain}.{self.name}"

    def table(self, name: str) -> Table:
        """A table by its name.

        Raises :class:`NotFoundError` when you may not find it.
        """
        if name in self.tables:
            return self.tables[name]
        has = ", ".join(self.tables) or "no table that you may find"
        raise NotFoundError("not-found", 404, f"{self.address} has no table `{name}` for you; it has: {has}")

    def __getitem__(self, name: str) -> Table:
        return self.table(name)

    def lineage(self) -> Lineage:
        """Where the data come from, and what is made of them."""
        return Lineage._of(self._transport.get(f"{self._path}/lineage").json())

    def __repr__(self) -> str:
        return f"<Product {self.address}: {', '.join(self.tables)}>"

    def _repr_html_(self) -> str:
        support = [_html.fact("support", _html.link(item.channel, item.url)) for item in self.support]
        tables = [
            _html.folded(
                f"{table.name}: {len(table.columns)} columns, committed {when(table.port.committed_at) or 'never'}",
                table_html(table),
            )
            for table in self.tables.values()
        ]
        return _html.card(
            self.address,
            self.purpose or "",
            _html.fact("status", f"{self.status}, version {self.version}"),
            _html.fact("owners", ", ".join(self.owners) or self.team),
            *support,
            _html.fact("tags", ", ".join(self.tags)) if self.tags else None,
            _html.fact("how to use it", self.usage) if self.usage else None,
            _html.fact("limitations", self.limitations) if self.limitations else None,
            *tables,
        )


class Client:
    """Reads data products, asks in SQL, and starts and follows runs. Safe for use by several threads."""

    def __init__(self, transport: Transport, proof: str) -> None:
        self._transport = transport
        self._proof = proof
        self.runs = Runs(transport)
        """Runs of pipelines: start, follow, list."""

    @property
    def endpoint(self) -> str:
        """The address of the API."""
        return self._transport.endpoint

    def each_product(
        self, *, domain: str | None = None, tag: str | None = None, q: str | None = None
    ) -> Iterator[ProductSummary]:
        """The products that you may find, page by page."""
        cursor = None
        while True:
            query = {"domain": domain, "tag": tag, "q": q, "cursor": cursor}
            page = self._transport.get("/data-products", query).json()
            for item in page["products"]:
                yield ProductSummary._of(item)
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def products(self, *, domain: str | None = None, tag: str | None = None, q: str | None = None) -> Products:
        """The products that you may find, of a domain, with a tag, or with these words."""
        return Products(self.each_product(domain=domain, tag=tag, q=q))

    def product(self, address: str) -> Product:
        """A product by its address, such as ``sales.retail``.

        Raises :class:`NotFoundError` when it does not exist, or you may not know of it.
        """
        names = address.replace("/", ".").split(".")
        if len(names) != 2 or not all(_NAME.match(name) for name in names):
            raise ValueError(f"{address!r} is not the address of a product: write <domain>.<product>")
        path = f"/data-products/{names[0]}/{names[1]}"
        given = self._transport.get(path).json()
        ports = (Port._of(item) for item in given["ports"])
        tables = {port.name: Table(f"{'.'.join(names)}.{port.name}", port, path, self._transport) for port in ports}
        support = (Support(item["channel"], item["url"], item.get("description")) for item in given["support"])
        return Product(
            domain=given["domain"],
            name=given["name"],
            version=given["version"],
            status=given["status"],
            purpose=given.get("purpose"),
            limitations=given.get("limitations"),
            usage=given.get("usage"),
            tags=tuple(given["tags"]),
            team=given.get("team"),
            owners=tuple(given["owners"]),
            support=tuple(support),
            tables=tables,
            _path=path,
            _transport=self._transport,
        )

    def table(self, address: str) -> Table:
        """A table by its address, such as ``sales.retail.daily_revenue``."""
        product, _, name = address.rpartition(".")
        if not product or not _NAME.match(name):
            raise ValueError(f"{address!r} is not the address of a table: write <domain>.<product>.<table>")
        return self.product(product).table(name)

    def sql(self, statement: str) -> QueryResult:
        """Asks one SELECT of the SQL subset; tables are called ``<domain>.<product>.<table>``.

        The answer has at most 10,000 rows: aggregate on the server, and read whole tables with
        :meth:`Table.batches`.
        """
        # A question changes nothing, so that it may be sent again.
        answer = self._transport.call("POST", "/query", body={"sql": statement, "format": "arrow"})
        return QueryResult(statement, answer.body)

    def close(self) -> None:
        """Closes the connections to the server."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.endpoint} with {self._proof}>"
