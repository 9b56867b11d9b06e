"""Descriptions are merchants' HTML shown on our storefronts: only harmless markup is kept. Pure.

Two steps. First one pass over the tags makes the text well nested and shallow: what has no end, or no beginning, or is
nested too deeply is left out, with all of its text kept. Then ``nh3`` reads it as browsers do and keeps the tags and
attributes named here. A browser's own rules for broken nesting copy open formatting into every block that follows: 50
KB written to that end became 56 MB in nine seconds. Behind the first step there is nothing broken left to repair.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from chalicelib.kernel import links

DEPTH: Final = 60
"""Tags in tags. More is left out."""
ATTRIBUTES_CHARS: Final = 4_000
"""Of one tag. A tag with longer ones loses them."""
_ROUNDS: Final = 3

_INLINE: Final = (
    "a abbr acronym b bdi big br cite code del dfn em i img ins kbd mark q rp rt ruby s samp small span strike strong"
    " sub sup tt u var wbr"
)
_BLOCKS: Final = (
    "address article aside blockquote caption center dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr"
    " li main ol p pre section table tbody td tfoot th thead tr ul"
)
_KEPT: Final = frozenset(f"{_INLINE} {_BLOCKS}".split())
_VOID: Final = frozenset(("br", "hr", "img", "wbr"))
_RAW: Final = frozenset(("script", "style", "iframe"))
"""Their content is no markup: it ends at their own end."""
_DROPPED_WITH_CONTENT: Final = frozenset((*_RAW, "object", "template", "svg", "math"))
_NEVER_SHOWN: Final = frozenset(("script", "style"))
"""What stands behind them is no text of the page, even where their end is missing."""
_LAST_END: Final = re.compile("</(iframe|object|template|svg|math)(?![a-z0-9:-])", re.IGNORECASE)
_ENDS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(_BLOCKS.split(), frozenset(("p",))),
    "li": frozenset(("p", "li")),
    **dict.fromkeys(("dt", "dd"), frozenset(("p", "dt", "dd"))),
    **dict.fromkeys(("rt", "rp"), frozenset(("rt", "rp"))),
    **dict.fromkeys(("td", "th"), frozenset(("p", "td", "th"))),
    "tr": frozenset(("p", "td", "th", "tr")),
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset(("p", "td", "th", "tr", "thead", "tbody", "tfoot"))),
}
"""Tag -> the open ones that it ends, because people leave these ends out."""
_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "*": set(),
    "a": {"href"},
    "img": {"src", "alt"},
    "li": {"value"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}

_TOKEN: Final = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<(?:[!?]|/[^a-zA-Z<>])[^<>]*>"
    r"""|<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9:-]*+)(?P<rest>"""
    r"""(?:"[^"<]*"|'[^'<]*'|[^"'<>]+)*+"""
    r"""|(?:[^"'<>]{0,200}+(?:"[^"]{0,2000}+"|'[^']{0,2000}+')){1,20}+[^"'<>]{0,200}+"""
    r"""|[^<>]*)>"""
    r"|<",
    re.DOTALL,
)
"""A comment (one that never ends takes the rest with it, as in a browser), a declaration, a tag, or no tag at all. No
alternative looks past the next ``<`` (a comment's search goes on where it ended), so the whole text is read once; but
for the one of tags with ``<`` in a quoted value, as office programs leave them, which looks at so many short values."""
_ADDRESS: Final = re.compile(links.ADDRESS_OR_PATH)
_BREAKS: Final = re.compile(r"[\t\n\r]")
_CONTROLS_AND_SPACE: Final = "".join(map(chr, range(0x21)))


def clean(html: str) -> str:
    """Return the text with only harmless tags and attributes, well nested. Cleaning again changes nothing."""
    if "<" not in html and "&" not in html and ">" not in html:
        return html
    cleaned = _once(html)
    for _ in range(_ROUNDS):
        again = _once(cleaned)
        if again == cleaned:
            return cleaned
        cleaned = again
    return _text_only(cleaned)  # Markup that means something else each time it is read is no markup.


