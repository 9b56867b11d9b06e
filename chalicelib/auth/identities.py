"""The key of an identity: a keyed digest, so that the table alone does not say who has an account."""

from __future__ import annotations

from chalicelib.auth import throttles
from chalicelib.auth.domain import Identity


def identity_id_of(identity: Identity) -> str:
    """Return the identity's key."""
    return f"idn_{throttles.keyed(f'{identity.kind}:{identity.value}', 'identity')}"
