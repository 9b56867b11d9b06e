"""How a delivery stands, in words."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.kernel.texts import Texts
from chalicelib.virtual.domain import Form, Status

STATUS: Mapping[Status, Texts] = {
    Status.AWAITING: ("Waiting for the merchant to deliver", "等待商家交付"),
    Status.OVERDUE: ("Not delivered by the agreed time: you may complain", "商家未按约定时间交付，您可以投诉"),
    Status.DELIVERED: ("Delivered", "已交付"),
    Status.CONFIRMED: ("Confirmed", "已确认收到"),
    Status.CALLED_OFF: ("Paid back before it was delivered", "交付前已退款"),
    Status.REVOKED: ("Paid back and no longer valid", "已退款，内容已失效"),
}

FORM: Mapping[Form, Texts] = {
    Form.CODE: ("Code", "兑换码"),
    Form.TEXT: ("Text", "文本"),
    Form.LINK: ("Link", "链接"),
    Form.FILE: ("File", "文件"),
}
