"""Faces: pages that run in a browser beside the API, as files. Where each lies, what a page may do, what may be kept.

The CDN and the dev server serve them alike: the same paths, headers and way back to a page's one document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Face:
    """One of ``web/``'s folders that is built, and where browsers find it."""

    name: str
    at: str
    """The path under which its files lie, ``/shop/``."""
    built: str
    """The folder of what browsers load, under ``web/<name>/``."""


FACES: Final = (Face("storefront", "/shop/", "dist/h5"), Face("console", "/console/", "dist"))
HOME: Final = "/shop/"
"""Where the shop's own address leads."""
DOCUMENT: Final = "index.html"
FOREVER: Final = "public, max-age=31536000, immutable"
ASK: Final = "no-cache"
"""A browser keeps it and asks whether it is still so: a small answer, and no page of two releases."""

PREFIX: Final = "faces"
"""Where in the bucket of published files they lie; the CDN asks below it, so that paths are what browsers say."""
LEFT: Final = "left"
"""The tag of each file: ``yes`` once the newest build has it no more. Pages that are open ask for it for a while."""
LEFT_KEPT_DAYS: Final = 30

_NAMED_BY_CONTENT = re.compile(r"(^|/)assets/[^/]+[.-][A-Za-z0-9_-]{8}\.[a-z0-9.]+$")
"""As bundlers name what they write; what a folder was just copied from keeps its name and may change behind it."""

KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What a face may consist of; a build that holds anything else is not served, nor published."""


def kept(path: str) -> str:
    """Return how long a file may be kept, by its path within a face."""
    return FOREVER if _NAMED_BY_CONTENT.search(path) else ASK


def kind(path: str) -> str | None:
    """Return a file's content type; None for what no face consists of."""
    dot = path.rfind(".")
    return KINDS.get(path[dot:]) if dot > path.rfind("/") else None


def policy(uploads: Iterable[str] = ()) -> str:
    """Return the Content-Security-Policy of every face; ``uploads`` is where pictures of a complaint are posted to.

    No script or style but its own files, none in the page itself. Goods have their pictures wherever merchants keep
    them, so those alone may come from elsewhere. Payment and sign-in are other sites: a page goes there, it loads
    nothing of them.
    """
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' https: data: blob:",
        "media-src": "'self' https: blob:",
        "font-src": "'self'",
        "connect-src": " ".join(("'self'", *uploads)),
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def document_of(path: str) -> str | None:
    """Return the key of what to answer for a path that browsers ask for (``/shop/orders/1``); None outside the faces.

    A path that names no file is a place inside a face: its one document knows what to show there.
    """
    for face in FACES:
        if path.startswith(face.at):
            rest = path.removeprefix(face.at)
            is_file = "." in rest.rsplit("/", 1)[-1]
            return f"{face.at}{rest if is_file else DOCUMENT}"
    return None


def function_code() -> str:
    """Return what the CDN does with a path before it looks for a file: as ``document_of``, and the ways to a face.

    CloudFront's own small JavaScript, which runs at the edge within a millisecond; it knows no bucket and no caller.
    """
    return f"""// As on a laptop (tools/dev/faces.py): the way to the shop, and one document for all places in a face.
function handler(event) {{
  var request = event.request, path = request.uri;
  if (path === '/') return to('{HOME}');
  var faces = {[face.at for face in FACES]!r};
  for (var i = 0; i < faces.length; i++) {{
    if (path + '/' === faces[i]) return to(faces[i]);
    if (path.indexOf(faces[i]) === 0 && path.slice(path.lastIndexOf('/')).indexOf('.') < 0) {{
      request.uri = faces[i] + '{DOCUMENT}';
    }}
  }}
  return request;
}}
function to(path) {{
  var headers = {{ location: {{ value: path }}, 'cache-control': {{ value: '{ASK}' }} }};
  return {{ statusCode: 302, statusDescription: 'Found', headers: headers }};
}}
"""
