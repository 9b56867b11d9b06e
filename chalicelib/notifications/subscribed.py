"""Subscribe messages of mini programs: what somebody said yes to, and the shape their fields must have. Pure.

One yes is one message. The platform keeps count, and tells us only when it is used up: so we count, too, and spend one
in the transaction that begins a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from chalicelib.kernel.errors import IdempotencyKeyReused, Invalid, ShopError
from chalicelib.notifications.domain import Kind

PROVIDERS: Final[Mapping[Kind, str]] = {Kind.WECHAT: "wechat_mini", Kind.QQ: "qq_mini"}
"""Kind -> by which way to sign in the person is known there."""
KINDS: Final[Mapping[str, Kind]] = {provider: kind for kind, provider in PROVIDERS.items()}
MOST = 100
"""So many yeses of one template are counted."""
REMEMBERED = 20
"""So many answers of a client are known again."""


class NotThatPerson(Invalid):
    """The caller's account is not opened by this person of the mini program."""

    code = "not_that_person"
    en, zh = "This account is not signed in to by that person.", "该账号并非由该小程序用户登录。"


class NoneLeft(ShopError):
    """Nobody said yes to another such message. Never shown: the message goes another way."""

    code, status = "no_consent_left", 409
    en, zh = "No consent to such a message is left.", "订阅次数已用完。"


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """What one person of a mini program said yes to."""

    account_id: str
    kind: Kind
    openid: str = field(default="", repr=False)
    left: Mapping[str, int] = field(default_factory=dict)
    """Template -> how many more messages."""
    answers: tuple[tuple[str, str], ...] = ()
    """Intents that were counted, with their fingerprints."""
    version: int = 0

    def answered(self, openid: str, said: Mapping[str, bool], token: str, fingerprint: str) -> Subscriptions:
        """Return it with the answers to one question; the same answers again change nothing.

        A no leaves what was said before: it is about one message more.

        Raises:
            IdempotencyKeyReused: if other answers came under the same key.
        """
        known = dict(self.answers)
        if token in known:
            if known[token] != fingerprint:
                raise IdempotencyKeyReused
            return self
        before = self.left if openid == self.openid else {}
        left = {**before, **{name: min(MOST, before.get(name, 0) + 1) for name, yes in said.items() if yes}}
        answers = (*self.answers, (token, fingerprint))[-REMEMBERED:]
        return replace(self, openid=openid, left=left, answers=answers)

    def spent(self, template: str) -> Subscriptions:
        """Return it with one yes less.

        Raises:
            NoneLeft: if there is none.
        """
        if self.left.get(template, 0) < 1:
            raise NoneLeft
        return replace(self, left={**self.left, template: self.left[template] - 1})

    def given_back(self, template: str) -> Subscriptions:
        """Return it with the yes of a message that was certainly not taken."""
        return replace(self, left={**self.left, template: min(MOST, self.left.get(template, 0) + 1)})

    def used_up(self, template: str) -> Subscriptions:
        """Return it as the platform has it: no yes is left."""
        return replace(self, left={**self.left, template: 0})


def _cut(pattern: str, most: int) -> Callable[[str], str]:
    foreign = re.compile(pattern)
    return lambda text: foreign.sub("", text)[:most]


def _amount(text: str) -> str:
    """Write ``88.00 CNY`` as the platform takes it: a sign, and ten digits at most."""
    number, _, currency = text.partition(" ")
    sign = {"CNY": "¥", "JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}.get(currency, "")
    whole, _, rest = re.sub(r"[^0-9.]", "", number).partition(".")
    return f"{sign}{whole[:10]}" + (f".{rest[:2]}" if rest and len(whole) + len(rest[:2]) <= 10 else "")


def _name(text: str) -> str:
    line = _LINE(text)
    return line[:10] if re.search(r"[\u3400-\u9fff]", line) else line[:20]


_LINE = _cut(r"[\x00-\x1f\x7f]+", 1000)
_SHAPES: Final[Mapping[str, Callable[[str], str]]] = {
    "thing": _cut(r"[\x00-\x1f\x7f]+", 20),
    "number": _cut(r"[^0-9.]+", 32),
    "letter": _cut(r"[^A-Za-z]+", 32),
    "symbol": _cut(r"[\w\s]+", 5),
    "character_string": _cut(r"[^\x21-\x7e]+", 32),
    "time": _cut(r"[\x00-\x1f\x7f]+", 32),
    "date": _cut(r"[\x00-\x1f\x7f]+", 32),
    "amount": _amount,
    "phone_number": _cut(r"[^0-9+-]+", 17),
    "car_number": _cut(r"[\x00-\x1f\x7f]+", 8),
    "name": _name,
    "phrase": _cut(r"[^\u3400-\u9fff]+", 5),
}


def fitted(key: str, value: str) -> str:
    """Return a value as a template's key takes it: its class is the key without its number. Never empty.

    WeChat counts a Han character as one, and refuses a whole message for one value that is empty, too long or of
    another class (47003). QQ's ``keyword1`` knows no classes; a line is cut where no screen would show more.
    """
    shape = _SHAPES.get(key.rstrip("0123456789"), _cut(r"[\x00-\x1f\x7f]+", 100))
    return shape(value.strip()) or ("0" if key.startswith(("number", "amount", "phone")) else "-")
