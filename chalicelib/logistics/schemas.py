"""Wire models of shipments."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from chalicelib.kernel import clock, context
from chalicelib.kernel.texts import said
from chalicelib.logistics import domain, doubts, parcel_texts
from chalicelib.logistics.carriers import CARRIERS, Carrier
from chalicelib.logistics.domain import Scan, Shipment
from chalicelib.logistics.doubting import Weighed
from chalicelib.logistics.links import Link
from chalicelib.logistics.numbers import Claim
from chalicelib.runtime.schema import Count, Schema, Timestamp, refusal

LineId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
CarrierCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{2,30}$")]
MIN_CHARACTERS = 5
"""Of a tracking number, dashes aside."""
MAX_WRITTEN = 100
"""Of a tracking number as it is sent, with its spaces."""


def _as_carriers_write(value: Any) -> Any:
    """Take a number as people copy it: spaces in it and wide characters say nothing."""
    if not isinstance(value, str) or len(value) > MAX_WRITTEN:
        return value
    return "".join(unicodedata.normalize("NFKC", value).split()).upper()


_NUMBER = re.compile(r"[A-Z0-9-]{6,32}\Z")


def _says_something(number: str) -> str:
    if not _NUMBER.match(number) or len(domain.normal(number)) < MIN_CHARACTERS:
        raise refusal("not_a_tracking_number", "a tracking number has letters and digits")
    return number


TrackingNumber = Annotated[
    str,
    BeforeValidator(_as_carriers_write),
    AfterValidator(_says_something),
    WithJsonSchema({"type": "string", "maxLength": MAX_WRITTEN}),
]
PhoneTail = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]


class ShipLine(Schema):
    """Units of one line of the order."""

    line_id: LineId
    quantity: Count


class ShipOrder(Schema):
    """A parcel (``carrier`` and ``tracking_number``), or a digital delivery (neither; ``note`` and ``code``)."""

    lines: Annotated[list[ShipLine], Field(min_length=1, max_length=50)]
    carrier: CarrierCode | None = None
    tracking_number: TrackingNumber | None = None
    phone_tail: PhoneTail | None = None
    """Last four digits of the sender's phone, for carriers that want them; the recipient's is taken without it."""
    note: Annotated[str, StringConstraints(max_length=500)] = ""
    code: Annotated[str, StringConstraints(max_length=500)] = ""
    """What the buyer bought: a key, a voucher. Only the buyer's look shows it; a merchant's code serves one order."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.carrier is None) is not (self.tracking_number is None):
            raise refusal("half_a_parcel", "carrier and tracking_number belong together")
        if self.carrier is not None and self.code:
            raise refusal("code_with_parcel", "a parcel has no code")
        return self


class CorrectNumber(Schema):
    """The carrier and number that were meant."""

    carrier: CarrierCode
    tracking_number: TrackingNumber
    phone_tail: PhoneTail | None = None


Reason = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]


class ReleaseNumber(Schema):
    """Why a number that is held may be used again."""

    reason: Reason


class ReleaseView(Schema):
    """One release of a number: who freed it of which shipments, when and why."""

    by: str
    at: Timestamp
    reason: str
    shipment_ids: list[str]


class NumberView(Schema):
    """Whose parcel a tracking number is; free without shipments."""

    carrier: str
    tracking_number: str
    merchant_id: str | None = None
    shipment_ids: list[str]
    releases: list[ReleaseView]

    @classmethod
    def of(cls, claim: Claim) -> NumberView:
        """Return the wire form."""
        return cls(
            carrier=claim.carrier,
            tracking_number=claim.number,
            merchant_id=claim.merchant_id if claim.shipments else None,
            shipment_ids=list(claim.shipments),
            releases=[
                ReleaseView(by=one.by, at=one.at, reason=one.reason, shipment_ids=list(one.shipments))
                for one in claim.releases
            ],
        )


