"""What stand-ins write down between two starts: all of it, for nobody else's eyes, and nothing that acts when read."""

from __future__ import annotations

import pickle
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tools.test_shelf import MANY, filled
from tools.dev import memory
from tools.fakes.carriers.hub import Hub
from tools.fakes.carriers.kdniao import KDNiao, Parcel
from tools.fakes.sandbox import providers
from tools.shared import private

MOMENT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def hub() -> Hub:
    return Hub(lambda *_: (200, b"\xff not text"), now=lambda: MOMENT)


def birds() -> KDNiao:
    return KDNiao(lambda *_: (200, b"\xff not text"), now=lambda: MOMENT)


def played() -> tuple[dict[str, Any], Hub]:
    """Return stand-ins and a hub with something in every book."""
    stand_ins = {name: filled(name, 30) for name in providers.PORTS}
    for name, made in stand_ins.items():
        number = f"pay_{3:024d}_01"
        made.steer(number, silent_after=["query"], notice_amount=5)
        made.steer(chaos=0.5)
        made.console_refund(number, 7)
        made.delivered.append((200, {"name": "付款"}))
        made.refusals.append(f"{name} is strict")
        made.turn_keys(overlap=True)
        if hasattr(made, "files"):
            made.files["token"] = b"\x1f\x8b\x00\xff"
    carriers = hub()
    carriers._subscribe(
        {
            "key": "local-kuaidi100-key",
            "number": "SF0001",
            "company": "yuantong",
            "parameters": {"callbackurl": "http://x"},
        }
    )
    carriers.advance("SF0001", "collected", "signed")
    return stand_ins, carriers


def books(made: Any) -> dict[str, Any]:
    names = [part.name for part in fields(made) if part.name not in memory.GIVEN]
    found = {name: getattr(made, name) for name in names}
    return {
        name: dict(value.items()) if isinstance(value, dict) else list(value) if isinstance(value, list) else value
        for name, value in found.items()
    }


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    stand_ins, carriers = played()
    file = tmp_path / "standins.json"
    other, other_again = birds(), birds()
    other.parcels["YT1"] = Parcel("YTO", "YT1", asked_at=MOMENT)
    other.advance("YT1", "collected")
    memory.write(file, stand_ins, carriers, other)
    again, hub_again = providers.create(MOMENT.timestamp), hub()
    memory.read(file, again, hub_again, other_again)

    for name, made in stand_ins.items():
        assert books(again[name]) == books(made), name
        assert again[name].state() | {"now": 0} == made.state() | {"now": 0}
    assert dict(hub_again.journeys.items()) == dict(carriers.journeys.items())
    assert dict(other_again.parcels.items()) == dict(other.parcels.items())
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_was_put_away_is_written_down_too(tmp_path: Path) -> None:
    made = {"sandbox": filled("sandbox", MANY)}
    memory.write(tmp_path / "f", made, hub(), birds())
    again = {"sandbox": providers.create()["sandbox"]}
    memory.read(tmp_path / "f", again, hub(), birds())
    assert len(again["sandbox"].orders) == MANY
    assert again["sandbox"].money(f"pay_{0:024d}_01") == (500, 100)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('it ran')",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Bomb()),
        pickle.dumps({"providers": {}, "journeys": {}}),
        b"",
        b"{",
        b"[" * 100_000,
        b'{"providers": {"sandbox": {"orders": {"a": {"state": 1}}}}, "journeys": {}}',
        b'{"providers": {"sandbox": {"chaos": "high", "seed": 7}}, "journeys": {}}',
        b'{"providers": {"nobody": {"seed": 7}}, "journeys": {}}',
        b'{"providers": {"sandbox": {"seed": 7}}, "journeys": {"x": 1}}',
    ],
)
def test_a_file_that_is_something_else_changes_nothing(tmp_path: Path, content: bytes) -> None:
    from tools.dev import standins

    kept = tmp_path / "standins.json"
    kept.write_bytes(content)
    made = standins.create(kept)
    made._recall()
    assert (made.sandbox.seed, dict(made.sandbox.orders), dict(made.hub.journeys)) == (0, {}, {})


def test_what_a_stand_in_is_given_anew_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'{"providers": {"sandbox": {"base_url": "http://x", "_lock": 1}}, "journeys": {}}')
    made = {"sandbox": providers.create()["sandbox"]}
    memory.read(tmp_path / "f", made, hub(), birds())
    assert made["sandbox"].base_url == "http://127.0.0.1:9100"


def test_files_are_closed_and_those_of_others_are_left_alone(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir(mode=0o755)
        (folder / "script.sh").write_text("x")
        (folder / "script.sh").chmod(0o755)
    (ours / "accounts.json").write_text("{}")
    (ours / "accounts.json").chmod(0o644)
    for folder in (ours, theirs):
        private.folder(folder, ("accounts.json",))

    assert ours.stat().st_mode & 0o777 == 0o700
    assert (ours / "accounts.json").stat().st_mode & 0o777 == 0o600
    assert theirs.stat().st_mode & 0o777 == 0o755
    assert (ours / "script.sh").stat().st_mode & 0o777 == 0o755
    private.write(ours / "accounts.json", "x")
    assert (ours / "accounts.json").stat().st_mode & 0o777 == 0o600
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (ours / "clock.json").symlink_to(victim)
    private.write(ours / "clock.json", "x")
    assert victim.read_text() == "mine"
