from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.runtime import outbound


@pytest.fixture
def no_network() -> Iterator[None]:
    """Verification never calls out."""

    def refuse(request: outbound.Request) -> outbound.Response:
        raise AssertionError(f"called {request.url}")

    outbound.install(refuse)
    yield
    outbound.install(None)
