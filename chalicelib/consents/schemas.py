"""Wire models of consents."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from chalicelib.consents.domain import Consent, Source
from chalicelib.consents.purposes import Purpose
from chalicelib.kernel.texts import said
from chalicelib.runtime.schema import Schema, Timestamp


class AskedAt(StrEnum):
    """Where somebody is asked."""

    SIGN_UP = "sign_up"
    CHECKOUT = "checkout"
    SETTINGS = "settings"
    MESSAGE = "message"


class PurposeView(Schema):
    """One question, in the words that are in force."""

    purpose: str
    version: int
    title: str
    text: str
    """What must be shown, whole, before somebody agrees."""
    digest: str
    sensitive: bool
    """Ask it on a page of its own."""

    @classmethod
    def of(cls, purpose: Purpose, language: str) -> PurposeView:
        """Return the wire form."""
        return cls(
            purpose=purpose.name,
            version=purpose.version,
            title=said(purpose.edition.title, language),
            text=said(purpose.edition.text, language),
            digest=purpose.edition.digest,
            sensitive=purpose.sensitive,
        )


class PurposesView(Schema):
    """All that a person may be asked to agree to. None of it is needed to buy anything."""

    purposes: list[PurposeView]


class ConsentView(Schema):
    """How a person stands to one purpose."""

    purpose: str
    in_force: bool
    asks_again: bool
    """It was given to older words, which count no more: show the new ones."""
    given_version: int | None = None
    given_at: Timestamp | None = None
    given_from: Source | None = None
    withdrawn_at: Timestamp | None = None
    question: PurposeView

    @classmethod
    def of(cls, purpose: Purpose, consent: Consent | None, language: str) -> ConsentView:
        """Return the wire form."""
        in_force = consent is not None and consent.is_in_force()
        return cls(
            purpose=purpose.name,
            in_force=in_force,
            asks_again=consent is not None and consent.withdrawn_at is None and not in_force,
            given_version=consent.edition if consent else None,
            given_at=consent.given_at if consent else None,
            given_from=consent.given_from if consent else None,
            withdrawn_at=consent.withdrawn_at if consent else None,
            question=PurposeView.of(purpose, language),
        )


class ConsentsView(Schema):
    """How a person stands to all of them."""

    consents: list[ConsentView]


class GiveConsent(Schema):
    """To which words somebody agrees, and where."""

    version: int = Field(ge=1, le=9999, strict=True)
    asked_at: AskedAt = AskedAt.SETTINGS
