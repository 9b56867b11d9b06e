"""Files of complaints in the uploads bucket: uploaded by the client, checked by their bytes, shown for minutes.

An upload lands under ``evidence/incoming/<account>/<evidence>`` by a signed form that fixes key, type and size; an
account gets forms for so many files and bytes a day. Attaching it to a complaint reads first bytes and headers in one
ranged read, then copies exactly that object (by its ETag) to ``evidence/kept/<complaint>/<evidence>``: what was checked
is what is shown, whatever is uploaded afterwards. Attached again, here or elsewhere, the one copy serves. What is never
attached expires with its prefix after two days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.complaints import upload_store
from chalicelib.complaints.domain import Evidence
from chalicelib.complaints.refusals import EvidenceMissing, EvidenceRefused
from chalicelib.complaints.uploads import MB, Kept
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy
from chalicelib.runtime import objects
from chalicelib.runtime.db.races import racing

UPLOAD_WITHIN = timedelta(minutes=15)
SHOW_FOR = timedelta(minutes=5)
_HEAD = 16


@dataclass(frozen=True, slots=True)
class Kind:
    """A media type that is taken: how large, and what its files begin with."""

    cap: int
    extension: str
    begins: Callable[[bytes], bool]


KINDS: Mapping[str, Kind] = {
    "image/jpeg": Kind(5 * MB, "jpg", lambda head: head.startswith(b"\xff\xd8\xff")),
    "image/png": Kind(5 * MB, "png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    "image/webp": Kind(5 * MB, "webp", lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP"),
    "application/pdf": Kind(5 * MB, "pdf", lambda head: head.startswith(b"%PDF-")),
    "video/mp4": Kind(20 * MB, "mp4", lambda head: head[4:8] == b"ftyp"),
}
MAX_CAP = max(kind.cap for kind in KINDS.values())


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where and how to upload: a form for S3, until a moment."""

    evidence_id: str
    url: str
    fields: dict[str, str]
    expires_at: datetime


def ticket(account_id: str, evidence_id: str, *, content_type: str, size: int) -> Ticket:
    """Return a signed form that takes exactly this type, at most this many bytes, and no other place.

    Raises:
        EvidenceRefused: if the type is not taken, or the size is over its cap.
        TooManyUploads: if the account had too many forms today.
        Busy: if it asked for many at once.
    """
    kind = KINDS.get(content_type)
    if kind is None:
        raise EvidenceRefused(evidence_id=evidence_id, why="type")
    if not 0 < size <= kind.cap:
        raise EvidenceRefused(evidence_id=evidence_id, why="size")
    racing(lambda: _count(account_id, evidence_id, size), otherwise=Busy)
    incoming = _incoming(account_id, evidence_id)
    form = objects.upload_form(incoming, largest=size, content_type=content_type, within=UPLOAD_WITHIN)
    return Ticket(evidence_id, form.url, form.fields, clock.now() + UPLOAD_WITHIN)


def _count(account_id: str, evidence_id: str, size: int) -> None:
    """Count a form; one that was given before is given again for nothing."""
    before = upload_store.day(account_id, clock.now().astimezone(clock.CHINA).date().isoformat())
    after = before.having(evidence_id, size)
    if after.files != before.files:
        upload_store.save_day(after)


def attach(complaint_id: str, account_id: str, evidence_ids: Sequence[str]) -> tuple[Evidence, ...]:
    """Check uploads of this account and keep them with the complaint. Doing it again does the same.

    Raises:
        EvidenceMissing, EvidenceRefused: for the first that is not there, or not what it should be.
    """
    return tuple(_attach(complaint_id, account_id, evidence_id) for evidence_id in dict.fromkeys(evidence_ids))


def _attach(complaint_id: str, account_id: str, evidence_id: str) -> Evidence:
    if not ids.is_id("evd", evidence_id):
        raise EvidenceMissing(evidence_id=evidence_id)
    kept = upload_store.kept(evidence_id)
    if kept is None:
        found = _checked(account_id, evidence_id)
        _copy(account_id, complaint_id, evidence_id, found)
        kept = upload_store.keep(Kept(evidence_id, account_id, complaint_id, found.content_type, found.size))
    if kept.account_id != account_id:
        raise EvidenceMissing(evidence_id=evidence_id)
    return Evidence(evidence_id, kept.content_type, kept.size)


def _checked(account_id: str, evidence_id: str) -> objects.Piece:
    """Return the beginning of the upload, if it is what its type says."""
    found = _read_head(_incoming(account_id, evidence_id), evidence_id)
    kind = KINDS.get(found.content_type)
    if kind is None:
        raise EvidenceRefused(evidence_id=evidence_id, why="type")
    if found.size > kind.cap:
        raise EvidenceRefused(evidence_id=evidence_id, why="size")
    if not kind.begins(found.content):
        raise EvidenceRefused(evidence_id=evidence_id, why="content")
    return found


