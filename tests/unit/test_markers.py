"""``make check`` refuses what a merge left behind, in any file, and nothing that only looks like it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.checks import markers
from tools.release.package import ROOT

pytestmark = pytest.mark.process

OURS, THEIRS, MIDDLE, BASE = "<" * 7, ">" * 7, "=" * 7, "|" * 7


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (f"a\n{OURS} HEAD\nb\n{MIDDLE}\nc\n{THEIRS} other\n", [2, 4, 6]),
        (f"{OURS} ours\r\nb\r\n{BASE} base\r\n{MIDDLE}\r\n{THEIRS} theirs\r\n", [1, 3, 4, 5]),
        (f"x\n{THEIRS} 9e1c3af (the last one was forgotten)\n", [2]),
        (f"Title\n{MIDDLE}\n", []),
        (f"  {OURS} indented\n", []),
        (f"{OURS}\n", []),
        ("", []),
    ],
)
def test_markers_are_found_where_they_stand(tmp_path: Path, content: str, lines: list[int]) -> None:
    file = tmp_path / "page.md"
    file.write_bytes(content.encode())
    assert [number for _, number in markers.marked([file])] == lines


def test_files_of_all_kinds_are_looked_through(tmp_path: Path) -> None:
    binary, big5 = tmp_path / "code.zip", tmp_path / "prices.csv"
    binary.write_bytes(b"PK\0\0\n" + f"{OURS} HEAD\n".encode())
    big5.write_bytes("價格\n".encode("big5") + f"{OURS} HEAD\n".encode())
    (tmp_path / "gone").symlink_to("nowhere")
    assert list(markers.marked([binary, big5, tmp_path / "gone", tmp_path / "missing"])) == [(big5, 2)]


def test_the_check_fails_on_a_file_that_was_not_even_added(tmp_path: Path) -> None:
    def check() -> int:
        command = [sys.executable, "-m", "tools.checks.markers"]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True).returncode

    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "a.py").write_text("x = 1\n")
    assert check() == 0
    (tmp_path / "b.py").write_text(f"{THEIRS} theirs\n")
    assert check() == 1


def test_this_repository_has_none() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "tools.checks.markers" in makefile.split("\ncheck:", 1)[1].split("\n\n", 1)[0]
    assert list(markers.marked(path for path in ROOT.glob("*/**/*.py"))) == []
