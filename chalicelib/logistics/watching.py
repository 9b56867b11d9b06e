"""How a shipment's watch moves: subscribed, refused, asked, without an answer, told something, or at its end. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.logistics import following
from chalicelib.logistics.domain import FORGET_AFTER, Report, Shipment, Snapshot, has_ended
from chalicelib.logistics.watch import ANY, WATCH, Limits, Watch, WatchCause, pause, repeat_after


def follow(shipment: Shipment, snapshot: Snapshot, *, now: datetime, limits: Limits = ANY) -> Shipment:
    """Return the shipment and its watch as they stand after a snapshot; equal to the one given if it tells nothing new.

    A hub ends its watching, gives a number up, or shows a sign of life by what it tells.
    """
    if shipment.detached:
        return shipment
    moved = following.moved(shipment, snapshot, now=now)
    if moved.watch is Watch.FINISHED:
        return moved
    if snapshot.report is Report.ABORTED and not has_ended(moved):
        return _aborted(moved, now=now, limits=limits)
    known = bool(following.plausible(shipment, snapshot, now=now))
    if snapshot.report is Report.FINISHED and not known and not has_ended(moved):
        # It ended an earlier parcel's journey. Ours has not begun, and will not be pushed: we ask.
        return _given_up(moved, now=now)
    if snapshot.report is Report.FINISHED or (has_ended(moved) and moved.watch is Watch.POLLED):
        return replace(moved, watch=WATCH.next(moved.watch, WatchCause.FINISH), since=now, phone_tail="", tries=0)
    told = moved.scans != shipment.scans
    return replace(moved, heard_at=now, quiet=0, missed=0) if told else moved


def _aborted(shipment: Shipment, *, now: datetime, limits: Limits) -> Shipment:
    if shipment.watch is not Watch.WATCHED:
        return shipment
    spent = shipment.subscriptions >= limits.subscriptions
    cause = WatchCause.GIVE_UP if spent else WatchCause.ABORT
    return replace(shipment, watch=WATCH.next(shipment.watch, cause), since=now)


def _given_up(shipment: Shipment, *, now: datetime) -> Shipment:
    if not WATCH.takes(shipment.watch, WatchCause.GIVE_UP):
        return shipment
    return replace(shipment, watch=WATCH.next(shipment.watch, WatchCause.GIVE_UP), since=now, tries=0)


def subscribed(shipment: Shipment, *, now: datetime, hub: str = "") -> Shipment:
    """Note that the hub watches the number."""
    watch = WATCH.next(shipment.watch, WatchCause.SUBSCRIBE)
    times = shipment.subscriptions + 1 if shipment.hub in ("", hub) else 1
    return replace(
        shipment, watch=watch, since=now, subscribed_at=now, tries=0, subscriptions=times, hub=hub, quiet=0, missed=0
    )


def not_subscribed(
    shipment: Shipment, *, for_good: bool, now: datetime, limits: Limits = ANY, hub: str = "", other: str = ""
) -> Shipment:
    """Note that subscribing at a hub failed: try again later, go to the ``other`` one, or ask where there is none."""
    hopeless = for_good or shipment.tries + 1 >= limits.tries
    gives_up = hopeless and not other
    watch = WATCH.next(shipment.watch, WatchCause.GIVE_UP if gives_up else WatchCause.RETRY)
    at = other if hopeless and other else hub
    return replace(shipment, watch=watch, since=now, tries=0 if hopeless else shipment.tries + 1, hub=at)


def timed_out(shipment: Shipment, *, now: datetime, limits: Limits = ANY) -> Shipment:
    """Fire the watch's timeout: subscribe again, or have asked ``now``; stop where the parcel arrived or was forgotten.

    Where the hub told something since the deadline was set, the deadline moves instead; where it was asked less than
    half an hour ago, it is not asked. Where it will not push any more, it is subscribed at again.
    """
    if has_ended(shipment) or now - shipment.shipped_at > FORGET_AFTER:
        return replace(shipment, watch=WATCH.next(shipment.watch, WatchCause.FINISH), since=now, phone_tail="")
    cause = WATCH.timeout(shipment.watch)
    if cause is None:
        return shipment
    if cause is WatchCause.ASK and shipment.heard_at is not None and shipment.heard_at > shipment.since:
        return replace(shipment, since=shipment.heard_at)
    if _pushes_ended(shipment, now=now, limits=limits):
        return replace(shipment, watch=WATCH.next(shipment.watch, WatchCause.ABORT), since=now)
    watch = WATCH.next(shipment.watch, cause)
    if cause is not WatchCause.ASK or not may_ask(shipment, now=now, limits=limits):
        return replace(shipment, watch=watch, since=now)
    return replace(shipment, watch=watch, since=now, asked_at=now, quiet=shipment.quiet + 1)


def _pushes_ended(shipment: Shipment, *, now: datetime, limits: Limits) -> bool:
    """Say whether the hub has stopped pushing without a word, and would take another subscription."""
    if limits.pushes_end_after is None or shipment.watch is not Watch.WATCHED:
        return False
    told = max(filter(None, (shipment.shipped_at, shipment.subscribed_at, shipment.heard_at)))
    return now - told >= limits.pushes_end_after and shipment.subscriptions < limits.subscriptions


def unanswered(shipment: Shipment, *, now: datetime, limits: Limits = ANY) -> Shipment:
    """Ask again as soon as the hub allows, and ever less often while it does not answer."""
    if shipment.watch not in (Watch.WATCHED, Watch.POLLED):
        return shipment
    missed = shipment.missed + 1
    quiet = max(shipment.quiet - 1, 0)  # It told nothing, not even that there is nothing new.
    since = now + repeat_after(missed, limits) - pause(shipment.watch, quiet)
    return replace(shipment, since=since, quiet=quiet, missed=missed)


def answered(shipment: Shipment) -> Shipment:
    """Note that the hub answers again."""
    return replace(shipment, missed=0)


def may_ask(shipment: Shipment, *, now: datetime, limits: Limits = ANY) -> bool:
    """Say whether the hub may be asked about the number again."""
    return shipment.asked_at is None or now - shipment.asked_at >= limits.ask_every
