"""What a return forgets of its people, once it is over: what was written, and where it went."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.kernel.pages import Place, Window
from chalicelib.returns import store
from chalicelib.returns.domain import Return
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def returns_of(buyer_id: str, after: Place | None, *, limit: int) -> tuple[list[Return], Place | None]:
    """Return one page of a buyer's returns, and where the next begins."""
    page = store.list_for("buyer", buyer_id, Window(limit=limit, after=after))
    return list(page.items), page.after


def is_over(found: Return) -> bool:
    """Say whether nobody waits for anything in it, and no deadline is left."""
    return found.due_at is None


def forget(return_id: str) -> None:
    """Forget what was written in a return and where it went; that there was one, and how it ended, stays."""

    def attempt() -> None:
        found = store.load(return_id)
        history = tuple(replace(entry, text="") for entry in found.history)
        if history == found.history and found.address is store.NOWHERE:
            return
        with UnitOfWork() as work:
            store.save(work, replace(found, history=history, address=store.NOWHERE, label=""))

    racing(attempt)
