#!/usr/bin/env python3
"""Opens every page of the console in Chromium: see README.md. Exit code 0: nothing was found; 1: what was found is printed."""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

sys.dont_write_bytecode = True

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright  # noqa: E402

import lake as lakes  # noqa: E402
from checks import Watched, findings, fits, keyboard, skip_link  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# May read the runs and a product of the example.
PRINCIPAL = "arn:aws:iam::123456789012:role/analyst"
# Most pages that are visited; of each kind, the checks that take long are made on the first ones.
MOST_PAGES = 300
MOST_OF_A_KIND = 3
# Milliseconds that a page of the large lake may take, of several calls the middle one.
MOST_MS = 300
RUNS, PRODUCTS, PORTS = 200, 100, 5
# A small telephone, and 400 % of a screen of 1280 pixels.
NARROW = 320


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sluice", type=pathlib.Path, help="the command; its lakes are made and served")
    parser.add_argument("--url", help="instead: the address that `sluice ui --no-open` has printed")
    parser.add_argument("--axe", type=pathlib.Path, required=True, help="axe.min.js of axe-core")
    parser.add_argument("--chromium", required=True, help="the program of the browser")
    parser.add_argument("--shots", type=pathlib.Path, required=True, help="folder for pictures")
    options = parser.parse_args()
    if (options.sluice is None) == (options.url is None):
        parser.error("give --sluice or --url")
    options.shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Tests run in containers as root, where Chromium's sandbox cannot.
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        try:
            problems = judged(browser, options)
        finally:
            browser.close()
    for problem in problems:
        print(f"found: {problem}")
    return 1 if problems else 0


def judged(browser: Browser, options: argparse.Namespace) -> list[str]:
    if options.url is not None:
        return Visit(browser, options, options.url).all_pages()
    sluice = lakes.Sluice(options.sluice)
    with tempfile.TemporaryDirectory(prefix="sluice-browser-") as name:
        folder = pathlib.Path(name)
        small = lakes.real(sluice, REPOSITORY, folder)
        with served(options.sluice, small) as address:
            visit = Visit(browser, options, address)
            problems = visit.all_pages()
            problems += signs_in_by_keyboard(browser, sluice, small, folder, address)
        large = lakes.large(small, folder, RUNS, PRODUCTS, PORTS)
        with served(options.sluice, large) as address:
            problems += fast_pages(address)
    return problems


