"""Whose number it is, for merchants who did not say, and where what they said cannot be: by its form, else by a hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ShopError
from chalicelib.logistics import domain, hubs, quota_store
from chalicelib.logistics.carriers import by_form
from chalicelib.runtime import log

A_MERCHANTS_DAY: Final = 300
"""Questions to hubs that one merchant may cause in a day; the form of a number is looked at without end."""
FORM: Final = "form"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The carriers that a number may be of, the likeliest first, and who says so: a hub, or its form."""

    carriers: tuple[str, ...]
    said_by: str


def recognise(number: str, *, asker: str) -> Recognised:
    """Say whose number it may be. A form that is one carrier's alone settles it; else a hub is asked, if one may be."""
    plain = domain.normal(number)
    sure = by_form(plain)
    if len(sure) == 1 or not quota_store.take(asker, limit=A_MERCHANTS_DAY, now=clock.now()):
        return Recognised(tuple(sure), FORM)
    for name in hubs.ranked():
        hub = hubs.hub(name)
        if not quota_store.take(name, limit=hub.limits.questions_a_day, now=clock.now()):
            continue
        try:
            found = hub.recognise(plain)
        except ShopError as error:
            log.warning("carrier hub did not say whose number it is", hub=name, code=error.code)
            continue
        if found:
            return Recognised(tuple(dict.fromkeys(found))[:10], name)
    return Recognised(tuple(sure), FORM)
