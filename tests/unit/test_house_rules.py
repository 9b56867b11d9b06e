"""The repository's own habits: one version, marked generated files, settings that name what is there."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from infra import stack
from tools.checks.version import ROOT, version
from tools.generate import pages as generate

pytestmark = pytest.mark.process

_PARTLY = {"README.md", "docs/deploy.md"}
"""Written by people but for one part between two marks."""


def _text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def test_the_version_stands_once_and_heads_the_changelog() -> None:
    headings = re.findall(r"^## (\d+\.\d+\.\d+) \((.+)\)$", _text("CHANGELOG.md"), re.MULTILINE)
    numbers = [tuple(map(int, number.split("."))) for number, _ in headings]

    assert headings[0] == (version(), "not released yet")
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d, `[0-9a-f]{7}`", when) for _, when in headings[1:])
    assert json.loads(_text("docs/openapi.json"))["info"]["version"] == version()


def test_every_generated_file_is_marked_and_nothing_else_is() -> None:
    written = ({*generate.outputs(), *stack.artifacts()}) - _PARTLY
    listed = subprocess.run(
        ["git", "check-attr", "--stdin", "linguist-generated"],
        cwd=ROOT, input="\n".join(sorted(written)), text=True, capture_output=True, check=True,
    ).stdout  # fmt: skip
    unmarked = [line for line in listed.splitlines() if not line.endswith(": true")]
    patterns = [
        line.split()[0] for line in _text(".gitattributes").splitlines() if line.endswith("linguist-generated=true")
    ]

    assert unmarked == []
    assert [pattern for pattern in patterns if not list(ROOT.glob(pattern))] == []


def test_a_generated_file_says_so_where_its_format_lets_it() -> None:
    for path in sorted({*generate.outputs(), *stack.artifacts()} - _PARTLY):
        if path.startswith(".chalice/"):
            continue  # Chalice and IAM refuse members that they don't know.
        assert re.search(r"do not edit", _text(path)[:6000] + _text(path)[-2000:]), path


def test_the_licence_is_said_alike_everywhere() -> None:
    assert _text("LICENSE").split("\n", 2)[:2] == [" " * 33 + "Apache License", " " * 27 + "Version 2.0, January 2004"]
    assert json.loads(_text("docs/openapi.json"))["info"]["license"]["identifier"] == "Apache-2.0"
    assert 'license = "Apache-2.0"' in _text("pyproject.toml")


def test_every_rule_of_a_request_has_a_code_of_its_own() -> None:
    """A ``ValueError`` is told as ``value_error``: a client could not tell one rule from another."""
    models = sorted({*ROOT.glob("chalicelib/**/*schemas.py"), ROOT / "chalicelib/runtime/schema.py"})

    assert len(models) > 15
    assert [str(path.relative_to(ROOT)) for path in models if "raise ValueError" in path.read_text("utf-8")] == []
