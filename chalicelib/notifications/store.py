"""Rows of messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.notifications.domain import KEPT, Kind, Message, Status
from chalicelib.notifications.events import MessageAsked
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DueIndex, DueRow, Row, due_time, region
from chalicelib.runtime.db.work import UnitOfWork


class MessageRow(DueRow):
    """Key: message_id. Times in milliseconds; ``expires`` only collects."""

    class Meta:
        table_name = names.table_name("messages")
        region = region()

    message_id = UnicodeAttribute(hash_key=True)
    status = UnicodeAttribute()
    kind = UnicodeAttribute()
    template = UnicodeAttribute()
    language = UnicodeAttribute()
    sealed = UnicodeAttribute(null=True)
    attempt = NumberAttribute(default=0)
    channel = UnicodeAttribute(null=True)
    reference = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    account_id = UnicodeAttribute(null=True)
    purpose = UnicodeAttribute(null=True)
    asked_ms = NumberAttribute()
    useless_ms = NumberAttribute()
    began_ms = NumberAttribute(null=True)
    cost = NumberAttribute(null=True)
    currency = UnicodeAttribute(null=True)
    expires = TTLAttribute()
    due = DueIndex()


class TokenRow(Row):
    """Key: ``tok_<provider>``. A platform's token, sealed."""

    class Meta:
        table_name = names.table_name("messages")
        region = region()

    message_id = UnicodeAttribute(hash_key=True)
    sealed = UnicodeAttribute()
    expires = TTLAttribute()


@dataclass(frozen=True, slots=True)
class Token:
    """A platform's token, and until when it is used."""

    token_id: str
    sealed: str = field(repr=False)
    ends_at: datetime
    version: int = 0


def token_id(provider: str) -> str:
    """Return under which number a platform's token is kept."""
    return f"tok_{provider}"


def load_token(provider: str) -> Token | None:
    """Read a platform's token, as it is now."""
    row = reads.get(TokenRow, token_id(provider), consistent=True)
    return Token(row.message_id, row.sealed, row.expires, int(row.version)) if row is not None else None


def save_token(work: UnitOfWork, token: Token) -> None:
    """Add a platform's token to the work; refused as ``ConcurrentUpdate`` if somebody kept another one meanwhile."""
    row = TokenRow(message_id=token.token_id, sealed=token.sealed, expires=token.ends_at, version=token.version)
    work.save(row, refuse=lost, label="token")


def add(work: UnitOfWork, message: Message) -> None:
    """Write a new message; one that is there already is refused as ``AlreadyExists``.

    One that waits for the end of quiet hours is told by the deadline job.
    """
    told = [] if message.not_before else [MessageAsked(message_id=message.message_id)]
    work.save(_row(message), events=told, label="message")


def save(work: UnitOfWork, message: Message) -> None:
    """Write a message that was read."""
    work.save(_row(message), label="message")


def load(message_id: str) -> Message | None:
    """Read one message as it is now."""
    row = reads.get(MessageRow, message_id, consistent=True)
    return _message(row) if row is not None else None


def existing(refusal: AlreadyExists) -> Message:
    """Return the message that a refused creation met."""
    return _message(MessageRow.from_raw_data(refusal.params["item"]))


def _row(message: Message) -> MessageRow:
    row = MessageRow(
        message_id=message.message_id,
        status=message.status.value,
        kind=message.kind.value,
        template=message.template,
        language=message.language,
        sealed=message.sealed or None,
        attempt=message.attempt,
        channel=message.channel or None,
        reference=message.reference or None,
        reason=message.reason or None,
        account_id=message.consent[0] if message.consent else None,
        purpose=message.consent[1] if message.consent else None,
        asked_ms=clock.epoch_ms(message.asked_at),
        useless_ms=clock.epoch_ms(message.useless_at),
        began_ms=clock.epoch_ms_or_none(message.began_at),
        cost=message.cost or None,
        currency=message.currency or None,
        expires=message.asked_at + KEPT,
        version=message.version,
    )
    row.set_due(message.not_before, message.message_id)
    return row


def _message(row: MessageRow) -> Message:
    return Message(
        message_id=row.message_id,
        kind=Kind(row.kind),
        template=row.template,
        language=row.language,
        status=Status(row.status),
        asked_at=clock.from_epoch_ms(row.asked_ms),
        useless_at=clock.from_epoch_ms(row.useless_ms),
        sealed=row.sealed or "",
        attempt=int(row.attempt or 0),
        began_at=clock.from_epoch_ms_or_none(row.began_ms),
        channel=row.channel or "",
        reference=row.reference or "",
        reason=row.reason or "",
        consent=(row.account_id, row.purpose) if row.account_id and row.purpose else None,
        not_before=due_time(row),
        cost=int(row.cost or 0),
        currency=row.currency or "",
        version=int(row.version),
    )
