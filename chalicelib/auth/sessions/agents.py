"""Which program on which system a User-Agent names, in words that people know. Pure.

A User-Agent says what its sender likes: the words help people to know their own devices again, and decide nothing.
"""

from __future__ import annotations

from typing import Final

_PROGRAMS: Final = (
    # The first that fits counts: what runs in another program or is built on it names both.
    ("miniProgram", "WeChat mini program"),
    ("MicroMessenger/", "WeChat"),
    ("QQ/", "QQ"),
    ("AlipayClient/", "Alipay"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("UCBrowser/", "UC Browser"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
)
_SYSTEMS: Final = (
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_READ: Final = 512
"""A browser's has some 150 characters; of a longer one the rest is not read."""


def family(user_agent: str) -> str:
    """Return ``Chrome, Windows``, one of the two where only that is said, or nothing."""
    text = user_agent[:_READ]
    found = (_first(_PROGRAMS, text), _first(_SYSTEMS, text))
    return ", ".join(word for word in found if word)


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((word for mark, word in table if mark in text), "")
