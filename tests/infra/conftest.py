"""What the tests of the stack look at: each stage, and its finished template."""

from __future__ import annotations

from typing import Any

import pytest

from infra import policies
from tools.release import package


@pytest.fixture(scope="module", params=policies.STAGES)
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def finished(stage: str) -> dict[str, Any]:
    """The template of a stage as CloudFormation gets it; nobody changes it."""
    return package.cloudformation(package.sam_template(stage), "us-east-1")
