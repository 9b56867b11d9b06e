"""Feedback in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.feedback.domain import Status
from chalicelib.kernel.texts import Texts, said

STATES: Mapping[Status, Texts] = {
    Status.NEW: ("Received; it will be sorted", "已收到，待分类"),
    Status.SORTED: ("With whoever answers it", "已分类，待答复"),
    Status.ANSWERED: ("Answered", "已答复"),
    Status.CLOSED: ("Closed", "已关闭"),
}


def status_text(status: Status, language: str) -> str:
    """Return how feedback stands, for a person."""
    return said(STATES[status], language)
