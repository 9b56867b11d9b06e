"""Wire models of virtual goods. Only :class:`ShownView` holds what a buyer bought."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from chalicelib.kernel import context
from chalicelib.kernel.texts import said
from chalicelib.runtime.schema import Count, Id, Schema, Timestamp, WebAddress, refusal
from chalicelib.virtual import domain, texts
from chalicelib.virtual.domain import Content, Delivery, FileRef, Form, Pool, Upload
from chalicelib.virtual.files import Ticket
from chalicelib.virtual.service import Shown, Terms

_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
FormName = Literal["code", "text", "link", "file"]


def _one_line(code: str) -> str:
    if _CONTROLS.search(code):
        raise refusal("not_a_code", "a code is one line of printed characters")
    return code


Code = Annotated[str, StringConstraints(min_length=1, max_length=domain.LONGEST_CODE), AfterValidator(_one_line)]


class UploadCodes(Schema):
    """Codes to add to a pool. Spaces around one do not count; one that is known is not taken."""

    codes: Annotated[list[Code], Field(min_length=1, max_length=domain.MOST_CODES)]
    to_stock: bool = True
    """Add as many units of stock; false where the stock counts them already."""


class WithdrawCodes(Schema):
    """How many of the oldest free codes to take out for good."""

    quantity: Annotated[int, Field(ge=1, le=domain.BACK_CHUNK, strict=True)]


class _WithContent(Schema):
    text: Annotated[str, StringConstraints(min_length=1, max_length=5_000)] | None = None
    link: WebAddress | None = None
    file_id: Id | None = None

    def content(self, form: Form, file: FileRef | None) -> Content | None:
        """Return what is to be delivered; None where nothing is named."""
        text = {Form.TEXT: self.text, Form.CODE: self.text, Form.LINK: self.link}.get(form) or ""
        return Content(form, text, file) if text or file else None


class PutPool(_WithContent):
    """How a SKU is delivered. Of ``text``, ``link`` and ``file_id`` only that of its form: it stands ready for all."""

    form: FormName
    within_minutes: Annotated[int, Field(ge=domain.SOONEST_MIN, le=domain.LATEST_MIN, strict=True)] = 24 * 60
    """The agreed time: so long after the payment at most."""
    low_mark: Annotated[int, Field(ge=0, le=100_000, strict=True)] = 0

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        named = {name for name in ("text", "link", "file_id") if getattr(self, name) is not None}
        if named - {{"text": "text", "link": "link", "file": "file_id"}.get(self.form, "")}:
            raise refusal("content_of_another_form", "only what the form says can stand ready")
        return self

    def terms(self, file: FileRef | None) -> Terms:
        """Return what the merchant says."""
        from datetime import timedelta

        form = Form(self.form)
        return Terms(form, timedelta(minutes=self.within_minutes), self.low_mark, self.content(form, file))


class DeliverByHand(_WithContent):
    """Units of a line, delivered now: a code (in ``text``), a text, a link or a file."""

    form: FormName
    quantity: Count = 1

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        wanted = {"link": "link", "file": "file_id"}.get(self.form, "text")
        named = {name for name in ("text", "link", "file_id") if getattr(self, name) is not None}
        if named != {wanted}:
            raise refusal("content_does_not_fit", "send what the form says, and nothing else")
        if self.form == "code":
            if self.quantity != 1:
                raise refusal("one_unit_a_code", "a code is one unit")
            if len(self.text or "") > domain.LONGEST_CODE or _CONTROLS.search(self.text or ""):
                raise refusal("not_a_code", "a code is one line of printed characters")
        return self


class NewFile(Schema):
    """A file that will be uploaded."""

    content_type: Annotated[str, StringConstraints(max_length=100)]
    size: Annotated[int, Field(ge=1, le=2**31, strict=True)]


class FileTicketView(Schema):
    """A form to upload the file with; name it by its id."""

    file_id: str
    url: str
    fields: dict[str, str]
    expires_at: Timestamp

    @classmethod
    def of(cls, ticket: Ticket) -> FileTicketView:
        """Return the wire form."""
        return cls(file_id=ticket.file_id, url=ticket.url, fields=ticket.fields, expires_at=ticket.expires_at)


class PoolView(Schema):
    """How a SKU is delivered, and how many codes there are. No code is in it."""

    sku_id: str
    form: str
    within_minutes: int
    low_mark: int
    free: int
    given: int
    withdrawn: int
    low: bool
    has_content: bool

    @classmethod
    def of(cls, pool: Pool) -> PoolView:
        """Return the wire form."""
        return cls(
            sku_id=pool.sku_id,
            form=pool.form.value,
            within_minutes=int(pool.within.total_seconds() // 60),
            low_mark=pool.low_mark,
            free=pool.free,
            given=pool.given,
            withdrawn=pool.withdrawn,
            low=pool.is_low,
            has_content=pool.has_content,
        )


class PoolPageView(Schema):
    """A merchant's pools, newest first."""

    items: list[PoolView]
    next_cursor: str | None = None


