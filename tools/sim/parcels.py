"""Tracking numbers: whose they are, what the carrier said of them and when.

The oracle reads the rows of shipments and of held numbers, and the hub's own journeys: one number is one buyer's parcel
of one merchant, nothing that happened before the order was paid counts for it, and no order arrives unless its own
parcel was signed for since. Nor is the hub asked or subscribed at more often than it allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from tools.fakes.carriers.hub import CHINA

if TYPE_CHECKING:
    from tools.sim.actors import Cast

Number = tuple[str, str]
"""Carrier, and the number without what is only its writing."""
SIGNED = "301"
OURS = timedelta(days=7)
"""What a buyer has to complain after his parcel arrived, counted from when we heard."""


@dataclass(frozen=True)
class ParcelSeen:
    """What the oracle keeps of a shipment that travels."""

    order_id: str
    merchant_id: str
    tracked: Number
    typed: str
    detached: bool
    first_scan_s: int
    delivered_ms: int
    shipped_s: float


@dataclass(frozen=True)
class ClaimSeen:
    """Who holds a number, and who held it until an operator released it."""

    shipments: tuple[str, ...]
    released: frozenset[str]


class Parcels:
    """Every parcel and every held number."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.parcels: dict[str, ParcelSeen] = {}
        self.claims: dict[Number, ClaimSeen] = {}
        self.journeys: Mapping[str, Any] = {}
        """What the hub knows, by number."""
        self.complaints: list[str] = []
        """What the shop did that the hub does not allow: asked too often, subscribed too often or without a phone."""
        self._now = now
        self._dirty: dict[str, None] = {}
        self._numbers: dict[Number, None] = {}

    def shipment(self, new: Mapping[str, Any]) -> None:
        """Take a shipment's row."""
        if "number" not in new or "carrier" not in new:
            return  # Delivered digitally.
        shipment_id, doc = new["id"]["S"], msgspec.json.decode(new["doc"]["S"])
        scans = msgspec.json.decode(new["scans"]["S"]) if "scans" in new else []
        before = self.parcels.get(shipment_id)
        typed = new["number"]["S"]
        self.parcels[shipment_id] = ParcelSeen(
            order_id=new["order_id"]["S"],
            merchant_id=doc["merchant_id"],
            tracked=(new["carrier"]["S"], _plain(typed)),
            typed=typed,
            detached=bool(doc.get("detached")),
            first_scan_s=min((scan[0] for scan in scans), default=0),
            delivered_ms=doc.get("delivered_ms") or 0,
            shipped_s=before.shipped_s if before is not None else self._now().timestamp(),
        )
        self._dirty[shipment_id] = None
        for parcel in (before, self.parcels[shipment_id]):
            if parcel is not None:
                self._numbers[parcel.tracked] = None

    def claim(self, new: Mapping[str, Any]) -> None:
        """Take the row of a held number."""
        doc = msgspec.json.decode(new["doc"]["S"])
        released = [shipment for release in doc.get("releases", ()) for shipment in release[3]]
        key = doc["carrier"], _plain(doc["number"])
        self.claims[key] = ClaimSeen(tuple(doc.get("shipments", ())), frozenset(released))
        self._numbers[key] = None

    def check(self, buyer_of: Callable[[str], str], paid_s: Callable[[str], float]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong since the last call, and with which record.

        ``buyer_of``: an order's buyer; ``paid_s``: when the provider says that an order was paid.
        """
        for shipment_id in self._dirty:
            yield from ((what, shipment_id) for what in self._told(self.parcels[shipment_id], paid_s))
        for number in self._numbers:
            yield from self._held(number, buyer_of)
        while self.complaints:
            yield f"the hub does not allow it: {self.complaints.pop(0)}", ""
        self.forget()

    def _told(self, parcel: ParcelSeen, paid_s: Callable[[str], float]) -> Iterator[str]:
        since_s = int(paid_s(parcel.order_id))
        if parcel.first_scan_s and parcel.first_scan_s < since_s:
            yield f"a scan of {parcel.first_scan_s} counts, its order was paid at {since_s}"
        if not parcel.delivered_ms:
            return
        if parcel.delivered_ms / 1000 < parcel.shipped_s - 1:
            yield "was delivered before it was shipped"
        if parcel.delivered_ms / 1000 > self._now().timestamp() + 61:
            yield "will have been delivered"
        written = [journey for number, journey in self.journeys.items() if _plain(number) == parcel.tracked[1]]
        signed = [_moment(scan) for journey in written for scan in journey.scans if scan["statusCode"] == SIGNED]
        if not any(moment >= since_s for moment in signed):
            yield f"is delivered, and nobody signed for {parcel.typed} since its order was paid"

    def _held(self, number: Number, buyer_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
        claim = self.claims.get(number, ClaimSeen((), frozenset()))
        holders = [
            (shipment_id, parcel)
            for shipment_id, parcel in self.parcels.items()
            if parcel.tracked == number and not parcel.detached and shipment_id not in claim.released
        ]
        people = {(parcel.merchant_id, buyer_of(parcel.order_id)) for _, parcel in holders}
        if len(people) > 1:
            yield f"{number[1]} is the parcel of {len(people)} people", holders[-1][0]
        for shipment_id, _ in holders:
            if shipment_id not in claim.shipments:
                yield f"has {number[1]} without holding it", shipment_id
        for shipment_id in claim.shipments:
            parcel = self.parcels.get(shipment_id)
            if parcel is None or parcel.tracked != number:
                yield f"holds {number[1]} and has another number", shipment_id

    def arrived(self, due_at_s: float) -> str:
        """Say what is wrong with an order that has just been delivered and is due then (0: it is held)."""
        given_s = due_at_s - self._now().timestamp()
        if due_at_s and given_s < OURS.total_seconds() - 2:
            return f"its buyer has {given_s:.0f} s since we heard that it arrived"
        return ""

    def forget(self) -> None:
        """Forget what was not checked yet."""
        self._dirty.clear()
        self._numbers.clear()

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return dict(self.parcels), dict(self.claims)

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.parcels, self.claims = dict(saved[0]), dict(saved[1])
        self.forget()


def _plain(number: str) -> str:
    return "".join(char for char in number.upper() if char.isalnum())


def _moment(scan: Mapping[str, str]) -> float:
    return datetime.strptime(scan["time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).timestamp()


# --- people -----------------------------------------------------------------------------------------------------------


class Numbers:
    """What merchants, hubs and operators of a cast do with tracking numbers."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng
        self.seen = cast.world.oracle.parcels

    def given(self) -> dict[str, str]:
        """Return carrier and number of a parcel to ship: sometimes another's, however written, or a wrong carrier."""
        draw, known = self.rng.random(), self.cast.parcels
        if draw < 0.15 and known:
            self.world.faults.count("number_used_again")
            return {"carrier": "shunfeng", "tracking_number": self._written(self.rng.choice(known[-12:]))}
        if draw < 0.25:
            return {"carrier": "yuantong", "tracking_number": f"YT{self.rng.randrange(10**10):010d}"}
        return {"carrier": "shunfeng", "tracking_number": f"SF{self.rng.randrange(10**10):010d}"}

    def _written(self, number: str) -> str:
        return self.rng.choice((number, number, number.lower(), f"{number[:2]}-{number[2:]}"))

    def act(self) -> None:
        """Tell old scans, correct a number, find another carrier, or release a number."""
        self.rng.choice((self.tell_old, self.tell_old, self.correct, self.correct, self.find_carrier, self.release))()

    def _one(self) -> tuple[str, ParcelSeen] | None:
        known = list(self.seen.parcels.items())[-12:]
        return self.rng.choice(known) if known else None

    def tell_old(self) -> None:
        """Let the hub tell of an earlier parcel under the number: signed for before the order was paid."""
        found = self._one()
        if found is None or found[1].typed not in self.world.hub.journeys:
            return
        parcel, hub = found[1], self.world.hub
        placed_at = self.world.oracle.sales["pur_" + parcel.order_id[4:28]].placed_at
        if placed_at is None:
            return
        self.world.totals.steps += 1
        self.world.faults.count("old_scans_told")
        state, begun = hub.journeys[parcel.typed].state, bool(hub.journeys[parcel.typed].scans)
        for hours, code, old in ((30, "103", "1"), (self.rng.choice((1, 20)), SIGNED, "3")):
            at = placed_at - timedelta(hours=hours)
            hub.scan(parcel.typed, at=at, text=f"earlier {code}", code=code, state=state if begun else old)
        hub.push(parcel.typed, status=self.rng.choice(("polling", "shutdown")))
        hub.journeys[parcel.typed].state = state

    def correct(self) -> None:
        """Correct a number, as its merchant: to a new one, or to somebody else's."""
        found = self._one()
        if found is None:
            return
        shipment_id, parcel = found
        body = self.given()
        staff = next(person for person in self.cast.staff if person.merchant_id == parcel.merchant_id)
        template = "/v1/merchant/orders/{order_id}/shipments/{shipment_id}/correct"
        path, key = {"order_id": parcel.order_id, "shipment_id": shipment_id}, self.cast.key()
        answer = self.cast.ask(staff, "POST", template, path, body, key=key)
        if answer is not None and answer.status == 200:
            self.world.faults.count("number_corrected")
            self.cast.parcels.append(body["tracking_number"])
        if self.rng.random() < 0.15:
            self.world.faults.count("client_duplicate")
            self.cast.ask(staff, "POST", template, path, body, key=key)

    def find_carrier(self) -> None:
        """Let the hub find that another carrier has a parcel."""
        wrong = [
            parcel.typed
            for parcel in list(self.seen.parcels.values())[-20:]
            if parcel.tracked[0] == "yuantong" and parcel.typed in self.world.hub.journeys
        ]
        if wrong:
            self.world.totals.steps += 1
            self.world.faults.count("carrier_corrected")
            self.world.hub.correct(self.rng.choice(wrong), "shunfeng")

    def release(self) -> None:
        """Free a number, as an operator: the carrier gave it out again."""
        found = self._one()
        if found is not None and self.rng.random() < 0.3:
            self.world.faults.count("number_released")
            template = "/v1/operator/tracking-numbers/{carrier}/{number}/release"
            path = dict(zip(("carrier", "number"), found[1].tracked, strict=True))
            self.cast.ask(self.cast.operator, "POST", template, path, {"reason": "given out again"})
