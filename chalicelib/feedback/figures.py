"""The figures that everybody may see: how soon the service answers, what is solved, and how people found it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.conversations import service as conversations
from chalicelib.feedback import store, surveys
from chalicelib.feedback.surveys import Month
from chalicelib.merchants import service as merchants


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted in a month of conversations, of feedback, and of how cases were found."""

    answering: conversations.figures.Counts
    month: Month


def of_platform(month: str) -> Figures:
    """Return the platform's figures of a month."""
    return _of(conversations.figures.SERVICE, store.ALL, month)


def of_merchant(merchant_id: str, month: str) -> Figures:
    """Return a merchant's figures of a month.

    Raises:
        NotFound: if there is no such merchant.
    """
    merchants.load(merchant_id)
    return _of(merchant_id, merchant_id, month)


def _of(answering: str, asked: str, month: str) -> Figures:
    days = conversations.counts_between(answering, *surveys.days_of(month))
    return Figures(conversations.figures.total(days.values()), store.month(asked, month))