class PromiseView(Schema):
    """How a SKU is delivered, for whoever thinks of buying it."""

    sku_id: str
    form: str
    form_text: str
    within_minutes: int

    @classmethod
    def of(cls, pool: Pool) -> PromiseView:
        """Return the wire form in the caller's language."""
        return cls(
            sku_id=pool.sku_id,
            form=pool.form.value,
            form_text=said(texts.FORM[pool.form], context.current().language),
            within_minutes=int(pool.within.total_seconds() // 60),
        )


class RefusedCodeView(Schema):
    """A code that was not taken, by its place in the upload (from 0), and why: ``known`` or ``repeated``."""

    position: int
    why: str


class CodesView(Schema):
    """What became of an upload."""

    sku_id: str
    """Into whose pool."""
    accepted: int
    refused: list[RefusedCodeView]

    @classmethod
    def of(cls, upload: Upload) -> CodesView:
        """Return the wire form."""
        refused = [RefusedCodeView(position=at, why=why) for at, why in upload.refused]
        return cls(sku_id=upload.sku_id, accepted=upload.accepted, refused=refused)


class VirtualLineView(Schema):
    """What was delivered of one line, and what is owed. Nothing of it is shown here."""

    order_id: str
    line_id: str
    sku_id: str
    form: str
    status: str
    status_text: str
    promised_at: Timestamp | None = None
    """Until when the merchant delivers."""
    late: bool
    """Whether the agreed time went by."""
    delivered: int
    """Units that are the buyer's."""
    revoked: int
    returned_unseen: int
    """Codes that went back to the pool, as nobody had seen them."""
    looks: int
    looked_at: Timestamp | None = None
    due_at: Timestamp | None = None

    @classmethod
    def of(cls, delivery: Delivery) -> VirtualLineView:
        """Return the wire form in the caller's language."""
        return cls(
            order_id=delivery.order_id,
            line_id=delivery.line_id,
            sku_id=delivery.sku_id,
            form=delivery.form.value,
            status=delivery.status.value,
            status_text=said(texts.STATUS[delivery.status], context.current().language),
            promised_at=delivery.promised_at,
            late=delivery.missed_at is not None,
            delivered=delivery.live,
            revoked=delivery.revoked,
            returned_unseen=sum(1 for part in delivery.parts if part.went_back),
            looks=delivery.looks,
            looked_at=delivery.looked_at,
            due_at=delivery.due_at,
        )


class VirtualLinesView(Schema):
    """The virtual lines of an order of which something was delivered or is owed."""

    items: list[VirtualLineView]


class OwedPageView(Schema):
    """What a merchant owes, most urgent first."""

    items: list[VirtualLineView]
    next_cursor: str | None = None


class ShownView(Schema):
    """One thing that was bought, opened for its buyer."""

    part: int
    form: str
    units: int
    delivered_at: Timestamp
    code: str | None = None
    text: str | None = None
    link: str | None = None
    file_name: str | None = None
    file_url: str | None = None
    file_url_until: Timestamp | None = None

    @classmethod
    def of(cls, shown: Shown) -> ShownView:
        """Return the wire form."""
        content = shown.content
        return cls(
            part=shown.part.number,
            form=content.form.value,
            units=shown.part.live,
            delivered_at=shown.part.at,
            code=content.text if content.form is Form.CODE else None,
            text=content.text if content.form is Form.TEXT else None,
            link=content.text if content.form is Form.LINK else None,
            file_name=content.file.name if content.file else None,
            file_url=shown.url or None,
            file_url_until=shown.url_until,
        )


class LookView(Schema):
    """What the buyer bought of a line, and how often it was looked at."""

    line: VirtualLineView
    items: list[ShownView]


class Nothing(Schema):
    """A body without fields."""
