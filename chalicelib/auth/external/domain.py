"""What somebody else's platform proves, how it is bound to an account, and every way in which that is refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from chalicelib.kernel.errors import Conflict, Invalid, NotFound, ShopError


class Platform(StrEnum):
    """Whose unionid it is: one person has the same in all apps of one developer there."""

    QQ = "qq"
    WECHAT = "wechat"


# --- refusals ---------------------------------------------------------------------------------------------------


class NotOffered(NotFound):
    """There is no such way to sign in here, or it is turned off."""

    code = "sign_in_not_offered"
    en, zh = "This way to sign in is not offered.", "暂不支持该登录方式。"


class ReturnNotAllowed(Invalid):
    """The page to return to is none that this installation names."""

    code = "return_not_allowed"
    en, zh = "Sign-in may not return to this address.", "不允许返回到该地址。"


class SignInOver(Invalid):
    """The state was not ours, begun in another browser or for something else, used already or too old: never which."""

    code = "sign_in_over"
    en = "This sign-in was used, is too old or was begun elsewhere: begin again."
    zh = "本次登录已使用、已过期或并非从此处发起，请重新登录。"


class Cancelled(Invalid):
    """The person said no there."""

    code = "sign_in_cancelled"
    en, zh = "The sign-in was cancelled.", "已取消登录。"


class CodeRefused(Invalid):
    """The code is wrong, used, too old, or of another app; nobody is told which."""

    code = "sign_in_code_refused"
    en, zh = "The sign-in code was not accepted: begin again.", "登录凭证无效，请重新登录。"


class PersonBlocked(ShopError):
    """The platform does not let this person in (WeChat calls it a high risk)."""

    code, status = "sign_in_blocked", 403
    en = "The platform does not let this account sign in: use another way."
    zh = "平台限制了该账号登录，请使用其他方式。"


class ProviderBusy(ShopError):
    """The platform is busy, or down: a fresh code may be taken in a moment."""

    code, status = "sign_in_busy", 503
    en, zh = "The sign-in service is busy: try again shortly.", "登录服务繁忙，请稍后重试。"
    retry_after_s = 2


class ProviderLimited(ShopError):
    """The platform says that this person, or we, asked too often this minute."""

    code, status = "sign_in_limited", 429
    en, zh = "The sign-in service takes no more for a minute.", "登录过于频繁，请一分钟后再试。"
    retry_after_s = 60


class Unreadable(ShopError):
    """The platform's answer makes no sense, or is more than any answer of its kind."""

    code, status = "sign_in_unreadable", 502
    en = "The sign-in service answered something we cannot read: try again."
    zh = "登录服务返回的内容无法识别，请重试。"
    retry_after_s = 5


class WayBroken(ShopError):
    """The platform refuses with a word that says nothing about the person: most likely our app is set up wrongly."""

    code, status = "sign_in_unavailable", 502
    en, zh = "This way to sign in does not work at present: use another.", "该登录方式暂时不可用，请使用其他方式。"


class DataRefused(Invalid):
    """Signature, padding, owner or time of what the mini program sent is wrong: one answer for all of them."""

    code = "mini_data_refused"
    en, zh = "The signed data was not accepted: sign in again.", "签名数据无效，请重新登录。"


class PersonKnown(Conflict):
    """Nobody signed in like this before, but the same person did in another app.

    Being the same there opens no account here: the person signs in as before and adds this way, with ``proof``.
    """

    code = "person_known"
    en = "You have an account here by another way: sign in that way and add this one, or ask for a new account."
    zh = "您已通过其他方式拥有账号：请用原方式登录后绑定，或选择新建账号。"
    shown: ClassVar[tuple[str, ...]] = ("proof",)

    def __str__(self) -> str:
        """Say it without the proof: this is for logs."""
        return self.code


class IdentityElsewhere(Conflict):
    """The identity is bound to another account."""

    code = "identity_elsewhere"
    en = "This identity belongs to another account: sign in with it, and remove it there first."
    zh = "该身份已绑定其他账号：请先用它登录并解除绑定。"


class TooManyIdentities(Conflict):
    """The account is opened by as many as it can be."""

    code = "too_many_identities"
    en, zh = "At most {cap} identities can be linked: remove one first.", "最多可绑定 {cap} 个身份，请先解除绑定。"
    shown: ClassVar[tuple[str, ...]] = ("cap",)


class LastWay(Conflict):
    """Nobody could sign in to the account any more."""

    code = "last_way_to_sign_in"
    en = "This is the only way to sign in: add another one first."
    zh = "这是唯一的登录方式，请先添加其他方式。"


# --- what is proved ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody is in one app of a platform, as the platform told us itself."""

    provider: str
    platform: Platform
    appid: str
    openid: str = field(repr=False)
    """One person's name in one app. Two apps' names of one person have nothing in common."""
    unionid: str = field(default="", repr=False)
    """The same person's name in all apps of one developer, where the platform tells it."""
    session_key: str = field(default="", repr=False)
    """What a mini program's data is signed and encrypted with. It stays with us."""
    access_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class MiniData:
    """What a mini program may send about its person: signed in the clear, or encrypted."""

    raw_data: str = field(default="", repr=False)
    signature: str = ""
    encrypted_data: str = field(default="", repr=False)
    iv: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What that data says, once it is believed."""

    nickname: str = field(default="", repr=False)
    unionid: str = field(default="", repr=False)


STATE_LIFE = timedelta(minutes=10)
"""How long a sign-in may take from its beginning; QQ's codes live as long."""
PROOF_LIFE = timedelta(minutes=10)
KEY_LIFE = timedelta(days=3)
"""How long a mini program's session key is kept; each sign-in brings a new one."""
FRESH = timedelta(minutes=5)
"""How old encrypted data may be, either way: two clocks differ."""
NICKNAME_CHARS = 32
MOST_IDENTITIES = 20
"""How many an account keeps, in its own row."""


def nickname_of(text: object) -> str:
    """Return a nickname as an account may have it; what cannot be one is none."""
    if not isinstance(text, str):
        return ""
    plain = "".join(char for char in text if char.isprintable() or char == "\u200d")
    return plain.strip()[:NICKNAME_CHARS].strip()
