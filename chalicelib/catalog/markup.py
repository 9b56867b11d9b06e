"""Descriptions are merchants' HTML shown on our storefronts: only harmless markup is kept. Pure, stdlib only."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import Final

_TEXT = ("p", "br", "hr", "b", "strong", "i", "em", "u", "s", "span", "div", "a", "img", "blockquote", "ul", "ol", "li")
_KEPT: Final = frozenset({*_TEXT, *(f"h{size}" for size in range(1, 7)), "table", "thead", "tbody", "tr", "th", "td"})
_EMPTY: Final = frozenset({"br", "hr", "img"})
_DROPPED_WITH_CONTENT: Final = frozenset({"script", "style", "iframe", "object", "embed", "template", "svg", "math"})
_ATTRIBUTES: Final = {"a": ("href",), "img": ("src", "alt"), "td": ("colspan", "rowspan"), "th": ("colspan", "rowspan")}
_OPEN: Final = re.compile(r"<(?=[^<>]*(?:<|\Z))")
"""A tag that does not end before the next one begins is none. The parser would look for the end of each down to the end
of the text: a minute for 50,000 characters of ``<a <a <a``."""
_DECLARATION: Final = re.compile(r"<[!?][^<>]*>")
"""Word processors leave them behind; the parser stumbles over those it does not know."""
_LINKS: Final = ("https://", "http://", "/")


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED_WITH_CONTENT:
            self.silent += 1
        if self.silent or tag not in _KEPT:
            return
        kept = "".join(
            f' {name}="{escape(value)}"'
            for name, value in attrs
            if value is not None and name in _ATTRIBUTES.get(tag, ()) and _harmless(name, value)
        )
        self.parts.append(f"<{tag}{kept}>")
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED_WITH_CONTENT:
            self.silent = max(0, self.silent - 1)
        if self.silent or tag not in self.open:
            return
        while self.open:
            last = self.open.pop()
            self.parts.append(f"</{last}>")
            if last == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(escape(data, quote=False))

    def finish(self) -> str:
        self.close()
        self.parts.extend(f"</{tag}>" for tag in reversed(self.open))
        return "".join(self.parts)


def _harmless(name: str, value: str) -> bool:
    if name in ("href", "src"):
        return value.strip().lower().startswith(_LINKS) and not value.strip().startswith("//")
    return True


def clean(html: str) -> str:
    """Return the text with only harmless tags and attributes, well nested. Cleaning again changes nothing."""
    if "<" not in html and "&" not in html and ">" not in html:
        return html
    cleaner = _Cleaner()
    cleaner.feed(_DECLARATION.sub("", _OPEN.sub("&lt;", _without_comments(html))))
    return cleaner.finish()


def _without_comments(html: str) -> str:
    """Leave out comments. One that never ends takes the rest with it, as in a browser."""
    kept, at = [], 0
    while (begin := html.find("<!--", at)) >= 0:
        kept.append(html[at:begin])
        end = html.find("-->", begin + 4)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join([*kept, html[at:]])
