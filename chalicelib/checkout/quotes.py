"""The quote as a token: signed, short-lived, complete, so that nothing is stored for it.

Titles are not in it: they are read again with the prices, and their digest says whether they still are the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

import msgspec

from chalicelib.checkout.domain import BadQuote, Quote, QuoteLine, Share
from chalicelib.kernel import base64url
from chalicelib.kernel.money import Money
from chalicelib.orders.domain import Contact
from chalicelib.runtime import secrets

_MAC_BYTES = 16


class _Line(msgspec.Struct, array_like=True):
    sku_id: str
    quantity: int
    unit_minor: int
    kind: str
    buckets: int
    name: str


class _Share(msgspec.Struct, array_like=True):
    merchant_id: str
    freight_minor: int
    commission_bps: int
    lines: tuple[_Line, ...]


class _Token(msgspec.Struct, array_like=True):
    account_id: str
    cart_version: int
    currency: str
    expires_at: datetime
    shares: tuple[_Share, ...]
    contact: Contact | None


_decoder = msgspec.json.Decoder(_Token)


def seal(quote: Quote) -> str:
    """Return the token of a quote."""
    token = _Token(
        account_id=quote.account_id,
        cart_version=quote.cart_version,
        currency=quote.total.currency,
        expires_at=quote.expires_at,
        shares=tuple(
            _Share(
                share.merchant_id,
                share.freight.minor,
                share.commission_bps,
                tuple(
                    _Line(line.sku_id, line.quantity, line.unit.minor, line.kind, line.bucket_count, line.name)
                    for line in share.lines
                ),
            )
            for share in quote.shares
        ),
        contact=quote.contact,
    )
    payload = msgspec.json.encode(token)
    return base64url.encode(_mac(payload) + payload)


def unseal(token: str, *, account_id: str) -> Quote:
    """Return the quote of a token that we signed for this account. Its age is the caller's to judge.

    Raises:
        BadQuote: for anything else.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadQuote from error
    payload = raw[_MAC_BYTES:]
    if not hmac.compare_digest(raw[:_MAC_BYTES], _mac(payload)):
        raise BadQuote
    try:
        found = _decoder.decode(payload)
    except msgspec.MsgspecError as error:  # Signed before the last deployment, which read less.
        raise BadQuote from error
    if found.account_id != account_id:
        raise BadQuote
    return Quote(
        account_id=found.account_id,
        cart_version=found.cart_version,
        shares=tuple(_share(share, found.currency) for share in found.shares),
        contact=found.contact,
        expires_at=found.expires_at,
    )


def _share(share: _Share, currency: str) -> Share:
    return Share(
        merchant_id=share.merchant_id,
        merchant_name="",
        lines=tuple(
            QuoteLine(
                sku_id=line.sku_id,
                product_id="",
                title="",
                options=(),
                quantity=line.quantity,
                unit=Money(line.unit_minor, currency),
                kind=line.kind,
                bucket_count=line.buckets,
                name=line.name,
            )
            for line in share.lines
        ),
        freight=Money(share.freight_minor, currency),
        commission_bps=share.commission_bps,
    )


def _mac(payload: bytes) -> bytes:
    key = secrets.text("checkout", "quote_key").encode()
    return hmac.new(key, payload, hashlib.sha256).digest()[:_MAC_BYTES]
