"""Wire models of the notice and of erasure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from chalicelib.privacy import notice
from chalicelib.privacy.disclosures import Disclosure
from chalicelib.privacy.domain import Erasure, HoldKind, Status
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import GROUNDS, RECEIVERS, Holding, Receiver, Text
from chalicelib.runtime.schema import Id, PageQuery, Schema, Timestamp


class HoldingView(Schema):
    """Personal data of one kind."""

    what: str
    purpose: str
    purpose_name: str
    ground: str
    ground_name: str
    kept: str
    kept_days: int | None = None
    given_to: list[str]
    sensitive: bool
    encrypted: bool

    @classmethod
    def of(cls, holding: Holding, language: str) -> HoldingView:
        """Return the wire form."""
        return cls(
            what=holding.words.said(language),
            purpose=holding.purpose.words.said(language),
            purpose_name=holding.purpose.name,
            ground=GROUNDS[holding.purpose.ground].said(language),
            ground_name=holding.purpose.ground.value,
            kept=holding.keeping.words.said(language),
            kept_days=holding.keeping.days,
            given_to=list(holding.seen_by),
            sensitive=holding.sensitive,
            encrypted=holding.sealed,
        )


class ReceiverView(Schema):
    """Somebody else who is given something."""

    name: str
    who: str
    why: str

    @classmethod
    def of(cls, receiver: Receiver, language: str) -> ReceiverView:
        """Return the wire form."""
        return cls(name=receiver.name, who=receiver.words.said(language), why=receiver.why.said(language))


class NoticeView(Schema):
    """The privacy notice, for a storefront that draws its own page."""

    version: int
    title: str
    holdings: list[HoldingView]
    receivers: list[ReceiverView]
    rights: list[str]

    @classmethod
    def now(cls, language: str) -> NoticeView:
        """Return the notice that is in force."""
        return cls(
            version=notice.VERSION,
            title=notice.TITLE.said(language),
            holdings=[HoldingView.of(holding, language) for holding in HOLDINGS],
            receivers=[ReceiverView.of(receiver, language) for receiver in RECEIVERS],
            rights=[right.said(language) for right in notice.RIGHTS],
        )


HOLDS: dict[HoldKind, Text] = {
    HoldKind.OPEN_ORDER: Text("an order that is not over", "订单尚未结束"),
    HoldKind.OPEN_MONEY: Text("money that has not come to rest", "款项尚未结清"),
    HoldKind.RUNNING_COMPLAINT: Text("a complaint that is not decided", "投诉尚在处理"),
    HoldKind.RUNNING_RETURN: Text("a return that is not over", "退换货尚在处理"),
    HoldKind.RUNNING_CONVERSATION: Text("a conversation that our service has before it", "客服会话尚在处理"),
}
KEPT: tuple[tuple[Text, Text], ...] = (
    (
        Text("goods, prices and times of orders, and every movement of money", "订单的商品、价格、时间与资金记录"),
        Text(
            "three years after the order's end: e-commerce law 31; under an account number that leads to nobody",
            "交易完成后三年（电子商务法第31条）；仅保留无法识别您的编号",
        ),
    ),
    (
        Text("what you had agreed to, and that it is withdrawn", "曾经的同意及其撤回记录"),
        Text(
            "three years: to show that it was so; under an account number that leads to nobody",
            "三年，用于证明；仅保留无法识别您的编号",
        ),
    ),
    (
        Text(
            "why staff gave a refund, a role, or looked at an address, in their words",
            "工作人员办理退款、授予角色、查看收件信息所写的理由",
        ),
        Text(
            "three years: who decides has to say why (the books and the audit); what staff wrote in a complaint goes",
            "三年，用于说明资金与操作的依据（账务与审计）；投诉中工作人员的文字一并删除",
        ),
    ),
    (
        Text("that a complaint or a return was made and how it ended", "投诉、退换货的存在与结果"),
        Text("three years: as above, without what was written", "三年，同上；不保留内容"),
    ),
)
"""What stays of everybody, and why."""


class GuardianSays(Schema):
    """A guardian's contact, the code that was read there (purpose ``guardian``), and the child's account."""

    account_id: Id
    contact: Annotated[str, StringConstraints(min_length=3, max_length=254)]
    code_id: Id
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class DisclosureView(Schema):
    """One look at a person's values."""

    at: Timestamp
    to: str
    """A merchant's number, or ``platform``."""
    what: list[str]
    """In the caller's language."""
    record_id: str
    reason: str | None = None
    """In the words of who looked."""

    @classmethod
    def of(cls, disclosure: Disclosure, language: str) -> DisclosureView:
        """Return the wire form."""
        return cls(
            at=disclosure.at,
            to=disclosure.to,
            what=[holding.words.said(language) for holding in HOLDINGS if holding.name in disclosure.what],
            record_id=disclosure.record_id,
            reason=disclosure.reason or None,
        )


class DisclosurePageView(Schema):
    """One page of looks; it may hold fewer than asked for, and none, before the last."""

    items: list[DisclosureView]
    next_cursor: str | None = None


class DisclosuresQuery(PageQuery):
    """Whose looks: those of the platform's staff, the first first, or those of merchants, newest order first."""

    by: Literal["staff", "merchants"] = "staff"


class HoldView(Schema):
    """Something that is not erased yet."""

    kind: HoldKind
    why: str
    record_id: str


class KeptView(Schema):
    """Something that stays."""

    what: str
    why: str


class ErasureView(Schema):
    """What became of a person's wish to be forgotten."""

    status: Status
    requested_at: Timestamp
    goes_on_at: Timestamp | None
    holds: list[HoldView]
    kept: list[KeptView]

    @classmethod
    def of(cls, erasure: Erasure, language: str) -> ErasureView:
        """Return the wire form."""
        return cls(
            status=erasure.status,
            requested_at=erasure.requested_at,
            goes_on_at=erasure.due_at,
            holds=[
                HoldView(kind=kind, why=HOLDS[kind].said(language), record_id=record_id)
                for kind, record_id in erasure.holds
            ],
            kept=[KeptView(what=what.said(language), why=why.said(language)) for what, why in KEPT],
        )
