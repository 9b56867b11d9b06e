"""What messages are about, as people choose among them. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chalicelib.kernel.texts import Texts


class Topic(StrEnum):
    """What a message is about."""

    ORDERS = "orders"
    PARCELS = "parcels"
    MONEY = "money"
    CASES = "cases"
    """Complaints, returns and requests: somebody's turn, or a decision."""
    SHOP = "shop"
    """What a merchant's people have to do day by day."""
    SECURITY = "security"
    OFFERS = "offers"


@dataclass(frozen=True, slots=True)
class Habits:
    """How a topic is told unless its reader says otherwise."""

    title: Texts
    carried: bool = True
    """Whether it is brought to people, or only put into their inbox."""
    by_text: bool = False
    """Whether it is worth a text message, where nothing cheaper reaches its reader."""
    wakes: bool = False
    """Whether it comes in quiet hours, too."""
    may_end: bool = True
    """Whether its reader may have it brought no more: what is about their account's safety always comes."""


TOPICS: Final[Mapping[Topic, Habits]] = {
    Topic.ORDERS: Habits(("Your orders", "订单")),
    Topic.PARCELS: Habits(("Parcels on their way to you", "物流")),
    Topic.MONEY: Habits(("Money that goes back to you", "退款"), by_text=True),
    Topic.CASES: Habits(("Complaints, returns and requests", "投诉、退换与需求"), by_text=True),
    Topic.SHOP: Habits(("The shop's daily work", "店铺日常"), carried=False),
    Topic.SECURITY: Habits(("Your account's safety", "账号安全"), by_text=True, wakes=True, may_end=False),
    Topic.OFFERS: Habits(("Offers", "优惠")),
}
