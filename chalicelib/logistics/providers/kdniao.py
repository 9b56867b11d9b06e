"""KDNiao (快递鸟): subscribe by ``dist``, pushes of many parcels at a time, questions by ``EbusinessOrderHandle``.

Every call is a form whose ``DataSign`` covers the JSON text of ``RequestData``. ``RequestType`` is not signed: nothing
is decided by it. The form encodes values once; a value is decoded once, never again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.clock import CHINA
from chalicelib.kernel.errors import ShopError
from chalicelib.logistics.carriers import needs_phone
from chalicelib.logistics.domain import Snapshot
from chalicelib.logistics.ports import (
    Answer,
    BadSignature,
    Parcel,
    PushRefused,
    Subscribed,
    Subscription,
    UnreadablePush,
)
from chalicelib.logistics.providers import forms, kdniao_codes, kdniao_snapshots
from chalicelib.logistics.watch import Limits
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import setting

SECRET = "logistics-kdniao"  # noqa: S105
DEFAULT_URL = "https://api.kdniao.com"
DIST = "/api/dist"
ASK = "/Ebusiness/EbusinessOrderHandle.aspx"
JSON = {"Content-Type": "application/json; charset=utf-8"}

_SUBSCRIBE = {"free": "1008", "premium": "8008"}
_QUERY = {"free": "1002", "premium": "8001"}
_RECOGNISE = "2002"

_AGAIN = ("重复", "已订阅")
"""An existing subscription counts as one."""
_ALERT = ("余额", "次数", "权限", "签名")
"""Our account: somebody must look."""
_NEVER = ("没有", "不支持")
"""This carrier or number: trying again is no use."""


def data_sign(data: bytes, app_key: str) -> str:
    """Return the signature of a text: base 64 of the 32 hex characters of its MD5, not of the 16 bytes."""
    digest = hashlib.md5(data + app_key.encode(), usedforsecurity=False).hexdigest()
    return base64.b64encode(digest.encode()).decode()


class KDNiao:
    """The adapter."""

    name = "kdniao"

    @property
    def limits(self) -> Limits:
        """Two subscriptions of a number, five tries, and pushes that end after 30 days without news."""
        return Limits(
            subscriptions=2,
            tries=5,
            questions_a_day=int(setting("BIANDAN_KDNIAO_QUESTIONS", "500")),
            pushes_end_after=kdniao_codes.PUSHES_END_AFTER,
        )

    def serves(self, carrier: str) -> bool:
        """Say whether it has a code for a carrier of ours."""
        return carrier in kdniao_codes.CODE_OF

    def subscribe(self, parcel: Parcel) -> Subscription:
        """Ask for pushes; the shipment's id comes back with each."""
        data = {**_named(parcel), "CallBack": parcel.shipment_id, "Sort": 0}
        try:
            answer = call(DIST, _SUBSCRIBE[_plan()], data)
        except ShopError as error:
            return Subscription(Subscribed.LATER, error.code)
        if answer is None:
            return Subscription(Subscribed.LATER, "unreadable")
        if succeeded(answer):
            return Subscription(Subscribed.YES, "subscribed")
        return _refused(kdniao_snapshots.text(answer.get("Reason")))

    def query(self, parcel: Parcel) -> Snapshot | None:
        """Ask what is known now.

        Raises:
            OutboundTimeout, OutboundFailed: if the hub did not answer.
        """
        answer = call(ASK, _QUERY[_plan()], {**_named(parcel), "OrderCode": ""})
        if answer is None or not succeeded(answer):
            return None
        return kdniao_snapshots.snapshot(answer)

    def recognise(self, number: str) -> list[str]:
        """Return the carriers of ours whose number this may be, the likeliest first.

        Raises:
            OutboundTimeout, OutboundFailed: if the hub did not answer.
        """
        answer = call(ASK, _RECOGNISE, {"LogisticCode": number})
        told = answer.get("Shippers") if answer is not None and succeeded(answer) else None
        codes = [one.get("ShipperCode") for one in told if isinstance(one, dict)] if isinstance(told, list) else []
        return [carrier for code in codes if (carrier := kdniao_codes.carrier_of(code)) is not None]

    def verify(self, *, shipment_id: str, headers: Mapping[str, str], body: bytes) -> bytes:  # noqa: ARG002
        """Authenticate a push: what was signed is the decoded ``RequestData``, and it must be to us.

        Raises:
            BadSignature: if it is not signed with our key, or names another business.
            UnreadablePush: if the form cannot be read, or what was signed.
        """
        fields = _fields(headers, body)
        data, given = fields.get("RequestData", b""), fields.get("DataSign", b"")
        if not data or not given:
            raise BadSignature(why="RequestData or DataSign is missing")
        if not hmac.compare_digest(data_sign(data, secrets.text(SECRET, "app_key")).encode(), given):
            raise BadSignature(why="the signature does not match")
        if kdniao_snapshots.text(_object(data).get("EBusinessID")) != secrets.text(SECRET, "business_id"):
            raise BadSignature(why="it is for another business")
        return data

    def read(self, payload: bytes) -> list[Snapshot]:
        """Read a push: one snapshot a parcel. What is no parcel of ours, or cannot be read, is left out.

        Raises:
            UnreadablePush: if it is no push at all.
        """
        return kdniao_snapshots.pushed(_object(payload), business=secrets.text(SECRET, "business_id"))

    def acknowledge(self) -> Answer:
        """Return the reply that ends the hub's repeats."""
        return _reply(200, success=True)

    def refuse(self, error: PushRefused) -> Answer:
        """Return the reply to a push that is refused: the hub reads ``Success``, people the reason."""
        return _reply(403, success=False, reason=str(error))


