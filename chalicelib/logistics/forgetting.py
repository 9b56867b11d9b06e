"""What a parcel forgets of who got it, once it has arrived: by whom it was signed for, and the digits of a phone."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.logistics import store
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def forget(order_id: str) -> None:
    """Forget it of all parcels of an order. Again changes nothing."""

    def attempt() -> None:
        with UnitOfWork() as work:
            for shipment in store.of_order(order_id, consistent=True):
                scans = tuple(replace(scan, text="", place="") for scan in shipment.scans)
                changed = replace(shipment, scans=scans, phone_tail="", note="", code="")
                if changed != shipment:
                    store.save(work, changed)

    racing(attempt)
