"""Writes the OpenAPI 3.1 document from the route declarations."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib import import_module
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema

from chalicelib import topology
from chalicelib.auth.factors.domain import SecondFactorRequired
from chalicelib.auth.keys.domain import BadKey, KeyFromElsewhere, PersonNeeded, ScopeNeeded
from chalicelib.auth.sessions.domain import FreshProofNeeded
from chalicelib.auth.staff.domain import DeskNeeded, MerchantNotChosen, PostNeeded
from chalicelib.kernel.errors import (
    Busy,
    Forbidden,
    HeadersTooLarge,
    IdempotencyKeyReused,
    Invalid,
    Malformed,
    NotFound,
    ShopError,
    Throttled,
    TooLarge,
    Unauthenticated,
)
from chalicelib.kernel.policy import Rule, Second
from chalicelib.kernel.roles import Desk, Post
from chalicelib.merchants.domain import MerchantSuspended
from chalicelib.runtime.http import problems
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.app import Unexpected
from chalicelib.runtime.http.client_address import WentAround
from chalicelib.runtime.http.routes import JSON, MissingIdempotencyKey, Route
from chalicelib.runtime.schema import Problem
from tools.checks.version import version
from tools.generate import routing

Json = dict[str, Any]

DESCRIPTION = """\
Headless commerce for a marketplace with many merchants.

- Money is an integer of minor units beside its currency; times are RFC 3339 in UTC; ids are prefixed and sortable.
- Errors are RFC 9457 problems with a stable `code`, in the language of `Accept-Language` (`zh-CN` or `en`).
- A POST that creates or moves something takes an `Idempotency-Key`: what is sent again under it happens once, and a
  repeat is answered with the record as it is by then. A refusal is not remembered: the key may be sent again.
- A field of an answer that there is nothing to say of is absent, never null.
- Lists are paged by opaque cursors: send `next_cursor` back as `cursor`.
- What is changed by `PATCH` is changed by `POST` at the same path as well: mini programs know no `PATCH`.

