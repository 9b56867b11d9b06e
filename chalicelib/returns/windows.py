"""Until when goods may go back, what is excluded, and why. Rules of ``CN-SDR`` and ``CN-CPL`` as data. Pure.

Without a reason: seven days, counted from the day after the parcel was signed for, to 24:00 in Shanghai, a last day of
rest moving on for the buyer. Goods that the law excludes, or lets a merchant exclude, are excluded only where the buyer
confirmed it for this very purchase; a confirmation that nobody kept excludes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chalicelib.kernel.calendars import Term, Unit
from chalicelib.kernel.errors import Conflict
from chalicelib.orders import service as orders
from chalicelib.orders.service import Line, Order
from chalicelib.returns.domain import Reason

WITHOUT_REASON: Final = Term(7, Unit.BUYERS_DAYS)
FAULTY: Final = Term(15, Unit.BUYERS_DAYS)
"""Longer than the seven days of the law: what is found later is a complaint."""


class NotReturnable(Conflict):
    """A line does not go back: for its kind, its time, or because the buyer confirmed that it does not."""

    code = "not_returnable"
    en = "Line {line_id} cannot be returned: {why}."
    zh = "订单行 {line_id} 不能退换：{why}。"
    shown = ("line_id", "why")
    texts_of = {  # noqa: RUF012
        "why": {
            "kind": ("only goods that were shipped go back; file a complaint", "仅实物商品可退换，请提交投诉"),
            "not_received": ("it has not arrived", "尚未签收"),
            "too_late": ("its time is over; file a complaint", "已超过退换期限，请提交投诉"),
            "excluded": (
                "you confirmed at checkout that it is not returned without a reason",
                "您在下单时已确认该商品不适用七日无理由退货",
            ),
        }
    }


@dataclass(frozen=True, slots=True)
class Window:
    """How one line stands: why it cannot go back, empty if it can, and until when."""

    why: str = ""
    until: datetime | None = None


def window(order: Order, line: Line, reason: Reason, *, now: datetime) -> Window:
    """Return whether a line may go back for a reason, and until when."""
    if line.kind != "physical":
        return Window("kind")
    if reason is Reason.NO_REASON and line.no_return:
        return Window("excluded")
    received = orders.received_at(order, line.line_id)
    if received is None:
        return Window("not_received")
    until = (WITHOUT_REASON if reason is Reason.NO_REASON else FAULTY).due(received).at
    return Window("too_late" if now >= until else "", until)


def check(order: Order, wanted: Mapping[str, int], reason: Reason, *, now: datetime) -> None:
    """Refuse units that do not go back.

    Raises:
        NotReturnable: naming the first such line, and why.
    """
    for line in order.lines:
        if line.line_id in wanted:
            found = window(order, line, reason, now=now)
            if found.why:
                raise NotReturnable(line_id=line.line_id, why=found.why)
