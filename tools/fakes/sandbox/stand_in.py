"""What all stand-ins share: steering, lost calls, notices on their way, what people can tell them, the cashier.

Nothing here knows the shop. Time and randomness are injected, so a seed replays. ``handle`` answers a call; ``tick``
posts the notices that are due. Every stand-in is told what to do in the same words, by method or by an open call:

- ``POST /pay/{no}``: a buyer pays (``{"amount", "currency", "times"}`` optional; ``times`` repeats the notices)
- ``POST /pay-twice/{no}``: pays this order and every other attempt of its purchase, closed ones too
- ``POST /pay-closed/{no}``: pays what was closed or is over
- ``POST /control`` and ``POST /control/{no}``: a :class:`Steering` in part, for all orders or one
- ``POST /settle/{refund}``: ``{"state"}``, what a pending refund comes to
- ``POST /console-refund/{no}``: ``{"amount"}``, a refund made in the provider's console
- ``POST /dispute/{no}``: the payer's bank contests the payment (``{"amount", "inquiry"}`` optional), where a provider
  tells its merchants so; ``POST /dispute-ends/{no}``: ``{"how"}``, what the bank decides
- ``POST /rotate``: ``{"overlap", "tell"}``, other keys; ``tell`` the shop about them where somebody listens
- ``GET /state`` and ``GET /`` (the cashier; ``?order=`` picks one)
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, get_type_hints
from urllib.parse import parse_qsl, urlsplit

from tools.fakes.sandbox import asked, cashier, chaos
from tools.fakes.sandbox.shelf import Recent, Shelf

Answer = tuple[int, dict[str, str], bytes]
Post = Callable[[str, dict[str, str], bytes], int]
"""Posts a notice; returns the status, or 0 for no answer. See :class:`Answered`."""
NEW_EVENT = "SOMETHING.NEW"
"""A kind of event that nobody who was written before it knows."""
ANSWER_SHOWN = 200
RETRIES_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 3600)
"""When an unanswered notice is sent again, counted from the send before."""
SHOWN = 40
"""How many orders and refunds a page shows; an older one is shown to who asks for it."""
ATTEMPTS = 60
"""How many attempts of one purchase are looked for."""
CERTIFICATE_HEADER = "x-client-certificate"
"""How a stand-in sees the TLS client certificate of a call: the SHA-256 of its PEM text, as a proxy would put it."""
EVERYBODY_KNOWS = frozenset(
    {
        *("notify", "delay_s", "duplicates", "reorder", "tamper", "other_merchant", "notice_amount"),
        *("other_number", "unknown_event"),
        *("refund", "refund_then", "refund_after_s", "pay_during_close"),
        *("slow_s", "silent_after", "silent_before", "down", "unsigned", "refuse"),
    }
)


_OPEN = frozenset(
    {
        *("pay", "pay-twice", "pay-closed", "control", "settle", "console-refund"),
        *("dispute", "dispute-ends", "rotate", "state"),
    }
)


def words(target: str) -> list[str]:
    """Return the segments of a call's path."""
    return [part for part in urlsplit(target).path.split("/") if part]


def is_open(target: str) -> bool:
    """Say whether a call is one of people and tests, which nobody signs."""
    return not (parts := words(target)) or parts[0] in _OPEN


def nobodys(number: str) -> str:
    """Return a number in the shape of this one that the shop never gave."""
    head, *rest = number.split("_")
    return "_".join([head, *(part[::-1] if len(part) > 3 else part for part in rest)]) if rest else number[::-1]


class Answered(int):
    """The status of an answer to a notice, with what it said."""

    text: str = ""

    @classmethod
    def of(cls, status: int, body: bytes) -> Answered:
        """Return the status with the body's beginning."""
        found = cls(status)
        found.text = body[: 4 * ANSWER_SHOWN].decode("utf-8", "replace")[:ANSWER_SHOWN]
        return found


