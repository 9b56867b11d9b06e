"""Stripe's other end: sessions, intents, refunds, events and balance transactions, strict about what we send.

It refuses parameters it does not know, remembers answers by ``Idempotency-Key`` (refusals too, for a day), pages its
lists, and signs events with every secret that is being rolled. Objects have the fields the adapter may rely on and a
few that it must overlook.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from tools.fakes.sandbox.core import Answer
from tools.fakes.sandbox.shelf import Recent, Scroll, Shelf, in_hand, newest, of
from tools.fakes.sandbox.stand_in import EVERYBODY_KNOWS, NEW_EVENT, StandIn, Steering, nobodys, pick

HOSTS = ("api.stripe.com",)
_THREE = frozenset({"kwd", "bhd", "omr", "jod", "tnd"})
_REMEMBERED_S = 86400
_EVIDENCE_S = 14 * 86400
Object = dict[str, Any]
Form = dict[str, str]


@dataclass(frozen=True)
class Keys:
    """What Stripe and the merchant both hold. Events are signed with all secrets: the last one is being retired."""

    secret_key: str = "sk_test_local0123456789"  # noqa: S105
    previous_secret_key: str = ""
    webhook_secrets: tuple[str, ...] = ("whsec_local0123456789",)
    api_version: str = "2026-10-28.endive"
    livemode: bool = False
    webhook_url: str = "http://127.0.0.1:8000/v1/webhooks/payments/stripe"
    """Stripe's endpoint is configured in its dashboard, not sent with a payment."""


Remembered = tuple[float, tuple[str, str], int, Object]
"""An answer under its idempotency key: when, to what, status and content."""


def _payment_of(thing: Object) -> str:
    return str(thing["metadata"].get("payment_id", ""))


def _charge_of(thing: Object) -> str:
    return str(thing["charge"])


def _is_open(session: Object) -> bool:
    return bool(session["status"] == "open")


def _is_pending(refund: Object) -> bool:
    return bool(refund["status"] == "pending")


def _thing_row(thing: Object) -> dict[str, Any]:
    is_session = thing["object"] == "checkout.session"
    return {
        "number": _payment_of(thing),
        "amount": thing["amount_total" if is_session else "amount"],
        "currency": thing["currency"].upper(),
        "state": _state_of(thing),
        "expires_at": thing.get("expires_at"),
        "return_url": thing.get("success_url", ""),
    }


class Refused(Exception):
    """A refusal: HTTP status, Stripe's code, and whether the endpoint ran (then the answer is remembered)."""

    def __init__(self, code: str, status: int = 400, *, ran: bool = False) -> None:
        super().__init__(code)
        self.code, self.status, self.ran = code, status, ran


