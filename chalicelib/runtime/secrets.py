"""Secrets by name from Secrets Manager, as JSON objects of strings. Never logged, never in the repository."""

from __future__ import annotations

import json
import time
from typing import Any

from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import aws, caches, names, strength
from chalicelib.runtime.config import config

KEEP_S = 300
"""A rotated secret takes effect within this time in a warm process."""

_NOT_THERE = ("ResourceNotFoundException", "InvalidRequestException")
"""The second is said of one that is scheduled for deletion."""
_REFUSED = ("AccessDeniedException", "AccessDenied")
"""Of a name that a policy allows in full only, six characters at its end included, AWS says this when there is no such
secret: it does not tell whether there is. So it is said here as what it is most often."""
MISSED_S = 10
"""For so long one that was not there is not asked for again: a stranger may not make us ask at will."""

_cache: dict[str, tuple[float, dict[str, Any]]] = {}
_missing: dict[str, float] = {}


class NotThere(Misconfigured):
    """The secret does not exist: what needs it is not set up."""


def secret(name: str) -> dict[str, Any]:
    """Return the secret's JSON object.

    Raises:
        Misconfigured: if it is missing, is no JSON object or, outside the local stage, holds anywhere what is empty, a
            default, easy to guess or known from this repository.
    """
    held = _cache.get(name)
    if held and time.monotonic() - held[0] < KEEP_S:
        return held[1]
    full_name = names.secret_name(name)
    if time.monotonic() < _missing.get(name, 0.0):
        raise _not_there(full_name)
    try:
        answer = aws.call("secretsmanager", "GetSecretValue", {"SecretId": full_name})
        value = json.loads(answer["SecretString"])
    except (KeyError, ValueError) as error:
        raise Misconfigured(why=f"secret {full_name} is not a JSON object") from error
    except Exception as error:
        code = aws.error_code(error)
        if code not in (*_NOT_THERE, *_REFUSED):
            raise
        _missing[name] = time.monotonic() + MISSED_S
        raise _not_there(full_name, refused=code in _REFUSED) from error
    if not isinstance(value, dict):
        raise Misconfigured(why=f"secret {full_name} is not a JSON object")
    _refuse_weak(name, full_name, value)
    _cache[name] = (time.monotonic(), value)
    return value


def _not_there(full_name: str, *, refused: bool = False) -> Misconfigured:
    if refused:
        return Misconfigured(why=f"secret {full_name} does not exist, or this function's policy does not name it")
    return NotThere(why=f"secret {full_name} does not exist")


def _refuse_weak(name: str, full_name: str, value: dict[str, Any]) -> None:
    if config().is_local:
        return
    for path, why in strength.weaknesses(name, value):
        raise Misconfigured(why=f"secret {full_name}: {path} {why}")


def text(name: str, key: str) -> str:
    """Return one string of a secret.

    Raises:
        Misconfigured: as :func:`secret`, or if the key is missing.
    """
    value = secret(name).get(key)
    if not isinstance(value, str) or not value:
        raise Misconfigured(why=f"secret {names.secret_name(name)} has no {key}")
    return value


@caches.register
def forget() -> None:
    """Drop the cache: after a rotation, or between tests."""
    _cache.clear()
    _missing.clear()
