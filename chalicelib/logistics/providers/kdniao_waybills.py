"""Waybills by KDNiao's ``EOrderService`` (1007): one answer has the carrier's number and the label as HTML.

Calling one off is not offered: how a hub wants that is not established.
"""

from __future__ import annotations

from typing import Any

from chalicelib.logistics.ports import Drawn, Party, WaybillOrder
from chalicelib.logistics.providers import kdniao, kdniao_codes
from chalicelib.logistics.providers.kdniao_snapshots import text

PATH = "/api/EOrderService"
DRAW = "1007"
_UNCERTAIN = ("重复", "超时", "繁忙")
"""Not refused: drawn before, or perhaps."""


class KDNiaoWaybills:
    """The adapter."""

    def serves(self, carrier: str) -> bool:
        """Say whether it has a code for a carrier of ours."""
        return carrier in kdniao_codes.CODE_OF

    def draw(self, wanted: WaybillOrder) -> Drawn:
        """Draw a number and a label.

        Raises:
            OutboundTimeout, OutboundFailed: if the hub did not answer.
        """
        answer = kdniao.call(PATH, DRAW, _data(wanted)) or {}
        order = answer.get("Order")
        number = text(order.get("LogisticCode")) if isinstance(order, dict) else ""
        reason = text(answer.get("Reason"))
        if number and (kdniao.succeeded(answer) or "重复" in reason):
            return Drawn(number=number, label=text(answer.get("PrintTemplate")))
        if kdniao.succeeded(answer) or not reason or any(word in reason for word in _UNCERTAIN):
            return Drawn()
        return Drawn(refused=reason[:100])


def issuer() -> KDNiaoWaybills:
    """Return the adapter."""
    return KDNiaoWaybills()


def _data(wanted: WaybillOrder) -> dict[str, Any]:
    account = {"CustomerName": wanted.customer, "CustomerPwd": wanted.password, "MonthCode": wanted.month_code}
    weight = {} if wanted.weight_g is None else {"Weight": wanted.weight_g / 1000}
    return {
        "OrderCode": wanted.number,
        "ShipperCode": kdniao_codes.CODE_OF[wanted.carrier],
        **{name: value for name, value in account.items() if value},
        "PayType": 3 if wanted.month_code else 1,
        "ExpType": "1",
        "Sender": _party(wanted.sender),
        "Receiver": _party(wanted.receiver),
        "Commodity": [{"GoodsName": wanted.goods, "Goodsquantity": 1}],
        **weight,
        "Quantity": 1,
        "IsReturnPrintTemplate": "1",
    }


def _party(party: Party) -> dict[str, str]:
    return {
        "Name": party.name,
        "Mobile": party.phone.removeprefix("+86"),
        "ProvinceName": party.province,
        "CityName": party.city,
        "ExpAreaName": party.district,
        "Address": party.street,
    }
