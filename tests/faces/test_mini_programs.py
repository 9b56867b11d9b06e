"""The mini programs as they were built, and what all builds weigh, by the tests that stand beside their code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.web import build

STOREFRONT = Path(__file__).resolve().parents[2] / "web" / "storefront"


@pytest.mark.skipif(not (STOREFRONT / "dist").is_dir(), reason="the shop is not built: make web")
def test_built_mini_programs_run_and_keep_their_size() -> None:
    build.install(STOREFRONT, lambda _: None)
    command = [build.npm(), "run", "--silent", "test:built"]
    done = subprocess.run(command, cwd=STOREFRONT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
