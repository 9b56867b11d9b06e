"""What happened in a conversation, and who speaks, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.conversations.domain import Cause, Queue, Side
from chalicelib.kernel.errors import OTHERWISE
from chalicelib.kernel.texts import Texts, said

SIDES: Mapping[Side, Texts] = {
    Side.BUYER: ("Buyer", "买家"),
    Side.MERCHANT: ("Merchant", "商家"),
    Side.SERVICE: ("Customer service", "平台客服"),
    Side.PLATFORM: ("System", "系统"),
}
STEPS: Mapping[Cause, Texts] = {
    Cause.CALL: ("The service was called in", "已请平台客服介入"),
    Cause.SILENCE: ("The merchant did not answer in time; the service was called in", "商家超时未回复，已转平台客服"),
    Cause.TAKE: ("Somebody of the service took it", "客服已接入"),
    Cause.PASS_ON: ("Passed on to another queue", "已转交其他队列"),
    Cause.HAND_OVER: ("Handed over to a colleague", "已转交其他客服"),
    Cause.GIVE_BACK: ("Back in the queue: nobody went on with it", "客服超时未处理，已退回队列"),
    Cause.CHASE: ("Still waits for the service", "仍在等待客服接入"),
    Cause.SOLVE: ("Solved", "已解决"),
    Cause.LAPSE: ("Over: nobody went on with it", "超时未继续，会话已结束"),
    Cause.CLOSE: ("Closed", "会话已关闭"),
    Cause.REOPEN: ("Opened again", "会话重新开启"),
}
"""Causes that stand in a conversation as a line of their own; the others only come with words."""
QUEUES: Mapping[Queue, Texts] = {
    Queue.GOODS: ("Goods", "商品咨询"),
    Queue.ORDERS: ("Orders", "订单咨询"),
    Queue.CASES: ("Complaints", "投诉咨询"),
}


def side_text(side: Side, language: str) -> str:
    """Return who speaks, for a person."""
    return said(SIDES[side], language)


def step_text(cause: Cause, language: str) -> str:
    """Return what happened, for a person."""
    return said(STEPS.get(cause, OTHERWISE), language)