def link(value: str) -> str | None:
    """Return a link or a picture's address as browsers take it, None if it is none of ours to show.

    Absolute over HTTP, relative to the host (``//host``: HTTPS), or a path. Browsers read a backslash as a slash and
    leave line breaks out, so a path that begins with both slashes is another host: nothing with a backslash is kept.
    """
    text = links.escaped(links.with_scheme(_BREAKS.sub("", value).strip(_CONTROLS_AND_SPACE)))
    return text if _ADDRESS.fullmatch(text) else None


def _once(html: str) -> str:
    import nh3  # Only who writes a description needs it.

    return nh3.clean(
        _Nested().read(html),
        tags=set(_KEPT),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        link_rel=None,
        url_schemes={"http", "https"},
    )


def _text_only(html: str) -> str:
    import nh3

    return nh3.clean(html, tags=set(), clean_content_tags=set(_DROPPED_WITH_CONTENT), link_rel=None)


def _attribute(_: str, name: str, value: str) -> str | None:
    if name in ("href", "src"):
        return link(value)
    if name == "alt":
        return value
    return value if value.isascii() and value.isdigit() and len(value) <= 4 else None


class _Nested:
    """Writes the tags of a text well nested, in one pass."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open: list[tuple[str, bool]] = []
        """Each open tag, and whether it was written."""
        self._counts: Counter[str] = Counter()
        self._written = 0
        self._silent = ""
        """The tag whose content is being left out."""
        self._last_ends: dict[str, int] = {}
        """Where the last end of each such tag is: one that has no end behind it takes no text with it."""
        self._silent_depth = 0

    def read(self, html: str) -> str:
        """Return the text, well nested."""
        at = 0
        self._last_ends = {found[1].lower(): found.start() for found in _LAST_END.finditer(html)}
        for token in _TOKEN.finditer(html):
            self._text(html[at : token.start()])
            at = token.end()
            tag = token["tag"]
            if tag is not None:
                self._tag(tag.lower(), token)
            elif token[0] == "<":
                self._text("&lt;")
        self._text(html[at:])
        while self._open:
            self._close_last()
        return "".join(self._parts)

    def _text(self, text: str) -> None:
        if text and not self._silent:
            self._parts.append(text)

    def _tag(self, tag: str, token: re.Match[str]) -> None:
        if self._silent:
            self._while_silent(tag, token)
        elif token["end"]:
            self._end(tag)
        elif tag in _DROPPED_WITH_CONTENT:
            if tag in _NEVER_SHOWN or self._has_content(tag, token):
                self._silent, self._silent_depth = tag, 1
        elif tag in _KEPT:
            self._begin(tag, token["rest"])

    def _has_content(self, tag: str, token: re.Match[str]) -> bool:
        return not token["rest"].endswith("/") and self._last_ends.get(tag, -1) > token.start()

    def _while_silent(self, tag: str, token: re.Match[str]) -> None:
        if tag != self._silent:
            return
        if token["end"]:
            self._silent_depth -= 1
        elif tag not in _RAW and not token["rest"].endswith("/"):
            self._silent_depth += 1
        if not self._silent_depth:
            self._silent = ""

    def _begin(self, tag: str, rest: str) -> None:
        ended = _ENDS.get(tag, ())
        while self._open and self._open[-1][0] in ended:
            self._close_last()
        written = self._written < DEPTH
        if written:
            keeps = tag in _ATTRIBUTES and len(rest) <= ATTRIBUTES_CHARS
            self._parts.append(f"<{tag}{rest.rstrip('/').replace('<', '&lt;')}>" if keeps else f"<{tag}>")
        if tag not in _VOID:
            self._open.append((tag, written))
            self._counts[tag] += 1
            self._written += written

    def _end(self, tag: str) -> None:
        if tag == "br" and self._written < DEPTH:
            self._parts.append("<br>")
        if not self._counts[tag]:
            return
        while self._close_last() != tag:
            pass

    def _close_last(self) -> str:
        tag, written = self._open.pop()
        self._counts[tag] -= 1
        if written:
            self._written -= 1
            self._parts.append(f"</{tag}>")
        return tag
