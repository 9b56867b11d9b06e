"""What is said of goods that go back, in English and Chinese, as data: words of ``facts.FACTS`` (see there)."""

from __future__ import annotations

from typing import Final

from chalicelib.kernel.texts import Texts

WORDS: Final[tuple[tuple[str, Texts, Texts, tuple[str, ...]], ...]] = (
    (
        "return_asked",
        ("Order {order}: the buyer sends something back", "订单 {order} 有退换货申请"),
        (
            "The buyer of order {order} wants to send something back. Agree and say where to, or say why not, in time.",
            "订单 {order} 的买家申请退换货。请按时处理：同意请填写退货地址，拒绝请说明理由。",
        ),
        ("order",),
    ),
    (
        "return_approved",
        ("Order {order}: send it back", "订单 {order} 的退换货申请已同意"),
        (
            "You may send back what you asked for of order {order}. See where to, and say the parcel's number in time.",
            "订单 {order} 的退换货申请已同意。请查看退货地址，按时寄回并填写运单号。",
        ),
        ("order",),
    ),
    (
        "return_refused",
        ("Order {order}: the shop does not take it back", "订单 {order} 的退换货申请被拒绝"),
        (
            "{shop} does not take back what you asked for of order {order}. Look why; you may ask us to decide.",
            "{shop} 拒绝了订单 {order} 的退换货申请。请查看理由；如有异议，可申请平台介入。",
        ),
        ("order", "shop"),
    ),
    (
        "return_escalated",
        ("Order {order}: we decide about a return", "订单 {order} 的退换货由平台裁决"),
        (
            "We look at the return of order {order} and decide. Both sides are told.",
            "平台已介入订单 {order} 的退换货，裁决后将通知双方。",
        ),
        ("order",),
    ),
    (
        "return_sent",
        ("Order {order}: a parcel comes back to you", "订单 {order} 的退货已寄出"),
        (
            "What goes back of order {order} is on its way to you. Say how it came once it is there.",
            "订单 {order} 的退货已寄出，收到后请及时验货。",
        ),
        ("order",),
    ),
    (
        "return_received",
        ("Order {order}: say how the goods came back", "订单 {order} 的退货已送达，请验货"),
        (
            "The parcel of order {order} is back. Say how it came in time, or it is paid back as sent.",
            "订单 {order} 的退货已送达。请按时验货，逾期将按寄回件数退款。",
        ),
        ("order",),
    ),
    (
        "return_missing",
        ("Order {order}: the parcel back has not come", "订单 {order} 的退货包裹未送达"),
        (
            "The parcel that goes back of order {order} did not arrive. We look where it is and decide.",
            "订单 {order} 的退货包裹未送达，平台将核实并裁决。",
        ),
        ("order",),
    ),
    (
        "return_inspected",
        ("Order {order}: look at what the shop says of your return", "订单 {order} 的验货结果请您确认"),
        (
            "{shop} does not grant all that was asked for of order {order}. Look why; accept it, or object in time.",
            "{shop} 未全额同意订单 {order} 的退换货。请查看验货结果：可接受，或按时提出异议。",
        ),
        ("order", "shop"),
    ),
    (
        "return_replacing",
        ("Order {order}: send the replacement", "订单 {order} 请寄出换货商品"),
        (
            "The replacement for order {order} is held for you. Send it in time, or the buyer is paid back.",
            "订单 {order} 的换货商品已预留。请按时寄出，逾期将退款给买家。",
        ),
        ("order",),
    ),
    (
        "return_replaced",
        ("Order {order}: your replacement is on its way", "订单 {order} 的换货商品已寄出"),
        (
            "{shop} has sent the replacement for order {order}. You can follow it under your returns.",
            "{shop} 已寄出订单 {order} 的换货商品，您可在“我的退换货”中查看进度。",
        ),
        ("order", "shop"),
    ),
    (
        "return_dismissed",
        ("Order {order}: nothing goes back", "订单 {order} 的退换货申请未获支持"),
        (
            "The return of order {order} has ended without money or a replacement. Look why under your returns.",
            "订单 {order} 的退换货已结束，未退款或换货。理由请在“我的退换货”中查看。",
        ),
        ("order",),
    ),
    (
        "return_lapsed",
        ("Order {order}: your return has ended", "订单 {order} 的退换货已失效"),
        (
            "Nothing was sent back of order {order} in time, so the return has ended.",
            "订单 {order} 的退换货商品未按时寄回，申请已失效。",
        ),
        ("order",),
    ),
    (
        "return_ended_shop",
        ("Order {order}: a return has ended", "订单 {order} 的退换货已结束"),
        (
            "A return of order {order} has ended, and nothing goes to its buyer for it.",
            "订单 {order} 的一笔退换货已结束，无需向买家退款或换货。",
        ),
        ("order",),
    ),
)
