"""The first attempt to pay, placed together with its purchase: nothing that its provider does undoes the purchase."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.kernel import ids
from chalicelib.kernel.errors import ConcurrentUpdate, ShopError
from chalicelib.orders.service import Purchase
from chalicelib.payments.attempts import start
from chalicelib.payments.attempts.start import Wanted
from chalicelib.payments.domain.payment import MethodNotOffered, Payment, TooManyTries, UnknownProvider
from chalicelib.payments.ports import Provider
from chalicelib.payments.store import records as store
from chalicelib.runtime import log
from chalicelib.runtime.db.races import RACES
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

FIRST = 1


@dataclass(frozen=True, slots=True)
class Ready:
    """A way to pay that is offered here."""

    adapter: Provider
    method: str
    wanted: Wanted


def ready(wanted: Wanted, *, currency: str) -> Ready:
    """Look whether a purchase can be paid this way, before anything is written.

    Raises:
        UnknownProvider, MethodNotOffered: if it cannot.
    """
    adapter, method = start.way_to_pay(wanted)
    start.check_currency(adapter, currency)
    return Ready(adapter, method, wanted)


def add_first(work: UnitOfWork, purchase: Purchase, way: Ready, intent: Intent) -> Payment:
    """Add the first attempt to the work that places its purchase (which counts it already)."""
    return start.add(
        work, way.adapter, start.new(purchase, FIRST, way.adapter, way.method, intent, payer=way.wanted.payer)
    )


def tell_of_first(payment: Payment, way: Ready) -> Payment:
    """Tell the provider of a first attempt, now that it is written.

    Whatever goes wrong here, the purchase is placed: a fault leaves the attempt as silence does, to be polled, to be
    told of again by a repeat, or to be followed by another attempt.
    """
    try:
        return start.tell(way.adapter, payment, way.wanted)
    except ShopError as error:
        log.error(
            "payment could not be started at the provider",
            payment_id=payment.payment_id,
            provider=way.adapter.name,
            why=str(error),
        )
        return store.load_payment(payment.payment_id)


def first_again(purchase_id: str, wanted: Wanted) -> Payment:
    """Return a purchase's first attempt for a repeat of the request that placed both.

    The provider is told again if it never answered how to pay, as often as it may be, and if it is still offered.
    """
    payment_id = ids.child_id("pay", purchase_id, FIRST)
    for _ in range(RACES):
        payment = store.load_payment(payment_id)
        try:
            adapter, _method = start.way_to_pay(wanted)
            return start.go_on(adapter, payment, wanted)
        except ConcurrentUpdate:
            continue
        except (UnknownProvider, MethodNotOffered, TooManyTries) as error:
            log.warning(
                "payment cannot be started at the provider again",
                payment_id=payment_id,
                provider=payment.provider,
                why=error.code,
            )
            return payment
        except ShopError as error:
            log.error(
                "payment could not be started at the provider",
                payment_id=payment_id,
                provider=payment.provider,
                why=str(error),
            )
            return payment
    return store.load_payment(payment_id)
