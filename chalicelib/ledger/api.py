"""The operator's view of the ledger."""

from __future__ import annotations

from chalicelib.kernel import ids
from chalicelib.kernel.errors import NotFound
from chalicelib.ledger import service
from chalicelib.ledger.schemas import LedgerView
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Routes

routes = Routes("ledger")


@routes.route(
    "GET",
    "/v1/operator/purchases/{purchase_id}/ledger",
    access=Access.OPERATOR,
    returns=LedgerView,
    raises=(NotFound,),
)
def get_ledger(purchase_id: str) -> LedgerView:
    """Read every movement of a purchase's money with the proof that it balances."""
    if not ids.is_id("pur", purchase_id) or ids.is_child_id("pur", purchase_id):
        raise NotFound(what="purchase")
    entries = service.entries(purchase_id)
    return LedgerView.of(purchase_id, entries, service.prove(entries))
