"""Facts come twice, at once and in any order, and count once; what rules make of them in shadow binds nobody."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.auth import service as auth
from chalicelib.kernel import clock, ids
from chalicelib.kernel import events as facts
from chalicelib.kernel.pages import Window
from chalicelib.kernel.roles import Post, Role
from chalicelib.orders import service as orders
from chalicelib.payments.events import PaymentCaptured
from chalicelib.risk import consumers, domain, fact_store, finding_store, gathering, rings
from chalicelib.risk import service as risk
from chalicelib.risk.domain import Fact, FactKind, Subject, SubjectKind
from chalicelib.runtime import aws, names
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, people, sales
from tests.support.pump import UNPUBLISHED, Pump
from tools.bench import metering
from tools.operate import backtest

pytestmark = pytest.mark.usefixtures("cloud")
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
BUYER = Subject(SubjectKind.ACCOUNT, "acc_1")


def unpaid(number: int, *, age: timedelta = timedelta()) -> Fact:
    return Fact(BUYER, FactKind.UNPAID, f"pur_{number}", clock.now() - age)


def counted(subject: Subject, kind: FactKind) -> set[str]:
    return set(fact_store.load(subject, clock.now()).facts.get(kind, {}))


def test_any_order_and_repeat_gives_the_same_counts() -> None:
    with clock.use(clock.Fixed(NOW)):
        told = [unpaid(number, age=timedelta(hours=number)) for number in range(4)]
        for order in itertools.islice(itertools.permutations(told), 0, 24, 5):
            fact_store.forget(BUYER)
            risk.note([*order, *order])
            assert counted(BUYER, FactKind.UNPAID) == {"pur_0", "pur_1", "pur_2", "pur_3"}


def test_facts_at_once_all_count() -> None:
    with clock.use(clock.Fixed(NOW)), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: fact_store.add(unpaid(number % 6), NOW), range(24)))
        assert counted(BUYER, FactKind.UNPAID) == {f"pur_{number}" for number in range(6)}


def test_no_more_is_kept_than_the_most_and_what_is_stale_makes_room() -> None:
    time = clock.Fixed(NOW)
    with clock.use(time):
        for number in range(domain.MOST_KEPT):
            fact_store.add(unpaid(number), NOW)
        assert len(fact_store.add(unpaid(999), NOW).facts[FactKind.UNPAID]) == domain.MOST_KEPT
        assert fact_store.add(unpaid(0), NOW).facts[FactKind.UNPAID].keys() >= {"pur_0"}  # A repeat is no refusal.
        time.advance(domain.KEPT + timedelta(minutes=1))
        kept = fact_store.add(unpaid(1000), clock.now())
        assert set(kept.facts[FactKind.UNPAID]) == {"pur_1000"}
        risk.note([unpaid(1, age=domain.KEPT)])  # So late a message is about nothing that counts.
        assert counted(BUYER, FactKind.UNPAID) == {"pur_1000"}


def test_what_shadow_finds_is_kept_once_with_all_it_went_by() -> None:
    with clock.use(clock.Fixed(NOW)):
        for _ in range(2):
            risk.note(unpaid(number, age=timedelta(minutes=number)) for number in range(7))
        page = finding_store.list_of("unpaid_account", Window(10, None))
        [finding] = page.items
        assert finding.subject == BUYER
        assert [record for _, record, _ in finding.evidence] == [f"pur_{number}" for number in range(6)]
        assert (finding.worth, finding.rule.least) == (6000, 6)


def captured(payment_id: str, *, payer: str = "") -> facts.Envelope:
    return facts.seal(PaymentCaptured(payment_id=payment_id, amount_minor=1, currency="CNY", payer=payer))


def tell(envelope: facts.Envelope) -> None:
    kind, handler = consumers.consumer._handlers[envelope.type]
    handler(envelope.event(kind), envelope)


def test_a_paid_purchase_counts_for_both_sides_and_costs_what_is_said() -> None:
    with clock.use(clock.Fixed(NOW)):
        merchant, buyer = people.merchant(), people.buyer().account_id
        first = sales.paid(buyer, (merchant.merchant_id, (sales.line("1"),)))
        second = sales.paid(buyer, (merchant.merchant_id, (sales.line("1"),)))
        costs = []
        for sale in (first, second, second):
            with metering.measured() as meter:
                tell(captured(ids.child_id("pay", sale.purchase.purchase_id, 1)))
            costs.append(meter.figures)
        # The sale and four counters; at first the rules, the merchant's people and the merchant too (docs/budget.md).
        assert costs == [(8, 4, 3.5), (5, 4, 1), (5, 4, 1)]
        order_ids = {sale.orders[0].order_id for sale in (first, second)}
        assert counted(Subject(SubjectKind.ACCOUNT, buyer), FactKind.PAID) == order_ids
        assert counted(Subject(SubjectKind.MERCHANT, merchant.merchant_id), FactKind.PAID) == order_ids
        for trait in gathering.traits(first.purchase.contact):
            assert counted(trait, FactKind.USED_BY) == {buyer}


def test_money_that_bought_nothing_counts_nowhere() -> None:
    with clock.use(clock.Fixed(NOW)):
        sale = sales.placed(people.buyer().account_id, (people.merchant().merchant_id, (sales.line("1"),)))
        fact = PaymentCaptured(
            payment_id=ids.child_id("pay", sale.purchase.purchase_id, 1), amount_minor=1, currency="CNY", surplus="late"
        )
        with metering.measured() as meter:
            tell(facts.seal(fact))
        assert meter.figures == (0, 0, 0)


def rings_of(merchant_id: str) -> set[FactKind]:
    found = fact_store.load(Subject(SubjectKind.MERCHANT, merchant_id), clock.now())
    return {kind for kind in domain.RINGS if kind in found.facts}


@pytest.mark.parametrize(
    ("shared", "wanted"),
    [
        ("nothing", set()),
        ("person", {FactKind.RING_PERSON}),
        ("device", {FactKind.RING_DEVICE}),
        ("address", {FactKind.RING_ADDRESS, FactKind.RING_PHONE}),
        ("used address", {FactKind.RING_ADDRESS}),
        ("payer", {FactKind.RING_PAYER}),
    ],
)
def test_the_same_on_both_sides_is_seen(shared: str, wanted: set[FactKind]) -> None:
    with clock.use(clock.Fixed(NOW)):
        merchant_id, owner, buyer = people.merchant().merchant_id, people.buyer(), people.buyer()
        auth.grant(owner.account_id, Role.MERCHANT_STAFF, merchant_id=merchant_id, post=Post.OWNER, by="test")
        who = owner if shared == "person" else buyer
        sale = sales.paid(who.account_id, (merchant_id, (sales.line("1"),)))
        contact = sale.purchase.contact
        assert contact is not None
        if shared == "device":
            risk.note(gathering.device_shared(buyer.account_id, owner.account_id, "d" * 24, NOW))
        if shared == "address":
            address = auth.Address(
                "adr_1",
                "王",
                contact.phone,
                contact.country,
                contact.province,
                contact.city,
                contact.district,
                f" {contact.street} ",
                contact.postcode,
            )
            auth._save_book(replace(auth.addresses(owner.account_id), addresses=(address,), default_id="adr_1"))
        if shared == "used address":
            risk.note(gathering.used(owner.account_id, replace(contact, phone="+8613900000009"), "", NOW))
        if shared == "payer":
            risk.note(gathering.used(owner.account_id, None, "p" * 24, NOW))
        rings._sides.clear()
        for _ in range(2):
            tell(captured(ids.child_id("pay", sale.purchase.purchase_id, 1), payer="p" * 24))
        assert rings_of(merchant_id) == wanted


def test_events_come_from_those_who_tell_them() -> None:
    """Through streams and queues, everything twice: sign-up, purchases that end, a complaint's and a refund's facts."""
    with clock.use(clock.Fixed(NOW)):
        merchant_id, buyer = people.merchant().merchant_id, people.buyer().account_id
        sale = sales.placed(buyer, (merchant_id, (sales.line("1"),)))
        with UnitOfWork() as work:
            orders.release(work, sale, expired=True)
        Pump(duplicate=2, leaves=UNPUBLISHED - {"risk"}).drain()
        assert counted(Subject(SubjectKind.ACCOUNT, buyer), FactKind.UNPAID) == {sale.purchase.purchase_id}
        assert counted(Subject(SubjectKind.MERCHANT, merchant_id), FactKind.OPENED) == {merchant_id}


def test_the_table_holds_no_personal_value() -> None:
    with clock.use(clock.Fixed(NOW)):
        sale = sales.paid(people.buyer().account_id, (people.merchant().merchant_id, (sales.line("1"),)))
        tell(captured(ids.child_id("pay", sale.purchase.purchase_id, 1)))
        contact = sale.purchase.contact
        assert contact is not None
        rows = str(aws.call("dynamodb", "Scan", {"TableName": names.table_name("risk")})["Items"])
        for value in (contact.phone, contact.street, contact.recipient, contact.phone[-8:]):
            assert value not in rows


def test_a_rule_is_tried_on_the_facts_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    with clock.use(clock.Fixed(NOW)):
        risk.note(unpaid(number, age=timedelta(hours=number)) for number in range(5))
        fact_store.add(Fact(Subject(SubjectKind.ACCOUNT, "acc_2"), FactKind.UNPAID, "pur_9", NOW), NOW)
        before = dump.tables()
        assert backtest.main(["unpaid_account", "--half-life-h", "0", "--show", "1"]) == 0
        assert backtest.main(["unpaid_account", "--half-life-h", "0", "--least", "5", "--show", "1"]) == 0
        assert backtest.main(["unpaid_account", "--least", "0"]) == 1
        assert backtest.main(["nobody"]) == 1
        assert dump.differences(before, dump.tables()) == []
    said = capsys.readouterr().out.splitlines()
    shown = "5 purchases that ended unpaid within 72 hours: rule unpaid_account, version 1, from 5 on."
    assert said == [
        "0 findings of 0 among 2 subjects",
        f"2026-11-29 12:00 account#acc_1: {shown}",
        "1 findings of 1 among 2 subjects",
    ]
