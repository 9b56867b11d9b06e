"""Prices: from a cart's quantities and the catalog's products to a quote, exact to the fen. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.catalog.domain import Product, is_sold_to
from chalicelib.kernel import ids
from chalicelib.kernel.errors import Conflict, Invalid
from chalicelib.kernel.money import MAX_TOTAL_MINOR, Money, total
from chalicelib.merchants.domain import Terms
from chalicelib.orders.domain import Contact

QUOTE_FOR = timedelta(minutes=15)
MAX_MERCHANTS = 20
MAX_ROWS = 95
"""Different items and merchants of one purchase together. A transaction takes a hundred rows: one for each SKU's stock,
one for each merchant's order, and beside them the purchase, the cart and what buyer and network hold. Lines that stand
in rows of their own, and units in more than one bucket, only take what is left."""


NAME_CHARACTERS = 12
"""60 bits: nobody makes a title that looks the same."""


class NothingToConfirm(Conflict):
    """Something was confirmed of goods that are returned like any other, or are not in the quote."""

    code = "nothing_to_confirm"
    en = "There is nothing to confirm of these goods: they are returned like any other."
    zh = "所确认的商品不属于不适用七日无理由退货的商品。"
    shown = ("sku_ids",)


NO_CART = -1
"""The version of the cart in a quote that no cart stands behind."""


class EmptyCart(Conflict):
    """There is nothing to order."""

    code = "empty_cart"
    en, zh = "There is nothing in the cart to order.", "购物车中没有可结算的商品。"


class AddressNeeded(Invalid):
    """Something must be shipped, and nobody said where."""

    code = "address_needed"
    en, zh = "Choose an address: something has to be shipped.", "请选择收货地址：订单中有需要发货的商品。"


class NotForSale(Conflict):
    """Some of it cannot be bought (any more)."""

    code = "not_for_sale"
    en, zh = "Some items cannot be bought now.", "部分商品当前无法购买。"
    shown = ("sku_ids",)


class MixedCurrencies(Conflict):
    """One purchase is paid in one currency."""

    code = "mixed_currencies"
    en, zh = "These items are priced in different currencies; order them apart.", "商品币种不同，请分开下单。"
    shown = ("currencies",)


class TooManyMerchants(Conflict):
    """One purchase holds orders of a limited number of merchants."""

    code = "too_many_merchants"
    en, zh = "One purchase holds goods of at most {cap} merchants.", "一次结算最多包含 {cap} 家商户的商品。"
    shown = ("cap",)


class PurchaseTooLarge(Conflict):
    """One purchase is one transaction, and that takes so many rows."""

    code = "purchase_too_large"
    en = (
        "One purchase holds at most {most} different items and merchants counted together; these are {items} items of "
        "{merchants} merchants. Order some of them apart."
    )
    zh = "单次结算的商品种类与商户数合计最多 {most}，当前为 {items} 种商品、{merchants} 家商户，请分开下单。"
    shown = ("most", "items", "merchants")


class QuoteUsed(Conflict):
    """This quote was ordered before, under another Idempotency-Key."""

    code = "quote_used"
    en, zh = "This quote was ordered already: see {purchase_id}.", "该报价单已下单，见订单 {purchase_id}。"
    shown = ("purchase_id",)


class TotalTooLarge(Conflict):
    """The sum is more than anybody can pay at once."""

    code = "total_too_large"
    en = "One purchase may cost at most {most}; this would be {total}. Order some of it apart."
    zh = "单笔订单最高 {most}，当前合计 {total}，请分开下单。"
    shown = ("most", "total", "currency")


class BadQuote(Invalid):
    """The quote is not one we signed for this account."""

    code = "bad_quote"
    en, zh = "This quote is not valid.", "报价单无效。"


class QuoteExpired(Conflict):
    """The quote is too old."""

    code = "quote_expired"
    en, zh = "The quote is too old; ask for a new one.", "报价单已过期，请重新获取。"


class PriceChanged(Conflict):
    """What it costs now is not what was quoted. Shows the difference line by line."""

    code = "price_changed"
    en, zh = "Prices changed since the quote.", "商品价格已变动，请重新确认。"
    shown = ("lines", "quoted_total", "current_total")


class QuoteChanged(Conflict):
    """What was quoted is not what it was: another kind of goods, another name. Shows the difference line by line."""

    code = "quote_changed"
    en, zh = "Goods changed since the quote; ask for a new one.", "商品信息已变更，请重新获取报价。"
    shown = ("lines",)


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One SKU in a quote."""

    sku_id: str
    product_id: str
    title: str
    options: tuple[str, ...]
    quantity: int
    unit: Money
    kind: str
    bucket_count: int
    name: str
    """Digest of its titles in all languages and its options: what the buyer was told it is."""
    left: int | None = None
    """What can still be had, where that was asked and is less than ``quantity``."""
    no_return: str = ""
    """Why it is not returned without a reason, if the buyer confirms that."""

    @property
    def total(self) -> Money:
        """Return the price of all its units."""
        return self.unit * self.quantity


