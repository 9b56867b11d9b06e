"""RFC 9457 problems: one shape for our refusals, Chalice's own and API Gateway's."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from chalicelib.kernel import context
from chalicelib.kernel.errors import ShopError, Throttled, Unauthenticated
from chalicelib.kernel.texts import said

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "https://biandan.example/problems/"
"""Identifies problem types; not meant to be fetched (RFC 9457, section 3.1.1)."""

Headers = dict[str, str]


def problem(error: ShopError) -> tuple[int, str, Headers]:
    """Return status, body and headers for an expected failure, in the caller's language."""
    where = context.current()
    headers = _headers(where.language)
    wait_s = error.params.get("wait_s") if isinstance(error, Throttled) else error.retry_after_s
    if wait_s is not None:
        headers["Retry-After"] = str(wait_s)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = error.challenge()
    body = document(error.status, error.code, error.detail(where.language), **error.members())
    return error.status, body, headers


def _headers(language: str) -> Headers:
    """A cache may keep a 404 that says nothing else (RFC 9110, section 15.1), and one account's is not another's."""
    return {
        "Content-Type": CONTENT_TYPE,
        "Content-Language": "zh-CN" if language == "zh" else "en",
        "Cache-Control": "no-store",
    }


def document(status: int, code: str, detail: str, **members: Any) -> str:
    """Return the JSON text of a problem document."""
    return json.dumps(
        {
            "type": TYPE_BASE + code.replace("_", "-"),
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": code,
            "detail": detail,
            "request_id": context.current().request_id,
            **members,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


_CHALICE_CODES = {
    "MethodNotAllowedError": ("method_not_allowed", "This method is not allowed here.", "不支持该请求方法。"),
    "UnsupportedMediaType": ("unsupported_media_type", "This content type is not accepted.", "不支持该内容类型。"),
    "BadRequest": ("not_acceptable", "The Accept header does not fit.", "Accept 请求头不匹配。"),
}


def from_chalice(status: int, body: Any) -> tuple[int, str, Headers] | None:
    """Return the problem for a refusal of Chalice's own (``{"Code", "Message"}``), or None if it is none."""
    if not isinstance(body, dict) or "Code" not in body or "Message" not in body:
        return None
    code, en, zh = _CHALICE_CODES.get(
        body["Code"], ("internal_error", "Something went wrong on our side.", "服务器内部错误。")
    )
    language = context.current().language
    return status, document(status, code, said((en, zh), language)), _headers(language)
