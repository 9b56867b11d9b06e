from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.catalog import csvfile
from chalicelib.kernel.spreadsheets import guard, unguard
from chalicelib.kernel.text import CONTROLS
from chalicelib.runtime.http import routes

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫\t\r\n\u2212\u207a\u208b\u207c\u208c\u2795"
UNSEEN = "\x00\x1b\x85\u2800\u115f\u3164\ufffb\U000e0041\U0001d173"
UNSEEN += "\u200b\u200c\u200d\u2060\ufeff\u00ad\u00a0\u3000\u180e\u202e\u2066\ufe0f \n"
texts = st.text(st.one_of(st.sampled_from(SIGNS + UNSEEN + "'aA1裙\"},"), st.characters()), max_size=8)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts)
def test_what_is_guarded_is_no_formula_and_comes_back_exactly(text: str) -> None:
    guarded = guard(text)

    assert unguard(guarded) == text
    seen = "".join(c for c in guarded if unicodedata.category(c) not in ("Cf", "Mn") and not c.isspace())
    assert not seen.startswith(tuple("=+-@＝＋－＠"))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(texts.map(str.strip).filter(lambda text: not CONTROLS.search(text)), min_size=1, max_size=5))
def test_a_line_that_was_written_is_read_back_cell_by_cell(cells: list[str]) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerow([*map(guard, cells), "end"])
    data = buffer.getvalue().encode("utf-8", "surrogatepass")
    if any(unicodedata.category(c) == "Cs" for cell in cells for c in cell):
        return  # No file holds half a character.
    (record,) = csvfile.records(data, line=1, final=True, encoding="utf-8")
    assert record.cells == (*cells, "end")


@pytest.mark.parametrize("prefix", ["", *UNSEEN, "\u200b\ufeff "])
@pytest.mark.parametrize("sign", SIGNS)
def test_every_sign_behind_every_prefix_is_guarded(prefix: str, sign: str) -> None:
    assert guard(f"{prefix}{sign}cmd|' /C calc'!A0").startswith("'")


def test_plain_text_is_left_alone() -> None:
    for text in ("", "茶", "19.90", "a=b", "'quoted'", "it's", "<p>- 5 %</p>", "http://x"):
        assert guard(text) == text


def test_controls_are_those_of_the_api() -> None:
    every = "".join(map(chr, range(0x100)))
    assert CONTROLS.findall(every) == routes._CONTROLS.findall(every)
