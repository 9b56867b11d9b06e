"""The ways in which somebody can sign in to an account. Pure."""

from __future__ import annotations

from chalicelib.auth.domain import Account

PASSWORD, CODE = "password", "code"


def of(account: Account) -> tuple[str, ...]:
    """Return each way once: password and codes of an e-mail address or phone number, identities elsewhere, passkeys."""
    named = account.email is not None or account.phone is not None
    proved = account.email_verified_at is not None or account.phone_verified_at is not None
    return (
        *((PASSWORD,) if named and account.password_hash else ()),
        *((CODE,) if named and proved else ()),
        *(link.link_id for link in account.links),
        *account.passkeys,
    )