面向多商户平台的无界面电商后端：金额为最小货币单位的整数；时间为 UTC；错误为带固定 `code` 的 RFC 9457 文档，
语言由 `Accept-Language` 决定；创建类 POST 需要 `Idempotency-Key`，重复提交只生效一次，返回该记录的当前状态；
被拒绝的请求不会被记住，可用同一 Key 再次提交；
没有内容的字段不出现，绝不为 null；列表使用游标分页；小程序没有 `PATCH`，可在同一路径改用 `POST`。"""

TAGS_ZH = {
    "auth": "账号",
    "merchants": "商户",
    "catalog": "商品",
    "inventory": "库存",
    "cart": "购物车",
    "checkout": "结算",
    "orders": "订单",
    "payments": "支付",
    "ledger": "账本",
    "logistics": "物流",
    "complaints": "投诉",
    "oversight": "监督",
    "explaining": "说明",
    "notifications": "通知",
    "telling": "事件通知",
    "site": "文档",
}

_ACCESS = {
    Access.PUBLIC: "Anybody may call it. 无需登录。",
    Access.OPTIONAL: "Anybody may call it; a token names the caller. 可匿名，也可登录。",
    Access.SIGNED_IN: "Any signed-in account. 需要登录。",
    Access.BUYER: "Buyers. 需要买家身份。",
    Access.MERCHANT: "Staff of a merchant. 需要商户员工身份。",
    Access.OPERATOR: "Operators of the platform. 需要平台运营身份。",
    Access.PROVIDER: "Authenticated by the signature on the raw body. 由签名认证，仅供支付渠道或物流平台调用。",
}

_POSTS = {Post.OWNER: "店主", Post.MANAGER: "店长", Post.CLERK: "店员", Post.FINANCE: "财务"}
_DESKS = {Desk.SUPPORT: "客服", Desk.REVIEW: "审核", Desk.FINANCE: "财务", Desk.ADMIN: "管理员"}

_ID = {"type": "string", "pattern": r"^[a-z]{3}_[0-9a-z]{24,26}(_[0-9]{2,3})?$", "maxLength": 32}
_SAMPLES: Json = {
    "email": "mei@example.com",
    "phone": "+8613800138000",
    "password": "correct-horse-battery",
    "name": "Mei",
    "recipient": "王梅",
    "country": "CN",
    "province": "浙江省",
    "city": "杭州市",
    "district": "西湖区",
    "street": "文三路 1 号",
    "postcode": "310000",
    "currency": "CNY",
    "carrier": "shunfeng",
    "tracking_number": "SF1234567890",
    "language": "zh",
    "quantity": 1,
    "minor": 1990,
    "content_type": "image/jpeg",
}


def document() -> Json:
    """Return the whole document."""
    routes = [route for _, route in routing.declared()]
    schemas, refs = _schemas(routes)
    errors = {error.code: error for route in reversed(routes) for error in reversed(problems_of(route))}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Biandan",
            "version": version(),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "x-generated": "Written by `make generate` from the routes' declarations; do not edit.",
        "servers": [{"url": "/", "description": "where this document is served"}],
        "tags": [_tag(name) for name in topology.CAPABILITIES if any(route.tag == name for route in routes)]
        + [_tag(name) for name in sorted({route.tag for route in routes} - set(topology.CAPABILITIES))],
        "paths": _paths(routes, refs, schemas),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "parameters": _parameters(),
            "headers": _headers(),
            "examples": {code: _example(error) for code, error in sorted(errors.items())},
            "securitySchemes": {
                "access_token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The short-lived access token that signing in answers.",
                },
                "merchant_key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": (
                        "A key of a merchant's own system, as `Key bdk_...`: made by an owner (`make_key`), good for "
                        "the operations whose `x-key-scope` is among its scopes."
                    ),
                },
            },
        },
    }


def _not_admitted(route: Route) -> Iterator[type[ShopError]]:
    """Yield what the policy table's line tells whom it is not for."""
    rule = route.rule
    if rule.access not in (Access.PUBLIC, Access.PROVIDER):
        yield Unauthenticated
        yield BadKey if rule.scope else PersonNeeded
    if rule.scope:
        yield from (KeyFromElsewhere, ScopeNeeded)
    if rule.scope or (route.method != "GET" and rule.access is not Access.PROVIDER):
        yield Throttled
    if rule.access in (Access.BUYER, Access.MERCHANT, Access.OPERATOR):
        yield Forbidden
    if rule.access is Access.MERCHANT:
        yield MerchantNotChosen
        if rule.posts != frozenset(Post):
            yield PostNeeded
        if route.method != "GET" and not rule.while_suspended:
            yield MerchantSuspended
    if rule.access is Access.OPERATOR and rule.desks != frozenset(Desk):
        yield DeskNeeded


def problems_of(route: Route) -> list[type[ShopError]]:
    """Return every error a route can answer: those it declares and those that its declaration implies."""
    found: list[type[ShopError]] = [*route.raises]
    found += _not_admitted(route)
    found += _of_proof(route)
    if route.access is not Access.PROVIDER:
        found.append(WentAround)
    if route.body is not None:
        found += [Malformed, Invalid]
    elif route.access is not Access.PROVIDER:
        found.append(Invalid)
    if "{" in route.path:
        found.append(NotFound)  # What cannot be an id has no route.
    found += [TooLarge, HeadersTooLarge]  # Of any method: a body that nobody asked for is refused too.
    if route.idempotent:
        found += [MissingIdempotencyKey, IdempotencyKeyReused]
    return list(dict.fromkeys([*found, Busy, Unexpected]))


def _of_proof(route: Route) -> list[type[ShopError]]:
    """Return what a route answers whom it knows, but not well enough."""
    fresh = [FreshProofNeeded] if route.rule.fresh is not None else []
    return [*fresh, *([SecondFactorRequired] if route.access in (Access.MERCHANT, Access.OPERATOR) else [])]


