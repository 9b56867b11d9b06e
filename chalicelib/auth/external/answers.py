"""What QQ and WeChat answer, in every shape they use: JSON, JSONP or a form, errors among them with HTTP 200. Pure."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from chalicelib.auth.external.domain import Unreadable

CAP_BYTES = 64 * 1024
"""No such answer is longer than a few hundred bytes."""
_JSONP = re.compile(r"callback\s*\(\s*(\{.*\})\s*\)\s*;?", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,10}")
_NAME = re.compile(r"[0-9A-Za-z_\-]{1,128}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,512}")


def parse(body: bytes) -> dict[str, Any]:
    """Return the members of an answer, whatever its shape.

    Raises:
        Unreadable: if it is none of them, or too long.
    """
    if len(body) > CAP_BYTES:
        raise Unreadable(why="too long")
    try:
        text = body.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Unreadable(why="not UTF-8") from None
    if text.startswith("{"):
        return _object(text)
    wrapped = _JSONP.fullmatch(text)
    return _object(wrapped[1]) if wrapped is not None else _form(text)


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the members of an answer that is JSON and nothing else.

    Raises:
        Unreadable: if it is not, or too long.
    """
    if not body.lstrip()[:1] == b"{":
        raise Unreadable(why="not JSON")
    return parse(body)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unreadable(why="not JSON") from None
    if not isinstance(found, dict):
        raise Unreadable(why="not an object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(word: str) -> None:
    raise ValueError(word)


def _form(text: str) -> dict[str, Any]:
    if not text:
        raise Unreadable(why="empty")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        return _once(pairs)
    except ValueError:
        raise Unreadable(why="neither JSON nor a form") from None


def number(found: dict[str, Any], name: str) -> int:
    """Return an error's number, 0 where there is none: some write it as text.

    Raises:
        Unreadable: if it is no number.
    """
    value = found.get(name, 0)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    if type(value) is not int:
        raise Unreadable(why=f"{name} is no number")
    return value


def name(found: dict[str, Any], key: str) -> str:
    """Return an openid, a unionid or an app's id; empty where it is not there.

    Raises:
        Unreadable: if it cannot be one.
    """
    value = found.get(key) or ""
    if value and not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise Unreadable(why=f"{key} is no name")
    return str(value)


def token(found: dict[str, Any]) -> str:
    """Return the access token.

    Raises:
        Unreadable: if there is none.
    """
    value = found.get("access_token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise Unreadable(why="no access token")
    return value
