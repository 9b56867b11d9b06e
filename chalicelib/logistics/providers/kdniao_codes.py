"""What KDNiao's codes mean: its carriers, and where it says a parcel is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from chalicelib.logistics.domain import Status

PUSHES_END_AFTER = timedelta(days=30)
"""Without news for so long nothing more is pushed."""

CODE_OF: Mapping[str, str] = {
    "shunfeng": "SF",
    "zhongtong": "ZTO",
    "yuantong": "YTO",
    "shentong": "STO",
    "yunda": "YD",
    "jtexpress": "JTSD",
    "jd": "JD",
    "ems": "EMS",
    "youzhengguonei": "YZPY",
    "youzhengbk": "YZBK",
    "debangkuaidi": "DBL",
    "debangwuliu": "DBLKY",
    "huitongkuaidi": "HTKY",
    "kuayue": "KYSY",
    "zhongtongkuaiyun": "ZTOKY",
    "jingdongkuaiyun": "JDKY",
    "annengwuliu": "ANE",
    "zhaijisong": "ZJS",
    "youshuwuliu": "UC",
    "suer": "SURE",
    "tiantian": "HHTT",
    "guotongkuaidi": "GTO",
    "ztky": "ZTKY",
}
"""Carriers of ours whose code is established; the others are watched elsewhere."""

_CARRIER_OF = {code: carrier for carrier, code in CODE_OF.items()}

_STATES: Mapping[str, Status | None] = {
    "0": None,
    "10": Status.CREATED,
    "1": Status.COLLECTED,
    "2": Status.IN_TRANSIT,
    "201": Status.IN_TRANSIT,
    "202": Status.OUT_FOR_DELIVERY,
    "211": Status.READY_FOR_PICKUP,
    "3": Status.DELIVERED,
    "301": Status.DELIVERED,
    "302": Status.DELIVERED,
    "304": Status.DELIVERED,
    "311": Status.DELIVERED,
    "4": Status.PROBLEM,
    "404": Status.REFUSED,
    "406": Status.RETURNED,
    "407": Status.RETURNING,
}
"""What begins with a code of these means the same, more finely. What begins with none is a text and moves nothing."""
_LONGEST = 8


def carrier_of(code: object) -> str | None:
    """Return our carrier for the hub's code; None if it is none of ours."""
    return _CARRIER_OF.get(code.strip().upper()) if isinstance(code, str) else None


def digits(code: object) -> str:
    """Return a code as its digits; empty for what is none."""
    text = str(code).strip() if isinstance(code, (str, int)) and not isinstance(code, bool) else ""
    return text if text.isascii() and text.isdigit() and len(text) <= _LONGEST else ""


def status_of(code: object) -> Status | None:
    """Return our state for the hub's code, by its longest beginning that is known."""
    text = digits(code)
    for length in range(len(text), 0, -1):
        if text[:length] in _STATES:
            return _STATES[text[:length]]
    return None
