"""Words of a title, for the search index. Pure.

Latin words and numbers count whole, in lower case and without accents. Chinese, Japanese and Korean are written without
spaces: a run of them counts as its single characters and its pairs, so that ``连衣裙`` is found by ``裙``, ``连衣`` and
``连衣裙`` (both its pairs), and a longer phrase is confirmed in the title itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

TOKENS_OF_A_PRODUCT: Final = 400
"""Each is a row of the index. Two hundred different Chinese characters make so many; whoever wants more is told."""
TOKENS_OF_A_QUERY: Final = 6
"""More words narrow the answer in the titles, not in the index."""
_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0002fa1f"
_PIECE: Final = re.compile(f"[{_CJK}]+|[^\\W_{_CJK}]+")
_IS_CJK: Final = re.compile(f"[{_CJK}]")


def normal(text: str) -> str:
    """Return the text as it is compared: full-width forms and accents folded, lower case."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", "".join(c for c in folded if not 0x300 <= ord(c) < 0x370))


def pieces(text: str) -> list[str]:
    """Return the runs of CJK characters and the Latin words and numbers, in order."""
    return _PIECE.findall(normal(text))


def is_cjk(piece: str) -> bool:
    """Say whether a piece is a run of CJK characters."""
    return bool(_IS_CJK.match(piece))


def tokens(titles: Iterable[str]) -> tuple[str, ...]:
    """Return under which words a product with these titles is found: every one of them.

    Nothing is left out silently; that there are too many is refused where a title is set.
    """
    found: dict[str, None] = {}
    for title in titles:
        for piece in pieces(title):
            if not is_cjk(piece):
                found[piece[:40]] = None
                continue
            for at in range(len(piece)):
                if at + 1 < len(piece):
                    found[piece[at : at + 2]] = None
                found[piece[at]] = None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody searches for: the index's words to intersect, and the pieces a title must show."""

    tokens: tuple[str, ...]
    pieces: tuple[str, ...]

    def matches(self, titles: Iterable[str]) -> bool:
        """Say whether the titles really show every piece (in any language of theirs)."""
        runs: list[str] = []
        for title in titles:
            runs += pieces(title)
        words = {run[:40] for run in runs if not is_cjk(run)}
        return all(
            any(piece in run for run in runs if is_cjk(run)) if is_cjk(piece) else piece[:40] in words
            for piece in self.pieces
        )


def question(text: str) -> Question:
    """Read a query. It has no tokens if it has neither words nor numbers."""
    found = tuple(dict.fromkeys(pieces(text)))
    wanted: dict[str, None] = {}
    for piece in found:
        if not is_cjk(piece):
            wanted[piece[:40]] = None
        elif len(piece) == 1:
            wanted[piece] = None
        else:
            wanted.update(dict.fromkeys(piece[at : at + 2] for at in range(len(piece) - 1)))
    return Question(tokens=tuple(wanted)[:TOKENS_OF_A_QUERY], pieces=found)
