"""The sandbox provider: orders, refunds and notices in the HTTP shapes of ``payments/providers/sandbox/adapter.py``.

Signed calls (see the adapter): ``POST /v1/orders``, ``GET /v1/orders/{no}``, ``POST /v1/orders/{no}/close``,
``POST /v1/refunds``, ``GET /v1/refunds/{no}``, ``GET /v1/bills/{day}``. What people and tests tell it stands in
``stand_in``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

from tools.fakes.sandbox.shelf import Shelf, in_hand, newest, of
from tools.fakes.sandbox.stand_in import (
    EVERYBODY_KNOWS,
    RETRIES_S,
    Answer,
    Outgoing,
    Post,
    Silence,
    StandIn,
    Steering,
)

__all__ = ["RETRIES_S", "Answer", "Keys", "Order", "Outgoing", "Post", "Refund", "Sandbox", "Silence", "Steering"]

WINDOW_S = 300
_NUMBER = re.compile(r"[0-9A-Za-z_]{6,32}")
_CHINA = timezone(timedelta(hours=8))
FEE_PER_MILLE = 6
BILL_DEFECTS = ("missing", "extra", "amount", "currency", "state", "duplicate", "totals", "field")
"""A line too few, one nobody here knows, another amount, currency or state, a line twice, wrong totals, no amount.
``missing`` and ``duplicate`` concern the first line, ``amount``, ``currency``, ``state`` and ``field`` the last ones,
so that several can be had at once."""


@dataclass(frozen=True)
class Keys:
    """The merchant's keys, as both ends hold them."""

    merchant_id: str = "local-merchant"
    api_key: str = "local-sandbox-api-key"
    webhook_key: str = "local-sandbox-webhook-key"
    webhook_key_before: str = ""
    """What the shop still takes while a key is being changed; nobody signs with it any more."""


@dataclass
class Order:
    """One order at the provider."""

    out_trade_no: str
    amount: int
    currency: str
    notify_url: str
    return_url: str
    expires_at: int
    state: str = "pending"
    paid_amount: int = 0
    paid_currency: str = ""
    transaction_id: str = ""
    paid_at: int | None = None
    refunded: int = 0
    creates: int = 0


@dataclass
class Refund:
    """One refund at the provider."""

    out_refund_no: str
    out_trade_no: str
    amount: int
    currency: str
    refund_id: str
    notify_url: str
    state: str
    refunded_at: int | None = None
    calls: int = 0
    code: str = ""


def shelf_of_orders() -> Shelf[Order]:
    """Return a shelf for orders; the provider's own number finds one as well."""
    return Shelf(Order, about=lambda order: order.transaction_id)


def shelf_of_refunds() -> Shelf[Refund]:
    """Return a shelf for refunds, found by their orders too."""
    return Shelf(Refund, about=order_of, stays=lambda refund: refund.state == "pending")


def order_of(refund: Refund) -> str:
    """Return the number of a refund's order."""
    return refund.out_trade_no


