"""Rows of the ``holds`` table: one of each buyer, and one of each network and day that new accounts bought from.

A buyer's row has an attribute for each purchase it remembers (``pur_…``: units, when it was placed, its quote) and one
beside it (``~pur_…``) once it was called off, or is known to be paid. Calling off is one update that reads nothing;
paying in time writes nothing, and who places next learns of it where that matters. A network's row lists the purchases
that it counts in the same way (``pur_…``: units).
"""

from __future__ import annotations

import json
from typing import Any

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.kernel import clock, ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.orders.hold_rules import (
    CALLED_OFF_TIMES,
    NETWORK_WINDOW_S,
    Crowd,
    Hold,
    Holds,
    HoldState,
    Limits,
    TooManyUnpaidHere,
)
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.lookups import Lookup
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork

KEEP_S = 400 * 86400
"""A buyer who comes back after more than a year is a new one again."""
_MARK = "~"
_ALWAYS = "attribute_exists(holder) OR attribute_not_exists(holder)"


class HoldRow(Row):
    """Key: holder, an account or a network's day."""

    class Meta:
        table_name = names.table_name("holds")
        region = region()

    holder = UnicodeAttribute(hash_key=True)
    paid = NumberAttribute(null=True)
    purchases = NumberAttribute(null=True)
    units = NumberAttribute(null=True)
    called_off = NumberAttribute(null=True)
    ttl = TTLAttribute(null=True)


def lookup(account_id: str) -> Lookup[Holds]:
    """Say how it is read what is remembered of an account: consistently."""
    return Lookup.of(
        [(HoldRow, account_id, None)],
        lambda found: _holds(account_id, found.raw(HoldRow, account_id) or {}),
        consistent=True,
    )


def load(account_id: str) -> Holds:
    """Read it alone."""
    return lookup(account_id).read()


def _holds(account_id: str, raw: reads.Raw) -> Holds:
    return Holds(
        account_id,
        paid=int(raw.get("paid", {"N": "0"})["N"]),
        holds=tuple(
            _hold(name, value["S"], raw.get(_MARK + name)) for name, value in raw.items() if name.startswith("pur_")
        ),
        version=int(raw.get("version", {"N": "0"})["N"]),
    )


def _hold(purchase_id: str, text: str, mark: dict[str, str] | None) -> Hold:
    units, placed_ms, quote = json.loads(text)
    state = HoldState(mark["S"]) if mark is not None else HoldState.UNPAID
    return Hold(purchase_id, units, from_epoch_ms(placed_ms), quote, state)


def add(work: UnitOfWork, read: Holds, hold: Hold, *, kept: Holds) -> None:
    """Add a purchase's hold, note what is known to be paid and drop what is not kept, if the row is as it was read."""
    gone = {one.purchase_id for one in read.holds} - {one.purchase_id for one in kept.holds}
    unpaid = {one.purchase_id for one in read.unpaid()}
    paid = {one.purchase_id for one in kept.holds if one.state is HoldState.PAID} & unpaid
    attributes = {"#new": hold.purchase_id, "#version": "version", "#ttl": "ttl"}
    values: dict[str, Any] = {
        ":new": {"S": json.dumps([hold.units, epoch_ms(hold.placed_at), hold.quote], separators=(",", ":"))},
        ":next": {"N": str(read.version + 1)},
        ":ttl": _ttl(),
    }
    settings = ["#new = :new", "#version = :next", "#ttl = :ttl"]
    removals = []
    for number, purchase_id in enumerate(sorted(gone)):
        attributes |= {f"#g{number}": purchase_id, f"#m{number}": _MARK + purchase_id}
        removals += [f"#g{number}", f"#m{number}"]
    for number, purchase_id in enumerate(sorted(paid)):
        attributes[f"#p{number}"] = _MARK + purchase_id
        values[":marked"] = {"S": HoldState.PAID.value}
        settings.append(f"#p{number} = :marked")
    if kept.paid != read.paid:
        settings.append("paid = :paid")
        values[":paid"] = {"N": str(kept.paid)}
    condition, as_read = _as_read(read.version)
    values |= as_read
    work.update_raw(
        HoldRow(holder=read.account_id),
        f"SET {', '.join(settings)}" + (f" REMOVE {', '.join(removals)}" if removals else ""),
        condition=condition,
        names=attributes,
        values=values,
        refuse=lost,
        label="holds",
    )


def _as_read(version: int) -> tuple[str, dict[str, Any]]:
    """Return the condition that a row still has the version it was read at, and its value."""
    if not version:
        return "attribute_not_exists(#version)", {}
    return "#version = :version", {":version": {"N": str(version)}}


