"""Stock: take and put back inside the caller's unit of work; receive, write off and spread by a merchant's hand.

**Placing.** ``take`` of an ordinary SKU reads nothing and adds one conditional update. ``take`` of a SKU with several
buckets reads them with one Query and picks. Between that look and the write a rival may empty the picked bucket; the
write is then refused as :class:`BucketContended` though the sum may suffice, and the *whole* unit of work has to be
built again from a new look. :func:`placing` does that::

    def attempt() -> Sale:
        with UnitOfWork(intent) as work:
            inventory.take(work, quantities, buckets=buckets)
            ...
        return sale

    sale = inventory.placing(attempt)

A refusal is only ever said when the store confirmed that the sum is short. What was seen to be zero is remembered for
one second in this process, so that attempts after a sell-out cost no write; units coming back here end that at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from chalicelib.inventory import domain, store, within
from chalicelib.inventory.domain import (
    BadQuantity,
    Bucket,
    BucketContended,
    Kind,
    Level,
    Movement,
    NotEnoughToWriteOff,
    OutOfStock,
    shortages,
)
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, Busy, ConcurrentUpdate
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import caches
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.db.lookups import Lookup
from chalicelib.runtime.db.work import Raw, UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = [
    "BadQuantity",
    "BucketContended",
    "Kind",
    "Level",
    "Movement",
    "NotEnoughToWriteOff",
    "OutOfStock",
    "buckets_of",
    "level",
    "levels",
    "lookup",
    "movements",
    "placing",
    "put_back",
    "receive",
    "receive_many",
    "set_available",
    "set_buckets",
    "shortages",
    "take",
    "within",
    "write_off",
    "write_off_many",
]

T = TypeVar("T")

SOLD_OUT_KEPT = timedelta(seconds=1)
PLACING_ATTEMPTS = 60
"""A picked bucket is refused only after it was emptied, so a placing can lose about once per bucket and return; 60 is
three times the most buckets there can be."""
_REMEMBERED_CAP = 10_000


class _Memory:
    """What this process knows: SKUs just seen at zero, and SKUs found to have more buckets than the caller knew."""

    def __init__(self) -> None:
        self.sold_out: dict[str, datetime] = {}
        self.buckets: dict[str, int] = {}
        self.gathered: set[str] = set()
        """SKUs found to have fewer buckets than the caller knew."""
        self.returns = 0
        """Counts units coming back; a zero seen before one of them may be stale and is not remembered."""

    def forget(self) -> None:
        self.sold_out.clear()
        self.buckets.clear()
        self.gathered.clear()

    def is_sold_out(self, sku_id: str) -> bool:
        until = self.sold_out.get(sku_id)
        if until is None:
            return False
        if clock.now() >= until:
            self.sold_out.pop(sku_id, None)
            return False
        return True

    def saw_zero(self, sku_id: str, returns: int) -> None:
        if returns != self.returns:
            return
        if len(self.sold_out) >= _REMEMBERED_CAP:
            self.sold_out.clear()
        self.sold_out[sku_id] = clock.now() + SOLD_OUT_KEPT

    def came_back(self, sku_ids: Iterable[str]) -> None:
        self.returns += 1
        for sku_id in sku_ids:
            self.sold_out.pop(sku_id, None)

    def saw_buckets(self, sku_id: str, count: int) -> None:
        if len(self.buckets) >= _REMEMBERED_CAP:
            self.buckets.clear()
        self.buckets[sku_id] = count
        self.gathered.discard(sku_id)

    def saw_removed(self, sku_id: str) -> None:
        if len(self.gathered) >= _REMEMBERED_CAP:
            self.gathered.clear()
        self.gathered.add(sku_id)
        self.buckets.pop(sku_id, None)


_memory = _Memory()
caches.register(_memory.forget)


def placing(attempt: Callable[[], T]) -> T:
    """Run ``attempt`` (a whole unit of work with its takes), building it again while buckets are contended.

    Raises:
        OutOfStock: and whatever else the attempt refuses.
        Busy: if it lost every one of its attempts; nothing was written.
    """
    for number in range(PLACING_ATTEMPTS):
        try:
            return attempt()
        except BucketContended as lost:
            for other in lost.others:
                if not isinstance(other, BucketContended):
                    raise other from lost  # Another try would be refused by this one again.
            dynamo.sleep(dynamo.jitter() * min(0.1, 0.002 * 2 ** min(number, 6)))
    raise Busy


def take(
    work: UnitOfWork, quantities: Mapping[str, int], *, buckets: Mapping[str, int], room: int = 100, sure: bool = False
) -> None:
    """Add the taking of these units to the work. ``buckets`` says over how many each SKU is spread (absent: 1).

    ``room`` is how many rows this may add. Each SKU needs one, and more where it is spread so thin that no bucket can
    serve alone; where those do not fit, units are moved into one bucket first, and the work is built again. ``sure``
    asks the store also of a SKU that was sold out a moment ago.

    Raises:
        OutOfStock: now, if a SKU is known to be short; else when the work is committed (others in ``others``).
        BucketContended: now or when the work is committed; see :func:`placing`.
    """
    domain.checked(quantities)
    returns = _memory.returns
    short = [
        OutOfStock(sku_id=sku_id, wanted=wanted, available=0)
        for sku_id, wanted in quantities.items()
        if not sure and _memory.is_sold_out(sku_id)
    ]
    if short:
        raise _joined(short)
    planned: dict[str, tuple[tuple[Bucket, ...], dict[str, int]]] = {}
    for sku_id, wanted in quantities.items():
        if max(buckets.get(sku_id, 1), _memory.buckets.get(sku_id, 1)) == 1:
            continue
        seen = _look(sku_id)
        parts = domain.plan(seen, wanted, choose=_choose)
        if parts is not None:
            planned[sku_id] = (seen, parts)
            continue
        available = domain.total(seen).available
        if available == 0:
            _memory.saw_zero(sku_id, returns)
        short.append(OutOfStock(sku_id=sku_id, wanted=wanted, available=available))
    if short:
        raise _joined(short)
    _make_room(planned, quantities, room)
    for sku_id, wanted in quantities.items():
        if sku_id not in planned:
            store.add_take(work, sku_id, domain.bucket_name(0), wanted, _refuse_take(sku_id, wanted, returns))
            continue
        for bucket, part in planned[sku_id][1].items():
            store.add_take(work, sku_id, bucket, part, _contended)


def _make_room(
    planned: Mapping[str, tuple[tuple[Bucket, ...], dict[str, int]]], quantities: Mapping[str, int], room: int
) -> None:
    """Gather SKUs, those in the most buckets first, until each taking has its row.

    Raises:
        BucketContended: if any had to be: look again.
    """
    rows = len(quantities) + sum(len(parts) - 1 for _, parts in planned.values())
    thin = sorted(planned, key=lambda sku_id: (-len(planned[sku_id][1]), sku_id))
    gathered = 0
    while rows > room and gathered < len(thin) and len(planned[thin[gathered]][1]) > 1:
        sku_id = thin[gathered]
        seen, parts = planned[sku_id]
        _lay_out(sku_id, seen, domain.gathered(seen, quantities[sku_id]))
        rows -= len(parts) - 1
        gathered += 1
    if gathered:
        raise BucketContended


def _lay_out(sku_id: str, before: tuple[Bucket, ...], after: tuple[Bucket, ...]) -> None:
    """Replace a SKU's buckets, each exactly as it was read.

    Raises:
        BucketContended: if a sale was faster.
    """
    try:
        with UnitOfWork() as work:
            store.add_layout(work, sku_id, before, after)
    except (ConcurrentUpdate, AlreadyExists) as rival:
        raise BucketContended from rival


def _contended(_: Raw | None) -> Exception:
    return BucketContended()


def _joined(errors: list[OutOfStock]) -> OutOfStock:
    first = errors[0]
    first.others = tuple(errors[1:])
    return first


def _refuse_take(sku_id: str, wanted: int, returns: int) -> Callable[[Raw | None], Exception]:
    def refuse(item: Raw | None) -> Exception:
        seen = store.bucket_of_raw(item)
        if seen is not None and seen.buckets > 1:
            _memory.saw_buckets(sku_id, seen.buckets)  # The caller's product was read before the spreading.
            return BucketContended()
        available = seen.available if seen is not None else 0
        if available == 0:
            _memory.saw_zero(sku_id, returns)
        return OutOfStock(sku_id=sku_id, wanted=wanted, available=available)

    return refuse


def _look(sku_id: str) -> tuple[Bucket, ...]:
    """Read a SKU's buckets as one picture: a Query may see a rebalancing half done, then look again."""
    for number in range(dynamo.ATTEMPTS):
        seen = store.buckets(sku_id)
        if domain.is_whole(seen):
            return seen
        dynamo.sleep(dynamo.jitter() * dynamo.BASE_S * 2 ** min(number, 4))
    raise Busy


