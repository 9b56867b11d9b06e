"""Facts about accounts and sessions. Ids only: who the person is stays in the accounts table."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class AccountRegistered(Event, tag="account.registered", frozen=True):
    """Somebody has an account now."""

    account_id: str
    network: str = ""
    """A keyed digest of the network that it came from, where that is known."""

    @property
    def subject(self) -> str:
        """Return the account's id."""
        return self.account_id


class _RoleChanged(Event, frozen=True):
    account_id: str
    role: str
    merchant_id: str | None
    change: int
    """Number of the change in the account's history: the same role may come and go."""
    post: str = ""
    desk: str = ""

    @property
    def subject(self) -> str:
        """Return account and number of the change."""
        return f"{self.account_id}.{self.change}"


class RoleGranted(_RoleChanged, tag="account.role_granted", frozen=True):
    """An account may do more from now on."""


class RoleRevoked(_RoleChanged, tag="account.role_revoked", frozen=True):
    """An account may do less from now on."""


class DeviceShared(Event, tag="device.shared", frozen=True):
    """An account signed in on a device on which another one had signed in before."""

    account_id: str
    beside: str
    """The other account."""
    device: str
    """A digest of the device's number."""

    @property
    def subject(self) -> str:
        """Return device and account: the same is told again at each such sign-in."""
        return f"{self.device}#{self.account_id}"


class SessionReused(Event, tag="session.reused", frozen=True):
    """A refresh token was used a second time: it was copied, and the session is over for everybody who holds it."""

    account_id: str
    session_id: str

    @property
    def subject(self) -> str:
        """Return the session's id: a session ends this way once."""
        return self.session_id
