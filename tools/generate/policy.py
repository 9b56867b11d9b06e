"""Writes ``docs/policy.md``: the policy table as people read it, by capability."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby

from chalicelib.kernel.policy import Access, Rule
from chalicelib.kernel.roles import Desk, Post
from chalicelib.runtime.http.routes import Route
from tools.generate import routing

PAGE = "docs/policy.md"

_INTRO = """# Who may do what

Each route reads its line of the table in `chalicelib/policy.py` when it is declared; one without a line cannot be
declared. `runtime/http/app.py` holds callers to it before the route is entered; whose record it is, the use case
compares, and answers what is somebody else's as what is not there.

- **who**: `anybody` (no token is read), `guest` (with or without an account, by a token of the cart), `account` (any
  that is signed in), `buyer`, `staff` with the posts that may (`owner`, `manager`, `clerk`, `finance`; all, if none is
  named), `operator` with the desks (`support`, `review`, `finance`; `admin` may everything), `provider` (by its
  signature).
- **whose**: on whose records. `any` is an operator's, and never where the operator is a party.
- **second person**: what takes two ([why](adr/0026-second-person.md)).
- **proof**: how old the caller's last password, code or passkey may be, where a session alone is not enough.
- **key**: the scope that a merchant's own system needs to call it with a key; empty: no key gets in.
- **suspended**: changes something, and is open to a suspended merchant's staff all the same. Reading is open always.

What is changed by `PATCH` is changed by `POST` at the same path as well, under the same line: mini programs know no
`PATCH` ([why](adr/0052-twins.md))."""

_HEAD = [
    "| operation | route | who | whose | second person | proof | key | suspended |",
    "|---|---|---|---|---|---|---|---|",
]


def text() -> str:
    """Return the page."""
    lines = [_INTRO, ""]
    for tag, routes in groupby((route for _, route in routing.declared()), key=lambda route: route.tag):
        lines += [f"## {tag}", "", *_HEAD, *_rows(routes), ""]
    return "\n".join(lines)


def _rows(routes: Iterator[Route]) -> list[str]:
    return [
        f"| `{route.operation_id}` | `{route.method} {route.path}` | {_who(route.rule)} | {route.rule.whose}"
        f" | {route.rule.second} | {_proof(route.rule.fresh)} | {_code(route.rule.scope)}"
        f" | {'open' if route.rule.while_suspended else ''} |"
        for route in routes
    ]


def _who(rule: Rule) -> str:
    named = {
        Access.PUBLIC: "anybody",
        Access.OPTIONAL: "guest",
        Access.SIGNED_IN: "account",
        Access.BUYER: "buyer",
        Access.MERCHANT: "staff",
        Access.OPERATOR: "operator",
        Access.PROVIDER: "provider",
    }[rule.access]
    some: list[Post | Desk] = []
    if rule.posts and rule.posts != frozenset(Post):
        some = [post for post in Post if post in rule.posts]
    elif rule.desks and rule.desks != frozenset(Desk):
        some = [desk for desk in Desk if desk in rule.desks]
    return f"{named}: {', '.join(some)}" if some else named


def _proof(fresh: timedelta | None) -> str:
    return f"{int(fresh.total_seconds()) // 60} min" if fresh else ""


def _code(scope: str) -> str:
    return f"`{scope}`" if scope else ""
