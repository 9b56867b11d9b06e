"""Canned answers: what a merchant or the service says again and again, kept as one list, replaced as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from chalicelib.conversations import answer_store
from chalicelib.kernel.errors import ConcurrentUpdate

MOST_ANSWERS: Final = 50
SERVICE: Final = "service"


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A canned answer: what it is called, and what it says."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Answers:
    """All of a merchant, or of the service."""

    whose: str
    items: tuple[Answer, ...] = ()
    version: int = 0


def load(whose: str) -> Answers:
    """Return a merchant's answers, or those of the service."""
    items, version = answer_store.load(whose, Answer)
    return Answers(whose, items, version)


def replace_all(whose: str, items: tuple[Answer, ...], *, version: int) -> Answers:
    """Put a list in the place of the one with a version; the same list once more changes nothing.

    Raises:
        ConcurrentUpdate: if somebody else changed it since it was read.
    """
    before = load(whose)
    if before.items == items:
        return before
    if before.version != version:
        raise ConcurrentUpdate
    answer_store.save(whose, items, version)
    return Answers(whose, items, version + 1)
