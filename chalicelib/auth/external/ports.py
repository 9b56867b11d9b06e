"""What a platform must be able to do for us: prove who somebody is, by a code that its own page or app gave them."""

from __future__ import annotations

from typing import Protocol

from chalicelib.auth.external.domain import Platform, Proof


class WebProvider(Protocol):
    """A platform whose page sends a browser back with a code (OAuth 2.0)."""

    name: str
    platform: Platform

    @property
    def appid(self) -> str:
        """Return the number of our app there."""

    def authorize_url(self, *, state: str, return_url: str, small: bool) -> str:
        """Return where the browser goes; ``small`` for a phone's screen."""

    def prove(self, code: str, *, return_url: str) -> Proof:
        """Return whom a code stands for.

        Raises:
            CodeRefused: if it stands for nobody, or for somebody of another app.
            ProviderBusy, ProviderLimited, PersonBlocked, WayBroken, Unreadable: as the platform answers.
            OutboundTimeout, OutboundFailed: if it does not.
        """

    def nickname(self, proof: Proof) -> str:
        """Return what the person is called there; empty if that cannot be learnt. Never fails a sign-in."""


class MiniProvider(Protocol):
    """A platform whose app gives our mini program a code (``code2Session``)."""

    name: str
    platform: Platform

    @property
    def appid(self) -> str:
        """Return the number of our mini program there."""

    def prove(self, js_code: str) -> Proof:
        """Return whom a code stands for, with the session key.

        Raises:
            as :meth:`WebProvider.prove`.
        """
