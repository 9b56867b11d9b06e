"""Addresses that are shown to others, wherever they come in."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from chalicelib.catalog.schemas import ChangeProduct
from chalicelib.kernel import links
from chalicelib.merchants.schemas import ChangeProfile
from chalicelib.payments.attempts.schemas import StartPayment
from chalicelib.runtime.schema import PictureAddress, WebAddress

GOOD = [
    "https://cdn.example/a.png",
    "http://cdn.example:8080/a.png?v=1&w=2#top",
    "HTTPS://CDN.example",
    "https://图片.example/一.jpg",
    "https://[2001:db8::1]/a.png",
]
BAD = [
    'https://x.example/"onerror="alert(1)',
    "https://x.example/'onerror='alert(1)",
    "https://x.example/<script>",
    "https://x.example/`",
    "https://x.example/a b",
    "https://x.example/a\\b",
    "https:\\\\x.example",
    "https://x.example@evil.example/",
    "https://user:pass@evil.example/",
    "https:///x.example",
    "https://",
    "https://.x",
    "https://:80",
    "https://?x",
    "javascript:alert(1)",
    "JavaScript:alert(1)//https://x.example",
    "data:text/html,x",
    "ftp://x.example/a",
    "https://x.example/\u202egnp.exe",
    "https://x.exa\u200bmple/",
    "https://x.example/a\u0000",
    "https://x.example/\u0085a",
    "https://x.example/\u3164a",
    "https://x.example\u2800/",
    "https://x.example/\u180bb",
    "https://x.example/\ufffbb",
    "/\\evil.example",
    "\\\\evil.example",
    "///evil.example",
    "cdn.example/a.png",
    "",
]
PATHS = ["/", "/pictures/1.jpg", "/a?b=c"]


def takes(kind: Any, value: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("value", GOOD)
def test_good_addresses_are_taken(value: str) -> None:
    assert takes(WebAddress, value)
    assert takes(PictureAddress, value)
    assert re.fullmatch(links.ADDRESS, value)


@pytest.mark.parametrize("value", BAD)
def test_bad_addresses_are_refused_by_every_field(value: str) -> None:
    assert not takes(WebAddress, value)
    assert not takes(PictureAddress, value)
    assert not re.fullmatch(links.ADDRESS_OR_PATH, value)
    for model, body in (
        (ChangeProfile, {"logo": value}),
        (ChangeProduct, {"pictures": [value]}),
        (StartPayment, {"provider": "sandbox", "return_url": value}),
    ):
        with pytest.raises(ValidationError):
            model.model_validate(body)


@pytest.mark.parametrize("value", PATHS)
def test_a_path_is_a_picture_of_the_storefronts_own(value: str) -> None:
    assert takes(PictureAddress, value)
    assert not takes(WebAddress, value)


def test_a_picture_names_its_scheme() -> None:
    """A file of somebody else's shop may leave it out, which the import mends; who calls the API says what he means."""
    with pytest.raises(ValidationError):
        ChangeProduct.model_validate({"pictures": ["//cdn.example/a.png"]})


def test_every_address_of_the_api_is_one_of_these() -> None:
    """A field that takes an address of its own kind would be none of these patterns."""
    from tools.generate.openapi import document

    known = {links.ADDRESS, links.ADDRESS_OR_PATH}
    patterns = set(re.findall(r'"pattern":\s*"((?:[^"\\]|\\.)*)"', json.dumps(document())))
    of_addresses = {one for one in patterns if "http" in one.lower() or "[hH]" in one}

    assert {json.loads(f'"{one}"') for one in of_addresses} <= known
