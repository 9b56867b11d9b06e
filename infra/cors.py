"""Preflights that API Gateway answers by itself, without a function: one mock method a path.

The origin that asks is compared with the configured ones by the response's template, since a gateway can only say one
origin, or all. What it says stands in ``chalicelib/runtime/http/cors.py``, for the local gateway too.
"""

from __future__ import annotations

from typing import Any, Final

from chalicelib.routes import ROUTES
from chalicelib.runtime.http import cors

Json = dict[str, Any]

ORIGINS: Final[Json] = {"Fn::Join": [",", {"Ref": "StorefrontOrigins"}]}

TEMPLATE: Final = """#set($a=",${O},")
#set($o=$input.params().header.get("Origin"))
#if("$!o" == "")#set($o=$input.params().header.get("origin"))#end
#set($f="")
#if($a.contains(",*,"))#set($f="*")
#elseif("$!o" != "" && $a.contains(",$o,"))#set($f=$o)#end
#if($f != "")
#set($context.responseOverride.header.Access-Control-Allow-Origin = $f)
#set($context.responseOverride.header.Access-Control-Allow-Methods = "METHODS")
#set($context.responseOverride.header.Access-Control-Allow-Headers = "HEADERS")
#set($context.responseOverride.header.Access-Control-Max-Age = "MAX_AGE")
#end"""
"""``$a`` are the origins that may call, ``$o`` the one that asks, ``$f`` what it is told. Names are short, for this
stands in the stack's template once a path, and CloudFormation takes a megabyte."""


def paths() -> Json:
    """Return the preflight of every path of the API."""
    return {path: {"options": _preflight(path)} for path in sorted({line[1] for line in ROUTES})}


def _preflight(path: str) -> Json:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    found: Json = {
        "responses": {"204": {"description": "", "headers": {"Vary": {"type": "string"}}}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": '{"statusCode": 204}'},
            "responses": {
                "default": {
                    "statusCode": "204",
                    "responseParameters": {"method.response.header.Vary": f"'{cors.preflight(None)['Vary']}'"},
                    "responseTemplates": {"application/json": {"Fn::Sub": [_template(), {"O": ORIGINS}]}},
                }
            },
        },
    }
    if names:
        found["parameters"] = [{"name": name, "in": "path", "required": True, "type": "string"} for name in names]
    return found


def _template() -> str:
    said = {"METHODS": cors.METHODS, "HEADERS": cors.HEADERS, "MAX_AGE": str(cors.KEPT_S)}
    text = TEMPLATE
    for name, value in said.items():
        text = text.replace(f'"{name}"', f'"{value}"')
    return text
