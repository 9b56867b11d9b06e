"""What stand-ins of real hosts share: steering, lost calls, notices on their way, open calls, a transport by host.

The words are those of :mod:`tools.sandbox.core` (``steer``, ``pay``, ``pay_closed``, ``settle``, ``console_refund``,
``tick``), so that one scenario runs against any of them. Time and randomness are injected: a seed replays. Open calls,
for people and tests, are ``core``'s too, each behind ``/_sandbox``: ``POST /pay/{no}``, ``/pay-closed/{no}``,
``/control[/{no}]``, ``/settle/{refund}``, ``/console-refund/{no}``, ``GET /state``, and a page at ``GET /``.
"""

from __future__ import annotations

import hashlib
import html
import json
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import quote, urlsplit

from chalicelib.runtime import outbound
from tools.sandbox import core
from tools.sandbox.core import RETRIES_S, Answer, Outgoing, Post, Silence

CERTIFICATE_HEADER = "x-client-certificate"
"""How a stand-in sees the TLS client certificate of a call: the SHA-256 of its PEM text, as a proxy would put it."""


@dataclass(frozen=True)
class Steering(core.Steering):
    """How an order is treated; see :class:`tools.sandbox.core.Steering`."""

    other_app: bool = False
    """Notices name another app (or carry no number of this shop)."""
    other_mode: bool = False
    """Notices are of the other mode (test, live)."""
    unknown_key: bool = False
    """Notices are signed with a key nobody holds."""
    answer_amount: int | None = None
    """Queries answer this amount: a provider that contradicts itself."""
    broken: tuple[str, ...] = ()
    """Operations answered with 500 or a system error, before any effect, each once."""


_TUPLES = {entry.name for entry in fields(Steering) if entry.type == "tuple[str, ...]"}


