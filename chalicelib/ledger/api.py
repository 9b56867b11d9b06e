"""The operator's view of the ledger."""

from __future__ import annotations

from chalicelib.kernel import ids
from chalicelib.kernel.errors import NotFound
from chalicelib.ledger import service
from chalicelib.ledger.schemas import BalancesView, DaysQuery, DaysView, LedgerView
from chalicelib.ledger.service import AccountNotFound
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


@routes.route("GET", "/v1/operator/ledger/balances", access=Access.OPERATOR, returns=BalancesView)
def get_balances() -> BalancesView:
    """Read the balance of every account, all merchants as one; they sum to zero, and are exact up to ``as_of``."""
    return BalancesView.of(service.account_books())


@routes.route(
    "GET",
    "/v1/operator/ledger/accounts/{account}/days",
    access=Access.OPERATOR,
    query=DaysQuery,
    returns=DaysView,
    raises=(AccountNotFound,),
)
def get_account_days(account: str, query: DaysQuery) -> DaysView:
    """Read what an account took and gave, day by day, exact up to ``as_of``. Its colon is a dash here:
    ``clearing-wechatpay``.
    """
    return DaysView.of(service.account(account.replace("-", ":"), query.currency, first=query.first, last=query.last))
