"""Rows of messages."""

from __future__ import annotations

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.notifications.domain import KEPT, Kind, Message, Status
from chalicelib.notifications.events import MessageAsked
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


class MessageRow(Row):
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
    expires = TTLAttribute()


def add(work: UnitOfWork, message: Message) -> None:
    """Write a new message; one that is there already is refused as ``AlreadyExists``."""
    work.save(_row(message), events=[MessageAsked(message_id=message.message_id)], label="message")


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
    return MessageRow(
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
        expires=message.asked_at + KEPT,
        version=message.version,
    )


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
        version=int(row.version),
    )