def _tag(name: str) -> Json:
    module = import_module(f"chalicelib.{name}") if name in topology.CAPABILITIES else None
    text = _prose(" ".join(((module.__doc__ if module else "") or "").split()))
    return {"name": name, "description": text, "x-display-name": f"{name} {TAGS_ZH.get(name, '')}".strip()}


def _prose(text: str) -> str:
    """Return a docstring as Markdown: code stands between single backquotes there."""
    return text.replace("``", "`")


def _schemas(routes: list[Route]) -> tuple[Json, dict[tuple[type[BaseModel], str], Json]]:
    wanted: dict[tuple[type[BaseModel], str], None] = {(Problem, "serialization"): None}
    for route in routes:
        if route.body is not None:
            wanted[(route.body, "validation")] = None
        if route.returns is not None:
            wanted[(route.returns, "serialization")] = None
    refs, definitions = models_json_schema(
        [(model, mode) for model, mode in wanted],  # type: ignore[misc]
        ref_template="#/components/schemas/{model}",
    )
    found: Json = definitions.get("$defs", {})
    named = {key: str(reference["$ref"]).rsplit("/", 1)[1] for key, reference in refs.items()}
    answered = {name for (_, mode), name in named.items() if mode == "serialization"}
    asked = {name for (_, mode), name in named.items() if mode == "validation"}
    for name in reached(answered, found) - reached(asked, found):
        leave_out_nulls(found[name])
    for schema in found.values():
        if "description" in schema:
            schema["description"] = _prose(schema["description"])
    return found, dict(refs)  # type: ignore[arg-type]


def reached(names: Iterable[str], definitions: Json) -> set[str]:
    """Return the schemas that these are made of, with themselves."""
    done: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in done:
            done.add(name)
            left += re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(definitions[name]))
    return done


def leave_out_nulls(schema: Json) -> None:
    """Describe an answer as it is sent: what there is nothing to say of is absent, never null."""
    for name, part in schema.get("properties", {}).items():
        choices = [choice for choice in part.get("anyOf", ()) if choice.get("type") != "null"]
        if len(choices) == len(part.get("anyOf", ())):
            continue
        schema["required"] = [one for one in schema.get("required", ()) if one != name]
        if part.get("default", ...) is None:
            del part["default"]
        if len(choices) == 1:
            del part["anyOf"]
            part.update({key: value for key, value in choices[0].items() if key not in part})
        else:
            part["anyOf"] = choices
    if not schema.get("required", True):
        del schema["required"]


def _paths(routes: list[Route], refs: dict[tuple[type[BaseModel], str], Json], schemas: Json) -> Json:
    paths: Json = {}
    for route in routes:
        operation = _operation(route, refs, schemas)
        for method in routing.methods(route):
            is_twin = method != route.method
            paths.setdefault(route.path, {})[method.lower()] = _twin(route, operation) if is_twin else operation
    return dict(sorted(paths.items()))


def _twin(route: Route, operation: Json) -> Json:
    """Return the same operation by the other verb: a name of its own, and of whose it is the same."""
    said = f"The same as `{route.method}`, for programs that cannot send that. 与 `{route.method}` 相同。"
    return {
        **operation,
        "operationId": f"{route.operation_id}_by_post",
        "description": f"{said}\n\n{operation['description']}",
    }


