"""Files of requests: uploaded, checked, kept and shown as evidence of complaints is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.complaints import service as complaints
from chalicelib.requests.domain import File, Request
from chalicelib.runtime.db.work import UnitOfWork

_Kept = complaints.files.Evidence


def attach(request_id: str, account_id: str, file_ids: Sequence[str]) -> tuple[File, ...]:
    """Check uploads of this account and keep them with the request. Doing it again does the same.

    Raises:
        EvidenceMissing, EvidenceRefused: for the first that is not there, or not what it should be.
    """
    kept = complaints.files.attach(request_id, account_id, file_ids)
    return tuple(File(one.evidence_id, one.content_type, one.size) for one in kept)


def link(request_id: str, file: File) -> tuple[str, datetime]:
    """Return an address that shows a file for a few minutes, and until when."""
    return complaints.files.link(request_id, _kept(file))


def stored(request: Request) -> list[tuple[str, str, int]]:
    """Return the files of a request: what each is called, where it lies, how long it is."""
    return [(*complaints.files.stored(request.request_id, _kept(file)), file.size) for file in request.files]


def erase(request_id: str, files: Iterable[File]) -> None:
    """Delete the copies, before the request forgets them."""
    complaints.files.erase(request_id, [_kept(file) for file in files])


def forget(work: UnitOfWork, files: Iterable[File]) -> None:
    """Forget where they were kept, in the work in which the request forgets them."""
    complaints.files.forget(work, [_kept(file) for file in files])


def _kept(file: File) -> _Kept:
    return _Kept(file.file_id, file.content_type, file.size)
