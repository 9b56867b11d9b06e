"""The settings (``BIANDAN_*``) that a stage's functions are told: one reviewed file each, in ``infra/settings/``.

Each setting is known here with what it may say and which functions read it: nobody else is told. Secrets have no place
among them, and nothing here takes a text that could be one. What the stack itself says (stage, bucket, addresses) is
not to be set by hand.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra import names as installations
from infra import shift, stack
from infra.functions import API, FUNCTIONS, TELLING, Function

FOLDER = Path(__file__).with_name("settings")
LAPTOP_ONLY = frozenset({"BIANDAN_REQUEST_FACTOR", "BIANDAN_THROTTLE_FACTOR"})
"""What no stage on AWS may have."""


@cache
def given() -> frozenset[str]:
    """Return the variables that the template says itself."""
    told = stack.template("dev")["Globals"]["Function"]["Environment"]["Variables"]
    return frozenset({*told, installations.VARIABLE, "BIANDAN_SECRETS", shift.VARIABLE})


Check = Callable[[str, str], str]
"""Stage and value -> what is wrong, or nothing."""


class SettingsError(Exception):
    """A stage's settings cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it may say, and who reads it."""

    check: Check
    readers: Callable[[str, Function], bool]


# Who reads them


def _pays(_: str, function: Function) -> bool:
    return "payments-*" in function.secrets


def _ships(_: str, function: Function) -> bool:
    return "logistics-*" in function.secrets


def _tells(_: str, function: Function) -> bool:
    return "messages-*" in function.secrets


def _asks_to_tell(name: str, function: Function) -> bool:
    return name == API or _chooses_how(name, function)


def _chooses_how(name: str, function: Function) -> bool:
    """It says by which channel a message goes, or sends it."""
    return name == TELLING or _tells(name, function)


def _calls_out(name: str, function: Function) -> bool:
    return _pays(name, function) or _ships(name, function) or _tells(name, function)


def _counts_unpaid(_: str, function: Function) -> bool:
    return "holds" in function.tables


def _seals(_: str, function: Function) -> bool:
    return function.opens or bool({"orders", "merchants"} & set(function.tables))


def _is_api(name: str, _: Function) -> bool:
    return name == API


# What they may say


def _whole(least: int, most: int) -> Check:
    def check(_: str, text: str) -> str:
        fits = text.isascii() and text.isdigit() and least <= int(text[:9]) <= most
        return "" if fits else f"is no whole number from {least} to {most}"

    return check


def _one_of(*choices: str) -> Check:
    return lambda _, text: "" if text in choices else f"is none of {', '.join(choices)}"


def _matches(pattern: str, example: str) -> Check:
    whole = re.compile(rf"(?:{pattern})(?:,(?:{pattern}))*", re.ASCII)
    return lambda _, text: "" if whole.fullmatch(text) else f"does not look like {example}"


def _pages(stage: str, text: str) -> str:
    """Pages that a browser is sent back to with a code: https, but for a storefront on the machine that tries it."""
    wrong = [why for part in text.split(",") if (why := _address(stage, part.strip()))]
    return wrong[0] if wrong else ""


def _address(stage: str, text: str) -> str:
    """A secret is shown to whom this names: https, but for a machine's own stand-ins in the stage for trying things."""
    try:
        parts = urlsplit(text)
        named = parts.hostname is not None and (parts.port or 1) > 0
    except ValueError:
        return "is no address"
    if not named or parts.username or parts.password or parts.query or parts.fragment or any(map(str.isspace, text)):
        return "is no plain address"
    if parts.scheme == "https":
        return ""
    stand_in = parts.scheme == "http" and stage != "prod" and parts.hostname in ("127.0.0.1", "localhost")
    return "" if stand_in else "is not https"


def _domain(stage: str, text: str) -> str:
    """What passkeys are bound to for ever: a name of our own, or that of a machine for trying things."""
    if text == "localhost":
        return "is no domain of prod" if stage == "prod" else ""
    named = re.fullmatch(r"(?=.{4,190}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", text)
    return "" if named else "is no domain"


