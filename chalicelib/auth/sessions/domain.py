"""Sessions: how one began, on which device, and the family of refresh tokens that grows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum, unique

from chalicelib.kernel.errors import Forbidden, Unauthenticated
from chalicelib.kernel.machine import StateMachine


class BadRefreshToken(Unauthenticated):
    """Not ours, used up, signed out, revoked or too old: nobody is told which."""

    code = "bad_refresh_token"
    en, zh = "This session is over; sign in again.", "会话已失效，请重新登录。"


class FreshProofNeeded(Unauthenticated):
    """The session is good, but too long ago somebody proved that it is theirs (RFC 9470)."""

    code = "fresh_proof_needed"
    en = "Prove again that it is you, by one of the methods named, and repeat the request."
    zh = "请用所列方式之一重新验证身份，然后重试。"
    shown = ("methods", "within_s")

    def challenge(self) -> str:
        """Return the challenge that tells this refusal from a token that does not count."""
        return f'{super().challenge()}, error="insufficient_user_authentication", max_age="{self.params["within_s"]}"'


class SecondFactorNeeded(Unauthenticated):
    """The first factor is right; the second step comes with this challenge, within minutes."""

    code = "second_factor_needed"
    en, zh = "Give the code of your authenticator app, or a passkey.", "请输入身份验证器中的动态码，或使用通行密钥。"
    shown = ("challenge", "methods", "expires_in", "public_key")


class WrongProof(Forbidden):
    """What was given to prove it is wrong, or the account has no such proof: nobody is told which."""

    code = "wrong_proof"
    en, zh = "That does not prove it.", "验证未通过。"


class SessionStatus(StrEnum):
    """States of a session."""

    ACTIVE = "active"
    SIGNED_OUT = "signed_out"
    REVOKED = "revoked"
    COMPROMISED = "compromised"


class SessionCause(StrEnum):
    """What changes a session's state."""

    SIGN_OUT = "sign_out"
    REVOKE = "revoke"
    DETECT_REUSE = "detect_reuse"


SESSIONS = StateMachine(
    name="session",
    initial=SessionStatus.ACTIVE,
    edges={
        SessionStatus.ACTIVE: {
            SessionCause.SIGN_OUT: SessionStatus.SIGNED_OUT,
            SessionCause.REVOKE: SessionStatus.REVOKED,
            SessionCause.DETECT_REUSE: SessionStatus.COMPROMISED,
        },
        SessionStatus.SIGNED_OUT: {},
        SessionStatus.REVOKED: {},
        SessionStatus.COMPROMISED: {},
    },
)


@unique
class Method(StrEnum):
    """How somebody proved who they are: what access tokens say in ``amr`` (RFC 8176, where it has a word for it)."""

    PASSWORD = "pwd"  # noqa: S105
    CODE = "otp"
    QQ = "qq"
    WECHAT = "wechat"
    TOTP = "totp"
    RECOVERY = "recovery"
    PASSKEY = "pop"
    USER = "user"
    """Its authenticator knew its person again, by a finger, a face or a number: with the passkey, two factors."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a client says of the device it signs in from."""

    token: str | None = field(default=None, repr=False)
    """What an earlier sign-in gave it to keep, if it has that."""
    name: str = field(default="", repr=False)
    """What its owner calls it."""
    agent: str = field(default="", repr=False)
    """The header User-Agent."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as far as we keep it: enough for a person to know it again, and to know one client from another."""

    device_id: str = ""
    """The device that the token it sent names; empty if it sent none of this account's."""
    mark: str = ""
    """A keyed digest of its program and its network."""
    family: str = ""
    """Its program and system, in words."""
    network: str = ""
    """Its network, coarsely."""


IDLE = timedelta(days=30)
LONGEST = timedelta(days=180)
GRACE = timedelta(seconds=10)
"""How long the client that used a token may send it again: two of its tabs at once, or an answer that got lost."""


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in on one device, and the family of refresh tokens that grew from it. Only digests are kept."""

    account_id: str
    session_id: str
    status: SessionStatus
    epoch: int
    current: str
    previous: str | None
    rotated_at: datetime
    created_at: datetime
    expires_at: datetime
    proved_at: datetime
    """When the person last proved who they are: what access tokens say as ``auth_time``."""
    methods: tuple[str, ...] = ()
    """By which methods, since the session began: what access tokens say as ``amr``."""
    salt: str = ""
    """What the current token was derived with, beside the one before it; empty for a first one."""
    device_id: str = ""
    device_name: str = field(default="", repr=False)
    client: Client = Client()
    """Who asked last."""
    version: int = 0


def proved(session: Session, methods: Iterable[Method], *, now: datetime) -> Session:
    """Return the session after its person proved once more who they are."""
    before = (Method(word) for word in session.methods if word != SEVERAL)
    return replace(session, proved_at=now, methods=references((*before, *methods)))


SEVERAL = "mfa"


def references(methods: Iterable[Method]) -> tuple[str, ...]:
    """Return what ``amr`` says of methods: each once, and whether they are several factors."""
    said = tuple(dict.fromkeys(method.value for method in methods))
    return (*said, SEVERAL) if len(said) > 1 else said


def is_alive(session: Session, *, epoch: int, now: datetime) -> bool:
    """Say whether a session goes on: nobody ended it, nor all of the account's, nor was it left alone for too long."""
    return session.status is SessionStatus.ACTIVE and session.epoch == epoch and now < session.expires_at


class Verdict(StrEnum):
    """What to do with a refresh token that we once issued for this session."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    REUSED = "reused"
    OVER = "over"


def judge(session: Session, *, presented: str, epoch: int, client: Client, now: datetime) -> Verdict:
    """Judge a token that carries our own tag, so it was issued for this session at some time.

    The current token rotates. The one before it, while it is at most ``GRACE`` old and comes from the client that used
    it, is repeated: two tabs of one browser, or an answer that never arrived. A repeat gets the very successor that the
    first use got, so there is one living token at any time. Everything else is a copy.
    """
    if not is_alive(session, epoch=epoch, now=now):
        return Verdict.OVER
    if presented == session.current:
        return Verdict.ROTATE
    if presented == session.previous and now < session.rotated_at + GRACE and is_same(session, client):
        return Verdict.REPEAT
    return Verdict.REUSED


def is_same(session: Session, client: Client) -> bool:
    """Say whether the client is the one that asked last: by its device, or else by its program and its network.

    A device's token is kept by its client alone. Who sends none is known by what a copied refresh token does not hold.
    """
    if client.device_id and session.device_id:
        return client.device_id == session.device_id
    return not session.client.mark or client.mark == session.client.mark


def rotate(session: Session, *, presented: str, successor: str, salt: str, client: Client, now: datetime) -> Session:
    """Replace the living token."""
    return replace(
        session,
        current=successor,
        previous=presented,
        salt=salt,
        client=client,
        rotated_at=now,
        expires_at=min(now + IDLE, session.created_at + LONGEST),
    )
