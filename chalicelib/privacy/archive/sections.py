"""What is in an archive: each section reads a page of one room, and each holding of the inventory names its section.

A holding without anything to hand out says why. What a section hands out is all that its room keeps of the person,
less the machinery of rows: a field that is added tomorrow is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.auth import service as auth
from chalicelib.bookings import service as bookings
from chalicelib.cart import service as carts
from chalicelib.complaints import service as complaints
from chalicelib.consents import service as consents
from chalicelib.conversations import service as conversations
from chalicelib.feedback import service as feedback
from chalicelib.kernel.pages import Place, Window
from chalicelib.logistics import service as logistics
from chalicelib.merchants import service as merchants
from chalicelib.notifications import service as notifications
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.privacy import disclosures
from chalicelib.privacy.archive.plain import plain
from chalicelib.privacy.inventory import Text
from chalicelib.requests import service as requests
from chalicelib.returns import service as returns
from chalicelib.risk import service as risk
from chalicelib.virtual import service as virtual

PURCHASES_A_PART = 10
COMPLAINTS_A_PART = 5
RETURNS_A_PART = 20
CONVERSATIONS_A_PART = 2
FEEDBACK_A_PART = 50
REQUESTS_A_PART = 5
SESSIONS_A_PART = 50
CONSENTS_A_PART = 100
ENTRIES_A_PART = 100
DISCLOSURES_A_PART = 50

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file that belongs to a record: what it is called in the archive, where it lies, how long it is."""

    name: str
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """One page of a section, and where the next begins."""

    records: list[Json]
    files: tuple[File, ...] = ()
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of records, read a part at a time."""

    name: str
    title: Text
    read: Callable[[str, Place | None], Part]


def _account(account_id: str, _: Place | None) -> Part:
    account = auth.account(account_id)
    kept = plain(account, of=account_id)
    for hidden in ("password_hash", "ended", "history", "posts", "desks", "roles", "merchant_id"):
        kept.pop(hidden, None)  # A secret; what is over in minutes; and what stands under "roles".
    kept.pop("passkeys", None)  # They have a section of their own.
    kept.pop("former", None)  # Digests of contacts of before.
    kept["account_id"] = account_id
    kept["links"] = [
        {"provider": link.provider, "appid": link.appid, "linked_at": link.linked_at.isoformat()}
        for link in account.links
    ]
    return Part([kept])


def _addresses(account_id: str, _: Place | None) -> Part:
    book = auth.addresses(account_id)
    return Part([{**plain(one, of=account_id), "default": one.address_id == book.default_id} for one in book.addresses])


def _passkeys(account_id: str, _: Place | None) -> Part:
    found = []
    for passkey in auth.passkeys.listed(account_id):
        kept = plain(passkey, of=account_id)
        kept.pop("sealed", None)
        found.append({**kept, "name": auth.passkeys.name_of(passkey)})
    return Part(found)


def _sessions(account_id: str, after: Place | None) -> Part:
    page = auth.sessions(account_id, Window(limit=SESSIONS_A_PART, after=after))
    found = []
    for session in page.items:
        kept = plain(session, of=account_id)
        for secret in ("current", "previous", "salt"):
            kept.pop(secret, None)
        kept["client"].pop("mark", None)
        found.append(kept)
    return Part(found, after=page.after)


def _purchases(account_id: str, after: Place | None) -> Part:
    page, further = orders.purchases_of(account_id, after, limit=PURCHASES_A_PART)
    return Part([_purchase(account_id, purchase_id) for purchase_id in page], after=further)


def _purchase(account_id: str, purchase_id: str) -> Json:
    sale = orders.load_sale(purchase_id)
    found: Json = plain(sale.purchase, of=account_id)
    found["orders"] = [
        {
            **plain(order, of=account_id),
            "shipments": plain(logistics.of_buyers_order(order.order_id, account_id), of=account_id),
            **_bookings(account_id, order),
            **_virtual(account_id, order),
        }
        for order in sale.orders
    ]
    found["money"] = plain(payments.payment_records(purchase_id), of=account_id)
    return found


def _bookings(account_id: str, order: orders.Order) -> Json:
    """Return what was booked of an order that has something to book."""
    if not any(line.kind == "service" for line in order.lines):
        return {}
    return {"bookings": plain(bookings.of_order(order.order_id, account_id), of=account_id)}


def _virtual(account_id: str, order: orders.Order) -> Json:
    """Return the virtual goods of an order that has some: each part, and what it is once its buyer looked at it."""
    if not any(line.kind == "virtual" for line in order.lines):
        return {}
    _, deliveries = virtual.of_buyers_order(order.order_id, account_id)
    return {"virtual_goods": [_delivered(account_id, one) for one in deliveries]}


def _delivered(account_id: str, found: virtual.Delivery) -> Json:
    kept: Json = plain(found, of=account_id)
    kept.pop("confirmed_by", None)  # Which request it was, as in "by" of its parts: nothing of a person's.
    known = virtual.known_to(found)
    kept["parts"] = [
        {**plain(replace(part, by=""), of=account_id), **_content(account_id, known.get(part.number))}
        for part in found.parts
    ]
    return kept


def _content(account_id: str, known: virtual.Content | None) -> Json:
    return {"content": plain(known, of=account_id)} if known else {}


def _complaints(account_id: str, after: Place | None) -> Part:
    page, further = complaints.complaints_of(account_id, after, limit=COMPLAINTS_A_PART)
    files = tuple(
        File(f"{complaint.complaint_id}/{name}", key, size)
        for complaint in page
        for name, key, size in complaints.files_of(complaint)
    )
    return Part([plain(one, of=account_id) for one in page], files, further)


def _returns(account_id: str, after: Place | None) -> Part:
    page, further = returns.returns_of(account_id, after, limit=RETURNS_A_PART)
    return Part([plain(one, of=account_id) for one in page], after=further)


def _conversations(account_id: str, after: Place | None) -> Part:
    page = conversations.kept_of(account_id, after, limit=CONVERSATIONS_A_PART)
    files = tuple(
        File(f"{kept.thread.conversation_id}/{name}", key, size)
        for kept in page.items
        for name, key, size in kept.files
    )
    records = [
        {**plain(kept.thread, of=account_id), "entries": plain(kept.entries, of=account_id)} for kept in page.items
    ]
    return Part(records, files, page.after)


def _feedback(account_id: str, after: Place | None) -> Part:
    page = feedback.list_of(account_id, Window(limit=FEEDBACK_A_PART, after=after))
    return Part([plain(one, of=account_id) for one in page.items], after=page.after)


def _satisfaction(account_id: str, after: Place | None) -> Part:
    page = feedback.surveys_of(account_id, Window(limit=FEEDBACK_A_PART, after=after))
    return Part([plain(one, of=account_id) for one in page.items], after=page.after)


def _requests(account_id: str, after: Place | None) -> Part:
    page, further = requests.requests_of(account_id, after, limit=REQUESTS_A_PART)
    files = tuple(
        File(f"{one.request_id}/{name}", key, size) for one in page for name, key, size in requests.files_of(one)
    )
    return Part([plain(one, of=account_id) for one in page], files, further)


def _cart(account_id: str, _: Place | None) -> Part:
    lines = carts.load(account_id).lines
    return Part([{"sku_id": sku_id, "quantity": quantity} for sku_id, quantity in lines.items()])


def _unpaid(account_id: str, _: Place | None) -> Part:
    found = plain(orders.held_lookup(account_id).read(), of=account_id)
    return Part([found] if found.get("holds") or found.get("paid") else [])


def _inbox(account_id: str, after: Place | None) -> Part:
    page = notifications.inbox(account_id, Window(limit=ENTRIES_A_PART, after=after))
    return Part([plain(one, of=account_id) for one in page.items], after=page.after)


def _consents(account_id: str, after: Place | None) -> Part:
    page = consents.history(account_id, Window(limit=CONSENTS_A_PART, after=after))
    return Part([plain(one, of=account_id) for one in page.items], after=page.after)


def _disclosures(account_id: str, after: Place | None) -> Part:
    page = disclosures.to_staff(account_id, Window(limit=DISCLOSURES_A_PART, after=after))
    return Part([plain(one, of=account_id) for one in page.items], after=page.after)


def _counts(account_id: str, _: Place | None) -> Part:
    found = risk.counts_of(account_id)
    return Part([{"what": fact.kind.value, "record_id": fact.record, "at": fact.at.isoformat()} for fact in found])


def _roles(account_id: str, _: Place | None) -> Part:
    account = auth.account(account_id)
    found = {name: plain(getattr(account, name), of=account_id) for name in ("roles", "posts", "desks", "history")}
    led = [post.merchant_id for post in account.employments]
    found["merchants"] = [
        {"merchant_id": merchant_id, "contact": plain(merchants.load(merchant_id).contact, of=account_id)}
        for merchant_id in led
    ]
    return Part([found] if account.history or led or account.desks else [])


SECTIONS: tuple[Section, ...] = (
    Section("account", Text("Your account", "您的账号"), _account),
    Section("addresses", Text("Your address book", "您的地址簿"), _addresses),
    Section("passkeys", Text("Your passkeys", "您的通行密钥"), _passkeys),
    Section("sessions", Text("Where you are signed in", "您的登录会话"), _sessions),
    Section("purchases", Text("Purchases, parcels and money", "订单、包裹与款项"), _purchases),
    Section("complaints", Text("Complaints and their files", "投诉及其凭证"), _complaints),
    Section("returns", Text("What you sent back", "您的退换货"), _returns),
    Section("conversations", Text("Conversations and their pictures", "会话及其图片"), _conversations),
    Section("feedback", Text("What you told us", "您的意见反馈"), _feedback),
    Section("satisfaction", Text("How you found cases", "您的满意度评价"), _satisfaction),
    Section("requests", Text("What you asked to have made", "您的定制需求"), _requests),
    Section("cart", Text("Your cart", "您的购物车"), _cart),
    Section("unpaid", Text("What you hold unpaid", "未付款占用"), _unpaid),
    Section("inbox", Text("What you were told", "站内消息"), _inbox),
    Section("consents", Text("What you agreed to", "您的同意记录"), _consents),
    Section("disclosures", Text("Who of the platform looked, and why", "平台人员查看记录"), _disclosures),
    Section("counts", Text("What is counted against fraud", "反欺诈统计"), _counts),
    Section("roles", Text("Roles you act in", "您担任的角色"), _roles),
)

_DIGEST = Text(
    "only a keyed digest of something that is in this archive as you wrote it", "仅为密钥摘要，其原值已包含在本副本中"
)

EXPORTERS: dict[str, str | Text] = {
    # Holding -> the section that hands it out, or why there is nothing to hand out.
    "contacts": "account",
    "identity_digests": _DIGEST,
    "links": "account",
    "passkeys": "passkeys",
    "passkey_names": "passkeys",
    "mini_session": Text(
        "a key that only QQ or WeChat can use; it ends in days", "仅供 QQ、微信使用的密钥，数日内失效"
    ),
    "messages": Text(
        "sealed until it is sent, which takes minutes; what was sent is with you",
        "密封待发，数分钟内送达；已发送的消息在您手中",
    ),
    "inbox": "inbox",
    "subscriptions": Text(
        "a name that only the mini program's platform can use, and a count", "仅平台可用的标识与次数"
    ),
    "code_digests": Text("digests of codes that are over within minutes", "验证码摘要，数分钟内失效"),
    "password": Text(
        "a digest that nobody can read a password from, and that nobody is given", "不可还原的密码摘要，不对外提供"
    ),
    "invitations": Text(
        "a digest and a masked contact that lead to no account, over within three days",
        "邀请的摘要与脱敏联系方式，不关联账号，三日内失效",
    ),
    "profile": "account",
    "address_book": "addresses",
    "delivery": "purchases",
    "note": "purchases",
    "orders": "purchases",
    "bookings": "purchases",
    "virtual_goods": "purchases",
    "parcels": "purchases",
    "phone_tail": "purchases",
    "carrier_pushes": Text("read within seconds into the parcel's scans", "数秒内即写入包裹轨迹"),
    "payments": "purchases",
    "payee": "purchases",
    "bills": Text(
        "the providers' own lists: what they say of you stands with your payments",
        "支付机构的账单，与您有关的内容已列于支付记录",
    ),
    "complaints": "complaints",
    "returns": "returns",
    "return_address": "returns",
    "requests": "requests",
    "evidence": "complaints",
    "conversations": "conversations",
    "conversation_facts": "conversations",
    "feedback": "feedback",
    "feedback_facts": "satisfaction",
    "uploads": Text("files that no complaint uses are gone within two days", "未用于投诉的上传文件两日内删除"),
    "sessions": "sessions",
    "session_devices": "sessions",
    "attempts": Text("counts under digests, over within a day", "以摘要计数，一日内失效"),
    "network": "purchases",
    "unpaid": "unpaid",
    "counts": "counts",
    "cart": "cart",
    "account_number": "account",
    "staff": "roles",
    "merchant_contact": "roles",
    "consents": "consents",
    "children": "account",
    "archive": Text("this very archive", "即本副本"),
    "request_log": Text(
        "times, routes and request numbers, without your name", "仅含时间、接口与请求编号，不含您的身份"
    ),
}
