"""Recorded vectors of providers: what somebody else signed, sealed or wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.kernel import clock

FOLDER = Path(__file__).parent / "vectors"


def vectors(file: str, *kinds: str) -> list[Any]:
    """Return the vectors of some kinds."""
    found = json.loads((FOLDER / file).read_text("utf-8"))["vectors"]
    return [vector for vector in found if vector["kind"] in kinds]


def names(found: list[Any]) -> list[str]:
    """Return the vectors' names, for pytest."""
    return [vector["id"] for vector in found]


def at(seconds: float) -> Any:
    """Return a context in which it is so late."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return clock.use(lambda: moment)
