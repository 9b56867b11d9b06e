"""The numbers that a carrier gave to our templates, by the setting ``BIANDAN_SMS_TEMPLATES``."""

from __future__ import annotations

from chalicelib.runtime.config import setting

SETTING = "BIANDAN_SMS_TEMPLATES"
"""``code.zh:1110,code.en:1111``."""
SIGN_SETTING = "BIANDAN_SMS_SIGN"


def number_of(template: str, language: str) -> str:
    """Return the carrier's number of a template in a language; empty where it has none."""
    pairs = (part.strip().partition(":") for part in setting(SETTING).split(","))
    known = {name: number for name, _, number in pairs if number}
    return known.get(f"{template}.{'zh' if language.startswith('zh') else 'en'}", "")


def sign_name() -> str:
    """Return the name that stands before each text message, as the carrier approved it."""
    return setting(SIGN_SETTING)
