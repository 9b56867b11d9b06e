"""Who signs in at the stand-in: names of one person in each app and on each platform, the same at every start."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

PERSONS: Mapping[str, str] = {"mei": "梅子", "li": "小李"}
"""Persons the page offers, with what they are called. Any other name is another person."""
_NAME = re.compile(r"[a-z0-9-]{1,20}")
PLATFORMS = {"qq": "qq", "qq_mini": "qq", "wechat_mini": "wechat"}


@dataclass(frozen=True)
class App:
    """One app of ours at a platform."""

    appid: str
    secret: str


def person(name: object) -> str:
    """Return a person's name.

    Raises:
        ValueError: if nobody is called so.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("a person is 1 to 20 of a-z, 0-9 and -")
    return name


def called(name: str) -> str:
    """Return a person's nickname."""
    return PERSONS.get(name, name)


def openid(provider: str, appid: str, name: str) -> str:
    """Return the name of a person in one app."""
    digest = hashlib.sha256(f"{provider}:{appid}:{name}".encode()).hexdigest()
    return "o" + digest[:27] if PLATFORMS[provider] == "wechat" else digest[:32].upper()


def unionid(provider: str, name: str) -> str:
    """Return the name of a person in all apps of a platform."""
    digest = hashlib.sha256(f"{PLATFORMS[provider]}:{name}".encode()).hexdigest().upper()
    return "o6" + digest[:26] if PLATFORMS[provider] == "wechat" else "UID_" + digest[:32]
