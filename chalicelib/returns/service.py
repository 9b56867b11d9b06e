"""Use cases of returns: ask, agree or refuse, send, inspect, decide, replace; what the clock does and refunds' ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, IllegalTransition, NotFound
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Window
from chalicelib.logistics import service as logistics
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.returns import acting, domain, events, exchanging, store, windows
from chalicelib.returns.acting import Case, Change, Party, act
from chalicelib.returns.clockwork import end_refund as end_refund  # noqa: PLC0414 - consumers ask here
from chalicelib.returns.clockwork import parcel_moved as parcel_moved  # noqa: PLC0414 - as above
from chalicelib.returns.clockwork import time_out as time_out  # noqa: PLC0414 - as above
from chalicelib.returns.domain import (
    ASKED,
    RETURN,
    Address,
    Cause,
    Entry,
    Graded,
    Part,
    Payer,
    Reason,
    Return,
    Status,
    TooManyReturned,
    TooManyReturns,
    Turn,
    Wish,
)
from chalicelib.returns.forgetting import forget as forget  # noqa: PLC0414 - whoever forgets asks here
from chalicelib.returns.forgetting import is_over as is_over  # noqa: PLC0414 - as above
from chalicelib.returns.forgetting import returns_of as returns_of  # noqa: PLC0414 - as above
from chalicelib.returns.histories import of_order as of_order  # noqa: PLC0414 - whoever explains an order asks here
from chalicelib.returns.histories import texts_of as texts_of  # noqa: PLC0414 - as above
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Asking:
    """What a buyer wants to send back, and for what."""

    order_id: str
    units: Mapping[str, int]
    wish: Wish
    reason: Reason
    text: str = ""
    replacements: Mapping[str, str] | None = None
    """By line the SKU that is wanted for it; the same again where none is named."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a return would do if all of it came back as it was sent: nothing was written."""

    amount: Money
    units: Mapping[str, int]
    freight: bool
    payer: Payer
    windows: Mapping[str, windows.Window]


def preview(buyer: Party, asking: Asking) -> Preview:
    """Say what a return would pay back, by the very rule that pays it back, who pays the parcel, and until when.

    Raises:
        as :func:`ask`.
    """
    order = _of_buyer(buyer, asking)
    now = clock.now()
    _check(order, asking)
    by_line = {
        line.line_id: windows.window(order, line, asking.reason, now=now)
        for line in order.lines
        if line.line_id in asking.units
    }
    payer = domain.payer_of(asking.reason)
    if asking.wish is Wish.EXCHANGE:
        return Preview(Money(0, order.total.currency), dict(asking.units), freight=False, payer=payer, windows=by_line)
    worth = acting.worth(order, asking.units, asking.reason)
    return Preview(worth.amount, dict(worth.units), worth.freight, payer, by_line)


def ask(buyer: Party, asking: Asking, intent: Intent) -> tuple[Return, bool]:
    """Ask to send units back; says whether the same intent asked before. The order does not confirm itself meanwhile.

    Raises:
        NotFound: if the order is not theirs, or has no such line.
        NotReturnable: for what does not go back, and why.
        TooManyReturned: if the buyer has not so many, was paid for them, or speaks of them in another return.
        TooManyReturns: if too many of the order are open.
        NotExchangeable: for another product, or another price.
        Busy: if it kept changing.
    """
    return_id = intent.record_id("rtn")

    def create() -> tuple[Return, bool]:
        earlier = store.find(return_id)
        if earlier is not None:
            intent.check(earlier.fingerprint)
            return earlier, True
        order = _of_buyer(buyer, asking)
        _check(order, asking)
        wanted = _new(return_id, order, asking, intent)
        fact = events.ReturnRequested(return_id=return_id, order_id=order.order_id, number=1)
        with UnitOfWork(f"return#{return_id}") as work:
            store.save(work, wanted, [fact])
            orders.begin_return(work, order, return_id, asking.units)
        return replace(wanted, version=1), False

    return racing(create, otherwise=Busy)


def _of_buyer(buyer: Party, asking: Asking) -> Order:
    order = orders.load_order(asking.order_id)
    if order.buyer_id != buyer.owner_id:
        raise NotFound(what="order")
    if asking.units.keys() - {line.line_id for line in order.lines}:
        raise NotFound(what="order line")
    return order


def _check(order: Order, asking: Asking) -> None:
    windows.check(order, asking.units, asking.reason, now=clock.now())
    free = orders.returnable(order)
    for line_id, quantity in asking.units.items():
        if quantity > free.get(line_id, 0):
            raise TooManyReturned(line_id=line_id, left=free.get(line_id, 0), wanted=quantity)
    if len({case for case, _, _ in order.returning}) >= domain.MOST_OPEN:
        raise TooManyReturns(most=domain.MOST_OPEN)
    if asking.wish is Wish.EXCHANGE:
        exchanging.check(order, asking.units, asking.replacements or {})


