"""DynamoDB's condition and update expressions, compiled once each to functions over items.

Covers what the product writes: comparisons, BETWEEN, IN, AND / OR / NOT, the functions attribute_exists,
attribute_not_exists, begins_with, contains, size; SET with + and - and if_not_exists, REMOVE, ADD to numbers and to
sets of strings, DELETE from these. Anything else is a ``ValidationException``, so that nothing is silently taken for
true. Source: DynamoDB Developer Guide, "Expressions".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

Item = dict[str, Any]
Typed = dict[str, Any]
Names = dict[str, str]
Values = dict[str, Typed]
Operand = Callable[[Item, Names, Values], Typed | None]
Test = Callable[[Item, Names, Values], bool]
Change = Callable[[Item, Item, Names, Values], None]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[(),=<>+\-\[\].]|[#:]?[A-Za-z0-9_]+)")
_FUNCTIONS = {"attribute_exists", "attribute_not_exists", "begins_with", "contains", "attribute_type"}


class Unsupported(Exception):
    """The expression is not valid, or not one that the product writes."""


def number(text: str) -> int | Decimal:
    """Return the number of an ``N`` value."""
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


def comparable(value: Typed) -> tuple[str, Any]:
    """Return (type, value) for comparing: DynamoDB compares only within a type."""
    kind, raw = next(iter(value.items()))
    return kind, number(raw) if kind == "N" else raw


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise Unsupported(text)
            self.tokens.append(match.group(1))
            position = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        if not token or (expected and token.upper() not in expected):
            raise Unsupported(f"{' '.join(self.tokens)!r} at {token!r}")
        self.at += 1
        return token

    def path(self) -> list[str]:
        parts = [self.take()]
        while self.peek() == ".":
            self.take()
            parts.append(self.take())
        return parts

    # Conditions: or -> and -> not -> primary.

    def condition(self) -> Test:
        test = self.conjunction()
        while self.peek().upper() == "OR":
            self.take()
            test = _either(test, self.conjunction())
        return test

    def conjunction(self) -> Test:
        test = self.negation()
        while self.peek().upper() == "AND":
            self.take()
            test = _both(test, self.negation())
        return test

    def negation(self) -> Test:
        if self.peek().upper() == "NOT":
            self.take()
            inner = self.negation()
            return lambda item, names, values: not inner(item, names, values)
        return self.primary()

    def primary(self) -> Test:
        if self.peek() == "(":
            self.take()
            test = self.condition()
            self.take(")")
            return test
        if self.peek() in _FUNCTIONS:
            return self.function()
        left = self.operand()
        operator = self.take().upper()
        if operator == "BETWEEN":
            low = self.operand()
            self.take("AND")
            return _both(_compare(">=", left, low), _compare("<=", left, self.operand()))
        if operator == "IN":
            self.take("(")
            options = [self.operand()]
            while self.peek() == ",":
                self.take()
                options.append(self.operand())
            self.take(")")
            tests = [_compare("=", left, option) for option in options]
            return lambda item, names, values: any(test(item, names, values) for test in tests)
        return _compare(operator, left, self.operand())

    def function(self) -> Test:
        name = self.take()
        self.take("(")
        path = _read(self.path())
        second = None
        if self.peek() == ",":
            self.take()
            second = self.operand()
        self.take(")")
        return _function(name, path, second)

    def operand(self) -> Operand:
        if self.peek() == "size":
            self.take()
            self.take("(")
            path = _read(self.path())
            self.take(")")
            return _size(path)
        if self.peek().startswith(":"):
            placeholder = self.take()
            return lambda item, names, values: values[placeholder]
        return _read(self.path())

    # Updates.

    def update(self) -> list[Change]:
        changes: list[Change] = []
        while self.peek():
            clause = self.take("SET", "REMOVE", "ADD", "DELETE").upper()
            one = {"SET": self.set_, "REMOVE": self.remove, "ADD": self.add, "DELETE": self.delete}[clause]
            changes.append(one())
            while self.peek() == ",":
                self.take()
                changes.append(one())
        return changes

    def set_(self) -> Change:
        path = self.path()
        self.take("=")
        value = self.set_operand()
        while self.peek() in ("+", "-"):
            value = _sum(value, self.take(), self.set_operand())
        return lambda old, new, names, values: _write(new, path, names, _present(value(old, names, values)))

    def set_operand(self) -> Operand:
        if self.peek() == "if_not_exists":
            self.take()
            self.take("(")
            path = _read(self.path())
            self.take(",")
            default = self.operand()
            self.take(")")
            return lambda item, names, values: (
                found if (found := path(item, names, values)) is not None else default(item, names, values)
            )
        return self.operand()

    def remove(self) -> Change:
        path = self.path()
        return lambda old, new, names, values: _write(new, path, names, None)

    def add(self) -> Change:
        path = self.path()
        operand = self.operand()
        read = _read(path)

        def change(old: Item, new: Item, names: Names, values: Values) -> None:
            before = read(old, names, values)
            added = _present(operand(old, names, values))
            if "SS" in added and (before is None or "SS" in before):
                _write(new, path, names, {"SS": sorted({*(before or {"SS": []})["SS"], *added["SS"]})})
                return
            if "N" not in added or (before is not None and "N" not in before):
                raise Unsupported("ADD takes numbers and sets of strings here")
            _write(new, path, names, {"N": str(number(before["N"] if before else "0") + number(added["N"]))})

        return change

    def delete(self) -> Change:
        path = self.path()
        operand = self.operand()
        read = _read(path)

        def change(old: Item, new: Item, names: Names, values: Values) -> None:
            before, gone = read(old, names, values), _present(operand(old, names, values))
            if "SS" not in gone or (before is not None and "SS" not in before):
                raise Unsupported("DELETE takes sets of strings here")
            left = sorted({*(before or {"SS": []})["SS"]} - {*gone["SS"]})
            _write(new, path, names, {"SS": left} if left else None)

        return change


def _both(one: Test, other: Test) -> Test:
    return lambda item, names, values: one(item, names, values) and other(item, names, values)


def _either(one: Test, other: Test) -> Test:
    return lambda item, names, values: one(item, names, values) or other(item, names, values)


def _resolve(part: str, names: Names) -> str:
    if not part.startswith("#"):
        return part
    try:
        return names[part]
    except KeyError:
        raise Unsupported(f"name {part} is not given") from None


def _read(path: list[str]) -> Operand:
    if len(path) == 1:
        only = path[0]
        return lambda item, names, values: item.get(_resolve(only, names))

    def read(item: Item, names: Names, values: Values) -> Typed | None:
        found: Typed | None = {"M": item}
        for part in path:
            if found is None or "M" not in found:
                return None
            found = found["M"].get(_resolve(part, names))
        return found

    return read


def _write(item: Item, path: list[str], names: Names, value: Typed | None) -> None:
    inside = item
    for part in path[:-1]:
        name = _resolve(part, names)
        held = inside.get(name)
        if held is None or "M" not in held:
            if value is None:
                return  # The engine takes away nothing from nothing.
            raise Unsupported("The document path provided in the update expression is invalid for update")
        copied = dict(held["M"])
        inside[name] = {"M": copied}
        inside = copied
    name = _resolve(path[-1], names)
    if value is None:
        inside.pop(name, None)
    else:
        inside[name] = value


def _present(value: Typed | None) -> Typed:
    if value is None:
        raise Unsupported("The provided expression refers to an attribute that does not exist in the item")
    return value


def _sum(one: Operand, sign: str, other: Operand) -> Operand:
    def value(item: Item, names: Names, values: Values) -> Typed:
        left, right = _present(one(item, names, values)), _present(other(item, names, values))
        if "N" not in left or "N" not in right:
            raise Unsupported("An operand in the update expression has an incorrect data type")
        a, b = number(left["N"]), number(right["N"])
        return {"N": str(a + b if sign == "+" else a - b)}

    return value


def _size(path: Operand) -> Operand:
    def value(item: Item, names: Names, values: Values) -> Typed | None:
        found = path(item, names, values)
        if found is None:
            return None
        raw = next(iter(found.values()))
        return {"N": str(len(raw.encode()) if isinstance(raw, str) else len(raw))}

    return value


def _compare(operator: str, left: Operand, right: Operand) -> Test:
    if operator not in ("=", "<>", "<", "<=", ">", ">="):
        raise Unsupported(operator)

    def test(item: Item, names: Names, values: Values) -> bool:
        a, b = left(item, names, values), right(item, names, values)
        if a is None or b is None:
            return operator == "<>" and (a is None) != (b is None)
        (a_kind, a_value), (b_kind, b_value) = comparable(a), comparable(b)
        if operator in ("=", "<>"):
            return (a_kind == b_kind and a_value == b_value) == (operator == "=")
        if a_kind != b_kind:
            return False
        if operator in ("<", "<="):
            return bool(a_value < b_value or (operator == "<=" and a_value == b_value))
        return bool(a_value > b_value or (operator == ">=" and a_value == b_value))

    return test


def _function(name: str, path: Operand, second: Operand | None) -> Test:
    if name == "attribute_exists":
        return lambda item, names, values: path(item, names, values) is not None
    if name == "attribute_not_exists":
        return lambda item, names, values: path(item, names, values) is None
    if second is None:
        raise Unsupported(name)

    def test(item: Item, names: Names, values: Values) -> bool:
        found, wanted = path(item, names, values), second(item, names, values)
        if found is None or wanted is None:
            return False
        kind, raw = next(iter(found.items()))
        wanted_raw = next(iter(wanted.values()))
        if name == "attribute_type":
            return bool(kind == wanted_raw)
        if name == "begins_with":
            return isinstance(raw, str) and raw.startswith(wanted_raw)
        return wanted_raw in raw if kind in ("S", "SS", "NS") else wanted in raw

    return test


@lru_cache(maxsize=2000)
def condition(text: str) -> Test:
    """Compile a condition, filter or key condition expression.

    Raises:
        Unsupported: if it is not one the product writes.
    """
    parser = _Parser(text)
    test = parser.condition()
    if parser.peek():
        raise Unsupported(text)
    return test


@lru_cache(maxsize=2000)
def update(text: str) -> Callable[[Item, Names, Values], Item]:
    """Compile an update expression to a function from the old item to the new one (the old one stays as it is).

    Raises:
        Unsupported: if it is not one the product writes.
    """
    changes = _Parser(text).update()

    def apply(old: Item, names: Names, values: Values) -> Item:
        new = dict(old)
        for change in changes:
            change(old, new, names, values)
        return new

    return apply
