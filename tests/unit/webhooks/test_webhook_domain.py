"""When a delivery is tried again, what an answer says, and what becomes of an endpoint that takes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.kernel.errors import IllegalTransition
from chalicelib.webhooks import domain
from chalicelib.webhooks.domain import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Endpoint,
    Endpoints,
    EndpointStatus,
    TooManyWebhooks,
    Verdict,
    judged,
)

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def endpoint(number: int = 1) -> Endpoint:
    return Endpoint(f"whk_{number:024d}", "Warehouse", "https://hooks.example.com/", (), NOON, "acc_1")


def delivery() -> Delivery:
    return Delivery("whd_1", "whk_1", "mer_1", "order.paid", "{}", NOON)


@pytest.mark.parametrize(
    ("answer", "retry_after", "verdict"),
    [
        ("200", "", Verdict(taken=True)),
        ("204", "99", Verdict(taken=True)),
        ("302", "", Verdict()),
        ("400", "", Verdict()),
        ("410", "", Verdict(gone=True)),
        ("429", "120", Verdict(pause=True, wait=timedelta(seconds=120))),
        ("500", "", Verdict()),
        ("502", "", Verdict(pause=True)),
        ("503", "Wed, 21 Oct 2026 07:28:00 GMT", Verdict(pause=True)),
        ("504", "-5", Verdict(pause=True)),
        ("unanswered", "", Verdict(pause=True)),
        ("unreachable", "", Verdict()),
        ("not_public", "", Verdict()),
    ],
)
def test_what_an_answer_says(answer: str, retry_after: str, verdict: Verdict) -> None:
    assert judged(answer, retry_after) == verdict


def test_ten_attempts_in_three_days_and_a_bit() -> None:
    found, now, waits = delivery(), NOON, []
    for _ in range(10):
        found = found.tried(Attempt(now, "500", 3), taken=False, wait=timedelta())
        if found.due_at is not None:
            waits.append(found.due_at - now)
            now = found.due_at
    assert (found.status, len(found.attempts), found.due_at) == (DeliveryStatus.FAILED, 10, None)
    for wait, planned in zip(waits, domain.RETRY_AFTER, strict=True):
        assert planned <= wait < planned * 1.1
    assert timedelta(days=3) < now - NOON < timedelta(days=3.6)
    with pytest.raises(IllegalTransition):
        found.tried(Attempt(now, "200", 3), taken=True, wait=timedelta())


def test_what_an_endpoint_asks_for_counts_up_to_a_day() -> None:
    for asked, waited in ((timedelta(hours=3), timedelta(hours=3)), (timedelta(days=9), domain.LONGEST_WAIT)):
        assert delivery().tried(Attempt(NOON, "429", 3), taken=False, wait=asked).due_at == NOON + waited


def test_a_replay_has_ten_attempts_more_under_the_same_id() -> None:
    taken = delivery().tried(Attempt(NOON, "200", 3), taken=True, wait=timedelta())
    again = taken.replayed()
    assert (again.delivery_id, again.status, again.round, again.attempts) == ("whd_1", DeliveryStatus.WAITING, 1, ())
    with pytest.raises(IllegalTransition):
        again.replayed()


def test_an_endpoint_fails_from_its_first_failure_until_it_takes_something() -> None:
    tried = delivery().tried(Attempt(NOON, "500", 3), taken=False, wait=timedelta())
    failing = domain.after_attempt(endpoint(), tried, Verdict(), NOON)
    assert failing.failing_since == NOON
    later = NOON + timedelta(hours=1)
    assert domain.after_attempt(failing, tried, Verdict(), later) is failing
    assert domain.after_attempt(failing, tried, Verdict(taken=True), later) == endpoint()
    well = endpoint()
    assert domain.after_attempt(well, tried, Verdict(taken=True), later) is well


def test_a_busy_endpoint_is_left_alone_for_a_minute_or_what_it_asks_for() -> None:
    tried = delivery().tried(Attempt(NOON, "429", 3), taken=False, wait=timedelta())
    for verdict, pause in (
        (Verdict(pause=True), domain.PAUSE),
        (Verdict(pause=True, wait=timedelta(minutes=7)), timedelta(minutes=7)),
        (Verdict(pause=True, wait=timedelta(days=7)), timedelta(days=1)),
    ):
        assert domain.after_attempt(endpoint(), tried, verdict, NOON).paused_until == NOON + pause
    put_off = delivery().put_off(NOON + domain.PAUSE)
    assert put_off.due_at is not None
    assert NOON + domain.PAUSE <= put_off.due_at < NOON + domain.PAUSE * 1.1
    assert put_off.attempts == ()


def test_it_is_given_up_only_if_nothing_got_through_since_the_delivery_began() -> None:
    given_up = replace(delivery(), status=DeliveryStatus.FAILED, attempts=(Attempt(NOON, "500", 3),) * 10)
    end = NOON + timedelta(days=3)
    dead = replace(endpoint(), failing_since=NOON)
    alive = replace(endpoint(), failing_since=NOON + timedelta(hours=1))
    assert domain.after_attempt(dead, given_up, Verdict(), end).status is EndpointStatus.FAILED
    assert domain.after_attempt(alive, given_up, Verdict(), end) is alive
    assert domain.after_attempt(endpoint(), delivery(), Verdict(gone=True), NOON).status is EndpointStatus.GONE


def test_ten_endpoints_and_two_secrets_of_each_for_a_day() -> None:
    held = Endpoints("mer_1")
    for number in range(domain.MOST_ENDPOINTS):
        held = held.having(endpoint(number), b"first")
    with pytest.raises(TooManyWebhooks):
        held.having(endpoint(99), b"first")
    one = endpoint(2)
    held = held.having(replace(one, rotated_at=NOON), b"second")
    assert held.signing(one.webhook_id, NOON) == [b"second", b"first"]
    assert held.signing(one.webhook_id, NOON + domain.OVERLAP) == [b"second"]
    assert held.signing(endpoint(1).webhook_id, NOON) == [b"first"]
    gone = held.without(one.webhook_id)
    assert not gone.has(one.webhook_id)
    assert one.webhook_id not in gone.secrets()


def test_an_id_sorts_by_time_and_names_endpoint_and_fact() -> None:
    first = domain.delivery_id_of("whk_1", "order.paid#ord_1", NOON)
    assert first == domain.delivery_id_of("whk_1", "order.paid#ord_1", NOON)
    others = [
        domain.delivery_id_of("whk_2", "order.paid#ord_1", NOON),
        domain.delivery_id_of("whk_1", "order.paid#ord_2", NOON),
    ]
    assert len({first, *others}) == 3
    assert len(first) == 30
    assert first < domain.delivery_id_of("whk_1", "order.paid#ord_1", NOON + timedelta(seconds=1))
