"""Common carriers of China: the hub's code is our code, because merchants' tools and the hub both speak it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier. ``days`` is how long its parcels usually take, for the estimate; no promise of theirs."""

    code: str
    """Kuaidi100's code."""
    zh: str
    en: str
    days: tuple[int, int] = (2, 5)
    needs_phone: bool = False
    """Tells nothing without the last four digits of the sender's or the recipient's phone."""


_ALL = (
    Carrier("shunfeng", "顺丰速运", "SF Express", (1, 3), needs_phone=True),
    Carrier("zhongtong", "中通快递", "ZTO Express", (2, 4), needs_phone=True),
    Carrier("yuantong", "圆通速递", "YTO Express", (2, 4)),
    Carrier("shentong", "申通快递", "STO Express", (2, 4)),
    Carrier("yunda", "韵达快递", "Yunda Express", (2, 4)),
    Carrier("jtexpress", "极兔速递", "J&T Express", (2, 4)),
    Carrier("jd", "京东物流", "JD Logistics", (1, 3)),
    Carrier("ems", "EMS", "EMS", (2, 5)),
    Carrier("youzhengguonei", "邮政快递包裹", "China Post parcel", (3, 7)),
    Carrier("youzhengbk", "邮政标准快递", "China Post standard express", (2, 5)),
    Carrier("debangkuaidi", "德邦快递", "Deppon Express", (2, 5)),
    Carrier("debangwuliu", "德邦物流", "Deppon Logistics", (3, 7)),
    Carrier("huitongkuaidi", "百世快递", "Best Express", (2, 5)),
    Carrier("baishiwuliu", "百世快运", "Best Freight", (3, 7)),
    Carrier("fengwang", "丰网速运", "Fengwang Express", (2, 5)),
    Carrier("danniao", "丹鸟", "Danniao", (1, 4)),
    Carrier("kuayue", "跨越速运", "KYE Express", (1, 3)),
    Carrier("shunfengkuaiyun", "顺丰快运", "SF Freight", (2, 6), needs_phone=True),
    Carrier("zhongtongkuaiyun", "中通快运", "ZTO Freight", (3, 7), needs_phone=True),
    Carrier("yundakuaiyun", "韵达快运", "Yunda Freight", (3, 7)),
    Carrier("jingdongkuaiyun", "京东快运", "JD Freight", (2, 6)),
    Carrier("annengwuliu", "安能快运", "ANE Freight", (3, 7)),
    Carrier("sxjdfreight", "顺心捷达", "Shunxin Jieda", (3, 7)),
    Carrier("yimidida", "壹米滴答", "Yimidida", (3, 7)),
    Carrier("zhaijisong", "宅急送", "ZJS Express", (2, 5)),
    Carrier("youshuwuliu", "优速快递", "UC Express", (2, 6)),
    Carrier("suer", "速尔快递", "Sure Express", (2, 6)),
    Carrier("tiantian", "天天快递", "TTK Express", (2, 6)),
    Carrier("guotongkuaidi", "国通快递", "GTO Express", (3, 7)),
    Carrier("rrs", "日日顺物流", "RRS Logistics", (2, 6)),
    Carrier("ztky", "中铁快运", "China Railway Express", (2, 6)),
)

CARRIERS: dict[str, Carrier] = {carrier.code: carrier for carrier in _ALL}
"""By code, in the order a merchant's list shows them."""


_WANT_PHONES = ("shunfeng", "zhongtong")
"""Houses all of whose services want the digits; a hub's correction may name one that the table lacks."""


def needs_phone(code: str) -> bool:
    """Say whether the carrier tells nothing without the digits of a phone."""
    known = CARRIERS.get(code)
    return known.needs_phone if known is not None else code.startswith(_WANT_PHONES)
