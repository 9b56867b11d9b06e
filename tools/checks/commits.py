"""Reads commit messages: ``python -m tools.checks.commits FILE`` (a hook) or, without one, every commit since the rule.

``area: what it does, in the imperative``, a blank line, why. A history is read by people who look for the reason of a
line: "wip", a merge or "fixes" tells them nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SINCE = "c9071ee"
"""The rule holds for what came after this commit."""
LONGEST_SUBJECT, LONGEST_LINE = 110, 160

_SUBJECT = re.compile(r"(?P<areas>[a-z][a-z0-9_-]*(, [a-z][a-z0-9_-]*)*): (?P<first>[a-z]+)\b.*")
_EMPTY = re.compile(r"\b(wip|fixup|squash|tmp|temp|misc|stuff)\b", re.IGNORECASE)
_MERGE = re.compile(r"merge (branch|remote|pull|commit|tag)", re.IGNORECASE)
_NOT_IMPERATIVE = re.compile(r"\w+(ed|ing|[^su]s)")
_IMPERATIVE = frozenset(
    {"bring", "feed", "embed", "exceed", "need", "proceed", "seed", "shed", "sing", "speed", "spring"}
)
"""Verbs that only look like "added", "adding" or "adds"."""


def faults(message: str) -> list[str]:
    """Return what is wrong with a message; lines that begin with ``#`` are git's."""
    lines = [line.rstrip() for line in message.splitlines() if not line.startswith("#")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return ["it is empty"]
    return [*_subject_faults(lines[0]), *_body_faults(lines[1:])]


def _subject_faults(subject: str) -> Iterator[str]:
    if _MERGE.match(subject):
        yield "rebase instead of merging"
        return
    if _EMPTY.search(subject):
        yield f"{_EMPTY.search(subject)[0]!r} says nothing to who reads the history"  # type: ignore[index]
    shape = _SUBJECT.fullmatch(subject)
    if shape is None:
        yield "begin with 'area: verb ...' in small letters, for example 'payments: refuse a second refund'"
    elif _NOT_IMPERATIVE.fullmatch(shape["first"]) and shape["first"] not in _IMPERATIVE:
        yield f"{shape['first']!r} is not the imperative: say what the commit does, as an order"
    if len(subject) > LONGEST_SUBJECT:
        yield f"the subject has {len(subject)} characters, {LONGEST_SUBJECT} at most"
    if subject.endswith("."):
        yield "the subject ends with a full stop"


def _body_faults(rest: list[str]) -> Iterator[str]:
    if rest and rest[0]:
        yield "leave the second line blank"
    if [line for line in rest if len(line) > LONGEST_LINE and " " in line.strip()]:
        yield f"wrap the body: {LONGEST_LINE} characters at most"


def faults_since(revision: str, folder: Path) -> Iterator[str]:
    """Return the faults of every commit after a revision; nothing where the clone does not reach back to it.

    A merge at the very top is how a machine tries what is to be landed, and no part of the history.
    """
    known = subprocess.run(
        ["git", "cat-file", "-e", f"{revision}^{{commit}}"], cwd=folder, check=False, capture_output=True
    )
    if known.returncode != 0:
        return
    command = ["git", "log", "-z", "--format=%h%n%p%n%B", f"{revision}..HEAD"]
    listed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    for number, entry in enumerate(filter(None, listed.split("\0"))):
        name, parents, message = entry.split("\n", 2)
        if number == 0 and " " in parents:
            continue
        found = ["it is a merge: rebase"] if " " in parents else faults(message)
        yield from (f"{name} {message.splitlines()[0]!r}: {fault}" for fault in found)


def main() -> int:
    """Look at one message, or at every new commit."""
    named = sys.argv[1:]
    found = faults(Path(named[0]).read_text("utf-8")) if named else [*faults_since(SINCE, Path.cwd())]
    for fault in found:
        print(f"commit message: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
