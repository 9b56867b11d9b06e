"""Who is a party to what, and what an operator did. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.kernel.errors import Forbidden
from chalicelib.oversight.chain.domain import subjects_of


class OwnAffair(Forbidden):
    """Nobody judges their own purchase, complaint, merchant or account."""

    code = "own_affair"
    en, zh = "You are a party to this: another operator must do it.", "您是当事人，须由其他运营人员处理。"


@dataclass(frozen=True, slots=True)
class Affair:
    """Those whom a record is about."""

    accounts: frozenset[str] = frozenset()
    merchants: frozenset[str] = frozenset()
    purchases: frozenset[str] = frozenset()
    """What it all began with, where a record is about a purchase."""

    def __or__(self, other: Affair) -> Affair:
        """Return both together."""
        return Affair(
            self.accounts | other.accounts, self.merchants | other.merchants, self.purchases | other.purchases
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One value of a row: where it stands, what it was and what it is. None: it was, or is, not there."""

    where: str
    """``table/record.field``; without a record where its key is no id of ours."""
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the audit: an act of an operator that changed something, written in its transaction."""

    at: datetime
    by: str
    act: str
    """The operation, as the document names it."""
    request_id: str
    records: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    """Whom and what it is about beside these: the parties of the records, the purchase behind a complaint."""
    changes: tuple[Change, ...] = ()
    """What it changed, without secrets and without what belongs to people (``images``)."""

    def subjects(self) -> tuple[str, ...]:
        """Return the subjects on whose chains the line hangs."""
        return subjects_of((*self.records.values(), *self.said.values(), *self.about, self.by))


SAID = (
    "role",
    "post",
    "desk",
    "merchant_id",
    "order_id",
    "payment_id",
    "amount",
    "decision",
    "how",
    "status",
    "provider",
    "day",
    "reason",
)
"""Fields of a request that an audit keeps: what was decided, never what others told."""
LONGEST = 200


def said(body: object) -> dict[str, str]:
    """Return of a request's body what the audit keeps."""
    if not isinstance(body, dict):
        return {}
    found = {}
    for name in SAID:
        value = body.get(name)
        if isinstance(value, dict) and isinstance(value.get("minor"), int):
            found[name] = f"{value['minor']} {value.get('currency', 'CNY')}"
        elif isinstance(value, (str, int)) and not isinstance(value, bool):
            found[name] = str(value)[:LONGEST]
    return found