class CarrierView(Schema):
    """A carrier and its names."""

    code: str
    zh: str
    en: str
    needs_phone: bool

    @classmethod
    def of(cls, carrier: Carrier) -> CarrierView:
        """Return the wire form."""
        return cls(code=carrier.code, zh=carrier.zh, en=carrier.en, needs_phone=carrier.needs_phone)

    @classmethod
    def of_shipment(cls, shipment: Shipment) -> CarrierView | None:
        """Return the wire form of a parcel's carrier; a hub may have corrected it to one that our table lacks."""
        code = shipment.carrier
        return cls.of(CARRIERS.get(code) or Carrier(code, code, code)) if code else None


class CarriersView(Schema):
    """Every carrier we know."""

    items: list[CarrierView]


class Received(Schema):
    """Nothing to say: the buyer has the parcel."""


class ReportLost(Schema):
    """Why a parcel counts as lost: what its carrier said."""

    reason: Reason


class SettleParcel(Schema):
    """What became of a parcel of which its carrier is silent, and what proves it."""

    how: Literal["delivered", "returned", "lost"]
    reason: Reason


_Word = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]


class SenderBody(Schema):
    """Who sends a parcel, and from where. Passed on to the carrier, never kept."""

    name: _Word
    phone: Annotated[str, StringConstraints(pattern=r"^[+0-9][0-9-]{5,20}$")]
    province: _Word
    city: _Word
    district: _Word
    street: Annotated[str, StringConstraints(min_length=2, max_length=200)]


class DrawWaybill(Schema):
    """A waybill to be drawn. The account at the carrier is passed on, never kept."""

    carrier: CarrierCode
    sender: SenderBody
    goods: _Word
    """What the label says is in the parcel."""
    weight_g: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    customer: Annotated[str, StringConstraints(max_length=60)] = ""
    password: Annotated[str, StringConstraints(max_length=60)] = ""
    month_code: Annotated[str, StringConstraints(max_length=60)] = ""


class WaybillView(Schema):
    """A waybill: ship with its number. The label is shown once, for it is not kept."""

    waybill_id: str
    carrier: str
    tracking_number: str
    label_html: str | None = None


class WhoseNumber(Schema):
    """A tracking number whose carrier is asked for."""

    tracking_number: TrackingNumber


class RecognisedView(Schema):
    """The carriers a number may be of, the likeliest first. ``said_by``: ``form``, or a carrier hub."""

    items: list[CarrierView]
    said_by: str


class ScanView(Schema):
    """One thing that happened to the parcel, as the carrier tells it."""

    at: Timestamp
    text: str
    status: str | None = None
    status_text: str | None = None
    """The state in the caller's language: what the carrier wrote is in the carrier's."""
    place: str | None = None

    @classmethod
    def of(cls, scan: Scan, language: str) -> ScanView:
        """Return the wire form."""
        return cls(
            at=scan.at,
            text=scan.text,
            status=scan.status.value if scan.status else None,
            status_text=said(parcel_texts.TEXTS[scan.status], language) if scan.status else None,
            place=scan.place or None,
        )


_PURPOSES: Final[dict[str, Literal["return", "replacement"]]] = {"return": "return", "replacement": "replacement"}


class ShipmentView(Schema):
    """A parcel and where it is, or a digital delivery. A code is looked at (``/virtual/{line_id}/look``);
    ``code`` has it of deliveries of earlier days, for the buyer alone.
    """

    shipment_id: str
    order_id: str
    kind: str
    status: str
    status_text: str
    estimate: str | None = None
    expected_from: date | None = None
    expected_until: date | None = None
    """The days, in China, on which it usually arrives; none once it did, or takes longer than usual."""
    carrier: CarrierView | None = None
    tracking_number: str | None = None
    lines: dict[str, int]
    shipped_at: Timestamp
    delivered_at: Timestamp | None = None
    events: list[ScanView]
    note: str | None = None
    code: str | None = None
    has_code: bool = False
    wrong_number: bool = False
    """The number turned out to be another parcel's: the merchant should correct it."""
    purpose: Literal["order", "return", "replacement"] = "order"
    """What it is for: what was bought, or a part of the return ``return_id``."""
    return_id: str | None = None

    @classmethod
    def of(cls, shipment: Shipment, *, for_buyer: bool = False) -> ShipmentView:
        """Return the wire form in the caller's language."""
        language = context.current().language
        expected = parcel_texts.expected(shipment, now=clock.now())
        return cls(
            shipment_id=shipment.shipment_id,
            order_id=shipment.order_id,
            kind="digital" if shipment.is_digital else "parcel",
            status=shipment.status.value,
            status_text=parcel_texts.status_text(shipment, language),
            estimate=parcel_texts.estimate(shipment, language, now=clock.now()),
            expected_from=expected.first if expected else None,
            expected_until=expected.last if expected else None,
            carrier=CarrierView.of_shipment(shipment),
            tracking_number=shipment.number,
            lines=dict(shipment.lines),
            shipped_at=shipment.shipped_at,
            delivered_at=shipment.delivered_at,
            events=[ScanView.of(scan, language) for scan in shipment.scans],
            note=shipment.note or None,
            code=(shipment.code or None) if for_buyer else None,
            has_code=shipment.coded or bool(shipment.code),
            wrong_number=shipment.detached,
            purpose=_PURPOSES.get(shipment.purpose, "order"),
            return_id=shipment.about or None,
        )


