"""Which sets of requirements the virtual environment is taken to hold: a set is installed unless another holds it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parents[3]
SETS = ("local", "dev", "faces")


def prepare(home: Path, wanted: str) -> bool:
    """Run the script for one set and say whether it installed anything; its Python only writes down its arguments."""
    log = home / "installed"
    log.unlink(missing_ok=True)
    subprocess.run([home / "venv.sh", "venv", wanted], cwd=home, check=True, capture_output=True)
    if not log.exists():
        return False
    assert log.read_text().split()[-1] == f"requirements-{wanted}.txt"
    return True


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a folder with the script, its requirements, and an interpreter that installs nothing."""
    shutil.copy(ROOT / "tools/dev/venv.sh", tmp_path / "venv.sh")
    for name in SETS:
        shutil.copy(ROOT / f"requirements-{name}.txt", tmp_path)
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || printf "%s\\n" "$*" >> installed\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("first", "then", "installs"),
    [
        ("dev", "faces", True),
        ("local", "dev", True),
        ("local", "faces", True),
        ("dev", "local", False),
        ("faces", "dev", False),
        ("faces", "local", False),
        ("faces", "faces", False),
    ],
)
def test_a_set_is_installed_unless_one_that_holds_it_is(home: Path, first: str, then: str, installs: bool) -> None:
    """The environment of all tests has no Playwright: `make web-test` after `make test` must still install it."""
    assert prepare(home, first)
    assert prepare(home, then) is installs


def test_changed_requirements_are_installed_again(home: Path) -> None:
    """What was installed counts for these very requirements only."""
    assert prepare(home, "dev")
    with (home / "requirements-local.txt").open("a") as file:
        file.write("another==1.0\n")
    assert prepare(home, "dev")
