"""A folder each, named as the provider is in addresses; its ``adapter.py`` has ``build(configuration=None)``."""

from __future__ import annotations

import pkgutil
import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments.domain.payment import UnknownProvider
from chalicelib.payments.ports import Adapter, Provider
from chalicelib.runtime import caches, log, secrets, start
from chalicelib.runtime.config import LOCAL, config

_NAME = re.compile(r"[a-z][a-z0-9]{1,15}")
TEST_STAGES = (LOCAL, "dev")


@start.uses
def _secrets() -> list[str]:
    return [f"payments-{name}" for name in names()]


def names() -> list[str]:
    """Return the names of all providers there are, in use or not."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if _NAME.fullmatch(module.name))


def adapter(name: str) -> Adapter:
    """Return the module of a provider there is."""
    return cast("Adapter", import_module(f"{__name__}.{name}.adapter"))


def load(name: str) -> Provider:
    """Return the adapter of a provider, imported and built on first use.

    Raises:
        UnknownProvider: if there is none of this name, it is turned off, or this stage may not use it.
    """
    if not _NAME.fullmatch(name) or find_spec(f"{__name__}.{name}") is None:
        raise UnknownProvider(what="payment provider", provider=name[:16])
    provider = _built(name)
    if not provider.enabled:
        raise UnknownProvider(what="payment provider", provider=name)
    if provider.for_tests_only and config().stage not in TEST_STAGES:
        raise UnknownProvider(what="payment provider", provider=name)
    return provider


def offered(name: str) -> Provider:
    """Return the adapter of a provider that this installation has a secret for: for whoever asks from outside.

    Raises:
        UnknownProvider: as :func:`load`, and where nobody configured it. An attempt at such a provider could neither be
            asked about nor closed, and would hold its stock for ever.
    """
    provider = load(name)
    try:
        secrets.secret(f"payments-{name}")
    except Misconfigured as error:
        raise UnknownProvider(what="payment provider", provider=name) from error
    return provider


def configured() -> tuple[str, ...]:
    """Return the names of the providers that this stage may use and has a secret for."""
    found = []
    for name in names():
        try:
            offered(name)
        except UnknownProvider as error:
            log.info("provider is not configured", provider=name, why=error.code)
            continue
        found.append(name)
    return tuple(found)


def notify_url(name: str) -> str:
    """Return where a provider posts its notices."""
    return f"{config().public_url}/v1/webhooks/payments/{name}"


@cache
def _built(name: str) -> Provider:
    return adapter(name).build()


@caches.register
def forget() -> None:
    """Build adapters anew: when configuration changes in tests."""
    _built.cache_clear()
