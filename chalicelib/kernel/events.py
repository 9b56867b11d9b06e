"""Events: facts told to other capabilities. Named after the fact, never after the moment somebody noticed it.

A capability's ``events.py`` holds subclasses of :class:`Event`: frozen, past tense, the published language::

    class OrderPaid(Event, tag="order.paid"):
        order_id: str
        ...
        @property
        def subject(self) -> str:
            return self.order_id

The envelope adds the id (``order.paid#<subject>``), the time and the causal position; it is what rides in the row
that changed, through the table's stream, to the queues.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Type, TypeVar  # noqa: UP035  an envelope has a field named ``type``

import msgspec

from chalicelib.kernel import clock, context


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of every fact. No personal data: ids only, the consumer looks the rest up."""

    @property
    def subject(self) -> str:
        """Return what the fact is about; with the type it names the fact once and for all."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Return the type, for example ``order.paid``."""
        return str(self.__struct_config__.tag)

    @property
    def event_id(self) -> str:
        """Return ``<type>#<subject>``: the same fact has the same id however often it is reported."""
        return f"{self.name}#{self.subject}"


E_ = TypeVar("E_", bound=Event)


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way: what a queue message's body is."""

    id: str
    type: str
    at: datetime
    request_id: str
    cause_id: str
    actor: str
    data: dict[str, Any]

    CAP_BYTES: ClassVar[int] = 200_000
    """SQS takes 256 KiB a message and a batch; stay well below."""

    def event(self, kind: Type[E_]) -> E_:  # noqa: UP006
        """Return the typed fact.

        Raises:
            msgspec.ValidationError: if the data is not of this type; a fault, the message ends in the dead letters.
        """
        return msgspec.convert(self.data, kind)


def seal(event: Event) -> Envelope:
    """Put the event in an envelope, with the causal position of the running work."""
    where = context.current()
    return Envelope(
        id=event.event_id,
        type=event.name,
        at=clock.now(),
        request_id=where.request_id,
        cause_id=where.cause_id,
        actor=where.actor,
        data=msgspec.to_builtins(event),
    )


class _Rider(msgspec.Struct, array_like=True):
    """An envelope as it rides in a row: values only, because every byte of a row is paid for at each write."""

    type: str
    subject: str
    at: datetime
    request_id: str
    cause_id: str
    actor: str
    data: dict[str, Any]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)
_rider_decoder = msgspec.json.Decoder(list[_Rider])


def encode(envelope: Envelope) -> str:
    """Return the JSON text of one envelope: a queue message's body."""
    return _encoder.encode(envelope).decode()


def decode(text: str | bytes) -> Envelope:
    """Read one envelope.

    Raises:
        msgspec.DecodeError: if it is not one.
    """
    return _decoder.decode(text)


def encode_list(envelopes: list[Envelope]) -> str:
    """Return the JSON text of the ``events`` attribute of a row."""
    riders = [
        _Rider(
            type=envelope.type,
            subject=envelope.id.removeprefix(f"{envelope.type}#"),
            at=envelope.at,
            request_id=envelope.request_id,
            cause_id=envelope.cause_id,
            actor=envelope.actor,
            data={name: value for name, value in envelope.data.items() if name != "type"},
        )
        for envelope in envelopes
    ]
    return _encoder.encode(riders).decode()


def decode_list(text: str | bytes) -> list[Envelope]:
    """Read the ``events`` attribute of a row."""
    return [
        Envelope(
            id=f"{rider.type}#{rider.subject}",
            type=rider.type,
            at=rider.at,
            request_id=rider.request_id,
            cause_id=rider.cause_id,
            actor=rider.actor,
            data={"type": rider.type, **rider.data},
        )
        for rider in _rider_decoder.decode(text)
    ]