class Silence(Exception):
    """The call took effect (or not, see ``accepted``) and no answer will come: a time-out to the caller."""

    def __init__(self, *, accepted: bool) -> None:
        super().__init__("no answer")
        self.accepted = accepted


@dataclass(frozen=True)
class Steering:
    """How an order is treated. Operations are ``create query close refund query_refund``."""

    notify: bool = True
    """False: all notices are lost."""
    delay_s: float = 0
    duplicates: int = 1
    """How often each notice is sent, whatever is answered."""
    reorder: bool = False
    """An older "pending" notice follows each "paid" one; notices that are due together go out last first."""
    tamper: bool = False
    """Something is changed after signing."""
    stale: bool = False
    """Notices are signed an hour ago."""
    other_merchant: bool = False
    other_app: bool = False
    """Notices name another app (or carry no number of this shop)."""
    other_mode: bool = False
    """Notices are of the other mode (test, live)."""
    other_number: bool = False
    """Notices name an order that the shop never made, in the shape of the one that was paid."""
    unknown_event: bool = False
    """Notices are of a kind that nobody knows yet."""
    unknown_key: bool = False
    """Notices are signed with a key that nobody published."""
    notice_amount: int | None = None
    """The notice names this amount; the query tells the truth."""
    notice_currency: str | None = None
    answer_amount: int | None = None
    """Queries answer this amount: a provider that contradicts itself."""
    charset: str = "utf-8"
    """Of notices, where the provider lets merchants choose."""
    refund: str = "succeeded"
    """What refunds come to: succeeded, pending, failed, abnormal or closed."""
    refund_then: str = ""
    """What pending refunds come to by themselves; those made after the first has succeed at once."""
    refund_after_s: float = 120
    """How long that takes."""
    slow_s: float = 0
    """How long every answer takes."""
    silent_after: tuple[str, ...] = ()
    """Operations that take effect but whose answer is lost, each once."""
    silent_before: tuple[str, ...] = ()
    """Operations whose request is lost, each once."""
    down: tuple[str, ...] = ()
    """Operations whose request is lost for as long as this says so."""
    unsigned: tuple[str, ...] = ()
    """Operations whose answer carries a wrong signature, each once."""
    no_signature: tuple[str, ...] = ()
    """Operations whose answer is not signed at all, each once."""
    probe: tuple[str, ...] = ()
    """Operations, ``notice`` among them, signed once as a probe that must not verify (WeChat's SIGNTEST)."""
    broken: tuple[str, ...] = ()
    """Operations answered with 500 or a system error, before any effect, each once."""
    refuse: tuple[str, ...] = ()
    """Operations that are refused."""
    pay_during_close: bool = False
    """The buyer pays in the moment of closing: the close answers that it is too late."""


_USUAL = asdict(Steering())
_KINDS = {**get_type_hints(Steering), "chaos": float, "mix": float, "seed": int}
_TUPLES = {entry.name for entry in fields(Steering) if entry.type == "tuple[str, ...]"}


@dataclass
class Outgoing:
    """One notice on its way."""

    due: float
    number: int
    url: str
    content: dict[str, Any]
    steering: Steering
    tries: int = 0


