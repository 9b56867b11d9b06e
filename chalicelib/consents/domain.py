"""A consent: given to one purpose in the words of one version, and perhaps withdrawn. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.consents.purposes import PURPOSES, Purpose
from chalicelib.kernel.errors import Conflict, NotFound

KEPT = timedelta(days=3 * 366)
"""How long it can be shown that a consent was given, once it is over."""


class Source(StrEnum):
    """Where somebody agreed, or withdrew."""

    SIGN_UP = "sign_up"
    CHECKOUT = "checkout"
    SETTINGS = "settings"
    MESSAGE = "message"
    """A link in a message that was sent on this consent."""
    ERASURE = "erasure"
    """The account was closed: nobody is asked for that."""


ASKED_AT = (Source.SIGN_UP, Source.CHECKOUT, Source.SETTINGS, Source.MESSAGE)
"""What a client may name."""


class WordsChanged(Conflict):
    """The words that were agreed to are not, or no longer, those of the purpose."""

    code = "consent_words_changed"
    en = "The words have changed: show version {version} and ask again."
    zh = "告知内容已更新至第 {version} 版，请重新展示并征得同意。"
    shown = ("version",)


class NotForChildren(Conflict):
    """A child is asked for none of this."""

    code = "not_for_children"
    en, zh = "People under 14 are not asked for this.", "未满十四周岁者不适用此项同意。"


@dataclass(frozen=True, slots=True)
class Consent:
    """One giving: which words, when and where; and, since it was withdrawn, when and where that was."""

    account_id: str
    purpose: str
    number: int
    edition: int
    """The version of the words."""
    digest: str
    given_at: datetime
    given_from: Source
    withdrawn_at: datetime | None = None
    withdrawn_from: Source | None = None
    version: int = field(default=0, compare=False)

    def is_in_force(self) -> bool:
        """Say whether it stands, in the words that are in force: a new version asks again."""
        purpose = PURPOSES.get(self.purpose)
        return self.withdrawn_at is None and purpose is not None and self.digest == purpose.edition.digest


def purpose_of(name: str) -> Purpose:
    """Return a purpose.

    Raises:
        NotFound: if nobody is asked for that.
    """
    found = PURPOSES.get(name)
    if found is None:
        raise NotFound(what="consent")
    return found


def given(
    account_id: str, purpose: Purpose, before: Consent | None, *, version: int, source: Source, at: datetime
) -> Consent:
    """Return the consent that somebody gives now.

    Raises:
        WordsChanged: if it was given to other words than those in force.
    """
    if version != purpose.version:
        raise WordsChanged(version=purpose.version)
    number = before.number + 1 if before is not None else 1
    return Consent(account_id, purpose.name, number, version, purpose.edition.digest, at, source)


def withdrawn(consent: Consent, *, source: Source, at: datetime) -> Consent:
    """Return the consent as it stands once it is withdrawn."""
    return replace(consent, withdrawn_at=at, withdrawn_from=source)
