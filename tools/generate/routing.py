"""Finds every declared route by importing the capabilities' ``api`` modules: one each, or one of each folder."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from chalicelib import topology
from chalicelib.runtime.http.routes import TWIN, TWINNED, Route

if TYPE_CHECKING:
    from chalicelib.runtime.http.app import App

Line = tuple[str, str, str, tuple[str, ...]]


def api_modules() -> list[str]:
    """Return the modules that declare routes, in the order of the capabilities."""
    found = []
    for capability in topology.CAPABILITIES:
        package = import_module(f"chalicelib.{capability}")
        modules = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
        found += [name for name in modules if name.endswith(".api")]
    return found


def declared() -> Iterator[tuple[str, Route]]:
    """Yield (module, route) for every declaration."""
    for module in api_modules():
        for route in import_module(module).routes.entries:
            yield module, route


def route_lines() -> list[Line]:
    """Return the lines of ``chalicelib/routes.py``: each declaration, and its twin."""
    return [
        (method, route.path, module, route.content_types) for module, route in declared() for method in methods(route)
    ]


def methods(route: Route) -> tuple[str, ...]:
    """Return the verbs that a declaration is called by."""
    return (TWINNED, TWIN) if route.method == TWINNED else (route.method,)


def application() -> App:
    """Return the application with every route that is declared now, not only the committed list."""
    from chalicelib.runtime.http.app import App

    found = App("biandan", authenticate="chalicelib.auth.service:authenticate")
    found.install(route_lines())
    return found