@contextmanager
def served(sluice: pathlib.Path, lake: pathlib.Path) -> Iterator[str]:
    """The console of a lake; the address signs its browser in, once."""
    command = [sluice, "ui", "--lake", lake, "--as", PRINCIPAL, "--port", "0", "--json", "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["console"]
    finally:
        server.terminate()
        server.wait(timeout=30)


class Visit:
    """One browser that visits every page."""

    def __init__(self, browser: Browser, options: argparse.Namespace, address: str) -> None:
        self.browser, self.options, self.address = browser, options, address
        parts = urllib.parse.urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.problems: list[str] = []
        self.kinds: dict[str, int] = {}

    def all_pages(self) -> list[str]:
        context = self.browser.new_context(java_script_enabled=True, viewport={"width": 1280, "height": 900})
        watched = Watched(self.origin)
        page = context.new_page()
        watched.watch(page)
        page.goto(self.address)
        waiting, known = ["/console/", "/console/nowhere", "/console/search?q=retail", "/console/search?q=nothing+at+all"], set[str]()
        while waiting and len(known) < MOST_PAGES:
            path = waiting.pop(0)
            if path in known:
                continue
            known.add(path)
            waiting += self.one(context, page, path)
        self.problems += watched.problems
        self.signed_out(page)
        context.close()
        print(f"{len(known)} pages of {len(self.kinds)} kinds in {self.options.shots}: {len(self.problems)} findings")
        return self.problems

    def one(self, context: BrowserContext, page: Page, path: str) -> list[str]:
        """Judges a page, and returns where its links lead."""
        page.set_viewport_size({"width": 1280, "height": 900})
        answer = page.goto(self.origin + path)
        expected = 404 if path == "/console/nowhere" else 200
        if answer is None or answer.status != expected:
            self.problems.append(f"{path} gets {answer and answer.status}")
            return []
        if page.locator("h1").count() != 1 or page.locator("script").count() > 0:
            self.problems.append(f"{path}: not one heading, or a script")
        kind = kind_of(path)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if self.kinds[kind] <= MOST_OF_A_KIND:
            # Each begins where nothing had the focus: a browser goes on from where it was.
            self.problems += keyboard(page)
            page.goto(self.origin + path)
            self.problems += skip_link(page)
            page.goto(self.origin + path)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                self.problems += [f"{scheme}: {found}" for found in findings(page, self.options.axe)]
                if self.kinds[kind] == 1:
                    page.screenshot(path=self.options.shots / f"{kind}-{scheme}.png", full_page=True)
            page.emulate_media(color_scheme="light")
            self.problems += fits(page, NARROW)
        links = page.eval_on_selector_all("a[href]", "found => found.map(e => e.getAttribute('href'))")
        return [link.split("#")[0] for link in links if link.startswith("/console")]

    def signed_out(self, page: Page) -> None:
        """The button ends the session, and the page before the sign-in is judged, too."""
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(self.origin + "/console/")
        page.get_by_role("button", name="Sign out").click()
        if not page.url.endswith("/console/sign-in") or page.get_by_label("Token").count() != 1:
            self.problems.append(f"signing out leads to {page.url}")
        self.problems += keyboard(page) + findings(page, self.options.axe)
        page.screenshot(path=self.options.shots / "sign-in-light.png", full_page=True)
        page.goto(self.origin + "/console/runs")
        if page.get_by_label("Token").count() != 1:
            self.problems.append("a page is shown after the sign-out")


def kind_of(path: str) -> str:
    """`/console/runs/retail/one?x` is of the kind `runs-2`: a page of a thing below two names."""
    parts = [part for part in urllib.parse.urlsplit(path).path.removeprefix("/console").split("/") if part]
    return re.sub(r"[^a-z-]", "", parts[0]) + (f"-{len(parts) - 1}" if len(parts) > 1 else "") if parts else "overview"


def signs_in_by_keyboard(browser: Browser, sluice: lakes.Sluice, lake: pathlib.Path, folder: pathlib.Path, address: str) -> list[str]:
    """From a link of a run to its page, by way of the sign-in, without a mouse and without JavaScript."""
    file = folder / "ops.share"
    origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(address))
    sluice("share", "create", "--lake", lake, "--recipient", "ops", "--endpoint", origin, "--out", file)
    token = json.loads(file.read_text(encoding="utf-8"))["bearerToken"]
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{origin}/console/runs/retail?state=rejected")
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.locator("#token:focus").count() == 1:
            break
    page.keyboard.type("ops.0123456789ab.00")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    problems = []
    if page.get_by_role("alert").count() != 1:
        problems.append("a wrong token is refused without a word")
    for _ in range(6):
        if page.locator("#token:focus").count() == 1:
            break
        page.keyboard.press("Tab")
    page.keyboard.type(token)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    if not page.url.endswith("/console/runs/retail?state=rejected") or page.locator("text=Signed in as recipient:ops").count() != 1:
        problems.append(f"a sign-in by keyboard leads to {page.url}")
    context.close()
    return problems


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """Returns a redirection instead of following it."""

    def redirect_request(self, *_: object) -> None:
        return None


def fast_pages(address: str) -> list[str]:
    """Pages of a large lake, when it was read once: the middle of nine calls."""
    origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(address))
    try:
        urllib.request.build_opener(Unfollowed).open(address, timeout=60)
        return ["the address signs nobody in"]
    except urllib.error.HTTPError as error:
        cookie = error.headers["Set-Cookie"].split(";")[0]
    problems = []
    for path in ("/console/", "/console/runs", "/console/runs/retail/run-0001", "/console/search?q=country", "/console/products",
                 "/console/products/sales/made001", "/console/products/sales/made001/table1", "/console/lineage"):
        times = []
        for _ in range(10):
            began = time.perf_counter()
            request = urllib.request.Request(origin + path, headers={"Cookie": cookie})
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    size = len(answer.read())
            except urllib.error.HTTPError as error:
                problems.append(f"{path} gets {error.code} in the large lake")
                break
            times.append((time.perf_counter() - began) * 1000)
        else:
            first, middle = times[0], sorted(times[1:])[len(times) // 2 - 1]
            print(f"  {path:<45} {first:7.1f} ms at first, {middle:7.1f} ms after, {size:>9} bytes")
            if middle > MOST_MS:
                problems.append(f"{path} takes {middle:.0f} ms in a lake of {RUNS} runs and {PRODUCTS * PORTS} tables")
    return problems


if __name__ == "__main__":
    sys.exit(main())
