"""A fact is told once to everybody whom it concerns, whatever comes again, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.auth import service as auth
from chalicelib.auth import store as accounts
from chalicelib.kernel import clock, events, ids
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Window
from chalicelib.kernel.roles import Post, Role
from chalicelib.logistics.events import ShipmentCreated, ShipmentTurnedBack
from chalicelib.notifications import inbox_store
from chalicelib.notifications.inbox import Entry
from chalicelib.notifications.topics import Topic
from chalicelib.orders.service import Sale
from chalicelib.payments.events import PaymentCaptured, RefundSucceeded
from chalicelib.runtime import aws, queues
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.telling import service
from tests.support import people, sales
from tests.support.letters import post_office
from tests.support.pump import Pump
from tools.bench import metering
from tools.fakes.messages.carriers import Carriers

MAIL = "buyer@example.com"


@pytest.fixture
def office(cloud: str, noon: clock.Fixed) -> Iterator[Carriers]:
    with post_office() as found:
        yield found


def reached_at(account_id: str, *, email: str | None = None, phone: str | None = None) -> None:
    account = accounts.load_account(account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(accounts.account_row(replace(account, email=email, phone=phone)))


def tell(fact: Event, *, times: int = 1, pump: Pump | None = None) -> None:
    queues.send("telling", [events.seal(fact) for _ in range(times)])
    (pump or Pump()).drain()


def inbox(account_id: str) -> list[Entry]:
    return list(inbox_store.newest(account_id, Window(limit=50, after=None)).items)


def captured(sale: Sale, surplus: str = "") -> PaymentCaptured:
    payment_id = ids.child_id("pay", sale.purchase.purchase_id, 1)
    return PaymentCaptured(payment_id=payment_id, amount_minor=1000, currency="CNY", surplus=surplus)


def test_one_message_a_person_and_fact_however_often_it_comes(office: Carriers) -> None:
    buyer = people.buyer()
    reached_at(buyer.account_id, email=MAIL, phone="+8613800138000")
    sale = sales.paid(buyer.account_id, ("mer_1", (sales.line("l1"),)))
    order = sale.orders[0]
    fact = ShipmentCreated(order_id=order.order_id, shipment_id=ids.child_id("shp", order.order_id, 1))

    tell(fact, times=5, pump=Pump(duplicate=10))
    tell(fact, times=5, pump=Pump(duplicate=10))

    (entry,) = inbox(buyer.account_id)
    assert (entry.template, entry.about, entry.read_at) == ("shipped", order.order_id, None)
    assert entry.values == {"order": order.number, "shop": "Tea House"}
    (letter,) = office.mailbox.letters(MAIL)
    assert order.number in letter.text
    assert office.mailbox.letters() == [letter], "one way is enough: the phone stays silent"


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_call_tells_nobody_twice(office: Carriers, at: int, after: bool) -> None:
    buyer = people.buyer()
    reached_at(buyer.account_id, email=MAIL)
    sale = sales.paid(buyer.account_id, ("mer_1", (sales.line("l1"),)))
    fact = captured(sale)
    calls = 0

    def crash(asked: str, operation: str, params: object, proceed: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            raise Crash
        answer = proceed()  # type: ignore[operator]
        if calls == at:
            raise Crash
        return answer

    try:
        with aws.hooked(crash):  # type: ignore[arg-type]
            service.tell(fact, clock.now())
    except Crash:
        pass
    tell(fact, times=3)
    assert [entry.template for entry in inbox(buyer.account_id)] == ["paid"]
    assert len(office.mailbox.letters(MAIL)) == 1


def test_the_shop_hears_what_it_has_to_do_at_the_posts_that_do_it(office: Carriers) -> None:
    buyer, shop = people.buyer(), people.merchant()
    clerk, finance = people.buyer(), people.buyer()
    auth.grant(clerk.account_id, Role.MERCHANT_STAFF, shop.merchant_id, post=Post.CLERK)
    auth.grant(finance.account_id, Role.MERCHANT_STAFF, shop.merchant_id, post=Post.FINANCE)
    sale = sales.paid(buyer.account_id, (shop.merchant_id, (sales.line("l1"),)))

    tell(captured(sale), times=3)

    (entry,) = [one for one in inbox(clerk.account_id) if one.topic is Topic.SHOP]
    assert (entry.template, entry.about) == ("sold", sale.purchase.purchase_id)
    assert entry.values == {"order": sale.orders[0].number}
    assert "sold" not in [entry.template for entry in inbox(finance.account_id)]
    assert office.mailbox.letters() == [], "daily work is brought to nobody"


def test_what_it_costs_to_tell_a_fact(office: Carriers) -> None:
    """Told once: its order, its reader, one transaction. Again: the same reads, and a write that is refused."""
    buyer = people.buyer()
    sale = sales.paid(buyer.account_id, ("mer_1", (sales.line("l1"),)))
    order_id = sale.orders[0].order_id
    fact = ShipmentCreated(order_id=order_id, shipment_id=ids.child_id("shp", order_id, 1))
    costs = []
    for email in (None, None, MAIL):
        if email:
            reached_at(buyer.account_id, email=email)
            fact = ShipmentCreated(order_id=order_id, shipment_id=ids.child_id("shp", order_id, 2))
        with metering.measured() as meter:
            service.tell(fact, clock.now())
        costs.append(meter.figures)
    assert costs == [(4, 2, 3.5), (4, 1, 3.5), (4, 5, 3.5)]


def test_money_that_goes_back_at_once_bought_nothing(office: Carriers) -> None:
    buyer = people.buyer()
    sale = sales.placed(buyer.account_id, ("mer_1", (sales.line("l1"),)))
    tell(captured(sale, surplus="late"))
    assert inbox(buyer.account_id) == []
    payment_id = ids.child_id("pay", sale.purchase.purchase_id, 1)
    tell(
        RefundSucceeded(
            refund_id=ids.child_id("ref", sale.purchase.purchase_id, 1),
            payment_id=payment_id,
            order_id=None,
            amount_minor=1050,
            currency="CNY",
        )
    )
    (entry,) = inbox(buyer.account_id)
    assert (entry.template, entry.about) == ("refunded", sale.purchase.purchase_id)
    assert entry.values == {"amount": "10.50 CNY", "order": sale.purchase.number}


def test_who_buys_in_the_own_shop_is_told_once(office: Carriers) -> None:
    shop = people.merchant()
    owner = people.buyer()
    auth.grant(owner.account_id, Role.MERCHANT_STAFF, shop.merchant_id, post=Post.OWNER)
    Pump().drain()
    sale = sales.paid(owner.account_id, (shop.merchant_id, (sales.line("l1"),)))
    order_id = sale.orders[0].order_id
    shipment_id = ids.child_id("shp", order_id, 1)
    tell(ShipmentTurnedBack(order_id=order_id, shipment_id=shipment_id, at=clock.now()))
    assert sorted(entry.template for entry in inbox(owner.account_id)) == ["role_granted", "turned_back"]
