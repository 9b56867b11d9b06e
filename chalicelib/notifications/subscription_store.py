"""Rows of subscriptions, among the inboxes: one for each mini program of a person. Who they are there is sealed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from pynamodb.attributes import UnicodeAttribute

from chalicelib.notifications.domain import Kind
from chalicelib.notifications.inbox_store import PREFERENCES, PreferencesRow, preferences_of
from chalicelib.notifications.preferences import Preferences
from chalicelib.notifications.subscribed import PROVIDERS, Subscriptions
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import Row, SealedDocument, region
from chalicelib.runtime.db.work import UnitOfWork


@dataclass(frozen=True, slots=True)
class _Said:
    openid: str
    left: dict[str, int] = field(default_factory=dict)
    answers: tuple[tuple[str, str], ...] = ()


class SubscriptionRow(Row):
    """Key: account_id, ``~<provider>``."""

    class Meta:
        table_name = names.table_name("inboxes")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    subscribed = SealedDocument[_Said](_Said)


def load(account_id: str, kind: Kind) -> Subscriptions:
    """Read what somebody said yes to, as it is now; nothing where they were never asked."""
    row = reads.get(SubscriptionRow, account_id, _key(kind), consistent=True)
    return _of(account_id, kind, row)


def of_notice(account_id: str, kinds: Iterable[Kind]) -> tuple[Preferences, dict[Kind, Subscriptions]]:
    """Read in one call what somebody wants, and what they said yes to, as it was a moment ago."""
    wanted = {kind: (SubscriptionRow, account_id, _key(kind)) for kind in kinds}
    found = reads.get_many([(PreferencesRow, account_id, PREFERENCES), *wanted.values()])
    rows = {kind: found.get((account_id, key[2])) for kind, key in wanted.items()}
    return preferences_of(account_id, cast("PreferencesRow | None", found.get((account_id, PREFERENCES)))), {
        kind: _of(account_id, kind, cast("SubscriptionRow | None", row)) for kind, row in rows.items()
    }


def _of(account_id: str, kind: Kind, row: SubscriptionRow | None) -> Subscriptions:
    if row is None:
        return Subscriptions(account_id, kind)
    said: _Said = row.subscribed
    return Subscriptions(account_id, kind, said.openid, said.left, said.answers, int(row.version))


def save(work: UnitOfWork, found: Subscriptions) -> None:
    """Add what somebody said to the work."""
    row = SubscriptionRow(
        account_id=found.account_id,
        id=_key(found.kind),
        subscribed=_Said(found.openid, dict(found.left), found.answers),
        version=found.version,
    )
    work.save(row, refuse=lost, label="subscriptions")


def _key(kind: Kind) -> str:
    return f"~{PROVIDERS[kind]}"
