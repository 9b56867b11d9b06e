"""What routes, consumers and other rooms call."""

from __future__ import annotations

from chalicelib.notifications.asking import Asked, ask, check_reaches, message_id_of
from chalicelib.notifications.domain import ChannelMissing, Kind, NotAgreed
from chalicelib.notifications.facts import Audience
from chalicelib.notifications.facts import Row as FactRow
from chalicelib.notifications.noticing import Notice, kinds_of_facts, note, rows_of
from chalicelib.notifications.preferences import AlwaysTold, Preferences, Quiet
from chalicelib.notifications.reading import (
    MOST_COUNTED,
    choose,
    forget,
    inbox,
    preferences,
    read_all,
    read_one,
    shown,
    unread,
)
from chalicelib.notifications.sending import COUNTED, send
from chalicelib.notifications.subscribed import NotThatPerson, Subscriptions
from chalicelib.notifications.subscribing import Answers, Template, offered, subscribe, subscriptions
from chalicelib.notifications.topics import TOPICS, Topic

__all__ = [
    "COUNTED",
    "MOST_COUNTED",
    "TOPICS",
    "AlwaysTold",
    "Answers",
    "Asked",
    "Audience",
    "ChannelMissing",
    "FactRow",
    "Kind",
    "NotAgreed",
    "NotThatPerson",
    "Notice",
    "Preferences",
    "Quiet",
    "Subscriptions",
    "Template",
    "Topic",
    "ask",
    "check_reaches",
    "choose",
    "forget",
    "inbox",
    "kinds_of_facts",
    "message_id_of",
    "note",
    "offered",
    "preferences",
    "read_all",
    "read_one",
    "rows_of",
    "send",
    "shown",
    "subscribe",
    "subscriptions",
    "unread",
]