def _copy(account_id: str, complaint_id: str, evidence_id: str, found: objects.Piece) -> None:
    source, kept = _incoming(account_id, evidence_id), _kept(complaint_id, evidence_id)
    try:
        objects.copy(source, kept, etag=found.etag, content_type=found.content_type)
    except objects.Changed as error:
        raise EvidenceRefused(evidence_id=evidence_id, why="changed") from error


def _read_head(key: str, evidence_id: str) -> objects.Piece:
    try:
        return objects.begin_of(key, _HEAD)
    except objects.Missing as error:
        raise EvidenceMissing(evidence_id=evidence_id) from error
    except objects.OutOfRange as error:
        raise EvidenceRefused(evidence_id=evidence_id, why="content") from error


def link(complaint_id: str, file: Evidence) -> tuple[str, datetime]:
    """Return an address that shows the file for a few minutes, and until when. It is downloaded, never run."""
    kept = upload_store.kept(file.evidence_id)
    under = kept.complaint_id if kept is not None else complaint_id  # Those of earlier days lie under each complaint.
    name = f"{file.evidence_id}.{KINDS[file.content_type].extension}"
    url = objects.download_url(_kept(under, file.evidence_id), name, within=SHOW_FOR, content_type=file.content_type)
    return url, clock.now() + SHOW_FOR


def stored(complaint_id: str, file: Evidence) -> tuple[str, str]:
    """Return what a file is called, and where its one copy lies."""
    kept = upload_store.kept(file.evidence_id)
    under = kept.complaint_id if kept is not None else complaint_id
    return f"{file.evidence_id}.{KINDS[file.content_type].extension}", _kept(under, file.evidence_id)


def known_hash(file: Evidence) -> str:
    """Return the SHA-256 of a file's bytes, where it was counted before."""
    kept = upload_store.kept(file.evidence_id)
    return kept.sha256 if kept is not None else ""


def hashed(complaint_id: str, file: Evidence) -> str:
    """Read a file whole, and keep the SHA-256 of its bytes; those of earlier days have no row to keep it in."""
    kept = upload_store.kept(file.evidence_id)
    under = kept.complaint_id if kept is not None else complaint_id
    found = hashlib.sha256(objects.get(_kept(under, file.evidence_id))).hexdigest()
    if kept is not None:
        upload_store.note_hash(kept, found)
    return found


def erase(complaint_id: str, file: Evidence) -> None:
    """Delete the one copy of a file, with all its versions."""
    kept = upload_store.kept(file.evidence_id)
    objects.erase(_kept(kept.complaint_id if kept is not None else complaint_id, file.evidence_id))


def _incoming(account_id: str, evidence_id: str) -> str:
    return f"evidence/incoming/{account_id}/{evidence_id}"


def _kept(complaint_id: str, evidence_id: str) -> str:
    return f"evidence/kept/{complaint_id}/{evidence_id}"


# --- uploads of others: each keeps a copy of its own, which is erased without anybody else's


def copy_upload(owner_id: str, account_id: str, evidence_id: str, *, only: Collection[str]) -> tuple[str, str, int]:
    """Keep a copy of an upload with a record of another room; returns its number, type and size. Again does the same.

    Raises:
        EvidenceMissing, EvidenceRefused: if it is not there, not of these types, or not what it should be.
    """
    if not ids.is_id("evd", evidence_id):
        raise EvidenceMissing(evidence_id=evidence_id)
    try:
        kept = objects.begin_of(_kept(owner_id, evidence_id), _HEAD)
    except objects.Missing:
        kept = _checked(account_id, evidence_id)
        if kept.content_type not in only:
            raise EvidenceRefused(evidence_id=evidence_id, why="type") from None
        _copy(account_id, owner_id, evidence_id, kept)
    return evidence_id, kept.content_type, kept.size


def link_copy(owner_id: str, evidence_id: str, content_type: str) -> tuple[str, datetime]:
    """Return an address that shows such a copy for a few minutes, and until when. It is downloaded, never run."""
    name, key = place_of_copy(owner_id, evidence_id, content_type)
    return objects.download_url(key, name, within=SHOW_FOR, content_type=content_type), clock.now() + SHOW_FOR


def place_of_copy(owner_id: str, evidence_id: str, content_type: str) -> tuple[str, str]:
    """Return what such a copy is called, and where it lies."""
    return f"{evidence_id}.{KINDS[content_type].extension}", _kept(owner_id, evidence_id)


def erase_copy(owner_id: str, evidence_id: str) -> None:
    """Delete such a copy, with all its versions."""
    objects.erase(_kept(owner_id, evidence_id))