def _operation(route: Route, refs: dict[tuple[type[BaseModel], str], Json], schemas: Json) -> Json:
    text = _prose(inspect.getdoc(route.view) or route.operation_id)
    summary, _, rest = text.partition("\n")
    operation: Json = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": summary.rstrip("."),
        "description": "\n\n".join(part for part in (rest.strip(), _who(route.rule)) if part),
        "security": _security(route.rule),
        "x-access": route.access.value,
        **_policy_of(route.rule),
        "parameters": _parameters_of(route, schemas),
    }
    if route.body is not None:
        media: Json = {"schema": refs[(route.body, "validation")]}
        example = sample(route.body)
        if example is not None:
            media["example"] = example
        operation["requestBody"] = {
            "required": any(field.is_required() for field in route.body.model_fields.values()),
            "description": f"At most {route.cap_bytes:,} bytes.",
            "content": dict.fromkeys(route.content_types, media),
        }
    elif route.method == "POST" and route.access is Access.PROVIDER:
        operation["requestBody"] = {
            "required": True,
            "description": f"The exact bytes are what is signed. At most {route.cap_bytes:,} bytes.",
            "content": {kind: {"schema": {"type": "string"}} for kind in route.content_types},
        }
    elif route.content_types != JSON:
        operation["requestBody"] = {
            "required": True,
            "description": f"At most {route.cap_bytes:,} bytes.",
            "content": {kind: {"schema": {"type": "string", "minLength": 1}} for kind in route.content_types},
        }
    operation["responses"] = _responses(route, refs)
    return operation


def _who(rule: Rule) -> str:
    """Return in both languages who may call it."""
    found = _ACCESS[rule.access]
    if rule.access is Access.MERCHANT and rule.posts != frozenset(Post):
        names = [post for post in Post if post in rule.posts]
        found = (
            f"Staff of a merchant: {', '.join(names)}. 需要商户员工身份：{'、'.join(_POSTS[one] for one in names)}。"
        )
    if rule.access is Access.OPERATOR and rule.desks != frozenset(Desk):
        desks = [desk for desk in Desk if desk in rule.desks]
        named = "、".join(_DESKS[one] for one in desks)
        found = f"Operators of the platform: {', '.join(desks)}. 需要平台运营身份：{named}。"
    return found


def _policy_of(rule: Rule) -> Json:
    """Return the rest of the operation's line in the policy table, what does not go without saying."""
    found: Json = {}
    if rule.posts:
        found["x-posts"] = [post.value for post in Post if post in rule.posts]
    if rule.desks:
        found["x-desks"] = [desk.value for desk in Desk if desk in rule.desks]
    if rule.scope:
        found["x-key-scope"] = rule.scope
    if rule.second is not Second.NONE:
        found["x-second-person"] = rule.second.value
    if rule.fresh is not None:
        found["x-fresh-proof-seconds"] = int(rule.fresh.total_seconds())
    return found


def _security(rule: Rule) -> list[Json]:
    if rule.access in (Access.PUBLIC, Access.PROVIDER):
        return []
    nobody: list[Json] = [{}] if rule.access is Access.OPTIONAL else []
    by_key: list[Json] = [{"merchant_key": [rule.scope]}] if rule.scope else []
    return [*nobody, {"access_token": []}, *by_key]


def _parameters_of(route: Route, schemas: Json) -> list[Json]:
    found: list[Json] = []
    for name in re.findall(r"\{(\w+)\}", route.path):
        schema = dict(_ID) if name.endswith("_id") else {"type": "string", "maxLength": 64}
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if route.query is not None:
        found += _query_parameters(route.query, schemas)
    if route.idempotent:
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if any(error.status in (412, 428) for error in route.raises):
        needed = any(error.status == HTTPStatus.PRECONDITION_REQUIRED for error in route.raises)
        found.append({"$ref": f"#/components/parameters/{'IfMatchNeeded' if needed else 'IfMatch'}"})
    if route.etag:
        found.append({"$ref": "#/components/parameters/IfNoneMatch"})
    if route.access is Access.MERCHANT:
        found.append({"$ref": "#/components/parameters/MerchantId"})
    if route.tag == "cart":
        found.append({"$ref": "#/components/parameters/CartToken"})
    if route.access is not Access.PROVIDER:
        found.append({"$ref": "#/components/parameters/AcceptLanguage"})
    return found


