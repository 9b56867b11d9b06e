"""What a configuration lacks, for adapters that have no more to say of it than that it cannot be read."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.kernel.errors import Misconfigured


def lacking(read: Callable[[], object]) -> tuple[str, ...]:
    """Return why a configuration cannot be read, in words; nothing if it can."""
    try:
        read()
    except Misconfigured as error:
        return (str(error.params.get("why", error)),)
    return ()
