"""The port to carrier hubs: services that know where parcels of all carriers are, and push what is new.

An adapter is a module ``providers/<name>.py`` with ``build() -> CarrierHub``, loaded by name on first use. It keeps no
state, asks ``kernel.clock`` for the time and goes out through ``runtime.outbound`` only. ``verify`` authenticates the
raw bytes and does nothing else; what was signed travels to the consumer, and ``read`` makes snapshots of it there: one
or, for hubs that push many parcels at a time, many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chalicelib.kernel.errors import ShopError
from chalicelib.logistics.domain import Snapshot
from chalicelib.logistics.watch import Limits


class PushRefused(ShopError):
    """Base of all refusals of a push; leaves no trace but a log line with the code."""

    code, status = "push_refused", 401
    en, zh = "The push is refused.", "推送被拒绝。"
    shown = ("why",)

    def __str__(self) -> str:
        """Say why in our own words, which no table puts into others: to logs and whoever connects the other side."""
        return f"{self.code}: {self.params.get('why', self.detail())}"


class BadSignature(PushRefused):
    """Missing, malformed or wrong signature."""

    code = "bad_signature"


class UnreadablePush(PushRefused):
    """The form or its content cannot be read."""

    code, status = "unreadable_push", 400


class Subscribed(StrEnum):
    """What came of subscribing."""

    YES = "yes"
    """The hub will push; an existing subscription counts."""
    LATER = "later"
    """Not now: busy, or no answer we understand. Try again."""
    REFUSED = "refused"
    """It will not, however often we try: somebody must look."""
    UNSERVED = "unserved"
    """It does not know this carrier or number, which is nobody's fault: another hub may, or we ask."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The answer to ``subscribe``; ``code`` is the hub's word for logs."""

    outcome: Subscribed
    code: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a hub must know of a parcel."""

    shipment_id: str
    carrier: str
    number: str
    phone_tail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hub is answered, byte for byte."""

    status: int
    headers: dict[str, str]
    body: str


class CarrierHub(Protocol):
    """One hub."""

    @property
    def name(self) -> str:
        """The module's name, also in addresses."""

    @property
    def limits(self) -> Limits:
        """What it allows of one number, and of a day."""

    def serves(self, carrier: str) -> bool:
        """Say whether it knows a carrier of ours."""

    def subscribe(self, parcel: Parcel) -> Subscription:
        """Ask for pushes; again for the same parcel is harmless."""

    def query(self, parcel: Parcel) -> Snapshot | None:
        """Ask what is known now; None if nothing is, or it will not say."""

    def recognise(self, number: str) -> list[str]:
        """Return the carriers of ours whose number this may be, the likeliest first; none if it does not know.

        Raises:
            ShopError: if the hub did not answer.
        """

    def verify(self, *, shipment_id: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Authenticate a push and return exactly what was signed. ``shipment_id`` is that of the address, if any.

        Raises:
            PushRefused: one of its subclasses, for everything that is not a genuine push to us.
        """

    def read(self, payload: bytes) -> list[Snapshot]:
        """Read what ``verify`` returned; one bad element does not lose the others.

        Raises:
            UnreadablePush: if it is no push at all.
        """

    def acknowledge(self) -> Answer:
        """Return the exact reply to a push that is durable with us."""

    def refuse(self, error: PushRefused) -> Answer | None:
        """Return the hub's own reply to a push that is refused; None if a problem document will do."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who sends or gets a parcel, and where."""

    name: str
    phone: str
    province: str
    city: str
    district: str
    street: str


@dataclass(frozen=True, slots=True)
class WaybillOrder:
    """What a hub must know to draw a waybill; ``number`` is ours, the same for every repeat."""

    number: str
    carrier: str
    sender: Party
    receiver: Party
    goods: str
    weight_g: int | None = None
    customer: str = ""
    password: str = ""
    month_code: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of it: a number and a label, a refusal in the hub's words, or neither, which is not known."""

    number: str = ""
    label: str = ""
    refused: str = ""


class WaybillIssuer(Protocol):
    """One hub that draws electronic waybills: a module ``providers/<name>_waybills.py`` with ``issuer()``."""

    def serves(self, carrier: str) -> bool:
        """Say whether it draws those of a carrier of ours."""

    def draw(self, wanted: WaybillOrder) -> Drawn:
        """Draw a number and a label; again under the same number is harmless.

        Raises:
            ShopError: if the hub did not answer.
        """
