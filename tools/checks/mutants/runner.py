"""Runs, in forked children, the tests that call a changed function; a plugin of pytest that takes its loop over."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tools.checks.mutants.mutations import Mutant

NOTICED, SURVIVED = 0, 3
PATIENCE_S = 20.0
"""A change may make a loop endless; a child that runs longer than that, and ten times its tests, has noticed it."""

Key = tuple[str, str, int]


class Runner:
    """Remembers which test calls what, then plays each mutant."""

    def __init__(self, planned: list[Mutant], *, workers: int) -> None:
        """Take what is to be played."""
        self.planned, self.workers = planned, workers
        self.killed: list[Mutant] = []
        self.survived: list[Mutant] = []
        self.untested: list[Mutant] = []
        self.broken: list[str] = []
        self._failed = False
        self._calls: dict[Key, list[tuple[float, pytest.Item]]] = {}

    @property
    def percent(self) -> float:
        """Return how many of the called were noticed."""
        called = len(self.killed) + len(self.survived)
        return 100 * len(self.killed) / called if called else 100.0

    # Hooks of pytest

    def pytest_configure(self) -> None:
        """Let properties say the same each time, and not look for their smallest counterexample."""
        settings.register_profile(
            "mutants", deadline=None, database=None, derandomize=True, phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear how a test went."""
        self._failed = self._failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests once as they are, then those that matter for each mutant."""
        wanted = {str(Path(session.config.rootpath) / mutant.path) for mutant in self.planned}
        for item in session.items:
            seconds, called = self._watched(item, wanted)
            if self._failed:
                self.broken.append(item.nodeid)
                return True
            for key in called:
                self._calls.setdefault(key, []).append((seconds, item))
        self._play()
        return True

    def _watched(self, item: pytest.Item, wanted: set[str]) -> tuple[float, set[Key]]:
        called: set[CodeType] = set()

        def note(frame: FrameType, _event: str, _argument: Any) -> None:
            if frame.f_code.co_filename in wanted:
                called.add(frame.f_code)  # Only calls are told: nobody asks for the lines of this frame.

        started = time.perf_counter()
        sys.settrace(note)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        finally:
            sys.settrace(None)
        return time.perf_counter() - started, {key_of(code) for code in called}

    # Children

    def _play(self) -> None:
        functions = functions_by_key()
        children: dict[int, tuple[int, Mutant, float]] = {}
        waiting = iter(self.planned)
        more = True
        while more or children:
            while more and len(children) < self.workers:
                mutant = next(waiting, None)
                if mutant is None:
                    more = False
                elif tests := sorted(self._calls.get(key_of(mutant.code), []), key=lambda entry: entry[0]):
                    ends = time.monotonic() + PATIENCE_S + 10 * sum(seconds for seconds, _ in tests)
                    reader, pid = self._fork(
                        mutant, functions.get(key_of(mutant.code), []), [item for _, item in tests]
                    )
                    children[reader] = (pid, mutant, ends)
                else:
                    self.untested.append(mutant)
            self._reap(children)

    def _fork(self, mutant: Mutant, functions: list[FunctionType], tests: list[pytest.Item]) -> tuple[int, int]:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writer)
            return reader, pid
        try:
            os.close(reader)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            os._exit(self._child(mutant, functions, tests))
        finally:
            os._exit(NOTICED)  # Whatever went so wrong that it ended the test run was noticed.

    def _child(self, mutant: Mutant, functions: list[FunctionType], tests: list[pytest.Item]) -> int:
        for function in functions:
            function.__code__ = mutant.code
        self._failed = False
        for item in tests:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if self._failed:
                return NOTICED
        return SURVIVED

    def _reap(self, children: dict[int, tuple[int, Mutant, float]]) -> None:
        """Wait for a child to end, or end one that takes too long."""
        ready, _, _ = select.select(list(children), [], [], 0.5)
        for reader, (pid, mutant, ends) in list(children.items()):
            late = time.monotonic() > ends
            if reader not in ready and not late:
                continue
            if late and reader not in ready:
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            os.close(reader)
            del children[reader]
            lives = os.WIFEXITED(status) and os.WEXITSTATUS(status) == SURVIVED
            (self.survived if lives else self.killed).append(mutant)


def key_of(code: CodeType) -> Key:
    """Return what names the code of a function, before and after a change."""
    return (code.co_filename, code.co_qualname, code.co_firstlineno)


def functions_by_key() -> dict[Key, list[FunctionType]]:
    """Return every function there is: whoever imported one holds the same object, so its code is changed for all."""
    gc.unfreeze()  # What a test froze is not listed: no change of it would be made, and all would survive.
    found: dict[Key, list[FunctionType]] = {}
    for function in _all_functions():
        found.setdefault(key_of(function.__code__), []).append(function)
    return found


def _all_functions() -> Iterator[FunctionType]:
    yield from (found for found in gc.get_objects() if isinstance(found, FunctionType))
