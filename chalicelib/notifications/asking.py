"""Asking for a message in the transaction of the fact it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.consents import service as consents
from chalicelib.kernel import clock, ids
from chalicelib.notifications import domain, providers, sealing, store, templates
from chalicelib.notifications.domain import ChannelMissing, Content, Kind, Message, NotAgreed
from chalicelib.runtime.config import config
from chalicelib.runtime.db.work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody is to be told."""

    kind: Kind
    to: str
    template: str
    language: str
    fact: str
    """What it is about: to the same person about the same fact there is one message."""
    useless_at: datetime
    values: dict[str, str]
    consent: tuple[str, str] | None = None
    """Whose consent to which purpose it needs: asked for when it is written, and once more before it is sent."""
    reader: str = ""
    """The account it is for, where it is one message however its person is reached; else it is one a contact."""
    others: tuple[tuple[Kind, str], ...] = ()
    """The ways that are tried next, with where each leads."""
    not_before: datetime | None = None
    """When its reader's quiet hours are over."""
    about: str = ""
    """The number of what it leads to."""


def check_reaches(kind: Kind) -> None:
    """Refuse where nobody carries such messages. A laptop without stand-ins may ask for them all the same.

    Raises:
        ChannelMissing: if no channel is set up for it.
    """
    if not providers.configured(kind) and not config().is_local:
        raise ChannelMissing(kind=kind.value)


def message_id_of(asked: Asked) -> str:
    """Return the id of the message that this person gets about this fact."""
    whose = asked.reader or f"{asked.kind.value}\n{asked.to}"
    return ids.derived_id("msg", sealing.mark(f"{whose}\n{asked.fact}"))


def ask(work: UnitOfWork, asked: Asked) -> str:
    """Write the message in the caller's transaction; returns its id. The queue's function sends it.

    Refused as ``AlreadyExists`` where this person was told of this fact before.

    Raises:
        NotAgreed: if it needs a consent that is not given.
    """
    message_id = message_id_of(asked)
    if templates.TEMPLATES[asked.template].purpose != (asked.consent[1] if asked.consent else ""):
        raise ValueError(f"{asked.template} is sent on consent to its purpose, or on none")
    if asked.consent is not None and not consents.may(*asked.consent):
        raise NotAgreed
    templates.fill(asked.template, asked.language, asked.values)  # What could not be said must not be promised.
    store.add(
        work,
        Message(
            message_id=message_id,
            kind=asked.kind,
            template=asked.template,
            language=asked.language,
            status=domain.MESSAGES.initial,
            asked_at=clock.now(),
            useless_at=asked.useless_at,
            sealed=sealing.seal(message_id, _content(asked)),
            not_before=asked.not_before,
            consent=asked.consent,
        ),
    )
    return message_id


def _content(asked: Asked) -> Content:
    others = tuple((kind.value, to) for kind, to in asked.others)
    return Content(asked.to, asked.values, others, asked.reader, asked.about)
