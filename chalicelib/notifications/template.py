"""What a template of messages is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.kernel.texts import Texts


@dataclass(frozen=True, slots=True)
class Template:
    """One message. Texts are English and Chinese, with fields in braces."""

    subject: Texts
    body: Texts
    short: Texts
    """As a text message."""
    approved: str
    """The name of the carriers' template, which several messages may share."""
    fields: tuple[str, ...] = ()
    purpose: str = ""
    """What its reader must have agreed to; empty for what the contract wants said."""