@dataclass
class Sandbox(StandIn):
    """The provider's whole state."""

    keys: Keys = field(default_factory=Keys)
    base_url: str = "http://127.0.0.1:9100"
    orders: dict[str, Order] = field(default_factory=shelf_of_orders)
    refunds: dict[str, Refund] = field(default_factory=shelf_of_refunds)

    title: ClassVar[tuple[str, str]] = ("Sandbox provider", "沙箱支付")
    knows: ClassVar[frozenset[str]] = EVERYBODY_KNOWS | {"stale", "notice_currency"}

    # --- the merchant's calls -----------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call.

        Raises:
            Silence: when no answer is to come.
        """
        with self._lock:
            route = path.split("?", maxsplit=1)[0].rstrip("/") or "/"
            if route.startswith("/v1/"):
                return self._signed(method, route, {k.lower(): v for k, v in headers.items()}, body)
            return self._open(method, path, body)

    def _signed(  # noqa: PLR0911 - one line a call
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        refusal = self._refusal(method, path, headers, body)
        if refusal:
            return self._sign(401, {"code": refusal})
        try:
            content = json.loads(body) if body else {}
        except ValueError:
            return self._sign(400, {"code": "INVALID_REQUEST"})
        parts = path.removeprefix("/v1/").split("/")
        match (method, parts):
            case ("POST", ["orders"]):
                return self._operate("create", str(content.get("out_trade_no")), lambda: self._create(content))
            case ("GET", ["orders", number]):
                return self._operate("query", number, lambda: self._query(number))
            case ("POST", ["orders", number, "close"]):
                return self._operate("close", number, lambda: self._close(number))
            case ("POST", ["refunds"]):
                return self._operate("refund", str(content.get("out_trade_no")), lambda: self._refund(content))
            case ("GET", ["refunds", number]):
                refund = self.refunds.get(number)
                order_no = refund.out_trade_no if refund else number
                return self._operate("query_refund", order_no, lambda: self._query_refund(number))
            case ("POST", ["refunds", number, "card"]):
                refund = self.refunds.get(number)
                order_no = refund.out_trade_no if refund else number
                return self._operate("refund", order_no, lambda: self._to_card(number, content))
            case ("GET", ["bills", day]):
                return self._operate("bill", day, lambda: self._day_bill(day))
            case _:
                return self._sign(404, {"code": "NO_SUCH_CALL"})

    def _refusal(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
        stamp, nonce = headers.get("x-sandbox-timestamp", ""), headers.get("x-sandbox-nonce", "")
        if headers.get("x-sandbox-merchant") != self.keys.merchant_id:
            return "MERCHANT_UNKNOWN"
        if not stamp.isdigit() or abs(self.now() - int(stamp)) > WINDOW_S or not nonce:
            return "SIGN_STALE"
        message = b"\n".join([method.encode(), path.encode(), stamp.encode(), nonce.encode(), body])
        given = headers.get("x-sandbox-signature", "").encode()
        return "" if hmac.compare_digest(_mac(self.keys.api_key, message).encode(), given) else "SIGN_ERROR"

    def _operate(self, operation: str, number: str, act: Callable[[], tuple[int, dict[str, Any]]]) -> Answer:
        self._before(operation, number)
        if operation in self.steering(number).refuse:
            return self._sign(422, {"code": "REFUSED"})
        status, answer = act()
        self._after(operation, number)
        return self._sign(status, answer, wrong=self._once(number, "unsigned", operation))

    def _create(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        number = content.get("out_trade_no")
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            return 400, {"code": "INVALID_REQUEST"}
        if not isinstance(content.get("amount"), int) or content["amount"] < 1:
            return 400, {"code": "INVALID_AMOUNT"}
        order = self.orders.get(number)
        if order is None:
            order = Order(
                out_trade_no=number,
                amount=content["amount"],
                currency=content["currency"],
                notify_url=content["notify_url"],
                return_url=content.get("return_url", ""),
                expires_at=content["expires_at"],
            )
            self.orders[number] = order
        elif (order.amount, order.currency) != (content["amount"], content["currency"]):
            return 400, {"code": "PARAMETERS_CHANGED"}
        elif order.state == "closed":
            return 400, {"code": "ORDER_CLOSED"}
        order.creates += 1
        return 200, {"out_trade_no": number, "pay_url": f"{self.base_url}/?order={number}"}

    def _query(self, number: str) -> tuple[int, dict[str, Any]]:
        order = self.orders.get(number)
        return (200, self._order_view(order)) if order else (404, {"code": "ORDER_NOT_EXIST"})

    def _close(self, number: str) -> tuple[int, dict[str, Any]]:
        order = self.orders.get(number)
        if order is None:
            return 404, {"code": "ORDER_NOT_EXIST"}
        if order.state == "pending" and self.steering(number).pay_during_close:
            self.pay(number)
        if order.state == "paid":
            return 409, {"code": "ORDER_PAID"}
        order.state = "closed"
        return 200, self._order_view(order)

    def _refund(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        number, order = str(content.get("out_refund_no")), self.orders.get(str(content.get("out_trade_no")))
        amount = content.get("amount")
        if order is None or order.state != "paid":
            return 404, {"code": "ORDER_NOT_PAID"}
        if not isinstance(amount, int) or amount < 1 or content.get("total") != order.paid_amount:
            return 400, {"code": "INVALID_AMOUNT"}
        refund = self.refunds.get(number)
        if refund is None:
            if order.refunded + amount > order.paid_amount:
                return 400, {"code": "REFUND_EXCEEDS"}
            refund = Refund(
                out_refund_no=number,
                out_trade_no=order.out_trade_no,
                amount=amount,
                currency=order.paid_currency,
                refund_id=f"sbr{self._next():08d}",
                notify_url=content["notify_url"],
                state="pending",
            )
            self.refunds[number] = refund
            order.refunded += amount
            self._settle(refund, self.steering(order.out_trade_no).refund)
        elif refund.amount != amount:
            return 400, {"code": "PARAMETERS_CHANGED"}
        elif refund.state == "failed":
            order.refunded += amount
            self._settle(refund, self.steering(order.out_trade_no).refund)
        refund.calls += 1
        return 200, self._refund_view(refund)

    def _query_refund(self, number: str) -> tuple[int, dict[str, Any]]:
        refund = self.refunds.get(number)
        return (200, self._refund_view(refund)) if refund else (404, {"code": "REFUND_NOT_EXIST"})

    def _to_card(self, number: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send an abnormal refund to the card that is named: it is under way again."""
        refund = self.refunds.get(number)
        if refund is None or refund.refund_id != content.get("refund_id"):
            return 404, {"code": "REFUND_NOT_EXIST"}
        if refund.state != "abnormal" or not all(content.get(name) for name in ("bank_account", "real_name")):
            return 400, {"code": "NOT_ABNORMAL" if refund.state != "abnormal" else "NO_CARD"}
        self._settle(refund, "pending")
        return 200, self._refund_view(refund)

    def _settle(self, refund: Refund, state: str) -> None:
        refund.state = state
        refund.code = {"failed": "BALANCE_NOT_ENOUGH", "abnormal": "CARD_CLOSED"}.get(state, "")
        if state == "succeeded":
            refund.refunded_at = int(self.now())
        elif state in ("failed", "closed"):
            self.orders[refund.out_trade_no].refunded -= refund.amount
        if state != "pending":
            self._notify(refund.notify_url, refund.out_trade_no, {"kind": "refund", **self._refund_view(refund)})

    def _day_bill(self, day: str) -> tuple[int, dict[str, Any]]:
        """Answer the bill of a China day: lines in major units as text, then totals; none before the day is over."""
        if datetime.fromtimestamp(self.now(), UTC).astimezone(_CHINA).date().isoformat() <= day:
            return 409, {"code": "BILL_NOT_READY"}
        lines = [self._bill_line(order, None) for order in self.orders.values() if _on(day, order.paid_at)]
        lines += [
            self._bill_line(self.orders[refund.out_trade_no], refund)
            for refund in self.refunds.values()
            if _on(day, refund.refunded_at)
        ]
        if not lines:
            return 404, {"code": "NO_STATEMENT_EXIST"}
        lines = self._spoil(lines)
        totals = {"lines": len(lines) + ("totals" in self.bill_defects)}
        return 200, {"day": day, "lines": lines, "totals": totals}

    def _bill_line(self, order: Order, refund: Refund | None) -> dict[str, Any]:
        minor = refund.amount if refund else order.paid_amount
        fee = f"{'-' if refund else ''}{minor * FEE_PER_MILLE // 10:05d}"
        return {
            "kind": "refund" if refund else "payment",
            "out_trade_no": order.out_trade_no,
            "transaction_id": order.transaction_id,
            "amount": f"{minor // 100}.{minor % 100:02d}" if order.paid_currency != "JPY" else str(minor),
            "currency": order.paid_currency,
            "fee": f"{fee[:-4] or '0'}.{fee[-4:]}",
            "at": refund.refunded_at if refund else order.paid_at,
            "state": refund.state if refund else order.state,
            "out_refund_no": refund.out_refund_no if refund else "",
            "refund_id": refund.refund_id if refund else "",
        }

    def _spoil(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put the defects asked for into a bill's lines."""
        wanted = self.bill_defects
        stranger = {**lines[0], "out_trade_no": "pay_nobody_knows_01", "transaction_id": "sbt_of_a_stranger"}
        twin = dict(lines[-1])
        if "missing" in wanted:
            lines = lines[1:]
        changes: dict[str, dict[str, Any]] = {
            "amount": {"amount": "0.07"},
            "currency": {"currency": "USD"},
            "state": {"state": "failed"},
            "field": {"amount": "a lot"},
            "coupon": {"settled": "0.01"},
        }
        payments = [line for line in lines if line["kind"] == "payment"]
        refunds = [line for line in lines if line["kind"] == "refund"]
        for defect in (defect for defect in changes if defect in wanted):
            among = refunds if defect == "state" else payments
            if among:
                among.pop().update(changes[defect])
        return lines + ([stranger] if "extra" in wanted else []) + ([twin] if "duplicate" in wanted else [])

    def _order_view(self, order: Order) -> dict[str, Any]:
        paid = order.state == "paid"
        view: dict[str, Any] = {
            "out_trade_no": order.out_trade_no,
            "state": order.state,
            "amount": order.paid_amount if paid else order.amount,
            "currency": order.paid_currency if paid else order.currency,
        }
        if paid:
            view |= {"transaction_id": order.transaction_id, "paid_at": order.paid_at}
        return view

    def _refund_view(self, refund: Refund) -> dict[str, Any]:
        return {
            "out_refund_no": refund.out_refund_no,
            "out_trade_no": refund.out_trade_no,
            "refund_id": refund.refund_id,
            "amount": refund.amount,
            "currency": refund.currency,
            "state": refund.state,
            "refunded_at": refund.refunded_at,
            "code": refund.code,
        }

    def _sign(self, status: int, content: dict[str, Any], *, wrong: bool = False) -> Answer:
        body = json.dumps(content, separators=(",", ":")).encode()
        return status, self._signature(self.keys.api_key + ("?" if wrong else ""), body, self.now()), body

    def _signature(self, key: str, body: bytes, at: float) -> dict[str, str]:
        stamp, nonce = str(int(at)), f"{self.chance.getrandbits(96):024x}"
        return {
            "content-type": "application/json",
            "x-sandbox-timestamp": stamp,
            "x-sandbox-nonce": nonce,
            "x-sandbox-signature": _mac(key, b"\n".join([stamp.encode(), nonce.encode(), body])),
        }

    # --- what people do -----------------------------------------------------------------------------------------------

    def pay(self, number: str, *, amount: int | None = None, currency: str | None = None) -> Order:
        """Let the buyer pay.

        Raises:
            KeyError: if there is no such order.
            ValueError: if it is closed, paid, or past its last moment.
        """
        with self._lock:
            order = self.orders[number]
            if order.state != "pending":
                raise ValueError(f"the order is {order.state}")
            order.state = "paid"
            order.paid_amount = order.amount if amount is None else amount
            order.paid_currency = currency or order.currency
            order.transaction_id = f"sbt{self._next():08d}"
            order.paid_at = int(self.now())
            steering = self.steering(number)
            content = {"kind": "payment", **self._order_view(order)}
            if steering.notice_amount is not None:
                content["amount"] = steering.notice_amount
            if steering.notice_currency is not None:
                content["currency"] = steering.notice_currency
            self._notify(order.notify_url, number, content)
            if steering.reorder:
                old = {
                    "kind": "payment",
                    "out_trade_no": number,
                    "state": "pending",
                    "amount": order.amount,
                    "currency": order.currency,
                }
                self._notify(order.notify_url, number, old)
            return order

    def pay_closed(self, number: str) -> Order:
        """Pay an order that was closed: what providers say cannot happen, and does."""
        with self._lock:
            self.orders[number].state = "pending"
            return self.pay(number)

    def settle(self, refund_no: str, state: str) -> Refund:
        """Let a pending refund come to its end."""
        with self._lock:
            refund = self.refunds[refund_no]
            self._settle(refund, state)
            return refund

    def console_refund(self, number: str, amount: int) -> Refund:
        """Refund in the provider's console, under a number the shop never gave."""
        with self._lock:
            order = self.orders[number]
            serial = self._next()
            refund = Refund(
                f"console{serial:06d}",
                number,
                amount,
                order.paid_currency,
                f"sbr{serial:08d}",
                order.notify_url,
                "pending",
            )
            self.refunds[refund.out_refund_no] = refund
            order.refunded += amount
            self._settle(refund, "succeeded")
            return refund

    def turn_keys(self, *, overlap: bool) -> None:
        """Sign notices with a fresh key: at once, so in the overlap it is the shop that holds both."""
        before = self.keys.webhook_key if overlap else ""
        fresh = f"local-sandbox-webhook-key-{self._next()}"
        self.keys = replace(self.keys, webhook_key=fresh, webhook_key_before=before)

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """Return what ``payments-sandbox`` holds at the merchant."""
        return {**{name: value for name, value in asdict(self.keys).items() if value}, **changes}

    def listing(self) -> list[dict[str, Any]]:
        """Return the orders as people want to see them."""
        return [order_row(order) for order in self.orders.values()]

    def row(self, number: str) -> dict[str, Any] | None:
        """Return one of them."""
        order = self.orders.get(number)
        return order_row(order) if order is not None else None

    def latest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest of them."""
        return [order_row(order) for order in newest(self.orders, count)]

    def refund_listing(self) -> list[dict[str, Any]]:
        """Return the refunds as people want to see them."""
        return [refund_row(refund) for refund in self.refunds.values()]

    def refund_row(self, number: str) -> dict[str, Any] | None:
        """Return one of them."""
        refund = self.refunds.get(number)
        return refund_row(refund) if refund is not None else None

    def latest_refunds(self, count: int) -> list[dict[str, Any]]:
        """Return the newest of them."""
        return [refund_row(refund) for refund in newest(self.refunds, count)]

    def refunds_of(self, number: str) -> list[dict[str, Any]]:
        """Return those of one order."""
        return [refund_row(refund) for refund in of(self.refunds, number, order_of)]

    def pending_refunds(self) -> dict[str, str]:
        """Return those that have not come to their end, each with its order."""
        return {r.out_refund_no: r.out_trade_no for r in in_hand(self.refunds) if r.state == "pending"}

    def money(self, number: str) -> tuple[int, int]:
        """Return what these books say was captured on an order, and what has gone back."""
        order = self.orders.get(number)
        return (order.paid_amount if order else 0), self.returned(number)

    def returned(self, number: str) -> int:
        """Return what has gone back on an order."""
        return sum(r.amount for r in of(self.refunds, number, order_of) if r.state == "succeeded")

    # --- notices ------------------------------------------------------------------------------------------------------

    def _notify(self, url: str, number: str, content: dict[str, Any]) -> None:
        steering = self.steering(number)
        if not steering.notify:
            return
        serial = self._next()
        content = {
            "notice_id": f"sbn{serial:08d}",
            "merchant_id": self.keys.merchant_id + ("-other" if steering.other_merchant else ""),
            **content,
        }
        for copy in range(max(1, steering.duplicates)):
            due = self.now() + steering.delay_s
            self.outbox.append(Outgoing(due, serial * 100 + copy, url, content, steering))

    def signed_notice(self, content: dict[str, Any], steering: Steering | None = None) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notice as they go out now: signed afresh at each try."""
        steering = steering or Steering()
        content = self.worded(content, steering)
        body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
        headers = self._signature(self.keys.webhook_key, body, self.now() - (3600 if steering.stale else 0))
        if steering.tamper:
            body = json.dumps({**content, "amount": content.get("amount", 0) + 1}, separators=(",", ":")).encode()
        return headers, body


def order_row(order: Order) -> dict[str, Any]:
    """Return an order as people want to see it."""
    return {
        "number": order.out_trade_no,
        "amount": order.amount,
        "currency": order.currency,
        "state": order.state,
        "expires_at": order.expires_at,
        "return_url": order.return_url,
    }


def refund_row(refund: Refund) -> dict[str, Any]:
    """Return a refund as people want to see it."""
    return {
        "number": refund.out_refund_no,
        "order": refund.out_trade_no,
        "amount": refund.amount,
        "currency": refund.currency,
        "state": refund.state,
    }


def _on(day: str, seconds: int | None) -> bool:
    return seconds is not None and datetime.fromtimestamp(seconds, _CHINA).date().isoformat() == day


def _mac(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
