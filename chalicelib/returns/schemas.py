"""Wire models of returns."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from chalicelib.kernel import context
from chalicelib.kernel.texts import Texts, said
from chalicelib.returns import domain, texts
from chalicelib.returns.domain import Address, Entry, Graded, Part, Reason, Return, Turn, Wish
from chalicelib.returns.service import Asking, Parcel, Preview, Where
from chalicelib.runtime.schema import Count, Id, MoneyView, PageQuery, Schema, Timestamp, refusal

_LINE = r"^[^\x00-\x1f\x7f]*$"
Text = Annotated[str, StringConstraints(min_length=1, max_length=domain.TEXT_CHARS)]
Remark = Annotated[str, StringConstraints(max_length=domain.TEXT_CHARS)]
LineId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
Short = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=_LINE)]
Units = Annotated[int, Field(ge=0, le=9999, strict=True)]
MAX_LINES = 90


class WantedLine(Schema):
    """So many units of a line; for an exchange perhaps another variant of the same product at the same price."""

    line_id: LineId
    quantity: Count
    exchange_for: Id | None = None


class AskReturn(Schema):
    """Units of an order to send back, for money or for an exchange."""

    order_id: Id
    lines: Annotated[list[WantedLine], Field(min_length=1, max_length=MAX_LINES)]
    wish: Wish
    reason: Reason
    text: Remark = ""

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        named = [line.line_id for line in self.lines]
        if len(set(named)) != len(named):
            raise refusal("line_twice", "each line is named once")
        if self.wish is not Wish.EXCHANGE and any(line.exchange_for for line in self.lines):
            raise refusal("not_an_exchange", "only an exchange is for something else")
        if self.reason is not Reason.NO_REASON and not self.text:
            raise refusal("reason_without_words", "say what is wrong")
        return self

    def asking(self) -> Asking:
        """Return what is asked for."""
        return Asking(
            order_id=self.order_id,
            units={line.line_id: line.quantity for line in self.lines},
            wish=self.wish,
            reason=self.reason,
            text=self.text,
            replacements={line.line_id: line.exchange_for for line in self.lines if line.exchange_for},
        )


class LinePreview(Schema):
    """How a line of it stands: how many units would be paid back, and until when it goes back."""

    line_id: str
    quantity: int
    until: Timestamp | None = None


class PreviewView(Schema):
    """What a return would do if everything came back as it was sent. Nothing was written."""

    amount: MoneyView
    """What would go back; of an exchange nothing does."""
    freight: bool
    """Whether the order's freight is in it."""
    freight_payer: str
    """Who pays the parcel back: ``buyer`` or ``merchant``."""
    freight_payer_text: str
    lines: list[LinePreview]

    @classmethod
    def of(cls, found: Preview) -> PreviewView:
        """Return the wire form in the caller's language."""
        return cls(
            amount=MoneyView.of(found.amount),
            freight=found.freight,
            freight_payer=found.payer.value,
            freight_payer_text=_said(texts.PAYERS[found.payer]),
            lines=[
                LinePreview(line_id=line_id, quantity=found.units.get(line_id, 0), until=window.until)
                for line_id, window in found.windows.items()
            ],
        )


class Say(Schema):
    """Why."""

    text: Text


class Nothing(Schema):
    """Nothing to say."""


class ReturnAddress(Schema):
    """Where it goes: who takes it, and by what phone the carrier finds them."""

    recipient: Short
    phone: Annotated[str, StringConstraints(min_length=5, max_length=25, pattern=r"^\+?[0-9 ()-]+$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "CN"
    province: Annotated[str, StringConstraints(max_length=60, pattern=_LINE)] = ""
    city: Short
    district: Annotated[str, StringConstraints(max_length=60, pattern=_LINE)] = ""
    street: Annotated[str, StringConstraints(min_length=2, max_length=200, pattern=_LINE)]
    postcode: Annotated[str, StringConstraints(max_length=16, pattern=r"^[A-Za-z0-9 -]*$")] = ""

    def address(self) -> Address:
        """Return the domain's form."""
        return Address(
            recipient=self.recipient,
            phone=self.phone,
            country=self.country,
            province=self.province,
            city=self.city,
            district=self.district,
            street=self.street,
            postcode=self.postcode,
        )

    @classmethod
    def of(cls, contact: Address) -> ReturnAddress:
        """Return the wire form."""
        return cls(
            recipient=contact.recipient,
            phone=contact.phone,
            country=contact.country,
            province=contact.province,
            city=contact.city,
            district=contact.district,
            street=contact.street,
            postcode=contact.postcode,
        )


class ApproveReturn(Schema):
    """Where it goes back to; ``label`` is what the carrier needs where the merchant pays (a code, an address)."""

    address: ReturnAddress
    label: Annotated[str, StringConstraints(max_length=300, pattern=_LINE)] = ""
    text: Remark = ""

    def where(self) -> Where:
        """Return where it goes."""
        return Where(self.address.address(), self.label)


class SendParcel(Schema):
    """Under which number a parcel travels."""

    carrier: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{2,32}$")]
    tracking_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z -]{6,40}$")]
    phone_tail: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] | None = None

    def parcel(self) -> Parcel:
        """Return the parcel."""
        return Parcel(self.carrier, self.tracking_number, self.phone_tail or "")


