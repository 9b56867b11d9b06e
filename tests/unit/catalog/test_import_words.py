"""Why an import ended early, for people: every code that it may end with, in both languages, without blanks to fill."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from chalicelib.catalog.csvreasons import FAILURES, NOTES, REASONS, failure_texts


@pytest.mark.parametrize("code", sorted({*REASONS, *FAILURES, "of_tomorrow"}))
def test_what_an_import_fails_with_is_said_without_blanks(code: str) -> None:
    for text in failure_texts(code):
        assert not [name for _, name, _, _ in Formatter().parse(text) if name is not None], text
        assert code not in text
    en, zh = failure_texts(code)
    assert en.isascii()
    assert re.search(r"[\u4e00-\u9fff]", zh)


def test_every_reason_and_note_has_both_texts_and_no_word_for_machines() -> None:
    for table in (REASONS, NOTES, FAILURES):
        for code, (en, zh) in table.items():
            assert en.isascii(), code
            assert re.search(r"[\u4e00-\u9fff]", zh), code
            assert not re.search(r"[a-z]+_[a-z]+", en), code
