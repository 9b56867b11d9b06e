"""Changes keys while the shop is open: nothing that was signed a moment ago may stop counting.

Functions remember a secret for five minutes, so a key that others verify with must be known everywhere before anything
is signed with it, and stay known until the last thing it signed has run out. Each call does the next safe step, or says
how long to wait; called again and again it walks through all of them. The value before stays in Secrets Manager as the
version ``AWSPREVIOUS``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.runtime import secrets, strength
from tools.fakes import resources
from tools.release import key_forms, keys

Json = dict[str, Any]

KNOWN_AFTER = timedelta(seconds=2 * secrets.KEEP_S)
"""A changed secret is then known to every warm function."""
FORGOTTEN_AFTER = timedelta(days=1)
"""Nothing that is signed for people lives longer."""
NEVER = {("auth", "pepper"): "without it nobody can sign in again"}
KEPT_BEFORE = {("http", "origin_key"), ("messages", "seal_key"), ("payments-sandbox", "webhook_key")}
"""Keys of which the one before still counts, as ``<field>_before``."""


ENDS = {
    "http.cursor_key": "Guests' carts, open lists and buyers on their way back from a cashier begin anew.",
    "checkout.quote_key": "Quotes that were not ordered yet are asked for again.",
    "messages.seal_key": "What waits to be sent still opens with the one before.",
    "messages.id_key": "Who was told of something may be told of it once more.",
    "http.origin_key": "Now give it to the CDN; the one before counts until the next change.",
}
"""What a key that is replaced at once puts an end to."""


class NotYet(Exception):
    """The next step must wait, or may never be done; the message says why. Nothing was changed."""


def rotate(session: Any, installed: str, path: str, now: datetime) -> str:
    """Do the next step of changing one of our own keys (``auth.signing_keys``); returns what was done, in words.

    Raises:
        NotYet: if it is too early, or that key must not change.
        FormError: if there is no such key of ours.
    """
    secret, _, field = path.partition(".")
    shape = resources.local_secrets().get(secret, {})
    if secret not in strength.OURS or field not in shape:
        ours = [f"{name}.{one}" for name in strength.OURS for one in resources.local_secrets()[name]]
        raise key_forms.FormError(f"{path} is no key of ours; there are {', '.join(ours)}")
    if (secret, field) in NEVER:
        raise NotYet(f"{path} must not change: {NEVER[secret, field]}")
    value = read(session, installed, secret)
    if isinstance(shape[field], list):
        done = _next_step(value[field], now)
    else:
        if (secret, field) in KEPT_BEFORE and field in value:
            value[f"{field}_before"] = value[field]
        value[field] = keys.drawn(shape[field], field)
        done = f"{path} is a new one; it counts everywhere within {secrets.KEEP_S} s. {ENDS.get(path, '')}".strip()
    write(session, installed, secret, value)
    return done


def _next_step(entries: list[Json], now: datetime) -> str:
    """Add, then use, then drop: the first signs, all verify."""
    newest = max(entries, key=_made)
    age = now - _made(newest)
    if newest is not entries[0]:
        _wait(age, KNOWN_AFTER, "it is not known everywhere yet")
        entries.remove(newest)
        entries.insert(0, newest)
        return f"{newest['kid']} signs from now on; the older ones still verify. Call again in a day to drop them"
    if len(entries) > 1:
        _wait(age, FORGOTTEN_AFTER, "what the older keys signed may still count")
        gone = [str(entry["kid"]) for entry in entries[1:]]
        del entries[1:]
        return f"{', '.join(gone)} no longer verify: the change is complete"
    fresh = keys.drawn({"kid": "", "seed": ""})
    fresh["kid"] = now.astimezone(UTC).strftime("k%Y%m%d%H%M%S")
    entries.append(fresh)
    return f"{fresh['kid']} verifies. Call again in {KNOWN_AFTER.seconds // 60} minutes to sign with it"


def _made(entry: Mapping[str, Any]) -> datetime:
    try:
        return datetime.strptime(str(entry["kid"]), "k%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime(2000, 1, 1, tzinfo=UTC)  # A name that somebody gave: older than any of ours.


def _wait(age: timedelta, least: timedelta, why: str) -> None:
    if age < least:
        raise NotYet(f"wait {int((least - age).total_seconds())} s more: {why}")


def change(session: Any, installed: str, given: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Put fields of providers' secrets that exist; returns the names of those changed.

    Raises:
        FormError: for a field or secret that there is not, or a weak value. Nothing is changed then.
    """
    ready: dict[str, Json] = {}
    for secret, fields in given.items():
        value = read(session, installed, secret)
        key_forms.refuse_strangers(secret, fields)
        for path, text in fields.items():
            if (secret, path) in KEPT_BEFORE and path in value:
                value[f"{path}_before"] = value[path]
            key_forms.put(value, path, key_forms.read(text))
        wrong = [f"{secret}: {path} {why}" for path, why in strength.weaknesses(secret, value)]
        if wrong:
            raise key_forms.FormError("; ".join(wrong))
        ready[secret] = value
    for secret, value in ready.items():
        write(session, installed, secret, value)
    return [keys.full_name(installed, secret) for secret in ready]


def read(session: Any, installed: str, secret: str) -> Json:
    """Return a secret.

    Raises:
        FormError: if it does not exist, or is no JSON object.
    """
    client = session.client("secretsmanager")
    name = keys.full_name(installed, secret)
    try:
        value = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    except client.exceptions.ResourceNotFoundException as error:
        raise key_forms.FormError(f"{name} does not exist: make secrets creates it") from error
    except ValueError as error:
        raise key_forms.FormError(f"{name} is no JSON object") from error
    if not isinstance(value, dict):
        raise key_forms.FormError(f"{name} is no JSON object")
    return value


def write(session: Any, installed: str, secret: str, value: Json) -> None:
    """Put a secret's new value; the one before is kept by Secrets Manager."""
    session.client("secretsmanager").put_secret_value(
        SecretId=keys.full_name(installed, secret), SecretString=json.dumps(value)
    )
