"""Known bugs of the audit: a line outside the chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("a line of the audit stays outside the chain")
@contextmanager
def _leave_out() -> Iterator[None]:
    """The job goes past the first of several new lines, and nobody looks once more when the day is closed."""
    from chalicelib.oversight.chain import sealing, store

    real = store.lines

    def lines(*arguments: Any, **options: Any) -> Any:
        found = real(*arguments, **options)
        return found[1:] or found

    with ExitStack() as stack:
        stack.enter_context(patch.object(store, "lines", lines))
        stack.enter_context(patch.object(sealing, "_not_sealed", lambda _day, _sealed: iter(())))
        yield