def _choose(count: int) -> int:
    return int.from_bytes(ids.random_bytes(4)) % count


def put_back(work: UnitOfWork, quantities: Mapping[str, int], *, buckets: Mapping[str, int]) -> None:
    """Add the return of these units to the work; the caller's own row must make it happen once.

    A spread SKU gets each line back into one bucket at random: no read, and over many returns even. A bucket that was
    removed since takes nothing, or nobody would find the units again: that is a ``ConcurrentUpdate`` of the work, and
    its repeat puts them into the first bucket, which is always there.
    """
    for sku_id, quantity in domain.checked(quantities).items():
        count = max(buckets.get(sku_id, 1), _memory.buckets.get(sku_id, 1))
        number = 0 if count == 1 or sku_id in _memory.gathered else _choose(count)
        store.add_put_back(work, sku_id, domain.bucket_name(number), quantity, _refuse_return(sku_id))
    work.after_commit(lambda: _memory.came_back(quantities))


def _refuse_return(sku_id: str) -> Callable[[Raw | None], Exception]:
    def refuse(_: Raw | None) -> Exception:
        _memory.saw_removed(sku_id)
        return ConcurrentUpdate()

    return refuse


def receive(sku_id: str, quantity: int, *, intent: Intent, reason: str = "") -> Movement:
    """Add units to a SKU's stock, once for each intent."""
    return receive_many({sku_id: quantity}, intent=intent, reason=reason)[0]


