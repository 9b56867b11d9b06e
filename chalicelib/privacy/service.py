"""Use cases of personal data: asking to be forgotten, and forgetting."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.auth import service as auth
from chalicelib.auth.service import BadCode, BadIdentity, NotTheirGuardian
from chalicelib.cart import service as carts
from chalicelib.complaints import service as complaints
from chalicelib.consents import service as consents
from chalicelib.consents.service import may
from chalicelib.conversations import service as conversations
from chalicelib.feedback import service as feedback
from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Place
from chalicelib.logistics import service as logistics
from chalicelib.notifications import service as notifications
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.privacy import domain, store
from chalicelib.privacy.archive import service as archives
from chalicelib.privacy.archive.domain import AskedTooSoon, Leaving, NotReady
from chalicelib.privacy.disclosures import to_merchants as shown_to_merchants
from chalicelib.privacy.disclosures import to_staff as shown_to_staff
from chalicelib.privacy.domain import Cause, Erasure, HoldKind, OfficeHeld, Status, erasure_id
from chalicelib.privacy.events import ErasureAdvanced
from chalicelib.requests import service as requests
from chalicelib.returns import service as returns
from chalicelib.risk import service as risk
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

__all__ = [
    "AskedTooSoon",
    "BadCode",
    "BadIdentity",
    "Erasure",
    "Leaving",
    "NotReady",
    "NotTheirGuardian",
    "OfficeHeld",
    "Status",
    "archives",
    "erasure_id",
    "may",
    "shown_to_merchants",
    "shown_to_staff",
]

PURCHASES_A_STEP = 25
"""Each is some six calls: a step ends within seconds, however much somebody bought."""


def request_erasure(account_id: str) -> Erasure:
    """Note that a person wants to be forgotten, and end all their sessions. Again changes nothing.

    Raises:
        OfficeHeld: while the account acts for the platform or a merchant.
    """
    if auth.holds_office(account_id):
        raise OfficeHeld

    def attempt() -> Erasure:
        before = store.load(account_id)
        now = clock.now()
        if before is None:
            wanted = Erasure(account_id, domain.MACHINE.initial, now, now)
        elif before.status is Status.WITHDRAWN:
            wanted = replace(before.moved(Cause.ASK_AGAIN, now), requested_at=now, holds=(), after=None)
        else:
            return before
        with UnitOfWork() as work:
            store.save(work, wanted)
        return replace(wanted, version=wanted.version + 1)

    found = racing(attempt)
    auth.sign_out_everywhere(account_id)
    log.info("erasure requested", account_id=account_id)
    return found


def erase_as_guardian(account_id: str, contact: str, *, code_id: str, code: str) -> Erasure:
    """Note that a child's guardian wants them forgotten. It begins at once: nobody is asked to think better of it.

    Raises:
        BadIdentity, BadCode: if the contact or the code is not right.
        NotTheirGuardian: if somebody else agreed for this account, or nobody.
        OfficeHeld: while the account acts for the platform or a merchant.
    """
    proof = auth.proving.Proof(auth.identity(contact), code_id, code)
    auth.guardians.take_back(account_id, proof)
    found = request_erasure(account_id)
    if found.status is Status.REQUESTED:
        _move(found, Cause.CLOSE)
        auth.forget(account_id)
        archives.forget(account_id)
        consents.forget(account_id)
    return erasure(account_id)


def withdraw_erasure(account_id: str) -> Erasure:
    """Let the person think better of it. Again changes nothing.

    Raises:
        NotFound: if nothing was asked for.
        IllegalTransition: if it has begun.
    """

    def attempt() -> Erasure:
        before = erasure(account_id)
        if before.status is Status.WITHDRAWN:
            return before
        changed = before.moved(Cause.WITHDRAW, clock.now())
        with UnitOfWork() as work:
            store.save(work, changed)
        return replace(changed, version=before.version + 1)

    return racing(attempt)


def find_erasure(account_id: str) -> Erasure | None:
    """Return what became of a person's wish, or None if nothing was asked for."""
    return store.load(account_id)


def erasure(account_id: str) -> Erasure:
    """Return what became of a person's wish.

    Raises:
        NotFound: if nothing was asked for.
    """
    found = store.load(account_id)
    if found is None:
        raise NotFound(what="erasure")
    return found


