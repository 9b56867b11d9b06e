"""Source files for tests that read many of them: each is parsed and walked once a process."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path


@cache
def text(path: Path) -> str:
    """Return what a file holds."""
    return path.read_text("utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's tree; nobody changes it.

    It stays for good, and so the collector need not walk over it again and again.
    """
    is_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text(path))
    finally:
        gc.freeze()
        if is_on:
            gc.enable()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a file, as ``ast.walk`` yields them."""
    return tuple(ast.walk(tree(path)))


def calls(path: Path) -> Iterator[ast.Call]:
    """Yield every call in a file."""
    return (node for node in nodes(path) if isinstance(node, ast.Call))


def dotted(node: ast.expr) -> str:
    """Return a name with its attributes, ``a.b.c``, as ``ast.unparse`` does; empty for what is no name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""
