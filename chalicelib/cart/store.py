"""One row a cart: a map of SKU to quantity, written whole on the version that was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.cart.domain import (
    BEGUN_BY_NETWORK,
    BEGUN_WINDOW_S,
    Cart,
    CartChanged,
    TooManyCarts,
)
from chalicelib.kernel import clock, ids
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import dynamo, races, reads
from chalicelib.runtime.db.lookups import Lookup
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


class CartRow(Row):
    """Key: owner_id. ``lines`` is a native map, so that single SKUs are taken out of it without a read."""

    class Meta:
        table_name = names.table_name("carts")
        region = region()

    owner_id = UnicodeAttribute(hash_key=True)
    ttl = TTLAttribute(null=True)


def load(owner_id: str) -> Cart:
    """Read a cart; an empty one of version 0 where there is none."""
    raw = reads.get_raw(CartRow, owner_id, consistent=True)
    return _cart(owner_id, raw)


def lookup(owner_id: str, *, consistent: bool) -> Lookup[Cart]:
    """Say how a cart is read; :func:`write` refuses what was worked out from one that was not the newest."""
    return Lookup.of(
        [(CartRow, owner_id, None)],
        lambda found: _cart(owner_id, found.raw(CartRow, owner_id)),
        consistent=consistent,
    )


def write(work: UnitOfWork, cart: Cart, lines: Mapping[str, int], *, keep_s: int | None = None) -> Cart:
    """Write a whole cart, a new one too, if it still is the version that was read; returns what it is then.

    Refused as ``ConcurrentUpdate``. ``keep_s`` lets a cart go when nobody has touched it for so long.
    """
    version = cart.version + 1
    values: dict[str, Any] = {
        ":lines": {"M": {sku_id: {"N": str(quantity)} for sku_id, quantity in lines.items()}},
        ":next": {"N": str(version)},
    }
    names_ = {"#lines": "lines", "#version": "version"}
    condition = "attribute_not_exists(#version)"
    if cart.version:
        condition = "#version = :version"
        values[":version"] = {"N": str(cart.version)}
    expression = "SET #lines = :lines, #version = :next"
    if keep_s is not None:
        expression += ", #ttl = :ttl"
        names_["#ttl"] = "ttl"
        values[":ttl"] = {"N": str(clock.epoch_s(clock.now()) + keep_s)}
    work.update_raw(
        CartRow(owner_id=cart.owner_id),
        expression,
        condition=condition,
        names=names_,
        values=values,
        refuse=races.lost,
        label="cart",
    )
    return Cart(cart.owner_id, dict(sorted(lines.items())), version)


def count_begun(network: str) -> None:
    """Count a cart that a network begins, in fixed windows whose rows TTL collects: one conditional update.

    Raises:
        TooManyCarts: if it began as many as it may.
    """
    now_s = clock.epoch_s(clock.now())
    ends_s = now_s - now_s % BEGUN_WINDOW_S + BEGUN_WINDOW_S
    params: dict[str, Any] = {
        "TableName": CartRow.Meta.table_name,
        "Key": {"owner_id": {"S": ids.derived_id("net", network, str(ends_s))}},
        "UpdateExpression": "SET #ttl = :ttl ADD begun :one",
        "ConditionExpression": "attribute_not_exists(begun) OR begun < :most",
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": {
            ":ttl": {"N": str(ends_s + BEGUN_WINDOW_S)},
            ":one": {"N": "1"},
            ":most": {"N": str(BEGUN_BY_NETWORK)},
        },
    }
    try:
        # Not repeated where the answer is lost: rather one guest who tries again than a cart counted twice.
        dynamo.call("UpdateItem", params, repeatable=False)
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        raise TooManyCarts(wait_s=ends_s - now_s) from error


def remove(owner_id: str, sku_id: str) -> Cart:
    """Take one SKU out, whether it was in or not: one call."""
    params: dict[str, Any] = {
        "TableName": CartRow.Meta.table_name,
        "Key": {"owner_id": {"S": owner_id}},
        "UpdateExpression": "REMOVE #lines.#sku ADD version :one",
        "ConditionExpression": "attribute_exists(#lines)",
        "ExpressionAttributeNames": {"#lines": "lines", "#sku": sku_id},
        "ExpressionAttributeValues": {":one": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
    }
    try:
        return _cart(owner_id, dynamo.call("UpdateItem", params)["Attributes"])
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        return Cart(owner_id)


def take_out(work: UnitOfWork, owner_id: str, sku_ids: Iterable[str], *, version: int) -> None:
    """Take the ordered SKUs out in the order's own work, if the cart still is the version that was quoted."""
    names_ = {"#lines": "lines", "#version": "version"}
    removals = []
    for number, sku_id in enumerate(sku_ids):
        names_[f"#s{number}"] = sku_id
        removals.append(f"#lines.#s{number}")
    work.update_raw(
        CartRow(owner_id=owner_id),
        f"SET #version = :next REMOVE {', '.join(removals)}",
        condition="#version = :version",
        names=names_,
        values={":version": {"N": str(version)}, ":next": {"N": str(version + 1)}},
        refuse=_changed,
        label="cart",
    )


def delete(work: UnitOfWork, cart: Cart) -> None:
    """Delete a cart in a work, if it still is the version that was read."""
    work.delete(CartRow(owner_id=cart.owner_id, version=cart.version), refuse=races.lost, label="guest cart")


def _changed(item: reads.Raw | None) -> Exception:
    return CartChanged(found=item is not None)


def _cart(owner_id: str, raw: reads.Raw | None) -> Cart:
    if raw is None:
        return Cart(owner_id)
    lines = {sku_id: int(value["N"]) for sku_id, value in sorted(raw.get("lines", {}).get("M", {}).items())}
    return Cart(owner_id, lines, int(raw["version"]["N"]))
