"""What the stand-ins know between two starts, as JSON: reading a file must not be able to do anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from tools.fakes.carriers.hub import Hub, Journey
from tools.fakes.carriers.kdniao import KDNiao, Parcel
from tools.fakes.sandbox.shelf import Scroll, Shelf
from tools.fakes.sandbox.stand_in import StandIn
from tools.shared import private

GIVEN = ("now", "chance", "base_url", "neighbours", "when_rotated", "_lock", "_pace")
"""What a stand-in is given anew at each start; all else it remembers."""


class _Kept(msgspec.Struct):
    providers: dict[str, dict[str, msgspec.Raw]]
    journeys: dict[str, Journey]
    birds: dict[str, Parcel] = {}


def write(path: Path, stand_ins: Mapping[str, StandIn], hub: Hub, birds: KDNiao) -> None:
    """Write down what all of them know."""
    known = {
        name: {part: _plain(getattr(stand_in, part)) for part in _parts(stand_in)}
        for name, stand_in in stand_ins.items()
    }
    parcels = {"journeys": dict(hub.journeys.items()), "birds": dict(birds.parcels.items())}
    private.write(path, msgspec.json.encode({"providers": known, **parcels}))


def read(path: Path, stand_ins: Mapping[str, StandIn], hub: Hub, birds: KDNiao) -> None:
    """Give back what was written: all of it, or nothing.

    Raises:
        ValueError: if that is not what the file holds.
    """
    kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    found: list[tuple[Any, str, Any]] = []
    for name, parts in kept.providers.items():
        stand_in = stand_ins[name]
        hints = get_type_hints(type(stand_in))
        known = set(_parts(stand_in))
        for part, raw in parts.items():
            if part in known:
                found.append((stand_in, part, msgspec.json.decode(raw, type=_kind(stand_in, part, hints))))
    for stand_in, part, value in found:
        _put(stand_in, part, value)
    for number, journey in kept.journeys.items():
        hub.journeys[number] = journey
    for number, parcel in kept.birds.items():
        birds.parcels[number] = parcel


def _parts(stand_in: StandIn) -> list[str]:
    return [part.name for part in fields(stand_in) if part.name not in GIVEN]


def _plain(value: Any) -> Any:
    if isinstance(value, Shelf):
        return dict(value.items())
    return list(value) if isinstance(value, list) else value


def _kind(stand_in: StandIn, part: str, hints: Mapping[str, Any]) -> Any:
    there = getattr(stand_in, part)
    if isinstance(there, Shelf):
        return dict[str, there.kind]  # type: ignore[name-defined]
    return list[there.kind] if isinstance(there, Scroll) else hints[part]  # type: ignore[name-defined]


def _put(stand_in: StandIn, part: str, value: Any) -> None:
    there = getattr(stand_in, part)
    if isinstance(there, Shelf):
        for key, record in value.items():
            there[key] = record
    elif isinstance(there, list) and type(there) is not list:
        for entry in value:
            there.append(entry)
    else:
        setattr(stand_in, part, value)
