"""Product pictures without any image file: drawn as SVG from the words in their address."""

from __future__ import annotations

import hashlib
from urllib.parse import quote
from xml.sax.saxutils import escape

from tools.shared.httpd import Response

_ICONS = {
    # A few strokes for each kind of goods, on a canvas of 200 x 200.
    "cup": "M50 70h90v50a35 35 0 0 1-35 35h-20a35 35 0 0 1-35-35zM140 85h15a15 15 0 0 1 0 40h-17",
    "leaf": "M45 150C45 80 95 50 160 45c0 70-35 110-115 105zM45 150C75 110 105 90 130 75",
    "shirt": "M70 50l-35 25 15 25 15-8v65h70V92l15 8 15-25-35-25c-10 15-50 15-60 0z",
    "lamp": "M75 50h50l20 50H55zM100 100v45M70 150h60",
    "book": "M50 55c20-8 35-6 50 5 15-11 30-13 50-5v90c-20-8-35-6-50 5-15-11-30-13-50-5zM100 60v90",
    "phone": "M70 40h60v120H70zM92 148h16",
    "bag": "M55 80h90l8 75H47zM75 80c0-45 50-45 50 0",
    "bowl": "M45 90h110c0 40-25 65-55 65s-55-25-55-65zM60 75c5-10-5-15 0-25M100 75c5-10-5-15 0-25M140 75v-25",
    "ticket": "M45 75h110v18a9 9 0 0 0 0 18v19H45v-19a9 9 0 0 0 0-18zM80 75v55",
    "tool": "M60 140l55-55a25 25 0 0 1 30-32l-15 17 10 12 17-13a25 25 0 0 1-32 28l-53 55z",
}


def address(icon: str, label: str) -> str:
    """Return the address of a picture, relative to the API's: it holds whatever port that has."""
    return f"/_dev/pictures/{icon}/{quote(label)}.svg"


def respond(words: list[str]) -> Response:
    """Serve ``<icon>/<label>.svg``."""
    if len(words) != 2 or words[0] not in _ICONS or not words[1].endswith(".svg"):
        return Response(404)
    headers = [("Content-Type", "image/svg+xml; charset=utf-8"), ("Cache-Control", "public, max-age=86400")]
    return Response(200, headers, draw(words[0], words[1].removesuffix(".svg")).encode())


def draw(icon: str, label: str) -> str:
    """Return the SVG: the goods' outline on a colour of its own, its name below."""
    hue = int.from_bytes(hashlib.blake2b(label.encode(), digest_size=2).digest()) % 360
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" role="img">'
        f'<rect width="200" height="200" fill="hsl({hue} 45% 92%)"/>'
        f'<path d="{_ICONS[icon]}" fill="none" stroke="hsl({hue} 45% 35%)" stroke-width="6" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
        f'<text x="100" y="186" text-anchor="middle" font-family="sans-serif" font-size="14" '
        f'fill="hsl({hue} 45% 25%)">{escape(label[:24])}</text></svg>'
    )
