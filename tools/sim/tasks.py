"""Cooperative tasks: real code runs in threads of which exactly one moves, handed on at every call to the outside.

The scheduler decides who continues at each seam, so a list of choices (or a seed) fixes the whole interleaving.
A switch is two lock hand-overs, some 20 us. Threads are kept and used again.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Task:
    """One thread of work and what came of it. ``pending`` is the call it is about to make."""

    name: str
    work: Callable[[], Any]
    pending: Any = None
    calls: int = 0
    done: bool = False
    result: Any = None
    error: BaseException | None = None
    crash: bool = False
    """Set by the scheduler: the process ends right after the effect of its next call."""
    _go: Any = field(default_factory=threading.Lock)


class _Worker(threading.Thread):
    """A kept thread that runs one task after another."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(daemon=True)
        self.task: Task | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        self._scheduler = scheduler

    def run(self) -> None:
        while True:
            self.wake.acquire()
            task = self.task
            if task is None:
                return
            try:
                task.result = contextvars.Context().run(task.work)
            except BaseException as error:
                task.error = error
            task.done = True
            self.task = None
            self._scheduler.idle.append(self)
            self._scheduler.back.release()


class Scheduler:
    """Runs tasks one call at a time. Outside of :meth:`run` nothing is scheduled and ``pause`` does nothing."""

    def __init__(self) -> None:
        self.current: Task | None = None
        self.switches = 0
        self.back = threading.Lock()
        self.back.acquire()
        self.idle: list[_Worker] = []

    def run(self, tasks: Sequence[Task], choose: Callable[[list[Task]], Task]) -> None:
        """Run all tasks to their ends; ``choose`` picks who goes on among those that are not done."""
        if self.current is not None:
            raise RuntimeError("tasks do not nest")
        for task in tasks:
            task._go.acquire()  # noqa: SLF001
            self._begin(task)
        waiting = [task for task in tasks if not task.done]
        while waiting:
            task = choose(waiting)
            self.switches += 1
            self.current = task
            task._go.release()  # noqa: SLF001
            self.back.acquire()
            self.current = None
            waiting = [task for task in tasks if not task.done]

    def _begin(self, task: Task) -> None:
        """Let the task run up to its first call: nothing outside of it can tell."""
        worker = self.idle.pop() if self.idle else self._worker()
        worker.task = task
        self.current = task
        worker.wake.release()
        self.back.acquire()
        self.current = None

    def _worker(self) -> _Worker:
        worker = _Worker(self)
        worker.start()
        return worker

    def pause(self, pending: Any) -> None:
        """Hand over before a call; returns when this task may make it."""
        task = self.current
        if task is None:
            return
        task.pending = pending
        task.calls += 1
        self.back.release()
        task._go.acquire()  # noqa: SLF001

    def close(self) -> None:
        """End the kept threads."""
        for worker in self.idle:
            worker.task = None
            worker.wake.release()
        self.idle.clear()