def _new(return_id: str, order: Order, asking: Asking, intent: Intent) -> Return:
    now = clock.now()
    swaps = asking.replacements or {}
    exchange = asking.wish is Wish.EXCHANGE
    parts = tuple(
        Part(line.line_id, asking.units[line.line_id], line.sku_id, swaps.get(line.line_id, "") if exchange else "")
        for line in order.lines
        if line.line_id in asking.units
    )
    return Return(
        return_id=return_id,
        order_id=order.order_id,
        buyer_id=order.buyer_id,
        merchant_id=order.merchant_id,
        wish=asking.wish,
        reason=asking.reason,
        status=RETURN.initial,
        parts=parts,
        asked_at=now,
        since=now,
        history=(Entry(now, Turn.BUYER, ASKED, asking.text),),
        address=store.NOWHERE,
        fingerprint=intent.fingerprint,
    )


def load(party: Party, return_id: str, *, consistent: bool = False) -> Return:
    """Return a return of this party.

    Raises:
        NotFound: if there is none of theirs.
    """
    return acting.load(party, return_id, consistent=consistent)


def parties(return_id: str) -> tuple[str, str, str]:
    """Return the buyer, the merchant and the order of a return: who must not judge it.

    Raises:
        NotFound: if there is none.
    """
    found = store.load(return_id, consistent=False)
    return found.buyer_id, found.merchant_id, found.order_id


def list_for(party: Party, window: Window, *, waiting: bool) -> Page[Return]:
    """Return one page of a party's returns: those that wait for it, most urgent first, or all, newest first.

    Operators see what waits for them.
    """
    if party.side is Turn.OPERATOR:
        return store.list_for("by_desk", store.OPERATORS, window)
    return store.list_for("by_desk" if waiting else party.side.value, party.owner_id, window)


@dataclass(frozen=True, slots=True)
class Where:
    """Where a return goes: who takes it, where and by phone; and what the carrier needs where the merchant pays."""

    address: Address
    label: str = ""


def approve(party: Party, return_id: str, where: Where, text: str, intent: Intent) -> tuple[Return, bool]:
    """Agree as the merchant, or decide so as the operator: the buyer sends it to this address.

    Raises:
        NotFound, IllegalTransition, IdempotencyKeyReused, Busy: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        _check_turn(party, case.before, Cause.APPROVE)
        moved = domain.move(case.before, Cause.APPROVE, entry)
        return Change(replace(moved, address=Later.of(where.address), label=where.label))

    return act(party, return_id, text, intent, change)


def _check_turn(party: Party, before: Return, cause: Cause) -> None:
    """Refuse to take somebody else's turn by a cause that both sides have.

    Raises:
        IllegalTransition: then.
    """
    if before.turn is not party.side:
        raise IllegalTransition(machine=RETURN.name, state=before.status.value, cause=cause.value)


def leave(merchant: Party, return_id: str, text: str, intent: Intent) -> tuple[Return, bool]:
    """Pay back as the merchant, and let the buyer keep it: nobody else can decide that on the merchant's account.

    Raises:
        NotFound, IllegalTransition, RefundRefused, IdempotencyKeyReused, Busy: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        return acting.paying(case, case.before, Cause.LEAVE, entry, case.before.units())

    return act(merchant, return_id, text, intent, change)


def refuse(merchant: Party, return_id: str, text: str, intent: Intent) -> tuple[Return, bool]:
    """Refuse as the merchant, and say why; the buyer may take it to the platform."""
    return _simply(merchant, return_id, Cause.REFUSE, text, intent)


def escalate(buyer: Party, return_id: str, text: str, intent: Intent) -> tuple[Return, bool]:
    """Object as the buyer, to a refusal or to an inspection: an operator decides."""
    return _simply(buyer, return_id, Cause.ESCALATE, text, intent)


def withdraw(buyer: Party, return_id: str, intent: Intent) -> tuple[Return, bool]:
    """Call the return off as the buyer, as long as nothing was sent."""
    return _simply(buyer, return_id, Cause.WITHDRAW, "", intent)


def _simply(party: Party, return_id: str, cause: Cause, text: str, intent: Intent) -> tuple[Return, bool]:
    return act(party, return_id, text, intent, lambda case, entry: Change(domain.move(case.before, cause, entry)))


