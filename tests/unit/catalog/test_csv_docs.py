from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from chalicelib.catalog import csvcolumns, encodings
from chalicelib.catalog.csvreasons import NOTES, REASONS
from chalicelib.catalog.schemas import Encoding

PAGE = (Path(__file__).parents[3] / "docs" / "csv.md").read_text(encoding="utf-8")


def test_the_page_lists_every_column_with_its_other_names() -> None:
    table = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    told = {cells[1].strip(" `"): {name.casefold() for name in re.findall("`([^`]+)`", cells[2])} for cells in table}
    meant: dict[str, set[str]] = {column: set() for column in csvcolumns.KNOWN}
    for alias, column in csvcolumns.ALIASES.items():
        meant[column].add(alias.casefold())
    assert list(told) == list(csvcolumns.KNOWN)
    assert {column: names - {column.casefold()} for column, names in told.items()} == meant


def test_every_code_has_words_in_both_languages() -> None:
    for code, (en, zh) in {**REASONS, **NOTES}.items():
        assert en.endswith("."), code
        assert zh.endswith("。"), code
    assert not set(REASONS) & set(NOTES)


def test_the_encodings_of_the_api_are_those_that_are_read() -> None:
    assert get_args(Encoding) == tuple(encodings.CODECS)
    for name, codec in encodings.CODECS.items():
        assert encodings.codec_of(name.upper()) == codec
        for sign in '",\r\n':
            assert sign.encode(codec) == sign.encode()
