"""One row a cart: a map of SKU to quantity, changed by one conditional update that needs no read before it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.cart.domain import (
    BEGUN_BY_NETWORK,
    BEGUN_WINDOW_S,
    MAX_LINES,
    Cart,
    CartChanged,
    CartFull,
    TooManyCarts,
)
from chalicelib.kernel import clock, ids
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import dynamo, reads
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork

_RACES = 5


class CartRow(Row):
    """Key: owner_id. ``lines`` is a native map, so that one quantity changes without reading the others."""

    class Meta:
        table_name = names.table_name("carts")
        region = region()

    owner_id = UnicodeAttribute(hash_key=True)
    ttl = TTLAttribute(null=True)


def load(owner_id: str) -> Cart:
    """Read a cart; an empty one of version 0 where there is none."""
    raw = reads.get_raw(CartRow, owner_id, consistent=True)
    return _cart(owner_id, raw)


def set_quantity(owner_id: str, sku_id: str, quantity: int, *, keep_s: int | None) -> Cart:
    """Set one SKU's quantity: one call, or two for the first line of a new cart.

    Raises:
        CartFull: if no further SKU fits.
    """
    params: dict[str, Any] = {
        "TableName": CartRow.Meta.table_name,
        "Key": {"owner_id": {"S": owner_id}},
        "UpdateExpression": "SET #lines.#sku = :quantity" + _expiry(keep_s) + " ADD version :one",
        "ConditionExpression": "attribute_exists(#lines) AND (attribute_exists(#lines.#sku) OR size(#lines) < :cap)",
        "ExpressionAttributeNames": {"#lines": "lines", "#sku": sku_id, **_expiry_names(keep_s)},
        "ExpressionAttributeValues": {
            ":quantity": {"N": str(quantity)},
            ":cap": {"N": str(MAX_LINES)},
            ":one": {"N": "1"},
            **_expiry_values(keep_s),
        },
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    for _ in range(_RACES):
        try:
            return _cart(owner_id, dynamo.call("UpdateItem", params)["Attributes"])
        except Exception as error:
            if aws.error_code(error) != "ConditionalCheckFailedException":
                raise
            if getattr(error, "response", {}).get("Item"):
                raise CartFull(cap=MAX_LINES) from error
        created = _create(owner_id, {sku_id: quantity}, keep_s=keep_s)
        if created is not None:
            return created
    raise CartFull(cap=MAX_LINES)


def _create(owner_id: str, lines: dict[str, int], *, keep_s: int | None) -> Cart | None:
    item: dict[str, Any] = {
        "owner_id": {"S": owner_id},
        "lines": {"M": {sku_id: {"N": str(quantity)} for sku_id, quantity in lines.items()}},
        "version": {"N": "1"},
        **({"ttl": {"N": str(clock.epoch_s(clock.now()) + keep_s)}} if keep_s is not None else {}),
    }
    params = {
        "TableName": CartRow.Meta.table_name,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(owner_id)",
    }
    try:
        dynamo.call("PutItem", params)
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        return None  # A rival created it first: change that one.
    return _cart(owner_id, item)


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


def replace(work: UnitOfWork, cart: Cart, lines: dict[str, int]) -> None:
    """Write a whole cart in a work, if it still is the version that was read."""
    names_ = {"#lines": "lines", "#version": "version"}
    values: dict[str, Any] = {
        ":lines": {"M": {sku_id: {"N": str(quantity)} for sku_id, quantity in lines.items()}},
        ":next": {"N": str(cart.version + 1)},
    }
    condition = "attribute_not_exists(#version)"
    if cart.version:
        condition = "#version = :version"
        values[":version"] = {"N": str(cart.version)}
    work.update_raw(
        CartRow(owner_id=cart.owner_id),
        "SET #lines = :lines, #version = :next",
        condition=condition,
        names=names_,
        values=values,
        refuse=_changed,
        label="cart",
    )


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
    work.delete(CartRow(owner_id=cart.owner_id, version=cart.version), refuse=_changed, label="guest cart")


def _changed(item: reads.Raw | None) -> Exception:
    return CartChanged(found=item is not None)


def _cart(owner_id: str, raw: reads.Raw | None) -> Cart:
    if raw is None:
        return Cart(owner_id)
    lines = {sku_id: int(value["N"]) for sku_id, value in sorted(raw.get("lines", {}).get("M", {}).items())}
    return Cart(owner_id, lines, int(raw["version"]["N"]))


def _expiry(keep_s: int | None) -> str:
    return ", #ttl = :ttl" if keep_s is not None else ""


def _expiry_names(keep_s: int | None) -> dict[str, str]:
    return {"#ttl": "ttl"} if keep_s is not None else {}


def _expiry_values(keep_s: int | None) -> dict[str, Any]:
    return {":ttl": {"N": str(clock.epoch_s(clock.now()) + keep_s)}} if keep_s is not None else {}
