"""What Stripe says byte for byte: its configuration, the signature of its events, their envelope, its answers."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments.ports import BadSignature, IgnoredNotice, UnreadableNotice
from chalicelib.payments.providers._shared import reading
from chalicelib.runtime import outbound
from chalicelib.runtime.config import config, setting

SECRET = "payments-stripe"  # noqa: S105  (a name)
API_VERSION = "2026-10-28.endive"
"""Pinned: what we send and read is of this version. The webhook endpoint must be created with the same one."""
OFFICIAL_URL = "https://api.stripe.com"
LIVE_STAGE = "prod"
STAND_IN_STAGES = ("local", "dev")
WINDOW = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the adapter is told. All webhook secrets verify, so that one can be rolled (Stripe signs with both)."""

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    publishable_key: str = ""
    livemode: bool = False
    account: str = ""
    """Set only for a connected account: events of others are refused."""
    return_url: str = ""
    """Where Checkout sends the buyer if the payment does not say."""
    base_url: str = OFFICIAL_URL


def configuration_from(secret: Mapping[str, Any], *, to_call: bool = True) -> Configuration:
    """Return the configuration a secret describes. ``livemode`` follows from the stage unless it is said.

    Who only verifies needs no key, and may give one webhook secret as a text.

    Raises:
        Misconfigured: with everything that is missing, of the wrong kind, or of the other mode than the stage.
    """
    reader = reading.Reader("stripe", secret)
    hooks = secret.get("webhook_secrets")
    if isinstance(hooks, str) and not to_call:
        hooks = [hooks]
    if not isinstance(hooks, list | tuple) or not hooks or not all(isinstance(hook, str) and hook for hook in hooks):
        reader.problems.append("webhook_secrets is missing or no list of texts")
        hooks = ()
    secret_key = reader.text("secret_key", None if to_call else "")
    publishable_key = reader.text("publishable_key", "")
    live = secret.get("livemode", config().stage == LIVE_STAGE)
    if not isinstance(live, bool):
        reader.problems.append("livemode is neither true nor false")
    for name, key in (("secret_key", secret_key), ("publishable_key", publishable_key)):
        if ("_test_" if live else "_live_") in key:
            reader.problems.append(f"{name} is of the other mode than the stage")
    told = Configuration(
        secret_key=secret_key,
        webhook_secrets=tuple(hooks),
        publishable_key=publishable_key,
        livemode=live is True,
        account=reader.text("account", ""),
        return_url=reader.text("return_url", ""),
        base_url=(reader.attempt("BIANDAN_STRIPE_URL", _address) or "") if to_call else OFFICIAL_URL,
    )
    reader.refuse_problems()
    return told


def _address() -> str:
    """Return Stripe's address, or that of a stand-in.

    Raises:
        Misconfigured: for a stand-in outside the stages local and dev: it would be handed our key.
    """
    url = setting("BIANDAN_STRIPE_URL", OFFICIAL_URL).rstrip("/")
    if url != OFFICIAL_URL and config().stage not in STAND_IN_STAGES:
        raise Misconfigured(why="a stand-in is for the stages local and dev")
    return url


_STAMP = re.compile(r"[0-9]{1,12}")
_HEADER_CAP = 4096


def authentic(header: str, body: bytes, hooks: Sequence[str]) -> datetime:
    """Return the signed time of a ``Stripe-Signature`` header that matches the raw body.

    The key is the whole ``whsec_...`` text. Any ``v1`` may match any of our secrets; ``v0`` and others do not count.

    Raises:
        BadSignature: if there is none that matches.
    """
    if len(header) > _HEADER_CAP or not header.isascii():
        raise BadSignature(why="the signature is malformed")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    given = [value.encode() for name, _, value in pairs if name == "v1"]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]) or not given:
        raise BadSignature(why="the signature is missing or malformed")
    message = stamps[0].encode() + b"." + body
    wanted = [hmac.new(hook.encode(), message, hashlib.sha256).hexdigest().encode() for hook in hooks]
    matches = [hmac.compare_digest(one, other) for one in wanted for other in given]
    if not any(matches):
        raise BadSignature(why="the signature does not match the body")
    return clock.from_epoch_s(min(int(stamps[0]), 253_402_300_799))


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = reading.strict_json(body.decode("utf-8"))
    except ValueError as error:
        raise UnreadableNotice(why="it is not sound JSON") from error
    if not isinstance(content, dict):
        raise UnreadableNotice(why="it is not an object")
    return content


def event(body: bytes) -> dict[str, Any]:
    """Read the envelope of an event.

    Raises:
        IgnoredNotice: for a thin one, which has nothing in it.
        UnreadableNotice: for anything else that is no event.
    """
    content = _content(body)
    if content.get("object") == "v2.core.event":
        kind, notice_id = (str(content.get(name, ""))[:64] for name in ("type", "id"))
        raise IgnoredNotice(why="thin events carry nothing to act on", event=kind or "thin", notice_id=notice_id)
    if content.get("object") != "event":
        raise UnreadableNotice(why="it is not an event")
    return content


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call brought; status 0 where nothing is known."""

    status: int
    content: Mapping[str, Any]
    refused: bool = False
    """Stripe understood and will not: nothing was made."""
    replayed: bool = False
    """The remembered answer to an earlier use of the key."""
    code: str = ""


def read_answer(response: outbound.Response, told: Configuration) -> Answer:
    """Read an answer. One that is not of Stripe's shape or of our mode has status 0: unknown."""
    try:
        content = _content(response.body)
    except UnreadableNotice:
        return Answer(0, {}, code=f"http_{response.status}")
    if response.status == 200:
        if content.get("livemode", told.livemode) is not told.livemode:
            return Answer(0, {}, code="other_mode")
        return Answer(200, content)
    error = content.get("error")
    if not isinstance(error, dict):
        return Answer(0, {}, code=f"http_{response.status}")
    kind = error.get("type")
    code = word(error.get("code") or kind)
    # 401, 403: our key is wrong; 409, 429: later; 5xx: perhaps done. A key used with other parameters is our fault, and
    # says nothing about the first use. None of these is the provider's verdict on the order.
    refused = response.status in (400, 402, 404) and kind in ("invalid_request_error", "card_error")
    replayed = response.headers.get("idempotent-replayed") == "true"
    return Answer(response.status if refused else 0, {}, refused, replayed, code)


def word(value: object) -> str:
    """Return what somebody says as a word for logs and operators."""
    return re.sub(r"[^0-9A-Za-z_.-]", "_", str(value or ""))[:64]
