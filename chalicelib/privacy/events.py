"""Facts about erasures. An account's number, and nothing else of anybody."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class ErasureAdvanced(Event, frozen=True, tag="erasure.advanced"):
    """One step is done; the next one follows at once."""

    erasure_id: str
    step: int

    @property
    def subject(self) -> str:
        """The erasure and its step."""
        return f"{self.erasure_id}#{self.step}"
