"""Goods that are not returned without a reason: the law's own kinds, and those it lets a merchant exclude. Pure.

A merchant marks a product; a buyer confirms it for each purchase, or it is returned like any other (SDR 6, 7, 20). No
other code excludes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chalicelib.kernel.texts import Texts, said


class NoReturn(StrEnum):
    """Why goods are not returned without a reason."""

    CUSTOM = "custom"
    FRESH = "fresh"
    DIGITAL = "digital"
    PRESS = "press"
    HYGIENE = "hygiene"
    ACTIVATION = "activation"
    DISCLOSED_DEFECT = "disclosed_defect"


TEXTS: Mapping[NoReturn, Texts] = {
    NoReturn.CUSTOM: ("made to order", "定作商品"),
    NoReturn.FRESH: ("fresh or perishable", "鲜活易腐商品"),
    NoReturn.DIGITAL: ("downloaded, or a carrier of digital goods once unsealed", "在线下载或拆封的数字化商品"),
    NoReturn.PRESS: ("a delivered newspaper or magazine", "已交付的报纸、期刊"),
    NoReturn.HYGIENE: (
        "opening it affects safety, health or quality",
        "拆封后易影响人身安全、生命健康或者商品品质的商品",
    ),
    NoReturn.ACTIVATION: (
        "it loses much of its value once activated or tried",
        "激活或者试用后价值贬损较大的商品",
    ),
    NoReturn.DISCLOSED_DEFECT: (
        "near its expiry, or with a flaw that was said",
        "销售时已明示的临近保质期或有瑕疵的商品",
    ),
}


def text(code: str, language: str) -> str:
    """Return why, for a person; empty for no code, or one that a later release knows."""
    return said(TEXTS[NoReturn(code)], language) if code in {one.value for one in NoReturn} else ""
