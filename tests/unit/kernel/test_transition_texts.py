"""What a state machine refuses is said in words, whichever machine, state and step it is."""

from __future__ import annotations

import ast
import pkgutil
import re
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import chalicelib
from chalicelib.kernel.errors import IllegalTransition
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.transition_texts import TRANSITIONS

ROOT = Path(chalicelib.__file__).parent
CODE = re.compile(r"[a-z]+_[a-z]+")


def _machines() -> dict[str, StateMachine[Any, Any]]:
    found = {}
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, StateMachine):
                found[value.name] = value
    return found


def _causes(machine: StateMachine[Any, Any]) -> list[StrEnum]:
    """Return all that moves a machine's records, also what no state takes."""
    (kind,) = {cast("type[StrEnum]", type(cause)) for row in machine.edges.values() for cause in row}
    return list(kind)


def test_every_state_and_step_of_every_machine_has_its_texts() -> None:
    machines = _machines()
    assert len(machines) > 15
    for name, machine in machines.items():
        texts = TRANSITIONS[name]
        assert set(texts.states) == {str(state) for state in machine.edges}, name
        assert set(texts.causes) == {str(cause) for cause in _causes(machine)}, name


def test_every_step_that_a_machine_refuses_is_refused_in_a_sentence_of_each_language() -> None:
    refused = 0
    for name, machine in _machines().items():
        record, sentences, causes = TRANSITIONS[name].record, set(), _causes(machine)
        for state, row in machine.edges.items():
            for cause in set(causes) - set(row):
                try:
                    machine.next(state, cause)
                except IllegalTransition as refusal:
                    english, chinese = refusal.detail("en"), refusal.detail("zh-CN")
                    assert english.startswith(f"This {record[0]} is "), english
                    assert "; it cannot " in english, english
                    assert not CODE.search(english), english
                    assert chinese.startswith(f"该{record[1]}"), chinese
                    assert "，不能" in chinese, chinese
                    assert not re.search("[A-Za-z{}]", chinese), chinese
                    sentences.add(english)
                    refused += 1
        steps = sum(len(set(causes) - set(row)) for row in machine.edges.values())
        assert len(sentences) == steps, f"two steps of {name} read the same"
    assert refused > 300


def test_what_is_refused_without_a_machine_has_its_texts_too() -> None:
    named = 0
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "IllegalTransition":
                given = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
                if "machine" in given:
                    texts = TRANSITIONS[str(given["machine"])]
                    assert str(given.get("state", next(iter(texts.states)))) in texts.states, path
                    assert str(given.get("cause", next(iter(texts.causes)))) in texts.causes, path
                    named += 1
    assert named >= 4
