"""A provider's notice: authenticated by its raw bytes, made durable, and only then acknowledged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from chalicelib.kernel import ids
from chalicelib.kernel.events import seal
from chalicelib.payments import providers
from chalicelib.payments.events import PaymentNoticed
from chalicelib.payments.ports import (
    Ack,
    BadSignature,
    ForeignNotice,
    IgnoredNotice,
    NoticeRefused,
    Provider,
    Reply,
    UnknownKey,
    UnreadableNotice,
)
from chalicelib.payments.webhooks import apply
from chalicelib.runtime import log, metrics, queues


def receive(name: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Take a provider's notice; returns what the provider wants to hear: status, headers, body.

    Raises:
        UnknownProvider: if there is none of this name, or it is not in use here.
    """
    adapter = providers.offered(name)
    return adapter.acknowledge(_taken(adapter, headers, body))


def _taken(adapter: Provider, headers: Mapping[str, str], body: bytes) -> Ack:
    try:
        media_type = headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type not in adapter.content_types:
            raise UnreadableNotice(why="the content type is not this provider's")
        notice = adapter.verify(headers=headers, body=body)
    except IgnoredNotice as ignored:
        return _keep_unknown(adapter, body, ignored)
    except ForeignNotice as foreign:
        metrics.count("notices_foreign")
        payment_id = str(foreign.params.get("payment_id", ""))
        if not ids.is_id("pay", payment_id) and not (payment_id and foreign.params.get("ours")):
            log.warning("notice belongs to another merchant", provider=adapter.name)
            return Ack.REFUSED
        notice_id = str(foreign.params.get("notice_id") or _digest(body))
        why = str(foreign.params["why"])
        return _durable(adapter, apply.noticed_of_others(adapter.name, payment_id, notice_id=notice_id, why=why))
    except UnknownKey:  # Perhaps genuine: it must come again, and somebody must know.
        log.error("notice is signed with an unknown key", provider=adapter.name)
        metrics.count("notices_unknown_key")
        return Ack.RETRY
    except NoticeRefused as refused:
        log.info("notice rejected", provider=adapter.name, code=refused.code)
        metrics.count("notices_forged" if isinstance(refused, BadSignature) else "notices_refused")
        return Ack.REFUSED
    return _durable(adapter, apply.noticed(adapter.name, notice))


def _keep_unknown(adapter: Provider, body: bytes, ignored: IgnoredNotice) -> Ack:
    """Keep a genuine notice of a kind that we do not act on, unless it only repeats what others tell."""
    event = str(ignored.params.get("event", ""))
    if not event:
        log.info("notice is of a kind that is not handled", provider=adapter.name, code=ignored.code)
        return Ack.ACCEPTED
    notice_id = str(ignored.params.get("notice_id") or _digest(body))
    named = {
        "number": str(ignored.params.get("payment_id", "")),
        "trace": str(ignored.params.get("trace", "")),
        "sha256": hashlib.sha256(body).hexdigest(),
        "bytes": str(len(body)),
    }
    return _durable(adapter, apply.noticed_of_unknown_kind(adapter.name, notice_id[:64], event, **named))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def _durable(adapter: Provider, told: PaymentNoticed) -> Ack:
    """Put a genuine notice in its queue; only then may the provider forget it."""
    try:
        queues.publish(seal(told))
    except Exception as error:
        log.error("notice could not be stored", trace=True, provider=adapter.name, kind=type(error).__name__)
        return Ack.RETRY
    return Ack.ACCEPTED
