"""The other sides that a laptop lacks: the sandbox payment provider and a carrier hub, each on a port of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.runtime import outbound
from tools.dev.trail import Trail


@dataclass
class StandIns:
    """What was started, and the settings by which our code finds it."""

    sandbox_url: str = ""
    carrier_url: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    stops: list[Callable[[], None]] = field(default_factory=list)

    def stop(self) -> None:
        """Stop all of them."""
        while self.stops:
            self.stops.pop()()


def start(server: Any) -> StandIns:
    """Start what is there."""
    return StandIns()


def watch_outbound(trail: Trail) -> Callable[[], None]:
    """Record every call to a provider or hub; return what undoes it."""

    def transport(request: outbound.Request) -> outbound.Response:
        try:
            response = outbound._over_the_network(request)  # noqa: SLF001 -- the transport in use, watched
        except Exception as error:
            trail.outbound(request.method, request.url, type(error).__name__)
            raise
        trail.outbound(request.method, request.url, response.status)
        return response

    outbound.install(transport)
    return lambda: outbound.install(None)
