"""Facts about reconciliations and cases."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class ReconciliationAdvanced(Event, frozen=True, tag="reconciliation.advanced"):
    """A run has come to a step, which is now to be done."""

    run_id: str
    step: int

    @property
    def subject(self) -> str:
        """One step of one run."""
        return f"{self.run_id}#{self.step}"


class CaseEvent(Event, frozen=True, kw_only=True):
    """Base: a fact about one case."""

    case_id: str
    kind: str
    opening: int = 1
    """Which time it was opened: what fitted may come to differ again."""

    @property
    def subject(self) -> str:
        """One opening of the case."""
        return self.case_id if self.opening == 1 else f"{self.case_id}#{self.opening}"


class CaseOpened(CaseEvent, frozen=True, kw_only=True, tag="case.opened"):
    """Money does not fit, and no rule of ours may mend it: an operator must look."""


class CaseClosed(CaseEvent, frozen=True, kw_only=True, tag="case.closed"):
    """It fits after all (``settled``), or an operator said what became of it (``resolved``)."""

    how: str
