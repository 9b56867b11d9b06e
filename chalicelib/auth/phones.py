"""Phone numbers in one form (E.164), read as the country of the person reads them.

Numbers of the mainland are judged here, by two patterns; those of other countries by ``phonenumbers``, which takes
54 ms to import and is imported by the first such number.
"""

from __future__ import annotations

import re
import unicodedata

CHINA = "CN"
REGION_OF_PROVINCE = {"香港特别行政区": "HK", "澳门特别行政区": "MO", "台湾省": "TW"}
"""Provinces whose numbers have a country code of their own: eight digits of Hong Kong are none of the mainland."""

_PUNCTUATION = re.compile(
    r"[\s().\-/\u00ad\u00b7\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2069\u2212\u2022\u30fb\u30fc\ufeff]"
)
"""What people put between digits, and what comes along where a number is copied out of a list of contacts."""
_WRITTEN = re.compile(r"\+?[0-9]{3,20}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_CN_MOBILE = re.compile(r"\+861[3-9][0-9]{9}")
_CN_LANDLINE = re.compile(r"\+86(10|2[0-9]|[3-9][0-9]{2})[0-9]{7,8}")


def phone(text: str, country: str = CHINA) -> str | None:
    """Return the number as E.164, or None if nobody can be called by it.

    A number without a country code is one of ``country`` (ISO 3166), never of another: where it is none of that
    country's it is refused, not given a code that fits.
    """
    digits = _PUNCTUATION.sub("", unicodedata.normalize("NFKC", text))
    if not digits.isascii() or not _WRITTEN.fullmatch(digits):
        return None
    if digits.startswith("+"):
        return _international(digits)
    if country != CHINA:
        return _national(digits, country)
    if digits.startswith("00"):
        return _international("+" + digits[2:])
    if re.fullmatch(r"861[3-9][0-9]{9}", digits):
        return "+" + digits
    # Landlines are written with a trunk 0 inside the country.
    return _chinese("+86" + digits.removeprefix("0"))


def phone_at(text: str, country: str, province: str | None) -> str | None:
    """Return the number of a person at an address, as :func:`phone`.

    In Hong Kong, Macao and Taiwan a mainland mobile number is known by its eleven digits: none of theirs has as many.
    """
    region = REGION_OF_PROVINCE.get(province or "", country) if country == CHINA else country
    found = phone(text, region)
    if found is None and region != country:
        mainland = phone(text)
        return mainland if mainland is not None and is_chinese_mobile(mainland) else None
    return found


def is_chinese_mobile(number: str) -> bool:
    """Say whether a number in E.164 is a mobile one of the mainland."""
    return _CN_MOBILE.fullmatch(number) is not None


def _chinese(number: str) -> str | None:
    return number if _CN_MOBILE.fullmatch(number) or _CN_LANDLINE.fullmatch(number) else None


def _international(number: str) -> str | None:
    if number.startswith("+86"):
        # Some keep the trunk 0 behind the country code.
        return _chinese("+86" + number.removeprefix("+86").removeprefix("0"))
    return _judged(number, None) if _E164.fullmatch(number) else None


def _national(digits: str, country: str) -> str | None:
    """Read a number as the country does, with its own trunk and its own way abroad; else ``00`` leads abroad."""
    found = _judged(digits, country)
    if found is None and digits.startswith("00"):
        return _international("+" + digits[2:])
    return found


def _judged(digits: str, country: str | None) -> str | None:
    import phonenumbers

    try:
        read = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(read):
        return None
    number = str(phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164))
    return _chinese(number) if number.startswith("+86") else number
