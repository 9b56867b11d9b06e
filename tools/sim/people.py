"""Who acts: people with accounts, and the requests of theirs that nobody answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.auth import tokens
from chalicelib.kernel import ids
from chalicelib.kernel.roles import Role
from chalicelib.runtime.http.access import Caller

TOKEN_S = 540
RECENT = 10
"""How many purchases the actors care about most."""

Action = Callable[[], Any]


@dataclass
class Person:
    """Somebody with an account; tokens are renewed as they run out."""

    account_id: str
    roles: tuple[Role, ...]
    merchant_id: str | None = None
    address_id: str = ""
    quotes: list[str] = field(default_factory=list)
    _token: tuple[float, str] = (0.0, "")

    def token(self, now_s: float) -> str:
        """Return a token that is valid now."""
        if now_s - self._token[0] > TOKEN_S:
            caller = Caller(
                account_id=self.account_id,
                roles=frozenset(role.value for role in self.roles),
                merchant_id=self.merchant_id,
                session_id="ses_" + ids.body(self.account_id),
                auth_time=int(now_s),
                amr=("pwd",),
            )
            self._token = (now_s, tokens.access_token(caller))
        return self._token[1]


@dataclass(frozen=True)
class Unanswered:
    """A request whose answer never came: its client may send it again, exactly so."""

    who: Person
    method: str
    template: str
    path: dict[str, str]
    body: Any
    key: str | None
