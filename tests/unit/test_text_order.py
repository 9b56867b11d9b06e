"""Every pair of texts that ships is in English and then in Chinese, wherever it stands; none is swapped."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import chalicelib
from chalicelib.kernel.texts import said
from tests.support import sources

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("sources")]

ROOT = Path(chalicelib.__file__).parent.parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")
FOREIGN = {"cells.get", "Stage", "PaymentOrder"}
"""Calls that read others' columns or hold one text among words for machines: no pair of ours stands in them."""


def pairs(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str, str]]:
    """Yield neighbours of which one is Chinese and the other is not: in tuples, and among a call's arguments."""
    for node in nodes:
        if isinstance(node, ast.Tuple):
            texts = node.elts
        elif isinstance(node, ast.Call) and sources.dotted(node.func) not in FOREIGN:
            texts = node.args
        else:
            continue
        for first, second in itertools.pairwise(texts):
            one, two = _text(first), _text(second)
            if one and two and bool(CHINESE.search(one)) is not bool(CHINESE.search(two)):
                yield node.lineno, one, two


def _text(node: ast.expr) -> str:
    """Return a literal's text, with the literal parts of an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return ""


def _chosen(nodes: Iterable[ast.AST]) -> Iterator[int]:
    """Yield where a language is chosen by hand between two literals: a pair of its own kind and its own order."""
    for node in nodes:
        if isinstance(node, ast.IfExp):
            one, two = _text(node.body), _text(node.orelse)
            if one and two and bool(CHINESE.search(one)) is not bool(CHINESE.search(two)):
                yield node.lineno


FILES = sorted(path for area in ("chalicelib", "tools", "infra") for path in (ROOT / area).rglob("*.py"))


def test_every_pair_is_in_english_and_then_in_chinese() -> None:
    found, swapped = 0, []
    for path in FILES:
        for line, first, second in pairs(sources.nodes(path)):
            found += 1
            if CHINESE.search(first):
                swapped.append(f"{path.relative_to(ROOT)}:{line}: {first!r}, {second!r}")
    assert swapped == []
    assert found > 500


def test_no_language_is_chosen_between_two_literals_beside_the_pairs() -> None:
    chosen = [f"{path.relative_to(ROOT)}:{line}" for path in FILES for line in _chosen(sources.nodes(path))]
    assert chosen == []


@pytest.mark.parametrize(
    ("source", "is_swapped"),
    [
        ('X = ("Delivered", "已签收")', False),
        ('X = ("已签收", "Delivered")', True),
        ('X = {1: ("已签收", "Delivered")}', True),
        ('X = Carrier("sf", "顺丰", "SF Express")', True),
        ('X = f"{a} 天", f"{a} days"', True),
        ('en, zh = "无", "None."', True),
    ],
)
def test_a_swapped_pair_is_found(source: str, is_swapped: bool) -> None:
    assert any(CHINESE.search(first) for _, first, _ in pairs(ast.walk(ast.parse(source)))) is is_swapped


def test_who_reads_any_chinese_reads_the_second_text() -> None:
    assert [said(("Paid.", "已支付。"), language) for language in ("en", "zh", "zh-CN", "en-GB")] == [
        "Paid.",
        "已支付。",
        "已支付。",
        "Paid.",
    ]
