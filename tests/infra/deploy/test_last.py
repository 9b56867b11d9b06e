"""Runs last of the tests of deployments, by its name."""

from __future__ import annotations

import pytest

from tests.support.deployed import Deployed

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy")]


def test_no_function_was_refused_by_its_role(deployed: Deployed) -> None:
    """Nothing may have been denied, not even where the code lives with a denial."""
    text = deployed.log.read_text(encoding="utf-8")
    denied = [line for line in text.splitlines() if "AccessDenied" in line or "not authorized to perform" in line]
    assert denied == []
