"""What API Gateway itself refuses, in the shape of our own problems: for the stack, and for a laptop's gateway."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.runtime.http import problems
from chalicelib.runtime.http.headers import NOSNIFF

Json = dict[str, Any]

EXTENSION = "x-amazon-apigateway-gateway-responses"
REFUSALS: dict[str, tuple[int, str, str]] = {
    # Gateway response type -> status, code, detail in both languages: the gateway does not read Accept-Language.
    "DEFAULT_4XX": (400, "invalid_request", "The request was refused. 请求被拒绝。"),
    "DEFAULT_5XX": (500, "internal_error", "Something went wrong on our side. 服务器内部错误。"),
    # What the gateway says when no route matches.
    "MISSING_AUTHENTICATION_TOKEN": (404, "not_found", "There is no such address. 地址不存在。"),
    "RESOURCE_NOT_FOUND": (404, "not_found", "There is no such address. 地址不存在。"),
    # At an address that there is not, it reads a bearer token as a signature of AWS's that is wrong; it reads none at
    # those that there are, for no route of ours asks AWS who calls.
    "INVALID_SIGNATURE": (404, "not_found", "There is no such address. 地址不存在。"),
    "EXPIRED_TOKEN": (404, "not_found", "There is no such address. 地址不存在。"),
    "ACCESS_DENIED": (404, "not_found", "There is no such address. 地址不存在。"),
    "REQUEST_TOO_LARGE": (413, "too_large", "The body is too large. 请求内容过大。"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported_media_type", "This content type is not accepted. 不支持该内容类型。"),
    "THROTTLED": (429, "too_many_requests", "Too many requests; wait a moment. 请求过于频繁，请稍后再试。"),
    "QUOTA_EXCEEDED": (429, "too_many_requests", "Too many requests; wait a moment. 请求过于频繁，请稍后再试。"),
    "WAF_FILTERED": (403, "forbidden", "The request was refused. 请求被拒绝。"),
    "INTEGRATION_FAILURE": (502, "internal_error", "Something went wrong on our side. 服务器内部错误。"),
    "INTEGRATION_TIMEOUT": (504, "timeout", "It took too long; ask for the result again. 处理超时，请稍后查询结果。"),
}


def document(kind: str, request_id: str) -> str:
    """Return the problem of one kind of refusal."""
    found = json.loads(problems.document(*REFUSALS[kind]))
    found["request_id"] = request_id
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def headers(kind: str) -> dict[str, str]:
    """Return the headers of one kind of refusal."""
    found = {"Content-Type": problems.CONTENT_TYPE, "Cache-Control": "no-store", **NOSNIFF}
    return found | {"Retry-After": "1"} if REFUSALS[kind][0] == 429 else found


def responses() -> Json:
    """Return what the API's document says of them."""
    return {
        kind: {
            "statusCode": str(status),
            "responseParameters": {
                f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers(kind).items()
            },
            "responseTemplates": {"application/json": document(kind, "$context.requestId")},
        }
        for kind, (status, _, _) in REFUSALS.items()
    }
