"""Of which age somebody says they are, and what follows of it: a class, never a birthday. Pure.

Who says nothing is taken for capable (Civil Code 145 leaves that to what is shown). Who says "under 14" is a child:
their guardian agrees first, in rules of their own, or nothing is bought, and nothing kept beyond the account itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from chalicelib.auth.domain import Account, AddressBook, GuardianNeeded, Identity
from chalicelib.kernel.errors import Conflict, Forbidden
from chalicelib.kernel.texts import Texts


class Age(StrEnum):
    """All that is asked: no year, no day."""

    UNDER_14 = "under_14"
    FROM_14_TO_17 = "from_14_to_17"
    ADULT = "adult"


class NotTheirGuardian(Forbidden):
    """The contact is not that of the guardian who agreed, or there is no such child: nobody is told which."""

    code = "not_their_guardian"
    en = "This contact did not agree for this account."
    zh = "该联系方式并非此账号的监护人。"


class OwnGuardian(Conflict):
    """A child named their own contact."""

    code = "own_guardian"
    en, zh = "Your guardian needs a contact of their own.", "监护人须使用其本人的联系方式。"


class RulesChanged(Conflict):
    """The rules that were agreed to are not those in force."""

    code = "guardian_rules_changed"
    en = "The rules for children have changed: show version {version} to the guardian."
    zh = "儿童个人信息保护规则已更新至第 {version} 版，请向监护人重新展示。"
    shown = ("version",)


RULES_VERSION = 1
RULES_TITLE: Texts = ("How this shop treats children's data", "儿童个人信息保护规则")
RULES: tuple[Texts, ...] = (
    (
        "For people under 14. What is said here goes before the privacy notice.",
        "本规则适用于未满十四周岁的儿童，与隐私政策不一致的，以本规则为准。",
    ),
    (
        "We keep that the person is under 14, no birthday, and the contact of the guardian who agreed.",
        "我们仅记录“未满十四周岁”这一事实（不收集出生日期）以及同意的监护人的联系方式。",
    ),
    (
        "Until a guardian agrees nothing can be bought, and there is neither a nickname nor an address book.",
        "监护人同意之前，不能下单，不保存昵称与地址簿。",
    ),
    (
        "With their consent only what an order needs is kept. Nothing is used for offers, and nothing is picked by it.",
        "同意之后，仅处理履行订单所必需的信息；不用于营销与个性化推荐。",
    ),
    (
        "Merchants see where a parcel goes while it is on its way. Staff look for a reason that is kept and shown.",
        "商家仅在履约期间可见收件信息；工作人员查看须说明理由，留存记录并可查询。",
    ),
    (
        "The guardian may take the consent back, or have everything deleted, at any time, by a code to that contact.",
        "监护人可随时凭发送至其联系方式的验证码撤回同意，或要求删除全部信息。",
    ),
)
_WORDS = "\n".join(text for texts in (RULES_TITLE, *RULES) for text in texts)
RULES_DIGEST = hashlib.sha256(_WORDS.encode()).hexdigest()[:32]


def is_child(account: Account) -> bool:
    """Say whether its person said that they are under 14."""
    return account.age == Age.UNDER_14


def is_held_back(account: Account) -> bool:
    """Say whether it is a child's whose guardian has not agreed, or no more."""
    return is_child(account) and account.guarded_at is None


def declared(account: Account, age: Age) -> Account:
    """Return the account once its person said of which age they are.

    Raises:
        GuardianNeeded: if a child says that they are older: their guardian has to.
    """
    if is_child(account) and age is not Age.UNDER_14:
        raise GuardianNeeded
    if age is not Age.UNDER_14 or is_child(account):
        return replace(account, age=age.value)
    return replace(account, age=age.value, nickname=None, guardian="", guarded_at=None)


def agreed(account: Account, guardian: Identity, *, version: int, at: datetime) -> Account:
    """Return a child's account once their guardian agreed.

    Raises:
        RulesChanged: if they were shown other rules.
        OwnGuardian: if the contact is the child's own.
    """
    if version != RULES_VERSION:
        raise RulesChanged(version=RULES_VERSION)
    if guardian.value in (account.email, account.phone):
        raise OwnGuardian
    return replace(account, guardian=guardian.value, guarded_at=at, guardian_rules=version)


def grown(account: Account, age: Age) -> Account:
    """Return an account whose person is of another age, by their guardian's word: nothing is kept of the guardian."""
    return replace(account, age=age.value, guardian="", guarded_at=None, guardian_rules=0)


def taken_back(account: Account) -> Account:
    """Return a child's account without consent: who the guardian was stays, for they may ask for deletion."""
    return replace(account, guarded_at=None, nickname=None)


def book_of(book: AddressBook, account: Account) -> AddressBook:
    """Return the address book as its account's age lets it be: of a child held back it is empty, and stays so."""
    if is_held_back(account):
        return replace(book, addresses=(), default_id=None, held_back=True)
    return replace(book, held_back=False)
