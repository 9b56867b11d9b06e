from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from chalicelib.logistics import domain, parcel_texts, watching
from chalicelib.logistics.domain import (
    PARCEL,
    Report,
    Scan,
    Shipment,
    Snapshot,
    Status,
)
from chalicelib.logistics.refusals import TooManyShipments
from chalicelib.logistics.watch import ANY, WATCH, Watch

ORDER = "ord_0123456789abcdefghjkmnpq_07"
T0 = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
NUMBER = "SF1234567890"


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def scan(hours: float, status: Status, text: str = "") -> Scan:
    return Scan(at(hours), text or f"{status} at {hours}", status, "杭州")


COLLECTED = scan(1, Status.COLLECTED)
MOVED = scan(5, Status.IN_TRANSIT)
OUT = scan(30, Status.OUT_FOR_DELIVERY)
SIGNED = scan(32, Status.DELIVERED)
BACK = scan(40, Status.RETURNED)


def snapshot(*oldest_first: Scan, report: Report = Report.WATCHING, status: Status | None = None) -> Snapshot:
    newest_first = tuple(reversed(oldest_first))
    state = status or (newest_first[0].status if newest_first else None)
    return Snapshot(number=NUMBER, carrier="shunfeng", report=report, status=state, scans=newest_first)


def parcel(**changes: object) -> Shipment:
    values: dict[str, object] = {
        "shipment_id": domain.shipment_id(ORDER, 1),
        "order_id": ORDER,
        "merchant_id": "mer_1",
        "lines": (("1", 1),),
        "shipped_at": T0,
        "watch": Watch.WATCHED,
        "since": T0,
        "carrier": "shunfeng",
        "number": NUMBER,
        "phone_tail": "8000",
        "subscriptions": 1,
        **changes,
    }
    return Shipment(**values)  # type: ignore[arg-type]


def told(*snapshots: Snapshot, first: Shipment | None = None, now: datetime | None = None) -> Shipment:
    found = first or parcel()
    for each in snapshots:
        found = watching.follow(found, each, now=now or at(48))
    return found


def test_a_shipments_id_computes_its_order() -> None:
    first, last = domain.shipment_id(ORDER, 1), domain.shipment_id(ORDER, domain.MAX_SHIPMENTS)

    assert (first, last) == ("shp_0123456789abcdefghjkmnpq_071", "shp_0123456789abcdefghjkmnpq_07z")
    assert len(first) == 32
    assert domain.order_of(first) == domain.order_of(last) == ORDER
    assert [domain.order_of(wrong) for wrong in ("", "shp_", ORDER, first + "1", first[:-1] + "0", first[:-1])] == [
        None
    ] * 6
    with pytest.raises(TooManyShipments):
        domain.shipment_id(ORDER, domain.MAX_SHIPMENTS + 1)


def test_numbers_go_on_after_the_highest() -> None:
    third = parcel(shipment_id=domain.shipment_id(ORDER, 3))

    assert domain.next_number([]) == 1
    assert domain.next_number([third, parcel()]) == 4


def test_every_order_of_arrival_ends_in_the_same_place() -> None:
    pushes = [
        snapshot(COLLECTED),
        snapshot(COLLECTED, MOVED),
        snapshot(COLLECTED, MOVED, OUT),
        snapshot(COLLECTED, MOVED, OUT, SIGNED, report=Report.FINISHED),
    ]

    ends = {
        (after.status, after.watch, after.scans, after.delivered_at)
        for order in permutations([*pushes, pushes[0], pushes[2]])
        for after in [told(*order)]
    }

    assert ends == {(Status.DELIVERED, Watch.FINISHED, (SIGNED, OUT, MOVED, COLLECTED), SIGNED.at)}


def test_the_same_snapshot_again_changes_nothing() -> None:
    once = told(snapshot(COLLECTED, MOVED))

    assert told(snapshot(COLLECTED, MOVED), first=once) is once or told(snapshot(COLLECTED, MOVED), first=once) == once


