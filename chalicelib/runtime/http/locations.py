"""Addresses in answers as the caller can use them: API Gateway's own URL has the stage before every path."""

from __future__ import annotations

from typing import Any

from chalicelib.runtime.http import client_address


def complete(event: dict[str, Any], headers: dict[str, Any]) -> None:
    """Put what stands before our paths, where the caller sees it, before that of a ``Location``.

    ``requestContext.path`` is the path as it was asked for: with the stage at API Gateway's own address, with what a
    custom domain maps to it; a CDN adds the stage behind the caller's back.
    """
    location, path = headers.get("Location"), str(event.get("path") or "")
    asked = str((event.get("requestContext") or {}).get("path") or "")
    if not isinstance(location, str) or not location.startswith("/") or not asked.endswith(path):
        return
    if not client_address.is_behind_cdn():
        headers["Location"] = asked[: len(asked) - len(path)].rstrip("/") + location
