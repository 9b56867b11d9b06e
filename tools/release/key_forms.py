"""What each provider's and hub's secret holds: the form that ``tools.release.keys`` fills, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Ask = Callable[[str], str]


class FormError(Exception):
    """A value was given for a field that there is not, or a file cannot be read; the message says which."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. Its path is that of its value: ``webhook_secrets[0]`` is the first of a list."""

    path: str
    needed: bool = True
    is_pem: bool = False
    """Many lines: asked for as the name of a file."""


def _optional(path: str, *, is_pem: bool = False) -> Field:
    return Field(path, needed=False, is_pem=is_pem)


FORMS: dict[str, tuple[Field, ...]] = {
    "payments-alipay": (
        Field("app_id"),
        Field("seller_id"),
        Field("app_keys[0].pem", is_pem=True),
        _optional("app_keys[0].certificate", is_pem=True),
        Field("alipay_keys[0].pem", is_pem=True),
        _optional("root_certificates", is_pem=True),
        _optional("gateway"),
    ),
    "payments-qqwallet": (
        Field("mch_id"),
        Field("keys[0]"),
        _optional("appid"),
        _optional("sign_type"),
        _optional("op_user_id"),
        _optional("op_user_password"),
        _optional("certificate", is_pem=True),
        _optional("private_key", is_pem=True),
    ),
    "payments-sandbox": (Field("merchant_id"), Field("api_key"), Field("webhook_key")),
    "payments-stripe": (
        Field("secret_key"),
        Field("webhook_secrets[0]"),
        _optional("publishable_key"),
        _optional("return_url"),
        _optional("account"),
    ),
    "payments-wechatpay": (
        Field("mchid"),
        Field("appid"),
        Field("merchant_keys[0].serial"),
        Field("merchant_keys[0].pem", is_pem=True),
        Field("apiv3_keys[0]"),
        _optional("platform_keys[0].serial"),
        Field("platform_keys[0].pem", is_pem=True),
        _optional("appids.native"),
        _optional("appids.jsapi"),
        _optional("appids.mini"),
        _optional("appids.h5"),
        _optional("appids.app"),
    ),
    "logistics-kdniao": (Field("business_id"), Field("app_key")),
    "logistics-kuaidi100": (Field("customer"), Field("key"), Field("salt_key")),
    "sign-in-qq": (Field("appid"), Field("app_secret")),
    "sign-in-qq-mini": (Field("appid"), Field("app_secret")),
    "sign-in-wechat-mini": (Field("appid"), Field("app_secret")),
    "messages-tencent": (Field("secret_id"), Field("secret_key"), Field("sdk_app_id"), _optional("token")),
    "messages-aliyun": (Field("access_key_id"), Field("access_key_secret"), _optional("token")),
}
"""Secret -> its fields, the one that decides whether it is filled at all first."""

NEVER_LIVE = ("payments-sandbox",)
"""Providers for tests: the stage ``prod`` is not asked about them."""


def offered(stage: str) -> list[str]:
    """Return the secrets of others that a stage may have."""
    return [name for name in FORMS if stage != "prod" or name not in NEVER_LIVE]


def fill(secret: str, given: Mapping[str, str], ask: Ask) -> tuple[Json | None, list[str]]:
    """Return a secret filled from what was given and, where that lacks, by asking; and the needed fields left empty.

    Whoever leaves the first field empty is asked nothing more: there is no such secret then (``None``), unless
    something of it was given.

    Raises:
        FormError: for a value of a field that there is not, or of a file that cannot be read.
    """
    refuse_strangers(secret, given)
    found: dict[str, str] = {}
    empty: list[str] = []
    for number, field in enumerate(FORMS[secret]):
        told = given.get(field.path) or ask(f"{secret}.{field.path}{' (@file)' if field.is_pem else ''}")
        if told:
            found[field.path] = told
        elif field.needed:
            if number == 0 and not given:
                return None, [field.path]
            empty.append(field.path)
    found |= given
    return (None if empty else built({path: read(text) for path, text in found.items()})), empty


def refuse_strangers(secret: str, given: Mapping[str, str]) -> None:
    """Refuse fields that a secret does not have.

    Raises:
        FormError: with their names, and those that there are.
    """
    known = {_any(field.path) for field in FORMS[secret]}
    strangers = sorted(path for path in given if _any(path) not in known)
    if strangers:
        fields = ", ".join(field.path for field in FORMS[secret])
        raise FormError(f"{secret} has no {', '.join(strangers)}; it has {fields}")


def _any(path: str) -> tuple[str | None, ...]:
    """Return a path in which one place of a list is like the other."""
    return tuple(None if isinstance(part, int) else part for part in parts(path))


def read(text: str) -> str:
    """Return a value as given, or what stands in the file that ``@name`` names.

    Raises:
        FormError: if there is no such file.
    """
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise FormError(f"{text[1:]} cannot be read ({type(error).__name__})") from error


def parts(path: str) -> Iterator[str | int]:
    """Yield the steps of a path: ``keys[0].pem`` is ``keys``, 0, ``pem``.

    Raises:
        FormError: if it is no path.
    """
    for step in path.split("."):
        name, *places = step.split("[")
        if not name or not all(place.endswith("]") and place[:-1].isdecimal() for place in places):
            raise FormError(f"{path} is no field's name")
        yield name
        yield from (int(place[:-1]) for place in places)


def built(values: Mapping[str, str]) -> Json:
    """Return the object whose texts stand at their paths.

    Raises:
        FormError: if a list has gaps, or a path leads through a text.
    """
    root: Json = {}
    for path in sorted(values):
        put(root, path, values[path])
    return root


def put(root: Json, path: str, value: Any) -> None:
    """Put a value at its path, making room on the way.

    Raises:
        FormError: as :func:`built`.
    """
    steps = list(parts(path))
    at: Any = root
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        empty: Any = value if after is None else [] if isinstance(after, int) else {}
        if isinstance(step, int) and isinstance(at, list) and step <= len(at):
            if step == len(at):
                at.append(empty)
            elif after is None:
                at[step] = value
        elif isinstance(step, str) and isinstance(at, dict):
            if after is None:
                at[step] = value
            else:
                at.setdefault(step, empty)
        else:
            raise FormError(f"{path} does not fit: a list has a gap, or something else stands there")
        at = at[step]
