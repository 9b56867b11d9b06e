"""Asks the buyer of a case that is over how it was: one question a case, however often the case ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from chalicelib.complaints import service as complaints
from chalicelib.conversations import service as conversations
from chalicelib.feedback import events, store
from chalicelib.feedback.surveys import CaseKind, Survey, SurveyOver
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

_CALLED_OFF: Final = "withdrawn"
"""How a complaint ends of which nobody is asked: its buyer ended it."""


def ask_about_complaint(complaint_id: str, status: str) -> None:
    """Ask the buyer of a complaint that is over how it was, unless they called it off or were asked before."""
    if status == _CALLED_OFF:
        return
    found = complaints.parties(complaint_id)
    _ask(CaseKind.COMPLAINT, complaint_id, found.buyer_id, found.merchant_id, agent="")


def ask_about_conversation(conversation_id: str, buyer_id: str, merchant_id: str) -> None:
    """Ask the buyer of a conversation that is over how it was, if anybody answered them and they were not asked yet."""
    was_answered, agent = conversations.answered_by(conversation_id)
    if was_answered:
        _ask(CaseKind.CONVERSATION, conversation_id, buyer_id, merchant_id, agent=agent)


def survey_id_of(case_id: str) -> str:
    """Return the question about a case: the same however often it is asked for."""
    return ids.derived_id("sat", case_id)


def _ask(kind: CaseKind, case_id: str, account_id: str, merchant_id: str, *, agent: str) -> None:
    survey_id = survey_id_of(case_id)

    def attempt() -> None:
        if store.survey(survey_id) is not None:
            return
        made = Survey(survey_id, account_id, merchant_id, kind, case_id, clock.now(), agent)
        fact = events.SatisfactionAsked(survey_id=survey_id, account_id=account_id, case_id=case_id)
        with UnitOfWork() as work:
            store.save_survey(work, made, [fact])
            for whose in _whose(made):
                store.count(work, whose, _month(made), "asked")

    racing(attempt, otherwise=Busy)


def answer(account_id: str, survey_id: str, score: int, text: str, intent: Intent) -> tuple[Survey, bool]:
    """Say how a case was, from one to five; says whether the same intent said so before.

    Raises:
        NotFound: if the caller was not asked.
        SurveyOver: if it was answered before, or is too long ago.
        IdempotencyKeyReused, Busy: as named.
    """

    def attempt() -> tuple[Survey, bool]:
        before = store.survey(survey_id)
        if before is None or before.account_id != account_id:
            raise NotFound(what="survey")
        if before.intent == intent.token:
            intent.check(before.fingerprint)
            return before, True
        now = clock.now()
        if not before.is_open(now):
            raise SurveyOver
        after = replace(
            before,
            score=score,
            text=text,
            answered_at=now,
            intent=intent.token,
            fingerprint=intent.fingerprint,
        )
        with UnitOfWork() as work:
            store.save_survey(work, after)
            for whose in _whose(after):
                store.count(work, whose, _month(after), f"score{score}")
        return replace(after, version=before.version + 1), False

    return racing(attempt, otherwise=Busy)


def _whose(survey: Survey) -> tuple[str, ...]:
    return (store.ALL, survey.merchant_id, *((survey.agent,) if survey.agent else ()))


def _month(survey: Survey) -> str:
    """Return the month a question is counted in: that in which it was asked, so that scores are of those asked."""
    return survey.asked_at.astimezone(clock.CHINA).date().isoformat()[:7]
