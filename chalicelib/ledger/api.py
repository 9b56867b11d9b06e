"""The operator's view of the ledger."""

from __future__ import annotations

from chalicelib.ledger import service
from chalicelib.ledger.schemas import LedgerView
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Routes

routes = Routes("ledger")


@routes.route("GET", "/v1/operator/purchases/{purchase_id}/ledger", access=Access.OPERATOR, returns=LedgerView)
def get_ledger(purchase_id: str) -> LedgerView:
    """Read every movement of a purchase's money with the proof that it balances."""
    entries = service.entries(purchase_id)
    return LedgerView.of(purchase_id, entries, service.prove(entries))