def receive_many(quantities: Mapping[str, int], *, intent: Intent, reason: str = "") -> tuple[Movement, ...]:
    """Add units to several SKUs, all or none, once for each intent.

    Raises:
        IdempotencyKeyReused: if the intent's key was used for something else.
    """
    return _move(quantities, Kind.RECEIVE, intent, reason)


def receive_new(work: UnitOfWork, sku_id: str, quantity: int, *, intent: Intent, reason: str = "") -> None:
    """Add the first units of a SKU that is made in the same work."""
    store.add_movement(work, _movement(sku_id, quantity, Kind.RECEIVE, intent, reason))
    _add_receive(work, sku_id, quantity, None)


def write_off(sku_id: str, quantity: int, *, intent: Intent, reason: str = "") -> Movement:
    """Take units out of a SKU's stock for good (lost, broken, miscounted), once for each intent.

    Raises:
        NotEnoughToWriteOff: if fewer are available: what buyers hold cannot be written off.
    """
    return write_off_many({sku_id: quantity}, intent=intent, reason=reason)[0]


def write_off_many(quantities: Mapping[str, int], *, intent: Intent, reason: str = "") -> tuple[Movement, ...]:
    """Write off units of several SKUs, all or none, once for each intent."""
    return _move(quantities, Kind.WRITE_OFF, intent, reason)


def _move(quantities: Mapping[str, int], kind: Kind, intent: Intent, reason: str) -> tuple[Movement, ...]:
    domain.checked(quantities)
    moved = tuple(_movement(sku_id, quantity, kind, intent, reason) for sku_id, quantity in quantities.items())

    def attempt() -> tuple[Movement, ...]:
        seen = store.first_buckets(quantities)
        if kind is Kind.RECEIVE:
            _count_orders(seen)
        with UnitOfWork(intent.token) as work:
            for movement in moved:  # First, so that a repeat is seen as one before anything else is refused.
                store.add_movement(work, movement)
            for sku_id, quantity in quantities.items():
                if kind is Kind.RECEIVE:
                    _add_receive(work, sku_id, quantity, seen.get(sku_id))
                else:
                    _add_write_off(work, sku_id, quantity, seen[sku_id].buckets if sku_id in seen else 1)
            work.after_commit(lambda: _memory.came_back(quantities))
        return moved

    try:
        return placing(attempt)
    except AlreadyExists:
        return tuple(_replayed(movement, intent) for movement in moved)
    except NotEnoughToWriteOff:
        # A spread SKU is refused before the transaction could tell a repeat apart from a first try.
        if store.movement(moved[0].sku_id, moved[0].movement_id) is None:
            raise
        return tuple(_replayed(movement, intent) for movement in moved)


def _count_orders(seen: Mapping[str, Bucket]) -> None:
    """Begin to count orders where rows of old did not: their buckets are laid out anew, with what is ordered now."""
    for sku_id, first in seen.items():
        if not first.is_counted:
            set_buckets(sku_id, first.buckets)


def _movement(sku_id: str, quantity: int, kind: Kind, intent: Intent, reason: str) -> Movement:
    return Movement(
        movement_id=intent.record_id("mov"),
        sku_id=sku_id,
        kind=kind,
        quantity=quantity,
        reason=reason,
        at=clock.now(),
        fingerprint=intent.fingerprint,
    )


def _replayed(movement: Movement, intent: Intent) -> Movement:
    found = store.movement(movement.sku_id, movement.movement_id)
    intent.check(found.fingerprint if found is not None else "")
    return found if found is not None else movement


def _add_receive(work: UnitOfWork, sku_id: str, quantity: int, seen: Bucket | None) -> None:
    for number, part in enumerate(domain.spread(quantity, seen.buckets if seen else 1)):
        if part:
            store.add_receive(work, sku_id, domain.bucket_name(number), part, is_first=seen is None)


