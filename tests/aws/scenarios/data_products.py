"""Data products behind an HTTP gateway: the real function, presigned S3 addresses, and independent clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterable

from bed import REPOSITORY
from deployment import Deployment
from gateway import Gateway, gateway
from json_values import Json
from registry import Case, Tally, Unavailable, check, scenario
from world import World

FUNCTION = "data-product"
ANALYST = "arn:aws:sts::123456789012:assumed-role/analyst/ann"
REVENUE, LINES = "gold/sales/daily_revenue", "silver/sales/transactions"
ROWS = "/data-products/sales/retail/rows"
CLIENT_SECONDS = 180
FORBIDDEN = 403
# How long an address may be valid.
LINK_SECONDS = 900
# Rows of an answer of some 7 MB.
LARGE_ROWS = 5000


@scenario("data products")
def cases(world: World) -> Iterable[Case]:
    if not os.environ.get("SLUICE_APIS_PYTHON"):
        raise Unavailable("the Python environment with the API clients is missing: `cargo xtask test` installs it")
    return [Case("the public client of Delta Sharing, IAM callers, a governed copy", served, is_long=True)]


def served(world: World, tally: Tally) -> None:
    account = world.bed.addresses.account
    with gateway(FUNCTION, account) as front:
        settings = {"SLUICE_SECRET_ARN": masking_secret(world), "SLUICE_ENDPOINT": front.endpoint}
        with world.deployment(tally, "apis", environment=settings) as deployment:
            front.invoke_url = deployment.created.invoke_url
            days = world.samples.days(2)
            for day in days:
                deployment.deliver([day])
                deployment.execute().expect("Published")
            command(world, deployment, "deploy", str(world.pipeline))
            public_client(world, deployment, front)
            iam_callers(front)
            forbidden = governed_copy(world, deployment, front)
            deployment.verify(days)
            # Clients first send HEAD to addresses signed for GET; S3 refuses it and the clients go on. One address was altered on purpose.
            refused = [one for one in deployment.requests() if one.role == FUNCTION and one.status == FORBIDDEN]
            refused = [one for one in refused if one.method != "HEAD" and one.key != forbidden]
            check(not refused, f"the function lacks a right: {refused[:5]}")


def masking_secret(world: World) -> str:
    """The ARN of a new secret, as a deployment gives it to the function. With a line end, as `put-secret-value` writes it from a file."""
    secrets = world.services.aws("secretsmanager")
    return secrets.create_secret(Name=f"masking-{uuid.uuid4().hex}", SecretString="0123456789abcdef" * 4 + "\n")["ARN"]


def command(world: World, deployment: Deployment, *words: str) -> None:
    finished = world.commands.sluice([*words, "--lake", deployment.created.lake], world.bed.addresses.environment())
    check(finished.code == 0, str(finished))


def profile(world: World, deployment: Deployment, front: Gateway, recipient: str) -> str:
    file = world.folder / f"{deployment.name}-{recipient}.share"
    command(world, deployment, "share", "create", "--recipient", recipient, "--endpoint", front.endpoint, "--out", str(file))
    return str(file)


def public_client(world: World, deployment: Deployment, front: Gateway) -> None:
    """Every way in which the client can read, in both forms, compared with the table that `deltalake` reads directly from S3."""
    addresses = world.bed.addresses
    file = profile(world, deployment, front, "bi")
    judge = [os.environ["SLUICE_APIS_PYTHON"], str(REPOSITORY / "tests/judges/sharing_client.py"), file]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "AWS_ACCESS_KEY_ID": addresses.access_key_id,
        "AWS_SECRET_ACCESS_KEY": addresses.secret_access_key,
        "AWS_REGION": addresses.region,
        "AWS_ENDPOINT_URL": addresses.s3,
        "AWS_ALLOW_HTTP": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    judged = subprocess.run(
        [*judge, "sales.retail.daily_revenue", f"s3://{deployment.bucket.name}/{REVENUE}"],
        env=environment, capture_output=True, text=True, timeout=CLIENT_SECONDS, check=False,
    )
    check(judged.returncode == 0, f"the client disagrees: {judged.stdout[-1500:]}{judged.stderr[-1500:]}")
    print(f"  {judged.stdout.strip().splitlines()[-1]}", file=sys.stderr)


def iam_callers(front: Gateway) -> None:
    """A caller that API Gateway authenticated is recognised by its ARN, and never by a header."""
    status, _ = call(front, f"{ROWS}?port=transactions&limit=3")
    check(status == 401, f"a caller without credentials gets {status}")
    front.caller = ANALYST
    try:
        status, page = call(front, f"{ROWS}?port=transactions&limit=3")
        check(status == 200, f"an analyst gets {status}: {page}")
        known = [row["customer_id"] for row in page["rows"] if row["customer_id"] is not None]
        check(all(len(text) == 32 for text in known), f"customer numbers are not hashes: {known}")
        question = {"sql": "SELECT COUNT(*) AS n FROM sales.retail.transactions"}
        status, answer = call(front, "/query", question)
        check(status == 200 and answer["rows"][0]["n"] > 0, f"a query gets {status}: {answer}")
        large_answer(front)
        status, page_of_history = call(front, "/data-products/sales/retail/quality?port=transactions")
        check(status == 200 and page_of_history["audits"], f"quality gets {status}: {page_of_history}")
        status, page_of_history = call(front, "/data-products/sales/retail/lineage")
        check(status == 200, f"lineage gets {status}: {page_of_history}")
    finally:
        front.caller = None


def authorizer(deployment: Deployment, token: str) -> None:
    """API Gateway checks each token with the authorizer first."""
    arn = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/live/GET/sharing/shares"
    recipient, number, secret = token.split(".")
    other = f"{recipient}.{number}.{secret[::-1]}"
    unknown = f"{recipient}.{number[::-1]}.{secret}"
    for sent, expected in ((token, "Allow"), (other, "Deny"), (unknown, "Deny"), ("nonsense", "Deny")):
        event = {"type": "TOKEN", "authorizationToken": f"Bearer {sent}", "methodArn": arn}
        answer = deployment.invoked("authorize", event)
        effect = answer["policyDocument"]["Statement"][0]["Effect"]
        check(effect == expected, f"the effect for a token is {effect}, not {expected}")


def large_answer(front: Gateway) -> None:
    """An answer that is too large for a response is in a file, whose address is valid for one object and some minutes."""
    port, long_text = "sales.retail.transactions", " || ".join(["a.country"] * 100)
    # Joins each row with all rows of its country: many more rows than requested.
    pairs = f"{port} AS a JOIN {port} AS b ON a.country = b.country"
    question = {"sql": f"SELECT {long_text} AS text FROM {pairs} LIMIT {LARGE_ROWS}", "format": "ndjson"}
    request = urllib.request.Request(
        f"{front.endpoint}/query", data=json.dumps(question).encode(), headers={"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(request, timeout=60) as answer:
            check(False, f"a large answer gets {answer.status} with {len(answer.read())} bytes")
    except urllib.error.HTTPError as error:
        check(error.code == 303, f"a large answer gets {error.code}: {error.read()[:500]!r}")
        address = error.headers["Location"]
    signed = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)
    check(int(signed["X-Amz-Expires"][0]) <= LINK_SECONDS, f"the address is valid for {signed['X-Amz-Expires']} s")
    with urllib.request.urlopen(address, timeout=60) as file:
        lines = file.read().splitlines()
    check(len(lines) == LARGE_ROWS, f"the file has {len(lines)} rows")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Returns a redirection instead of following it."""

    def redirect_request(self, *_: object) -> None:
        return None


