"""Finds the Lambda functions of the app as Lambda does: by their handler string, ``module.function``."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from chalicelib import topology

Function = Callable[[dict[str, Any], Any], Any]

RELAY = "chalicelib.runtime.functions.relay"


@dataclass(frozen=True)
class QueueFunction:
    """A function and the queue it consumes (short name)."""

    queue: str
    handler: str
    batch_size: int
    window_s: int = 0
    """So long AWS gathers a batch that is not full."""


@dataclass(frozen=True)
class ScheduledFunction:
    """A function and how often it runs."""

    handler: str
    every_s: int


class Spent:
    """Adds up the CPU time that functions use, each in the thread that runs it: what Lambda would run, and no more."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self._lock = threading.Lock()

    def on(self, function: Function) -> Function:
        """Return a function whose time counts."""

        def counted(event: dict[str, Any], context: Any) -> Any:
            began = time.thread_time()
            try:
                return function(event, context)
            finally:
                took = time.thread_time() - began
                with self._lock:
                    self.cpu_s += took

        return counted


spent = Spent()
"""Of all functions in this process."""


def resolve(handler: str) -> Function:
    """Return the object a handler string names, its CPU time counted."""
    module, _, name = handler.rpartition(".")
    return spent.on(getattr(import_module(module), name))


def queue_functions() -> list[QueueFunction]:
    """Return what consumes the queues, from the Blueprints of ``topology.FUNCTION_MODULES``."""
    by_reference = {topology.queue_reference(queue): queue for queue in topology.QUEUES}
    return [
        QueueFunction(
            by_reference[source.queue],
            source.handler_string,
            int(source.batch_size or 10),
            int(source.maximum_batching_window_in_seconds or 0),
        )
        for source in _sources()
        if hasattr(source, "queue")
    ]


def scheduled_functions() -> list[ScheduledFunction]:
    """Return what runs by the clock."""
    return [
        ScheduledFunction(source.handler_string, _seconds(str(source.schedule_expression)))
        for source in _sources()
        if hasattr(source, "schedule_expression")
    ]


def _sources() -> list[Any]:
    from chalice.app import Chalice

    app = Chalice("functions")
    for module in ("chalicelib.runtime.functions", *topology.FUNCTION_MODULES):
        if _exists(module):
            app.register_blueprint(import_module(module).functions)
    return list(app.event_sources)


def _exists(module: str) -> bool:
    package = module.rpartition(".")[0]
    return find_spec(package) is not None and find_spec(module) is not None


def _seconds(expression: str) -> int:
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if not found:
        raise ValueError(f"the dev server knows rate(...) only, not {expression}")
    return int(found[1]) * {"minute": 60, "hour": 3600, "day": 86400}[found[2]]
