"""Writing what somebody is told of a fact: an entry of their inbox, and the message that brings it to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.events import Event
from chalicelib.notifications import asking, inbox_store, providers, subscription_store, templates
from chalicelib.notifications.domain import Kind
from chalicelib.notifications.facts import FACTS, Row
from chalicelib.notifications.inbox import Entry, entry_id_of
from chalicelib.notifications.subscribed import PROVIDERS, Subscriptions
from chalicelib.notifications.topics import TOPICS
from chalicelib.runtime.db.work import UnitOfWork

USEFUL = timedelta(days=2)
"""So long after the fact it is worth bringing it to somebody; it stands in their inbox all the same."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One fact for one person."""

    account_id: str
    fact: str
    """The event's id."""
    row: Row
    at: datetime
    values: dict[str, str]
    about: str
    language: str
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


def rows_of(fact: Event) -> tuple[Row, ...]:
    """Return the rows of the table that a fact fits."""
    return tuple(row for row in FACTS if isinstance(fact, row.fact) and row.fits(fact))


def kinds_of_facts() -> tuple[type[Event], ...]:
    """Return every kind of event that is told to somebody."""
    return tuple(dict.fromkeys(row.fact for row in FACTS))


def note(work: UnitOfWork, notice: Notice) -> None:
    """Write what somebody is told, in the caller's transaction; refused as ``AlreadyExists`` if they know it."""
    fields = templates.TEMPLATES[notice.row.template].fields
    values = {name: notice.values[name] for name in fields}
    inbox_store.add(
        work,
        Entry(
            account_id=notice.account_id,
            entry_id=entry_id_of(notice.account_id, notice.fact),
            template=notice.row.template,
            topic=notice.row.topic,
            at=notice.at,
            values=values,
            about=notice.about,
        ),
    )
    kinds = _kinds(notice)
    if not kinds:
        return
    wishes, yeses = subscription_store.of_notice(notice.account_id, PROVIDERS.keys() & kinds)
    ways = _ways(notice, [kind for kind in kinds if wishes.wants(notice.row.topic, kind)], yeses)
    if ways:
        (kind, to), *others = ways
        asking.ask(
            work,
            asking.Asked(
                kind=kind,
                to=to,
                template=notice.row.template,
                language=notice.language,
                fact=notice.fact,
                useless_at=clock.now() + USEFUL,
                values=values,
                reader=notice.account_id,
                others=tuple(others),
                not_before=wishes.not_before(notice.row.topic, clock.now()),
                about=notice.about,
            ),
        )


def _kinds(notice: Notice) -> list[Kind]:
    """Return the channels that may bring it, cheapest first."""
    topic, template = notice.row.topic, templates.TEMPLATES[notice.row.template]
    if not TOPICS[topic].carried:
        return []
    return [
        kind
        for kind in (Kind.WECHAT, Kind.QQ, Kind.EMAIL, Kind.SMS)
        if (kind is not Kind.SMS or TOPICS[topic].by_text)
        and providers.carries(kind, template.approved, notice.language)
    ]


def _ways(notice: Notice, kinds: list[Kind], yeses: Mapping[Kind, Subscriptions]) -> list[tuple[Kind, str]]:
    """Return where each channel leads for this person: a contact, or their name in a mini program that may write."""
    template = templates.TEMPLATES[notice.row.template].approved
    where = {Kind.EMAIL: notice.email, Kind.SMS: notice.phone}
    where |= {kind: found.openid for kind, found in yeses.items() if found.left.get(template)}
    return [(kind, where[kind]) for kind in kinds if where.get(kind)]
