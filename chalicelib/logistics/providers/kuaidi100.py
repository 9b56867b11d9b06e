"""Kuaidi100 (快递100): subscribe by ``poll``, pushes signed with a salt of their own, questions by ``query.do``."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from chalicelib.kernel.errors import ShopError
from chalicelib.logistics.carriers import CARRIERS
from chalicelib.logistics.domain import SCAN_TEXT_CHARS, Report, Scan, Snapshot, Status
from chalicelib.logistics.ports import (
    Answer,
    BadSignature,
    Parcel,
    PushRefused,
    Subscribed,
    Subscription,
    UnreadablePush,
)
from chalicelib.logistics.providers import forms
from chalicelib.logistics.watch import Limits
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import config, setting

SECRET = "logistics-kuaidi100"  # noqa: S105
DEFAULT_URL = "https://poll.kuaidi100.com"
RECOGNISING_URL = "https://www.kuaidi100.com"
ACKNOWLEDGED = '{"result":true,"returnCode":"200","message":"成功"}'
"""Exactly so; for any other answer the hub repeats the push after 30 minutes, three times."""

_OK = "200"
_ALREADY_SUBSCRIBED = "501"
_TRY_LATER = {"500", "502", "503", "504", "600"}

STATES: Mapping[str, Status] = {
    "0": Status.IN_TRANSIT,
    "1": Status.COLLECTED,
    "2": Status.PROBLEM,
    "3": Status.DELIVERED,
    "4": Status.RETURNED,
    "5": Status.OUT_FOR_DELIVERY,
    "6": Status.RETURNING,
    "7": Status.IN_TRANSIT,
    "8": Status.CUSTOMS,
    "10": Status.CUSTOMS,
    "11": Status.CUSTOMS,
    "12": Status.CUSTOMS,
    "13": Status.CUSTOMS,
    "14": Status.REFUSED,
    "101": Status.CREATED,
    "102": Status.CREATED,
    "203": Status.REFUSED,
    "501": Status.READY_FOR_PICKUP,
    "1001": Status.IN_TRANSIT,
    "1002": Status.IN_TRANSIT,
    "1003": Status.IN_TRANSIT,
}
"""The states of ``resultv2=4`` whose first digit does not say what they mean, and all of one digit."""


def status_of(code: object) -> Status | None:
    """Return our state for the hub's: by the exact table, else by the first digit of a longer code."""
    text = str(code).strip() if code is not None else ""
    if text in STATES:
        return STATES[text]
    return STATES.get(text[0]) if len(text) >= 3 and text.isascii() and text.isdigit() else None


def salt_of(shipment_id: str) -> str:
    """Return the salt of one subscription: derived, so that nothing is stored and one leak opens one parcel."""
    key = secrets.text(SECRET, "salt_key").encode()
    return hmac.new(key, shipment_id.encode(), hashlib.sha256).hexdigest()[:32]


def push_signature(param: bytes, salt: str) -> str:
    """Return the signature of a push: upper-case hex MD5 of the bytes and the salt."""
    return hashlib.md5(param + salt.encode(), usedforsecurity=False).hexdigest().upper()


def query_signature(param: str, key: str, customer: str) -> str:
    """Return the signature of a question."""
    return hashlib.md5((param + key + customer).encode(), usedforsecurity=False).hexdigest().upper()


