"""Works out every generated file, and writes or compares them.

Routes, the OpenAPI document (and the copy that ships), the map of the rooms, the tables of errors and events, the
drawings of states, the digests of secrets that stand in the repository.
"""

from __future__ import annotations

import json
import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import chalicelib
from chalicelib import topology
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.events import Event
from chalicelib.kernel.machine import StateMachine
from chalicelib.privacy import notice
from chalicelib.runtime.consume import Consumer
from infra import alarms
from tools.checks import decisions
from tools.generate import architecture, console_policy, cost, known_values, openapi, policy, routing

ROOT = Path(__file__).resolve().parents[2]
ROUTES_DOC = (
    "Every route by method, path, declaring module and content types. Written by ``make generate``; do not edit."
)
HEAD = "<!-- Written by `make generate` from the code; do not edit. -->\n\n"


def outputs() -> dict[str, str]:
    """Return the text of every generated file by its path."""
    modules = list(_modules())
    document = openapi.document()
    return {
        "chalicelib/routes.py": routes_text(),
        "chalicelib/runtime/known_values.py": known_values.text(),
        "docs/openapi.json": json.dumps(document, ensure_ascii=False, indent=1) + "\n",
        "chalicelib/site/openapi.json": json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        architecture.PAGE: HEAD + architecture.text(),
        "docs/privacy-notice.md": HEAD + notice.markdown(),
        "docs/errors.md": errors_text(),
        "docs/events.md": events_text(modules),
        "docs/states.md": states_text(modules),
        policy.PAGE: HEAD + policy.text(),
        console_policy.PAGE: console_policy.text(),
        "README.md": readme_text(modules),
        decisions.INDEX: decisions.index_text(),
        "docs/deploy.md": alarms.written(cost.written(ROOT / "docs" / "deploy.md")),
    }


def routes_text() -> str:
    """Return ``chalicelib/routes.py``."""
    lines = [
        f'"""{ROUTES_DOC}"""',
        "",
        "ROUTES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (",
    ]
    for method, path, module, kinds in routing.route_lines():
        listed = ", ".join(f'"{kind}"' for kind in kinds) + ("," if len(kinds) == 1 else "")
        line = f'    ("{method}", "{path}", "{module}", ({listed})),'
        if len(line) > 120:
            line = f'    (\n        "{method}",\n        "{path}",\n        "{module}",\n        ({listed}),\n    ),'
        lines.append(line)
    return "\n".join([*lines, ")", ""])


def _modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        yield import_module(found.name)


# Errors ------------------------------------------------------------------------------------------------------------


def errors_text() -> str:
    """Return ``docs/errors.md``: the whole tree, in both languages."""
    lines = [
        "# Errors",
        "",
        "Every refusal is an RFC 9457 document (`application/problem+json`) with a stable `code`. `detail` comes in",
        "the language of `Accept-Language`. Members beside the standard ones are named in the last column.",
        "",
        "| code | status | detail (en) | detail (zh) | members |",
        "|---|---|---|---|---|",
    ]
    by_code: dict[str, type[ShopError]] = {}
    for error in _tree(ShopError):
        by_code.setdefault(error.code, error)
    for code, error in sorted(by_code.items(), key=lambda entry: (entry[1].status, entry[0])):
        members = ", ".join(f"`{name}`" for name in error.shown)
        lines.append(f"| `{code}` | {error.status} | {_cell(error.en)} | {_cell(error.zh)} | {members} |")
    lines += [
        "",
        "API Gateway and Chalice refuse a few things before our code runs, in the same shape: `method_not_allowed`",
        "(405), `unsupported_media_type` (415), `not_acceptable` (406).",
        "",
        "## The tree",
        "",
        "```",
        *_branches(ShopError, 0),
        "```",
        "",
    ]
    return HEAD + "\n".join(lines)


def _tree(base: type[ShopError]) -> Iterator[type[ShopError]]:
    yield base
    for child in _children(base):
        yield from _tree(child)


def _children(base: type[ShopError]) -> list[type[ShopError]]:
    ours = [child for child in base.__subclasses__() if child.__module__.startswith("chalicelib.")]
    return sorted(ours, key=lambda child: (child.__module__, child.__name__))


def _branches(base: type[ShopError], depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}{base.__name__}  {base.code}  ({base.__module__.removeprefix('chalicelib.')})"
    for child in _children(base):
        yield from _branches(child, depth + 1)


# Events ------------------------------------------------------------------------------------------------------------


