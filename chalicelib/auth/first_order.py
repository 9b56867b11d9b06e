"""Who may order: where the setting says so, only somebody whose phone number is verified (CN-ATF-21-1).

An e-mail address, QQ and WeChat are no real identity; a mainland phone number is registered to one.
"""

from __future__ import annotations

from chalicelib.auth import store
from chalicelib.auth.domain import Account, GuardianNeeded
from chalicelib.auth.guardians import domain as guardians
from chalicelib.kernel.errors import Conflict, Misconfigured, Unauthenticated
from chalicelib.runtime.config import config, setting
from chalicelib.runtime.db.lookups import Lookup

SETTING = "BIANDAN_VERIFIED_PHONE"
ON_STAGE = "prod"


class VerifiedPhoneNeeded(Conflict):
    """The account has no phone number that it showed to be its own."""

    code = "verified_phone_needed"
    en = "Verify a phone number before your first order: ask for a code by text message, then order again."
    zh = "首次下单前须验证手机号：请获取短信验证码完成验证，然后重新下单。"


def is_required() -> bool:
    """Say whether orders take a verified phone number here.

    Raises:
        Misconfigured: if the setting says neither.
    """
    wanted = setting(SETTING) or ("on" if config().stage == ON_STAGE else "off")
    if wanted not in ("on", "off"):
        raise Misconfigured(why=f"{SETTING} is neither on nor off")
    return wanted == "on"


def may_order(account_id: str) -> Lookup[None]:
    """Say what must be read to know whether an account may order; nothing, where nothing is required of it.

    Reading it raises :class:`VerifiedPhoneNeeded` if it may not, ``GuardianNeeded`` if it is a child's whose guardian
    has not agreed, ``Unauthenticated`` if it is gone.

    Raises:
        Misconfigured: as :func:`is_required`.
    """
    if not is_required():
        return Lookup.of([], lambda _: None)
    return store.account_lookup(account_id, _judged)


def _judged(account: Account | None) -> None:
    if account is None:
        raise Unauthenticated
    if guardians.is_held_back(account):
        raise GuardianNeeded
    if account.phone is None or account.phone_verified_at is None:
        raise VerifiedPhoneNeeded