@dataclass
class Stripe(StandIn):
    """The provider's whole state."""

    keys: Keys = field(default_factory=Keys)
    sessions: dict[str, Object] = field(default_factory=lambda: Shelf(Object, about=_payment_of, stays=_is_open))
    intents: dict[str, Object] = field(default_factory=lambda: Shelf(Object, about=_payment_of))
    charges: dict[str, Object] = field(default_factory=lambda: Shelf(Object, about=_payment_of))
    refunds: dict[str, Object] = field(default_factory=lambda: Shelf(Object, about=_charge_of, stays=_is_pending))
    disputes: dict[str, Object] = field(default_factory=lambda: Shelf(Object, about=_charge_of))
    transactions: list[Object] = field(default_factory=lambda: Scroll(Object))
    requests: list[tuple[str, str, Form, str]] = field(default_factory=lambda: Recent(500))
    """The last accepted calls: method, path, form, idempotency key."""
    _remembered: dict[str, Remembered] = field(default_factory=lambda: Shelf(Remembered))
    _ours: dict[str, str] = field(default_factory=lambda: Shelf(str))
    """Our numbers of refunds -> Stripe's."""

    title: ClassVar[tuple[str, str]] = ("Stripe", "Stripe")
    knows: ClassVar[frozenset[str]] = EVERYBODY_KNOWS | frozenset(
        ["stale", "other_app", "other_mode", "unknown_key", "notice_currency", "answer_amount", "broken"]
    )
    outcomes: ClassVar[Sequence[str]] = ("succeeded", "pending", "failed", "closed")

    # --- calls --------------------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call."""
        with self._lock:
            if not path.startswith("/v1/"):
                return self._open(method, path, body)
            heads = {name.lower(): value for name, value in headers.items()}
            parts = urlsplit(path)
            try:
                form = self._read(method, heads, body, parts.query)
                return self._route(method, parts.path, form, heads.get("idempotency-key", ""))
            except Refused as refused:
                self.refusals.append(f"{method} {parts.path}: {refused.code}")
                return self._refusal(refused)

    def _read(self, method: str, headers: Mapping[str, str], body: bytes, query: str) -> Form:
        accepted = [f"Bearer {key}" for key in (self.keys.secret_key, self.keys.previous_secret_key) if key]
        if headers.get("authorization") not in accepted:
            raise Refused("api_key_invalid", 401)
        if headers.get("stripe-version") != self.keys.api_version:
            raise Refused("version_missing")
        if method not in ("GET", "POST") or (method == "GET" and body):
            raise Refused("method")
        if method == "POST" and headers.get("content-type") != "application/x-www-form-urlencoded":
            raise Refused("content_type")
        if len(headers.get("idempotency-key", "")) > 255:
            raise Refused("idempotency_key_too_long")
        text = body.decode() if method == "POST" else query
        try:
            pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
        except ValueError as error:
            raise Refused("form") from error
        form = dict(pairs)
        if len(form) != len(pairs) or any(value == "" for value in form.values()):
            raise Refused("parameter_invalid_empty")
        if "expand[0]" in form:  # Stripe takes lists with and without positions.
            form["expand[]"] = form.pop("expand[0]")
        return form

    def _route(self, method: str, path: str, form: Form, key: str) -> Answer:
        for pattern, (operation, act) in _ROUTES.items():
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                number = self._number_of(operation, form, found.groups())
                self._before(operation, number)
                status, content, replayed = self._remember(
                    (operation, number), (path, _flat(form)), key, partial(act, self, form, *found.groups())
                )
                self.requests.append((method, path, form, key))
                self._after(operation, number)
                headers = {"content-type": "application/json", "request-id": f"req_{self._next():08d}"}
                if replayed:
                    headers["idempotent-replayed"] = "true"
                if self._once(number, "unsigned", operation):  # Replies bear no signature: something else answers.
                    return 200, {"content-type": "text/html"}, b"<html>welcome to the hotel's network</html>"
                return status, headers, json.dumps(content).encode()
        raise Refused("url_invalid", 404)

    def _remember(
        self,
        what: tuple[str, str],
        request: tuple[str, str],
        key: str,
        act: Callable[[], Object],
    ) -> tuple[int, Object, bool]:
        """Run the call, or repeat the answer to an earlier one with the same key."""
        operation, number = what
        held = self._remembered.get(key) if key else None
        if key and held and self.now() - held[0] < _REMEMBERED_S:
            if held[1] != request:
                raise Refused("idempotency_error")
            return held[2], held[3], True
        if self._once(number, "broken", operation):
            return 500, {"error": {"type": "api_error"}}, False
        try:
            if operation in self.steering(number).refuse:
                raise Refused("amount_too_small")
            status, content = 200, json.loads(json.dumps(act()))
        except Refused as refused:
            if not refused.ran:
                raise
            status, content = refused.status, json.loads(self._refusal(refused)[2])
        if key:
            self._remembered[key] = (self.now(), request, status, content)
        return status, content, False

    def _refusal(self, refused: Refused) -> Answer:
        kind = {"idempotency_error": "idempotency_error"}.get(refused.code, "invalid_request_error")
        error = {"type": kind, "code": refused.code, "message": "refused"}
        return refused.status, {"content-type": "application/json"}, json.dumps({"error": error}).encode()

    def _number_of(self, operation: str, form: Form, groups: tuple[Any, ...]) -> str:
        """Return our number of what a call is about, for the steering."""
        number = form.get("metadata[payment_id]", "")
        thing = groups[0] if groups else form.get("payment_intent", "")
        held = self.sessions.get(thing) or self.intents.get(thing) or self.refunds.get(thing) or {}
        return number or str(held.get("metadata", {}).get("payment_id", "")) or operation

    # --- sessions and intents -----------------------------------------------------------------------------------------

    def _create_session(self, form: Form) -> Object:
        price = "line_items[0][price_data]"
        _known(
            form,
            "mode client_reference_id metadata[payment_id] payment_intent_data[metadata][payment_id] success_url "
            f"cancel_url expires_at line_items[0][quantity] {price}[currency] {price}[unit_amount] "
            f"{price}[product_data][name]",
        )
        amount, currency = _amount(form, f"{price}[unit_amount]", f"{price}[currency]")
        if form["mode"] != "payment" or form["line_items[0][quantity]"] != "1":
            raise Refused("parameter_invalid")
        if not all(form[name].startswith(("https://", "http://127.0.0.1")) for name in ("success_url", "cancel_url")):
            raise Refused("url_invalid")
        ends = int(form["expires_at"])
        if not 1800 <= ends - self.now() <= 86400:
            raise Refused("expires_at_invalid")
        reference = f"cs_test_{self._next():020d}"
        self.sessions[reference] = {
            "id": reference,
            "object": "checkout.session",
            "amount_total": amount,
            "currency": currency,
            "client_reference_id": form["client_reference_id"],
            "created": int(self.now()),
            "expires_at": ends,
            "livemode": self.keys.livemode,
            "metadata": {"payment_id": form["metadata[payment_id]"]},
            "mode": "payment",
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "url": self.cashier_url(form["metadata[payment_id]"]) or f"https://checkout.stripe.com/c/pay/{reference}",
            "success_url": form["success_url"].replace("{CHECKOUT_SESSION_ID}", reference),
        }
        return self.sessions[reference]

    def _create_intent(self, form: Form) -> Object:
        _known(form, "amount currency automatic_payment_methods[enabled] description metadata[payment_id]")
        amount, currency = _amount(form, "amount", "currency")
        return self._new_intent(amount, currency, {"payment_id": form["metadata[payment_id]"]})

    def _new_intent(self, amount: int, currency: str, metadata: dict[str, str]) -> Object:
        reference = f"pi_{self._next():020d}"
        self.intents[reference] = {
            "id": reference,
            "object": "payment_intent",
            "amount": amount,
            "amount_received": 0,
            "client_secret": f"{reference}_secret_{self.chance.getrandbits(64):016x}",
            "created": int(self.now()),
            "currency": currency,
            "latest_charge": None,
            "livemode": self.keys.livemode,
            "metadata": metadata,
            "status": "requires_payment_method",
        }
        return self.intents[reference]

    def _get_session(self, form: Form, reference: str) -> Object:
        _known(form, "", optional="expand[]")
        self._expire_old()
        return self._show_session(_there(self.sessions, reference), form)

    def _show_session(self, session: Object, form: Form) -> Object:
        intent = self.intents.get(session["payment_intent"] or "")
        if intent is None or form.get("expand[]") != "payment_intent.latest_charge":
            return session
        return {**session, "payment_intent": self._show_intent(intent, {"expand[]": "latest_charge"})}

    def _get_intent(self, form: Form, reference: str) -> Object:
        _known(form, "", optional="expand[]")
        return self._show_intent(_there(self.intents, reference), form)

    def _show_intent(self, intent: Object, form: Form) -> Object:
        shown = dict(intent)
        wrong = self.steering(intent["metadata"].get("payment_id", "")).answer_amount
        if wrong is not None and shown["amount_received"]:
            shown["amount_received"] = wrong
        charge = self.charges.get(intent["latest_charge"] or "")
        if charge and form.get("expand[]") == "latest_charge":
            shown["latest_charge"] = charge
        return shown

    def _expire_session(self, form: Form, reference: str) -> Object:
        _known(form, "", optional="expand[]")
        session = _there(self.sessions, reference)
        if session["status"] == "open" and self._payer_hurries(session):
            self.pay(session["metadata"]["payment_id"])
        if session["status"] != "open":
            raise Refused("resource_not_open")
        self._end_session(session)
        return self._show_session(session, form)

    def _end_session(self, session: Object) -> None:
        session["status"] = "expired"
        session["url"] = None
        self._emit("checkout.session.expired", session)

    def _expire_old(self) -> None:
        for session in in_hand(self.sessions):
            if session["status"] == "open" and session["expires_at"] <= self.now():
                self._end_session(session)

    def _cancel_intent(self, form: Form, reference: str) -> Object:
        _known(form, "", optional="expand[] cancellation_reason")
        intent = _there(self.intents, reference)
        if intent["status"] == "requires_payment_method" and self._payer_hurries(intent):
            self.pay(intent["metadata"]["payment_id"])
        if intent["status"] not in ("requires_payment_method", "requires_action", "requires_confirmation"):
            raise Refused("payment_intent_unexpected_state")
        intent["status"] = "canceled"
        self._emit("payment_intent.canceled", intent)
        return self._show_intent(intent, form)

    def _payer_hurries(self, thing: Object) -> bool:
        return self.steering(thing["metadata"].get("payment_id", "")).pay_during_close

    # --- refunds ------------------------------------------------------------------------------------------------------

    def _create_refund(self, form: Form) -> Object:
        _known(form, "payment_intent amount reason metadata[refund_id] metadata[payment_id]")
        intent = _there(self.intents, form["payment_intent"])
        charge = self.charges.get(intent["latest_charge"] or "")
        if form["reason"] not in ("duplicate", "fraudulent", "requested_by_customer"):
            raise Refused("parameter_invalid")
        if charge is None:
            raise Refused("charge_not_captured", ran=True)
        if charge["disputed"]:
            raise Refused("charge_disputed", ran=True)
        state = self.steering(form["metadata[payment_id]"]).refund
        if state == "failed":
            raise Refused("balance_insufficient", ran=True)
        metadata = {"refund_id": form["metadata[refund_id]"], "payment_id": form["metadata[payment_id]"]}
        return self._new_refund(charge, int(form["amount"]), metadata, state)

    def _new_refund(self, charge: Object, amount: int, metadata: dict[str, str], state: str) -> Object:
        if charge["currency"] in _THREE and amount % 10:
            raise Refused("parameter_invalid_integer")
        if amount < 1 or charge["amount_refunded"] + amount > charge["amount"]:
            code = "charge_already_refunded" if charge["refunded"] else "amount_too_large"
            raise Refused(code, ran=True)
        reference = f"re_{self._next():020d}"
        refund = {
            "id": reference,
            "object": "refund",
            "amount": amount,
            "charge": charge["id"],
            "created": int(self.now()),
            "currency": charge["currency"],
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "reason": "requested_by_customer",
            "status": "pending",
        }
        self.refunds[reference] = refund
        if metadata.get("refund_id"):
            self._ours[metadata["refund_id"]] = reference
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._book("refund", refund, -amount, 0)
        refund["status"] = {"succeeded": "succeeded", "abnormal": "requires_action"}.get(state, "pending")
        self._emit("refund.created", refund)
        self._emit("charge.refunded", charge)
        if state == "closed":
            self._fail_refund(refund)
        return refund

    def _fail_refund(self, refund: Object) -> None:
        charge = self.charges[refund["charge"]]
        refund["status"], refund["failure_reason"] = "failed", "lost_or_stolen_card"
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        self._book("refund_failure", refund, refund["amount"], 0)
        self._emit("refund.failed", refund)

    # --- lists --------------------------------------------------------------------------------------------------------

    def _list(self, items: list[Object], form: Form, *, more: str = "") -> Object:
        _known(form, "limit", optional=f"starting_after created[gte] created[lte] created[lt] {more}")
        limit = int(form["limit"])
        if not 1 <= limit <= 100:
            raise Refused("parameter_invalid_integer")
        newest = list(reversed(items))
        newest = [item for item in newest if _within(item["created"], form)]
        if "starting_after" in form:
            ids = [item["id"] for item in newest]
            if form["starting_after"] not in ids:
                raise Refused("resource_missing")
            newest = newest[ids.index(form["starting_after"]) + 1 :]
        return {"object": "list", "url": "/v1", "has_more": len(newest) > limit, "data": newest[:limit]}

    def _list_sessions(self, form: Form) -> Object:
        return self._list(list(self.sessions.values()), form)

    def _list_intents(self, form: Form) -> Object:
        return self._list(list(self.intents.values()), form)

    def _list_refunds(self, form: Form) -> Object:
        chosen = [r for r in self.refunds.values() if r["payment_intent"] == form.get("payment_intent")]
        return self._list(chosen, form, more="payment_intent")

    def _list_transactions(self, form: Form) -> Object:
        return self._list(self._bill(), form, more="expand[]")

    def _book(self, kind: str, source: Object, amount: int, fee: int) -> None:
        self.transactions.append(
            {
                "id": f"txn_{self._next():020d}",
                "object": "balance_transaction",
                "amount": amount,
                "created": int(self.now()),
                "currency": source["currency"],
                "fee": fee,
                "source": dict(source),
                "status": "available",
                "type": kind,
            }
        )

    def _bill(self) -> list[Object]:
        """Return the balance transactions, with the defects asked for."""
        rows = [json.loads(json.dumps(row)) for row in self.transactions]
        defects = self.bill_defects
        charges = [number for number, row in enumerate(rows) if row["type"] == "charge"]
        if "amount" in defects and charges:
            rows[charges[pick(self.chance, charges)]]["source"]["amount"] += 1
        if "extra" in defects and charges:
            stranger = json.loads(json.dumps(rows[charges[0]]))
            stranger |= {"id": f"txn_{self._next():020d}"}
            stranger["source"] |= {"id": "ch_stranger", "payment_intent": "pi_stranger", "metadata": {}}
            rows.append(stranger)
        if "missing" in defects and charges:
            del rows[charges[pick(self.chance, charges)]]
        if "duplicate" in defects and rows:
            rows.append(json.loads(json.dumps(rows[0])))
        if "field" in defects and rows:
            rows[pick(self.chance, rows)]["source"]["amount"] = "12.34"
        return rows

    # --- what people do -----------------------------------------------------------------------------------------------

    def session_of(self, number: str) -> Object | None:
        """Return the latest session with our number."""
        return next(reversed(of(self.sessions, number, _payment_of)), None)

    def intent_of(self, number: str) -> Object | None:
        """Return the latest intent with our number."""
        return next(reversed(of(self.intents, number, _payment_of)), None)

    def pay(
        self, number: str, *, amount: int | None = None, currency: str | None = None, at_once: bool = True
    ) -> Object:
        """Let the buyer pay; with ``at_once=False`` by a method that takes its time (see :meth:`conclude`).

        Raises:
            KeyError: if there is no such payment.
            ValueError: if nobody can pay it any more.
        """
        with self._lock:
            session, intent = self.session_of(number), self.intent_of(number)
            if session is not None and intent is None:
                if session["status"] != "open" or session["expires_at"] <= self.now():
                    raise ValueError(f"the session is {session['status']}")
                intent = self._new_intent(session["amount_total"], session["currency"], dict(session["metadata"]))
                session["payment_intent"] = intent["id"]
            if intent is None:
                raise KeyError(number)
            if intent["status"] not in ("requires_payment_method", "requires_action"):
                raise ValueError(f"the intent is {intent['status']}")
            if amount is not None:
                intent["amount"] = amount
            if currency is not None:
                intent["currency"] = currency.lower()
            if session is not None:
                session |= {"status": "complete", "url": None, "amount_total": intent["amount"]}
                session["currency"] = intent["currency"]
            if not at_once:
                intent["status"] = "processing"
                self._emit("payment_intent.processing", intent)
                if session is not None:
                    self._emit("checkout.session.completed", session)
                return intent
            return self._succeed(intent, session, "completed")

    def _succeed(self, intent: Object, session: Object | None, how: str) -> Object:
        number = intent["metadata"].get("payment_id", "")
        charge = {
            "id": f"ch_{self._next():020d}",
            "object": "charge",
            "amount": intent["amount"],
            "amount_refunded": 0,
            "created": int(self.now()),
            "currency": intent["currency"],
            "disputed": False,
            "livemode": self.keys.livemode,
            "metadata": dict(intent["metadata"]),
            "payment_intent": intent["id"],
            "refunded": False,
            "status": "succeeded",
        }
        self.charges[charge["id"]] = charge
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge["id"]}
        self._book("charge", charge, charge["amount"], round(charge["amount"] * 0.029) + 30)
        events = [("charge.succeeded", charge), ("payment_intent.succeeded", intent)]
        if session is not None:
            session["payment_status"] = "paid"
            events.append((f"checkout.session.{how}", session))
        self.chance.shuffle(events)  # Stripe promises no order.
        for kind, thing in events:
            self._emit(kind, thing)
        if self.steering(number).reorder:
            self._emit("payment_intent.payment_failed", {**intent, "status": "requires_payment_method"})
        return intent

    def conclude(self, number: str, *, succeeds: bool) -> Object:
        """Let a payment by a slow method come to its end."""
        with self._lock:
            intent, session = self.intent_of(number), self.session_of(number)
            if intent is None or intent["status"] != "processing":
                raise ValueError("nothing is being processed")
            if succeeds:
                return self._succeed(intent, session, "async_payment_succeeded")
            intent["status"] = "requires_payment_method"
            self._emit("payment_intent.payment_failed", intent)
            if session is not None:
                self._emit("checkout.session.async_payment_failed", session)
            return intent

    def fail_try(self, number: str) -> None:
        """Let the buyer's card be declined: the intent can still be paid."""
        with self._lock:
            intent = self.intent_of(number)
            if intent is None:
                raise KeyError(number)
            self._emit("payment_intent.payment_failed", intent)

    def pay_closed(self, number: str) -> Object:
        """Pay what was expired or cancelled: what providers say cannot happen."""
        with self._lock:
            session, intent = self.session_of(number), self.intent_of(number)
            if session is not None:
                session |= {"status": "open", "expires_at": int(self.now()) + 60}
            if intent is not None:
                intent["status"] = "requires_payment_method"
            return self.pay(number)

    def settle(self, refund_no: str, state: str) -> Object:
        """Let a pending refund with our number come to its end: succeeded, failed or closed."""
        with self._lock:
            refund = self.refunds[self._ours.get(refund_no, refund_no)]
            if state == "succeeded":
                refund["status"] = "succeeded"
                self._emit("refund.updated", refund)
            else:
                self._fail_refund(refund)
            return refund

    def console_refund(self, number: str, amount: int) -> Object:
        """Refund in the dashboard, without any number of ours."""
        with self._lock:
            intent = self.intent_of(number)
            if intent is None:
                raise KeyError(number)
            try:
                return self._new_refund(self.charges[intent["latest_charge"]], amount, {}, "succeeded")
            except Refused as refused:
                raise ValueError(refused.code) from refused

    def dispute(self, number: str, *, amount: int | None = None, inquiry: bool = False) -> Object:
        """Let the payer's bank contest the payment; it takes the money back at once unless it only inquires."""
        with self._lock:
            intent = self.intent_of(number)
            if intent is None or intent["latest_charge"] is None:
                raise KeyError(number)
            charge = self.charges[intent["latest_charge"]]
            dispute = {
                "id": f"dp_{self._next():020d}",
                "object": "dispute",
                "amount": amount or charge["amount"],
                "balance_transactions": [],
                "charge": charge["id"],
                "created": int(self.now()),
                "currency": charge["currency"],
                "evidence_details": {"due_by": int(self.now()) + _EVIDENCE_S, "has_evidence": False},
                "livemode": self.keys.livemode,
                "metadata": {},
                "payment_intent": intent["id"],
                "reason": "fraudulent",
                "status": "warning_needs_response" if inquiry else "needs_response",
            }
            self.disputes[dispute["id"]] = dispute
            self._emit("charge.dispute.created", dispute)
            if not inquiry:
                self._withdraw(dispute)
            return dispute

    def _withdraw(self, dispute: Object) -> None:
        self.charges[dispute["charge"]]["disputed"] = True
        self._book("adjustment", dispute, -dispute["amount"], 1500)
        dispute["balance_transactions"].append({"amount": -dispute["amount"], "fee": 1500})
        self._emit("charge.dispute.funds_withdrawn", dispute)

    def end_dispute(self, number: str, how: str) -> Object:
        """Let the bank decide the latest dispute of a payment: ``won``, ``lost``, ``warning_closed``, or escalate an
        inquiry (``needs_response``).
        """
        with self._lock:
            intent = self.intent_of(number) or {"latest_charge": None}
            disputes = of(self.disputes, str(intent["latest_charge"]), _charge_of) if intent["latest_charge"] else []
            dispute = next(reversed(disputes))
            dispute["status"] = how
            if how == "needs_response":
                self._emit("charge.dispute.updated", dispute)
                self._withdraw(dispute)
                return dispute
            if how == "won" and self.charges[dispute["charge"]]["disputed"]:
                self._book("adjustment", dispute, dispute["amount"], 0)
                dispute["balance_transactions"].append({"amount": dispute["amount"], "fee": 0})
                self.charges[dispute["charge"]]["disputed"] = False
                self._emit("charge.dispute.funds_reinstated", dispute)
            self._emit("charge.dispute.closed", dispute)
            return dispute

    def _get_dispute(self, form: Form, reference: str) -> Object:
        return self._with_intent(_there(self.disputes, reference), form)

    def _get_refund(self, form: Form, reference: str) -> Object:
        return self._with_intent(_there(self.refunds, reference), form)

    def _with_intent(self, thing: Object, form: Form) -> Object:
        _known(form, "", optional="expand[]")
        if form.get("expand[]") != "payment_intent":
            return thing
        return {**thing, "payment_intent": self.intents[thing["payment_intent"]]}

    def money(self, number: str) -> tuple[int, int]:
        """Return what these books say was captured with our number, and what has gone back, to payers or banks."""
        charges = of(self.charges, number, _payment_of)
        refunds = [refund for charge in charges for refund in of(self.refunds, charge["id"], _charge_of)]
        disputes = [dispute for charge in charges for dispute in of(self.disputes, charge["id"], _charge_of)]
        back = sum(refund["amount"] for refund in refunds if refund["status"] == "succeeded")
        taken = -sum(move["amount"] for dispute in disputes for move in dispute["balance_transactions"])
        return sum(charge["amount"] for charge in charges), back + taken

    def rotate(self, secret: str, *, overlap: bool = True) -> None:
        """Sign events with a new secret; in the overlap with the one before as well, as Stripe does for a day."""
        before = self.keys.webhook_secrets[:1] if overlap else ()
        self.keys = replace(self.keys, webhook_secrets=(secret, *before))

    def turn_keys(self, *, overlap: bool) -> None:
        """Sign with a fresh secret; see ``StandIn``."""
        self.rotate(f"whsec_local{self._next():012d}", overlap=overlap)

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """Return the secret of a merchant who holds all the right keys."""
        return {
            "secret_key": self.keys.secret_key,
            "publishable_key": "pk_test_local0123456789",
            "webhook_secrets": list(self.keys.webhook_secrets),
            "livemode": self.keys.livemode,
            **changes,
        }

    def listing(self) -> list[dict[str, Any]]:
        """Return sessions and bare intents as people want to see them."""
        bare = [_thing_row(intent) for intent in self.intents.values() if self._is_bare(intent)]
        return [_thing_row(session) for session in self.sessions.values()] + bare

    def _is_bare(self, intent: Object) -> bool:
        sessions = of(self.sessions, _payment_of(intent), _payment_of)
        return all(session["payment_intent"] != intent["id"] for session in sessions)

    def row(self, number: str) -> dict[str, Any] | None:
        """Return one of them."""
        found = self.session_of(number) or self.intent_of(number) if number else None
        return _thing_row(found) if found is not None else None

    def latest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest of them."""
        bare = [intent for intent in newest(self.intents, count) if self._is_bare(intent)]
        things = sorted([*newest(self.sessions, count), *bare], key=lambda thing: thing["created"])
        return [_thing_row(thing) for thing in things[-count:]]

    def refund_listing(self) -> list[dict[str, Any]]:
        """Return the refunds as people want to see them; those made in the dashboard have no number of ours."""
        return [self._refund_row(refund) for refund in self.refunds.values()]

    def _refund_row(self, refund: Object) -> dict[str, Any]:
        return {
            "number": refund["metadata"].get("refund_id") or refund["id"],
            "order": _payment_of(self.intents[refund["payment_intent"]]),
            "amount": refund["amount"],
            "currency": refund["currency"].upper(),
            "state": refund["status"],
        }

    def refund_row(self, number: str) -> dict[str, Any] | None:
        """Return one of them."""
        refund = self.refunds.get(self._ours.get(number, number))
        return self._refund_row(refund) if refund is not None else None

    def latest_refunds(self, count: int) -> list[dict[str, Any]]:
        """Return the newest of them."""
        return [self._refund_row(refund) for refund in newest(self.refunds, count)]

    def refunds_of(self, number: str) -> list[dict[str, Any]]:
        """Return those of one payment."""
        charges = of(self.charges, number, _payment_of)
        return [self._refund_row(r) for charge in charges for r in of(self.refunds, charge["id"], _charge_of)]

    def pending_refunds(self) -> dict[str, str]:
        """Return those that have not come to their end, each with its payment."""
        rows = [self._refund_row(refund) for refund in in_hand(self.refunds) if _is_pending(refund)]
        return {row["number"]: row["order"] for row in rows}

    # --- events -------------------------------------------------------------------------------------------------------

    def _emit(self, kind: str, thing: Object) -> None:
        number = thing["metadata"].get("payment_id", "")
        steering = self.steering(number)
        thing = json.loads(json.dumps(thing))
        for name in ("amount", "amount_received", "amount_total"):
            if steering.notice_amount is not None and name in thing and thing["object"] != "refund":
                thing[name] = steering.notice_amount
        if steering.notice_currency is not None and "currency" in thing:
            thing["currency"] = steering.notice_currency.lower()
        event = {
            "id": f"evt_{self._next():020d}",
            "object": "event",
            "api_version": self.keys.api_version,
            "created": int(self.now()),
            "data": {"object": thing},
            "livemode": self.keys.livemode,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self._notify(self.keys.webhook_url, number, event)

    def worded(self, content: dict[str, Any], steering: Steering) -> dict[str, Any]:
        """Return an event as the steering has it: a copy in which things may be changed."""
        changed: dict[str, Any] = json.loads(json.dumps(content))
        about = changed["data"]["object"].get("metadata") or {}
        if steering.other_number and "payment_id" in about:
            about["payment_id"] = nobodys(about["payment_id"])
        if steering.unknown_event:
            changed["type"] = NEW_EVENT.lower()
        return changed

    def signed_notice(self, content: dict[str, Any], steering: Steering | None = None) -> tuple[dict[str, str], bytes]:
        """Return headers and body of an event as they go out now, pretty-printed as Stripe does."""
        steering = steering or Steering()
        content = self.worded(content, steering)
        if steering.other_merchant:
            content["account"] = "acct_somebody_else"
        if steering.other_app:
            content["data"]["object"]["metadata"] = {"order": "of another shop"}
        if steering.other_mode:
            content["livemode"] = not content["livemode"]
        body = json.dumps(content, indent=2).encode()
        stamp = str(int(self.now()) - (3600 if steering.stale else 0))
        secrets = ("whsec_nobody",) if steering.unknown_key else self.keys.webhook_secrets
        marks = [f"v1={hmac.digest(s.encode(), f'{stamp}.'.encode() + body, 'sha256').hex()}" for s in secrets]
        if steering.tamper:
            body = body.replace(b'"amount', b'"amount_before": 0, "amount', 1)
        return {
            "content-type": "application/json; charset=utf-8",
            "stripe-signature": ",".join([f"t={stamp}", *marks, "v0=" + "0" * 64]),
        }, body


_ROUTES: dict[str, tuple[str, Callable[..., Object]]] = {
    "POST /v1/checkout/sessions": ("create", Stripe._create_session),  # noqa: SLF001
    "GET /v1/checkout/sessions": ("search", Stripe._list_sessions),  # noqa: SLF001
    "GET /v1/checkout/sessions/(cs_[A-Za-z0-9_]+)": ("query", Stripe._get_session),  # noqa: SLF001
    "POST /v1/checkout/sessions/(cs_[A-Za-z0-9_]+)/expire": ("close", Stripe._expire_session),  # noqa: SLF001
    "POST /v1/payment_intents": ("create", Stripe._create_intent),  # noqa: SLF001
    "GET /v1/payment_intents": ("search", Stripe._list_intents),  # noqa: SLF001
    "GET /v1/payment_intents/(pi_[A-Za-z0-9_]+)": ("query", Stripe._get_intent),  # noqa: SLF001
    "POST /v1/payment_intents/(pi_[A-Za-z0-9_]+)/cancel": ("close", Stripe._cancel_intent),  # noqa: SLF001
    "GET /v1/disputes/(dp_[A-Za-z0-9_]+)": ("query_dispute", Stripe._get_dispute),  # noqa: SLF001
    "GET /v1/refunds/(re_[A-Za-z0-9_]+)": ("query_refund", Stripe._get_refund),  # noqa: SLF001
    "POST /v1/refunds": ("refund", Stripe._create_refund),  # noqa: SLF001
    "GET /v1/refunds": ("query_refund", Stripe._list_refunds),  # noqa: SLF001
    "GET /v1/balance_transactions": ("bill", Stripe._list_transactions),  # noqa: SLF001
}


def _state_of(thing: Object) -> str:
    """Return a session's or an intent's state in the words that all stand-ins use."""
    if thing["object"] == "checkout.session" and thing["status"] != "complete":
        return {"open": "pending", "expired": "closed"}[thing["status"]]
    paid = thing.get("payment_status") == "paid" or thing["status"] == "succeeded"
    return "paid" if paid else {"canceled": "closed"}.get(thing["status"], "pending")


def _flat(form: Form) -> str:
    return json.dumps(form, sort_keys=True)


def _known(form: Form, needed: str, *, optional: str = "") -> None:
    """Refuse missing and unknown parameters."""
    for name in needed.split():
        if name not in form:
            raise Refused("parameter_missing")
    if set(form) - set(needed.split()) - set(optional.split()):
        raise Refused("parameter_unknown")


def _amount(form: Form, amount: str, currency: str) -> tuple[int, str]:
    word = form[currency]
    if not re.fullmatch(r"[1-9][0-9]{0,10}", form[amount]) or not re.fullmatch(r"[a-z]{3}", word):
        raise Refused("parameter_invalid_integer")
    number = int(form[amount])
    if word in _THREE and number % 10:
        raise Refused("parameter_invalid_integer")
    return number, word


def _there(things: Mapping[str, Object], reference: str) -> Object:
    if reference not in things:
        raise Refused("resource_missing", 404)
    return things[reference]


def _within(created: int, form: Form) -> bool:
    return (
        created >= int(form.get("created[gte]", "0"))
        and created <= int(form.get("created[lte]", "99999999999"))
        and created < int(form.get("created[lt]", "99999999999"))
    )
