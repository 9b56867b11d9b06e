"""Stripe's other end, at the moment when a webhook secret is being rolled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from chalicelib.kernel import clock
from chalicelib.payments import ports
from chalicelib.payments.providers.stripe import adapter as stripe
from tests.contract.stands import Sent, Wrong
from tests.contract.stands.steered import Steered
from tools.fakes.sandbox import mount
from tools.fakes.sandbox.stand_in import Steering
from tools.fakes.sandbox.stripe import HOSTS, Stripe

ADAPTER: Final[ports.Adapter] = stripe


class StripeStand(Steered):
    """See ``Stand``."""

    sandbox: Stripe
    # Closing begins with a look at the object: without an answer to that, nothing is sent.
    parts: ClassVar = {"close": ("query",)}

    def __init__(self) -> None:
        self.sandbox = Stripe(now=lambda: clock.now().timestamp())
        self.provider: ports.Provider = stripe.build(
            self.sandbox.configuration(webhook_secrets=["whsec_of_next_week", *self.sandbox.keys.webhook_secrets])
        )
        self.transport = mount.by_host(dict.fromkeys(HOSTS, self.sandbox))

    def outcomes(self) -> Sequence[str]:
        return ("succeeded", "pending", "closed")

    def refunded(self, payment_id: str) -> int:
        intent = self.sandbox.intent_of(payment_id)
        return int(self.sandbox.charges[intent["latest_charge"]]["amount_refunded"]) if intent else 0

    def _event(self, payment_id: str) -> dict[str, Any]:
        intent = self.sandbox.intent_of(payment_id)
        kind, thing = ("payment_intent.succeeded", intent) if intent else ("checkout.session.completed", None)
        event: dict[str, Any] = {
            "id": "evt_00000001",
            "object": "event",
            "api_version": self.sandbox.keys.api_version,
            "created": int(self.sandbox.now()),
            "data": {"object": thing or self.sandbox.session_of(payment_id)},
            "livemode": False,
            "type": kind,
        }
        return event

    def notice(self, payment_id: str) -> Sent:
        return self.sandbox.signed_notice(self._event(payment_id))

    def wrong(self, payment_id: str) -> Sequence[Wrong]:
        event = self._event(payment_id)
        sign = self.sandbox.signed_notice
        headers, body = sign(event)
        signature = headers["stripe-signature"]

        def of(**changes: Any) -> Sent:
            return sign({**event, "data": {"object": {**event["data"]["object"], **changes}}})

        return [
            Wrong("tampered", sign(event, Steering(tamper=True)), ports.BadSignature),
            Wrong("an hour old", sign(event, Steering(stale=True)), ports.StaleNotice),
            Wrong("a secret nobody holds", sign(event, Steering(unknown_key=True)), ports.BadSignature),
            Wrong("another account", sign(event, Steering(other_merchant=True)), ports.ForeignNotice),
            Wrong("of the live mode", sign(event, Steering(other_mode=True)), ports.ForeignNotice),
            Wrong("of another system", sign(event, Steering(other_app=True)), ports.IgnoredNotice),
            Wrong("a number as a list", of(metadata={"payment_id": [1]}), ports.IgnoredNotice),
            Wrong("amount as text", of(amount_received="1999"), ports.UnreadableNotice),
            Wrong("amount as float", of(amount_received=19.99), ports.UnreadableNotice),
            Wrong("amount as boolean", of(amount_received=True), ports.UnreadableNotice),
            Wrong("state and event disagree", of(status="processing"), ports.UnreadableNotice),
            Wrong("unknown kind", sign({**event, "type": "tax_rate.created"}), ports.IgnoredNotice),
            Wrong("a thin event", sign({**event, "object": "v2.core.event"}), ports.IgnoredNotice),
            Wrong("no signature", ({"content-type": "application/json"}, body), ports.BadSignature),
            Wrong("an old scheme", ({"stripe-signature": signature.replace("v1=", "v0=")}, body), ports.BadSignature),
            Wrong("upper case", ({"stripe-signature": signature.upper()}, body), ports.BadSignature),
            Wrong("absurd time", ({"stripe-signature": "t=" + "9" * 13 + signature[12:]}, body), ports.BadSignature),
            Wrong("formatted anew", (headers, json.dumps(json.loads(body)).encode()), ports.BadSignature),
        ]

    def acknowledged(self, reply: ports.Reply) -> bool:
        return 200 <= reply[0] < 300


def stand() -> StripeStand:
    """Return a fresh stand-in."""
    return StripeStand()
