"""Reads every import of ``chalicelib`` and enforces the table of the design's section 3: who may know whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from chalicelib import topology
from tests.support import sources

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "chalicelib"

pytestmark = pytest.mark.xdist_group("sources")

LAYERS = ("domain", "events", "ports", "store", "service", "schemas", "api", "providers")
"""Files with a rule of their own, and folders: all that lies in ``domain/`` is of that layer. ``rows``,
``<what>_rows`` and ``<what>_store`` belong to the store, a file that declares Lambda functions is a consumer, the rest
help the service. In a wing ``domain``, ``ports``, ``store``, ``schemas`` and ``api`` are what they are in the
capability; its ``service`` helps the capability's, which is the one that others call."""

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("checkout.domain", "catalog.domain"): "checkout composes others; its pure rules work on their types",
    ("checkout.domain", "merchants.domain"): "as above",
    ("checkout.domain", "orders.domain"): "as above",
    ("checkout.quotes", "orders.domain"): "as above",
    ("payments.domain.tally", "orders.domain"): "a refund is judged by its order: the pure rules work on its types",
    ("payments.domain.refund_decision", "orders.domain"): "as above",
    ("publishing.views", "catalog.schemas"): "a published file is what the API answers, byte for byte",
    ("publishing.views", "merchants.schemas"): "as above",
    ("checkout.schemas", "cart.schemas"): "a quote takes changes of the cart as the cart does",
    ("checkout.schemas", "orders.schemas"): "a checkout answers the purchase as orders show it",
    ("checkout.schemas", "payments.attempts.schemas"): "a checkout takes and answers an attempt to pay as payments do",
    ("checkout.api", "payments.attempts.schemas"): "as above",
    ("requests.api", "checkout.schemas"): "what was made to order is quoted as a checkout quotes",
    ("checkout.api", "orders.schemas"): "a placed purchase is shown as orders show it",
}
"""(file, what it imports) -> why that is right."""


@cache
def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name without ``chalicelib.``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def imports(module: str, *, types: bool = True) -> frozenset[str]:
    """Return the modules of the package a module imports: at its top, inside functions, or (``types``) for typing."""
    found = set()
    unseen: set[ast.AST] = set()
    if not types:
        for part in sources.tree(modules()[module]).body:
            if isinstance(part, ast.If) and "TYPE_CHECKING" in ast.unparse(part.test):
                unseen |= set(ast.walk(part))
    for node in sources.nodes(modules()[module]):
        if node in unseen:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "chalicelib":
            base = node.module.removeprefix("chalicelib").lstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                found.add(inner if inner in modules() else base)
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("chalicelib.") for a in node.names if a.name.startswith("chalicelib.")}
    return frozenset(found)


def capability(module: str) -> str | None:
    top = module.split(".", maxsplit=1)[0]
    return top if top in topology.CAPABILITIES else None


def layer(module: str) -> str:
    """Return the layer of a capability's module."""
    if f"chalicelib.{module}" in topology.FUNCTION_MODULES:
        return "consumers"
    first, last = module.split(".")[1] if "." in module else "package", module.rsplit(".", maxsplit=1)[-1]
    if first in LAYERS and last not in ("api", "schemas"):
        return first
    if {first.rsplit("_", maxsplit=1)[-1], last.rsplit("_", maxsplit=1)[-1]} & {"rows", "store"}:
        return "store"
    if last in ("api", "schemas", "domain", "ports"):
        return last
    return "package" if first == "package" else "helper"


