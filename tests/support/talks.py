"""Conversations, feedback and questions for tests, as far as somebody wants them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from chalicelib.conversations import service as conversations
from chalicelib.conversations.domain import About, Side
from chalicelib.conversations.service import Party, Words
from chalicelib.feedback import asking
from chalicelib.feedback import service as feedback
from chalicelib.feedback.domain import FeedbackTopic, Kind
from chalicelib.runtime.intents import Intent


def intent() -> Intent:
    """Return an intent that nobody had before."""
    return Intent("test", uuid4().hex, "once")


@dataclass(frozen=True)
class Talk:
    """A conversation about an order, and the three who talk."""

    conversation_id: str
    buyer: Party
    merchant: Party
    agent: Party

    @classmethod
    def about(
        cls, order_id: str, buyer_id: str, merchant_id: str, agent_id: str, *, pictures: tuple[str, ...] = ()
    ) -> Talk:
        """Let a buyer ask about an order."""
        buyer = Party(Side.BUYER, buyer_id, buyer_id)
        thread, _, _ = conversations.begin(buyer, About.ORDER, order_id, Words("When?", pictures), intent())
        merchant = Party(Side.MERCHANT, "acc_staff", merchant_id)
        return cls(thread.conversation_id, buyer, merchant, Party(Side.SERVICE, agent_id))

    def answered(self) -> Talk:
        """Let the merchant answer."""
        conversations.say(self.merchant, self.conversation_id, Words("Tomorrow."), intent())
        return self

    def called(self) -> Talk:
        """Let the buyer call the service."""
        conversations.call(self.buyer, self.conversation_id, intent())
        return self

    def taken(self) -> Talk:
        """Let the service take it."""
        conversations.take(self.called().agent, self.conversation_id, intent())
        return self

    def solved(self) -> Talk:
        """Let the buyer say that it is settled."""
        conversations.solve(self.buyer, self.conversation_id, intent())
        return self


def told(account_id: str) -> str:
    """Let somebody tell the platform something; returns its number."""
    return feedback.tell(account_id, Kind.WISH, "More tea.", intent())[0].feedback_id


def sorted_out(account_id: str, by: str) -> str:
    """Tell something, and have it sorted."""
    feedback_id = told(account_id)
    feedback.sort(feedback_id, FeedbackTopic.GOODS, by=by, intent=intent())
    return feedback_id


def answered(account_id: str, by: str) -> str:
    """Tell something, and have it answered."""
    feedback_id = sorted_out(account_id, by)
    feedback.answer(feedback_id, "Soon.", by=by, intent=intent())
    return feedback_id


def asked(talk: Talk) -> str:
    """Ask the buyer of a conversation how it was; returns the question's number."""
    talk.answered().solved()
    asking.ask_about_conversation(talk.conversation_id, talk.buyer.account_id, talk.merchant.owner_id)
    return asking.survey_id_of(talk.conversation_id)