def _origins(stage: str, text: str) -> str:
    """Pages that may ask for passkeys: as browsers write their origin, without a path."""
    if wrong := _pages(stage, text):
        return wrong
    plain = all(part.strip() == "{0.scheme}://{0.netloc}".format(urlsplit(part.strip())) for part in text.split(","))
    return "" if plain else "is no plain origin"


_FACTORS = _matches("operator|merchant_staff|nobody", "operator,merchant_staff")
_WAYS = _matches("qq|qq_mini|wechat_mini", "qq,qq_mini")
_AMOUNTS = _matches(r"[A-Z]{3}:[0-9]{1,12}", "CNY:100000,USD:15000")
_UNPAID = _matches(
    r"(?:fresh|known):[0-9]{1,6}/[0-9]{1,6}/[0-9]{1,6}|network:[0-9]{1,6}/[0-9]{1,6}",
    "fresh:5/200/10,known:20/5000/40,network:100/1000",
)

_PRICES = _matches(r"(?:email|sms|wechat|qq):[A-Z]{3}:[0-9]{1,9}", "sms:CNY:45000,email:CNY:700")
_THERE = _matches(
    r"[a-z]{2,32}:[A-Za-z0-9_-]{1,64}(?:/[a-z_]{1,32}[0-9]{1,2}=[a-z_]{1,32}){1,10}",
    "shipped:TMPL1/character_string1=order/thing2=shop",
)
_APPROVED = _matches(r"[a-z]{2,32}\.(?:zh|en):[A-Za-z0-9_]{1,32}", "code.zh:1110,code.en:1111")


def _registration(stage: str, text: str) -> str:
    if text == "open" and stage == "prod":
        return "tells strangers who has an account: prod asks for a code"
    return "" if text in ("codes", "open") else "is none of codes, open"


def _name_of_sender(_: str, text: str) -> str:
    return "" if re.fullmatch(r"[\w-]{2,20}", text) else "is no name of 2 to 20 letters"


HUBS = ("kuaidi100", "kdniao")
"""Carrier hubs there are adapters for."""


def _hubs(_: str, text: str) -> str:
    named = text.split(",")
    if not set(named) <= set(HUBS):
        return f"is none of {', '.join(HUBS)}"
    return "" if len(set(named)) == len(named) else "names one twice"


_OF_CARRIERS = _matches(f"[a-z0-9]{{2,30}}:(?:{'|'.join(HUBS)})", "yuantong:kdniao,jd:kuaidi100")