def build() -> KDNiao:
    """Return the adapter."""
    return KDNiao()


def call(path: str, request_type: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Call the hub; None if its answer cannot be read.

    Raises:
        OutboundTimeout, OutboundFailed: if it did not answer.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    fields = {
        "RequestData": text,
        "EBusinessID": secrets.text(SECRET, "business_id"),
        "RequestType": request_type,
        "DataSign": data_sign(text.encode(), secrets.text(SECRET, "app_key")),
        "DataType": "2",
    }
    url = setting("BIANDAN_KDNIAO_URL", DEFAULT_URL).rstrip("/") + path
    answer = outbound.request("POST", url, headers={"content-type": forms.FORM}, body=forms.encode(fields))
    if answer.status != 200:
        return None
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def succeeded(answer: Mapping[str, Any]) -> bool:
    """Say whether an answer reports success: a boolean, or a text that says so."""
    return str(answer.get("Success", "")).lower() == "true"


def _plan() -> str:
    return setting("BIANDAN_KDNIAO_PLAN", "free")


def _named(parcel: Parcel) -> dict[str, Any]:
    named = {"ShipperCode": kdniao_codes.CODE_OF.get(parcel.carrier, ""), "LogisticCode": parcel.number}
    return {**named, "CustomerName": parcel.phone_tail} if needs_phone(parcel.carrier) else named


def _refused(reason: str) -> Subscription:
    for words, outcome in (
        (_AGAIN, Subscribed.YES),
        (_ALERT, Subscribed.REFUSED),
        (_NEVER, Subscribed.UNSERVED),
    ):
        if found := next((word for word in words if word in reason), ""):
            return Subscription(outcome, found)
    return Subscription(Subscribed.LATER, reason[:40])


def _fields(headers: Mapping[str, str], body: bytes) -> dict[str, bytes]:
    """Read the members of a push: a form, or JSON where the content type says so.

    Raises:
        UnreadablePush: if they cannot be read.
    """
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if kind.split(";")[0].strip().lower() != "application/json":
        return forms.decode(body)
    return {name: value.encode() for name, value in _object(body).items() if isinstance(value, str)}


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadablePush(why="it is no JSON") from error
    if not isinstance(value, dict):
        raise UnreadablePush(why="it is no JSON object")
    return value


def _reply(status: int, *, success: bool, reason: str = "") -> Answer:
    body = {
        "EBusinessID": secrets.text(SECRET, "business_id"),
        "UpdateTime": clock.now().astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
        "Success": success,
        "Reason": reason,
    }
    return Answer(status, dict(JSON), json.dumps(body, ensure_ascii=False, separators=(",", ":")))
