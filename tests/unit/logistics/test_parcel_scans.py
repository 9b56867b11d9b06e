"""Scans told again, told finer, told of another parcel; parcels that go back."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from chalicelib.logistics import domain
from chalicelib.logistics.domain import Report, Scan, Snapshot, Status
from chalicelib.logistics.providers import kuaidi100
from chalicelib.logistics.refusals import TrackingNumberUsed
from chalicelib.logistics.watch import Watch
from tests.unit.logistics.test_parcels import (
    COLLECTED,
    MOVED,
    NUMBER,
    OUT,
    SIGNED,
    T0,
    at,
    parcel,
    scan,
    snapshot,
    told,
)

REFUSED = scan(33, Status.REFUSED)
TURNED = scan(34, Status.RETURNING)
BACK_ON_THE_VAN = scan(60, Status.OUT_FOR_DELIVERY)
SENDER_SIGNED = scan(62, Status.DELIVERED)


def hub_says(*entries: tuple[str, str, str], state: str) -> Snapshot:
    data = [{"time": time, "context": text, "statusCode": code} for time, text, code in entries]
    return kuaidi100._snapshot({"nu": NUMBER, "com": "shunfeng", "state": state, "data": data}, {})


@pytest.mark.parametrize(
    ("coarse", "fine", "status"),
    [
        (("0", "0"), ("5", "501"), Status.READY_FOR_PICKUP),
        (("2", "2"), ("14", "203"), Status.REFUSED),
        (("1", "1"), ("1", "103"), Status.COLLECTED),
        (("0", ""), ("0", "1002"), Status.IN_TRANSIT),
        (("3", "3"), ("3", "301"), Status.DELIVERED),
        (("1", "1"), ("1", "101"), Status.CREATED),
    ],
)
def test_a_known_scan_told_again_with_a_finer_code_is_one_event(
    coarse: tuple[str, str], fine: tuple[str, str], status: Status
) -> None:
    moment = "2026-11-22 14:00:00"
    pushes = [hub_says((moment, "快件已到达【X驿站】", code), state=state) for state, code in (coarse, fine)]
    for order in ([0, 1], [1, 0], [0, 1, 0], [1, 0, 1]):
        found = told(*(pushes[each] for each in order))
        assert [each.status for each in found.scans] == [status], order


def test_a_finer_scan_moves_the_parcel_too() -> None:
    moment = "2026-11-22 14:00:00"
    found = told(
        hub_says((moment, "快件已到达【X驿站】", "0"), state="0"),
        hub_says((moment, "快件已到达【X驿站】", "501"), state="5"),
    )

    assert found.status is Status.READY_FOR_PICKUP


def test_rows_that_hold_a_scan_twice_are_mended_by_the_next_push() -> None:
    twice = parcel(scans=(Scan(at(1), "x", Status.IN_TRANSIT), Scan(at(1), "x", Status.READY_FOR_PICKUP)))

    found = told(Snapshot(NUMBER, scans=(Scan(at(2), "y", Status.IN_TRANSIT),)), first=twice)

    assert [(each.text, each.status) for each in found.scans] == [
        ("y", Status.IN_TRANSIT),
        ("x", Status.READY_FOR_PICKUP),
    ]


def test_scans_count_from_the_payment_on() -> None:
    paid = parcel(paid_at=T0 - timedelta(hours=3, milliseconds=-500), shipped_at=T0)
    before, second_of, after = (scan(hours, Status.IN_TRANSIT) for hours in (-3.001, -3, -1))

    assert told(snapshot(before, after), first=paid).scans == (after,)
    assert told(snapshot(second_of), first=paid).scans == (second_of,)
    assert told(snapshot(before), first=paid).status is Status.CREATED


def test_an_end_of_an_earlier_parcel_does_not_end_the_watch() -> None:
    signed_before = snapshot(scan(-30, Status.COLLECTED), scan(-20, Status.DELIVERED), report=Report.FINISHED)
    paid = parcel(paid_at=T0 - timedelta(hours=1))

    found = told(signed_before, first=paid)

    assert (found.status, found.watch, found.phone_tail) == (Status.CREATED, Watch.POLLED, "8000")


@pytest.mark.parametrize(
    "journey",
    [
        (COLLECTED, OUT, REFUSED, SENDER_SIGNED),
        (COLLECTED, OUT, REFUSED, TURNED, SENDER_SIGNED),
        (COLLECTED, OUT, REFUSED, TURNED, BACK_ON_THE_VAN, SENDER_SIGNED),
        (COLLECTED, TURNED, BACK_ON_THE_VAN, SENDER_SIGNED),
    ],
)
def test_who_signs_for_a_parcel_that_turned_back_is_its_sender(journey: tuple[Scan, ...]) -> None:
    pushes = [snapshot(*journey[: length + 1]) for length in range(len(journey))]
    for order in permutations(pushes) if len(pushes) < 5 else [pushes, pushes[::-1]]:
        found = told(*order, now=at(70))
        assert (found.status, found.delivered_at) == (Status.RETURNED, None)


def test_a_refused_parcel_that_is_carried_out_again_is_delivered() -> None:
    again, signed = scan(50, Status.OUT_FOR_DELIVERY), scan(51, Status.DELIVERED)

    found = told(snapshot(OUT, REFUSED), snapshot(OUT, REFUSED, again, signed), now=at(60))

    assert (found.status, found.delivered_at) == (Status.DELIVERED, signed.at)


def test_a_refusal_known_by_the_state_alone_counts() -> None:
    unclear = Scan(at(33), "拒收", None)

    found = told(snapshot(OUT, unclear, status=Status.REFUSED), snapshot(OUT, unclear, SENDER_SIGNED), now=at(70))

    assert found.status is Status.RETURNED


def test_a_signature_that_overtook_the_return_is_mended() -> None:
    overtaken = Snapshot(NUMBER, status=Status.DELIVERED, scans=(SENDER_SIGNED,))
    whole = snapshot(COLLECTED, OUT, REFUSED, TURNED, SENDER_SIGNED)

    found = told(overtaken, whole, now=at(70))

    assert (found.status, found.delivered_at) == (Status.RETURNED, None)


def test_signed_by_the_sender_is_no_delivery_where_only_the_newest_scan_says_so() -> None:
    found = told(hub_says(("2026-11-23 14:00:00", "退件已由寄件人签收", "4"), state="3"))

    assert found.status is Status.RETURNED


def test_a_delivery_is_dated_neither_before_the_shipment_nor_in_the_future() -> None:
    early = parcel(paid_at=T0 - timedelta(hours=9))

    assert told(snapshot(scan(-2, Status.DELIVERED)), first=early).delivered_at == T0
    ahead = told(snapshot(scan(6, Status.DELIVERED)), first=parcel(), now=at(1))
    assert ahead.delivered_at == at(1) + domain.CLOCK_SKEW


def test_a_corrected_carrier_is_not_taken_back_by_an_older_push() -> None:
    corrected = Snapshot(NUMBER, "yuantong", corrected_carrier="yuantong", scans=(COLLECTED,))
    older = Snapshot(NUMBER, "shunfeng", scans=(COLLECTED,))

    assert told(corrected, older).carrier == "yuantong"
    assert told(Snapshot(NUMBER, "yunda", status=Status.IN_TRANSIT, scans=(MOVED,))).carrier == "yunda"


@pytest.mark.parametrize("number", ["SF123-4567890", "sf1234567890", "SF 1234567890"])
def test_numbers_are_compared_without_case_spaces_and_dashes(number: str) -> None:
    assert domain.is_about(parcel(), number)
    assert domain.is_about(parcel(), "")
    assert not domain.is_about(parcel(corrections=("a b",)), "")
    with pytest.raises(TrackingNumberUsed):
        domain.check_number([parcel()], number)


def test_carriers_of_a_house_that_wants_phones_want_them_all() -> None:
    from chalicelib.logistics.carriers import needs_phone

    assert [needs_phone(code) for code in ("shunfeng", "shunfengguoji", "zhongtongguoji", "ems", "nobody")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_an_older_signature_without_a_return_stays_a_delivery() -> None:
    found = told(snapshot(COLLECTED, SIGNED), snapshot(COLLECTED, MOVED, OUT, SIGNED))

    assert (found.status, found.delivered_at) == (Status.DELIVERED, SIGNED.at)
