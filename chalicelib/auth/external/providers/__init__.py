"""A file each, named as the way to sign in is in addresses. In use are those that ``BIANDAN_SIGN_IN`` names."""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from chalicelib.auth.external.domain import NotOffered
from chalicelib.auth.external.ports import MiniProvider, WebProvider
from chalicelib.runtime import start
from chalicelib.runtime.config import setting

WEB: Final = ("qq",)
MINI: Final = ("qq_mini", "wechat_mini")
SETTING: Final = "BIANDAN_SIGN_IN"


@start.uses
def _secrets() -> list[str]:
    return [secret_of(name) for name in offered()]


def secret_of(name: str) -> str:
    """Return the name of a provider's secret: ``{"appid": ..., "app_secret": ...}``."""
    return f"sign-in-{name.replace('_', '-')}"


def offered() -> tuple[str, ...]:
    """Return the ways to sign in that this installation offers."""
    wanted = {part.strip() for part in setting(SETTING).split(",")}
    return tuple(name for name in (*WEB, *MINI) if name in wanted)


def web(name: str) -> WebProvider:
    """Return a provider of the web, imported by its first use.

    Raises:
        NotOffered: if there is none of this name, or it is turned off.
    """
    if name not in WEB or name not in offered():
        raise NotOffered
    return cast("WebProvider", import_module(f"{__name__}.{name}").build())


def mini(name: str) -> MiniProvider:
    """Return a mini program's provider, imported by its first use.

    Raises:
        NotOffered: if there is none of this name, or it is turned off.
    """
    if name not in MINI or name not in offered():
        raise NotOffered
    return cast("MiniProvider", import_module(f"{__name__}.{name}").build())
