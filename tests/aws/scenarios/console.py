"""The console behind an HTTP gateway: a person signs in with a token, and reads what the grants let them read."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping

from gateway import Gateway, gateway
from registry import Case, Tally, check, scenario
from scenarios.data_products import NoRedirect, command, masking_secret, profile
from world import World

FUNCTION = "data-product"
# May read the runs of the pipeline, and no product.
OPERATOR = "ops"
# May read a product, and no run.
CONSUMER = "bi"
FORBIDDEN = 403


@scenario("the console")
def cases(world: World) -> Iterable[Case]:
    return [Case("an operator and a consumer each see their own", pages_of_two_readers)]


def pages_of_two_readers(world: World, tally: Tally) -> None:
    with gateway(FUNCTION, world.bed.addresses.account) as front:
        settings = {"SLUICE_SECRET_ARN": masking_secret(world), "SLUICE_ENDPOINT": front.endpoint}
        with world.deployment(tally, "console", environment=settings) as deployment:
            front.invoke_url = deployment.created.invoke_url
            first, second = world.samples.days(2)
            # The second file is held: its hold is read for the page of source objects.
            deployment.deliver([first, second.torn()])
            deployment.execute().expect("Published")
            tally.faults += 1
            held = deployment.bucket.list("holds/retail/")
            check(len(held) == 1, f"{len(held)} objects are held")
            command(world, deployment, "deploy", str(world.pipeline))
            status, text, _ = get(front, "/console/")
            check(status == 401 and "Token" in text, f"a stranger gets {status}")
            listed = deployment.bucket.list("runs/retail/")
            run = next(key for key in listed if key.endswith("/report.json")).split("/")[2]
            operator = signed_in(front, profile(world, deployment, front, OPERATOR))
            pages = ("/console/", "/console/runs", "/console/runs/retail", f"/console/runs/retail/{run}")
            for path in pages:
                status, text, headers = get(front, path, operator)
                check(status == 200 and run in text, f"{path} gets {status}: {text[-500:]}")
                check("default-src 'none'" in headers.get("content-security-policy", ""), f"{path} has no policy: {headers}")
            # Each of these needs a right that no other page needs: contracts, quarantine tables, and holds.
            for path, words in (
                ("/console/lineage", "silver/sales/transactions"),
                ("/console/quarantine/retail", run),
                (f"/console/quarantine/retail/{run}", "Some rows of"),
                ("/console/sources/retail", second.name),
            ):
                status, text, _ = get(front, path, operator)
                check(status == 200 and words in text, f"{path} gets {status}, without {words}: {text[-500:]}")
            consumer = signed_in(front, profile(world, deployment, front, CONSUMER))
            status, text, _ = get(front, "/console/", consumer)
            check(status == 200 and "sales/retail" in text and run not in text, f"a consumer gets {status}: {text[-500:]}")
            product = "/console/products/sales/retail"
            port = f"{product}/daily_revenue"
            for path in (product, port, f"{port}/sample", "/console/access/sales/retail"):
                status, text, _ = get(front, path, consumer)
                check(status == 200 and "daily_revenue" in text, f"a consumer gets {status} of {path}: {text[-500:]}")
                check(run not in text, f"{path} names a run to a consumer: {text[-500:]}")
            for path in (*pages[2:], "/console/quarantine/retail", "/console/sources/retail", f"{product}/transactions"):
                status, text, _ = get(front, path, consumer)
                check(status == 404, f"a consumer gets {status} of {path}")
            deployment.verify([first])
            refused = [one for one in deployment.requests() if one.role == FUNCTION and one.status == FORBIDDEN]
            check(not refused, f"the function lacks a right: {refused[:5]}")


def signed_in(front: Gateway, file: str) -> str:
    """The cookie that the holder of this profile gets."""
    with open(file, encoding="utf-8") as opened:
        token = json.load(opened)["bearerToken"]
    form = urllib.parse.urlencode({"token": token, "to": "/console/runs"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": front.endpoint}
    status, text, answered = sent(urllib.request.Request(f"{front.endpoint}/console/sign-in", data=form, headers=headers))
    check(status == 303 and answered.get("location") == "/console/runs", f"a sign-in gets {status} {answered}: {text[-500:]}")
    return answered["set-cookie"].split(";")[0]


def get(front: Gateway, path: str, cookie: str | None = None) -> tuple[int, str, Mapping[str, str]]:
    return sent(urllib.request.Request(front.endpoint + path, headers={"Cookie": cookie} if cookie else {}))


def sent(request: urllib.request.Request) -> tuple[int, str, Mapping[str, str]]:
    """Status, text and headers, whose names are in lower case; nothing is followed."""
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(request, timeout=60) as answer:
            return int(answer.status), answer.read().decode(), {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        return int(error.code), error.read().decode(), {name.lower(): value for name, value in error.headers.items()}
