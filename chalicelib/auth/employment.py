"""At which merchants an account has which post. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.roles import Post

MOST = 20
"""Merchants that one account may work for: more is an agency, which has an account for each of its people."""


class StaffElsewhere(Conflict):
    """An account is staff of a few merchants at most."""

    code = "staff_elsewhere"
    en, zh = "This account is staff of {most} other merchants already.", "该账号已是 {most} 家其他商家的员工。"
    shown = ("most",)


@dataclass(frozen=True, slots=True)
class Employment:
    """A post at a merchant."""

    merchant_id: str
    post: Post


Employments = tuple[Employment, ...]


def post_at(held: Employments, merchant_id: str) -> Post | None:
    """Return the post at one merchant, or None."""
    return next((one.post for one in held if one.merchant_id == merchant_id), None)


def hired(held: Employments, merchant_id: str, post: Post) -> Employments:
    """Return the posts with this one: a new one, or another one at the same merchant.

    Raises:
        StaffElsewhere: if the account works for as many merchants as it may.
    """
    if post_at(held, merchant_id) is None:
        if len(held) >= MOST:
            raise StaffElsewhere(most=MOST)
        return (*held, Employment(merchant_id, post))
    return tuple(Employment(merchant_id, post) if one.merchant_id == merchant_id else one for one in held)


def without(held: Employments, merchant_id: str | None) -> Employments:
    """Return the posts but the one at a merchant, or at any."""
    return tuple(one for one in held if merchant_id is not None and one.merchant_id != merchant_id)
