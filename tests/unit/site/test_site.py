"""The description of the API as the API serves it."""

from __future__ import annotations

import json
import re

from tests.support.http import call


def test_the_document_is_served_and_may_be_kept() -> None:
    answer = call("GET", "/openapi.json")

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/openapi+json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert json.loads(answer.body)["openapi"] == "3.1.0"
    assert call("GET", "/openapi.json", headers={"if-none-match": answer.headers["etag"]}).status == 304


def test_the_page_needs_nothing_from_elsewhere() -> None:
    answer = call("GET", "/docs")

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]  # No default of the other one's.
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", answer.body)
    assert 'fetch("openapi.json")' in answer.body


def test_a_query_that_nobody_declared_is_refused() -> None:
    assert call("GET", "/docs?x=1").json["code"] == "invalid_request"
