"""Wire models of archives."""

from __future__ import annotations

from datetime import datetime

from chalicelib.privacy.archive.domain import Archive, Status
from chalicelib.runtime.schema import Schema, Timestamp


class ArchiveView(Schema):
    """What became of a person's wish for a copy of everything."""

    status: Status
    asked_at: Timestamp
    ends_at: Timestamp | None
    """When it is deleted by itself, or given up."""
    records: int
    files_left_out: int
    """Files of complaints that no longer fitted; each is shown with its complaint."""
    bytes: int | None = None

    @classmethod
    def of(cls, archive: Archive) -> ArchiveView:
        """Return the wire form."""
        return cls(
            status=archive.status,
            asked_at=archive.asked_at,
            ends_at=archive.due_at,
            records=archive.making.records,
            files_left_out=archive.making.left_out,
            bytes=archive.size or None,
        )


class ArchiveLink(Schema):
    """Where the archive can be fetched, and until when: whoever has the address has the archive."""

    url: str
    expires_at: Timestamp

    @classmethod
    def of(cls, url: str, expires_at: datetime) -> ArchiveLink:
        """Return the wire form."""
        return cls(url=url, expires_at=expires_at)
