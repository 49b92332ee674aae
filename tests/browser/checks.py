"""What every page of the console must have."""

from __future__ import annotations

import json
import pathlib
import urllib.parse
from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page, Request

# Most presses of the Tab key on one page.
MOST_TABS = 400
# What can have the focus, in the order of the page.
FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
# Is the focused element seen, and does it show that it is focused?
FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  return {
    index: Array.from(document.querySelectorAll(FOCUSABLE)).indexOf(element),
    words: (element.getAttribute('aria-label') || element.textContent || element.getAttribute('name') || '').trim().slice(0, 60),
    outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
    width: box.width, height: box.height,
  };
}""".replace("FOCUSABLE", json.dumps(FOCUSABLE))


@dataclass
class Watched:
    """What a browser reported while it was used."""

    origin: str
    problems: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium reports each answer of 401 and 404, which the suite asks for on purpose.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(f"{message.location.get('url')}: {message.text}")

    def _asked(self, request: Request) -> None:
        address = urllib.parse.urlsplit(request.url)
        if f"{address.scheme}://{address.netloc}" != self.origin:
            self.problems.append(f"a request to {request.url}")


def findings(page: Page, axe: pathlib.Path) -> list[str]:
    """What axe-core finds: rules of WCAG 2.2 A and AA, and what it calls best practice."""
    # The page's policy lets no script run, so axe comes in by the debugger and not as an element.
    page.evaluate(axe.read_text(encoding="utf-8") + "; undefined")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    result = page.evaluate("tags => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })", tags)
    return [
        f"{page.url}: {found['id']} ({found['impact']}): {node['target']} {node['html'][:200]}"
        for found in result["violations"] for node in found["nodes"][:3]
    ]


def keyboard(page: Page) -> list[str]:
    """Tab reaches everything that can be used, in the order of the page, and each thing shows that it is focused."""
    problems = []
    expected = page.evaluate(
        "words => Array.from(document.querySelectorAll(words)).filter(e => e.tabIndex >= 0).length", FOCUSABLE
    )
    reached: list[int] = []
    for _ in range(min(expected, MOST_TABS)):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        reached.append(focused["index"])
        if not focused["outline"]:
            problems.append(f"{page.url}: nothing shows that '{focused['words']}' is focused")
        if focused["width"] < 1 or focused["height"] < 1:
            problems.append(f"{page.url}: '{focused['words']}' is focused and not seen")
    if len(set(reached)) < min(expected, MOST_TABS):
        problems.append(f"{page.url}: Tab reaches {len(set(reached))} of {expected} things")
    if reached != sorted(reached):
        problems.append(f"{page.url}: Tab leaves the order of the page: {reached}")
    return problems


def skip_link(page: Page) -> list[str]:
    """The first thing that Tab reaches leads to the content."""
    page.evaluate("() => document.activeElement && document.activeElement.blur()")
    page.keyboard.press("Tab")
    words = page.evaluate("() => document.activeElement.textContent")
    page.keyboard.press("Enter")
    place = page.evaluate("() => document.activeElement.id")
    return [] if (words, place) == ("Skip to the content", "main") else [f"{page.url}: the first link is '{words}' and leads to '{place}'"]


def fits(page: Page, width: int) -> list[str]:
    """Nothing makes the page wider than a small screen; tables scroll by themselves."""
    page.set_viewport_size({"width": width, "height": 800})
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{page.url}: {wide} pixels wider than {width}"] if wide > 0 else []
