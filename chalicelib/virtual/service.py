"""Use cases of virtual goods, for routes, consumers and other capabilities."""

from __future__ import annotations

from chalicelib.virtual.domain import CodeKnown, Content, Delivery
from chalicelib.virtual.giving import Handed, by_hand, fill, keep_code, owed_units, serve, take_back, time_out
from chalicelib.virtual.pools import Terms, of_merchant, own, promise, put, upload, withdraw
from chalicelib.virtual.showing import Shown, confirm, known_to, look, looks_at, of_buyers_order, of_merchants_order
from chalicelib.virtual.store import owed

__all__ = [
    "CodeKnown",
    "Content",
    "Delivery",
    "Handed",
    "Shown",
    "Terms",
    "by_hand",
    "confirm",
    "fill",
    "keep_code",
    "known_to",
    "look",
    "looks_at",
    "of_buyers_order",
    "of_merchant",
    "of_merchants_order",
    "owed",
    "owed_units",
    "own",
    "promise",
    "put",
    "serve",
    "take_back",
    "time_out",
    "upload",
    "withdraw",
]
