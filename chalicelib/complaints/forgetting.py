"""What a complaint forgets of its buyer, once it is decided: what was written, and the files."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.complaints import evidence, store, upload_store
from chalicelib.complaints.domain import Complaint
from chalicelib.kernel.pages import Place, Window
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def complaints_of(buyer_id: str, after: Place | None, *, limit: int) -> tuple[list[Complaint], Place | None]:
    """Return one page of a buyer's complaints, and where the next begins."""
    page = store.list_for("buyer", buyer_id, Window(limit=limit, after=after))
    return list(page.items), page.after


def is_over(complaint: Complaint) -> bool:
    """Say whether nobody waits for anything in it, and no deadline is left."""
    return complaint.due_at is None


def files_of(complaint: Complaint) -> list[tuple[str, str, int]]:
    """Return the files of a complaint: what each is called, where it lies, how long it is."""
    files = [file for entry in complaint.history for file in entry.evidence]
    return [(*evidence.stored(complaint.complaint_id, file), file.size) for file in files]


def forget(complaint_id: str) -> None:
    """Forget what was written in a complaint and its files; that there was one, and how it ended, stays.

    Files first: as long as the complaint names them, a run that was cut off finds them again.
    """

    def attempt() -> None:
        complaint = store.load(complaint_id)
        files = [file for entry in complaint.history for file in entry.evidence]
        for file in files:
            evidence.erase(complaint_id, file)
        changed = replace(
            complaint,
            history=tuple(replace(entry, text="", evidence=()) for entry in complaint.history),
            decisions=tuple(replace(decision, facts="", proof=()) for decision in complaint.decisions),
        )
        if changed == complaint:
            return
        with UnitOfWork() as work:
            store.save(work, changed)
            for row in upload_store.kept_rows(file.evidence_id for file in files):
                work.delete(row, label="evidence")

    racing(attempt)
