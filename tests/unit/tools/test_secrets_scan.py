"""Secrets are found in what would be committed, and the list of what looks like one holds nothing that is gone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.checks import secrets

PEM = "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
RANDOM = "c3VwZXItc2VjcmV0LXZhbHVlLTk4NzY1NDMyMTA" + "xYWJjZGVm"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with nothing secret in it."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "plain.py").write_text("NAME = 'tea'\n")
    allowed = tmp_path / "allowed.toml"
    allowed.write_text("allowed = []\n")
    monkeypatch.setattr(secrets, "ROOT", tmp_path)
    monkeypatch.setattr(secrets, "ALLOWED", allowed)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


def test_nothing_is_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert secrets.main() == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("docs.md", PEM, "Private Key"),
        ("tools/one.py", f'KEY = "{RANDOM}"\n', "Base64 High Entropy String"),
        ("settings.toml", "key = 'AKIA" + "IOSFODNN7EXAMPLZ'\n", "AWS Access Key"),
    ],
)
def test_a_secret_is_found_and_never_printed(
    repository: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, kind: str
) -> None:
    (repository / name).write_text(text)
    subprocess.run(["git", "add", name], cwd=repository, check=True)
    assert secrets.main() == 1
    told = capsys.readouterr().out
    assert told == f"{name}:1: looks like a secret ({kind}); take it out, or give the reason in allowed.toml\n"


def test_a_reason_without_its_secret_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets.ALLOWED.write_text('[[allowed]]\nfile = "tools/plain.py"\nkind = "Private Key"\nwhy = "was there once"\n')
    assert secrets.main() == 1
    assert "tools/plain.py has no Private Key any more" in capsys.readouterr().out
