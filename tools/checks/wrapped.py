"""Refuses long lines in prose: ``python -m tools.checks.wrapped``; with ``--write`` it wraps their paragraphs anew.

A paragraph on one line shows every change of a word as a change of all of it. Tables, code and what is generated keep
their lines. New breaks come at 120 characters; up to 160 may stand, so that a small correction moves nothing else.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST, WRAP_AT = 160, 120
GENERATED = frozenset(
    {"docs/adr/README.md", "docs/architecture.md", "docs/errors.md", "docs/events.md", "docs/states.md"}
)
_ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)])(\s+)")
_ATOM = re.compile(r"(?:`[^`]*`|!?\[[^\]]*\]\([^)\s]*\)|\*\*[^*\s]+\*\*|\S)+")
_OPENS_SOMETHING = re.compile(r"^([-*+>|]|#{1,6}|\d+[.)]|={2,}|-{2,}|```.*)$")


def long_lines(text: str) -> Iterator[int]:
    """Return the numbers of the lines of prose that are too long and could be broken."""
    for number, line in _prose(text):
        if len(line) > LONGEST and len(_atoms(line)) > 1:
            yield number


def wrapped(text: str) -> str:
    """Return the text with every paragraph or item that holds a too long line wrapped anew; all else untouched."""
    lines = text.splitlines()
    too_long = set(long_lines(text))
    prose = {number for number, _ in _prose(text)}
    result: list[str] = []
    number = 1
    while number <= len(lines):
        end = _block_end(lines, number, prose)
        block = lines[number - 1 : end]
        result += _wrap(block) if too_long.intersection(range(number, end + 1)) else block
        number = end + 1
    return "\n".join(result) + "\n"


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Return the numbered lines that are neither table, code, heading nor blank."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        opened = re.match(r"(```+|~~~+)", bare)
        if opened and (not fence or bare.startswith(fence)):
            fence = "" if fence else opened[1]
        elif not fence and bare and not bare.startswith(("|", "#", "<!--")):
            yield number, line


def _block_end(lines: list[str], number: int, prose: set[int]) -> int:
    """Return the last line of the paragraph or list item that begins at ``number``."""
    if number not in prose:
        return number
    end = number
    while end + 1 in prose and not _ITEM.match(lines[end]) and not lines[end - 1].endswith(("  ", "\\")):
        end += 1
    return end


def _wrap(block: list[str]) -> list[str]:
    item = _ITEM.match(block[0])
    first = item[0] if item else block[0][: len(block[0]) - len(block[0].lstrip())]
    following = " " * len(first) if item else first
    words = _atoms(" ".join([block[0][len(first) :], *(line.strip() for line in block[1:])]))
    lines, line = [], first
    for word in words:
        begins = line in (first, following)
        if not begins and len(line) + 1 + len(word) > WRAP_AT and not _OPENS_SOMETHING.match(word):
            lines.append(line)
            line, begins = following, True
        line += word if begins else f" {word}"
    return [*lines, line]


def _atoms(text: str) -> list[str]:
    """Return what stays on one line: words, code and links."""
    return _ATOM.findall(text)


def pages(root: Path) -> list[Path]:
    """Return every page of prose that git knows or would add, under ``root``."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout.decode()
    names = sorted({name for name in listed.split("\0") if name and name not in GENERATED})
    return [root / name for name in names if (root / name).is_file()]


def main() -> int:
    """Look through every page, or wrap what is too long."""
    found = 0
    for page in pages(Path.cwd()):
        text = page.read_text("utf-8")
        if "--write" in sys.argv[1:]:
            if next(long_lines(text), 0):
                page.write_text(wrapped(text), "utf-8")
            continue
        for number in long_lines(text):
            found += 1
            where = f"{page.relative_to(Path.cwd())}:{number}"
            print(f"{where}: more than {LONGEST} characters (--write wraps them)", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
