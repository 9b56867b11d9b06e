"""The tests pass on a busy machine: none of them is about how fast this one is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from chalicelib.runtime import transport
from tests.support import sources

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("sources")]

TESTS = Path(__file__).parents[1]
WAITS = {"timeout", "timeout_s", "within_s", "deadline"}
SHORT_S = 20
"""A wait that is shorter than this ends a test on a machine that others use too; see the two that mean it."""
MEANT = {
    # What is waited for never comes.
    "integration/runtime/test_outbound.py",
    "integration/runtime/test_outbound_certificate.py",
    "integration/runtime/test_outside.py",
}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(TESTS.rglob("*.py")):
        for node in sources.calls(path):
            yield path.relative_to(TESTS).as_posix(), node


def test_no_property_has_a_deadline() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
    given = [
        f"{where}:{word.value.lineno}"
        for where, call in calls()
        if _last_name(call.func).endswith("settings")
        for word in call.keywords
        if word.arg == "deadline" and ast.unparse(word.value) != "None"
    ]
    assert given == []


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_no_test_waits_only_briefly_for_what_will_come() -> None:
    found = [
        f"{where}:{word.value.lineno} {ast.unparse(word.value)}"
        for where, call in calls()
        for word in call.keywords
        if word.arg in WAITS
        and isinstance(word.value, ast.Constant)
        and isinstance(word.value.value, (int, float))
        and word.value.value < SHORT_S
        and where not in MEANT
    ]
    assert found == []


def test_the_engine_has_time() -> None:
    assert transport.READ_TIMEOUT_S >= SHORT_S
