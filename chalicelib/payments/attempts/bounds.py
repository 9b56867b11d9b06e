"""How much one purchase may make us ask providers: data with defaults, each with its setting. ``docs/payments.md``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chalicelib.payments.domain.payment import MAX_ATTEMPTS
from chalicelib.runtime.config import setting


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a buyer's wishes may cost in calls to providers."""

    attempts: int = 10
    """Attempts to pay one purchase."""
    tries: int = 5
    """How often a provider is told of one attempt that it does not answer."""
    earlier: int = 4
    """How many earlier attempts a new one asks about, the latest first; the clock asks about all of them."""
    questions: int = 6
    """How often a buyer may make us ask about one attempt within :data:`PER`."""
    asking_s: float = 5.0
    """How long a new attempt waits for the answers about earlier ones, all together."""


PER = timedelta(seconds=60)
EACH_S = 2.5
"""What one question about an earlier attempt may take, where a buyer waits for a new one."""


def bounds() -> Bounds:
    """Return what this installation allows; a setting that is no number within reason counts as its default."""
    default = Bounds()
    return Bounds(
        attempts=_number("BIANDAN_PAYMENT_ATTEMPTS", default.attempts, most=MAX_ATTEMPTS),
        tries=_number("BIANDAN_PAYMENT_TRIES", default.tries, most=50),
        earlier=_number("BIANDAN_PAYMENT_EARLIER_ASKED", default.earlier, most=MAX_ATTEMPTS),
        questions=_number("BIANDAN_PAYMENT_QUESTIONS_PER_MINUTE", default.questions, most=60),
        asking_s=float(_number("BIANDAN_PAYMENT_ASKING_S", int(default.asking_s), most=10)),
    )


def _number(name: str, default: int, *, most: int) -> int:
    text = setting(name)
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= most else default