SETTINGS: dict[str, Setting] = {
    "BIANDAN_ALIPAY_URL": Setting(_address, _pays),
    "BIANDAN_ALIYUN_SMS_URL": Setting(_address, _tells),
    "BIANDAN_CARRIER_HUB": Setting(_hubs, _ships),
    "BIANDAN_CARRIER_HUB_OF": Setting(_OF_CARRIERS, _ships),
    "BIANDAN_COMPLAINTS": Setting(_matches(r"(?:line|day|month):[0-9]{1,6}", "line:3,day:40,month:120"), _is_api),
    "BIANDAN_CONVERSATIONS_A_DAY": Setting(_whole(1, 100_000), _is_api),
    "BIANDAN_EMAIL": Setting(_one_of("ses"), _asks_to_tell),
    "BIANDAN_EMAIL_FROM": Setting(_matches(r"[a-z0-9._-]{1,64}@[a-z0-9.-]{3,190}", "shop@example.com"), _tells),
    "BIANDAN_KDNIAO_PLAN": Setting(_one_of("free", "premium"), _ships),
    "BIANDAN_KDNIAO_QUESTIONS": Setting(_whole(1, 1_000_000), _ships),
    "BIANDAN_KDNIAO_URL": Setting(_address, _ships),
    "BIANDAN_KUAIDI100_URL": Setting(_address, _ships),
    "BIANDAN_MESSAGE_PRICES": Setting(_PRICES, _asks_to_tell),
    "BIANDAN_OUTBOUND_TIMEOUT_S": Setting(_whole(1, 10), _calls_out),
    "BIANDAN_PASSKEY_DOMAIN": Setting(_domain, _is_api),
    "BIANDAN_PASSKEY_ORIGINS": Setting(_origins, _is_api),
    "BIANDAN_PAYMENT_ASKING_S": Setting(_whole(1, 10), _pays),
    "BIANDAN_PAYMENT_ATTEMPTS": Setting(_whole(1, 50), _pays),
    "BIANDAN_PAYMENT_EARLIER_ASKED": Setting(_whole(1, 50), _pays),
    "BIANDAN_PAYMENT_QUESTIONS_PER_MINUTE": Setting(_whole(1, 60), _pays),
    "BIANDAN_PAYMENT_TRIES": Setting(_whole(1, 50), _pays),
    "BIANDAN_QQ_GRAPH_URL": Setting(_address, _is_api),
    "BIANDAN_QQ_MESSAGES_URL": Setting(_address, _tells),
    "BIANDAN_QQ_MINI_URL": Setting(_address, _is_api),
    "BIANDAN_QQ_TEMPLATES": Setting(_THERE, _asks_to_tell),
    "BIANDAN_QQWALLET": Setting(_one_of("on", "off"), _pays),
    "BIANDAN_QQWALLET_REFUND_URL": Setting(_address, _pays),
    "BIANDAN_QQWALLET_URL": Setting(_address, _pays),
    "BIANDAN_REFUND_ALONE": Setting(_AMOUNTS, _is_api),
    "BIANDAN_REFUND_ALONE_A_DAY": Setting(_AMOUNTS, _is_api),
    "BIANDAN_REGISTRATION": Setting(_registration, _is_api),
    "BIANDAN_SANDBOX_URL": Setting(_address, _pays),
    "BIANDAN_SEALING": Setting(_one_of("on", "off"), _seals),
    "BIANDAN_SECOND_FACTOR": Setting(_FACTORS, _is_api),
    "BIANDAN_SHIP_WITHIN_HOURS": Setting(_whole(1, 360), _is_api),
    "BIANDAN_SIGN_IN": Setting(_WAYS, _is_api),
    "BIANDAN_SIGN_IN_RETURNS": Setting(_pages, _is_api),
    "BIANDAN_SMS": Setting(_one_of("aliyun", "tencent"), _asks_to_tell),
    "BIANDAN_SMS_SIGN": Setting(_name_of_sender, _asks_to_tell),
    "BIANDAN_SMS_TEMPLATES": Setting(_APPROVED, _asks_to_tell),
    "BIANDAN_STRIPE_URL": Setting(_address, _pays),
    "BIANDAN_TENCENT_SMS_URL": Setting(_address, _tells),
    "BIANDAN_UNPAID_LIMITS": Setting(_UNPAID, _counts_unpaid),
    "BIANDAN_VERIFIED_PHONE": Setting(_one_of("on", "off"), _is_api),
    "BIANDAN_WAYBILLS": Setting(_one_of("kdniao"), _is_api),
    "BIANDAN_WECHAT_MESSAGES_URL": Setting(_address, _tells),
    "BIANDAN_WECHAT_MINI_URL": Setting(_address, _is_api),
    "BIANDAN_WECHAT_TEMPLATES": Setting(_THERE, _asks_to_tell),
    "BIANDAN_WECHATPAY_URL": Setting(_address, _pays),
}


def read(stage: str, path: Path | None = None) -> dict[str, str]:
    """Return a stage's settings from its file, checked.

    Raises:
        SettingsError: with everything that is wrong.
    """
    path = path or FOLDER / f"{stage}.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path.name} cannot be read: {error}") from error
    return checked(stage, found)


def checked(stage: str, found: Mapping[str, Any]) -> dict[str, str]:
    """Return settings as texts.

    Raises:
        SettingsError: with everything that is wrong.
    """
    wrong = [f"{name} {why}" for name, value in found.items() if (why := _wrong(stage, name, value))]
    if wrong:
        raise SettingsError(f"settings of {stage}: {'; '.join(wrong)}")
    return {name: str(value) for name, value in sorted(found.items())}


def _wrong(stage: str, name: str, value: Any) -> str:
    if name in given():
        return "is said by the stack itself"
    if name in LAPTOP_ONLY:
        return "is for laptops only"
    if name not in SETTINGS:
        return "is no setting"
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return "is neither a text nor a whole number"
    return SETTINGS[name].check(stage, str(value))


def of_function(name: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return those of a stage's settings that a function reads."""
    return {setting: value for setting, value in settings.items() if SETTINGS[setting].readers(name, FUNCTIONS[name])}