@dataclass
class StandIn(ABC):
    """One provider's other end. Subclasses know its protocol."""

    now: Callable[[], float] = time.time
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    default: Steering = field(default_factory=Steering)
    outbox: list[Outgoing] = field(default_factory=list)
    delivered: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """What was posted and the status that came back, in order."""
    bill_defects: tuple[str, ...] = ()
    """Which defects the next bills have: ``missing extra amount duplicate totals field``."""
    calls: list[str] = field(default_factory=list)
    """Every call that was understood: ``operation number``."""
    refusals: list[str] = field(default_factory=list)
    """Why calls of ours were refused: a strict host would not have taken them."""
    _steering: dict[str, Steering] = field(default_factory=dict)
    _serial: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @abstractmethod
    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call; ``path`` with its query.

        Raises:
            Silence: when no answer is to come.
        """

    @abstractmethod
    def signed_notice(self, content: dict[str, Any], steering: Steering) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notice as they go out now: signed afresh at each try."""

    @abstractmethod
    def listing(self) -> list[dict[str, Any]]:
        """Return the orders as people want to see them: number, amount, currency, state."""

    # --- steering -----------------------------------------------------------------------------------------------------

    def steering(self, number: str) -> Steering:
        """Return how an order is treated."""
        return self._steering.get(number, self.default)

    def steer(self, number: str | None = None, **changes: Any) -> Steering:
        """Change how one order, or every order without its own steering, is treated."""
        changes = {name: tuple(value) if name in _TUPLES else value for name, value in changes.items()}
        with self._lock:
            changed = replace(self.steering(number) if number else self.default, **changes)
            if number:
                self._steering[number] = changed
            else:
                self.default = changed
            return changed

    def _once(self, number: str, what: str, operation: str) -> bool:
        """Say whether a steering that holds once still holds, and use it up."""
        kept = list(getattr(self.steering(number), what))
        if operation not in kept:
            return False
        kept.remove(operation)
        self.steer(number, **{what: kept})
        return True

    def _before(self, operation: str, number: str) -> None:
        """Lose the request where the steering says so, else note it.

        Raises:
            Silence: if it is lost.
        """
        if operation in self.steering(number).down or self._once(number, "silent_before", operation):
            raise Silence(accepted=False)
        self.calls.append(f"{operation} {number}")

    def _after(self, operation: str, number: str) -> None:
        """Lose the answer where the steering says so.

        Raises:
            Silence: if it is lost.
        """
        if self._once(number, "silent_after", operation):
            raise Silence(accepted=True)

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    # --- notices ------------------------------------------------------------------------------------------------------

    def _notify(self, url: str, number: str, content: dict[str, Any]) -> None:
        """Put a notice on its way, as often and as late as the steering says."""
        steering = self.steering(number)
        if not steering.notify:
            return
        for _ in range(max(1, steering.duplicates)):
            self.outbox.append(Outgoing(self.now() + steering.delay_s, self._next(), url, content, steering))

    def tick(self, post: Post) -> int:
        """Post every notice that is due; those not answered with 2xx are tried again later. Returns how many went."""
        with self._lock:
            due = sorted((out for out in self.outbox if out.due <= self.now()), key=lambda out: (out.due, out.number))
            self.outbox = [out for out in self.outbox if out not in due]
        if any(out.steering.reorder for out in due):
            due.reverse()
        for out in due:
            assert isinstance(out.steering, Steering)
            headers, body = self.signed_notice(out.content, out.steering)
            status = post(out.url, headers, body)
            self.delivered.append((status, out.content))
            if not self.took(status, out.content) and out.tries < len(RETRIES_S):
                again = replace(out, due=self.now() + RETRIES_S[out.tries], tries=out.tries + 1)
                with self._lock:
                    self.outbox.append(again)
        return len(due)

    def took(self, status: int, content: dict[str, Any]) -> bool:  # noqa: ARG002 - subclasses may look closer
        """Say whether the shop's answer ends the retries."""
        return 200 <= status < 300

    # --- open calls ---------------------------------------------------------------------------------------------------

    def _open(self, method: str, path: str, body: bytes) -> Answer:
        """Answer an open call; ``path`` below ``/_sandbox``."""
        try:
            content = json.loads(body) if body else {}
            if not isinstance(content, dict):
                raise TypeError("send a JSON object")
            return self._control(method, [part for part in path.split("/") if part], content)
        except KeyError as error:
            return _plain(404, {"error": f"there is no {error.args[0]}"})
        except (ValueError, TypeError) as error:
            return _plain(409, {"error": str(error)})

    def _control(self, method: str, parts: list[str], content: dict[str, Any]) -> Answer:
        do: Any = self
        match (method, parts):
            case ("POST", ["pay" | "pay-closed" as way, number]):
                (do.pay if way == "pay" else do.pay_closed)(number, **content)
            case ("POST", ["control", *number]):
                self.steer(*number, **content)
            case ("POST", ["settle", number]):
                do.settle(number, content.get("state", "succeeded"))
            case ("POST", ["console-refund", number]):
                do.console_refund(number, content["amount"])
            case ("GET", ["state"]):
                pass
            case ("GET", []):
                return 200, {"content-type": "text/html; charset=utf-8"}, self._page().encode()
            case _:
                return _plain(404, {"error": "there is no such call"})
        return _plain(200, {"orders": self.listing(), "waiting_notices": len(self.outbox), "calls": self.calls[-20:]})

    def _page(self) -> str:
        """Return the cashier: a person's buttons for the calls above."""
        rows = "".join(
            f"<tr><td>{html.escape(str(row['number']))}</td>"
            f"<td>{row['amount']} {html.escape(str(row['currency']))}</td><td>{html.escape(str(row['state']))}</td><td>"
            + "".join(
                f"<button onclick=\"go('{way}/{html.escape(str(row['number']))}')\">{label}</button> "
                for way, label in (("pay", "pay"), ("pay-closed", "pay late"))
            )
            + "</td></tr>"
            for row in reversed(self.listing())
        )
        title = f"{type(self).__name__} stand-in"
        return (
            f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>"
            "<table border=1 cellpadding=6><tr><th>order</th><th>amount</th><th>state</th><th></th></tr>"
            f"{rows}</table><script>async function go(u){{const r=await fetch('/_sandbox/'+u,{{method:'POST'}});"
            "if(!r.ok)alert(await r.text());location.reload()}</script>"
        )


def _plain(status: int, content: dict[str, Any]) -> Answer:
    return status, {"content-type": "application/json"}, json.dumps(content, default=list).encode()


def transport(hosts: Mapping[str, StandIn], otherwise: outbound.Transport | None = None) -> outbound.Transport:
    """Return a transport for ``runtime.outbound`` that hands calls to the stand-in of their host (``qpay.qq.com``)."""

    def send(request: outbound.Request) -> outbound.Response:
        parts = urlsplit(request.url)
        standin = hosts.get(parts.netloc)
        if standin is None:
            if otherwise is not None:
                return otherwise(request)
            raise outbound.OutboundFailed(kind=f"no stand-in for {quote(parts.netloc)}")
        headers = dict(request.headers)
        if request.client_certificate is not None:
            headers[CERTIFICATE_HEADER] = fingerprint(request.client_certificate.certificate)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            status, answered, body = standin.handle(request.method, path, headers, request.body)
        except Silence as silence:
            raise outbound.OutboundTimeout(kind=f"accepted={silence.accepted}") from silence
        return outbound.Response(status, {name.lower(): value for name, value in answered.items()}, body)

    return send


def fingerprint(certificate: str) -> str:
    """Return what stands for a certificate in :data:`CERTIFICATE_HEADER`."""
    return hashlib.sha256(certificate.strip().encode()).hexdigest()


def pick(chance: random.Random, rows: Sequence[Any]) -> int:
    """Return the position of a row for a defect; -1 where there is none."""
    return chance.randrange(len(rows)) if rows else -1
