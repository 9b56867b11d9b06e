"""Our templates at the platforms of mini programs, by settings: the platform's number of each, and its keys.

``BIANDAN_WECHAT_TEMPLATES`` and ``BIANDAN_QQ_TEMPLATES``: ``shipped:TMPL1/character_string1=order/thing2=shop,...``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.notifications.domain import Kind
from chalicelib.runtime.config import setting

SETTINGS: Final[Mapping[Kind, str]] = {Kind.WECHAT: "BIANDAN_WECHAT_TEMPLATES", Kind.QQ: "BIANDAN_QQ_TEMPLATES"}


@dataclass(frozen=True, slots=True)
class There:
    """One template at a platform."""

    name: str
    """Ours."""
    template_id: str
    keys: tuple[tuple[str, str], ...]
    """The platform's key -> our field."""


def all_of(kind: Kind) -> tuple[There, ...]:
    """Return our templates at a kind's platform."""
    parts = [part.strip() for part in setting(SETTINGS[kind]).split(",") if part.strip()]
    return tuple(_there(part) for part in parts)


def template_of(kind: Kind, name: str) -> There | None:
    """Return a template there, or None if it has none."""
    return next((one for one in all_of(kind) if one.name == name), None)


def _there(part: str) -> There:
    name, _, rest = part.partition(":")
    template_id, *keys = rest.split("/")
    return There(name, template_id, tuple((key, field) for key, _, field in (one.partition("=") for one in keys)))