class Kuaidi100:
    """The adapter."""

    name = "kuaidi100"
    limits = Limits()

    def serves(self, carrier: str) -> bool:  # noqa: ARG002
        """Say yes: its codes are ours."""
        return True

    def subscribe(self, parcel: Parcel) -> Subscription:
        """Ask for pushes to an address that only this parcel has."""
        parameters = {
            "callbackurl": f"{config().public_url}/v1/webhooks/logistics/kuaidi100/{parcel.shipment_id}",
            "salt": salt_of(parcel.shipment_id),
            "resultv2": "4",
            "autoCom": "1",
            **({"phone": parcel.phone_tail} if parcel.phone_tail else {}),
        }
        param = {
            "company": parcel.carrier,
            "number": parcel.number,
            "key": secrets.text(SECRET, "key"),
            "parameters": parameters,
        }
        try:
            answer = _post("/poll", {"schema": "json", "param": _json(param)})
        except ShopError as error:
            return Subscription(Subscribed.LATER, error.code)
        code = str(answer.get("returnCode", "")) if answer else "unreadable"
        if code in (_OK, _ALREADY_SUBSCRIBED):
            return Subscription(Subscribed.YES, code)
        if code == "unreadable" or code in _TRY_LATER:
            return Subscription(Subscribed.LATER, code)
        return Subscription(Subscribed.REFUSED, code)

    def query(self, parcel: Parcel) -> Snapshot | None:
        """Ask what is known now.

        Raises:
            OutboundTimeout, OutboundFailed: if the hub did not answer.
        """
        param = _json(
            {
                "com": parcel.carrier,
                "num": parcel.number,
                "phone": parcel.phone_tail,
                "from": "",
                "to": "",
                "resultv2": "4",
                "show": "0",
                "order": "desc",
            }
        )
        customer = secrets.text(SECRET, "customer")
        sign = query_signature(param, secrets.text(SECRET, "key"), customer)
        answer = _post("/poll/query.do", {"customer": customer, "sign": sign, "param": param})
        if not answer or answer.get("result") is False or "data" not in answer:
            return None
        return _snapshot(answer, {})

    def recognise(self, number: str) -> list[str]:
        """Return the carriers of ours whose number this may be, the likeliest first.

        Raises:
            OutboundTimeout, OutboundFailed: if the hub did not answer.
        """
        base = setting("BIANDAN_KUAIDI100_URL", RECOGNISING_URL).rstrip("/")
        query = urlencode({"num": number, "key": secrets.text(SECRET, "key")})
        answer = outbound.request("GET", f"{base}/autonumber/auto?{query}", headers={})
        try:
            told = json.loads(answer.body) if answer.status == 200 else []
        except (ValueError, RecursionError):
            return []
        codes = [_text(one.get("comCode")) for one in told if isinstance(one, dict)] if isinstance(told, list) else []
        return [code for code in codes if code in CARRIERS]

    def verify(self, *, shipment_id: str, headers: Mapping[str, str], body: bytes) -> bytes:  # noqa: ARG002
        """Check the salted signature over the bytes of ``param`` as they were decoded from the form."""
        fields = forms.decode(body)
        param, sign = fields.get("param"), fields.get("sign")
        if not param:
            raise UnreadablePush(why="no param")
        if not sign:
            raise BadSignature(why="no signature")
        expected = push_signature(param, salt_of(shipment_id)).encode()
        if not hmac.compare_digest(expected, sign.strip().upper()):
            raise BadSignature(why="the signature does not match")
        return param

    def read(self, payload: bytes) -> list[Snapshot]:
        """Read the one snapshot of a push."""
        try:
            push = json.loads(payload.decode())
        except (ValueError, RecursionError) as error:
            raise UnreadablePush(why="not JSON") from error
        if not isinstance(push, dict):
            raise UnreadablePush(why="not an object")
        result = push.get("lastResult")
        return [_snapshot(result if isinstance(result, dict) else {}, push)]

    def acknowledge(self) -> Answer:
        """Return the reply that ends the hub's repeats."""
        return Answer(200, {"Content-Type": "application/json; charset=utf-8"}, ACKNOWLEDGED)

    def refuse(self, error: PushRefused) -> None:
        """Return nothing: any other answer than the acknowledgement is a refusal."""


def build() -> Kuaidi100:
    """Return the adapter."""
    return Kuaidi100()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _post(path: str, fields: Mapping[str, str]) -> dict[str, Any] | None:
    base = setting("BIANDAN_KUAIDI100_URL", DEFAULT_URL).rstrip("/")
    answer = outbound.request("POST", base + path, headers={"content-type": forms.FORM}, body=forms.encode(fields))
    if answer.status != 200:
        return None
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


_REPORTS = {"shutdown": Report.FINISHED, "abort": Report.ABORTED, "updateall": Report.REWRITTEN}


def _snapshot(result: Mapping[str, Any], push: Mapping[str, Any]) -> Snapshot:
    data = result.get("data")
    told = [_scan(entry) for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    scans = sorted((scan for scan in told if scan is not None), key=lambda scan: scan.at, reverse=True)
    status = status_of(result.get("state"))
    if status is None and scans:
        status = scans[0].status
    corrected = push.get("comNew")
    return Snapshot(
        number=_text(result.get("nu")),
        carrier=_text(result.get("com")),
        report=_REPORTS.get(_text(push.get("status")), Report.WATCHING),
        status=_finer(status, scans[0].status if scans else None),
        scans=tuple(scans),
        corrected_carrier=_text(corrected) if str(push.get("autoCheck", "")) == "1" else "",
        why=_text(push.get("message"))[:100],
    )


def _finer(status: Status | None, newest: Status | None) -> Status | None:
    """Return what the newest scan says where it knows better than the old single-digit state.

    A parcel in a locker is "out for delivery" by that, and one that its sender signed for is "signed".
    """
    better = {Status.OUT_FOR_DELIVERY: Status.READY_FOR_PICKUP, Status.DELIVERED: Status.RETURNED}
    return newest if status is not None and better.get(status) is newest else status


def _scan(entry: Mapping[str, Any]) -> Scan | None:
    at = forms.china_time(entry.get("time")) or forms.china_time(entry.get("ftime"))
    if at is None:
        return None
    place = _text(entry.get("location")) or _text(entry.get("areaName"))
    return Scan(
        at=at,
        text=_text(entry.get("context"))[:SCAN_TEXT_CHARS],
        status=status_of(entry.get("statusCode")),
        place=place[:60],
        detail=len(_text(entry.get("statusCode"))),
    )


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
