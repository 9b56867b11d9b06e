"""Faces are built again when something changed that they are made of, and only then."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.web import build


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A repository with a client and a shop, where npm only says what it was asked for."""
    for name, value in {"ROOT": tmp_path, "WEB": tmp_path / "web", "STAMPS": tmp_path / ".build" / "web"}.items():
        monkeypatch.setattr(build, name, value)
    for path, text in {
        "client/package.json": json.dumps({"scripts": {"test": "t"}}),
        "client/package-lock.json": "{}",
        "client/src/index.ts": "export {}",
        "shop/package.json": json.dumps({"scripts": {"build": "b", "test": "t"}}),
        "shop/package-lock.json": "{}",
        "shop/src/main.ts": "main",
        "shop/tests/a.test.ts": "test",
    }.items():
        write(tmp_path, path, text)
    calls: list[list[str]] = []

    def run(command: list[str], folder: Path, what: str) -> None:
        calls.append([folder.name, *command[1:3]])
        (folder / ("node_modules" if command[1] == "ci" else "dist")).mkdir(exist_ok=True)

    monkeypatch.setattr(build, "_run", run)
    monkeypatch.setattr(build, "npm", lambda: "npm")
    monkeypatch.delenv("BIANDAN_API", raising=False)
    return calls


def write(root: Path, path: str, text: str) -> None:
    file = root / "web" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def test_what_was_built_of_these_sources_is_left(ran: list[list[str]], tmp_path: Path) -> None:
    assert build.main([]) == 0
    assert ran == [["shop", "ci", "--ignore-scripts"], ["shop", "run", "--silent"]]
    ran.clear()
    for made in ("shop/node_modules/x/index.js", "shop/dist/index.html", "shop/tests/a.test.ts"):
        write(tmp_path, made, "other")
    assert build.main([]) == 0
    assert ran == []


@pytest.mark.parametrize(
    ("change", "done"),
    [
        (lambda root, _: write(root, "shop/src/main.ts", "other"), ["run"]),
        (lambda root, _: write(root, "shop/src/more.ts", ""), ["run"]),
        (lambda root, _: (root / "web/shop/src/main.ts").rename(root / "web/shop/src/index.ts"), ["run"]),
        (lambda root, _: write(root, "client/src/index.ts", "other"), ["run"]),
        (lambda root, _: write(root, "shop/package-lock.json", "{ }"), ["ci", "run"]),
        (lambda _, patch: patch.setenv("BIANDAN_API", "https://api.example"), ["run"]),
    ],
)
def test_what_it_is_made_of_builds_it_anew(
    ran: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, pytest.MonkeyPatch], Any],
    done: list[str],
) -> None:
    build.main([])
    ran.clear()
    change(tmp_path, monkeypatch)
    build.main([])
    assert [command for _, command, _ in ran] == done


def test_a_build_that_failed_is_tried_again(ran: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], folder: Path, what: str) -> None:
        raise build.Missing(f"{folder.name}: {what} failed")

    with monkeypatch.context() as broken:
        broken.setattr(build, "_run", fails)
        assert build.main([]) == 1
    assert build.main([]) == 0
    assert ["shop", "run", "--silent"] in ran


def test_what_each_folder_tests_is_run(ran: list[list[str]]) -> None:
    assert build.main(["--run", "check", "--run", "test"]) == 0
    assert [one[0] for one in ran if one[1] == "run"] == ["client", "shop"]


def test_a_machine_without_node_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.web.build.shutil.which", lambda _: None)
    with pytest.raises(build.Missing, match=r"install Node 20\.19"):
        build.npm()
    monkeypatch.setattr("tools.web.build.shutil.which", lambda name: f"/usr/bin/{name}")
    for version, good in (("v18.20.4", False), ("v20.18.0", False), ("v20.19.0", True), ("v22.1.0", True)):
        done = subprocess.CompletedProcess([], 0, stdout=f"{version}\n")
        monkeypatch.setattr("tools.web.build.subprocess.run", lambda *_, done=done, **__: done)
        if good:
            assert build.npm() == "/usr/bin/npm"
        else:
            with pytest.raises(build.Missing, match="too old"):
                build.npm()


def test_without_node_nothing_is_built_and_it_is_said(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> str:
        raise build.Missing("Node is not here")

    monkeypatch.setattr(build, "npm", none)
    assert build.main([]) == 1
    assert capsys.readouterr().err == "web: Node is not here\n"
    assert ran == []
