"""Files that other records than complaints keep: uploaded, checked and shown as evidence is (:mod:`evidence`)."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.complaints import evidence, upload_store
from chalicelib.complaints.domain import Evidence as Evidence  # noqa: PLC0414 - whoever keeps files names them so
from chalicelib.complaints.refusals import EvidenceMissing as EvidenceMissing  # noqa: PLC0414 - as above
from chalicelib.complaints.refusals import EvidenceRefused as EvidenceRefused  # noqa: PLC0414 - as above
from chalicelib.runtime.db.work import UnitOfWork

attach = evidence.attach
link = evidence.link
stored = evidence.stored


def erase(record_id: str, files: Iterable[Evidence]) -> None:
    """Delete the copies of a record's files, before the record forgets them: a run that is cut off finds them again."""
    for file in files:
        evidence.erase(record_id, file)


def forget(work: UnitOfWork, files: Iterable[Evidence]) -> None:
    """Forget where files were kept, in the work in which their record forgets them."""
    for row in upload_store.kept_rows(file.evidence_id for file in files):
        work.delete(row, label="evidence")
