"""A second person: one asks, another one approves or refuses, and what nobody answers expires.

Who asked is never the second person, nor is whoever owes the role that lets them decide to the other one: an operator
who makes himself a colleague has not found a second person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.machine import StateMachine

WITHIN = timedelta(days=1)
"""How long a request waits for its second person."""
KIN_FOR = timedelta(days=90)
"""How long nobody is the second person of whom they owe their role to, nor of others who owe theirs to the same one."""


class Status(StrEnum):
    """States of a request that needs a second person."""

    PENDING = "pending"
    APPROVED = "approved"
    """What was asked for was done in the same transaction."""
    REJECTED = "rejected"
    EXPIRED = "expired"


class Cause(StrEnum):
    """What moves a request."""

    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"


def machine(name: str) -> StateMachine[Status, Cause]:
    """Return the table of requests of one kind."""
    return StateMachine(
        name=name,
        initial=Status.PENDING,
        edges={
            Status.PENDING: {
                Cause.APPROVE: Status.APPROVED,
                Cause.REJECT: Status.REJECTED,
                Cause.EXPIRE: Status.EXPIRED,
            },
            Status.APPROVED: {},
            Status.REJECTED: {},
            Status.EXPIRED: {},
        },
        deadlines={Status.PENDING: (WITHIN, Cause.EXPIRE)},
    )


class SecondPersonNeeded(Conflict):
    """One person alone may not do this at all."""

    code = "second_person_needed"
    en = "This needs a second person: ask for it, and let another operator approve."
    zh = "此操作须由两人完成：请先提交申请，再由另一位运营人员批准。"


class OwnApproval(Conflict):
    """Who asked cannot approve, nor can the one it is about."""

    code, status = "own_approval", 403
    en, zh = "Another operator must approve this.", "须由另一位运营人员审批。"


class KinApproval(Conflict):
    """One of the two owes the role to the other, or both to the same person, and not for long enough."""

    code, status = "kin_approval", 403
    en = "For {days} days nobody is the second person of whom they owe their role to: let somebody else approve."
    zh = "任命后 {days} 天内，任命人与被任命人不能互为第二审批人，须由其他运营人员审批。"
    shown = ("days",)


class AskerGone(Conflict):
    """Who asked may not ask any more."""

    code = "asker_gone"
    en, zh = (
        "The person who asked for this is no longer an operator: ask again.",
        "申请人已不再是运营人员，请重新提交申请。",
    )


@dataclass(frozen=True, slots=True)
class Person:
    """One of the two, as they stand at this moment."""

    account_id: str
    may_ask: bool
    kin: frozenset[str]
    """The person, and all to whom they owe their role not long ago: who asked for it, and whom these owe theirs to."""


def check(asker: Person, decider: Person) -> None:
    """Check that ``decider`` is a second person for what ``asker`` wants.

    Raises:
        OwnApproval: if they are one person.
        AskerGone: if who asked may not ask any more.
        KinApproval: if one of them owes the role to the other, or both to the same person.
    """
    if asker.account_id == decider.account_id:
        raise OwnApproval
    if not asker.may_ask:
        raise AskerGone
    if asker.kin & decider.kin:
        raise KinApproval(days=KIN_FOR.days)
