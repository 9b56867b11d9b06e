"""Goods that are made for one buyer: a product that nobody else sees, whose price is what both agreed on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.catalog import domain, store
from chalicelib.catalog.domain import Draft, MadeFor, Product, SkuDraft
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.runtime.db.work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Made:
    """What was agreed on, for whom, and until when it can be ordered."""

    product_id: str
    like: Product
    """The product it was asked about: its kind and category are its own."""
    title: str
    price: Money
    buyer_id: str
    until: datetime


def make(work: UnitOfWork, made: Made) -> str:
    """Add a product made for a buyer to the work; returns its SKU. Refused as ``AlreadyExists`` if it was made before.

    It is never listed: no list, no search and no published file has it, and its merchant cannot change it.

    Raises:
        BadProduct: if title or price break a rule.
    """
    draft = Draft(
        titles=dict.fromkeys(domain.LANGUAGES, made.title),
        kind=made.like.kind,
        category_id=made.like.category_id,
        options=(),
        skus=(SkuDraft(options=(), price=made.price),),
    )
    product = domain.create(
        draft, product_id=made.product_id, merchant_id=made.like.merchant_id, handle="", at=clock.now()
    )
    reserved = replace(product, made=MadeFor.of(made.buyer_id, made.product_id, made.until))
    store.add(work, reserved, store.tree(), None)
    return reserved.skus[0].sku_id
