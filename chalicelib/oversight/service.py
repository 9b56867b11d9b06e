"""The one place through which every operator's call goes: standing, party, audit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import date
from typing import Any

from chalicelib.auth import service as auth
from chalicelib.kernel import clock, context, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Page, Window
from chalicelib.oversight import domain, images, store
from chalicelib.oversight.chain import links
from chalicelib.oversight.chain.links import Proven
from chalicelib.oversight.domain import Affair, Line, OwnAffair
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db import witness
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Access, Act, Caller

__all__ = [
    "AFFAIRS",
    "BY_TWO",
    "Line",
    "OwnAffair",
    "Proven",
    "also_said",
    "done_about",
    "done_just_now",
    "list_day",
    "overseen",
    "witnessed",
]


_more: ContextVar[dict[str, str]] = ContextVar("biandan_also_said", default={})  # noqa: B039 - nobody hears it there
"""What the running act adds to its line."""


@contextmanager
def overseen(caller: Caller, act: Act) -> Iterator[None]:
    """Run an operator's call: refused to who is no operator any more, and to a party; what it changes is written down.

    The audit's line is part of the first transaction that the call commits. A call that changes nothing leaves none.

    Raises:
        Unauthenticated: if the account is gone, or its person signed out everywhere.
        Forbidden: if it is no operator's any more, or one's at another desk.
        OwnAffair: if the operator is the buyer or the account that a record of the call is about, or works (or did not
            long ago) for the merchant. Reading is not acting.
    """
    if act.rule.access is not Access.OPERATOR:  # Of a merchant's people: their own use case says what they may.
        about: tuple[str, ...] = (caller.merchant_id,) if caller.merchant_id else ()
        said = domain.said(_body(act))
        with witnessed(caller.account_id, act.operation, records=act.records, said=said, about=about):
            yield
        return
    operator = auth.operator_of(caller, act.rule)
    if act.reads:
        yield
        return
    body = _body(act)
    affair = _affair(act, body)
    if caller.account_id in affair.accounts or affair.merchants & auth.merchants_of(operator):
        log.warning("operator tried to decide on their own affair", operation=act.operation)
        metrics.count("own_affairs")
        raise OwnAffair
    parties = (*sorted(affair.purchases), *sorted(affair.accounts), *sorted(affair.merchants))
    with witnessed(caller.account_id, act.operation, records=act.records, said=domain.said(body), about=parties):
        yield


@contextmanager
def witnessed(
    by: str,
    act: str,
    *,
    records: dict[str, str] | None = None,
    said: dict[str, str] | None = None,
    about: tuple[str, ...] = (),
) -> Iterator[None]:
    """Write the act into the audit with the first transaction of the block: also for tools that act from outside."""
    line = Line(clock.now(), by, act, context.current().request_id, records or {}, said or {}, about)
    more: dict[str, str] = {}

    def bear(work: UnitOfWork) -> None:
        changes = tuple(images.of(work.drafts))
        work.save(store.row(replace(line, said={**line.said, **more}, changes=changes)), label="audit")

    token = _more.set(more)
    try:
        with witness.using(bear), witness.remembering():
            yield
    finally:
        _more.reset(token)


def also_said(**what: str) -> None:
    """Add to the line of the running act, before it is written, what was decided or shown."""
    _more.get().update(what)


def list_day(day: date, window: Window) -> Page[Line]:
    """Return one page of what operators did on a day (UTC), the latest first."""
    return store.list_day(day, window)


def done_about(subject: str, window: Window) -> Page[Proven]:
    """Return one page of what was done about a record or a person, the first first, with what proves it."""
    return links.about(subject, window)


def done_just_now(subject: str) -> list[Proven]:
    """Return what was done about a record or a person so lately that it is not in :func:`done_about` yet."""
    return links.unsealed(subject)


# --- whose affair a record is -------------------------------------------------------------------------------------


def _of_purchase(record_id: str) -> Affair:
    from chalicelib.orders import service as orders

    sale = orders.load_sale(ids.parent_id("pur", record_id))
    merchants = frozenset(order.merchant_id for order in sale.orders)
    return Affair(frozenset({sale.purchase.buyer_id}), merchants, frozenset({sale.purchase.purchase_id}))


def _of_complaint(complaint_id: str) -> Affair:
    from chalicelib.complaints import service as complaints

    parties = complaints.parties(complaint_id)
    purchase_id = ids.parent_id("pur", parties.order_id)
    return Affair(frozenset({parties.buyer_id}), frozenset({parties.merchant_id}), frozenset({purchase_id}))


def _of_return(return_id: str) -> Affair:
    from chalicelib.returns import service as returns

    buyer_id, merchant_id, order_id = returns.parties(return_id)
    purchase_id = ids.parent_id("pur", order_id)
    return Affair(frozenset({buyer_id}), frozenset({merchant_id}), frozenset({purchase_id}))


def _of_number(carrier: str, number: str) -> Affair:
    from chalicelib.logistics import service as logistics

    parties = logistics.parties_of_number(carrier, number)
    return Affair(frozenset({parties[0]}), frozenset({parties[1]})) if parties else Affair()


def _of_case(case_id: str) -> Affair:
    from chalicelib.reconciliation import service as reconciliation

    case = reconciliation.get_case(case_id)
    for record_id in (case.purchase_id, case.subject):
        if any(ids.is_id(prefix, record_id) for prefix in ("pur", "ord", "pay", "ref")):
            return _of_purchase(record_id)
    return Affair()


def _of_stray(stray_id: str) -> Affair:
    """Words that fit nothing of ours may still name a purchase that somebody made."""
    from chalicelib.payments import service as payments

    number = payments.stray(stray_id).number
    ours = ids.is_child_id("pay", number) or ids.is_child_id("ref", number)
    return _of_purchase(number) if ours else Affair()


def _of_merchant(merchant_id: str) -> Affair:
    return Affair(merchants=frozenset({merchant_id}))


def _of_review(review_id: str) -> Affair:
    from chalicelib.risk import service as risk

    return Affair(*risk.reviews.parties(review_id))


def _of_conversation(conversation_id: str) -> Affair:
    from chalicelib.conversations import service as conversations

    buyer_id, merchant_id = conversations.parties(conversation_id)
    return Affair(frozenset({buyer_id}), frozenset({merchant_id}))


def _of_feedback(feedback_id: str) -> Affair:
    from chalicelib.feedback import service as feedback

    return Affair(frozenset({feedback.load(feedback_id).account_id}))


def _of_account(account_id: str) -> Affair:
    return Affair(accounts=frozenset({account_id}))


def _of_request(request_id: str) -> Affair:
    request = auth.role_request(request_id)
    return Affair(frozenset({request.account_id}), frozenset({request.merchant_id} if request.merchant_id else ()))


AFFAIRS: dict[str, tuple[str, Callable[[str], Affair]]] = {
    # Parameter of a path (or field of a body) -> prefix of the record's id, and whose affair it is.
    "purchase_id": ("pur", _of_purchase),
    "order_id": ("ord", _of_purchase),
    "payment_id": ("pay", _of_purchase),
    "refund_id": ("ref", _of_purchase),
    "complaint_id": ("cmp", _of_complaint),
    "return_id": ("rtn", _of_return),
    "case_id": ("cas", _of_case),
    "merchant_id": ("mer", _of_merchant),
    "account_id": ("acc", _of_account),
    "request_id": ("rrq", _of_request),
    "review_id": ("rvw", _of_review),
    "conversation_id": ("cnv", _of_conversation),
    "feedback_id": ("fbk", _of_feedback),
    "stray_id": ("str", _of_stray),
}
BY_TWO: dict[tuple[str, str], Callable[[str, str], Affair]] = {("carrier", "number"): _of_number}
"""The same for what two parameters name together."""
_RESIGNING = "revoke_role"
"""Nobody is kept from giving up a role of their own."""


def _affair(act: Act, body: Any) -> Affair:
    named = dict(act.records)
    if isinstance(body, dict):
        named |= {f"{name} said": body[name] for name in AFFAIRS if isinstance(body.get(name), str)}
    whole = Affair()
    asked: set[str] = set()
    for key, record_id in named.items():
        name = key.removesuffix(" said")
        prefix, find = AFFAIRS.get(name, ("", None))
        if find is None or not ids.is_id(prefix, record_id) or (name == "account_id" and act.operation == _RESIGNING):
            continue
        about = ids.parent_id("pur", record_id) if find is _of_purchase else record_id
        if about in asked:
            continue
        asked.add(about)
        try:
            whole |= find(record_id)
        except NotFound:
            continue  # The route says so in its own words.
    for (one, other), find_by_two in BY_TWO.items():
        if one in act.records and other in act.records:
            whole |= find_by_two(act.records[one], act.records[other])
    return whole


def _body(act: Act) -> Any:
    try:
        return json.loads(act.body) if act.body.strip() else None
    except (ValueError, RecursionError):
        return None  # The route refuses it.
