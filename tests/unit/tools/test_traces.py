"""Every form that gives a value away is looked for, wherever it begins."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.operate.traces import Haystack, Needle, forms

PHONE, NAME, EMAIL = "+8613957180001", "欧阳若曦", "Ruoxi.Test@example.com"


def found(value: str, text: str) -> list[str]:
    haystack = Haystack()
    for form, written in forms(value).items():
        haystack.add(written, Needle("acc_1", "value", form))
    return [needle.form for needle in haystack.find(text)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (PHONE, "call 139 5718 0001 now"),
        (PHONE, "139-5718-0001"),
        (PHONE, "8613957180001"),
        (PHONE, "tel:%2B8613957180001"),
        (EMAIL, "RUOXI.TEST@EXAMPLE.COM"),
        (EMAIL, "q=ruoxi.test%40example.com&x"),
        (NAME, json.dumps({"name": NAME})),
        (NAME, f"?n={quote(NAME).lower()}"),
        (NAME, NAME.encode().hex()),
        (EMAIL, hashlib.sha256(EMAIL.lower().encode()).hexdigest()),
        (EMAIL, base64.b64encode(hashlib.md5(EMAIL.encode(), usedforsecurity=False).digest()).decode()),
        ("A&B <co>", "A&amp;B &lt;co&gt;"),
    ],
)
def test_a_value_is_found_in_whatever_form(value: str, text: str) -> None:
    assert found(value, text)


@given(st.binary(max_size=20), st.binary(max_size=20), st.sampled_from([PHONE, NAME, EMAIL]))
def test_a_value_is_found_in_base_64_wherever_it_begins(before: bytes, after: bytes, value: str) -> None:
    packed = before + value.encode() + after
    assert found(value, base64.b64encode(packed).decode())
    assert found(value, base64.urlsafe_b64encode(packed).decode())


@pytest.mark.parametrize("text", ["", "13957180002", "ruoxi@example.com", "欧阳若", "+86139", "若曦欧阳"])
def test_another_value_is_not_found(text: str) -> None:
    assert [form for value in (PHONE, NAME, EMAIL) for form in found(value, text)] == []


def test_what_is_too_short_to_prove_anything_is_not_looked_for() -> None:
    assert all(len(written.encode()) >= 4 for written in forms("ab").values())
    assert "plain" in forms("王梅")
