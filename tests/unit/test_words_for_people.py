"""What a person reads of a refusal: sentences in both languages, never a word for machines."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from string import Formatter

import pytest

import chalicelib
from chalicelib.kernel.errors import OTHERWISE, IllegalTransition, NotFound, ShopError
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import RefundRefused
from chalicelib.payments.ports import RefundOutcome
from tests.support import sources

pytestmark = pytest.mark.xdist_group("sources")

ROOT = Path(chalicelib.__file__).parent
CODE = re.compile(r"[a-z]+(_[a-z]+)+")
CODELIKE = {
    "why",
    "rule",
    "kind",
    "about",
    "state",
    "cause",
    "machine",
    "status",
    "reason",
    "code",
    "field",
    "what",
    "carrier",
}
CODELIKE |= {"provider"}
ECHOED = {"UnknownProvider", "UnknownCarrier"}
"""They repeat what the caller sent, which nobody knows."""


def _tree(error: type[ShopError]) -> Iterator[type[ShopError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)


def _errors() -> dict[str, type[ShopError]]:
    for found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        import_module(found.name)
    return {error.__name__: error for error in _tree(ShopError) if error.__module__.startswith("chalicelib.")}


def _raised() -> Iterator[tuple[str, type[ShopError], str, ast.expr]]:
    """Every parameter that has a table, wherever a refusal is made."""
    errors = _errors()
    for path in sorted(ROOT.rglob("*.py")):
        for node in sources.nodes(path):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                error = errors.get(name)
                for keyword in node.keywords if error else ():
                    if (
                        error is not None
                        and keyword.arg
                        and keyword.arg in error.texts_of
                        and f"{{{keyword.arg}}}" in error.en
                    ):
                        yield f"{path.name}:{node.lineno}", error, keyword.arg, keyword.value


def test_every_literal_word_that_is_raised_has_both_texts() -> None:
    found = 0
    for where, error, name, value in _raised():
        for part in ast.walk(value):
            if isinstance(value, ast.JoinedStr):
                break
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                found += 1
                assert part.value in error.texts_of[name], f"{where}: {part.value!r}"
    assert found > 50


def test_every_computed_word_of_a_refund_has_both_texts() -> None:
    table = RefundRefused.texts_of["why"]
    reported = set(RefundOutcome) - {RefundOutcome.UNKNOWN, RefundOutcome.ABSENT, RefundOutcome.SUCCEEDED}
    computed = {f"payment_{status}" for status in PaymentStatus} | {f"refund_{outcome}" for outcome in reported}
    assert computed <= set(table)
    assigned = ast.parse((ROOT / "payments" / "domain" / "reservation.py").read_text())
    (judging,) = [node for node in ast.walk(assigned) if getattr(node, "name", "") == "beyond_limits"]
    returned = [node.value for node in ast.walk(judging) if isinstance(node, ast.Return)]
    words = {str(value.value) for value in returned if isinstance(value, ast.Constant) and value.value}
    assert words == {"too_many_refunds", "window_closed"}
    assert words <= set(table)


def test_no_sentence_shows_a_word_for_machines() -> None:
    for error in _errors().values():
        for text in (error.en, error.zh):
            shown = {name for _, name, _, _ in Formatter().parse(text) if name}
            assert shown & CODELIKE <= set(error.texts_of) or error.__name__ in ECHOED, error


def test_every_table_is_in_english_and_then_in_chinese() -> None:
    for error in _errors().values():
        for table in error.texts_of.values():
            for word, (en, zh) in table.items():
                assert en.isascii(), (error, word)
                assert en, (error, word)
                assert word in ("SKU", "ems", "qq") or not zh.isascii(), (error, word)
                assert not CODE.search(en), (error, word)


@pytest.mark.parametrize(
    ("error", "en", "zh"),
    [
        (
            RefundRefused(why="too_many_refunds", left=0),
            "The refund is refused: so many were made that the next is not taken.",
            "无法退款：退款次数已达上限。",
        ),
        (RefundRefused(why="from_tomorrow", left=0), f"The refund is refused: {OTHERWISE[0]}.", "无法退款：其他原因。"),
        (NotFound(what="order line"), "There is no such order line.", "订单行不存在。"),
        (
            IllegalTransition(machine="order", state="shipped", cause="cancel"),
            "This order is shipped; it cannot be cancelled.",
            "该订单已发货，不能取消。",
        ),
        (
            IllegalTransition(machine="door", state="shut", cause="knock"),
            "Its present state does not allow this step.",
            "当前状态不允许此步骤。",
        ),
    ],
)
def test_the_sentence_is_for_people_and_the_members_for_machines(error: ShopError, en: str, zh: str) -> None:
    assert (error.detail("en"), error.detail("zh-CN")) == (en, zh)
    assert error.members() == {name: error.params[name] for name in error.shown}
    assert all(str(error.params[name]) in str(error) for name in error.texts_of)
