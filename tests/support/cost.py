"""What tests cost: calls of the embedded engine, of which each may make so many, and with ``--cpu`` CPU by folder.

Calls are counted and not seconds: they are the same on every machine, and what a test costs nearly all goes with them.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CALLS_CAP = 4000
"""Twice what a long story of an order takes. Who needs more says why: ``@pytest.mark.many_calls("...")``."""
_TICK = os.sysconf("SC_CLK_TCK")


def spent_s() -> float:
    """Return the CPU seconds of this process and of all that it started, those that have ended too."""
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own + sum(_of(child) for child in _below(os.getpid()))


def _below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        for child in found:
            yield child
            yield from _below(child)


def _of(pid: int) -> float:
    try:
        figures = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, figures[11:15])) / _TICK


class Meter:
    """A plugin that adds up CPU seconds by folder, of all workers, and prints them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._spent: Counter[str] = Counter()
        self._before = 0.0

    def _book(self, where: str) -> None:
        now = spent_s()
        self._spent[where] += now - self._before  # type: ignore[assignment]
        self._before = now

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Book what a test took, with its fixtures."""
        if not self._before:
            self._book("(start)")
        result = yield
        self._book("/".join(item.nodeid.split("::")[0].split("/")[1:3][: 2 if "integration" in item.nodeid else 1]))
        return result

    def pytest_sessionfinish(self) -> None:
        """Tell the process that prints."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["cpu"] = dict(self._spent)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear a worker's figures."""
        self._spent.update(getattr(node, "workeroutput", {}).get("cpu", {}))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print them, the dearest folder first."""
        terminalreporter.section(f"CPU seconds: {sum(self._spent.values()):.0f}")
        for where, seconds in self._spent.most_common():
            terminalreporter.write_line(f"{seconds:8.1f}  {where}")
