"""Who asked and what led here: carried from HTTP through streams, queues and jobs into every log line and event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Context:
    """The causal position of the work being done now.

    ``request_id`` is that of the HTTP call, push or tick that started the chain and never changes along it;
    ``cause_id`` is the direct cause (an event's id, or the request's own) and changes at each hop.
    """

    request_id: str = "none"
    cause_id: str = "none"
    actor: str = "system"
    language: str = "en"


_NOBODY = Context()
_current: ContextVar[Context] = ContextVar("biandan_context", default=_NOBODY)


def current() -> Context:
    """Return the context of the running work."""
    return _current.get()


@contextmanager
def use(context: Context) -> Iterator[Context]:
    """Run a block in this context."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def set_actor(actor: str) -> None:
    """Name who is acting (an account id, a provider, a job), once it is known."""
    _current.set(replace(_current.get(), actor=actor))
