"""Every path, module, name and command in ``docs/where.md`` is there: a map of a house that was rebuilt misleads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from tests.support import sources as files_read
from tools.checks.version import ROOT

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("sources")]

PAGE = ROOT / "docs" / "where.md"
ROOMS = (ROOT, ROOT / "chalicelib", *(ROOT / "chalicelib").iterdir(), ROOT / "tools")
"""A path is seen from the repository, from the package, from a capability, or from the tools."""
ENDINGS = (".py", ".md", ".json", ".toml", ".sh", "/")
WORDS = {"local-...", "<name>", "due"}
"""What is neither path nor name: a value, a placeholder, an event's word."""
HEADINGS = (
    "a payment provider",
    "a consumer of an event",
    "an event",
    "a job",
    "a field",
    "a field of a product",
    "a column of product files (CSV)",
    "a rule of freight",
    "a route",
    "a state or a transition",
    "an error",
    "a table",
    "a capability",
    "a call to AWS",
    "a setting or a secret",
)


def spans(text: str) -> list[str]:
    """Return what stands between backticks, however it is wrapped."""
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", text)]


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return every name that a file binds or declares."""
    found: set[str] = set()
    for node in files_read.nodes(file):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
            ):
                found.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return frozenset(found)


@cache
def sources() -> tuple[Path, ...]:
    return tuple(path for room in ("chalicelib", "tools", "infra") for path in (ROOT / room).rglob("*.py"))


@cache
def all_names() -> frozenset[str]:
    modules = {path.stem for path in sources()} | {path.parent.name for path in sources()}
    return frozenset(modules.union(*(names_in(path) for path in sources())))


def at(path: str) -> list[Path]:
    """Return what a path means: ``<...>`` stands for any name, a bare file for one of any capability."""
    pattern = re.sub(r"<\w+>", "*", path.rstrip("/"))
    if "/" not in pattern and pattern.endswith(".py"):
        return [source for source in sources() if fnmatch(source.name, pattern)]
    return [found for room in ROOMS if room.is_dir() for found in room.glob(pattern)]


def missing(span: str) -> str | None:
    """Return what is wrong with a span, or nothing."""
    if span in WORDS:
        return None
    if span.startswith("make "):
        target = span.split()[1]
        return (
            None
            if re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
            else "no such target"
        )
    path, _, name = span.partition(":")
    if path.endswith(ENDINGS) or "/" in path:
        files = at(path)
        if not files:
            return "no such path"
        return None if not name or any(name in names_in(file) for file in files) else f"{path} has no {name}"
    return next(_unknown(span), None)


def _unknown(span: str) -> Iterator[str]:
    """Return each dotted name that leads nowhere; a decorator must be used like that somewhere."""
    decorator = re.match(r"@[\w.]+\(", span)
    if decorator:
        if not any(decorator[0] in source.read_text("utf-8") for source in sources()):
            yield f"nobody writes {decorator[0]}"
        return
    code = re.sub(r"\"[^\"]*\"|<\w+>|\.\.\.", "", span)
    for dotted in re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", code):
        *modules, last = dotted.split(".")
        place = "/".join(modules)
        files = [*at(f"{place}.py"), *at(f"{place}/__init__.py")] if modules else []
        folders = [found for found in at(place) if found.is_dir()] if modules else []
        if files or folders:
            if not any(last in names_in(file) for file in files) and not any(at_least(room, last) for room in folders):
                yield f"{'.'.join(modules)} has no {last}"
        elif (modules and at(modules[0])) or not set(dotted.split(".")) <= all_names():
            yield f"nothing is called {dotted}"


def at_least(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() or (folder / f"{name}.py").is_file()


def test_everything_that_is_named_is_there() -> None:
    found = {span: missing(span) for span in spans(PAGE.read_text("utf-8"))}
    assert {span: wrong for span, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "span",
    [
        "chalicelib/payments/gone.py",
        "payments/ports/provider.py:Gone",
        "payments/<name>/gone.py",
        "topology.GONE",
        "runtime.gone.call(service)",
        "runtime.aws.gone(service)",
        "gone.py",
        "GoneError",
        "make gone",
        "tools/gone/",
    ],
)
def test_what_is_gone_is_noticed(span: str) -> None:
    assert missing(span) is not None


def test_every_question_has_its_paragraph() -> None:
    asked = re.findall(r"^## \.\.\. (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [heading for heading in HEADINGS if heading not in asked] == []


def test_every_file_of_a_provider_is_on_the_map() -> None:
    text = PAGE.read_text("utf-8")
    files = {
        file.name
        for file in (ROOT / "chalicelib" / "payments" / "providers").glob("*/*.py")
        if not file.parent.name.startswith("_") and file.name != "__init__.py"
    }
    shared = {name for name in files if len(at(f"payments/providers/<name>/{name}")) > 1}
    assert [name for name in sorted(shared) if f"`{name}`" not in text] == []
