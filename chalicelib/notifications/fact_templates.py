"""What is said of facts, in English and Chinese, as data: the words of ``facts.FACTS``.

A text message is the title and nothing more, so that every carrier's approved template has the same few parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.kernel.texts import Texts
from chalicelib.notifications import return_words
from chalicelib.notifications.template import Template


def _told(name: str, title: Texts, text: Texts, *fields: str) -> Template:
    """Return a template whose text message is its title."""
    return Template(title, (f"{text[0]}\n", f"{text[1]}\n"), title, name.replace("_", ""), fields)


_WORDS: Final[tuple[tuple[str, Texts, Texts, tuple[str, ...]], ...]] = (
    (
        "paid",
        ("Order {order} is paid", "订单 {order} 已付款"),
        (
            "We have your {amount} for order {order}. The shop will ship it; you can follow it under your orders.",
            "订单 {order} 已收到付款 {amount}，商家将尽快发货，您可在“我的订单”中查看进度。",
        ),
        ("order", "amount"),
    ),
    (
        "sold",
        ("Order {order} is paid: please ship it", "订单 {order} 已付款，请发货"),
        (
            "Order {order} is paid. Please ship it within the time you promise.",
            "订单 {order} 已付款，请在承诺的时间内发货。",
        ),
        ("order",),
    ),
    (
        "unpaid",
        ("Order {order} was not paid in time", "订单 {order} 超时未付款"),
        (
            "Order {order} was not paid in time and is closed. Nothing was charged; you can order again at any time.",
            "订单 {order} 超时未付款，已关闭，未产生扣款。您可随时重新下单。",
        ),
        ("order",),
    ),
    (
        "cancelled",
        ("Order {order} was cancelled", "订单 {order} 已取消"),
        (
            "Order {order} at {shop} was cancelled. What you paid for it goes back the way it came.",
            "您在 {shop} 的订单 {order} 已取消，已付款项将原路退回。",
        ),
        ("order", "shop"),
    ),
    (
        "shipped",
        ("Order {order} is on its way", "订单 {order} 已发货"),
        (
            "{shop} has sent a parcel of order {order}. You can follow it under your orders.",
            "{shop} 已发出订单 {order} 的包裹，您可在“我的订单”中查看物流。",
        ),
        ("order", "shop"),
    ),
    (
        "delivered",
        ("A parcel of order {order} has arrived", "订单 {order} 的包裹已签收"),
        (
            (
                "A parcel of order {order} is signed for. If it is not with you, or something is wrong, tell us under "
                "your orders."
            ),
            "订单 {order} 的包裹已签收。如未收到或商品有问题，请在“我的订单”中告诉我们。",
        ),
        ("order",),
    ),
    (
        "turned_back",
        ("A parcel of order {order} is going back", "订单 {order} 的包裹正在退回"),
        (
            (
                "A parcel of order {order} was refused or could not be delivered, and is going back. The shop sends it "
                "again, or your money comes back."
            ),
            "订单 {order} 的包裹被拒收或无法投递，正在退回。商家将重新发货，或为您退款。",
        ),
        ("order",),
    ),
    (
        "turned_back_shop",
        ("A parcel of order {order} comes back", "订单 {order} 的包裹被退回"),
        (
            "A parcel of order {order} was refused or could not be delivered. Send it again, or give up its rest.",
            "订单 {order} 的包裹被拒收或无法投递，请重新发货，或取消剩余商品。",
        ),
        ("order",),
    ),
    (
        "virtual_delivered",
        ("Order {order}: what you bought is there", "订单 {order} 的虚拟商品已交付"),
        (
            "{shop} has delivered something of order {order}. Look at it under your orders: nobody else can.",
            "{shop} 已交付订单 {order} 的虚拟商品，请在“我的订单”中查看，内容仅您本人可见。",
        ),
        ("order", "shop"),
    ),
    (
        "virtual_awaited",
        ("Order {order} waits for codes", "订单 {order} 等待交付"),
        (
            "Order {order} is paid and nothing stands ready for it. Deliver it, or add codes, by the agreed time.",
            "订单 {order} 已付款，但没有可交付的内容。请在约定时间内交付或补充兑换码。",
        ),
        ("order",),
    ),
    (
        "virtual_missed",
        ("Order {order} was not delivered in time", "订单 {order} 未按时交付"),
        (
            "{shop} has not delivered all of order {order} by the agreed time. You may complain under your orders.",
            "{shop} 未在约定时间内交付订单 {order} 的全部内容，您可在“我的订单”中发起投诉。",
        ),
        ("order", "shop"),
    ),
    (
        "virtual_missed_shop",
        ("Order {order} is overdue: please deliver it", "订单 {order} 已逾期，请立即交付"),
        (
            "The agreed time for order {order} is over and the buyer may complain. Deliver it now.",
            "订单 {order} 已超过约定的交付时间，买家可以投诉，请立即交付。",
        ),
        ("order",),
    ),
    (
        "pool_ran_low",
        ("Few codes are left: {free}", "兑换码即将用完：剩余 {free} 个"),
        (
            "{free} codes are left for {sku_id}. Add some: what is sold without a code is late soon.",
            "商品规格 {sku_id} 仅剩 {free} 个兑换码，请及时补充，以免逾期交付。",
        ),
        ("free", "sku_id"),
    ),
    (
        "address_asked",
        ("Order {order}: another address, please", "订单 {order}：请更换收货地址"),
        (
            "{shop} cannot deliver order {order} to its address. You can choose another one under your orders.",
            "{shop} 无法将订单 {order} 送达现有地址，您可在“我的订单”中选择其他地址。",
        ),
        ("order", "shop"),
    ),
    (
        "address_changed",
        ("Order {order} goes to another address", "订单 {order} 已更换收货地址"),
        (
            "The buyer of order {order} named another address. Please look at it again before you ship.",
            "订单 {order} 的买家已更换收货地址，发货前请重新核对。",
        ),
        ("order",),
    ),
    (
        "shipping_due",
        ("Order {order} must be shipped soon", "订单 {order} 即将到达发货时限"),
        (
            "The time in which you promised to ship order {order} is nearly over. Please ship it now.",
            "订单 {order} 的承诺发货时间即将届满，请尽快发货。",
        ),
        ("order",),
    ),
    (
        "shipping_late",
        ("Order {order} was not shipped in time", "订单 {order} 未按时发货"),
        (
            "Not all of order {order} was shipped in the promised time. You can wait, call off the rest, or complain.",
            "商家未在承诺时间内发出订单 {order} 的全部商品。您可继续等待、取消未发商品或投诉。",
        ),
        ("order",),
    ),
    (
        "shipping_late_shop",
        ("Order {order} is late", "订单 {order} 已超时未发货"),
        (
            "You did not ship all of order {order} in the promised time. Its buyer may call off what was not sent.",
            "您未在承诺时间内发出订单 {order} 的全部商品，买家可取消未发商品。",
        ),
        ("order",),
    ),
    (
        "parcel_lost",
        ("A parcel of order {order} is lost", "订单 {order} 的包裹丢失"),
        (
            "A parcel of order {order} went missing. The shop sends it again or pays it back; you need not wait.",
            "订单 {order} 的包裹已丢失，商家将重新发货或退款，您也可不再等待并申请退款。",
        ),
        ("order",),
    ),
    (
        "parcel_lost_shop",
        ("A parcel of order {order} is lost", "订单 {order} 的包裹丢失"),
        (
            "A parcel of order {order} went missing. Send it again or pay it back; its buyer need not wait.",
            "订单 {order} 的包裹已丢失，请重新发货或退款，买家可不再等待。",
        ),
        ("order",),
    ),
    (
        "refunded",
        ("{amount} went back to you", "已退款 {amount}"),
        (
            "{amount} of order {order} went back the way you paid. Your bank may show it some days later.",
            "订单 {order} 的 {amount} 已原路退回，到账时间以支付机构为准。",
        ),
        ("amount", "order"),
    ),
    (
        "refund_bounced",
        ("A refund came back to us", "退款被退回"),
        (
            "Your bank did not take the {amount} of order {order}: they came back to us. We will pay them another way.",
            "订单 {order} 的退款 {amount} 未能入账并被退回，我们将以其他方式退还。",
        ),
        ("amount", "order"),
    ),
    (
        "complaint_filed",
        ("A complaint about order {order}: please answer", "订单 {order} 收到投诉，请处理"),
        (
            "A buyer complained about order {order}. It is your turn: the case says until when.",
            "买家就订单 {order} 提出投诉，请在案件所示期限前答复。",
        ),
        ("order",),
    ),
    (
        "complaint_replied",
        ("{shop} answered your complaint", "{shop} 已回复您的投诉"),
        (
            "{shop} answered your complaint about order {order}. It is your turn: the case says until when.",
            "{shop} 已就订单 {order} 的投诉作出答复，请在案件所示期限前处理。",
        ),
        ("shop", "order"),
    ),
    (
        "complaint_escalated",
        ("The platform looks at the complaint about order {order}", "平台已介入订单 {order} 的投诉"),
        (
            "The complaint about order {order} is with the platform now. A person looks at it and decides.",
            "订单 {order} 的投诉已由平台介入，将由专人审理并作出决定。",
        ),
        ("order",),
    ),
    (
        "complaint_asked",
        ("The platform asks you about the complaint about order {order}", "平台就订单 {order} 的投诉请您说明"),
        (
            "To decide the complaint about order {order} the platform asks you something: see what, and until when.",
            "平台处理订单 {order} 的投诉时需要您补充说明，内容与期限见投诉详情。",
        ),
        ("order",),
    ),
    (
        "complaint_decided",
        ("The complaint about order {order} is decided", "订单 {order} 的投诉已有处理决定"),
        (
            "The platform has decided the complaint about order {order}. The case shows what, and why.",
            "平台已就订单 {order} 的投诉作出决定，内容与理由见案件详情。",
        ),
        ("order",),
    ),
    (
        "complaint_reopened",
        ("The complaint about order {order} is open again", "订单 {order} 的投诉已重新开启"),
        (
            "The buyer was not helped after all: the complaint about order {order} is open again.",
            "买家的问题未解决，订单 {order} 的投诉已重新开启。",
        ),
        ("order",),
    ),
    (
        "complaint_resolved",
        ("Your complaint about order {order} is settled", "订单 {order} 的投诉已解决"),
        (
            "Your complaint about order {order} is settled. If it is not, open it again in the case.",
            "订单 {order} 的投诉已解决。如仍有问题，可在案件中重新开启。",
        ),
        ("order",),
    ),
    (
        "complaint_dismissed",
        ("Your complaint about order {order} was not upheld", "订单 {order} 的投诉未获支持"),
        (
            "Your complaint about order {order} was not upheld. The case says why, and what you may still do.",
            "订单 {order} 的投诉未获支持，理由及后续途径见案件详情。",
        ),
        ("order",),
    ),
    (
        "complaint_closed",
        ("The complaint about order {order} is closed", "订单 {order} 的投诉已结案"),
        (
            "The complaint about order {order} is closed. The case shows how it ended.",
            "订单 {order} 的投诉已结案，结果见案件详情。",
        ),
        ("order",),
    ),
    (
        "webhook_ended",
        ("A webhook was switched off", "一个回调地址已停用"),
        (
            "A webhook took nothing for days, or said it is gone, and was switched off: see why, and switch it on.",
            "您的一个回调地址连续多日无法送达或已声明失效，现已停用。请在“回调通知”页查看失败记录并重新启用。",
        ),
        (),
    ),
    (
        "conversation_unread",
        ("Somebody answered you", "您有新的会话回复"),
        (
            "There is something new in a conversation of yours. Read it under your conversations.",
            "您的会话有新回复，请在“我的会话”中查看。",
        ),
        (),
    ),
    (
        "conversation_unread_shop",
        ("A buyer wrote: please answer", "买家有新消息，请回复"),
        (
            "A buyer wrote something. After 48 hours without an answer the platform comes in.",
            "买家会话有新消息，请尽快回复；48 小时未回复的，平台客服将介入。",
        ),
        (),
    ),
    (
        "feedback_answered",
        ("Your feedback is answered", "您的反馈已有答复"),
        (
            "We answered what you told us. If the answer is none, say so under your feedback.",
            "我们已答复您的反馈。如不满意，可在“意见反馈”中提出异议。",
        ),
        (),
    ),
    (
        "satisfaction_asked",
        ("How was it?", "请评价本次服务"),
        (
            "A case of yours is over. Say in one click how it was; you are asked once.",
            "您的一项事务已处理完毕，请评价本次服务；每项仅邀请一次。",
        ),
        (),
    ),
    (
        "booked",
        ("Your booking is confirmed", "预约成功"),
        (
            "Your booking in order {order} is confirmed. The order shows the time, and the code to show there.",
            "订单 {order} 的预约已确认，时段与核销码见订单详情。",
        ),
        ("order",),
    ),
    (
        "booked_shop",
        ("A new booking", "新的预约"),
        ("Somebody booked a time in order {order}. Your calendar shows it.", "订单 {order} 有新的预约，详见预约日历。"),
        ("order",),
    ),
    (
        "booking_moved",
        ("A booking was moved", "预约已改期"),
        (
            "The buyer of order {order} took another time. Your calendar shows it.",
            "订单 {order} 的买家已改约，详见预约日历。",
        ),
        ("order",),
    ),
    (
        "booking_freed",
        ("A booked time is free again", "预约时段已释放"),
        ("A time booked in order {order} is free again.", "订单 {order} 的一个预约时段已释放。"),
        ("order",),
    ),
    (
        "booking_declined",
        ("{shop} cannot keep your booking", "{shop} 无法接待您的预约"),
        (
            "{shop} called your booking in order {order} off. The order says why: choose another time, or cancel it.",
            "{shop} 取消了订单 {order} 的预约，原因见订单详情。您可以改约，或取消订单。",
        ),
        ("shop", "order"),
    ),
    (
        "booking_redeemed",
        ("Your code was taken", "核销成功"),
        (
            "{shop} took your code of order {order}. If you got nothing for it, complain in the order.",
            "{shop} 已核销订单 {order} 的预约。如未获得服务，可在订单中投诉。",
        ),
        ("shop", "order"),
    ),
    (
        "booking_missed",
        ("You missed a booking", "您错过了一次预约"),
        (
            "Nobody showed the code of your booking in order {order}. If you were there, complain in the order.",
            "订单 {order} 的预约逾期未核销。如您已到店，可在订单中投诉。",
        ),
        ("order",),
    ),
    (
        "request_asked",
        ("Somebody wants something made", "收到定制需求"),
        (
            "A buyer asks you to make something. Read it, ask back, and offer a price and a day.",
            "有买家提出定制需求，请查看、沟通并报价。",
        ),
        (),
    ),
    (
        "request_said",
        ("A message about something to be made", "定制需求有新留言"),
        (
            "There is a new message in a request for something made to order.",
            "您的定制需求有新的留言。",
        ),
        (),
    ),
    (
        "request_offered",
        ("You have an offer", "您收到一份报价"),
        (
            "The shop offers to make what you asked for: the request says for how much, and by when. It is your turn.",
            "商家已就您的定制需求报价，价格与交付日期见需求详情，请确认。",
        ),
        (),
    ),
    (
        "request_accepted",
        ("Your offer was accepted", "报价已被接受"),
        (
            "The buyer accepted your offer for something made to order. You will hear when it is paid.",
            "买家已接受您的定制报价，付款后将另行通知。",
        ),
        (),
    ),
    (
        "request_declined",
        ("What you asked for cannot be made", "商家无法接受您的定制需求"),
        (
            "The shop will not make what you asked for. The request says why.",
            "商家无法接受您的定制需求，原因见需求详情。",
        ),
        (),
    ),
    (
        "request_withdrawn",
        ("A request was withdrawn", "定制需求已撤回"),
        (
            "The buyer does not want it made any more.",
            "买家已撤回定制需求。",
        ),
        (),
    ),
    (
        "session_reused",
        ("Somebody may have copied your sign-in", "您的登录状态可能被他人复制"),
        (
            (
                "A sign-in of yours was used twice: it may have been copied, so we ended it. Sign in again; if you do "
                "not know why, set a new password and sign out everywhere."
            ),
            "您的一次登录被重复使用，可能已被复制，我们已将其终止。请重新登录；如有疑问，请修改密码并退出所有设备。",
        ),
        (),
    ),
    (
        "role_granted",
        ("Your account may do more now", "您的账号获得了新的权限"),
        (
            "Your account was given another role. Sign in to see it. If you do not know why, tell us.",
            "您的账号已被授予新的角色，请登录查看。如非您所知，请联系我们。",
        ),
        (),
    ),
    (
        "role_revoked",
        ("Your account may do less now", "您的账号权限已变更"),
        (
            "A role of your account has ended. Sign in to see which. If you do not know why, tell us.",
            "您的账号的一项角色已终止，请登录查看。如非您所知，请联系我们。",
        ),
        (),
    ),
)

FACT_TEMPLATES: Final[Mapping[str, Template]] = {
    name: _told(name, title, text, *fields) for name, title, text, fields in (*_WORDS, *return_words.WORDS)
}
