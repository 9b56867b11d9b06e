"""Wire models of the notice."""

from __future__ import annotations

from chalicelib.privacy import notice
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import GROUNDS, RECEIVERS, Holding, Receiver
from chalicelib.runtime.schema import Schema


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