@dataclass
class StandIn(ABC):
    """One provider's other end. Subclasses know its protocol and keep its orders and refunds."""

    now: Callable[[], float] = time.time
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    base_url: str = ""
    """Where it is served; what it hands to buyers leads there. Without, it names the real host."""
    default: Steering = field(default_factory=Steering)
    outbox: list[Outgoing] = field(default_factory=list)
    delivered: list[tuple[int, dict[str, Any]]] = field(default_factory=lambda: Recent(500))
    """What was posted last and the status that came back, in order."""
    answers: list[str] = field(default_factory=lambda: Recent(500))
    """What the shop said to each of them."""
    bill_defects: tuple[str, ...] = ()
    """Which defects the next bills have."""
    calls: list[str] = field(default_factory=lambda: Recent(5_000))
    """The last calls that were understood: ``operation number``."""
    refusals: list[str] = field(default_factory=lambda: Recent(500))
    """Why the last calls of ours were refused: a strict host would not have taken them."""
    neighbours: dict[str, str] = field(default_factory=dict)
    """Other pages that the cashier links to, by name."""
    when_rotated: Callable[[], None] | None = None
    """Told after a rotation that the shop is to know of."""
    chaos: float = 0.0
    """How often, 0 to 1, an order that nobody steered is troubled at random: once, by the seed and its number."""
    mix: float = 0.5
    """How often, 0 to 1, one fault of a troubled order is followed by one more; see ``chaos``."""
    seed: int = 0
    _steering: dict[str, Steering] = field(default_factory=lambda: Shelf(Steering))
    _serial: int = 0
    _pending: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    """Refunds that will come to an end by themselves: since when they are known, after how long, what it will be."""
    _ripens: bool = False
    """Somebody wants a pending refund to come to its end by itself."""
    _pace: threading.local = field(default_factory=threading.local)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    title: ClassVar[tuple[str, str]] = ("", "")
    """Its name, English and Chinese."""
    retries_s: ClassVar[Sequence[int]] = RETRIES_S
    knows: ClassVar[frozenset[str]] = EVERYBODY_KNOWS
    """Which words of :class:`Steering` mean something here; the others are refused."""
    outcomes: ClassVar[Sequence[str]] = ("succeeded", "pending", "failed", "abnormal", "closed")
    """What a refund may come to here."""

    @abstractmethod
    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call; ``path`` with its query.

        Raises:
            Silence: when no answer is to come.
        """

    @abstractmethod
    def signed_notice(self, content: dict[str, Any], steering: Steering | None = None) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notice as they go out now: signed afresh at each try."""

    @abstractmethod
    def pay(self, number: str, *, amount: int | None = None, currency: str | None = None) -> Any:
        """Let the buyer pay.

        Raises:
            KeyError: if there is no such order.
            ValueError: if nobody can pay it any more.
        """

    @abstractmethod
    def pay_closed(self, number: str) -> Any:
        """Pay an order that was closed: what providers say cannot happen, and does."""

    @abstractmethod
    def settle(self, refund_no: str, state: str) -> Any:
        """Let a pending refund come to its end."""

    @abstractmethod
    def console_refund(self, number: str, amount: int) -> Any:
        """Refund in the provider's console, under a number the shop never gave."""

    @abstractmethod
    def turn_keys(self, *, overlap: bool) -> None:
        """Sign with a fresh key: with overlap the one before counts as well."""

    @abstractmethod
    def money(self, number: str) -> tuple[int, int]:
        """Return what these books say was captured with our number, and what has gone back."""

    @abstractmethod
    def listing(self) -> list[dict[str, Any]]:
        """Return the orders as people want to see them: number, amount, currency, state, return_url."""

    @abstractmethod
    def refund_listing(self) -> list[dict[str, Any]]:
        """Return the refunds as people want to see them: number, order, amount, currency, state."""

    # --- a part of the books: what a page shows is as large after ten thousand orders as after forty ----------------

    def row(self, number: str) -> dict[str, Any] | None:
        """Return one order as :meth:`listing` would."""
        return next((row for row in self.listing() if row["number"] == number), None)

    def latest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest orders as :meth:`listing` would, the newest last."""
        return self.listing()[-count:]

    def refund_row(self, number: str) -> dict[str, Any] | None:
        """Return one refund as :meth:`refund_listing` would."""
        return next((row for row in self.refund_listing() if row["number"] == number), None)

    def latest_refunds(self, count: int) -> list[dict[str, Any]]:
        """Return the newest refunds as :meth:`refund_listing` would, the newest last."""
        return self.refund_listing()[-count:]

    def refunds_of(self, number: str) -> list[dict[str, Any]]:
        """Return the refunds of one order as :meth:`refund_listing` would."""
        return [row for row in self.refund_listing() if row["order"] == number]

    def pending_refunds(self) -> dict[str, str]:
        """Return the refunds that have not come to their end, each with its order."""
        return {row["number"]: row["order"] for row in self.refund_listing() if row["state"] == "pending"}

    def siblings(self, number: str) -> list[dict[str, Any]]:
        """Return the attempts to pay the same purchase, this one among them."""
        purchase, _, attempt = number.rpartition("_")
        numbers = [f"{purchase}_{n:02d}" for n in range(1, ATTEMPTS + 1)] if attempt.isdigit() else []
        return [row for one in dict.fromkeys([*numbers, number]) if (row := self.row(one)) is not None]

    # --- steering -----------------------------------------------------------------------------------------------------

    def steering(self, number: str) -> Steering:
        """Return how an order is treated."""
        held = self._steering.get(number)
        if held is None and self.chaos and number:
            held = self._steering[number] = self._roll(number)
        return held or self.default

    def _roll(self, number: str) -> Steering:
        """Pick how an order is treated: the seed and its number decide, so that a run replays in any order of calls."""
        changes = chaos.together(self.faults(number))
        self._ripens |= "refund_then" in changes
        return replace(self.default, **changes)

    def faults(self, number: str) -> list[str]:
        """Return the names of what chaos holds for an order; see ``chaos.FAULTS``."""
        return chaos.pick(self.seed, number, self.chaos, self.mix, chaos.possible(self.knows, self.outcomes))

    def steer(self, number: str | None = None, **changes: Any) -> Steering:
        """Change how one order, or every order without its own steering, is treated.

        ``chaos``, ``mix`` and ``seed`` are for all orders that have not been seen yet.

        Raises:
            ValueError: if this provider cannot do that.
        """
        if number is None:
            self.chaos, self.mix = (
                min(1.0, max(0.0, float(changes.pop(name, getattr(self, name))))) for name in ("chaos", "mix")
            )
            self.seed = int(changes.pop("seed", self.seed))
        unheard = sorted(set(changes) - self.knows)
        if unheard:
            raise ValueError(f"{type(self).__name__} knows no {', '.join(unheard)}")
        changes = {name: tuple(value) if name in _TUPLES else value for name, value in changes.items()}
        with self._lock:
            self._ripens |= bool(changes.get("refund_then"))
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
        self._pace.slow_s = self.steering(number).slow_s
        self.calls.append(f"{operation} {number}")

    def _after(self, operation: str, number: str) -> None:
        """Lose the answer where the steering says so.

        Raises:
            Silence: if it is lost.
        """
        if self._once(number, "silent_after", operation):
            raise Silence(accepted=True)

    def slowness(self) -> float:
        """Return how many seconds the answer that this thread just got takes to arrive, and forget it."""
        slow_s: float = getattr(self._pace, "slow_s", 0.0)
        self._pace.slow_s = 0.0
        return slow_s

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def cashier_url(self, number: str) -> str:
        """Return where a person pays this order; empty where nobody serves this stand-in."""
        return f"{self.base_url}/?order={number}" if self.base_url.startswith("http://127.0.0.1") else ""

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
            if self._ripens:
                self._ripen()
            due = sorted((out for out in self.outbox if out.due <= self.now()), key=lambda out: (out.due, out.number))
            if due:
                taken = {id(out) for out in due}
                self.outbox = [out for out in self.outbox if id(out) not in taken]
        if any(out.steering.reorder for out in due):
            due.reverse()
        for out in due:
            headers, body = self.signed_notice(out.content, out.steering)
            status = post(out.url, headers, body)
            self.delivered.append((int(status), self.worded(out.content, out.steering)))
            self.answers.append(status.text if isinstance(status, Answered) else "")
            if not 200 <= status < 300 and out.tries < len(self.retries_s):
                again = replace(out, due=self.now() + self.retries_s[out.tries], tries=out.tries + 1)
                with self._lock:
                    self.outbox.append(again)
        return len(due)

    def worded(self, content: dict[str, Any], steering: Steering) -> dict[str, Any]:
        """Return what a notice says of its order and of its kind, as the steering has it."""
        changed = dict(content)
        if steering.other_number and "out_trade_no" in content:
            changed["out_trade_no"] = nobodys(content["out_trade_no"])
        if steering.unknown_event:
            changed["kind"] = NEW_EVENT
        return changed

    def _ripen(self) -> None:
        """Let refunds that have been pending for long enough come to the end that was asked for."""
        pending = self.pending_refunds()
        for number, order in pending.items():
            wanted = self.steering(order)
            if wanted.refund_then:
                self._pending.setdefault(number, (self.now(), wanted.refund_after_s, wanted.refund_then))
        for number, (since, after_s, then) in list(self._pending.items()):
            if number not in pending:
                del self._pending[number]
            elif self.now() - since >= after_s:
                del self._pending[number]
                self.steer(pending[number], refund="succeeded", refund_then="")
                self.settle(number, then)

    def repeat_notices(self, number: str, times: int) -> None:
        """Send what is on its way about an order so many times more."""
        with self._lock:
            for out in [out for out in self.outbox if out.tries == 0 and number in json.dumps(out.content)]:
                self.outbox += [replace(out, number=self._next()) for _ in range(times)]

    # --- open calls ---------------------------------------------------------------------------------------------------

    def _open(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a call of people or tests."""
        try:
            content = asked.body_of(body)
            return self._control(method, words(path), content, dict(parse_qsl(urlsplit(path).query)).get("order", ""))
        except (KeyError, StopIteration) as error:
            return plain(404, {"error": f"there is no {error.args[0] if error.args else 'such thing'}"})
        except (ValueError, TypeError) as error:
            return plain(409, {"error": str(error)})

    def _control(  # noqa: C901, PLR0912 - one line a call
        self, method: str, parts: list[str], content: dict[str, Any], chosen: str
    ) -> Answer:
        about = parts[1] if len(parts) > 1 else ""
        match (method, parts):
            case ("POST", ["pay", number]):
                taken, times = asked.payment(content)
                self.pay(number, **taken)
                self.repeat_notices(number, times - 1)
            case ("POST", ["pay-twice", number]):
                self.pay_twice(number)
            case ("POST", ["pay-closed", number]):
                self.pay_closed(number)
            case ("POST", ["control", *number]) if len(number) <= 1:
                self.steer(*number, **asked.steering(content, _KINDS))
            case ("POST", ["settle", number]):
                about = self._settle_if_open(number, content.get("state", "succeeded"))
            case ("POST", ["console-refund", number]):
                self._refund_what_is_left(number, asked.amount(content.get("amount")))
            case ("POST", ["dispute", number]):
                self.dispute(number, **asked.dispute(content))
            case ("POST", ["dispute-ends", number]):
                self.end_dispute(number, asked.end_of_dispute(content))
            case ("POST", ["rotate"]):
                self.turn_keys(overlap=bool(content.get("overlap", True)))
                if content.get("tell", True) and self.when_rotated:
                    self.when_rotated()
            case ("GET", ["state"]):
                return plain(200, self.state(chosen))
            case ("GET", []):
                return 200, dict(cashier.HEADERS), cashier.page(self.state(chosen)).encode()
            case _:
                return plain(404, {"error": "there is no such call"})
        return plain(200, self.told(about))

    def dispute(self, number: str, *, amount: int | None = None, inquiry: bool = False) -> Any:
        """Let the payer's bank contest the payment.

        Raises:
            ValueError: if this provider does not tell its merchants of such things.
        """
        raise ValueError(f"{type(self).__name__} tells nobody about disputes ({number}, {amount}, {inquiry})")

    def end_dispute(self, number: str, how: str) -> Any:
        """Let the bank decide; as :meth:`dispute`."""
        raise ValueError(f"{type(self).__name__} tells nobody about disputes ({number}, {how})")

    def _settle_if_open(self, number: str, state: str) -> str:
        row = self.refund_row(number)
        if row is None:
            raise KeyError(f"refund {number}")
        held = row["state"]
        if state not in self.outcomes or state == "pending":
            raise ValueError(f"a refund cannot come to {state}")
        if held in ("failed", "closed", state):
            raise ValueError(f"the refund is {held}")
        self.settle(number, state)
        return str(row["order"])

    def _refund_what_is_left(self, number: str, amount: int) -> None:
        if self.row(number) is None:
            raise KeyError(f"order {number}")
        captured, returned = self.money(number)
        if amount > captured - returned:
            raise ValueError(f"{captured - returned} is left to refund")
        self.console_refund(number, amount)

    def pay_twice(self, number: str) -> None:
        """Pay an order and every other attempt of its purchase, in whatever state; alone, its notices go out twice.

        Raises:
            KeyError, ValueError: as :meth:`pay`.
        """
        siblings = self.siblings(number)
        if not siblings:
            raise KeyError(f"order {number}")
        if len(siblings) == 1:
            (self.pay_closed if siblings[0]["state"] == "closed" else self.pay)(number)
            self.repeat_notices(number, 1)
        for row in siblings if len(siblings) > 1 else ():
            if not self.money(row["number"])[0]:
                self.pay_closed(row["number"])

    def state(self, chosen: str = "") -> dict[str, Any]:
        """Return what people want to see, as JSON shows it: the newest, and what they have chosen with its siblings."""
        with self._lock:
            wanted = self.siblings(chosen) if chosen else []
            refunds = self.refunds_of(chosen) if chosen else []
            return self._said((*wanted, *self.latest(SHOWN)), (*refunds, *self.latest_refunds(SHOWN)))

    def told(self, number: str = "") -> dict[str, Any]:
        """Return what a call that changed something is answered: as :meth:`state`, of the one order it was about."""
        with self._lock:
            row = self.row(number) if number else None
            return self._said([row] if row else [], self.refunds_of(number) if number else [])

    def _said(self, rows: Iterable[dict[str, Any]], refunds: Iterable[dict[str, Any]]) -> dict[str, Any]:
        orders = {row["number"]: row for row in rows}.values()
        return {
            "name": type(self).__name__,
            "title": self.title,
            "now": int(self.now()),
            "orders": [
                {**row, "money": self.money(row["number"]), "steering": self._own(row["number"])} for row in orders
            ],
            "refunds": list({row["number"]: row for row in refunds}.values()),
            "default": _changed(self.default),
            "chaos": {"chaos": self.chaos, "mix": self.mix, "seed": self.seed},
            "knows": sorted(self.knows),
            "outcomes": self.outcomes,
            "disputes": type(self).dispute is not StandIn.dispute,
            "waiting_notices": len(self.outbox),
            "delivered": [[status, content] for status, content in self.delivered[-12:]],
            "answers": self.answers[-12:],
            "calls": self.calls[-20:],
            "refusals": self.refusals[-10:],
            "neighbours": self.neighbours,
        }

    def _own(self, number: str) -> dict[str, Any]:
        held = self._steering.get(number)
        return _changed(held) if held is not None else {}


def _changed(steering: Steering) -> dict[str, Any]:
    """Return what is not as usual."""
    return {name: value for name in _USUAL if (value := getattr(steering, name)) != _USUAL[name]}


def plain(status: int, content: dict[str, Any]) -> Answer:
    """Return an unsigned JSON answer."""
    return status, {"content-type": "application/json"}, json.dumps(content, default=list).encode()


def fingerprint(certificate: str) -> str:
    """Return what stands for a certificate in :data:`CERTIFICATE_HEADER`."""
    return hashlib.sha256(certificate.strip().encode()).hexdigest()


def pick(chance: random.Random, rows: Sequence[Any]) -> int:
    """Return the position of a row for a defect; -1 where there is none."""
    return chance.randrange(len(rows)) if rows else -1