@dataclass(frozen=True, slots=True)
class Share:
    """One merchant's share of a quote: what becomes an order."""

    merchant_id: str
    merchant_name: str
    lines: tuple[QuoteLine, ...]
    freight: Money
    commission_bps: int

    @property
    def goods(self) -> Money:
        """Return what the lines cost together."""
        return total((line.total for line in self.lines), self.freight.currency)

    @property
    def total(self) -> Money:
        """Return goods and freight."""
        return self.goods + self.freight


@dataclass(frozen=True, slots=True)
class Quote:
    """What a cart would cost now, and until when we stand by it."""

    account_id: str
    cart_version: int
    shares: tuple[Share, ...]
    contact: Contact | None
    expires_at: datetime

    @property
    def total(self) -> Money:
        """Return what is to be paid."""
        return total(share.total for share in self.shares)

    def lines(self) -> dict[str, QuoteLine]:
        """Return the lines by SKU."""
        return {line.sku_id: line for share in self.shares for line in share.lines}


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who orders, and when."""

    account_id: str
    at: datetime


def price(
    quantities: Mapping[str, int],
    products: Mapping[str, Product],
    terms: Mapping[str, Terms],
    *,
    language: str,
    buyer: Buyer | None = None,
) -> tuple[Share, ...]:
    """Work out each merchant's share: lines by SKU, freight flat per merchant where anything is shipped.

    ``quantities`` is by SKU; ``products`` by SKU as well. What was made for somebody is sold to that ``buyer`` alone.

    Raises:
        EmptyCart, NotForSale, MixedCurrencies, TooManyMerchants, PurchaseTooLarge, TotalTooLarge: for a cart that
            cannot be ordered as it is.
    """
    if not quantities:
        raise EmptyCart
    by_merchant: dict[str, list[QuoteLine]] = {}
    unsold: list[str] = []
    for sku_id in sorted(quantities):
        product = products.get(sku_id)
        sold = product if product is not None and _is_sold(product, buyer) else None
        line = _line(sku_id, quantities[sku_id], sold, terms, language)
        if line is None:
            unsold.append(sku_id)
        else:
            by_merchant.setdefault(products[sku_id].merchant_id, []).append(line)
    if unsold:
        raise NotForSale(sku_ids=unsold)
    if len(by_merchant) > MAX_MERCHANTS:
        raise TooManyMerchants(cap=MAX_MERCHANTS)
    if len(quantities) + len(by_merchant) > MAX_ROWS:
        raise PurchaseTooLarge(most=MAX_ROWS, items=len(quantities), merchants=len(by_merchant))
    shares = tuple(_share(terms[merchant_id], lines) for merchant_id, lines in sorted(by_merchant.items()))
    currencies = {line.unit.currency for share in shares for line in share.lines} | {
        share.freight.currency for share in shares
    }
    if len(currencies) > 1:
        raise MixedCurrencies(currencies=sorted(currencies))
    _check_total(shares)
    return shares


def _is_sold(product: Product, buyer: Buyer | None) -> bool:
    if product.made is None or buyer is None:
        return product.status == "listed"
    return is_sold_to(product, buyer.account_id, buyer.at)


def _check_total(shares: tuple[Share, ...]) -> None:
    owed = total(share.total for share in shares)
    if owed.minor > MAX_TOTAL_MINOR:
        most = Money(MAX_TOTAL_MINOR, owed.currency)
        raise TotalTooLarge(most=most.text(), total=owed.text(), currency=owed.currency)


def _line(
    sku_id: str, quantity: int, product: Product | None, terms: Mapping[str, Terms], language: str
) -> QuoteLine | None:
    if product is None:
        return None
    merchant = terms.get(product.merchant_id)
    sku = next((sku for sku in product.skus if sku.sku_id == sku_id), None)
    if merchant is None or merchant.status != "active" or sku is None:
        return None
    return QuoteLine(
        sku_id=sku_id,
        product_id=product.product_id,
        title=product.titles.get(language) or next(iter(product.titles.values()), ""),
        options=sku.options,
        quantity=quantity,
        unit=sku.price,
        kind=str(product.kind),
        bucket_count=sku.stock_buckets,
        name=_name(product, sku.options),
        no_return=product.no_return,
    )


def _name(product: Product, options: tuple[str, ...]) -> str:
    titles = [part for language, title in sorted(product.titles.items()) for part in (language, title)]
    return ids.digest(*titles, "", *options)[:NAME_CHARACTERS]


def _share(merchant: Terms, lines: list[QuoteLine]) -> Share:
    currency = lines[0].unit.currency
    goods = total((line.total for line in lines if line.unit.currency == currency), currency)
    nothing = Money(0, currency)
    ships = any(line.kind == "physical" for line in lines)
    free = not ships or not merchant.freight or _travels_free(merchant, goods)
    return Share(
        merchant_id=merchant.merchant_id,
        merchant_name=merchant.name,
        lines=tuple(lines),
        freight=nothing if free else merchant.freight,
        commission_bps=merchant.commission_bps,
    )


def _travels_free(merchant: Terms, goods: Money) -> bool:
    """Compare with the threshold in its own currency: 9,900 yen are not 99 yuan."""
    free_from = merchant.free_freight_from
    return free_from is not None and free_from.currency == goods.currency and goods.minor >= free_from.minor


def with_left(shares: tuple[Share, ...], left: Mapping[str, int]) -> tuple[Share, ...]:
    """Return the shares with what is left of each SKU where a line wants more than that."""
    return tuple(
        replace(
            share,
            lines=tuple(
                replace(line, left=left[line.sku_id]) if left[line.sku_id] < line.quantity else line
                for line in share.lines
            ),
        )
        for share in shares
    )


def confirmed(shares: tuple[Share, ...], sku_ids: Collection[str]) -> tuple[Share, ...]:
    """Return the shares whose goods keep their exclusion only where the buyer confirmed it for this purchase.

    Raises:
        NothingToConfirm: if it was confirmed of goods that have none, or that are not there.
    """
    marked = {line.sku_id for share in shares for line in share.lines if line.no_return}
    strange = sorted(set(sku_ids) - marked)
    if strange:
        raise NothingToConfirm(sku_ids=strange)
    return tuple(
        replace(
            share,
            lines=tuple(
                line if line.sku_id in sku_ids or not line.no_return else replace(line, no_return="")
                for line in share.lines
            ),
        )
        for share in shares
    )


def needs_address(shares: tuple[Share, ...]) -> bool:
    """Say whether anything has to be shipped."""
    return any(line.kind == "physical" for share in shares for line in share.lines)


def differences(quoted: Quote, current: tuple[Share, ...]) -> list[dict[str, object]]:
    """Return the lines and freights that cost something else now; empty where the quote still holds."""
    now = {line.sku_id: line for share in current for line in share.lines}
    found: list[dict[str, object]] = []
    for sku_id, line in quoted.lines().items():
        if now[sku_id].unit != line.unit:
            found.append({"sku_id": sku_id, "quoted": shown(line.unit), "current": shown(now[sku_id].unit)})
    freight_now = {share.merchant_id: share.freight for share in current}
    for share in quoted.shares:
        current_freight = freight_now.get(share.merchant_id, share.freight)
        if current_freight != share.freight:
            found.append(
                {
                    "freight_of": share.merchant_id,
                    "quoted": shown(share.freight),
                    "current": shown(current_freight),
                }
            )
    return found


def exchanged(quoted: Quote, current: tuple[Share, ...]) -> list[dict[str, object]]:
    """Return the lines that are something else now: another kind (an address may be missing), other words."""
    found: list[dict[str, object]] = []
    was = quoted.lines()
    for line in (line for share in current for line in share.lines):
        before = was[line.sku_id]
        if before.kind != line.kind:
            found.append({"sku_id": line.sku_id, "quoted_kind": before.kind, "current_kind": line.kind})
        elif before.name != line.name:
            found.append({"sku_id": line.sku_id, "current_title": line.title, "current_options": list(line.options)})
    return found


def check_unchanged(quoted: Quote, current: tuple[Share, ...]) -> None:
    """Compare a quote with what holds now; commission is not looked at, the order takes the quoted one.

    Raises:
        PriceChanged: if something costs more or less.
        QuoteChanged: if something is of another kind, or called otherwise.
        AddressNeeded: if something must be shipped, and the quote has no address.
    """
    lines = differences(quoted, current)
    others = exchanged(quoted, current)
    if lines:
        raise PriceChanged(
            lines=[*lines, *others],
            quoted_total=shown(quoted.total),
            current_total=shown(total(share.total for share in current)),
        )
    if others:
        raise QuoteChanged(lines=others)
    if quoted.contact is None and needs_address(current):
        raise AddressNeeded


def has_rows_for_lines(shares: tuple[Share, ...]) -> bool:
    """Say whether each order's lines may have a row of their own in the placing transaction."""
    return sum(len(share.lines) + 2 for share in shares) <= MAX_ROWS


def sealed_commissions(quoted: Quote) -> dict[str, int]:
    """Return each merchant's commission as it was quoted."""
    return {share.merchant_id: share.commission_bps for share in quoted.shares}


def shown(amount: Money) -> dict[str, object]:
    """Return an amount as a problem's members show it."""
    return {"minor": amount.minor, "currency": amount.currency}