WINGS: dict[str, dict[str, set[str]]] = {
    "payments": {
        "statements": {"providers", "store"},
        "reviews": {"store"},
        "refunds": {"providers", "reviews", "statements", "store"},
        "attempts": {"providers", "refunds", "reviews", "statements", "store"},
        "disputes": {"attempts", "providers", "reviews", "store"},
        "strays": {"attempts", "providers", "refunds", "store"},
        "webhooks": {"attempts", "disputes", "providers", "refunds", "reviews", "store", "strays"},
        "keys": {"providers"},
        "providers": set(),
        "store": set(),
    },
    "risk": {
        "rates": set(),
        "reviews": set(),
    },
    "auth": {
        "codes": {"passkeys", "sessions"},
        "contacts": {"codes", "factors", "passkeys", "sessions"},
        "external": {"sessions"},
        "factors": {"passkeys", "sessions"},
        "guardians": {"codes"},
        "keys": set(),
        "passkeys": {"sessions"},
        "sessions": set(),
        "staff": set(),
    },
    "privacy": {"archive": set()},
}
"""Of a capability with folders: each folder, or wing -> those it needs, exactly. All may need ``domain`` and ``ports``,
which need none, and any wing's pure ``domain.py``. Routes, wire models and consumers reach the wings through the
capability's ``service`` as everybody does. Of the files beside the folders only ``service`` may need a wing."""

FOR_ALL = ("domain", "ports")


def wing(module: str) -> str:
    """Return the folder of its capability that a module lies in; empty for a file beside the folders."""
    parts = module.split(".")
    is_folder = len(parts) > 1 and parts[0] in WINGS and (PACKAGE / parts[0] / parts[1]).is_dir()
    return parts[1] if is_folder else ""


@cache
def is_pure(module: str) -> bool:
    """Say whether a module touches nothing but the kernel and modules of its own capability that do the same."""
    if module.split(".", maxsplit=1)[0] == "kernel":
        return True
    if capability(module) is None or layer(module) in ("store", "service", "schemas", "api", "consumers", "providers"):
        return False
    return all(
        is_pure(other) or (module, other) in EXCEPTIONS
        for other in imports(module)
        if other != module and other != capability(module)
    )


