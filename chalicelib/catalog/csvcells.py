"""One product's cells, read with their rules; what is wrong is collected, and what is to be known noted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from chalicelib.catalog.csvfile import Group, Line
from chalicelib.catalog.csvreasons import Finding, finding, note
from chalicelib.catalog.domain import Product
from chalicelib.kernel import links
from chalicelib.kernel.money import CURRENCIES, MINOR_DIGITS, Money

MAX_GRAMS: Final = 10_000_000
_BOOLEANS: Final = {"": None, "true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
_BOOLEANS.update({"是": True, "否": False, "y": True, "n": False, "on": True, "off": False})
for _yes, _no in (
    *(("wahr", "falsch"), ("vrai", "faux"), ("verdadero", "falso"), ("vero", "falso"), ("verdadeiro", "falso")),
    *(("waar", "onwaar"), ("prawda", "fałsz"), ("истина", "ложь"), ("真", "假")),
):
    _BOOLEANS.update({_yes: True, _no: False})  # What a spreadsheet of that language makes of TRUE and FALSE.
_POLICIES: Final = {"": False, "deny": False, "continue": True}
_PICTURE: Final = re.compile(links.ADDRESS_OR_PATH)
_PICTURE_CHARS: Final = 500
_PRICE: Final = re.compile(r"([0-9]{1,9}|(?=\.[0-9]))(?:\.([0-9]{0,12}))?")
_OVERSOLD: Final = re.compile(r"-[0-9]{1,8}(?:\.0+)?")
_WEIGHT: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})[ \u00a0]?([a-z\u4e00-\u9fff]{0,8})")
_UNITS: Final[Mapping[str, Decimal]] = {
    **dict.fromkeys(("", "g", "gram", "grams", "克"), Decimal(1)),
    **dict.fromkeys(("kg", "kilogram", "千克", "公斤"), Decimal(1000)),
    **dict.fromkeys(("oz", "ounce", "ounces", "盎司"), Decimal("28.349523125")),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds", "磅"), Decimal("453.59237")),
    "mg": Decimal("0.001"),
    "斤": Decimal(500),
}


class Reader:
    """Reads one product's lines. ``known`` is the product as it is, None if it is new."""

    def __init__(self, group: Group, columns: Iterable[str], currency: str, known: Product | None) -> None:
        self.group = group
        self.first = group.lines[0]
        self.columns = frozenset(columns)
        self.known = known
        self.faults: list[Finding] = []
        self.notes: list[Finding] = []
        self.currency = self._currency(currency)

    def has(self, *columns: str) -> bool:
        """Say whether the file has one of these columns."""
        return not self.columns.isdisjoint(columns)

    def fault(self, line: Line, column: str, code: str, **params: object) -> None:
        """Say that the product cannot be taken."""
        self.faults.append(finding(line.line, column, code, **params))

    def note(self, line: Line, column: str, code: str) -> None:
        """Say what is to be known of it."""
        self.notes.append(note(line.line, column, code))

    def _currency(self, default: str) -> str:
        stated = self.first.get("Currency").upper()
        for line in self.group.lines:
            if line.get("Currency").upper() not in ("", stated):
                self.fault(line, "Currency", "bad_currency")
        if stated and stated not in CURRENCIES:
            self.fault(self.first, "Currency", "bad_currency")
            return default
        return stated or default

    def text(self, line: Line, column: str, most: int) -> str:
        """Return a text of limited length."""
        text = line.get(column)
        if len(text) > most:
            self.fault(line, column, "cell_too_long", most=most)
        return text

    def price(self, line: Line, column: str, *, least: int) -> Money | None:
        """Return an amount in the product's currency."""
        text = line.get(column)
        if not text:
            return None
        digits = MINOR_DIGITS.get(self.currency, 2)
        found = _PRICE.fullmatch(text)
        rest = (found.group(2) or "").rstrip("0") if found else ""
        if found is None or len(rest) > digits:
            self.fault(line, column, "bad_price")
            return None
        minor = int((found.group(1) or "0") + rest.ljust(digits, "0"))
        if minor < least:
            self.fault(line, column, "bad_price")
            return None
        return Money(minor, self.currency)

    def whole(self, line: Line, column: str, code: str) -> int | None:
        """Return a whole number, also one that a spreadsheet has written ``5.0``."""
        text = line.get(column)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,8}(\.0+)?", text) or int(text.split(".")[0]) > 10_000_000:
            self.fault(line, column, code)
            return None
        return int(text.split(".")[0])

    def units(self, line: Line, column: str) -> int | None:
        """Return how many there are to sell. Shopify counts on below zero where it sold what was not there."""
        if _OVERSOLD.fullmatch(line.get(column)):
            self.note(line, column, "oversold_elsewhere")
            return 0
        return self.whole(line, column, "bad_quantity")

    def grams(self, line: Line) -> int | None:
        """Return the weight, rounded half up to grams; None if the line does not say it.

        ``Variant Grams`` is grams, whatever unit Shopify shows it in; ``Variant Weight`` is in ``Variant Weight Unit``.
        """
        if line.get("Variant Grams"):
            return self._grams(line, "Variant Grams", "g")
        if line.get("Variant Weight"):
            return self._grams(line, "Variant Weight", line.get("Variant Weight Unit") or "g")
        return None

    def _grams(self, line: Line, column: str, unit: str) -> int | None:
        found = _WEIGHT.fullmatch(line.get(column).casefold())
        factor = _UNITS.get(found.group(2) or unit.casefold()) if found is not None else None
        if found is None or factor is None:
            self.fault(line, column, "bad_weight")
            return None
        grams = int((Decimal(found.group(1)) * factor).quantize(Decimal(1), ROUND_HALF_UP))
        if grams > MAX_GRAMS:
            self.fault(line, column, "bad_weight")
            return None
        return grams

    def boolean(self, line: Line, column: str) -> bool | None:
        """Return yes or no; None if the cell is empty."""
        text = line.get(column).casefold()
        if text not in _BOOLEANS:
            self.fault(line, column, "bad_boolean")
        return _BOOLEANS.get(text)

    def oversells(self, line: Line) -> bool:
        """Say whether the variant is sold on when its count is at zero."""
        text = line.get("Variant Inventory Policy").casefold()
        if text in _POLICIES:
            return _POLICIES[text]
        if text in _BOOLEANS:
            return bool(_BOOLEANS[text])
        self.fault(line, "Variant Inventory Policy", "bad_policy")
        return False

    def picture(self, line: Line, column: str) -> str | None:
        """Return a picture's address."""
        text = links.escaped(links.with_scheme(line.get(column)))
        if not text:
            return None
        if len(text) > _PICTURE_CHARS:
            self.fault(line, column, "cell_too_long", most=_PICTURE_CHARS)
            return None
        if not _PICTURE.fullmatch(text):
            self.fault(line, column, "bad_picture")
            return None
        return text
