"""Texts for people: one in English and one in Chinese, always in this order."""

from __future__ import annotations

Texts = tuple[str, str]
"""English, Chinese."""


def said(texts: Texts, language: str) -> str:
    """Return the text in ``zh`` (or a variety of it), else in English."""
    english, chinese = texts
    return chinese if language.startswith("zh") else english
