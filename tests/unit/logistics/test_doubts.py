"""Signs that a shipment is not what its merchant says: each with what stands beside it and is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.logistics import doubts, journeys
from chalicelib.logistics.domain import Scan, Shipment, Snapshot, Status
from chalicelib.logistics.doubts import Sign
from tests.unit.logistics.test_parcels import NUMBER, T0, at, parcel

HANGZHOU = ("浙江省", "杭州市", "西湖区")
COLLECTED = Scan(at(3), "【上海】快件已被揽收", Status.COLLECTED)


def signed(text: str, place: str = "", hours: float = 40) -> Shipment:
    return parcel(shipped_at=T0, scans=(Scan(at(hours), text, Status.DELIVERED, place), COLLECTED))


@pytest.mark.parametrize(
    ("shipment", "expected"),
    [
        (signed("【杭州】快件已签收"), ()),
        (signed("快件已签收"), ()),
        (signed("已签收", "浙江省宁波市"), ()),  # The province is in the address.
        (signed("已签收", "杭州转运中心"), ()),
        (signed("【成都】快件已签收"), (Sign.ELSEWHERE,)),
        (signed("已签收", "四川省成都市"), (Sign.ELSEWHERE,)),
        (
            replace(signed("【杭州】快件已签收", hours=1), scans=(Scan(at(1), "签收", Status.DELIVERED),)),
            (Sign.TOO_FAST,),
        ),
        (parcel(shipped_at=T0, scans=()), (Sign.NEVER_COLLECTED,)),
        (parcel(shipped_at=T0, scans=(replace(COLLECTED, at=at(47)),)), ()),
        (parcel(shipped_at=T0, scans=(replace(COLLECTED, at=at(49)),)), (Sign.NEVER_COLLECTED,)),
        (replace(signed("【杭州】签收"), paid_at=at(-1), seen_before=at(-5)), (Sign.SCANNED_BEFORE,)),
        (replace(signed("【杭州】签收"), paid_at=at(-1), seen_before=at(-24 * 60)), (Sign.USED_BEFORE,)),
        (replace(parcel(shipped_at=T0, scans=()), carrier=None), ()),
    ],
)
def test_what_speaks_against_a_shipment(shipment: Shipment, expected: tuple[Sign, ...]) -> None:
    found = doubts.of(shipment, HANGZHOU, released=False, now=at(72))
    assert found.signs == expected
    assert found.score == sum(doubts.WEIGHTS[sign] for sign in expected)


def test_without_an_address_no_place_is_wrong_and_a_score_ends_at_a_hundred() -> None:
    assert doubts.of(signed("【成都】签收"), (), released=False, now=at(72)).signs == ()
    worst = replace(signed("【成都】签收", hours=1), scans=(Scan(at(1), "【成都】签收", Status.DELIVERED),))
    worst = replace(worst, paid_at=at(-1), seen_before=at(-2))
    found = doubts.of(worst, HANGZHOU, released=True, now=at(72))
    assert (found.score, len(found.signs)) == (100, 4)
    assert set(doubts.TEXTS) == set(doubts.WEIGHTS) == set(Sign)


def test_what_moved_before_the_payment_is_remembered_however_long_ago() -> None:
    shipment = parcel(paid_at=T0)
    old = Scan(T0 - timedelta(days=90), "moved", Status.IN_TRANSIT)
    label = Scan(T0 - timedelta(hours=1), "label", Status.CREATED)
    late = Scan(T0 + timedelta(hours=1), "moved", Status.IN_TRANSIT)
    assert journeys.last_before(shipment, Snapshot(NUMBER, scans=(late, label, old))) == old.at
    assert journeys.last_before(shipment, Snapshot(NUMBER, scans=(late, label))) is None
    assert journeys.last_before(replace(shipment, paid_at=None), Snapshot(NUMBER, scans=(old,))) is None