def test_an_older_snapshot_after_signed_moves_nothing_but_a_newer_return_does() -> None:
    signed = told(snapshot(COLLECTED, MOVED, SIGNED))

    assert told(snapshot(COLLECTED, MOVED), first=signed) == signed
    older = told(snapshot(scan(2, Status.RETURNED)), first=signed)
    assert (older.status, len(older.scans)) == (Status.DELIVERED, 4)
    back = told(snapshot(COLLECTED, MOVED, SIGNED, BACK), first=signed)
    assert (back.status, back.delivered_at) == (Status.RETURNED, SIGNED.at)


def test_signed_goes_back_to_out_for_delivery_only_by_a_newer_scan() -> None:
    signed = told(snapshot(COLLECTED, SIGNED))
    again = scan(33, Status.OUT_FOR_DELIVERY)

    assert told(snapshot(COLLECTED, OUT), first=signed).status is Status.DELIVERED
    assert told(snapshot(COLLECTED, SIGNED, again), first=signed).status is Status.OUT_FOR_DELIVERY


def test_of_two_states_with_one_time_the_one_further_along_stands() -> None:
    same_time = Scan(OUT.at, "signed in the same second", Status.DELIVERED)

    assert told(snapshot(OUT), snapshot(OUT, same_time)).status is Status.DELIVERED
    assert told(snapshot(OUT, same_time), snapshot(OUT)).status is Status.DELIVERED


def test_a_returned_parcel_stays_returned() -> None:
    back = told(snapshot(BACK))

    assert told(snapshot(BACK, scan(41, Status.DELIVERED)), first=back).status is Status.RETURNED


def test_scans_of_an_earlier_parcel_with_the_number_do_not_count() -> None:
    last_year = scan(-24 * 365, Status.DELIVERED)

    assert told(snapshot(last_year)) == parcel()
    mixed = told(snapshot(last_year, COLLECTED))
    assert (mixed.status, mixed.scans) == (Status.COLLECTED, (COLLECTED,))


def test_a_scan_from_the_future_does_not_stop_later_news() -> None:
    wrong = scan(24 * 400, Status.DELIVERED)

    found = told(snapshot(COLLECTED, wrong))

    assert (found.status, found.scans) == (Status.COLLECTED, (COLLECTED,))
    assert told(snapshot(COLLECTED, MOVED), first=found).status is Status.IN_TRANSIT


def test_a_rewritten_snapshot_replaces_the_scans_unless_it_is_old() -> None:
    first = told(snapshot(COLLECTED, MOVED))
    rewritten = snapshot(scan(1, Status.COLLECTED, "corrected"), scan(6, Status.IN_TRANSIT), report=Report.REWRITTEN)

    assert [each.text for each in told(rewritten, first=first).scans] == ["in_transit at 6", "corrected"]
    old = snapshot(scan(2, Status.COLLECTED, "old"), report=Report.REWRITTEN)
    assert len(told(old, first=first).scans) == 3


def test_only_the_newest_scans_are_kept() -> None:
    many = [scan(number / 10, Status.IN_TRANSIT) for number in range(domain.MAX_SCANS + 10)]

    found = told(snapshot(*many))

    assert len(found.scans) == domain.MAX_SCANS
    assert found.scans[0] == many[-1]


def test_a_corrected_carrier_is_taken_and_the_merchants_word_kept() -> None:
    corrected = Snapshot(number=NUMBER, carrier="yuantong", corrected_carrier="yuantong", scans=(COLLECTED,))

    found = told(corrected)

    assert (found.carrier, found.carrier_given) == ("yuantong", "shunfeng")
    assert told(corrected, first=found) == found


