"""Rows of the ``holds`` table: one of each buyer, and one of each network and day that new accounts bought from.

A buyer's row has an attribute for each purchase it remembers (``pur_…``: units, when it was placed, its quote) and one
beside it (``~pur_…``) once it was paid or called off. So paying and calling off are one update that reads nothing.
"""

from __future__ import annotations

import json
from typing import Any

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute

from chalicelib.kernel import clock, ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.orders.hold_rules import (
    CALLED_OFF_TIMES,
    NETWORK_WINDOW_S,
    Hold,
    Holds,
    HoldState,
    Limits,
    TooManyUnpaidHere,
)
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.lookups import Lookup
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
    """Add a purchase's hold, and drop what is not kept, if the row still is as it was read."""
    gone = {one.purchase_id for one in read.holds} - {one.purchase_id for one in kept.holds}
    attributes = {"#new": hold.purchase_id, "#version": "version", "#ttl": "ttl"}
    removals = []
    for number, purchase_id in enumerate(sorted(gone)):
        attributes |= {f"#g{number}": purchase_id, f"#m{number}": _MARK + purchase_id}
        removals += [f"#g{number}", f"#m{number}"]
    values: dict[str, Any] = {
        ":new": {"S": json.dumps([hold.units, epoch_ms(hold.placed_at), hold.quote], separators=(",", ":"))},
        ":next": {"N": str(read.version + 1)},
        ":ttl": _ttl(),
    }
    condition = "attribute_not_exists(#version)"
    if read.version:
        condition = "#version = :version"
        values[":version"] = {"N": str(read.version)}
    work.update_raw(
        HoldRow(holder=read.account_id),
        "SET #new = :new, #version = :next, #ttl = :ttl" + (f" REMOVE {', '.join(removals)}" if removals else ""),
        condition=condition,
        names=attributes,
        values=values,
        refuse=lost,
        label="holds",
    )


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


def count(work: UnitOfWork, holder: str, units: int, limits: Limits) -> None:
    """Count one purchase more on a network's row; refused as ``TooManyUnpaidHere``."""
    wait_s = _window_ends_s() - clock.epoch_s(clock.now())
    work.update_raw(
        HoldRow(holder=holder),
        "SET #ttl = :ttl ADD purchases :one, units :units",
        condition=(
            "(attribute_not_exists(units) OR (units <= :room AND purchases < :most))"
            " AND (attribute_not_exists(#off) OR #off < :off)"
        ),
        names={"#ttl": "ttl", "#off": "called_off"},
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


def uncount(work: UnitOfWork, holder: str, units: int, *, called_off: bool = False) -> None:
    """Take one purchase off a network's row again; one whose day is over is never looked at, and TTL collects it.

    The units of one that was ``called_off`` count there from now on.
    """
    work.update_raw(
        HoldRow(holder=holder),
        "SET #ttl = :ttl ADD purchases :one, units :units, #off :off",
        condition=_ALWAYS,
        names={"#ttl": "ttl", "#off": "called_off"},
        values={
            ":ttl": _days_ttl(),
            ":one": {"N": "-1"},
            ":units": {"N": str(-units)},
            ":off": {"N": str(units if called_off else 0)},
        },
        refuse=lost,
        label="holds of a network",
    )


def _days_ttl() -> dict[str, str]:
    return {"N": str(clock.epoch_s(clock.now()) + 2 * NETWORK_WINDOW_S)}
