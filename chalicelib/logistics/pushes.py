"""What carrier hubs push: authenticated and durable before it is acknowledged, read afterwards, parcel by parcel."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping

from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import ShopError, TooLarge
from chalicelib.logistics import domain, hubs, number_store, tracking
from chalicelib.logistics.domain import Snapshot
from chalicelib.logistics.events import TrackingPushed
from chalicelib.logistics.ports import Answer, PushRefused, UnreadablePush
from chalicelib.runtime import log, metrics, queues

QUEUE = "logistics"
UNPACKED_CAP_BYTES = 2 * 1024 * 1024


def receive(provider: str, *, shipment_id: str = "", headers: Mapping[str, str], body: bytes) -> Answer:
    """Authenticate a hub's push, make it durable, and return the hub's own reply. Nothing is read or written before.

    Raises:
        PushRefused: if it is not genuine, and the hub wants no reply of its own to that.
        TooLarge: if it does not fit a message, even packed.
    """
    adapter = hubs.hub(provider)
    try:
        payload = adapter.verify(shipment_id=shipment_id, headers=headers, body=body)
    except PushRefused as error:
        refusal = adapter.refuse(error)
        if refusal is None:
            raise
        log.warning("push refused", hub=provider, code=error.code, why=str(error))
        metrics.count("pushes_refused")
        return refusal
    queues.send(QUEUE, [_message(provider, shipment_id, payload)])
    return adapter.acknowledge()


def _message(provider: str, shipment_id: str, payload: bytes) -> facts.Envelope:
    digest = hashlib.sha256(payload).hexdigest()[:24]
    packed = base64.b64encode(zlib.compress(payload, 6)).decode()
    for text, is_packed in ((_text(payload), False), (packed, True)):
        if text is None:
            continue
        envelope = facts.seal(
            TrackingPushed(provider=provider, payload=text, packed=is_packed, shipment_id=shipment_id, digest=digest)
        )
        if len(facts.encode(envelope).encode()) <= facts.Envelope.CAP_BYTES:
            return envelope
    raise TooLarge(cap_bytes=facts.Envelope.CAP_BYTES)


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def read(push: TrackingPushed) -> None:
    """Apply every snapshot of a push; one that fails does not keep the others.

    Raises:
        ShopError: the last failure of a snapshot, such as a shipment that is not there (yet): deliver it again.
    """
    payload = _unpack(push.payload) if push.packed else push.payload.encode()
    failed: ShopError | None = None
    for snapshot in hubs.hub(push.provider).read(payload):
        try:
            _apply(push, snapshot)
        except ShopError as error:
            log.warning("a pushed parcel could not be followed", hub=push.provider, code=error.code)
            failed = error
    if failed is not None:
        raise failed


def _apply(push: TrackingPushed, snapshot: Snapshot) -> None:
    shipment_id = push.shipment_id or _shipment_of(snapshot)
    if not shipment_id:
        log.warning("a hub pushed a parcel that is not ours", hub=push.provider)
        metrics.count("tracking_foreign_numbers")
        return
    shipment = tracking.track(shipment_id, snapshot, told_by=push.provider)
    tracking.tell_all(shipment, snapshot, told_by=push.provider)


def _shipment_of(snapshot: Snapshot) -> str:
    """Return the shipment that a hub names by what we sent along; by its number where the hub gives nothing back."""
    if snapshot.shipment_id:
        return snapshot.shipment_id if domain.order_of(snapshot.shipment_id) is not None else ""
    claim = number_store.find(snapshot.carrier, domain.normal(snapshot.number))
    return claim.shipments[0] if claim is not None and claim.shipments else ""


def _unpack(packed: str) -> bytes:
    payload = zlib.decompressobj().decompress(base64.b64decode(packed), UNPACKED_CAP_BYTES)
    if len(payload) == UNPACKED_CAP_BYTES:
        raise UnreadablePush(why="too long")
    return payload
