"""Writing what somebody is told of a fact: an entry of their inbox, and the message that brings it to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.events import Event
from chalicelib.notifications import asking, inbox_store, providers, templates
from chalicelib.notifications.domain import Kind
from chalicelib.notifications.facts import FACTS, Row
from chalicelib.notifications.inbox import Entry, entry_id_of
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
    for kind, to in _ways(notice)[:1]:
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
            ),
        )


def _ways(notice: Notice) -> list[tuple[Kind, str]]:
    """Return how somebody may be reached about it, cheapest first."""
    habits, template = TOPICS[notice.row.topic], templates.TEMPLATES[notice.row.template]
    ways = [(Kind.EMAIL, notice.email)]
    if habits.by_text:
        ways.append((Kind.SMS, notice.phone))
    if not habits.carried:
        return []
    return [(kind, to) for kind, to in ways if to and providers.carries(kind, template.approved, notice.language)]