def _query_parameters(model: type[BaseModel], schemas: Json) -> list[Json]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")
    apart: dict[str, Json] = {}  # Of the same name as what stands there, and something else.
    for name, definition in schema.get("$defs", {}).items():
        if schemas.setdefault(name, definition) != definition:
            apart[f"#/components/schemas/{name}"] = definition
    required = set(schema.get("required", ()))
    found = []
    for name, raw in schema["properties"].items():
        part = dict(raw)
        part.pop("title", None)
        choices = [choice for choice in part.get("anyOf", ()) if choice.get("type") != "null"]
        if len(choices) == 1:  # A parameter that is not sent is absent, never null.
            part.pop("anyOf")
            part.pop("default", None)
            part = choices[0] | part
        if part.get("$ref") in apart:
            part |= apart[part.pop("$ref")]
            part.pop("title", None)
        parameter: Json = {"name": name, "in": "query", "required": name in required, "schema": part}
        for about in ("description", "deprecated"):
            if about in part:
                parameter[about] = part.pop(about)
        found.append(parameter)
    return found


def _responses(route: Route, refs: dict[tuple[type[BaseModel], str], Json]) -> Json:
    status, success = _success(route, refs)
    responses: Json = {str(status): success}
    if route.etag:
        responses["304"] = {"description": "The copy you have is current."}
    by_status: dict[int, set[str]] = {}
    for error in problems_of(route):
        by_status.setdefault(error.status, set()).add(error.code)
    if route.method in ("POST", "PUT", "PATCH"):
        by_status.setdefault(415, set())
    for code, names in sorted(by_status.items()):
        responses[str(code)] = _refusals(sorted(names))
    if route.access is Access.PROVIDER:
        words = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/xml", "application/xml")}
        json_words: Json = {"application/json": {"schema": {"type": "object"}}}
        refusal = {"description": "Refused, in the provider's own words.", "content": words | json_words}
        # Which of them, and in which form, is each provider's own rule.
        for refused in ("400", "401", "403") if route.returns_type == "text/plain" else ("403",):
            responses[refused] = refusal
    return dict(sorted(responses.items()))


def _success(route: Route, refs: dict[tuple[type[BaseModel], str], Json]) -> tuple[int, Json]:
    success: Json = {"description": "Done."}
    status = route.status
    if route.returns is not None:
        schema = refs[(route.returns, "serialization")]
        success = {"description": "The answer.", "content": {route.returns_type: {"schema": schema}}}
    elif not route.returns_type.startswith("application/json"):
        kind = "object" if "json" in route.returns_type else "string"
        success = {"description": "The answer.", "content": {route.returns_type: {"schema": {"type": kind}}}}
    elif route.status == 200 and route.access is not Access.PROVIDER:
        status = 204
    headers = {"X-Request-Id": "RequestId"}
    if route.etag:
        headers["ETag"] = "ETag"
    if route.cache_control is not None:
        headers["Cache-Control"] = "CacheControl"
    if route.idempotent:
        headers["Idempotency-Replayed"] = "IdempotencyReplayed"
    success["headers"] = {name: {"$ref": f"#/components/headers/{part}"} for name, part in headers.items()}
    return status, success


def _refusals(names: list[str]) -> Json:
    content: Json = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if names:
        content["examples"] = {name: {"$ref": f"#/components/examples/{name}"} for name in names}
    else:
        names = ["unsupported_media_type"]
    return {
        "description": ", ".join(f"`{name}`" for name in names),
        "content": {problems.CONTENT_TYPE: content},
    }


