"""Use cases of requests: ask, say, offer, accept, decline, withdraw; and what it costs to order what was agreed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from chalicelib.catalog import service as catalog
from chalicelib.checkout import service as checkout
from chalicelib.checkout.service import Quote
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Place, Window
from chalicelib.requests import domain, events, files, store
from chalicelib.requests.domain import ASKED, Cause, Entry, NothingToOrder, Offer, Request, Side, Status, TooManyOpen
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent, system_intent


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: the side, the account, and the id by which requests are theirs (an account's or a merchant's)."""

    side: Side
    account_id: str
    owner_id: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody says, and the files to it."""

    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a merchant offers."""

    title: str
    price: Money
    quantity: int
    ready_by: date
    until: datetime


def ask(buyer: Party, product_id: str, said: Statement, intent: Intent) -> tuple[Request, bool]:
    """Ask a merchant to make something, like a listed product or otherwise than it; says whether it was asked before.

    Raises:
        ProductNotFound: if the product is not listed.
        TooManyOpen: if the buyer has too many requests that wait.
        EvidenceMissing, EvidenceRefused: as named.
        IdempotencyKeyReused: if the key asked something else.
    """
    request_id = intent.record_id("req")

    def attempt() -> tuple[Request, bool]:
        before = store.find(request_id)
        if before is not None:
            intent.check(before.fingerprint)
            return before, True
        product = catalog.read(product_id)
        _check_open(buyer)
        now = clock.now()
        attached = files.attach(request_id, buyer.account_id, said.files)
        request = Request(
            request_id=request_id,
            buyer_id=buyer.owner_id,
            merchant_id=product.merchant_id,
            product_id=product_id,
            status=Status.ASKED,
            made_at=now,
            history=(Entry(now, Side.BUYER, ASKED, said.text, attached),),
            fingerprint=intent.fingerprint,
        )
        with UnitOfWork(f"ask#{request_id}") as work:
            store.save(work, request, [events.RequestAsked(**_subject(request))])
        return replace(request, version=1), False

    return racing(attempt, otherwise=Busy)


def _check_open(buyer: Party) -> None:
    """Refuse a buyer of whose latest requests too many wait: what is older than these nobody answers any more."""
    latest = store.list_for(Side.BUYER, buyer.owner_id, Window(limit=domain.MAX_OPEN))
    if sum(one.is_open for one in latest.items) >= domain.MAX_OPEN:
        raise TooManyOpen(most=domain.MAX_OPEN)


def load(party: Party, request_id: str, *, consistent: bool = False) -> Request:
    """Return a request of this party's.

    Raises:
        NotFound: if it is not theirs.
    """
    found = store.load(request_id, consistent=consistent)
    if party.owner_id != (found.buyer_id if party.side is Side.BUYER else found.merchant_id):
        raise NotFound(what="request")
    return found


def list_for(party: Party, window: Window) -> Page[Request]:
    """Return one page of a party's requests, newest first."""
    return store.list_for(party.side, party.owner_id, window)


def show_file(party: Party, request_id: str, file_id: str) -> tuple[str, datetime]:
    """Return an address that shows one file of a request for some minutes.

    Raises:
        NotFound: if the request is not theirs, or has no such file.
    """
    for found in load(party, request_id).files:
        if found.file_id == file_id:
            return files.link(request_id, found)
    raise NotFound(what="evidence")


def say(party: Party, request_id: str, said: Statement, intent: Intent) -> tuple[Request, bool]:
    """Write to the other side; also after it was agreed on.

    Raises:
        NotFound, IllegalTransition, TooMuchSaid, EvidenceMissing, EvidenceRefused, Busy: as named.
    """

    def change(before: Request, entry: Entry) -> _Change:
        after = domain.move(before, Cause.SAY, entry)
        return _Change(after, events.RequestSaid(**_subject(after), by=party.side.value))

    return _act(party, request_id, said, intent, change)


def offer(merchant: Party, request_id: str, terms: Terms, said: Statement, intent: Intent) -> tuple[Request, bool]:
    """Offer to make it as the merchant; another offer takes the place of the one before.

    Raises:
        NotFound, IllegalTransition, TooMuchSaid, EvidenceMissing, EvidenceRefused, Busy: as named.
    """

    def change(before: Request, entry: Entry) -> _Change:
        offered = Offer(
            domain.next_offer(before), terms.title, terms.price, terms.quantity, terms.ready_by, terms.until
        )
        after = domain.move(before, Cause.OFFER, replace(entry, offer=offered))
        return _Change(after, events.RequestOffered(**_subject(after)))

    return _act(merchant, request_id, said, intent, change)


def decline(merchant: Party, request_id: str, said: Statement, intent: Intent) -> tuple[Request, bool]:
    """Say as the merchant that it will not be made, or not as offered."""
    return _act(merchant, request_id, said, intent, _ending(Cause.DECLINE))


