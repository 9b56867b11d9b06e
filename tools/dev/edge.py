"""The CDN in front of the published files, as far as readers see it: the same paths, headers and page for 404.

Files come from the embedded bucket with what they were written with; nothing is kept here, a browser keeps enough.
"""

from __future__ import annotations

import re
from typing import Any

from chalicelib.runtime import aws, published
from chalicelib.runtime.config import config
from infra import edge
from tools.shared.httpd import Request, Response

_KEY = re.compile(rf"/({published.ROOT}/[a-z]+/[a-z0-9_-]+(/[a-z0-9_-]+)?\.json)(\?.*)?")
HEADERS = [(n, v) for n, v in edge.SECURITY_HEADERS.items() if n != "Strict-Transport-Security"]
SHARED = ("Access-Control-Allow-Origin", "*")


def serves(target: str) -> bool:
    """Say whether the CDN would take a request to the bucket."""
    return target.startswith(f"/{published.ROOT}/")


def serve(request: Request) -> Response:
    """Answer from the bucket."""
    if request.method == "OPTIONS":
        methods = ("Access-Control-Allow-Methods", "GET, HEAD")
        return Response(204, [SHARED, methods, ("Access-Control-Allow-Headers", "*"), *HEADERS])
    if request.method not in ("GET", "HEAD"):
        return Response(403, [("Content-Type", "text/plain"), *HEADERS], b"This method is not allowed here.\n")
    key = _KEY.fullmatch(request.target)
    found = _object(key[1]) if key is not None else None
    if found is None:
        page = edge.NOT_FOUND_PAGE.encode()
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "public, max-age=10"), SHARED]
        return Response(404, [*headers, *HEADERS], page)
    tag = str(found["ETag"])
    headers = [("Cache-Control", str(found["CacheControl"])), ("ETag", tag), SHARED, *HEADERS]
    if request.header("if-none-match") == tag:
        return Response(304, headers)
    return Response(200, [("Content-Type", str(found["ContentType"])), *headers], found["Body"].read())


def _object(key: str) -> dict[str, Any] | None:
    try:
        return aws.call("s3", "GetObject", {"Bucket": config().published_bucket, "Key": key})
    except Exception as error:
        if aws.error_code(error) not in ("NoSuchKey", "404", "NotFound"):
            raise
        return None