class GradedLine(Schema):
    """How the units of a line came; what is missing of those that were sent did not."""

    line_id: LineId
    as_new: Units = 0
    open_box: Units = 0
    damaged: Units = 0


class InspectReturn(Schema):
    """What came, and how. ``withhold_damaged`` keeps the money of what came damaged; the text says why then."""

    lines: Annotated[list[GradedLine], Field(max_length=MAX_LINES)]
    withhold_damaged: bool = False
    text: Remark = ""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        named = [line.line_id for line in self.lines]
        if len(set(named)) != len(named):
            raise refusal("line_twice", "each line is named once")
        if self.withhold_damaged and not self.text:
            raise refusal("reason_without_words", "say what is wrong")
        return self

    def counted(self) -> dict[str, Graded]:
        """Return the grades by line."""
        return {line.line_id: Graded(line.as_new, line.open_box, line.damaged) for line in self.lines}


class DecideReturn(Schema):
    """An operator's decision: ``approve`` (to an address), ``arrived``, ``refund`` all that came, or ``dismiss``.

    To dismiss an objection to an inspection leaves it as the merchant said.
    """

    decision: Literal["approve", "arrived", "refund", "dismiss"]
    address: ReturnAddress | None = None
    text: Text

    @model_validator(mode="after")
    def _address_with_approval(self) -> Self:
        if (self.decision == "approve") is not (self.address is not None):
            raise refusal("address_without_approval", "an approval has an address, and nothing else has")
        return self


class ReturnsQuery(PageQuery):
    """Which returns: ``all``, newest first, or those ``waiting`` for the caller, most urgent first."""

    view: Literal["all", "waiting"] = "all"


class GradedView(Schema):
    """How the units of a line came."""

    as_new: int
    open_box: int
    damaged: int


class ReturnLineView(Schema):
    """A line of the return."""

    line_id: str
    quantity: int
    sku_id: str
    exchange_for: str | None = None
    came: GradedView | None = None
    refunded: int
    """Units that were paid back."""

    @classmethod
    def of(cls, part: Part) -> ReturnLineView:
        """Return the wire form."""
        counted = part.graded
        return cls(
            line_id=part.line_id,
            quantity=part.quantity,
            sku_id=part.sku_id,
            exchange_for=part.replacement or None,
            came=GradedView(as_new=counted.as_new, open_box=counted.open_box, damaged=counted.damaged)
            if counted is not None
            else None,
            refunded=part.paid,
        )


class ReturnEntryView(Schema):
    """One entry of the return's history."""

    at: Timestamp
    by: str
    by_text: str
    what: str
    what_text: str
    """What happened, for people, in the caller's language."""
    text: str | None = None
    amount: MoneyView | None = None

    @classmethod
    def of(cls, entry: Entry) -> ReturnEntryView:
        """Return the wire form."""
        return cls(
            at=entry.at,
            by=entry.by.value,
            by_text=_said(texts.TURNS[entry.by]),
            what=entry.what,
            what_text=texts.what_text(entry.what, context.current().language),
            text=entry.text or None,
            amount=MoneyView.of(entry.amount) if entry.amount else None,
        )


class ReturnView(Schema):
    """A return: how it stands, whose turn it is (``turn``) and until when (``due_at``), and all that was said."""

    return_id: str
    order_id: str
    merchant_id: str
    wish: str
    wish_text: str
    reason: str
    reason_text: str
    status: str
    status_text: str
    turn: str
    turn_text: str
    due_at: Timestamp | None = None
    asked_at: Timestamp
    freight_payer: str
    freight_payer_text: str
    lines: list[ReturnLineView]
    address: ReturnAddress | None = None
    """Where it goes back to: for its buyer and its merchant."""
    label: str | None = None
    shipment_id: str | None = None
    """The parcel back, among the order's shipments."""
    replacement_shipment_id: str | None = None
    refund_id: str | None = None
    refund: MoneyView | None = None
    history: list[ReturnEntryView]

    @classmethod
    def of(cls, found: Return, *, side: Turn) -> ReturnView:
        """Return the wire form in the caller's language; an operator is shown no address."""
        contact = found.address() if side is not Turn.OPERATOR else None
        return cls(
            return_id=found.return_id,
            order_id=found.order_id,
            merchant_id=found.merchant_id,
            wish=found.wish.value,
            wish_text=_said(texts.WISHES[found.wish]),
            reason=found.reason.value,
            reason_text=_said(texts.REASONS[found.reason]),
            status=found.status.value,
            status_text=_said(texts.STATUSES[found.status]),
            turn=found.turn.value,
            turn_text=_said(texts.TURNS[found.turn]),
            due_at=found.due_at,
            asked_at=found.asked_at,
            freight_payer=found.payer.value,
            freight_payer_text=_said(texts.PAYERS[found.payer]),
            lines=[ReturnLineView.of(part) for part in found.parts],
            address=ReturnAddress.of(contact) if contact is not None else None,
            label=found.label or None,
            shipment_id=found.shipment_id or None,
            replacement_shipment_id=found.replacement_id or None,
            refund_id=found.refund_id or None,
            refund=MoneyView.of(found.refund) if found.refund else None,
            history=[ReturnEntryView.of(entry) for entry in found.history],
        )


def _said(words: Texts) -> str:
    return said(words, context.current().language)


class ReturnPageView(Schema):
    """One page of returns."""

    items: list[ReturnView]
    next_cursor: str | None = None