def test_an_abort_breaks_the_watch_until_the_hubs_limit_then_we_ask() -> None:
    aborted = Snapshot(number=NUMBER, report=Report.ABORTED, why="3天查询无记录")

    broken = told(aborted)
    assert (broken.watch, broken.due_at) == (Watch.BROKEN, at(48) + timedelta(minutes=40))
    spent = told(aborted, first=parcel(subscriptions=ANY.subscriptions))
    assert (spent.watch, spent.due_at) == (Watch.POLLED, at(48) + timedelta(hours=8))
    finished = parcel(watch=Watch.FINISHED)
    assert told(aborted, first=finished) == finished


def test_shutdown_ends_the_watch_and_forgets_the_phone() -> None:
    ended = told(snapshot(COLLECTED, SIGNED, report=Report.FINISHED))

    assert (ended.watch, ended.due_at, ended.phone_tail) == (Watch.FINISHED, None, "")


def test_a_failing_subscription_backs_off_and_then_we_ask_instead() -> None:
    found = parcel(watch=Watch.WAITING, subscriptions=0)
    waits = []
    while found.watch is Watch.WAITING:
        assert found.due_at is not None
        waits.append((found.due_at - T0) // timedelta(minutes=1))
        found = watching.not_subscribed(found, for_good=False, now=T0)

    assert waits == [10, 10, 20, 40, 80, 160, 320, 360]
    assert (found.watch, found.tries) == (Watch.POLLED, 0)
    assert watching.not_subscribed(parcel(watch=Watch.WAITING), for_good=True, now=T0).watch is Watch.POLLED


def test_a_timeout_stops_where_the_parcel_arrived_or_was_forgotten() -> None:
    assert watching.timed_out(parcel(status=Status.DELIVERED), now=at(30)).watch is Watch.FINISHED
    assert watching.timed_out(parcel(), now=at(24 * 46)).watch is Watch.FINISHED
    asked = watching.timed_out(parcel(), now=at(24))
    assert (asked.watch, asked.asked_at, asked.due_at) == (Watch.WATCHED, at(24), at(48))
    assert not watching.may_ask(asked, now=at(24.4))
    assert watching.may_ask(asked, now=at(24.5))
    assert watching.unanswered(asked, now=at(24)).due_at == at(24.5)


def test_news_puts_the_question_off_once_it_falls_due() -> None:
    heard = told(snapshot(COLLECTED), now=at(10))
    assert heard.due_at == at(24)

    postponed = watching.timed_out(heard, now=at(24))

    assert (postponed.asked_at, postponed.due_at) == (None, at(34))
    asked = watching.timed_out(postponed, now=at(34))
    assert (asked.asked_at, asked.due_at) == (at(34), at(58))


def test_a_number_is_not_asked_about_twice_in_half_an_hour() -> None:
    asked = parcel(asked_at=at(24))

    assert watching.timed_out(asked, now=at(24.4)).asked_at == at(24)
    assert watching.timed_out(asked, now=at(24.5)).asked_at == at(24.5)


def test_every_state_has_a_text_in_both_languages_and_news_of_its_own() -> None:
    for status in Status:
        texts = {parcel_texts.status_text(parcel(status=status), language) for language in ("zh", "en")}
        assert len(texts) == 2
    assert set(domain.NEWS_OF) == set(Status) - {Status.CREATED}
    assert PARCEL.is_terminal(Status.RETURNED)
    assert WATCH.is_terminal(Watch.FINISHED)


def test_the_estimate_is_the_carriers_usual_time() -> None:
    assert parcel_texts.estimate(parcel(), "zh", now=at(1)) == "预计 11月23日至11月25日送达"
    assert parcel_texts.estimate(parcel(), "en", now=at(1)) == "Usually arrives between 2026-11-23 and 2026-11-25"
    assert parcel_texts.estimate(parcel(), "en", now=at(24 * 5)) == "Taking longer than usual; the merchant can help"
    assert parcel_texts.estimate(parcel(status=Status.OUT_FOR_DELIVERY), "zh", now=at(1)) == "预计今天送达"
    assert parcel_texts.estimate(parcel(status=Status.DELIVERED), "zh", now=at(1)) is None
