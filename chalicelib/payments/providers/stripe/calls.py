"""How we call Stripe: one call, and the pages of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chalicelib.payments.providers.stripe import codes as stripe_codes
from chalicelib.payments.providers.stripe import wire as stripe_wire
from chalicelib.runtime import outbound, secrets

_MAX_PAGES = 20


class NoAnswer(Exception):
    """A page is missing, leads nowhere, or there are too many."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Calls:
    """What the adapter calls with; without a configuration settings and secret are read at each use."""

    configuration: stripe_wire.Configuration | None = None

    def told(self) -> stripe_wire.Configuration:
        """Return what it is told now.

        Raises:
            Misconfigured: if that is incomplete.
        """
        return self.configuration or stripe_wire.configuration_from(secrets.secret(stripe_wire.SECRET))

    def call(
        self, method: str, path: str, form: Mapping[str, str], *, key: str = "", timeout_s: float | None = None
    ) -> stripe_wire.Answer:
        """Make one call. No answer, or one that is not Stripe's shape or mode, has status 0: unknown."""
        told = self.told()
        encoded = urlencode(form)
        url = told.base_url + path + (f"?{encoded}" if method == "GET" and encoded else "")
        headers = {
            "Authorization": f"Bearer {told.secret_key}",
            "Stripe-Version": stripe_wire.API_VERSION,
            "Accept": "application/json",
            "User-Agent": "biandan",
        }
        if told.account:
            headers["Stripe-Account"] = told.account
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if key:
            headers["Idempotency-Key"] = key
        body = encoded.encode() if method == "POST" else b""
        try:
            response = outbound.request(method, url, headers=headers, body=body, timeout_s=timeout_s)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            return stripe_wire.Answer(0, {}, code=error.code)
        return stripe_wire.read_answer(response, told)

    def pages(self, path: str, form: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Yield the items of a list, newest first.

        Raises:
            NoAnswer: if a page is missing, or there are more than we read: then nobody may say "none".
        """
        for number, (items, more) in enumerate(self.pages_after(path, form, ""), 1):
            yield from items
            if more and number == _MAX_PAGES:
                raise NoAnswer("too_many_pages")

    def pages_after(
        self, path: str, form: Mapping[str, str], after: str, *, timeout_s: float | None = None
    ) -> Iterator[tuple[list[Mapping[str, Any]], str]]:
        """Yield the pages of a list behind an item, each with the id of its last one; empty on the last page.

        Raises:
            NoAnswer: if a page is missing, or leads nowhere.
        """
        while True:
            cursor = {"starting_after": after} if after else {}
            answer = self.call("GET", path, {**form, "limit": "100", **cursor}, timeout_s=timeout_s)
            items = answer.content.get("data")
            if answer.status != 200 or not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
                raise NoAnswer(answer.code or "unreadable")
            if answer.content.get("has_more") is not True:
                yield items, ""
                return
            before, after = after, str(items[-1].get("id")) if items else ""
            if after == before or not stripe_codes.ID.fullmatch(after):
                raise NoAnswer("unreadable")
            yield items, after
