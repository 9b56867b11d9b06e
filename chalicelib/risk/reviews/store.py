"""Rows of reviews: by state for operators, by person for whom they are about."""

from __future__ import annotations

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Page, Window
from chalicelib.risk.domain import SubjectKind
from chalicelib.risk.finding_store import FindingDoc, ShelfIndex
from chalicelib.risk.reviews.domain import SHOWN, Cause, Review, Status, Step
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, region
from chalicelib.runtime.db.work import UnitOfWork


class _StepDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    at_ms: int
    cause: str
    by: str
    said: str = ""
    intent: str = ""
    fingerprint: str = ""


class _ReviewDoc(msgspec.Struct, omit_defaults=True):
    found: FindingDoc
    holder: str = ""
    decided_by: str = ""
    history: tuple[_StepDoc, ...] = ()


class ToldIndex(GlobalSecondaryIndex["ReviewRow"]):
    """Sparse: reviews that their person sees."""

    class Meta:
        index_name = "told"
        projection = KeysOnlyProjection()

    told = UnicodeAttribute(hash_key=True)
    shelf_ms = NumberAttribute(range_key=True)


class ReviewRow(DueRow):
    """Key: the review's id."""

    class Meta:
        table_name = names.table_name("risk")
        region = region()

    key_of = UnicodeAttribute(hash_key=True)
    status = UnicodeAttribute()
    shelf = UnicodeAttribute()
    shelf_ms = NumberAttribute()
    told = UnicodeAttribute(null=True)
    doc = DocumentAttribute[_ReviewDoc](_ReviewDoc)
    due = DueIndex()
    on_shelf = ShelfIndex()
    of_person = ToldIndex()


def load(review_id: str) -> Review:
    """Read one review as it is now.

    Raises:
        NotFound: if there is none.
    """
    row = reads.get(ReviewRow, review_id, consistent=True)
    if row is None:
        raise NotFound(what="review")
    return _review(row)


def save(work: UnitOfWork, review: Review) -> None:
    """Write a review in the caller's work; a rival's write is a lost race."""
    subject = review.finding.subject
    told = subject.name if subject.kind is SubjectKind.ACCOUNT and review.status in SHOWN else None
    row = ReviewRow(
        key_of=review.review_id,
        status=review.status.value,
        shelf=f"review#{review.status}",
        shelf_ms=epoch_ms(review.since),
        told=told,
        doc=_ReviewDoc(
            FindingDoc.of(review.finding),
            review.holder,
            review.decided_by,
            tuple(
                _StepDoc(epoch_ms(one.at), one.cause.value, one.by, one.said, one.intent, one.fingerprint)
                for one in review.history
            ),
        ),
        version=review.version,
    )
    row.set_due(review.due_at, review.review_id)
    work.save(row, refuse=lost, label="review")


def list_by(status: Status, window: Window) -> Page[Review]:
    """Return one page of reviews in a state, the oldest first."""
    return _page(reads.windowed(ReviewRow, f"review#{status}", window, index=ReviewRow.on_shelf))


def list_of(account_id: str, window: Window) -> Page[Review]:
    """Return one page of what a person is shown, the latest first."""
    return _page(reads.windowed(ReviewRow, account_id, window, index=ReviewRow.of_person, descending=True))


def _page(found: Page[reads.Raw]) -> Page[Review]:
    keys = [item["key_of"]["S"] for item in found.items]
    rows = reads.get_many((ReviewRow, key, None) for key in keys)
    kept = [rows[(key, None)] for key in keys if (key, None) in rows]
    return Page([_review(row) for row in kept if isinstance(row, ReviewRow)], found.after)


def _review(row: ReviewRow) -> Review:
    doc = row.doc
    return Review(
        review_id=row.key_of,
        finding=doc.found.finding(),
        status=Status(row.status),
        since=from_epoch_ms(row.shelf_ms),
        holder=doc.holder,
        decided_by=doc.decided_by,
        history=tuple(
            Step(from_epoch_ms(one.at_ms), Cause(one.cause), one.by, one.said, one.intent, one.fingerprint)
            for one in doc.history
        ),
        version=int(row.version),
    )
