"""The small steps: what of a function may be changed, one place at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Mutant:
    """One function, changed in one place."""

    path: Path
    function: str
    line: int
    change: str
    code: CodeType

    @property
    def name(self) -> str:
        """Return what to call it, however lines move: the file, the function and the change."""
        return f"{self.path.as_posix()} {self.function}: {self.change}"


def mutants(root: Path, path: Path) -> Iterator[Mutant]:
    """Return every mutant of a file; ``path`` is seen from ``root``."""
    tree = ast.parse((root / path).read_text("utf-8"))
    for function in _functions(tree):
        for node in list(_places(function)):
            before = ast.unparse(node)
            with _changed(node, function) as after:
                compiled = compile(ast.fix_missing_locations(tree), str(root / path), "exec", dont_inherit=True)
            for code in _codes(compiled):
                if code.co_firstlineno == _first_line(function) and code.co_name == function.name:
                    yield Mutant(path, code.co_qualname, node.lineno, f"`{_short(before)}` to `{_short(after)}`", code)


@contextmanager
def _changed(node: ast.expr | ast.stmt, function: Function) -> Iterator[str]:
    """Change a node within its tree, tell what it reads now, and put it back."""
    kept = dict(vars(node))
    if isinstance(node, ast.Raise):
        block = _block(function, node)
        place = block.index(node)
        block[place] = ast.copy_location(ast.Pass(), node)
        yield "pass"
        block[place] = node
    else:
        _change(node)
        yield ast.unparse(node)
        vars(node).clear()
        vars(node).update(kept)


def _functions(tree: ast.Module) -> Iterator[Function]:
    """Return the outermost functions and methods: what is nested in one is changed with it."""
    frontier: list[ast.AST] = list(reversed(tree.body))
    while frontier:
        node = frontier.pop()
        if isinstance(node, Function):
            yield node
        elif isinstance(node, ast.ClassDef):
            frontier += reversed(node.body)


def _places(function: Function) -> Iterator[ast.expr | ast.stmt]:
    frontier: list[ast.AST] = list(reversed(function.body))
    while frontier:
        node = frontier.pop()
        if isinstance(node, ast.expr | ast.stmt) and _can_change(node):
            yield node
        noted = {node.annotation} if isinstance(node, ast.AnnAssign | ast.arg) else set()
        frontier += [child for child in reversed(list(ast.iter_child_nodes(node))) if child not in noted]


def _can_change(node: ast.AST) -> bool:
    match node:
        case ast.Compare(ops=[operator]):
            return type(operator) in _COMPARISONS
        case ast.BinOp(op=operator):
            return type(operator) in _ARITHMETIC and not _makes_text(node)
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.IfExp() | ast.Raise(exc=ast.expr()):
            return True
        case ast.Constant(value=bool() | int()):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _CALLS
    return False


def _makes_text(node: ast.BinOp) -> bool:
    """Texts and tuples are joined with ``+``: taking one from another is a type error that every test would notice."""
    return any(
        isinstance(side, ast.JoinedStr | ast.Tuple | ast.List)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))
        for side in (node.left, node.right)
    )


def _change(node: ast.AST) -> None:
    match node:
        case ast.Compare(ops=[operator]):
            node.ops = [_COMPARISONS[type(operator)]()]
        case ast.BinOp(op=operator):
            node.op = _ARITHMETIC[type(operator)]()
        case ast.BoolOp(op=operator):
            node.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.Not()
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.IfExp():
            node.body, node.orelse = node.orelse, node.body
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() as value):
            node.value = value + 1
        case ast.Call(func=ast.Name(id=name)):
            node.func = ast.Name(_CALLS[name], ast.Load())


def _block(function: Function, statement: ast.stmt) -> list[ast.stmt]:
    """Return the block that a statement stands in."""
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and statement in block:
                return block
    raise LookupError(f"no block holds line {statement.lineno}")


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Return the code of every function and method, not of those nested in them."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _first_line(function: Function) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
