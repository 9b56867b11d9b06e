"""State machines as tables: ``{state: {cause: state}}`` and ``{state: (duration, cause)}``, checked at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from chalicelib.kernel.calendars import Due, Term
from chalicelib.kernel.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)
C = TypeVar("C", bound=StrEnum)


@dataclass(frozen=True)
class StateMachine(Generic[S, C]):
    """One table. A state without edges is terminal; a deadline names the cause that fires when the state times out.

    ``deadlines`` are lengths of time, ``terms`` are counted by the calendar. A state has one of them at most.

    Raises:
        ValueError: at construction (so at import) if a state has no row, cannot be reached, or if a deadline
            stands on a terminal state or names a cause that the state does not take.
    """

    name: str
    initial: S
    edges: Mapping[S, Mapping[C, S]]
    deadlines: Mapping[S, tuple[timedelta, C]] = field(default_factory=dict)
    terms: Mapping[S, tuple[Term, C]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = set(type(self.initial)) - set(self.edges)
        if missing:
            raise ValueError(f"{self.name}: no row for {sorted(missing)}")
        reached, frontier = {self.initial}, [self.initial]
        while frontier:
            for target in self.edges[frontier.pop()].values():
                if target not in reached:
                    reached.add(target)
                    frontier.append(target)
        unreachable = set(self.edges) - reached
        if unreachable:
            raise ValueError(f"{self.name}: unreachable {sorted(unreachable)}")
        self._check_deadlines()

    def _check_deadlines(self) -> None:
        twice = set(self.deadlines) & set(self.terms)
        if twice:
            raise ValueError(f"{self.name}: two deadlines of {sorted(twice)}")
        for state in (*self.deadlines, *self.terms):
            cause = self.timeout(state)
            if cause not in self.edges[state]:
                raise ValueError(f"{self.name}: deadline of {state} fires {cause}, which it does not take")
        for state, (duration, _) in self.deadlines.items():
            if duration <= timedelta():
                raise ValueError(f"{self.name}: deadline of {state} is not in the future")

    def next(self, state: S, cause: C) -> S:
        """Return the state that ``cause`` leads to.

        Raises:
            IllegalTransition: if the state does not take the cause.
        """
        target = self.edges[state].get(cause)
        if target is None:
            raise IllegalTransition(machine=self.name, state=str(state), cause=str(cause))
        return target

    def takes(self, state: S, cause: C) -> bool:
        """Say whether the state has an edge for the cause."""
        return cause in self.edges[state]

    def is_terminal(self, state: S) -> bool:
        """Say whether nothing leads out of the state."""
        return not self.edges[state]

    def due_at(self, state: S, since: datetime) -> datetime | None:
        """Return when the state times out if it was entered at ``since``; None where it has no deadline."""
        due = self.due(state, since)
        return due.at if due else None

    def due(self, state: S, since: datetime) -> Due | None:
        """Return the same, and whether it is estimated because a year's days of rest are not known yet."""
        if state in self.terms:
            return self.terms[state][0].due(since)
        return Due(since + self.deadlines[state][0]) if state in self.deadlines else None

    def timeout(self, state: S) -> C | None:
        """Return the cause that fires when the state times out."""
        deadline = self.terms.get(state) or self.deadlines.get(state)
        return deadline[1] if deadline else None

    def mermaid(self) -> str:
        """Draw the table as a Mermaid state diagram: the docs' pictures are this very table."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        for state, row in self.edges.items():
            timeout = self.terms.get(state) or self.deadlines.get(state)
            for cause, target in row.items():
                clock = f" (after {_words(timeout[0])})" if timeout and timeout[1] == cause else ""
                lines.append(f"    {state} --> {target}: {cause}{clock}")
            if not row:
                lines.append(f"    {state} --> [*]")
        return "\n".join(lines)


def _words(duration: timedelta | Term) -> str:
    if isinstance(duration, Term):
        return duration.text("en")
    seconds = int(duration.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
