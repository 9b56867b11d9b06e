"""The pages of prose: lines of a length, decisions with number and status, links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.checks import decisions, wrapped
from tools.checks.version import ROOT

pytestmark = pytest.mark.process

LONG = " ".join(["word"] * 40)


def test_no_line_of_prose_is_too_long() -> None:
    found = [page.name for page in wrapped.pages(ROOT) if any(wrapped.long_lines(page.read_text("utf-8")))]
    assert found == [], "run `python -m tools.checks.wrapped --write`"


@pytest.mark.parametrize(
    "text",
    [
        f"| a | {LONG} |",
        f"# {LONG}",
        f"```\n{LONG}\n```",
        f"~~~\n```\n{LONG}\n~~~",
        "`" + LONG + "`",
        "没有空格的中文" * 40,
        "word " * 31 + "word",
    ],
)
def test_what_cannot_or_need_not_be_broken_may_be_long(text: str) -> None:
    assert list(wrapped.long_lines(text)) == []
    assert wrapped.wrapped(text) == text + "\n"


def test_a_long_paragraph_is_wrapped_and_nothing_beside_it_moves() -> None:
    text = f"Short and\nkept.\n\n- {LONG}\n  and the rest of it.\n- next\n\n```\n{LONG}\n```\n\n  1. {LONG}\n"
    again = wrapped.wrapped(text)
    lines = again.splitlines()

    assert again.split() == text.split()
    assert list(wrapped.long_lines(again)) == []
    assert lines[:3] == ["Short and", "kept.", ""]
    assert lines[3].startswith("- word")
    assert lines[4].startswith("  word")
    assert lines[5] == "- next"
    assert f"```\n{LONG}\n```" in again
    assert [line[:6] for line in lines if line.startswith("     word")] == ["     w"]
    assert wrapped.wrapped(again) == again


def test_a_break_opens_no_list_and_cuts_no_code() -> None:
    filler = "x" * 112
    again = wrapped.wrapped(f"{filler} and 1 - 2 # {LONG} `a b c` [a link](b.md) more\n")

    assert not [line for line in again.splitlines() if re.match(r"[-+*#>|] |\d+[.)] ", line)]
    assert "`a b c`" in again
    assert "[a link](b.md)" in again


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("0001-a.md", "# A\n\nNo status\n", "begin with"),
        ("a.md", "# A\n\nStatus: accepted, 2026-11-22\n", "call it NNNN-name.md"),
        ("0002-a.md", "# A\n\nStatus: accepted, 2026-11-22\n", "without a gap"),
        ("0001-a.md", "# A\n\nStatus: superseded by [0002](0002-b.md), 2026-11-22\n", "not there"),
        ("0001-a.md", "# A\n\nStatus: done, 2026-11-22\n", "begin with"),
    ],
)
def test_a_decision_without_its_form_is_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(decisions.BadDecision, match=says):
        decisions.decisions(tmp_path)


def test_every_link_of_a_page_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in wrapped.pages(ROOT)
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)", page.read_text("utf-8"))
        if not _leads_somewhere(page, target)
    ]
    assert broken == []


def test_every_decision_that_is_cited_is_there() -> None:
    cited = {
        (path.relative_to(ROOT).as_posix(), name)
        for folder in ("chalicelib", "tools", "infra", "tests", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".toml"}
        for name in re.findall(r"adr/([\w-]+\.md)", path.read_text("utf-8"))
    }
    assert [found for found in sorted(cited) if not (decisions.FOLDER / found[1]).is_file()] == []


def _leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    found = (page.parent / name).resolve() if name else page
    if not anchor or found.suffix != ".md" or not found.is_file():
        return found.exists()
    return anchor in {_anchor(heading) for heading in re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
