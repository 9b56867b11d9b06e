"""Writes what the console reads of the policy table: which operation is whose, by which call, with which proof.

The console shows what its person may do and hides the rest. That is courtesy, never a guard: the API asks the same
table (``runtime/http/app.py``).
"""

from __future__ import annotations

import json
from typing import Any

from chalicelib.kernel.policy import Access
from chalicelib.kernel.roles import Desk, Post
from chalicelib.runtime.http.routes import Route
from tools.generate import routing

PAGE = "web/console/src/generated/policy.ts"

HEAD = "// Written by `make generate` from chalicelib/policy.py; do not edit.\n\n"

_WHO = {
    Access.PUBLIC: "anybody",
    Access.SIGNED_IN: "account",
    Access.MERCHANT: "staff",
    Access.OPERATOR: "operator",
}
"""Whom the console serves; buyers' and providers' calls are none of its."""


def text() -> str:
    """Return the file, an operation a line, so that a changed rule is one changed line."""
    routes = [route for _, route in routing.declared() if route.access in _WHO]
    lines = [f"  {json.dumps(route.operation_id)}: {json.dumps(_entry(route))}" for route in routes]
    return HEAD + "export default {\n" + ",\n".join(sorted(lines)) + ",\n};\n"


def _entry(route: Route) -> dict[str, Any]:
    rule = route.rule
    told: dict[str, Any] = {"method": route.method, "path": route.path, "who": _WHO[route.access]}
    if rule.posts:
        told["posts"] = [post.value for post in Post if post in rule.posts]
    if rule.desks:
        told["desks"] = [desk.value for desk in Desk if desk in rule.desks]
    if rule.fresh is not None:
        told["fresh_s"] = int(rule.fresh.total_seconds())
    if route.idempotent:
        told["key"] = True
    if rule.while_suspended:
        told["suspended"] = True
    return told
