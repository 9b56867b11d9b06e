"""What was done for the platform about somebody or something, with what proves it."""

from __future__ import annotations

from typing import Final

from chalicelib.explaining import texts
from chalicelib.explaining.domain import Kind, Seal, Step, by_time
from chalicelib.kernel.pages import Window
from chalicelib.oversight import service as oversight
from chalicelib.oversight.service import Proven

MOST: Final = 500
"""So many acts of one subject are read; no order has as many, and of an account the first ones are left out."""
PAGE: Final = 100


def of(subject: str) -> list[Step]:
    """Return what was done about a subject, sealed or not yet."""
    found: list[Proven] = []
    window = Window(PAGE)
    while len(found) < MOST:
        page = oversight.done_about(subject, window)
        found += page.items
        if page.after is None:
            break
        window = Window(PAGE, page.after)
    return by_time(_step(subject, one) for one in (*found, *oversight.done_just_now(subject)))


def _step(subject: str, proven: Proven) -> Step:
    line = proven.line
    seal = Seal(proven.digest, proven.link, proven.number, proven.batch, proven.as_sealed)
    named = next(iter(line.records.values()), subject)
    return Step(
        at=line.at,
        kind=Kind.ACT,
        what=line.act,
        record_id=named,
        texts=texts.of_act(line.act),
        by=line.by,
        note=line.said.get("reason", ""),
        request_id=line.request_id,
        seal=seal,
    )