def mark(work: UnitOfWork, account_id: str, purchase_id: str, state: HoldState) -> None:
    """Note what became of a purchase, without reading: its own row's move makes it happen once."""
    paid = ", paid :one" if state is HoldState.PAID else ""
    work.update_raw(
        HoldRow(holder=account_id),
        f"SET #mark = :state, #ttl = :ttl ADD version :one{paid}",
        condition=_ALWAYS,
        names={"#mark": _MARK + purchase_id, "#ttl": "ttl"},
        values={":state": {"S": state.value}, ":ttl": _ttl(), ":one": {"N": "1"}},
        refuse=lost,
        label="holds",
    )


def _ttl() -> dict[str, str]:
    return {"N": str(clock.epoch_s(clock.now()) + KEEP_S)}


def networks_day(network: str) -> str:
    """Return the key of a network's row of today."""
    return ids.derived_id("net", network, str(_window_ends_s()))


def _window_ends_s() -> int:
    now_s = clock.epoch_s(clock.now())
    return now_s - now_s % NETWORK_WINDOW_S + NETWORK_WINDOW_S


def window_left_s() -> int:
    """Return how long today's row of a network counts."""
    return _window_ends_s() - clock.epoch_s(clock.now())


def load_crowd(holder: str) -> Crowd:
    """Read what a network's row counts, consistently: one call."""
    raw = reads.get_raw(HoldRow, holder, consistent=True) or {}

    def number(name: str) -> int:
        return int(raw.get(name, {"N": "0"})["N"])

    return Crowd(
        holder,
        listed={name: int(value["N"]) for name, value in raw.items() if name.startswith("pur_")},
        purchases=number("purchases"),
        units=number("units"),
        called_off=number("called_off"),
        version=number("version"),
    )


def count(work: UnitOfWork, holder: str, purchase_id: str, units: int, limits: Limits) -> None:
    """Count one purchase more on a network's row, unread; refused as ``TooManyUnpaidHere``, as far as the row knows."""
    wait_s = window_left_s()
    work.update_raw(
        HoldRow(holder=holder),
        "SET #ttl = :ttl, #new = :units ADD purchases :one, units :units, version :one",
        condition=(
            "(attribute_not_exists(units) OR (units <= :room AND purchases < :most))"
            " AND (attribute_not_exists(#off) OR #off < :off)"
        ),
        names={"#ttl": "ttl", "#off": "called_off", "#new": purchase_id},
        values={
            ":ttl": _days_ttl(),
            ":one": {"N": "1"},
            ":units": {"N": str(units)},
            ":room": {"N": str(limits.units - units)},
            ":most": {"N": str(limits.purchases)},
            ":off": {"N": str(limits.units * CALLED_OFF_TIMES)},
        },
        refuse=lambda _: TooManyUnpaidHere(wait_s=wait_s),
        label="holds of a network",
    )


def recount(work: UnitOfWork, read: Crowd, kept: Crowd, purchase_id: str, units: int) -> None:
    """Count one purchase more on a network's row, and drop what is not kept, if the row still is as it was read."""
    attributes = {"#ttl": "ttl", "#new": purchase_id, "#version": "version"}
    attributes |= {f"#g{number}": one for number, one in enumerate(sorted(set(read.listed) - set(kept.listed)))}
    removals = [name for name in attributes if name.startswith("#g")]
    condition, as_read = _as_read(read.version)
    work.update_raw(
        HoldRow(holder=read.holder),
        "SET #ttl = :ttl, #new = :new, purchases = :purchases, units = :units, #version = :next"
        + (f" REMOVE {', '.join(removals)}" if removals else ""),
        condition=condition,
        names=attributes,
        values={
            ":ttl": _days_ttl(),
            ":new": {"N": str(units)},
            ":purchases": {"N": str(kept.purchases + 1)},
            ":units": {"N": str(kept.units + units)},
            ":next": {"N": str(read.version + 1)},
            **as_read,
        },
        refuse=lost,
        label="holds of a network",
    )


def call_off(work: UnitOfWork, holder: str, purchase_id: str, units: int) -> None:
    """Count the units of a purchase among those called off on a network's row, and no more among those held.

    One whose day is over is never looked at, and TTL collects it.
    """
    work.update_raw(
        HoldRow(holder=holder),
        "SET #ttl = :ttl REMOVE #gone ADD purchases :less, units :fewer, #off :off, version :one",
        condition=_ALWAYS,
        names={"#ttl": "ttl", "#off": "called_off", "#gone": purchase_id},
        values={
            ":ttl": _days_ttl(),
            ":less": {"N": "-1"},
            ":one": {"N": "1"},
            ":fewer": {"N": str(-units)},
            ":off": {"N": str(units)},
        },
        refuse=lost,
        label="holds of a network",
    )


def _days_ttl() -> dict[str, str]:
    return {"N": str(clock.epoch_s(clock.now()) + 2 * NETWORK_WINDOW_S)}
