"""Wire models of a merchant's keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from chalicelib.auth.service import keys
from chalicelib.runtime.schema import EACH_ONCE, ONE_LINE, Id, Schema, Timestamp, refusal


def _scope(value: str) -> str:
    if value not in keys.SCOPES:
        raise refusal("unknown_scope", "is no scope that a key can have")
    return value


def _network(value: str) -> str:
    found = keys.network(value)
    if found is None:
        raise refusal("not_a_network", "send a network as CIDR, as 203.0.113.0/24 or 2001:db8::/48; not all of them")
    return found


KeyName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=ONE_LINE)]
Scope = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_scope),
    Field(json_schema_extra={"enum": list(keys.SCOPES)}),
]
Network = Annotated[str, StringConstraints(min_length=3, max_length=50), AfterValidator(_network)]
Days = Annotated[int, Field(ge=1, le=keys.MOST_DAYS, strict=True)]


class MakeKey(Schema):
    """A new key: what it is called, what it may, how many days it counts, and from which networks it may come."""

    name: KeyName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(keys.SCOPES)), *EACH_ONCE]
    days: Days = keys.DAYS
    networks: Annotated[list[Network], Field(max_length=keys.MOST_NETWORKS), *EACH_ONCE] = Field(default=[])

    def wanted(self) -> keys.Wanted:
        """Return what is wanted."""
        return keys.Wanted(self.name, tuple(sorted(self.scopes)), timedelta(days=self.days), tuple(self.networks))


class RotateKey(Schema):
    """How long the secret of now still counts beside the new one, and for how many days the new one does."""

    overlap_s: Annotated[int, Field(ge=0, le=int(keys.MOST_OVERLAP.total_seconds()), strict=True)] = int(
        keys.OVERLAP.total_seconds()
    )
    days: Days = keys.DAYS


class KeyView(Schema):
    """A key without its secret. ``by`` was shown it; ``last_used_at`` is the hour of its last call.

    ``before_until`` says how long the secret from before the last rotation still counts.
    """

    key_id: Id
    name: str
    scopes: list[str]
    networks: list[str]
    status: Literal["active", "expired"]
    by: Id
    made_at: Timestamp
    expires_at: Timestamp
    rotated_at: Timestamp | None = None
    before_until: Timestamp | None = None
    last_used_at: Timestamp | None = None

    @classmethod
    def of(cls, key: keys.Key, now: datetime) -> KeyView:
        """Return the wire form as of a moment."""
        former = key.former
        return KeyView(
            key_id=key.key_id,
            name=key.name,
            scopes=list(key.scopes),
            networks=list(key.networks),
            status=keys.status(key, now),
            by=key.by,
            made_at=key.made_at,
            expires_at=key.expires_at,
            rotated_at=key.rotated_at,
            before_until=former.until if former is not None and now < former.until else None,
            last_used_at=keys.last_used(key),
        )


class KeyShownView(KeyView):
    """A key that was made or rotated just now. ``key`` is in this first answer only: a repeat has none."""

    key: Annotated[str, Field(json_schema_extra={"format": "password"})] | None = None

    @classmethod
    def showing(cls, key: keys.Key, shown: str | None, now: datetime) -> KeyShownView:
        """Return the wire form as of a moment."""
        return cls(**KeyView.of(key, now).model_dump(), key=shown)


class KeysView(Schema):
    """A merchant's keys, ten at most: no pages."""

    items: list[KeyView]