def governed_copy(world: World, deployment: Deployment, front: Gateway) -> str:
    """A caller with partial access gets addresses of a copy, and S3 refuses such an address changed to the key of another object."""
    with open(profile(world, deployment, front, "acme"), encoding="utf-8") as file:
        token = json.load(file)["bearerToken"]
    authorizer(deployment, token)
    shared = "/sharing/shares/sales/schemas/retail/tables/transactions/query"
    status, text = call(front, shared, {}, token)
    check(status == 200, f"a recipient gets {status}: {text}")
    files = [json.loads(line)["file"]["url"] for line in str(text).splitlines() if '"file"' in line]
    check(bool(files) and all("/copies/" in url and "/silver/" not in url for url in files), "a file of the table is handed out")
    check(fetch(files[0]) == 200, "the address does not work")
    table_file = next(key for key in deployment.bucket.list(f"{LINES}/") if key.endswith(".parquet"))
    copied = files[0].split("?", 1)[0].split(f"{deployment.bucket.name}/", 1)[1]
    check(fetch(files[0].replace(copied, table_file)) == FORBIDDEN, "the address also works for another object")
    return str(table_file)


def fetch(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def call(front: Gateway, path: str, body: Json = None, token: str | None = None) -> tuple[int, Json]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(front.endpoint + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = int(error.code), error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text