def events_text(modules: list[Any]) -> str:
    """Return ``docs/events.md``: each event, its fields, who tells it and who hears it."""
    kinds = {str(kind.__struct_config__.tag): kind for kind in _events(Event)}
    handled = {
        value.queue: value.types for module in modules for value in vars(module).values() if isinstance(value, Consumer)
    }
    lines = [
        "# Events",
        "",
        "Facts ride in the row that changed; the table's stream brings them to the relay, `topology.EVENTS` names",
        "their queues. An event's id is `<type>#<subject>`: the same fact has the same id however often it is told.",
        "No event carries personal data.",
        "",
        "```mermaid",
        "flowchart LR",
        *_event_edges(kinds),
        "```",
        "",
        "| event | told by | queues |",
        "|---|---|---|",
    ]
    for name, queues in topology.EVENTS.items():
        teller = _capability(kinds[name]) if name in kinds else "(nobody yet)"
        lines.append(
            f"| `{name}` | {teller} | {', '.join(f'`{queue}`' for queue in queues) or 'nobody waits for it'} |"
        )
    lines += ["", "## Fields", ""]
    for name in topology.EVENTS:
        if name in kinds:
            lines += _event_section(name, kinds[name], handled)
    lines += ["## Deadlines", "", "The deadline job sends `due` for each record whose state has timed out.", ""]
    lines += ["| id prefix | kind | queue |", "|---|---|---|"]
    lines += [f"| `{prefix}_` | {kind} | `{queue}` |" for prefix, (kind, queue) in topology.DEADLINES.items()]
    return HEAD + "\n".join([*lines, ""])


def _event_edges(kinds: dict[str, Any]) -> Iterator[str]:
    for name, queues in topology.EVENTS.items():
        for queue in queues:
            consumer = topology.QUEUES[queue].split(".")[1]
            teller = _capability(kinds[name]) if name in kinds else "unknown"
            box = f"queue_{queue.replace('-', '_')}"
            yield f"    from_{teller}([{teller}]) -- {name} --> {box}[[{queue}]] --> to_{consumer}([{consumer}])"


def _event_section(name: str, kind: Any, handled: dict[str, set[str]]) -> list[str]:
    lines = [f"### `{name}`", "", " ".join((kind.__doc__ or "").split()), ""]
    lines += ["| field | type |", "|---|---|"]
    annotations = {field.name: _type_text(field.type) for field in _fields(kind)}
    lines += [f"| `{field}` | {text} |" for field, text in annotations.items()]
    for queue in topology.EVENTS[name]:
        known = "" if name in handled.get(queue, set()) else " (no handler yet)"
        lines += ["", f"Heard by `{topology.QUEUES[queue]}` through queue `{queue}`{known}."]
    return [*lines, ""]


def _fields(kind: Any) -> Any:
    import msgspec

    return msgspec.structs.fields(kind)


def _type_text(kind: Any) -> str:
    text = kind.__name__ if isinstance(kind, type) and not getattr(kind, "__args__", None) else str(kind)
    return f"`{_cell(text.replace('datetime.', '').replace('chalicelib.kernel.money.', '').replace('typing.', ''))}`"


def _events(base: type[Event]) -> Iterator[type[Event]]:
    for child in base.__subclasses__():
        if child.__module__.startswith("chalicelib."):
            yield child
        yield from _events(child)


def _capability(kind: type) -> str:
    return kind.__module__.split(".")[1]


# States ------------------------------------------------------------------------------------------------------------


def readme_text(modules: list[Any]) -> str:
    """Return ``README.md`` with the drawing of an order's states renewed."""
    machine = next(machine for _, machine in _machines(modules) if machine.name == "order")
    begin, end = "<!-- begin: order states -->", "<!-- end: order states -->"
    before, _, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    return f"{before}{begin}\n\n```mermaid\n{machine.mermaid()}\n```\n\n{end}{after}"


def _machines(modules: list[Any]) -> list[tuple[str, StateMachine[Any, Any]]]:
    """Return every state machine with the module it is declared in, in the order of the capabilities."""
    machines: dict[int, tuple[int, str, StateMachine[Any, Any]]] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, StateMachine):
                # Where its states are declared; else a rule's module before one that only uses it.
                strange = 0 if type(value.initial).__module__ == module.__name__ else 2 - (".domain" in module.__name__)
                if id(value) not in machines or strange < machines[id(value)][0]:
                    machines[id(value)] = (strange, module.__name__, value)
    order = {name: number for number, name in enumerate(topology.CAPABILITIES)}
    found = [(name, machine) for _, name, machine in machines.values()]
    return sorted(found, key=lambda entry: (order.get(entry[0].split(".")[1], 99), entry[1].name))


def states_text(modules: list[Any]) -> str:
    """Return ``docs/states.md``: every state machine, drawn from its own table."""
    found = _machines(modules)
    lines = ["# States", "", "Each drawing is the table the code runs by; an edge that is not here does not exist.", ""]
    for module, machine in found:
        lines += [f"## {machine.name}", "", f"`{module}`", "", "```mermaid", machine.mermaid(), "```", ""]
        lines += ["| state | cause | next | times out |", "|---|---|---|---|"]
        for state, row in machine.edges.items():
            deadline = machine.deadlines.get(state)
            if not row:
                lines.append(f"| `{state}` | | (end) | |")
            for cause, target in row.items():
                times_out = f"after {deadline[0]}" if deadline and deadline[1] == cause else ""
                lines.append(f"| `{state}` | `{cause}` | `{target}` | {times_out} |")
        lines.append("")
    return HEAD + "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def drift() -> list[str]:
    """Return the generated files that are not what the code says now."""
    return [
        path
        for path, text in outputs().items()
        if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Write, or with ``--check`` compare."""
    if "--check" in sys.argv[1:]:
        stale = drift()
        for path in stale:
            print(f"{path} is not what the code says: run `make generate` and commit it.")
        return 1 if stale else 0
    for path, text in outputs().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    return 0
