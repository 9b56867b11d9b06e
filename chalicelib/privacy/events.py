"""Facts about erasures and archives. An account's number, and nothing else of anybody."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class ArchiveAdvanced(Event, frozen=True, tag="archive.advanced"):
    """An archive was asked for, or one step of its making is done; the next one follows at once."""

    archive_id: str
    step: int

    @property
    def subject(self) -> str:
        """The archive and its step."""
        return f"{self.archive_id}#{self.step}"


class ErasureAdvanced(Event, frozen=True, tag="erasure.advanced"):
    """One step is done; the next one follows at once."""

    erasure_id: str
    step: int

    @property
    def subject(self) -> str:
        """The erasure and its step."""
        return f"{self.erasure_id}#{self.step}"
