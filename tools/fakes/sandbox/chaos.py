"""Trouble at random: which faults an order suffers, decided by a seed and the order's number alone.

An order is troubled with the probability ``chaos``. A troubled one gets one fault; after each, with the probability
``mix``, one more of those that go together with all it has, until luck or the faults run out: of a hundred troubled
orders at a mix of 0.5 some fifty have one fault, twenty-five two, and so on. ``mix`` 0 is one fault each.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Fault = Mapping[str, Any]
"""A part of a ``Steering``."""
FAULTS: Mapping[str, Fault] = {
    "duplicates": {"duplicates": 10},
    "late": {"delay_s": 600},
    "reordered": {"reorder": True},
    "lost": {"notify": False},
    "tampered": {"tamper": True},
    "stale": {"stale": True},
    "other_merchant": {"other_merchant": True},
    "other_app": {"other_app": True},
    "unknown_key": {"unknown_key": True},
    "other_amount": {"notice_amount": 1},
    "probe": {"probe": ("notice",)},
    "slow": {"slow_s": 2.0},
    "create_unheard": {"silent_before": ("create",)},
    "create_lost": {"silent_after": ("create",)},
    "query_unsigned": {"unsigned": ("query",)},
    "close_lost": {"silent_after": ("close",)},
    "refund_unheard": {"silent_before": ("refund",)},
    "refund_lost": {"silent_after": ("refund",)},
    "paid_while_closing": {"pay_during_close": True},
    "refund_late": {"refund": "pending", "refund_then": "succeeded"},
    "refund_abnormal": {"refund": "pending", "refund_then": "abnormal"},
    "refund_closed": {"refund": "pending", "refund_then": "closed"},
}
"""What can be picked, where the stand-in can act it out. None lasts for ever: every order can come to its end."""
NEVER_TOGETHER: Sequence[frozenset[str]] = (
    frozenset({"tamper", "stale", "other_merchant", "other_app", "unknown_key", "notice_amount"}),
    *(frozenset({"notify", word}) for word in ("duplicates", "delay_s", "reorder", "probe")),
    *(frozenset({"notify", word}) for word in ("tamper", "stale", "other_merchant", "other_app", "unknown_key")),
    frozenset({"notify", "notice_amount"}),
)
"""Words of which one would hide the other: what is wrong with a notice is one thing, and a lost one is nothing else."""


def compatible(one: Fault, other: Fault) -> bool:
    """Say whether an order can suffer both: no word would say two things (lists join), and neither hides the other."""
    if any(not isinstance(one[word], tuple) for word in set(one) & set(other)):
        return False
    return not any(words & set(one) and words & set(other) for words in NEVER_TOGETHER)


GOES_WITH: Mapping[str, frozenset[str]] = {
    name: frozenset(other for other in FAULTS if other != name and compatible(fault, FAULTS[other]))
    for name, fault in FAULTS.items()
}
"""The others that each fault can be combined with."""


def possible(knows: Collection[str], outcomes: Collection[str]) -> list[str]:
    """Return the names of the faults that a stand-in with these words and ends of refunds can act out."""
    return [
        name
        for name, fault in FAULTS.items()
        if set(fault) <= set(knows)
        and {fault[word] for word in ("refund", "refund_then") if word in fault} <= set(outcomes)
    ]


def pick(seed: int, number: str, chaos: float, mix: float, names: Sequence[str]) -> list[str]:
    """Return the names of an order's faults, or none: the same again for the same arguments."""
    dice = random.Random(f"{seed} {number}")  # noqa: S311
    picked: list[str] = []
    if not names or dice.random() >= chaos:
        return picked
    left = list(names)
    while left and (not picked or dice.random() < mix):
        picked.append(dice.choice(left))
        left = [name for name in left if name in GOES_WITH[picked[-1]]]
    return picked


def together(names: Sequence[str]) -> dict[str, Any]:
    """Return the steering that these faults make together."""
    found: dict[str, Any] = {}
    for name in names:
        for word, value in FAULTS[name].items():
            found[word] = (*found.get(word, ()), *value) if isinstance(value, tuple) else value
    return found
