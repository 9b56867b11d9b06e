"""What mutants are made of: each small change of a rule is made once, alone, and does what it says."""

from __future__ import annotations

import gc
from pathlib import Path
from types import FunctionType

import pytest

from tools.checks.mutants.known import known
from tools.checks.mutants.mutations import Mutant, mutants
from tools.checks.mutants.runner import functions_by_key, key_of
from tools.checks.pure import pure_files
from tools.checks.version import ROOT

SOURCE = '''
LIMIT = 3

def within(amount: int | None, most: int = 10) -> bool:
    """A docstring with 1 < 2 in it."""
    if amount is None:
        raise ValueError("no amount")
    return 0 <= amount and amount < most

class Sum:
    """One."""

    @property
    def doubled(self) -> int:
        def inner(number: int) -> int:
            return number + number
        return min(inner(2), 100) if not False else 0
'''


@pytest.fixture
def made(tmp_path: Path) -> list[Mutant]:
    (tmp_path / "rules.py").write_text(SOURCE)
    return list(mutants(tmp_path, Path("rules.py")))


def test_every_place_is_changed_once_and_nothing_that_only_people_read(made: list[Mutant]) -> None:
    assert sorted(f"{found.function} {found.change}" for found in made) == sorted(
        [
            "within `amount is None` to `amount is not None`",
            "within `raise ValueError('no amount')` to `pass`",
            "within `0 <= amount and amount < most` to `0 <= amount or amount < most`",
            "within `0 <= amount` to `0 < amount`",
            "within `0` to `1`",
            "within `amount < most` to `amount <= most`",
            "Sum.doubled `number + number` to `number - number`",
            "Sum.doubled `min(inner(2), 100) if not False else 0` to `0 if not False else min(inner(2), 100)`",
            "Sum.doubled `not False` to `not not False`",
            "Sum.doubled `False` to `True`",
            "Sum.doubled `min(inner(2), 100)` to `max(inner(2), 100)`",
            "Sum.doubled `2` to `3`",
            "Sum.doubled `100` to `101`",
            "Sum.doubled `0` to `1`",
        ]
    )


def test_a_change_stands_alone_and_works_in_the_function_that_everybody_holds(made: list[Mutant]) -> None:
    room: dict[str, FunctionType] = {}
    exec(SOURCE, room)
    within = room["within"]
    asked = [(0, 10), (9, 10), (10, 10), (-1, 10)]
    told = {}
    for mutant in made:
        if mutant.function == "within":
            within.__code__ = mutant.code
            told[mutant.change] = [_said(within, *pair) for pair in asked]

    assert told["`0 <= amount` to `0 < amount`"] == [False, True, False, False]
    assert told["`amount < most` to `amount <= most`"] == [True, True, True, False]
    assert told["`raise ValueError('no amount')` to `pass`"] == [True, True, False, False]
    assert told["`amount is None` to `amount is not None`"] == ["ValueError"] * 4


def _said(within: FunctionType, amount: int, most: int) -> object:
    try:
        return within(amount, most)
    except ValueError:
        return "ValueError"


def test_known_survivors_have_reasons_and_name_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text('[[known]]\nwhat = "a.py f: x"\nwhy = " "\n')
    with pytest.raises(ValueError, match="say why"):
        known(tmp_path / "known.toml")
    assert [name for name in known() if not (ROOT / name.split(" ", 1)[0]).is_file()] == []


def test_the_rules_of_money_are_among_the_files() -> None:
    names = {path.as_posix() for path in pure_files()}
    assert {"chalicelib/kernel/money.py", "chalicelib/ledger/domain.py", "chalicelib/orders/domain.py"} <= names


def test_functions_that_a_test_froze_are_found_all_the_same() -> None:
    gc.freeze()
    assert pure_files in functions_by_key()[key_of(pure_files.__code__)]
