"""A file each, named as the settings name it; ``build()`` returns what ``ports.Channel`` describes."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from chalicelib.kernel.errors import Misconfigured
from chalicelib.notifications.domain import Kind
from chalicelib.notifications.ports import Channel
from chalicelib.notifications.providers import approved, templates_there
from chalicelib.runtime import caches, start
from chalicelib.runtime.config import setting

OF: dict[Kind, tuple[str, ...]] = {
    Kind.EMAIL: ("ses",),
    Kind.SMS: ("tencent", "aliyun"),
    Kind.WECHAT: ("wechat_mini",),
    Kind.QQ: ("qq_mini",),
}
SETTING: dict[Kind, str] = {Kind.EMAIL: "BIANDAN_EMAIL", Kind.SMS: "BIANDAN_SMS"}
"""What names the channel; a mini program's is there as soon as it has a template."""


@start.uses
def _secrets() -> list[str]:
    minis = [name.replace("_", "-") for kind in templates_there.SETTINGS for name in OF[kind]]
    return ["messages", *(f"messages-{name}" for name in OF[Kind.SMS]), *(f"sign-in-{name}" for name in minis)]


def configured(kind: Kind) -> str:
    """Return the name of the channel that carries this kind here; empty where there is none."""
    if kind in templates_there.SETTINGS:
        return OF[kind][0] if templates_there.all_of(kind) else ""
    return setting(SETTING[kind])


def carries(kind: Kind, template: str, language: str) -> bool:
    """Say whether some channel here carries a template: all but e-mails only go in words that the carrier approved."""
    if kind in templates_there.SETTINGS:
        return templates_there.template_of(kind, template) is not None
    return bool(configured(kind)) and (kind is not Kind.SMS or bool(approved.number_of(template, language)))


def load(kind: Kind) -> Channel | None:
    """Return the channel for a kind of message, imported and built on first use; None where there is none.

    Raises:
        Misconfigured: if the setting names none that there is.
    """
    name = configured(kind)
    if not name:
        return None
    if name not in OF[kind]:
        raise Misconfigured(why=f"{SETTING[kind]} is none of {', '.join(OF[kind])}")
    return _built(name)


@cache
def _built(name: str) -> Channel:
    return cast("Channel", import_module(f"{__name__}.{name}").build())


@caches.register
def forget() -> None:
    """Build channels anew: when the environment changed."""
    _built.cache_clear()
