"""What feedback forgets of somebody: what they told, and what they wrote about cases. The scores stay, as counts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from chalicelib.feedback import store
from chalicelib.kernel.pages import Place, Window
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def forget(account_id: str) -> None:
    """Delete what somebody told, and take their words off what they were asked. Again changes nothing."""
    after: Place | None = None
    while True:
        page = store.list_of(account_id, Window(limit=25, after=after))
        for one in page.items:
            racing(partial(_delete, one.feedback_id))
        after = page.after
        if after is None:
            break
    while True:
        asked = store.surveys_of(account_id, Window(limit=25, after=after))
        for survey in asked.items:
            racing(partial(_blank, survey.survey_id))
        after = asked.after
        if after is None:
            break
    store.forget_today(account_id)


def _delete(feedback_id: str) -> None:
    found = store.find(feedback_id)
    if found is not None:
        store.delete(found)


def _blank(survey_id: str) -> None:
    found = store.survey(survey_id)
    if found is not None and found.text:
        with UnitOfWork() as work:
            store.save_survey(work, replace(found, text=""))
