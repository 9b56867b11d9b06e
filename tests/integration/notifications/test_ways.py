"""A message goes by the first way that takes it, one that certainly did not is passed on, and nobody gets two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.auth import store as accounts
from chalicelib.auth.domain import Link
from chalicelib.auth.external.people import identity_of
from chalicelib.kernel import clock, events, ids
from chalicelib.logistics.events import ShipmentCreated
from chalicelib.notifications import asking, inbox_store, store, subscription_store
from chalicelib.notifications.domain import LEASE, Kind, Message, Status
from chalicelib.notifications.preferences import Quiet
from chalicelib.notifications.topics import Topic
from chalicelib.payments.events import RefundSucceeded
from chalicelib.runtime import queues
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import people, sales
from tests.support.http import call
from tests.support.letters import post_office
from tests.support.pump import Pump
from tools.fakes.messages.carriers import Carriers

MAIL, PHONE, OPENID = "buyer@example.com", "+8613800138000", "oWX-1"


@pytest.fixture
def office(cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Carriers]:
    with post_office() as found:
        yield found


class Buyer:
    """Somebody who buys, with one order, and a mini program."""

    def __init__(self, *, email: str | None = MAIL, phone: str | None = None) -> None:
        self.person = people.buyer()
        account = accounts.load_account(self.person.account_id, consistent=True)
        assert account is not None
        links = tuple(
            Link(f"lnk_{name}", name, "app", identity_of(name, "app", OPENID), "", clock.now())
            for name in ("wechat_mini", "qq_mini")
        )
        with UnitOfWork() as work:
            work.save(accounts.account_row(replace(account, email=email, phone=phone, links=links)))
        self.sale = sales.paid(self.person.account_id, ("mer_1", (sales.line("l1"),)))
        self.shipped = 0

    def says(self, name: str = "shipped", answer: str = "accept", provider: str = "wechat_mini", **more: Any) -> Any:
        body = {"provider": provider, "payer": OPENID, "answers": {name: answer}, **more}
        return call("POST", "/v1/me/subscriptions", body, token=self.person.token)

    def is_told(self, *, pump: Pump | None = None) -> Message:
        self.shipped += 1
        order_id = self.sale.orders[0].order_id
        fact = ShipmentCreated(order_id=order_id, shipment_id=ids.child_id("shp", order_id, self.shipped))
        queues.send("telling", [events.seal(fact)])
        (pump or Pump(duplicate=3)).drain()
        return self.message(fact.event_id)

    def message(self, fact: str) -> Message:
        asked = asking.Asked(Kind.EMAIL, "", "", "", fact, clock.now(), {}, reader=self.person.account_id)
        found = store.load(asking.message_id_of(asked))
        assert found is not None
        return found

    def left(self, kind: Kind = Kind.WECHAT) -> int:
        return subscription_store.load(self.person.account_id, kind).left.get("shipped", 0)


@pytest.mark.parametrize(("kind", "provider", "template"), [("wechat", "wechat_mini", "WX"), ("qq", "qq_mini", "qq")])
def test_one_yes_is_one_message(office: Carriers, kind: str, provider: str, template: str) -> None:
    buyer, platform = Buyer(), getattr(office, kind)
    offered = call("GET", f"/v1/subscriptions?provider={provider}").json["items"]
    (shipped,) = [one for one in offered if one["message"] == "shipped"]
    assert buyer.says(provider=provider).json == {"left": {"shipped": 1}}
    platform.accept(OPENID, shipped["template_id"])

    first = buyer.is_told()
    assert (first.status, first.kind, first.cost) == (Status.SENT, Kind(kind), 0)
    (letter,) = office.mailbox.letters()
    assert buyer.sale.orders[0].number in letter.text
    assert letter.subject.startswith(f"pages/order/order?id={buyer.sale.orders[0].order_id}")
    assert buyer.left(Kind(kind)) == 0

    second = buyer.is_told()
    assert (second.kind, second.currency, second.cost) == (Kind.EMAIL, "CNY", 700)
    assert [one.carrier for one in office.mailbox.letters()] == ["ses", kind]
    assert platform.tokens == 1, "one token serves all"


def test_a_stranger_of_the_mini_program_is_refused_and_a_repeat_counts_once(office: Carriers) -> None:
    buyer = Buyer()
    stranger = buyer.says(payer="oWX-2")
    assert (stranger.status, stranger.json["code"]) == (422, "not_that_person")
    body = {"provider": "wechat_mini", "payer": OPENID, "answers": {"shipped": "accept", "refunded": "reject"}}
    answers = [call("POST", "/v1/me/subscriptions", body, token=buyer.person.token, key="answers-1") for _ in range(3)]
    assert [one.json for one in answers] == [{"left": {"shipped": 1}}] * 3
    other = {**body, "answers": {"shipped": "reject"}}
    assert call("POST", "/v1/me/subscriptions", other, token=buyer.person.token, key="answers-1").status == 422
    assert buyer.left() == 1


@pytest.mark.parametrize(("fate", "left"), [("43101", 0), ("40003", 1), ("45009", 2), ("47003", 2)])
def test_what_a_platform_refuses_goes_the_next_way(office: Carriers, fate: str, left: int) -> None:
    buyer = Buyer()
    buyer.says()
    buyer.says()
    office.wechat.accept(OPENID, "WX-SHIPPED", 2)
    office.wechat.steering.then(fate)
    found = buyer.is_told()
    assert (found.status, found.kind, found.sealed) == (Status.SENT, Kind.EMAIL, "")
    assert [one.carrier for one in office.mailbox.letters()] == ["ses"]
    assert buyer.left() == left


def test_a_token_that_ended_is_fetched_again_once(office: Carriers) -> None:
    buyer = Buyer()
    for _ in range(2):
        buyer.says()
    office.wechat.accept(OPENID, "WX-SHIPPED", 2)
    buyer.is_told()
    office.wechat.end_tokens()
    assert buyer.is_told().kind is Kind.WECHAT
    assert (office.wechat.tokens, office.wechat.calls) == (2, 3)


@pytest.mark.parametrize("fate", ["silent", "taken_silent"])
def test_what_may_have_arrived_is_not_passed_on(office: Carriers, noon: clock.Fixed, fate: str) -> None:
    buyer = Buyer()
    buyer.says()
    office.wechat.accept(OPENID, "WX-SHIPPED")
    office.wechat.steering.then(fate)
    pump = Pump(duplicate=3)
    found = buyer.is_told(pump=pump)
    noon.advance(LEASE + timedelta(seconds=10))
    pump.drain()
    assert (found.status, found.sealed) == (Status.UNCLEAR, "")
    assert len(office.mailbox.letters()) == (1 if fate == "taken_silent" else 0)


def test_a_busy_platform_is_asked_again_and_takes_one_yes(office: Carriers, noon: clock.Fixed) -> None:
    buyer = Buyer()
    buyer.says()
    office.wechat.accept(OPENID, "WX-SHIPPED")
    office.wechat.steering.then("-1")
    pump = Pump()
    assert buyer.is_told(pump=pump).status is Status.WAITING
    assert buyer.left() == 1
    noon.advance(timedelta(seconds=60))
    pump.drain()
    assert [one.carrier for one in office.mailbox.letters()] == ["wechat"]
    assert buyer.left() == 0


def test_quiet_hours_end_before_anything_is_brought(office: Carriers, noon: clock.Fixed) -> None:
    """It is noon in China: eleven hours later its quiet hours have begun."""
    buyer, pump = Buyer(), Pump(duplicate=3)
    noon.advance(timedelta(hours=11))
    found = buyer.is_told(pump=pump)
    assert found.status is Status.WAITING
    assert found.not_before == datetime.combine(noon().date() + timedelta(days=1), datetime.min.time(), UTC)
    assert office.mailbox.letters() == []
    assert len(inbox_store.newest(buyer.person.account_id, _window()).items) == 1, "the inbox has it at once"
    noon.advance(timedelta(hours=8))
    pump.due()
    pump.drain()
    assert office.mailbox.letters() == []
    noon.advance(timedelta(hours=1, minutes=1))
    pump.due()
    pump.drain()
    assert [one.carrier for one in office.mailbox.letters()] == ["ses"]


def _window() -> Any:
    from chalicelib.kernel.pages import Window

    return Window(10)


def test_what_is_turned_off_is_not_brought_and_a_text_is_the_last_way(
    office: Carriers, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = Buyer(phone=PHONE)
    with UnitOfWork() as work:
        wishes = inbox_store.preferences(buyer.person.account_id).chosen(
            [(Topic.PARCELS, Kind.EMAIL), (Topic.MONEY, Kind.EMAIL)], Quiet(60, 60)
        )
        inbox_store.save_preferences(work, wishes)
    order_id = buyer.sale.orders[0].order_id
    queues.send("telling", [events.seal(ShipmentCreated(order_id=order_id, shipment_id="shp_1"))])
    Pump().drain()
    assert office.mailbox.letters() == [], "a parcel is worth no text message"
    monkeypatch.setenv("BIANDAN_SMS_TEMPLATES", "refunded.zh:1110,refunded.en:1111")
    fact = RefundSucceeded(
        refund_id="ref_1",
        payment_id=ids.child_id("pay", buyer.sale.purchase.purchase_id, 1),
        order_id=order_id,
        amount_minor=990,
        currency="CNY",
    )
    queues.send("telling", [events.seal(fact) for _ in range(3)])
    Pump().drain()
    assert [one.carrier for one in office.mailbox.letters()] == ["tencent"]
    assert (buyer.message(fact.event_id).cost, buyer.message(fact.event_id).currency) == (45_000, "CNY")
