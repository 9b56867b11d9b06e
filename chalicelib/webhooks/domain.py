"""What an endpoint of a merchant's is, what one delivery to it is, and when it is tried again. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel import ids
from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.later import Later
from chalicelib.kernel.machine import StateMachine

MOST_ENDPOINTS = 10
TIMEOUT_S = 15.0
KEPT = timedelta(days=30)
"""How long a delivery can be looked at and told again."""
OVERLAP = timedelta(days=1)
"""How long the secret of before signs beside the new one."""
RETRY_AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""What passes between one attempt and the next: ten attempts in three days and a bit."""
LONGEST_WAIT = timedelta(hours=24)
"""The most that an endpoint's ``Retry-After`` counts for."""
PAUSE = timedelta(seconds=60)
"""So long an endpoint that is slow, or too busy, is left alone: what waits for others must not wait for it."""
SLOW_DOWN = (429, 502, 503, 504)
GONE = 410


class TooManyWebhooks(Conflict):
    """The merchant has as many endpoints as it can."""

    code = "too_many_webhooks"
    en, zh = (
        "A merchant has at most {most} webhooks: remove one first.",
        "每个商家最多设置 {most} 个回调地址，请先删除一个。",
    )
    shown = ("most",)


class WebhookOff(Conflict):
    """The endpoint is told nothing: switch it on first."""

    code = "webhook_off"
    en, zh = "This webhook is switched off: switch it on first.", "该回调地址已停用，请先启用。"


class EndpointStatus(StrEnum):
    """States of an endpoint."""

    ACTIVE = "active"
    OFF = "off"
    """Its merchant switched it off."""
    FAILED = "failed"
    """It took nothing for as long as anything is tried."""
    GONE = "gone"
    """It said itself that it is there no more."""


class EndpointCause(StrEnum):
    """What changes an endpoint's state."""

    SWITCH_OFF = "switch_off"
    SWITCH_ON = "switch_on"
    GIVE_UP = "give_up"
    SAY_GONE = "say_gone"


ENDPOINT = StateMachine(
    name="webhook",
    initial=EndpointStatus.ACTIVE,
    edges={
        EndpointStatus.ACTIVE: {
            EndpointCause.SWITCH_OFF: EndpointStatus.OFF,
            EndpointCause.GIVE_UP: EndpointStatus.FAILED,
            EndpointCause.SAY_GONE: EndpointStatus.GONE,
        },
        EndpointStatus.OFF: {EndpointCause.SWITCH_ON: EndpointStatus.ACTIVE},
        EndpointStatus.FAILED: {EndpointCause.SWITCH_ON: EndpointStatus.ACTIVE},
        EndpointStatus.GONE: {EndpointCause.SWITCH_ON: EndpointStatus.ACTIVE},
    },
)


class DeliveryStatus(StrEnum):
    """States of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every attempt failed."""
    DROPPED = "dropped"
    """Its endpoint was removed or switched off meanwhile."""


class Cause(StrEnum):
    """What changes a delivery's state."""

    TAKE = "take"
    RETRY = "retry"
    PUT_OFF = "put_off"
    """Not tried: its endpoint is left alone for a moment."""
    GIVE_UP = "give_up"
    DROP = "drop"
    REPLAY = "replay"


