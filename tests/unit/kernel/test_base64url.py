"""Base64url: what is written is read, and nothing that is written otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.kernel import base64url


@given(st.binary(max_size=80))
def test_what_is_written_is_read(raw: bytes) -> None:
    assert base64url.decode(base64url.encode(raw)) == raw


def test_it_has_neither_padding_nor_characters_that_addresses_escape() -> None:
    assert base64url.encode(b"\xfb\xef\xff\xfe") == "--___g"  # Base64 has "++///g==".


@pytest.mark.parametrize("text", ["--___g==", "++///g", "--___h", "--___", "--_ __g", "--___g\n", "é", "A"])
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not as it was written"):
        base64url.decode(text)
