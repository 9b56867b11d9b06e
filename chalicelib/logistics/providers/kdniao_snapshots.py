"""KDNiao's pushes and answers as snapshots: full stories, oldest scan first unless asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.logistics.domain import SCAN_TEXT_CHARS, Report, Scan, Snapshot, Status
from chalicelib.logistics.ports import UnreadablePush
from chalicelib.logistics.providers import forms, kdniao_codes

MAX_PARCELS = 1_000
"""In one push; more do not fit the bytes that are read."""
_ENDS = (Status.DELIVERED, Status.RETURNED)


def pushed(push: Mapping[str, Any], *, business: str) -> list[Snapshot]:
    """Return a snapshot of each parcel of a push; what is none, or another business's, is left out.

    Raises:
        UnreadablePush: if it holds no list of parcels.
    """
    data = push.get("Data")
    if data is None:
        return []  # A kind of push that tells of no parcel, such as of money collected at the door.
    if not isinstance(data, list):
        raise UnreadablePush(why="Data is no list")
    parcels = [one for one in data[:MAX_PARCELS] if isinstance(one, dict) and text(one.get("LogisticCode"))]
    return [snapshot(one) for one in parcels if text(one.get("EBusinessID")) in ("", business)]


def snapshot(told: Mapping[str, Any]) -> Snapshot:
    """Return what is told of one parcel."""
    scans = _scans(told.get("Traces"))
    status = _status(told, newest=scans[0].status if scans else None)
    return Snapshot(
        number=text(told.get("LogisticCode")),
        carrier=kdniao_codes.carrier_of(told.get("ShipperCode")) or "",
        report=Report.FINISHED if status in _ENDS else Report.WATCHING,
        status=status,
        scans=tuple(scans),
        shipment_id=text(told.get("CallBack")) or text(told.get("Callback")),
        why=text(told.get("Reason"))[:100],
    )


def text(value: object) -> str:
    """Return a text of theirs; a number is one, too."""
    if isinstance(value, bool):
        return ""
    return str(value).strip() if isinstance(value, (str, int)) else ""


def _status(told: Mapping[str, Any], *, newest: Status | None) -> Status | None:
    """Return where the parcel is: by the finer code, else by the one of one digit, else by its newest scan."""
    for code in (told.get("StateEx"), told.get("State")):
        if (status := kdniao_codes.status_of(code)) is not None:
            return status
    return newest


def _scans(traces: object) -> list[Scan]:
    """Return the scans, newest first; those of one time in the order they happened in, the last in front."""
    told = [_scan(one) for one in traces if isinstance(one, dict)] if isinstance(traces, list) else []
    scans = [scan for scan in told if scan is not None]
    if scans and scans[0].at <= scans[-1].at:  # The oldest comes first, unless the hub was asked to turn them round.
        scans.reverse()
    return sorted(scans, key=lambda scan: scan.at, reverse=True)


def _scan(trace: Mapping[str, Any]) -> Scan | None:
    at = forms.china_time(trace.get("AcceptTime"))
    if at is None:
        return None
    code = kdniao_codes.digits(trace.get("Action"))
    return Scan(
        at=at,
        text=text(trace.get("AcceptStation"))[:SCAN_TEXT_CHARS],
        status=kdniao_codes.status_of(code),
        place=text(trace.get("Location"))[:60],
        detail=len(code),
    )