def time_out(erasure_id: str) -> None:
    """Go on with an erasure that is due."""
    found = store.load(domain.account_of(erasure_id))
    if found is None or found.due_at is None or found.due_at > clock.now():
        return
    if found.status is Status.REQUESTED:
        _move(found, Cause.CLOSE)  # First: from here on nobody thinks better of it.
        auth.forget(found.account_id)
        archives.forget(found.account_id)
        consents.forget(found.account_id)
    elif found.status is Status.CLOSING and auth.forget(found.account_id):
        _move(found, Cause.CLOSE)  # The run before was cut off, or a token lived: it may live as long from now.
    else:
        _move(replace(found, holds=(), after=None, purchases=0), Cause.ERASE, goes_on=True)


def advance(erasure_id: str, step: int) -> None:
    """Do one step of an erasure, unless it was done: each can be done again without harm."""
    found = store.load(domain.account_of(erasure_id))
    if found is None or found.status is not Status.ERASING or found.step != step:
        return
    account_id = found.account_id
    page, after = orders.purchases_of(account_id, found.after, limit=PURCHASES_A_STEP)
    holds = [hold for purchase_id in page if (hold := _forget_purchase(purchase_id)) is not None]
    kept = replace(
        found,
        holds=(*found.holds, *holds)[: domain.MOST_SHOWN],
        after=after,
        purchases=found.purchases + len(page),
    )
    if after is not None:
        _move(kept, Cause.ERASE, goes_on=True)
        return
    # Once more: whoever still had a token may have written something, until it died.
    auth.forget(account_id)
    carts.forget(account_id)
    archives.forget(account_id)
    consents.forget(account_id)
    risk.forget(account_id)
    notifications.forget(account_id)
    feedback.forget(account_id)
    _forget_requests(account_id)
    consents.unbar(account_id)
    talked = [(HoldKind.RUNNING_CONVERSATION, one) for one in conversations.forget(account_id)]
    held = [*_forget_complaints(account_id), *_forget_returns(account_id), *talked]
    kept = replace(kept, holds=(*kept.holds, *held)[: domain.MOST_SHOWN])
    _move(kept, Cause.HOLD if kept.holds else Cause.FINISH)
    metrics.count("erasures_held" if kept.holds else "erasures_done")


def _move(erasure: Erasure, cause: Cause, *, goes_on: bool = False) -> None:
    """Write the next state; a rival that did so first makes this one's a lost race, and the message is told again."""
    changed = erasure.moved(cause, clock.now())
    told = [ErasureAdvanced(erasure_id=domain.erasure_id(changed.account_id), step=changed.step)] if goes_on else []
    with UnitOfWork() as work:
        store.save(work, changed, told)


def _forget_purchase(purchase_id: str) -> tuple[HoldKind, str] | None:
    """Forget what a purchase knows of its buyer, or say what holds it: goods and money first."""
    if not orders.is_over(purchase_id):
        return HoldKind.OPEN_ORDER, purchase_id
    if not payments.is_settled(purchase_id):
        return HoldKind.OPEN_MONEY, purchase_id
    for order_id in orders.order_ids(purchase_id):
        logistics.forget(order_id)
    orders.forget_delivery(purchase_id)
    return None


def _forget_requests(account_id: str) -> None:
    after: Place | None = None
    while True:
        page, after = requests.requests_of(account_id, after, limit=PURCHASES_A_STEP)
        for one in page:
            requests.forget(one.request_id)
        if after is None:
            return


def _forget_complaints(account_id: str) -> list[tuple[HoldKind, str]]:
    held: list[tuple[HoldKind, str]] = []
    after: Place | None = None
    while True:
        page, after = complaints.complaints_of(account_id, after, limit=PURCHASES_A_STEP)
        for complaint in page:
            if complaints.is_over(complaint):
                complaints.forget(complaint.complaint_id)
            else:
                held.append((HoldKind.RUNNING_COMPLAINT, complaint.complaint_id))
        if after is None:
            return held


def _forget_returns(account_id: str) -> list[tuple[HoldKind, str]]:
    held: list[tuple[HoldKind, str]] = []
    after: Place | None = None
    while True:
        page, after = returns.returns_of(account_id, after, limit=PURCHASES_A_STEP)
        for found in page:
            if returns.is_over(found):
                returns.forget(found.return_id)
            else:
                held.append((HoldKind.RUNNING_RETURN, found.return_id))
        if after is None:
            return held
