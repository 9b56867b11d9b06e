"""Money: whole minor units beside their currency, and splits that always sum to the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.kernel.errors import CurrencyMismatch

MINOR_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}
"""Currencies whose minor unit is not a hundredth (ISO 4217); every other one has two digits."""
MAX_MINOR = 10**11
"""The most of one price, or of one freight: a billion yuan."""
MAX_TOTAL_MINOR = 10**12 - 1
"""The most of one purchase, and so of anything that is paid or refunded: more than any provider takes, and a thousand
such sums still are a whole number that every reader of JSON keeps exactly."""

# fmt: off
CURRENCIES = frozenset({
    "AED", "AUD", "BHD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "IDR", "ILS", "INR", "JOD",
    "JPY", "KRW", "KWD", "MOP", "MXN", "MYR", "NOK", "NZD", "OMR", "PHP", "PLN", "QAR", "RON", "SAR", "SEK", "SGD",
    "THB", "TND", "TWD", "USD", "VND", "ZAR",
})
# fmt: on
"""Currencies that somebody here can be paid in: those of all providers together, which a contract test compares. What
has a price in another one (``RMB``, ``XAU``, a misspelling) could be put into a cart and never be paid."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units (fen, cents, yen). May be negative: a difference or a posting."""

    minor: int
    currency: str = "CNY"

    def __post_init__(self) -> None:
        if type(self.minor) is int and self.currency in CURRENCIES:
            return  # As nearly always; there are dozens in an order.
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"minor units are whole: {self.minor!r}")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError(f"not a currency code: {self.currency!r}")

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __mul__(self, count: int) -> Money:
        return Money(self.minor * count, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise CurrencyMismatch(have=self.currency, got=other.currency)
        return other

    def split(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Split in proportion to the weights; see :func:`split_minor`."""
        return tuple(Money(part, self.currency) for part in split_minor(self.minor, weights))

    def text(self) -> str:
        """Return the amount in major units as people and bills write it: ``88.00 CNY``."""
        digits = MINOR_DIGITS.get(self.currency, 2)
        if not digits:
            return f"{self.minor} {self.currency}"
        whole, rest = divmod(abs(self.minor), 10**digits)
        return f"{'-' if self.minor < 0 else ''}{whole}.{rest:0{digits}d} {self.currency}"


def total(amounts: Iterable[Money], currency: str = "CNY") -> Money:
    """Sum amounts of one currency; ``currency`` is that of an empty sum."""
    result: Money | None = None
    for amount in amounts:
        result = amount if result is None else result + amount
    return result if result is not None else Money(0, currency)


def split_minor(whole: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split ``whole`` in proportion to ``weights`` by the largest remainder; the parts sum to ``whole``.

    Each part is its exact share rounded towards zero; the units left over go one each to the largest
    remainders, the earlier position first where remainders are equal. All weights zero count as equal.
    A negative whole is split as its absolute value, then negated. Source: Hamilton's method.

    Raises:
        ValueError: if there are no weights, or one is negative.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError("a split needs weights of zero or more")
    if whole < 0:
        return tuple(-part for part in split_minor(-whole, weights))
    if not any(weights):
        weights = [1] * len(weights)
    divisor = sum(weights)
    shares = [divmod(whole * weight, divisor) for weight in weights]
    left = whole - sum(quotient for quotient, _ in shares)
    first = sorted(range(len(weights)), key=lambda i: (-shares[i][1], i))[:left]
    return tuple(quotient + (i in first) for i, (quotient, _) in enumerate(shares))
