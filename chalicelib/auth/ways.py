"""The ways in which somebody can sign in to an account. Pure."""

from __future__ import annotations

from chalicelib.auth.domain import Account

PASSWORD = "password"  # noqa: S105


def of(account: Account) -> tuple[str, ...]:
    """Return each way once: the password of an e-mail address or phone number, and every identity elsewhere."""
    named = account.email is not None or account.phone is not None
    return (*((PASSWORD,) if named and account.password_hash else ()), *(link.link_id for link in account.links))
