"""Routes that explain, for operators only: each look has its reason, and its line in the audit."""

from __future__ import annotations

from chalicelib.explaining import service
from chalicelib.explaining.schemas import AccountExplanationView, Explain, OrderExplanationView
from chalicelib.kernel.errors import NotFound
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Routes

routes = Routes("explaining")


@routes.route(
    "POST",
    "/v1/operator/orders/{order_id}/explanation",
    access=Access.OPERATOR,
    body=Explain,
    returns=OrderExplanationView,
    raises=(NotFound, BadCursor),
    idempotent=False,  # Looking again is another look: each has its line in the audit.
)
def explain_order(order_id: str, body: Explain, caller: Caller) -> OrderExplanationView:
    """Explain an order: orders, payments, refunds, the ledger, stock, parcels, complaints and acts, in one story.

    It shows nobody's name, address or words; where the parcel goes is asked for apart. The look is written down.
    """
    scope = f"explanation#{order_id}#{caller.account_id}"
    found = service.explain_order(order_id, cursors.window(body.limit, body.cursor, query=scope))
    return OrderExplanationView.of(found, cursors.seal(found.steps.after, query=scope))


@routes.route(
    "POST",
    "/v1/operator/accounts/{account_id}/explanation",
    access=Access.OPERATOR,
    body=Explain,
    returns=AccountExplanationView,
    raises=(NotFound, BadCursor),
    idempotent=False,  # As above.
)
def explain_account(account_id: str, body: Explain, caller: Caller) -> AccountExplanationView:
    """Explain an account: how it stands, sign-ins, roles, orders, erasure, and which staff did or saw what of it.

    It shows nothing of what its person is called or how they are reached. The look is written down.
    """
    scope = f"explanation#{account_id}#{caller.account_id}"
    found = service.explain_account(account_id, cursors.window(body.limit, body.cursor, query=scope))
    return AccountExplanationView.of(found, cursors.seal(found.steps.after, query=scope))
