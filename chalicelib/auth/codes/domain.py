"""Purposes of codes, the states of one, how it is judged, and how many are sent. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.auth.domain import Limit
from chalicelib.kernel.errors import Conflict, Forbidden, Invalid
from chalicelib.kernel.machine import StateMachine


class BadCode(Forbidden):
    """Wrong, used, run out, tried too often, for something else, or never sent: nobody is told which."""

    code = "bad_code"
    en = "The code is not right, or no longer valid: ask for another one."
    zh = "验证码错误或已失效，请重新获取。"


class CodeNeeded(Invalid):
    """Registering takes a code that was sent to the contact."""

    code = "code_needed"
    en = "Ask for a code first (POST /v1/auth/codes) and send it along."
    zh = "请先获取验证码（POST /v1/auth/codes）并一同提交。"


class NoAccountYet(Conflict):
    """The contact was proved, and has no account; the code still counts."""

    code = "no_account_yet"
    en = "This contact has no account yet: send the code again with `create` to make one."
    zh = "该联系方式尚无账号：如需创建，请携带 `create` 重新提交验证码。"


class ContactSet(Conflict):
    """The account has another contact of this kind."""

    code = "contact_set"
    en, zh = "This account has another contact of this kind.", "该账号已绑定其他同类联系方式。"


class Purpose(StrEnum):
    """What a code is for; it is good for nothing else."""

    SIGN_IN = "sign_in"
    REGISTER = "register"
    RESET = "reset"
    VERIFY = "verify"
    PROVE = "prove"
    TAKE_BACK = "take_back"
    GUARDIAN = "guardian"
    """A child's guardian agrees, or takes it back."""


class CodeStatus(StrEnum):
    """States of a code. One that runs out stays as it is: times are compared."""

    SENT = "sent"
    USED = "used"
    SPENT = "spent"
    """Tried wrongly too often."""


class CodeCause(StrEnum):
    """What changes a code's state."""

    USE = "use"
    SPEND = "spend"


CODES = StateMachine(
    name="code",
    initial=CodeStatus.SENT,
    edges={
        CodeStatus.SENT: {CodeCause.USE: CodeStatus.USED, CodeCause.SPEND: CodeStatus.SPENT},
        CodeStatus.USED: {},
        CodeStatus.SPENT: {},
    },
)

DIGITS = 6
LIFE = timedelta(minutes=10)
TRIES = 5
"""Wrong ones, then it is spent: with ten codes a day for a contact, 50 guesses of a million."""
WORKED_TRIES = 2
"""Of a code that was bought with work: with fifty more of them 100 guesses more."""
RESEND = timedelta(seconds=60)
"""A client offers another one after so long."""

BY_PAIR = Limit("code.pair", attempts=4, window_s=600)
"""Codes for one contact that one network asks for; beyond it each is bought with work."""
BY_CONTACT = Limit("code.contact", attempts=10, window_s=86_400)
"""Codes for one contact that anybody asks for; beyond it each is bought with work."""
WORKED_BY_CONTACT = Limit("code.contact", attempts=60, window_s=86_400)
"""With those that were bought: a mailbox is not flooded, a message costs money, and each code can be guessed at."""
WORKED_BY_PAIR = Limit("code.worked", attempts=3, window_s=86_400)
"""Bought codes for one contact that one network gets: so a stranger needs seventeen networks to use up the day."""
BY_DEVICE = Limit("code.device", attempts=5, window_s=3_600)
"""Codes that a known device asks for."""
BY_NETWORK = Limit("code.network", attempts=60, window_s=3_600)
"""Codes that one network asks for; beyond it each is bought with work, for a campus registers from one address."""
WORKED_BY_NETWORK = Limit("code.network", attempts=200, window_s=3_600)
"""With those that were bought: each costs a message."""
BITS: tuple[tuple[int, int], ...] = ((0, 20), (20, 22), (40, 23))
"""So many codes a contact got that day from anybody: so hard is the next one (see ``auth.domain.BITS``)."""


def bits_after(sent: int) -> int:
    """Return how much work the next code of a contact takes."""
    return max(bits for least, bits in BITS if sent >= least)


def tries_left(*, worked: bool) -> int:
    """Return how many guesses a code takes: fewer where it was bought, for of those there may be more."""
    return WORKED_TRIES if worked else TRIES


@dataclass(frozen=True, slots=True)
class Code:
    """One code that was sent; only its keyed digest is kept."""

    code_id: str
    subject: str
    """Keyed digest of purpose and contact."""
    digest: str = field(repr=False)
    status: CodeStatus
    tries: int
    expires_at: datetime
    version: int = 0

    def is_open(self, subject: str, now: datetime) -> bool:
        """Say whether a guess is looked at at all."""
        return self.status is CodeStatus.SENT and self.subject == subject and now < self.expires_at

    def used(self) -> Code:
        """Return the code as it is once it was right."""
        return replace(self, status=CODES.next(self.status, CodeCause.USE))

    def missed(self) -> Code:
        """Return the code after a wrong guess."""
        tries = self.tries + 1
        status = CODES.next(self.status, CodeCause.SPEND) if tries >= TRIES else self.status
        return replace(self, tries=tries, status=status)


def spelled(number: int) -> str:
    """Return a number as the code that people read."""
    return f"{number % 10**DIGITS:0{DIGITS}d}"