def _parameters() -> Json:
    return {
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": True,
            "description": "Names this intent: it takes effect once. A repeat of the same request is answered with the "
            "record that it made, as that is now; another request under the same key is refused. A refusal is not "
            "remembered: nothing was written, and the same key may be sent again.",
            "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_\-:.]{8,64}$"},
            "example": "3f6c1c52-8f5e-4c58-9d6e-1f0a7a2f3b11",
        },
        "AcceptLanguage": {
            "name": "Accept-Language",
            "in": "header",
            "required": False,
            "description": "`zh-CN` or `en`: the language of texts and problems.",
            "schema": {"type": "string", "default": "en"},
            "example": "zh-CN",
        },
        "CartToken": {
            "name": "X-Cart-Token",
            "in": "header",
            "required": False,
            "description": "A guest's cart: the `cart_token` of the answer that began it.",
            "schema": {"type": "string"},
        },
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "The `ETag` of the copy you have.",
            "schema": {"type": "string"},
        },
        "IfMatch": _if_match(needed=False),
        "MerchantId": {
            "name": "X-Merchant-Id",
            "in": "header",
            "required": False,
            "description": "For which of their merchants the caller acts; who works for one merchant need not say.",
            "schema": dict(_ID),
        },
        "IfMatchNeeded": _if_match(needed=True),
    }


def _if_match(*, needed: bool) -> Json:
    return {
        "name": "If-Match",
        "in": "header",
        "required": needed,
        "description": "The `ETag` of the version you change; refused if it is no longer the current one.",
        "schema": {"type": "string", "pattern": r'^(W/)?"[0-9]+"$'} if needed else {"type": "string"},
    }


def _headers() -> Json:
    text = {"type": "string"}
    return {
        "RequestId": {"description": "Names this request in our logs.", "schema": text},
        "ETag": {"description": "Names this version of the answer.", "schema": text},
        "CacheControl": {"description": "How long a storefront or CDN may keep it.", "schema": text},
        "IdempotencyReplayed": {"description": "`true` on the answer to a repeat.", "schema": text},
    }


def _example(error: type[ShopError]) -> Json:
    return {
        "summary": error.en,
        "x-summary-zh": error.zh,
        "value": {
            "type": problems.TYPE_BASE + error.code.replace("_", "-"),
            "status": error.status,
            "code": error.code,
            "title": HTTPStatus(error.status).phrase,
            "detail": error.en,
            "request_id": "6a1d2c0e-0f6b-4f0e-9c35-6b8f1f1f0a01",
            **{name: f"<{name}>" for name in error.shown},
        },
    }


def sample(model: type[BaseModel]) -> Any:
    """Return an example body of a model that the model itself accepts, or None where guessing fails."""
    schema = model.model_json_schema(mode="validation")
    guess = _guess(schema, schema.get("$defs", {}), "")
    try:
        TypeAdapter(model).validate_python(guess)
    except (ValidationError, TypeError):
        return None
    return guess


def _guess(schema: Json, definitions: Json, name: str) -> Any:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]] | {k: v for k, v in schema.items() if k != "$ref"}
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if name in _SAMPLES:
        return _SAMPLES[name]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            choices = [choice for choice in schema[key] if choice.get("type") != "null"]
            return _guess(choices[0], definitions, name)
    return _guess_type(schema, definitions, name)


def _guess_type(schema: Json, definitions: Json, name: str) -> Any:
    kind = schema.get("type")
    if kind == "object":
        required: Iterable[str] = schema.get("required", ())
        properties = schema.get("properties", {})
        return {part: _guess(properties[part], definitions, part) for part in required}
    if kind == "array":
        count = max(1, schema.get("minItems", 1))
        return [_guess(schema.get("items", {}), definitions, name.removesuffix("s")) for _ in range(count)]
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    if kind == "boolean":
        return True
    if name.endswith("_id"):
        prefix = {"product_id": "prd", "sku_id": "sku", "address_id": "adr", "category_id": "cat"}.get(name, name[:3])
        return f"{prefix}_01jd3v0q6m8h1w2x3y4z5a6b" + ("_01" if prefix == "sku" else "")
    text = "text" * (schema.get("minLength", 1) // 4 + 1)
    return text[: schema.get("maxLength", len(text))]