def top(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def may_import(module: str, other: str) -> bool:
    """Say whether the table allows it."""
    kind, own = layer(module), capability(module) == capability(other)
    if top(other) == "kernel":
        return True
    if top(other) in ("runtime", "topology", "policy"):
        return _may_use_runtime(kind, other)
    if not own:
        return layer(other) in _FOREIGN.get(kind, set())
    if is_pure(other):
        return True
    return layer(other) in _OWN[kind]


_FOREIGN = {
    "service": {"service", "events"},
    "helper": {"service", "events"},
    "api": {"service"},
    "consumers": {"service", "events"},
}
_OWN = {
    "package": set[str](),
    "domain": set[str](),
    "events": set[str](),
    "ports": set[str](),
    "store": {"store", "events"},
    "providers": {"providers", "helper", "package"},
    "helper": {"store", "service", "providers", "helper", "package"},
    "service": {"store", "service", "providers", "helper", "package"},
    "schemas": {"service", "schemas", "helper"},
    "api": {"service", "schemas", "helper", "providers", "package"},
    "consumers": {"service", "helper", "events", "package"},
}


def may_enter(module: str, other: str) -> bool:
    """Say whether the table of wings allows an import within one capability."""
    mine, theirs = wing(module), wing(other)
    if not theirs or theirs in FOR_ALL or layer(other) == "domain" or layer(module) == "service":
        return True
    if layer(module) in ("api", "schemas", "consumers"):
        return layer(other) == "schemas"
    if mine == theirs:
        return mine != "providers" or may_share(module, other)
    return theirs in WINGS[capability(module) or ""].get(mine, set()) and is_front(other)


def may_share(module: str, other: str) -> bool:
    """Say whether one part of the adapters may import another: its own provider's, or what all have in common."""
    mine, theirs = module.split(".")[2:3], other.split(".")[2:3]
    return theirs in (mine, ["_shared"])


def is_front(module: str) -> bool:
    """Say whether a module may be imported from outside its wing: no row, and no adapter by its name."""
    parts = module.split(".")
    return not parts[-1].endswith("rows") and (parts[1] != "providers" or len(parts) == 2)


def _may_use_runtime(kind: str, other: str) -> bool:
    if kind in ("domain", "events", "ports", "package"):
        return False
    if kind == "schemas":
        return other == "runtime.schema"
    if other in ("runtime.schema", "runtime.http.routes", "runtime.http.problems"):
        return kind == "api"
    if other in ("runtime.http", "runtime.http.app"):
        return False
    if other == "topology":
        return kind == "consumers"
    if other == "policy":
        return kind in ("service", "helper")
    return True


def edges() -> Iterator[tuple[str, str]]:
    for module in modules():
        if capability(module) is not None:
            yield from ((module, other) for other in sorted(imports(module)) if other != module)


def test_every_file_keeps_to_its_layer() -> None:
    wrong = [
        f"{module} ({layer(module)}) may not import {other}"
        for module, other in edges()
        if not may_import(module, other) and (module, other) not in EXCEPTIONS
    ]
    assert wrong == []


def test_every_wing_needs_what_its_table_says_and_no_more() -> None:
    inside = [pair for pair in edges() if pair[0].split(".")[0] in WINGS and capability(pair[1]) == capability(pair[0])]
    wrong = [f"{module} may not import {other}" for module, other in inside if not may_enter(module, other)]
    assert wrong == []
    for name, table in WINGS.items():
        needs: dict[str, set[str]] = {one: set() for one in table}
        for module, other in inside:
            apart = (
                wing(other) not in ("", *FOR_ALL, wing(module))
                and layer(other) != "domain"
                and layer(module) not in ("api", "schemas", "consumers")
            )
            if module.startswith(f"{name}.") and wing(module) in table and apart:
                needs[wing(module)].add(wing(other))
        assert needs == table
        folders = {path.name for path in (PACKAGE / name).iterdir() if (path / "__init__.py").exists()}
        assert folders - set(FOR_ALL) == set(table), "a new wing says here what it needs"
        done: set[str] = set()
        while ready := {one for one, others in table.items() if one not in done and others <= done}:
            done |= ready
        assert done == set(table), "wings do not need each other in circles"


@pytest.mark.parametrize(
    ("module", "other"),
    [
        ("payments.domain.payment", "runtime.log"),
        ("payments.domain.payment", "payments.store.records"),
        ("payments.domain.payment", "orders.service"),
        ("payments.ports.provider", "payments.store.records"),
        ("payments.ports.provider", "runtime.outbound"),
        ("payments.store.records", "payments.refunds.request"),
        ("payments.refunds.request", "payments.store.rows"),
        ("payments.refunds.request", "payments.attempts.poll"),
        ("payments.refunds.request", "payments.providers.alipay.adapter"),
        ("payments.providers.alipay.adapter", "payments.providers.stripe.codes"),
        ("payments.providers._shared.bills", "payments.providers.alipay.adapter"),
        ("payments.providers.alipay.adapter", "payments.store.records"),
        ("payments.webhooks.consumer", "payments.webhooks.apply"),
        ("payments.refunds.schemas", "payments.store.records"),
        ("payments.refunds.api", "payments.refunds.request"),
        ("payments.webhooks.api", "payments.providers"),
        ("checkout.service", "payments.refunds.request"),
        ("checkout.service", "payments.domain.payment"),
    ],
)
def test_what_the_rules_of_the_wings_refuse(module: str, other: str) -> None:
    assert {module, other} <= set(modules())
    inside = capability(module) == capability(other)
    assert not may_import(module, other) or (inside and not may_enter(module, other))


def test_every_exception_is_still_needed() -> None:
    assert {pair for pair in edges() if pair in EXCEPTIONS and not may_import(*pair)} == set(EXCEPTIONS)


def test_a_capabilitys_front_page_imports_nothing() -> None:
    for name in topology.CAPABILITIES:
        if name in modules():
            found = [n for n in sources.nodes(modules()[name]) if isinstance(n, (ast.Import, ast.ImportFrom))]
            assert found == [], name


def test_capabilities_do_not_need_each_other_in_circles() -> None:
    needs: dict[str, set[str]] = {name: set() for name in topology.CAPABILITIES}
    for module, other in edges():
        mine, theirs = capability(module), capability(other)
        # Events are the published language: hearing of somebody is not needing them.
        if mine and theirs and mine != theirs and layer(other) != "events":
            needs[mine].add(theirs)
    done: set[str] = set()
    while len(done) < len(needs):
        ready = {name for name, others in needs.items() if name not in done and others <= done}
        assert ready, {name: sorted(others - done) for name, others in needs.items() if name not in done}
        done |= ready
    assert needs["orders"] == set(), "orders knows nobody: others bring money and stock into its unit of work"


@pytest.mark.parametrize("area", ["kernel", "runtime"])
def test_the_ground_knows_no_capability(area: str) -> None:
    allowed = {"kernel"} if area == "kernel" else {"kernel", "runtime", "topology", "policy"}
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if top(module) == area
        for other in imports(module)
        if top(other) not in allowed
    ]
    assert wrong == []


