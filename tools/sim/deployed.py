"""What is deployed: the tables, each queue's function, the HTTP application and the deadline job's schedule."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from chalice.app import Chalice, EventSourceHandler

from chalicelib import topology
from chalicelib.runtime import functions as runtime_functions
from infra.tables import table_specs
from tools.generate import routing
from tools.sim.storage import Params


@cache
def specs() -> tuple[Params, ...]:
    """Return each table's definition, without its TTL."""
    return tuple({name: value for name, value in spec.items() if name != "ttl"} for spec in table_specs().values())


@cache
def functions() -> dict[str, Callable[[Params, Any], Params]]:
    """Return the function of each queue."""
    found: dict[str, Callable[[Params, Any], Params]] = {}
    for queue, module in topology.QUEUES.items():
        loaded = import_module(module)  # One that cannot be imported must fail here, not go unplayed.
        [function] = [value for value in vars(loaded).values() if isinstance(value, EventSourceHandler)]
        found[queue] = function
    return found


@cache
def job_every_s() -> float:
    """Return how often the deployed schedule runs the deadline job."""
    app = Chalice("schedules")
    app.register_blueprint(runtime_functions.functions)
    [source] = [source for source in app.event_sources if getattr(source, "name", "") == "deadlines"]
    rate = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", str(vars(source)["schedule_expression"]))
    if rate is None:
        raise RuntimeError(f"no rate: {vars(source)}")
    return float(rate[1]) * {"minute": 60.0, "hour": 3600.0}[rate[2]]


@cache
def application() -> Any:
    """Return the HTTP application."""
    return routing.application()