def accept(buyer: Party, return_id: str, intent: Intent) -> tuple[Return, bool]:
    """Accept as the buyer what the merchant pays back of what came.

    Raises:
        NotFound, IllegalTransition, RefundRefused, IdempotencyKeyReused, Busy: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        if case.before.status is Status.WITHHELD:
            return acting.paying(case, case.before, Cause.ACCEPT, entry, case.before.accepted())
        return Change(domain.move(case.before, Cause.ACCEPT, entry))

    return act(buyer, return_id, "", intent, change)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What somebody gave to a carrier."""

    carrier: str
    number: str
    phone_tail: str = ""


def send(buyer: Party, return_id: str, parcel: Parcel, intent: Intent) -> tuple[Return, bool]:
    """Say as the buyer under which number the parcel travels back; it is followed like any other.

    Raises:
        NotFound, IllegalTransition, IdempotencyKeyReused, Busy: as named.
        UnknownCarrier, PhoneNeeded, TrackingNumberUsed, TooManyShipments: as when an order is shipped.
    """

    def change(case: Case, entry: Entry, met: logistics.Met) -> Change:
        moved = domain.move(case.before, Cause.SEND, entry)
        handed = _handed(case, parcel, logistics.Purpose.BACK)

        def write(work: UnitOfWork, after: Return) -> Return:
            return replace(after, shipment_id=logistics.send_return_parcel(work, case.order, handed, intent, met))

        return Change(moved, also=write)

    return acting.send(buyer, return_id, intent, change)


def replace_goods(merchant: Party, return_id: str, parcel: Parcel, intent: Intent) -> tuple[Return, bool]:
    """Say as the merchant under which number the replacement travels; its units are held since the inspection.

    Raises:
        as :func:`send`.
    """

    def change(case: Case, entry: Entry, met: logistics.Met) -> Change:
        moved = domain.move(case.before, Cause.REPLACE, entry)
        handed = _handed(case, parcel, logistics.Purpose.REPLACEMENT)

        def write(work: UnitOfWork, after: Return) -> Return:
            return replace(after, replacement_id=logistics.send_return_parcel(work, case.order, handed, intent, met))

        return Change(moved, also=write)

    return acting.send(merchant, return_id, intent, change)


def _handed(case: Case, parcel: Parcel, purpose: logistics.Purpose) -> logistics.Handed:
    return logistics.Handed(
        return_id=case.before.return_id,
        purpose=purpose,
        lines=case.before.units(),
        carrier=parcel.carrier,
        number=parcel.number,
        since=case.before.since,
        phone_tail=parcel.phone_tail,
    )


def inspect(
    merchant: Party, return_id: str, counted: Mapping[str, Graded], *, withholds: bool, text: str, intent: Intent
) -> tuple[Return, bool]:
    """Say as the merchant what came and how: what is taken is paid back, or replaced, with this very call.

    What came as new is in stock again in the same transaction. Where less is taken than was sent, the buyer is asked
    first. A replacement that is sold out is paid back instead.

    Raises:
        NotFound, IllegalTransition, IdempotencyKeyReused, Busy: as named.
        MoreThanSent: if more came than was sent.
        RefundRefused: if the money is not there.
    """

    def change(case: Case, entry: Entry) -> Change:
        inspected = domain.graded(case.before, counted, withholds=withholds)
        cause = domain.verdict(inspected)
        RETURN.next(inspected.status, cause)
        if cause is Cause.PAY:
            return acting.paying(case, inspected, cause, entry, inspected.accepted())
        if cause is Cause.EXCHANGE:
            return acting.exchanging(case, inspected, entry)
        return Change(domain.move(inspected, cause, entry))

    return act(merchant, return_id, text, intent, change)


def decide(operator: Party, return_id: str, *, pays: bool, text: str, intent: Intent) -> tuple[Return, bool]:
    """Decide as the operator: over what came, that all of it is paid back, or that what the merchant said stands.

    Of what did not come nothing is paid back here: the operator can only end it. A refund without a return, on the
    merchant's account, is the merchant's own choice.

    Raises:
        NotFound, IllegalTransition, RefundRefused, IdempotencyKeyReused, Busy: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        before = case.before
        if before.status is not Status.CONTESTED:
            if pays:
                raise IllegalTransition(machine=RETURN.name, state=before.status.value, cause=Cause.PAY.value)
            return Change(domain.move(before, Cause.DISMISS, entry))
        units = before.came() if pays else before.accepted()
        if not any(units.values()):
            return Change(domain.move(before, Cause.DISMISS, entry))
        return acting.paying(case, before, Cause.PAY, entry, units)

    return act(operator, return_id, text, intent, change)


def arrived(operator: Party, return_id: str, text: str, intent: Intent) -> tuple[Return, bool]:
    """Say as the operator that a missing parcel did arrive: the merchant's seven days run from now."""
    return _simply(operator, return_id, Cause.ARRIVE, text, intent)