def withdraw(buyer: Party, request_id: str, intent: Intent) -> tuple[Request, bool]:
    """Take the request back as the buyer."""
    return _act(buyer, request_id, Statement(""), intent, _ending(Cause.WITHDRAW))


def _ending(cause: Cause) -> _Decide:
    def change(before: Request, entry: Entry) -> _Change:
        after = domain.move(before, cause, entry)
        return _Change(after, events.RequestEnded(**_subject(after), status=after.status.value))

    return change


def accept(buyer: Party, request_id: str, number: int, intent: Intent) -> tuple[Request, bool]:
    """Accept an offer as the buyer: in the same transaction it is made for this buyer, with its units, to be ordered.

    Raises:
        NotFound, IllegalTransition, OfferChanged, OfferOver, TooMuchSaid, Busy: as named.
        ProductNotFound: if the product that it was asked about is there no more.
    """

    def change(before: Request, entry: Entry) -> _Change:
        after, agreed = domain.accept(before, number, entry)
        like = catalog.own(before.merchant_id, before.product_id)
        made = catalog.Made(
            product_id=domain.product_for(before, agreed),
            like=like,
            title=agreed.title,
            price=agreed.price,
            buyer_id=before.buyer_id,
            until=domain.can_be_ordered_until(agreed, entry.at),
        )

        def make(work: UnitOfWork) -> None:
            sku_id = catalog.make(work, made)
            units = system_intent(f"made#{sku_id}")
            inventory.receive_new(work, sku_id, agreed.quantity, intent=units, reason="made to order")

        return _Change(after, events.RequestAccepted(**_subject(after)), make)

    return _act(buyer, request_id, Statement(""), intent, change)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a use case wants to commit: the request as it will stand, what is told, and what goes with it."""

    after: Request
    told: Event
    beside: Callable[[UnitOfWork], None] | None = None


_Decide = Callable[[Request, Entry], _Change]


def _act(party: Party, request_id: str, said: Statement, intent: Intent, change: _Decide) -> tuple[Request, bool]:
    """Load, check whose it is and whether this request did it before, decide, commit; again after a lost race."""

    def attempt() -> tuple[Request, bool]:
        before = load(party, request_id, consistent=True)
        if domain.remembered(before, intent.token, intent.fingerprint):
            return before, True
        entry = Entry(clock.now(), party.side, "", said.text, intent=intent.token, fingerprint=intent.fingerprint)
        decided = change(before, entry)  # First without files: a refusal reads and copies none.
        if said.files:
            attached = files.attach(request_id, party.account_id, said.files)
            decided = change(before, replace(entry, files=attached))
        with UnitOfWork() as work:
            store.save(work, decided.after, [decided.told])
            if decided.beside is not None:
                decided.beside(work)
        return replace(decided.after, version=before.version + 1), False

    return racing(attempt, otherwise=Busy)


def _subject(request: Request) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "buyer_id": request.buyer_id,
        "merchant_id": request.merchant_id,
        "number": len(request.history),
    }


def quote(buyer: Party, request_id: str, *, address_id: str | None) -> Quote:
    """Say what it costs to order what was agreed on, at the agreed price with today's freight.

    Raises:
        NotFound: if it is not theirs, or the address is not.
        NothingToOrder: if nothing was accepted.
        NotForSale: if it was to be ordered before.
        AddressNeeded, TooManyUnits, TotalTooLarge: as of any quote.
    """
    found = load(buyer, request_id)
    if not found.sku_id or found.offer is None:
        raise NothingToOrder
    return checkout.quote_made(buyer.account_id, found.sku_id, found.offer.quantity, address_id=address_id)


# --- forgetting -------------------------------------------------------------------------------------------------------


def requests_of(buyer_id: str, after: Place | None, *, limit: int) -> tuple[list[Request], Place | None]:
    """Return one page of a buyer's requests, and where the next begins."""
    page = store.list_for(Side.BUYER, buyer_id, Window(limit=limit, after=after))
    return list(page.items), page.after


def files_of(request: Request) -> list[tuple[str, str, int]]:
    """Return the files of a request: what each is called, where it lies, how long it is."""
    return files.stored(request)


def forget(request_id: str) -> None:
    """Forget what was written in a request and its files, and take it back if it is open; that there was one stays."""

    def attempt() -> None:
        request = store.load(request_id)
        kept = request.files
        files.erase(request_id, kept)
        emptied = tuple(replace(entry, text="", files=()) for entry in request.history)
        status = domain.REQUEST.next(request.status, Cause.WITHDRAW) if request.is_open else request.status
        changed = replace(request, history=emptied, status=status)
        if changed == request:
            return
        with UnitOfWork() as work:
            store.save(work, changed)
            files.forget(work, kept)

    racing(attempt)
