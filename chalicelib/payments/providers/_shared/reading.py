"""What adapters share in reading other people's data: strict JSON, yuan, China time, settings. It calls nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from chalicelib.kernel.clock import CHINA
from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments.ports import RefundOrder
from chalicelib.runtime import caches, secrets
from chalicelib.runtime.config import config

NOTICE_CAP_BYTES = 256 * 1024
"""Notices are a few KB; a larger one is refused before any cryptography."""
USER_AGENT = "biandan/1 (+payments)"
_YUAN = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,2}))?", re.ASCII)
_CHINA_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d{1,6})?", re.ASCII)


def strict_json(text: str) -> Any:
    """Read JSON, refusing what two readers could read differently: repeated names, NaN, a byte order mark.

    Raises:
        ValueError: for anything that is not such JSON, however deep or long.
    """
    try:
        return _decoder.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def raw_value(text: str, start: int) -> tuple[Any, int]:
    """Read one JSON value at ``start``; return it and the index after it: where the exact substring is cut.

    Raises:
        ValueError: if there is none.
    """
    try:
        return _decoder.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def compact_json(value: Any) -> str:
    """Write JSON without spaces and without escaping other scripts: what is signed is what is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fen(yuan: object) -> int:
    """Return whole fen of an amount in yuan as text.

    Raises:
        ValueError: for signs, exponents, more than two decimals, and everything that is no such text.
    """
    match = _YUAN.fullmatch(yuan) if isinstance(yuan, str) else None
    if match is None:
        raise ValueError("not an amount in yuan")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def yuan(minor: int) -> str:
    """Return an amount as text in yuan with exactly two decimals.

    Raises:
        ValueError: for a negative one, which providers do not take and a floor division would misspell.
    """
    if minor < 0:
        raise ValueError("an amount is not negative")
    return f"{minor // 100}.{minor % 100:02d}"


def refund_fits(refund: RefundOrder) -> bool:
    """Say whether a refund can be asked for at all: some of what was captured, in its currency."""
    same = refund.amount.currency == refund.captured.currency == "CNY"
    return same and 0 < refund.amount.minor <= refund.captured.minor


def china_time(text: object) -> datetime:
    """Return the UTC time of ``yyyy-MM-dd HH:mm:ss[.SSS]``, which is China's clock.

    Raises:
        ValueError: if it is not of that form.
    """
    match = _CHINA_TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a time")
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=CHINA).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a time") from error


def in_china(moment: datetime) -> str:
    """Return the moment as ``yyyy-MM-dd HH:mm:ss`` on China's clock."""
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def rfc3339(text: object) -> datetime:
    """Return the UTC time of an RFC 3339 text with its offset.

    Raises:
        ValueError: if it is not of that form.
    """
    if not isinstance(text, str) or len(text) > 40:
        raise ValueError("not a time")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a time") from error


def cut_bytes(text: str, most: int) -> str:
    """Return the longest beginning of the text that takes at most so many bytes of UTF-8."""
    return text.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


class Reader:
    """Reads a configuration and says in words what is wrong, all of it at once."""

    def __init__(self, provider: str, configuration: Mapping[str, Any]) -> None:
        self.provider = provider
        self.configuration = configuration
        self.problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """Return one text; without a default it must be there."""
        value = self.configuration.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.problems.append(f"{name} is missing or no text")
            return ""
        return value.strip()

    def entries(self, name: str) -> list[dict[str, Any]]:
        """Return a list of objects that must hold one at least."""
        value = self.configuration.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
            self.problems.append(f"{name} is missing or no list of objects")
            return []
        return value

    def attempt(self, what: str, read: Callable[[], Any]) -> Any:
        """Return what ``read`` returns; note what it complains of."""
        try:
            return read()
        except Misconfigured as error:
            self.problems.append(f"{what}: {error.params.get('why', error)}")
        return None

    def url(self, text: str, *, official: tuple[str, ...]) -> str:
        """Return an address without its last slash: outside the local and dev stages only an official one."""
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self.problems.append(f"{text!r} is no address")
        elif config().stage not in ("local", "dev") and text.rstrip("/") not in official:
            self.problems.append(f"{text!r} is not {self.provider}'s; stand-ins are for the stages local and dev")
        return text.rstrip("/")

    def refuse_problems(self) -> None:
        """Stop here if anything was wrong.

        Raises:
            Misconfigured: with all of it.
        """
        if self.problems:
            raise Misconfigured(why=f"payments-{self.provider}: " + "; ".join(self.problems))


Settings = TypeVar("Settings")


class Held(Generic[Settings]):
    """The settings read from a secret, read anew whenever the secret is: a rotation needs no restart."""

    def __init__(
        self,
        name: str,
        read: Callable[[Mapping[str, Any]], Settings],
        *,
        complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda secret: secret,
    ) -> None:
        self._name, self._read, self._complete = name, read, complete
        self._held: tuple[Mapping[str, Any], Settings] | None = None
        caches.register(self.forget)

    def get(self) -> Settings:
        """Return the settings of the secret ``payments-<name>``.

        Raises:
            Misconfigured: if the secret is missing or wrong.
        """
        told = self._complete(secrets.secret(f"payments-{self._name}"))
        if self._held is None or (self._held[0] is not told and self._held[0] != told):
            self._held = (told, self._read(told))
        return self._held[1]

    def forget(self) -> None:
        """Read it anew at the next use."""
        self._held = None


class Configured(Generic[Settings]):
    """An adapter that is built with settings, or reads those of its secret anew at each use."""

    def __init__(self, held: Held[Settings], told: Settings | None) -> None:
        self._held, self._told = held, told

    @property
    def settings(self) -> Settings:
        """What it was built with, or what the secret says now.

        Raises:
            Misconfigured: if the secret is missing or wrong.
        """
        return self._told or self._held.get()