DELIVERY = StateMachine(
    name="delivery",
    initial=DeliveryStatus.WAITING,
    edges={
        DeliveryStatus.WAITING: {
            Cause.TAKE: DeliveryStatus.DELIVERED,
            Cause.RETRY: DeliveryStatus.WAITING,
            Cause.PUT_OFF: DeliveryStatus.WAITING,
            Cause.GIVE_UP: DeliveryStatus.FAILED,
            Cause.DROP: DeliveryStatus.DROPPED,
        },
        DeliveryStatus.DELIVERED: {Cause.REPLAY: DeliveryStatus.WAITING},
        DeliveryStatus.FAILED: {Cause.REPLAY: DeliveryStatus.WAITING},
        DeliveryStatus.DROPPED: {Cause.REPLAY: DeliveryStatus.WAITING},
    },
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a merchant's, and what it is told."""

    webhook_id: str
    name: str
    url: str
    types: tuple[str, ...]
    """Types of facts; empty: all."""
    made_at: datetime
    by: str
    """Who made it, and saw its secret."""
    status: EndpointStatus = EndpointStatus.ACTIVE
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    rotated_at: datetime | None = None
    rotation: tuple[str, str] = ("", "")
    """Intent and fingerprint of the last rotation."""
    tested: tuple[str, str, str] = ("", "", "")
    """Intent and fingerprint of the last test, and its delivery."""
    fingerprint: str = ""

    def wants(self, kind: str) -> bool:
        """Say whether it is told facts of this type."""
        return self.status is EndpointStatus.ACTIVE and (not self.types or kind in self.types)

    def moved(self, cause: EndpointCause) -> Endpoint:
        """Return it in its next state, with nothing held against it."""
        return replace(self, status=ENDPOINT.next(self.status, cause), failing_since=None, paused_until=None)

    def signs_twice(self, now: datetime) -> bool:
        """Say whether the secret of before still signs."""
        return self.rotated_at is not None and now < self.rotated_at + OVERLAP


@dataclass(frozen=True, slots=True)
class Endpoints:
    """A merchant's endpoints, and their secrets: of each the one of now and the one of before."""

    merchant_id: str
    items: tuple[Endpoint, ...] = ()
    secrets: Later[dict[str, tuple[str, str]]] = field(default_factory=lambda: Later.of({}), repr=False)
    """In base 64; opened when somebody signs."""
    version: int = 0

    def find(self, webhook_id: str) -> Endpoint:
        """Return one.

        Raises:
            NotFound: if the merchant has no such.
        """
        for one in self.items:
            if one.webhook_id == webhook_id:
                return one
        raise NotFound(what="webhook")

    def has(self, webhook_id: str) -> bool:
        """Say whether it is one of them."""
        return any(one.webhook_id == webhook_id for one in self.items)

    def signing(self, webhook_id: str, now: datetime) -> list[bytes]:
        """Return the secrets that sign for an endpoint, the newer first."""
        kept = self.secrets()[webhook_id]
        newer, older = (base64.b64decode(text) for text in kept)
        return [newer, older] if older and self.find(webhook_id).signs_twice(now) else [newer]

    def having(self, endpoint: Endpoint, secret: bytes | None = None) -> Endpoints:
        """Return them with one added or changed; a secret takes the place of the one it had.

        Raises:
            TooManyWebhooks: if it would be one too many.
        """
        if not self.has(endpoint.webhook_id) and len(self.items) >= MOST_ENDPOINTS:
            raise TooManyWebhooks(most=MOST_ENDPOINTS)
        others = tuple(one for one in self.items if one.webhook_id != endpoint.webhook_id)
        items = tuple(sorted((*others, endpoint), key=lambda one: (one.made_at, one.webhook_id)))
        secrets = self.secrets
        if secret is not None:
            known = secrets()
            pair = (base64.b64encode(secret).decode(), known.get(endpoint.webhook_id, ("", ""))[0])
            secrets = Later.of({**known, endpoint.webhook_id: pair})
        return replace(self, items=items, secrets=secrets)

    def without(self, webhook_id: str) -> Endpoints:
        """Return them without one."""
        return replace(
            self,
            items=tuple(one for one in self.items if one.webhook_id != webhook_id),
            secrets=Later.of({name: pair for name, pair in self.secrets().items() if name != webhook_id}),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: when, what came of it (a status, or a word where there was none), and how long it took."""

    at: datetime
    answer: str
    took_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One fact on its way to one endpoint. ``body`` is sent exactly so, each time."""

    delivery_id: str
    webhook_id: str
    merchant_id: str
    type: str
    body: str = field(repr=False)
    made_at: datetime
    status: DeliveryStatus = DeliveryStatus.WAITING
    round: int = 0
    """How often it was told again by hand."""
    attempts: tuple[Attempt, ...] = ()
    """Of this round."""
    due_at: datetime | None = None
    version: int = 0

    def tried(self, attempt: Attempt, *, taken: bool, wait: timedelta) -> Delivery:
        """Return what an attempt makes of it. ``wait`` is what its endpoint asked for, at least."""
        attempts = (*self.attempts, attempt)
        if taken:
            return self._moved(Cause.TAKE, None, attempts)
        if len(attempts) > len(RETRY_AFTER):
            return self._moved(Cause.GIVE_UP, None, attempts)
        planned = _spread(RETRY_AFTER[len(attempts) - 1], f"{self.delivery_id}{len(attempts)}")
        return self._moved(Cause.RETRY, attempt.at + max(planned, min(wait, LONGEST_WAIT)), attempts)

    def put_off(self, until: datetime) -> Delivery:
        """Return it as it waits for its endpoint; those that wait together come one after the other."""
        return self._moved(Cause.PUT_OFF, until + _spread(PAUSE, self.delivery_id) - PAUSE, self.attempts)

    def dropped(self) -> Delivery:
        """Return it as nobody waits for it."""
        return self._moved(Cause.DROP, None, self.attempts)

    def replayed(self) -> Delivery:
        """Return it as it is told again, under the same id."""
        return replace(self._moved(Cause.REPLAY, None, ()), round=self.round + 1)

    def _moved(self, cause: Cause, due_at: datetime | None, attempts: tuple[Attempt, ...]) -> Delivery:
        return replace(self, status=DELIVERY.next(self.status, cause), due_at=due_at, attempts=attempts)


def _spread(wait: timedelta, of: str) -> timedelta:
    """Return the wait and up to a tenth more, always the same for the same: what failed together comes apart."""
    return wait + wait * ids.shard(of, 100) / 1000


def delivery_id_of(webhook_id: str, event_id: str, at: datetime) -> str:
    """Return the id of what an endpoint is told of a fact: one, however often it is told here; it sorts by time."""
    milliseconds = int(at.timestamp() * 1000)
    number = int.from_bytes(ids.digest(webhook_id, event_id).encode()[:10])
    return f"whd_{ids.spelled((milliseconds << 80) | number, 130)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an endpoint's answer means."""

    taken: bool = False
    gone: bool = False
    pause: bool = False
    wait: timedelta = timedelta()


def judged(answer: str, retry_after: str = "") -> Verdict:
    """Return what an answer means: a status, or a word where there was none. Only 2xx says that it has it."""
    if not answer.isdigit():
        return Verdict(pause=answer == "unanswered")
    status = int(answer)
    wait = timedelta(seconds=int(retry_after)) if _is_seconds(retry_after) else timedelta()
    return Verdict(
        taken=200 <= status < 300,
        gone=status == GONE,
        pause=status in SLOW_DOWN,
        wait=wait if status >= 400 else timedelta(),
    )


def _is_seconds(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def after_attempt(endpoint: Endpoint, delivery: Delivery, verdict: Verdict, now: datetime) -> Endpoint:
    """Return what an attempt makes of its endpoint; the same one where nothing changes.

    One that has taken nothing since before a delivery that is given up was made is switched off, and its merchant told.
    """
    if verdict.taken:
        if endpoint.failing_since is None and endpoint.paused_until is None:
            return endpoint
        return replace(endpoint, failing_since=None, paused_until=None)
    if verdict.gone:
        return endpoint.moved(EndpointCause.SAY_GONE)
    since = endpoint.failing_since or now
    if delivery.status is DeliveryStatus.FAILED and since <= delivery.attempts[0].at:
        return endpoint.moved(EndpointCause.GIVE_UP)
    paused = now + max(PAUSE, min(verdict.wait, LONGEST_WAIT)) if verdict.pause else endpoint.paused_until
    if since == endpoint.failing_since and paused == endpoint.paused_until:
        return endpoint
    return replace(endpoint, failing_since=since, paused_until=paused)
