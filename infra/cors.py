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

TEMPLATE: Final = """#set($all = ",${Origins},")
#set($origin = $input.params().header.get("Origin"))
#if("$!origin" == "")#set($origin = $input.params().header.get("origin"))#end
#set($found = "")
#if($all.contains(",*,"))#set($found = "*")
#elseif("$!origin" != "" && $all.contains(",$origin,"))#set($found = $origin)#end
#if($found != "")
#set($context.responseOverride.header.Access-Control-Allow-Origin = $found)
#set($context.responseOverride.header.Access-Control-Allow-Methods = "METHODS")
#set($context.responseOverride.header.Access-Control-Allow-Headers = "HEADERS")
#set($context.responseOverride.header.Access-Control-Max-Age = "MAX_AGE")
#end"""


def paths() -> Json:
    """Return the preflight of every path of the API."""
    return {path: {"options": _preflight(path)} for path in sorted({line[1] for line in ROUTES})}


def _preflight(path: str) -> Json:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    found: Json = {
        "produces": ["application/json"],
        "responses": {"204": {"description": "May be called", "headers": {"Vary": {"type": "string"}}}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "passthroughBehavior": "when_no_match",
            "requestTemplates": {"application/json": '{"statusCode": 204}'},
            "responses": {
                "default": {
                    "statusCode": "204",
                    "responseParameters": {"method.response.header.Vary": f"'{cors.preflight(None)['Vary']}'"},
                    "responseTemplates": {"application/json": {"Fn::Sub": [_template(), {"Origins": ORIGINS}]}},
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