def _add_write_off(work: UnitOfWork, sku_id: str, quantity: int, count: int) -> None:
    if count == 1:

        def refuse(item: Raw | None) -> Exception:
            seen = store.bucket_of_raw(item)
            if seen is not None and seen.buckets > 1:
                return BucketContended()
            return NotEnoughToWriteOff(sku_id=sku_id, wanted=quantity, available=seen.available if seen else 0)

        store.add_write_off(work, sku_id, domain.bucket_name(0), quantity, refuse)
        return
    seen = _look(sku_id)
    parts = domain.plan(seen, quantity, choose=_choose)
    if parts is None:
        raise NotEnoughToWriteOff(sku_id=sku_id, wanted=quantity, available=domain.total(seen).available)
    for bucket, part in parts.items():
        store.add_write_off(work, sku_id, bucket, part, _contended)


def set_available(sku_id: str, available: int, *, intent: Intent, reason: str = "") -> Movement | None:
    """Bring a SKU to exactly this many available units by one receipt or write-off, once for each intent.

    For a count taken by hand or a merchant's file. Returns None if nothing had to change (and nothing was recorded).
    """
    if not 0 <= available <= domain.MAX_QUANTITY:
        raise BadQuantity(least=0, most=domain.MAX_QUANTITY)

    def attempt() -> Movement | None:
        done = store.movement(sku_id, intent.record_id("mov"))
        if done is not None:
            intent.check(done.fingerprint)
            return done
        seen = _look(sku_id) or (Bucket(number=domain.bucket_name(0), available=0),)
        change = available - domain.total(seen).available
        if change == 0:
            return None
        movement = _movement(sku_id, abs(change), Kind.RECEIVE if change > 0 else Kind.WRITE_OFF, intent, reason)
        parts = {seen[0].number: change} if change > 0 else domain.plan(seen, -change, choose=_choose) or {}
        with UnitOfWork(intent.token) as work:
            store.add_movement(work, movement)
            for bucket in seen:
                if bucket.number in parts:
                    part = parts[bucket.number] if change > 0 else -parts[bucket.number]
                    store.add_adjustment(work, sku_id, bucket, part, _contended)
            work.after_commit(lambda: _memory.came_back([sku_id]))
        return movement

    try:
        return placing(attempt)
    except AlreadyExists:
        return attempt()


def set_buckets(sku_id: str, count: int) -> Level:
    """Spread a SKU's stock evenly over ``count`` buckets. Idempotent; sales go on meanwhile.

    Raises:
        BadQuantity: if the count is not 1 to 20.
        Busy: if sales kept changing the buckets under our hands; nothing was changed.
    """
    if not 1 <= count <= domain.MAX_BUCKETS:
        raise BadQuantity(least=1, most=domain.MAX_BUCKETS)

    def attempt() -> Level:
        before = _look(sku_id)
        level = domain.total(before)
        layout = max((bucket.layout for bucket in before), default=0) + 1
        shares = domain.spread(level.available, count)
        _lay_out(sku_id, before, domain.laid_out(level, shares, layout))
        _memory.came_back([sku_id])
        if count > 1:
            _memory.saw_buckets(sku_id, count)
        else:
            _memory.buckets.pop(sku_id, None)
        return replace(level, buckets=count)

    return placing(attempt)


def level(sku_id: str) -> Level:
    """Return what a SKU has now; all zero for one that never received any."""
    return domain.total(_look(sku_id))


def levels(sku_ids: Iterable[str]) -> dict[str, Level]:
    """Return what many SKUs have: one batch read, and a Query for each that is spread."""
    wanted = tuple(dict.fromkeys(sku_ids))
    first = store.first_buckets(wanted)
    result = {}
    for sku_id in wanted:
        seen = first.get(sku_id)
        if seen is None:
            result[sku_id] = Level()
        else:
            result[sku_id] = level(sku_id) if seen.buckets > 1 else domain.total([seen])
    return result


BucketKey = tuple[str, str]
"""A SKU and one of its buckets."""


def buckets_of(counts: Mapping[str, int]) -> list[BucketKey]:
    """Return all buckets of SKUs, by what the caller knows of how many there are, or this process knows better."""
    return [
        (sku_id, domain.bucket_name(number))
        for sku_id, count in counts.items()
        for number in range(max(count, _memory.buckets.get(sku_id, 1)))
    ]


def lookup(keys: Iterable[BucketKey]) -> Lookup[dict[BucketKey, int]]:
    """Say how the units in buckets are read, for showing; a bucket that is not there is absent.

    Eventually consistent; a rebalancing half done may show a few more or less.
    """
    return store.available(keys)


def movements(sku_id: str, window: Window) -> Page[Movement]:
    """Return one page of a SKU's receipts and write-offs."""
    return store.movements(sku_id, window)
