"""What happened to one purchase, in order: every call that touched it, why it was made, and what it changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_BODY = re.compile(r"_([0-9a-z]{24})")
WHOLE_STEPS = 60
"""Without a subject, or with one that is no purchase's, the last steps are told whole."""


@dataclass(frozen=True)
class Line:
    """One line of the story: when, in which step, who, why, what; and the purchases it is about."""

    step: int
    at: datetime
    who: str
    cause: str
    what: str
    about: frozenset[str]

    def __str__(self) -> str:
        return f"{self.step:6d} {self.at:%m-%d %H:%M:%S} {self.who:18.18} {self.what}" + (
            f"   <- {self.cause}" if self.cause not in ("none", "") else ""
        )


def story_of(lines: Sequence[Line], subject: str) -> list[str]:
    """Return the lines about the subject's purchase, with the heads of the steps they stand in."""
    found = _BODY.search(subject)
    body = found.group(1) if found else ""
    about = [line for line in lines if body and body in line.about]
    if not about:
        last = lines[-1].step if lines else 0
        return [str(line) for line in lines if line.step > last - WHOLE_STEPS]
    steps = {line.step for line in about}
    return [str(line) for line in lines if body in line.about or (line.step in steps and not line.what.startswith(" "))]
