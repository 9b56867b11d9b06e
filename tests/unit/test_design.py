"""The design is in the repository: what is cited of it is there, and the map of the rooms shows every room."""

from __future__ import annotations

import re
import subprocess

from chalicelib import topology
from tools.generate import architecture
from tools.release.package import ROOT

CITED = re.compile(r"\bdesign(?:\.md)?(?:'s)?\W{1,4}sections? (\d+)(?: and (\d+))?", re.IGNORECASE)


def sections() -> set[str]:
    return set(re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "design.md").read_text("utf-8"), re.MULTILINE))


def citations() -> list[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = []
    for name in listed.split("\0"):
        if name.endswith((".py", ".md", ".toml")) and (ROOT / name).is_file():
            text = " ".join((ROOT / name).read_text("utf-8").split())
            found += [(name, number) for numbers in CITED.findall(text) for number in numbers if number]
    return found


def test_the_sections_that_are_cited_are_there() -> None:
    found = citations()
    assert {("tests/unit/test_layers.py", "3"), ("docs/budget.md", "8")} <= set(found)
    assert [(name, number) for name, number in found if number not in sections()] == []


def test_nobody_cites_a_page_that_is_not_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "grep", "-nE", r"\bDESIGN\b"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert [line for line in listed.stdout.splitlines() if not line.startswith("tests/unit/test_design.py:")] == []


def test_every_capability_is_behind_one_entrance() -> None:
    assert sorted(name for names in architecture.ENTRANCES.values() for name in names) == sorted(topology.CAPABILITIES)


def test_the_map_shows_who_calls_whom() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", architecture.text(), re.MULTILINE))
    assert ("checkout", "orders") in drawn
    assert not [arrow for arrow in drawn if arrow[0] == "orders"]
    assert drawn == {(name, other) for name, others in architecture.calls().items() for other in others}


def test_every_room_has_its_paragraph() -> None:
    written = re.findall(r"^### (\w+)\n\n\S", architecture.text(), re.MULTILINE)
    assert sorted(written) == sorted([*topology.CAPABILITIES, *architecture.GROUND])
