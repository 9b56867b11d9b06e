"""What led to what: the trail forgets its oldest entries, adds up all the same, and finds a cause without walking."""

from __future__ import annotations

import sys
from collections import deque
from time import process_time

from tools.dev import trail
from tools.dev.trail import Trail


def filled(count: int, keep: int = trail.KEEP) -> Trail:
    made = Trail(entries=deque(maxlen=keep))
    for number in range(count):
        about = {f"{number // 10:024d}"}
        made.add("event", f"event {number}", entry_id=f"e{number}", cause=f"e{number - 1}", about=about)
    return made


def test_it_forgets_the_oldest_and_what_is_left_adds_up() -> None:
    made = filled(300, keep=100)

    assert (len(made.entries), made.entries[0].number) == (100, 201)
    assert made.intact()
    assert made._knows("e299")
    assert not made._knows("e199")
    assert len(made._ids) == 100
    assert [entry.text for _, entry in made.explain(f"pay_{29:024d}_01")][-1] == "event 299"
    assert made.explain(f"pay_{3:024d}_01") == []


def test_an_id_is_known_as_long_as_one_of_its_entries_is_there() -> None:
    made = Trail(entries=deque(maxlen=3))
    for name in ("a", "a", "b", "c"):
        made.add("event", name, entry_id=name, cause="", about=set())
    assert made._knows("a")
    made.add("queue", "x", entry_id="", cause="a", about=set())
    assert not made._knows("a")
    assert "" not in made._ids


def test_an_edited_trail_no_longer_adds_up() -> None:
    made = filled(10)
    entries = list(made.entries)
    made.entries.clear()
    made.entries.extend([*entries[:4], *entries[5:]])
    assert not made.intact()


def test_a_whole_trail_is_small_and_knows_at_once() -> None:
    made = filled(trail.KEEP)
    size = sum(sys.getsizeof(entry) + sys.getsizeof(entry.about) + sys.getsizeof(entry.text) for entry in made.entries)
    assert size < 10_000_000
    assert not hasattr(made.entries[0], "__dict__")
    began = process_time()
    for _ in range(5_000):
        made._knows("nobody")
    assert process_time() - began < 1
