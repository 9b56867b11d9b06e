"""Facts about feedback and questions how a case was."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class FeedbackAnswered(Event, frozen=True, tag="feedback.answered"):
    """The platform answered what somebody told it."""

    feedback_id: str
    account_id: str
    number: int

    @property
    def subject(self) -> str:
        """The feedback and which answer."""
        return f"{self.feedback_id}#{self.number}"


class SatisfactionAsked(Event, frozen=True, tag="satisfaction.asked"):
    """A case is over: its buyer is asked, once, how it was."""

    survey_id: str
    account_id: str
    case_id: str

    @property
    def subject(self) -> str:
        """The question: there is one a case."""
        return self.survey_id