class ShipmentsView(Schema):
    """The shipments of one order, in the order they were made."""

    items: list[ShipmentView]


class MakeLink(Schema):
    """Nothing to say: the path names the parcel."""


class LinkView(Schema):
    """A link by which anybody follows one parcel: ``GET /v1/parcels/{token}``."""

    token: str
    ends_at: Timestamp

    @classmethod
    def of(cls, link: Link) -> LinkView:
        """Return the wire form."""
        return cls(token=link.token, ends_at=link.ends_at)


class GuestScanView(Schema):
    """One thing that happened to a parcel, in our words: a carrier's may name who signed for it."""

    at: Timestamp
    status: str
    status_text: str
    place: str | None = None


class GuestParcelView(Schema):
    """Where a parcel is, for whoever has its link: nothing of who gets it, and not what is in it."""

    status: str
    status_text: str
    """In the caller's language."""
    estimate: str | None = None
    expected_from: date | None = None
    expected_until: date | None = None
    carrier: CarrierView | None = None
    tracking_number_end: str
    """Its last four characters: enough to know it again."""
    shipped_at: Timestamp
    delivered_at: Timestamp | None = None
    events: list[GuestScanView]

    @classmethod
    def of(cls, shipment: Shipment) -> GuestParcelView:
        """Return the wire form in the caller's language."""
        language = context.current().language
        now = clock.now()
        expected = parcel_texts.expected(shipment, now=now)
        return cls(
            status=shipment.status.value,
            status_text=parcel_texts.status_text(shipment, language),
            estimate=parcel_texts.estimate(shipment, language, now=now),
            expected_from=expected.first if expected else None,
            expected_until=expected.last if expected else None,
            carrier=CarrierView.of_shipment(shipment),
            tracking_number_end=(shipment.number or "")[-4:],
            shipped_at=shipment.shipped_at,
            delivered_at=shipment.delivered_at,
            events=[
                GuestScanView(
                    at=scan.at,
                    status=scan.status.value,
                    status_text=said(parcel_texts.TEXTS[scan.status], language),
                    place=scan.place or None,
                )
                for scan in shipment.scans
                if scan.status is not None
            ],
        )


class SignView(Schema):
    """One thing that speaks against a shipment, in the caller's language, and how much."""

    code: str
    text: str
    weight: int


class WeighedShipmentView(Schema):
    """A shipment, and how much speaks against it: from 0 to 100, to be looked at by people. Nothing follows from it."""

    shipment: ShipmentView
    doubt: int
    signs: list[SignView]

    @classmethod
    def of(cls, weighed: Weighed) -> WeighedShipmentView:
        """Return the wire form."""
        language = context.current().language
        return cls(
            shipment=ShipmentView.of(weighed.shipment),
            doubt=weighed.doubt.score,
            signs=[
                SignView(code=sign.value, text=said(doubts.TEXTS[sign], language), weight=doubts.WEIGHTS[sign])
                for sign in weighed.doubt.signs
            ],
        )


class WeighedShipmentsView(Schema):
    """The shipments of one order, in the order they were made."""

    items: list[WeighedShipmentView]
