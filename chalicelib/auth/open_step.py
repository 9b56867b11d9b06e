"""What a challenge is: something to answer within minutes, with few attempts and once. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.kernel.errors import Unauthenticated

LIFE = timedelta(minutes=5)
MOST_ATTEMPTS = 5


class ChallengeOver(Unauthenticated):
    """Answered, out of time or attempts, or never ours: nobody is told which."""

    code = "challenge_over"
    en, zh = "This step is over; begin again.", "该步骤已失效，请重新开始。"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One that waits for its answer."""

    challenge_id: str
    purpose: str
    account_id: str
    """Whose it is; empty where it is not known yet."""
    expires_at: datetime
    said: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    version: int = 0
