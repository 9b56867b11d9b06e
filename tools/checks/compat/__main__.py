"""Holds what the code says now against the last release: ``python -m tools.checks.compat``.

``--release`` writes what stands now down as a release, under the version of ``pyproject.toml``. What must break is
listed in ``docs/releases/accepted.toml`` with its reason; a line there that breaks nothing any more is refused too.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from tools.checks.compat.api import api_breaks
from tools.checks.compat.facts import fact_breaks, facts
from tools.checks.version import ROOT, version
from tools.generate import openapi

Json = dict[str, Any]
FOLDER = ROOT / "docs" / "releases"
API, FACTS, ACCEPTED = "openapi.json", "facts.json", "accepted.toml"
_FOR_PEOPLE = {"title", "description", "summary", "example"}


def last_release(folder: Path = FOLDER) -> Path:
    """Return the folder of the newest release.

    Raises:
        LookupError: if there is none.
    """
    found = [page.parent for page in folder.glob(f"*/{API}")]
    if not found:
        raise LookupError(f"no release in {folder}")
    return max(found, key=lambda release: tuple(int(part) for part in release.name.split(".")))


def api_now() -> Json:
    """Return the API's document without what only people read: that may change at any time."""
    return dict(_bare(openapi.document()))


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("type") == "object" and "properties" in value:
            rest = {key: part for key, part in value.items() if key != "properties"}
            return {**_bare(rest), "properties": {name: _bare(part) for name, part in value["properties"].items()}}
        return {
            key: {code: {} for code in part} if key == "examples" and isinstance(part, dict) else _bare(part)
            for key, part in value.items()
            if key not in _FOR_PEOPLE or not isinstance(part, str | dict | list)
        }
    return [_bare(part) for part in value] if isinstance(value, list) else value


def accepted(folder: Path = FOLDER) -> dict[str, str]:
    """Return what may break since the last release, with the reason of each.

    Raises:
        ValueError: if one has no reason.
    """
    told = tomllib.loads((folder / ACCEPTED).read_text("utf-8")).get("accepted", [])
    without = [entry["what"] for entry in told if not entry.get("why", "").strip()]
    if without:
        raise ValueError(f"{ACCEPTED}: say why of {', '.join(without)}")
    return {entry["what"]: entry["why"] for entry in told}


def findings(broken: list[str], allowed: dict[str, str]) -> list[str]:
    """Return what breaks and is not accepted, and what is accepted and does not break."""
    return [
        *(what for what in dict.fromkeys(broken) if what not in allowed),
        *(f"{ACCEPTED}: breaks nothing, take it out: {what}" for what in allowed if what not in broken),
    ]


def breaks_since(release: Path) -> list[str]:
    """Return everything that breaks since a release."""
    old_api, old_facts = (json.loads((release / name).read_text("utf-8")) for name in (API, FACTS))
    return [*api_breaks(old_api, api_now()), *fact_breaks(old_facts, json.loads(json.dumps(facts())))]


def write(folder: Path) -> None:
    """Write down what stands now."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((API, api_now()), (FACTS, facts())):
        text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def main() -> int:
    """Compare, or write a release."""
    if "--release" in sys.argv[1:]:
        write(FOLDER / version())
        print(f"wrote docs/releases/{version()}; empty {ACCEPTED}, and head the changelog with the next version")
        return 0
    release = last_release()
    found = findings(breaks_since(release), accepted())
    for line in found:
        print(f"since {release.name}: {line}", file=sys.stderr)
    if found:
        print(f"Mend it, or say in docs/releases/{ACCEPTED} why it must be.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
