"""Common carriers of China: the hub's code is our code, because merchants' tools and the hub both speak it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier. ``days`` is how long its parcels usually take, for the estimate; no promise of theirs."""

    code: str
    """Kuaidi100's code."""
    en: str
    zh: str
    days: tuple[int, int] = (2, 5)
    needs_phone: bool = False
    """Tells nothing without the last four digits of the sender's or the recipient's phone."""
    form: str = ""
    """What its numbers look like, where no other carrier's look so; a pattern."""


_ALL = (
    Carrier("shunfeng", "SF Express", "顺丰速运", (1, 3), needs_phone=True, form=r"SF\d{13}"),
    Carrier("zhongtong", "ZTO Express", "中通快递", (2, 4), needs_phone=True),
    Carrier("yuantong", "YTO Express", "圆通速递", (2, 4), form=r"YT\d{13}"),
    Carrier("shentong", "STO Express", "申通快递", (2, 4)),
    Carrier("yunda", "Yunda Express", "韵达快递", (2, 4)),
    Carrier("jtexpress", "J&T Express", "极兔速递", (2, 4), form=r"JT\d{13}"),
    Carrier("jd", "JD Logistics", "京东物流", (1, 3), form=r"JD[A-Z]{0,2}\d{11,13}"),
    Carrier("ems", "EMS", "EMS", (2, 5), form=r"E[A-Z]\d{9}CN"),
    Carrier("youzhengguonei", "China Post parcel", "邮政快递包裹", (3, 7)),
    Carrier("youzhengbk", "China Post standard express", "邮政标准快递", (2, 5)),
    Carrier("debangkuaidi", "Deppon Express", "德邦快递", (2, 5), form=r"DPK\d{12}"),
    Carrier("debangwuliu", "Deppon Logistics", "德邦物流", (3, 7)),
    Carrier("huitongkuaidi", "Best Express", "百世快递", (2, 5)),
    Carrier("baishiwuliu", "Best Freight", "百世快运", (3, 7)),
    Carrier("fengwang", "Fengwang Express", "丰网速运", (2, 5)),
    Carrier("danniao", "Danniao", "丹鸟", (1, 4)),
    Carrier("kuayue", "KYE Express", "跨越速运", (1, 3), needs_phone=True),
    Carrier("shunfengkuaiyun", "SF Freight", "顺丰快运", (2, 6), needs_phone=True),
    Carrier("zhongtongkuaiyun", "ZTO Freight", "中通快运", (3, 7), needs_phone=True),
    Carrier("yundakuaiyun", "Yunda Freight", "韵达快运", (3, 7)),
    Carrier("jingdongkuaiyun", "JD Freight", "京东快运", (2, 6)),
    Carrier("annengwuliu", "ANE Freight", "安能快运", (3, 7)),
    Carrier("sxjdfreight", "Shunxin Jieda", "顺心捷达", (3, 7)),
    Carrier("yimidida", "Yimidida", "壹米滴答", (3, 7)),
    Carrier("zhaijisong", "ZJS Express", "宅急送", (2, 5)),
    Carrier("youshuwuliu", "UC Express", "优速快递", (2, 6)),
    Carrier("suer", "Sure Express", "速尔快递", (2, 6)),
    Carrier("tiantian", "TTK Express", "天天快递", (2, 6)),
    Carrier("guotongkuaidi", "GTO Express", "国通快递", (3, 7)),
    Carrier("rrs", "RRS Logistics", "日日顺物流", (2, 6)),
    Carrier("ztky", "China Railway Express", "中铁快运", (2, 6)),
)

CARRIERS: dict[str, Carrier] = {carrier.code: carrier for carrier in _ALL}
"""By code, in the order a merchant's list shows them."""


def by_form(number: str) -> list[str]:
    """Return the carriers whose numbers alone look like this one; ``number`` in capitals, without spaces and dashes."""
    return [carrier.code for carrier in _ALL if carrier.form and re.fullmatch(carrier.form, number, re.ASCII)]


_WANT_PHONES = ("shunfeng", "zhongtong", "kuayue")
"""Houses all of whose services want the digits; a hub's correction may name one that the table lacks."""


def needs_phone(code: str) -> bool:
    """Say whether the carrier tells nothing without the digits of a phone."""
    known = CARRIERS.get(code)
    return known.needs_phone if known is not None else code.startswith(_WANT_PHONES)
