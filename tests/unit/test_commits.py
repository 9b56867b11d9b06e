"""What a commit message must be, and that each way to say nothing is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.checks import commits
from tools.checks.version import ROOT

pytestmark = pytest.mark.process

GOOD = "payments: refuse a second refund\n\nThe provider takes it, and the buyer had both.\n"


@pytest.mark.parametrize(
    "message",
    [
        GOOD,
        "docs: say why",
        "payments, orders: pay no unit back twice",
        "sim: seed every stream of its own",
        "kernel: process what comes, miss nothing, pass the rest",
        "catalog: focus on the first word",
        "runtime: bring it back\n\n# Please enter the commit message\n# wip is a comment of git's\n",
        "docs: point to a page\n\n" + "x" * 300,
    ],
)
def test_good_messages_pass(message: str) -> None:
    assert commits.faults(message) == []


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("", "it is empty"),
        ("# only git's\n", "it is empty"),
        ("wip", "'wip' says nothing"),
        ("payments: WIP on refunds", "'WIP' says nothing"),
        ("fixup! payments: refuse a second refund", "'fixup' says nothing"),
        ("squash! payments: refuse it", "'squash' says nothing"),
        ("Merge branch 'recon'", "rebase instead of merging"),
        ("Merge pull request #3 from x/y", "rebase instead of merging"),
        ("Refuse a second refund", "begin with 'area: verb ...'"),
        ("Payments: refuse a second refund", "begin with 'area: verb ...'"),
        ("payments: Refuse a second refund", "begin with 'area: verb ...'"),
        ("payments refuse a second refund", "begin with 'area: verb ...'"),
        ("payments: added a refusal", "'added' is not the imperative"),
        ("payments: adding a refusal", "'adding' is not the imperative"),
        ("payments: refuses a second refund", "'refuses' is not the imperative"),
        ("payments: fixes", "'fixes' is not the imperative"),
        ("payments: refuse a second refund.", "full stop"),
        ("payments: refuse " + "x" * 110, "characters, 110 at most"),
        ("payments: refuse a refund\nbecause of this", "second line blank"),
        ("payments: refuse a refund\n\n" + "word " * 40, "wrap the body"),
    ],
)
def test_each_fault_is_named(message: str, says: str) -> None:
    assert [fault for fault in commits.faults(message) if says in fault], commits.faults(message)


def test_merges_and_bad_messages_since_a_commit_are_found(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "whatever came before")
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", GOOD)
    assert list(commits.faults_since(first, tmp_path)) == []
    git("checkout", "-q", "-b", "side")
    git("commit", "-q", "--allow-empty", "-m", "wip")
    git("checkout", "-q", "main")
    git("commit", "-q", "--allow-empty", "-m", "docs: say it")
    git("merge", "-q", "--no-ff", "-m", "docs: take both", "side")
    assert "it is a merge" not in " | ".join(commits.faults_since(first, tmp_path)), "at the top it is a trial"
    git("commit", "-q", "--allow-empty", "-m", "docs: go on after it")

    found = " | ".join(commits.faults_since(first, tmp_path))
    assert "'docs: take both': it is a merge" in found
    assert "'wip': 'wip' says nothing" in found
    assert "whatever" not in found
    assert list(commits.faults_since("0" * 40, tmp_path)) == []


def test_the_hook_refuses_a_file(tmp_path: Path) -> None:
    def run(text: str) -> int:
        (tmp_path / "MESSAGE").write_text(text)
        command = [sys.executable, "-m", "tools.checks.commits", str(tmp_path / "MESSAGE")]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode

    assert run(GOOD) == 0
    assert run("wip") == 1


def test_every_hook_runs_what_make_check_runs() -> None:
    configured = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    entries = re.findall(r"entry: \.venv/bin/(.+)", configured)
    check = (ROOT / "Makefile").read_text("utf-8").split("\ncheck:", 1)[1].split("\n\n", 1)[0]
    called = check.replace("$(RUN)", "python -m").replace("$(BIN)/", "")
    commands = {line.strip().removeprefix("@") for line in called.splitlines()[1:]}

    assert set(re.findall(r"repo: (\S+)", configured)) == {"local"}
    assert [entry for entry in entries if entry not in commands] == []
    assert {"python -m tools.checks.commits", "ruff check", "ruff format --check", "mypy"} <= set(entries)