def test_the_policy_table_is_data_for_all() -> None:
    assert {top(other) for other in imports("policy")} == {"kernel"}


def test_the_ground_knows_itself_in_no_circle() -> None:
    """Nor inside functions: two modules that need each other are one, or a third is missing below them."""
    needs = {
        module: {other for other in imports(module, types=False) if top(other) in ("kernel", "runtime")} - {module}
        for module in modules()
        if top(module) in ("kernel", "runtime")
    }
    done: set[str] = set()
    while len(done) < len(needs):
        ready = {module for module, others in needs.items() if module not in done and others <= done}
        assert ready, {module: sorted(others - done) for module, others in needs.items() if module not in done}
        done |= ready


@pytest.mark.parametrize(
    ("area", "beyond"),
    [("chalicelib", {"infra", "tools", "tests"}), ("infra", {"tools", "tests"}), ("tools/fakes", {"tests"})],
)
def test_what_ships_and_what_describes_it_need_no_tools(area: str, beyond: set[str]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / area).rglob("*.py"))
        for name in _names_imported(path) & beyond
    ]
    assert wrong == []


def test_only_stores_know_tables() -> None:
    """A row class is imported by nobody but the store that declares it."""
    wrong = [
        module
        for module in modules()
        if capability(module) is not None
        and layer(module) != "store"
        and any("pynamodb" in line for line in _other_imports(module))
    ]
    assert wrong == []


def test_only_stores_know_where_a_list_goes_on() -> None:
    """Everybody else asks for a window of a list and gets a page of it (``kernel.pages``)."""
    wrong = [
        f"{module} names {name}"
        for module, path in modules().items()
        if capability(module) is not None and layer(module) != "store" and ".store." not in module
        for name in ("start_key", "last_key", "LastEvaluatedKey")
        if re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


HEAVY = {
    "pydantic",
    "cryptography",
    "argon2",
    "jwt",
    "boto3",
    "botocore",
    "urllib3",
    "aws_lambda_powertools",
    "phonenumbers",
    "idna",
    "zxcvbn",
    "pyotp",
    "webauthn",
    "chinese_calendar",
}


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    """At module level only wire models may be heavy, with pydantic: a lazy import costs its first user only."""
    wrong = [
        f"{module} imports {name} at its top"
        for module in modules()
        if top(module) != "runtime"
        for name in _top_level(module) & HEAVY
        if not (name == "pydantic" and layer(module) in ("schemas", "api"))
    ]
    assert wrong == []


def _other_imports(module: str) -> frozenset[str]:
    return _names_imported(modules()[module])


@cache
def _names_imported(path: Path) -> frozenset[str]:
    nodes = sources.nodes(path)
    found = {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    whole = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return frozenset(found | whole)


def _top_level(module: str) -> set[str]:
    """Return the packages a module imports when it is imported, not those it only needs for typing."""
    found = set()
    for node in sources.tree(modules()[module]).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


def test_a_capabilitys_first_paragraph_names_every_fact_it_emits() -> None:
    silent = []
    for path in sorted(PACKAGE.glob("*/events.py")):
        package = ast.get_docstring(sources.tree(path.parent / "__init__.py")) or ""
        classes = [node for node in sources.nodes(path) if isinstance(node, ast.ClassDef)]
        tags = [
            str(word.value.value)
            for found in classes
            for word in found.keywords
            if word.arg == "tag" and isinstance(word.value, ast.Constant)
        ]
        silent += [tag for tag in tags if tag not in package and f"{tag.split('.')[0]}.*" not in package]
        assert all(tag in topology.EVENTS for tag in tags), path
    assert silent == []
