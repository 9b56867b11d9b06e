"""Every adapter keeps the port's rules: finds all folders of ``payments/providers`` and runs the same cases on each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import CURRENCIES, Money
from chalicelib.payments import providers
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    CloseOutcome,
    IgnoredNotice,
    Inquirer,
    Notice,
    NoticeRefused,
    Outcome,
    PaymentOrder,
    RefundOrder,
    RefundOutcome,
)
from chalicelib.runtime import aws, outbound
from tests.contract.stands import Stand

NAMES = providers.names()
VECTORS = Path(__file__).parent / "vectors"
AMOUNT = Money(1999)


@pytest.fixture(params=NAMES)
def stand(request: pytest.FixtureRequest, noon: Any) -> Iterator[Stand]:
    found: Stand = import_module(f"tests.contract.stands.{request.param}").stand()
    outbound.install(found.transport)
    yield found
    outbound.install(None)


@pytest.fixture(autouse=True)
def no_aws() -> Iterator[None]:
    """An adapter that was given its configuration calls nothing of AWS."""

    def refuse(service: str, operation: str, params: Any, proceed: Any) -> Any:
        raise AssertionError(f"{service}.{operation} in an adapter with its own configuration")

    with aws.hooked(refuse):
        yield


def order(number: int = 1, *, method: str = "") -> PaymentOrder:
    now = clock.now()
    return PaymentOrder(
        payment_id=ids.child_id("pay", "pur_" + ids.digest("contract"), number),
        amount=AMOUNT,
        description="Tea 茶",
        method=method,
        created_at=now,
        expires_at=now + timedelta(minutes=30),
        notify_url="https://shop.example/v1/webhooks/payments/x",
        return_url="https://shop.example/done",
        payer="payer-1",
        client_ip="127.0.0.1",
    )


def create(stand: Stand, number: int = 1) -> Attempt:
    wanted = order(number, method=stand.provider.methods[0])
    instruction = stand.provider.create(wanted)
    assert instruction.outcome is Outcome.PENDING
    return attempt(wanted, instruction.reference)


def attempt(wanted: PaymentOrder, reference: str | None = None, transaction_id: str | None = None) -> Attempt:
    return Attempt(wanted.payment_id, wanted.amount, wanted.created_at, wanted.method, reference, transaction_id)


def paid(stand: Stand) -> Attempt:
    created = create(stand)
    stand.pay(created.payment_id)
    report = stand.provider.query(created)
    return attempt(order(method=created.method), created.reference, report.transaction_id)


def refund(of: Attempt, amount: int = 700, *, number: int = 1, before: int = 0) -> RefundOrder:
    return RefundOrder(
        refund_id=ids.child_id("ref", of.payment_id, number),
        payment=of,
        amount=Money(amount),
        captured=AMOUNT,
        refunded_before=Money(before),
        reason="goodwill",
        notify_url="https://shop.example/v1/webhooks/payments/x",
    )


@pytest.mark.parametrize("name", NAMES)
def test_it_is_loaded_by_its_name_and_says_what_it_can(name: str) -> None:
    provider = providers.adapter(name).build()
    assert provider.name == name
    assert provider.methods
    assert all(len(currency) == 3 and currency.isupper() for currency in provider.currencies)
    assert provider.content_types
    assert provider.limits.refund_window > timedelta()
    assert provider.limits.max_refunds >= 1
    assert provider.limits.refund_interval >= timedelta()


def test_what_may_be_priced_is_what_some_provider_takes() -> None:
    """A currency that entered a price and that nobody takes could be put into a cart and never be paid."""
    taken = {code for name in NAMES for code in providers.adapter(name).build().currencies}
    assert taken == CURRENCIES


@pytest.mark.parametrize("name", NAMES)
def test_it_says_in_words_what_a_configuration_lacks_and_verifies_with_none_such(name: str) -> None:
    adapter = providers.adapter(name)
    said = adapter.diagnose({})
    assert said
    assert all(isinstance(sentence, str) and sentence for sentence in said)
    with pytest.raises(Misconfigured):
        adapter.verify({}, b"", configuration={})
    with pytest.raises(Misconfigured):
        adapter.build({})


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_stand_in_and_recorded_vectors(name: str) -> None:
    stands = import_module(f"tests.contract.stands.{name}")
    assert hasattr(stands, "stand")
    assert stands.ADAPTER is providers.adapter(name), "mypy holds the module to the port where its stand names it"
    assert len(list((VECTORS / name).glob("*.json"))) >= 2, f"record notices of {name} in tests/contract/vectors"


def test_create_gives_an_instruction_for_every_method_and_repeats_itself(stand: Stand) -> None:
    for number, method in enumerate(stand.provider.methods, start=1):
        wanted = order(number, method=method)
        first, again = stand.provider.create(wanted), stand.provider.create(wanted)
        assert first.outcome is again.outcome is Outcome.PENDING
        assert first.action is again.action is not Action.NONE
        assert bool(first.url) or bool(first.params)


def test_a_storefront_is_told_what_each_method_is_and_makes_the_client_do(stand: Stand) -> None:
    provider = stand.provider
    assert all(provider.title)
    assert set(provider.shown) == set(provider.methods)
    for number, method in enumerate(provider.methods, start=1):
        shown = provider.shown[method]
        assert shown.en
        assert any("\u4e00" <= character <= "\u9fff" for character in shown.zh)
        assert provider.create(order(number, method=method)).action is shown.action
        for name in shown.needs:  # Without it the provider would refuse, or could not bring the buyer back.
            without: dict[str, Any] = {name: None}
            lacking = replace(order(number + 20, method=method), **without)
            assert provider.create(lacking).outcome is Outcome.FAILED


def test_what_we_do_not_act_on_is_named_so_that_it_can_be_kept(stand: Stand) -> None:
    payment_id = create(stand).payment_id
    stand.pay(payment_id)
    for wrong in stand.wrong(payment_id):
        if wrong.refusal is IgnoredNotice:
            headers, body = wrong.sent
            with pytest.raises(IgnoredNotice) as caught:
                stand.provider.verify(headers=headers, body=body)
            assert caught.value.params["event"], wrong.label


def test_an_order_is_absent_then_pending_then_captured(stand: Stand) -> None:
    wanted = order(method=stand.provider.methods[0])
    assert stand.provider.query(attempt(wanted)).outcome is Outcome.ABSENT
    created = create(stand)
    assert stand.provider.query(created).outcome in (Outcome.PENDING, Outcome.ABSENT)
    stand.pay(created.payment_id)
    report = stand.provider.query(created)
    assert (report.outcome, report.amount) == (Outcome.CAPTURED, AMOUNT)
    assert report.transaction_id
    assert report.at == clock.now()


def test_close_is_repeatable_and_tells_of_money(stand: Stand) -> None:
    wanted = order(9, method=stand.provider.methods[0])
    assert stand.provider.close(attempt(wanted)) is CloseOutcome.ABSENT
    first = create(stand, 1)
    assert stand.provider.close(first) is CloseOutcome.CLOSED
    assert stand.provider.close(first) is CloseOutcome.CLOSED
    assert stand.provider.query(first).outcome is Outcome.CLOSED
    second = create(stand, 2)
    stand.pay(second.payment_id)
    assert stand.provider.close(second) is CloseOutcome.CAPTURED
    third = create(stand, 3)
    stand.pay_during_close(third.payment_id)
    assert stand.provider.close(third) is CloseOutcome.CAPTURED
    assert stand.provider.query(third).outcome is Outcome.CAPTURED


@pytest.mark.parametrize("accepted", [True, False])
def test_no_answer_is_unknown_never_a_failure(stand: Stand, accepted: bool) -> None:
    provider, wanted = stand.provider, order(method=stand.provider.methods[0])
    stand.silence(wanted.payment_id, "create", accepted=accepted)
    assert provider.create(wanted).outcome is Outcome.UNKNOWN
    created = create(stand)
    stand.silence(wanted.payment_id, "query", accepted=accepted)
    assert provider.query(created).outcome is Outcome.UNKNOWN
    stand.pay(created.payment_id)
    stand.silence(wanted.payment_id, "close", accepted=accepted)
    assert provider.close(created) is CloseOutcome.UNKNOWN
    wanted_refund = refund(paid_again(stand, created))
    stand.silence(wanted.payment_id, "refund", accepted=accepted)
    assert provider.refund(wanted_refund).outcome is RefundOutcome.UNKNOWN
    assert provider.refund(wanted_refund).outcome is RefundOutcome.SUCCEEDED
    stand.silence(wanted.payment_id, "query_refund", accepted=accepted)
    assert provider.query_refund(wanted_refund).outcome is RefundOutcome.UNKNOWN
    assert stand.refunded(wanted.payment_id) == 700


def paid_again(stand: Stand, created: Attempt) -> Attempt:
    report = stand.provider.query(created)
    return attempt(order(method=created.method), created.reference, report.transaction_id)


def test_an_answer_that_does_not_verify_is_unknown(stand: Stand) -> None:
    created = create(stand)
    stand.pay(created.payment_id)
    stand.unsign(created.payment_id, "query")
    assert stand.provider.query(created).outcome is Outcome.UNKNOWN
    assert stand.provider.query(created).outcome is Outcome.CAPTURED


def test_refunds_add_up_and_the_same_number_is_the_same_refund(stand: Stand) -> None:
    of = paid(stand)
    assert stand.provider.query_refund(refund(of)).outcome is RefundOutcome.ABSENT
    for _ in range(3):
        report = stand.provider.refund(refund(of, 700, number=1))
        assert report.outcome is RefundOutcome.SUCCEEDED
        assert report.amount in (None, Money(700))
    assert stand.provider.refund(refund(of, 1299, number=2, before=700)).outcome is RefundOutcome.SUCCEEDED
    assert stand.refunded(of.payment_id) == 1999
    assert stand.provider.refund(refund(of, 1, number=3, before=1999)).outcome is RefundOutcome.FAILED
    report = stand.provider.query_refund(refund(of, 1299, number=2))
    assert (report.outcome, report.amount) == (RefundOutcome.SUCCEEDED, Money(1299))


@pytest.mark.parametrize("amount", [Money(0), Money(-700), Money(2000), Money(700, "USD")])
def test_a_refund_that_cannot_be_is_never_sent(stand: Stand, amount: Money) -> None:
    if stand.provider.name not in ("alipay", "qqwallet", "wechatpay"):
        pytest.skip("not this one's rule")
    of = paid(stand)
    outbound.install(lambda _: pytest.fail("it was sent"))

    assert stand.provider.refund(replace(refund(of), amount=amount)).outcome is RefundOutcome.FAILED


def test_every_end_of_a_refund_is_told(stand: Stand) -> None:
    of = paid(stand)
    for number, outcome in enumerate(stand.outcomes(), start=1):
        stand.refunds_come_to(of.payment_id, outcome)
        wanted = refund(of, 10, number=number)
        assert stand.provider.refund(wanted).outcome == outcome
        assert stand.provider.query_refund(wanted).outcome == outcome


def spellings(headers: dict[str, str]) -> list[dict[str, str]]:
    return [
        headers,
        {name.upper(): value for name, value in headers.items()},
        {name.title(): value for name, value in headers.items()},
    ]


def test_a_genuine_notice_is_read_whatever_the_headers_case(stand: Stand) -> None:
    created = create(stand)
    stand.pay(created.payment_id)
    headers, body = stand.notice(created.payment_id)
    for spelling in spellings(dict(headers)):
        notice = stand.provider.verify(headers=spelling, body=body)
        assert isinstance(notice, Notice)
        assert notice.payment_id == created.payment_id
        assert notice.report is not None
        assert (notice.report.outcome, notice.report.amount) == (Outcome.CAPTURED, AMOUNT)
        assert notice.report.transaction_id == stand.provider.query(created).transaction_id


def test_wrong_notices_are_refused_by_type(stand: Stand) -> None:
    created = create(stand)
    stand.pay(created.payment_id)
    cases = stand.wrong(created.payment_id)
    assert len(cases) >= 4
    for wrong in cases:
        with pytest.raises(NoticeRefused) as caught:
            stand.provider.verify(headers=wrong.sent[0], body=wrong.sent[1])
        assert type(caught.value) is wrong.refusal, wrong.label


def test_any_changed_byte_is_refused_and_verifying_calls_nobody(stand: Stand) -> None:
    created = create(stand)
    stand.pay(created.payment_id)
    headers, body = stand.notice(created.payment_id)

    def nobody(request: outbound.Request) -> outbound.Response:
        raise AssertionError("a notice must not make us call out")

    outbound.install(nobody)
    for position in range(len(body)):
        changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
        with pytest.raises(NoticeRefused):
            stand.provider.verify(headers=headers, body=changed)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbage_is_refused_never_a_fault(stand: Stand, data: st.DataObject) -> None:
    wanted = order(method=stand.provider.methods[0])
    stand.provider.create(wanted)
    headers, body = stand.notice(wanted.payment_id)
    names = sorted(headers)
    changed = dict(headers)
    for name in data.draw(st.sets(st.sampled_from(names), min_size=1)):
        value = data.draw(st.one_of(st.none(), st.text(max_size=80)))
        if value is None:
            del changed[name]
        else:
            changed[name] = value
    raw = data.draw(st.one_of(st.just(body), st.binary(max_size=200)))
    if changed == dict(headers) and raw == body:
        return
    try:
        stand.provider.verify(headers=changed, body=raw)
    except NoticeRefused:
        return
    authentic = [name for name in names if name not in ("content-type", "user-agent")]
    assert raw == body
    assert all(changed.get(name) == headers[name] for name in authentic)


def test_replies_are_the_providers_own(stand: Stand) -> None:
    for ack in Ack:
        status, headers, body = stand.provider.acknowledge(ack)
        assert isinstance(body, str)
        assert headers.get("Content-Type") or not body
        assert stand.acknowledged((status, headers, body)) is (ack is Ack.ACCEPTED)


VECTOR_FILES = sorted(VECTORS.glob("*/*.json"))


@pytest.mark.parametrize("path", VECTOR_FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recorded_notices_mean_what_they_meant(path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    stand: Stand = import_module(f"tests.contract.stands.{path.parent.name}").stand()
    with clock.use(clock.Fixed(datetime.fromisoformat(recorded["at"]))):
        expect = recorded["expect"]
        body = recorded["body"].encode()
        if "refusal" in expect:
            with pytest.raises(NoticeRefused) as caught:
                stand.provider.verify(headers=recorded["headers"], body=body)
            assert caught.value.code == expect["refusal"]
            return
        notice = stand.provider.verify(headers=recorded["headers"], body=body)
    if not notice.payment_id:  # Somebody must be able to say whose it is.
        assert isinstance(stand.provider, Inquirer)
    assert notice.dispute == expect.get("dispute")
    if notice.dispute:
        return
    said = notice.report or notice.refund_report
    assert said is not None
    assert said.amount is not None
    assert {
        "payment_id": notice.payment_id,
        "outcome": said.outcome.value,
        "amount": said.amount.text(),
    } == {name: expect[name] for name in ("payment_id", "outcome", "amount")}
