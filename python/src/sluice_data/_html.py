"""Markup for notebooks. :func:`element` is the only way to make it, and escapes every text.

No script, no address of another server, no style sheet: colours are those of the notebook with transparent greys over
them, so that pages are readable in light and in dark.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

GOOD, BAD, NEUTRAL = "good", "bad", "neutral"

_LINE = "1px solid rgba(128,128,128,.35)"
_COLOURS = {GOOD: "#2a9d62", BAD: "#d64545", NEUTRAL: "rgba(128,128,128,.8)"}
_CELL = f"text-align:left;vertical-align:top;padding:.25em .7em;border-bottom:{_LINE};background:transparent"


class Html(str):
    """Markup: made by :func:`element` alone."""

    __slots__ = ()


Child = str | Html | None


def element(tag: str, *children: Child, **attributes: str) -> Html:
    """An element with escaped texts and attributes.

    >>> element("b", "<script>")
    '<b>&lt;script&gt;</b>'
    """
    given = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{given}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Parts behind each other: markup as it is, texts escaped."""
    return Html("".join(part if isinstance(part, Html) else html.escape(part) for part in children if part))


def card(title: str, subtitle: str, *parts: Child) -> Html:
    """The frame around a representation."""
    return element(
        "div",
        element("div", title, style="font-weight:600;font-size:1.1em"),
        element("div", subtitle, style="opacity:.75;margin-bottom:.5em") if subtitle else None,
        *parts,
        style=f"border:{_LINE};border-radius:6px;padding:.8em 1em;margin:.3em 0;max-width:72em;overflow-x:auto",
    )


def badge(text: str, tone: str = NEUTRAL) -> Html:
    """A word that stands out; its meaning is in the word, not in the colour alone."""
    return element(
        "span",
        text,
        style=f"border:1px solid {_COLOURS[tone]};border-left-width:5px;border-radius:3px;padding:0 .5em;"
        "font-weight:600;white-space:nowrap",
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[Child]], caption: str = "") -> Html:
    """A table with heads."""
    head = element("tr", *(element("th", name, scope="col", style=_CELL) for name in heads))
    body = [element("tr", *(element("td", cell, style=_CELL) for cell in row)) for row in rows]
    return element(
        "table",
        element("caption", caption, style="text-align:left;font-weight:600;padding:.4em 0") if caption else None,
        element("thead", head),
        element("tbody", *body),
        style="border-collapse:collapse;margin:.4em 0;background:transparent",
    )


def fact(name: str, value: Child) -> Html:
    """One line: a name and what it is."""
    return element("div", element("span", f"{name}: ", style="opacity:.75"), value)


def link(text: str, address: str) -> Html:
    """A link, where the address is one of the web or of mail; else the text alone."""
    if address.startswith(("https://", "http://", "mailto:")):
        # The blue of browsers cannot be read on a dark page.
        style = "color:inherit;text-decoration:underline"
        return element("a", text, href=address, rel="noopener noreferrer", target="_blank", style=style)
    return element("span", text)


def folded(summary: str, *parts: Child) -> Html:
    """Parts that are shown when somebody opens them."""
    return element("details", element("summary", summary, style="cursor:pointer"), *parts)
