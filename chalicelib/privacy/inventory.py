"""Which personal data there is: what each is for, on which ground, how long it is kept, and who gets to see it. Pure.

The page for people (``notice.py``) is written from this one, and a test walks every row and event and fails on a value
that neither this inventory nor :mod:`impersonal` declares. Law: PIP (个人信息保护法) articles 13-30 and 47, ECL
(电子商务法) article 31.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Text:
    """Words in both languages."""

    en: str
    zh: str

    def said(self, language: str) -> str:
        """Return the words in ``en``, or in Chinese."""
        return self.en if language == "en" else self.zh


class Ground(StrEnum):
    """On what the law lets it be processed (PIP 13)."""

    CONTRACT = "contract"
    CONSENT = "consent"
    DUTY = "duty"


GROUNDS: dict[Ground, Text] = {
    Ground.CONTRACT: Text(
        "needed for the contract with you (PIP 13.1.2)", "为订立、履行与您的合同所必需（个保法第13条第1款第2项）"
    ),
    Ground.CONSENT: Text("your consent (PIP 13.1.1)", "您的同意（个保法第13条第1款第1项）"),
    Ground.DUTY: Text("a duty by law (PIP 13.1.3)", "履行法定职责或法定义务所必需（个保法第13条第1款第3项）"),
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long something is kept. ``days`` is None where its end is that of the account."""

    name: str
    words: Text
    days: int | None = None
    law: str = ""


ACCOUNT = Keeping(
    "account",
    Text("until you delete it or close your account", "至您删除或注销账号"),
    law="CN-PIP-47-1",
)
TRADE = Keeping(
    "trade",
    Text("3 years after the order has ended", "交易完成之日起三年"),
    days=3 * 366,
    law="CN-ECL-31-1",
)
SESSION = Keeping("session", Text("until you sign out, 180 days at most", "至退出登录，最长 180 天"), days=180)
INVITED = Keeping("invited", Text("3 days, as long as the invitation is good", "三天，即邀请有效期"), days=3)
WINDOW = Keeping("window", Text("until its counting window ends, a day at most", "至统计窗口结束，最长一天"), days=1)
HOLD = Keeping("hold", Text("400 days after your last order", "最近一次下单后 400 天"), days=400)
RISK = Keeping("risk", Text("35 days after the last of it", "最后一次记录后 35 天"), days=35)
CART = Keeping("cart", Text("until you empty it; of guests 30 days", "至您清空；游客为 30 天"), days=30)
PARCEL = Keeping("parcel", Text("until the parcel has arrived", "至包裹送达"), law="CN-PIP-17-1")
UPLOAD = Keeping("upload", Text("2 days if no complaint uses it", "未用于投诉的保存 2 天"), days=2)
CONSENT = Keeping("consent", Text("3 years after you withdrew", "撤回同意之日起三年"), days=3 * 366, law="CN-PIP-13-1")
ARCHIVE = Keeping("archive", Text("3 days, or until you delete it", "三天，或至您删除"), days=3)
MESSAGE = Keeping("message", Text("until it is sent; that it was, 30 days", "至发送完毕；发送记录保存 30 天"), days=30)
INBOX = Keeping("inbox", Text("half a year", "半年"), days=183)
QUEUE = Keeping("queue", Text("until it is handled, 14 days at most", "至处理完毕，最长 14 天"), days=14)
STAFF = Keeping("staff", Text("3 years after the act", "行为发生之日起三年"), days=3 * 366, law="CN-PIP-31-1")
MERCHANT = Keeping(
    "merchant",
    Text("3 years after the merchant has left", "商家退出之日起三年"),
    days=3 * 366,
    law="CN-ECL-31-1",
)
BILL = Keeping("bill", Text("3 years, as the record of money", "作为资金记录保存三年"), days=3 * 366, law="CN-ECL-31-1")
LOGS = Keeping(
    "logs", Text("a year; the law wants six months", "一年（法律要求不少于六个月）"), days=365, law="CN-CSL-23-1"
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What something is for."""

    name: str
    words: Text
    ground: Ground


SIGN_IN = Purpose("sign_in", Text("to know you again when you sign in", "登录与识别账号"), Ground.CONTRACT)
PROFILE = Purpose("profile", Text("to address you as you like", "按您的偏好称呼与展示"), Ground.CONTRACT)
DELIVERY = Purpose("delivery", Text("to deliver what you order", "配送您购买的商品"), Ground.CONTRACT)
ORDERING = Purpose("ordering", Text("to carry out and show your orders", "履行并展示您的订单"), Ground.CONTRACT)
PAYING = Purpose("paying", Text("to take and to give back money", "支付与退款"), Ground.CONTRACT)
AFTER_SALES = Purpose("after_sales", Text("to settle complaints and refunds", "处理投诉与售后"), Ground.CONTRACT)
SAFETY = Purpose("safety", Text("to keep strangers and fraud away", "防范盗用与欺诈，保障网络安全"), Ground.DUTY)
STANDING = Purpose("standing", Text("to say who acted for the platform", "记录平台工作人员的操作"), Ground.DUTY)
SELLING = Purpose("selling", Text("for the platform to reach a merchant", "平台联系商家"), Ground.CONTRACT)
RIGHTS = Purpose("rights", Text("to hand you what is held of you", "向您提供您的个人信息副本"), Ground.DUTY)
PROOF = Purpose("proof", Text("to show what you agreed to", "证明您的同意"), Ground.DUTY)
CHILDREN = Purpose("children", Text("to protect children as the law wants", "履行儿童个人信息保护义务"), Ground.DUTY)
BOOKS = Purpose("books", Text("to account for every movement of money", "资金记账与对账"), Ground.DUTY)


TELLING = Purpose("telling", Text("to send you codes and notices", "向您发送验证码与通知"), Ground.CONTRACT)


@dataclass(frozen=True, slots=True)
class Holding:
    """Personal data of one kind: in which places (patterns of leaves, prefixes of objects, queues) it stands."""

    name: str
    """By which the code knows it: who exports it, who is told of its breach."""
    words: Text
    purpose: Purpose
    keeping: Keeping
    places: tuple[str, ...]
    sealed: bool = False
    """Encrypted in its row with a key of ours, beside the encryption of the disk."""
    sensitive: bool = False
    """Sensitive personal information in the sense of PIP 28."""
    seen_by: tuple[str, ...] = ()
    """Names of receivers."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody else who is given personal data (PIP 21, 23)."""

    name: str
    words: Text
    why: Text


RECEIVERS: tuple[Receiver, ...] = (
    Receiver("merchant", Text("the merchant you order from", "您下单的商家"), Text("to send the parcel", "发货与售后")),
    Receiver(
        "carrier",
        Text("the carrier and its tracking hub", "承运快递公司及物流查询服务商"),
        Text("to find your parcel: the last four digits of a phone number, no more", "查询物流：仅手机号后四位"),
    ),
    Receiver(
        "message carrier",
        Text("who carries our e-mails and text messages", "承运邮件与短信的服务商"),
        Text("to bring you the message: address or number, and what it says", "送达消息：收件地址或手机号、消息内容"),
    ),
    Receiver(
        "payment provider",
        Text("the payment provider you choose", "您选择的支付机构"),
        Text("to take your money: amount, order number, network address", "收款：金额、订单号、网络地址"),
    ),
)


def matching(where: str, holdings: tuple[Holding, ...]) -> Iterator[Holding]:
    """Yield the holdings that declare a place."""
    for holding in holdings:
        if any(fnmatchcase(where, place) for place in holding.places):
            yield holding
