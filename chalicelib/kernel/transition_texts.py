"""What a state machine's refusal says to people: what the record is, how it stands, and what cannot be done with it.

By machine: its record, its states ("This order *is shipped*"), its causes ("it cannot *be cancelled*"). A test walks
all machines there are: each state and cause of each has its texts here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.kernel.texts import Texts


@dataclass(frozen=True, slots=True)
class TransitionTexts:
    """The texts of one machine, English and Chinese."""

    record: Texts
    states: Mapping[str, Texts]
    """After "This ... is"."""
    causes: Mapping[str, Texts]
    """After "it cannot"."""


_SECOND_PERSON_STATES: Mapping[str, Texts] = {
    "pending": ("waiting for a decision", "待审批"),
    "approved": ("approved", "已批准"),
    "rejected": ("rejected", "已驳回"),
    "expired": ("expired", "已过期"),
}
_SECOND_PERSON_CAUSES: Mapping[str, Texts] = {
    "approve": ("be approved", "批准"),
    "reject": ("be rejected", "驳回"),
    "expire": ("expire", "过期"),
}

TRANSITIONS: Mapping[str, TransitionTexts] = {
    "role request": TransitionTexts(("role request", "角色申请"), _SECOND_PERSON_STATES, _SECOND_PERSON_CAUSES),
    "approval": TransitionTexts(("approval", "审批"), _SECOND_PERSON_STATES, _SECOND_PERSON_CAUSES),
    "session": TransitionTexts(
        ("session", "登录会话"),
        {
            "active": ("active", "有效"),
            "signed_out": ("signed out", "已退出"),
            "revoked": ("revoked", "已注销"),
            "compromised": ("ended, as its token was used twice", "已因令牌重复使用而终止"),
        },
        {
            "sign_out": ("be signed out", "退出"),
            "revoke": ("be revoked", "注销"),
            "detect_reuse": ("be ended", "终止"),
        },
    ),
    "code": TransitionTexts(
        ("code", "验证码"),
        {"sent": ("sent", "已发送"), "used": ("used", "已使用"), "spent": ("tried too often", "已超过尝试次数")},
        {"use": ("be used", "使用"), "spend": ("be spent", "作废")},
    ),
    "message": TransitionTexts(
        ("message", "消息"),
        {
            "waiting": ("waiting to be sent", "等待发送"),
            "sending": ("being sent", "正在发送"),
            "sent": ("sent", "已发送"),
            "failed": ("refused by its channel", "发送失败"),
            "unclear": ("sent, perhaps: its channel did not answer", "发送结果未知"),
            "expired": ("too old to be sent", "已过期"),
            "unwanted": ("not agreed to any more", "已撤回同意，未发送"),
        },
        {
            "begin": ("be sent", "发送"),
            "taken": ("be taken by its channel", "被通道接收"),
            "refused": ("be refused by its channel", "被通道拒绝"),
            "not_taken": ("be put back to be sent again", "重新排队"),
            "unanswered": ("be left without an answer", "标记为结果未知"),
            "too_late": ("expire", "过期"),
            "withdrawn": ("be dropped because the consent was withdrawn", "因撤回同意而取消"),
        },
    ),
    "webhook": TransitionTexts(
        ("webhook", "回调地址"),
        {
            "active": ("switched on", "已启用"),
            "off": ("switched off", "已停用"),
            "failed": ("switched off because it took nothing for days", "因连续多日无响应已停用"),
            "gone": ("switched off because it said it is gone", "因对方声明已失效而停用"),
        },
        {
            "switch_off": ("be switched off", "停用"),
            "switch_on": ("be switched on", "启用"),
            "give_up": ("be given up", "标记为失败"),
            "say_gone": ("say that it is gone", "标记为失效"),
        },
    ),
    "delivery": TransitionTexts(
        ("delivery", "回调消息"),
        {
            "waiting": ("waiting to be told", "等待推送"),
            "delivered": ("delivered", "已送达"),
            "failed": ("given up after ten attempts", "多次推送失败"),
            "dropped": ("dropped: its webhook is off or gone", "已取消推送"),
        },
        {
            "take": ("be delivered", "送达"),
            "retry": ("be tried again", "重试"),
            "put_off": ("be put off", "延后"),
            "give_up": ("be given up", "放弃"),
            "drop": ("be dropped", "取消"),
            "replay": ("be told again", "重新推送"),
        },
    ),
    "review": TransitionTexts(
        ("review", "风险复核"),
        {
            "open": ("waiting for somebody to look", "等待复核"),
            "claimed": ("in somebody's hands", "复核中"),
            "upheld": ("decided: it is so", "已认定"),
            "dismissed": ("decided: it is not so", "已排除"),
            "appealed": ("objected to", "已申诉"),
            "reclaimed": ("in another person's hands", "申诉复核中"),
            "confirmed": ("confirmed by a second person", "已维持"),
            "lapsed": ("over", "已失效"),
        },
        {
            "claim": ("be taken by anybody", "领取"),
            "give_back": ("be given back", "退回"),
            "uphold": ("be upheld", "认定"),
            "dismiss": ("be dismissed", "排除"),
            "appeal": ("be objected to", "申诉"),
            "lapse": ("lapse", "失效"),
        },
    ),
    "merchant": TransitionTexts(
        ("merchant", "商家"),
        {"active": ("active", "正常营业"), "suspended": ("suspended", "已暂停")},
        {"suspend": ("be suspended", "暂停"), "reinstate": ("be reinstated", "恢复")},
    ),
    "product": TransitionTexts(
        ("product", "商品"),
        {
            "draft": ("a draft", "尚为草稿"),
            "listed": ("listed", "已上架"),
            "unlisted": ("not listed", "已下架"),
        },
        {
            "list": ("be listed", "上架"),
            "unlist": ("be unlisted", "下架"),
            "archive": ("be put away", "归档"),
        },
    ),
    "bulk_job": TransitionTexts(
        ("job", "任务"),
        {
            "awaiting_upload": ("waiting for its file", "等待上传文件"),
            "running": ("running", "正在进行"),
            "finished": ("finished", "已完成"),
            "failed": ("failed", "已失败"),
        },
        {"start": ("be started", "开始"), "finish": ("be finished", "完成"), "fail": ("fail", "失败")},
    ),
    "purchase": TransitionTexts(
        ("purchase", "订单"),
        {
            "awaiting_payment": ("waiting for payment", "等待付款"),
            "paid": ("paid", "已付款"),
            "expired": ("closed, as it was not paid in time", "已超时关闭"),
            "cancelled": ("cancelled", "已取消"),
        },
        {
            "pay": ("be paid", "付款"),
            "expire": ("expire", "超时关闭"),
            "cancel": ("be cancelled", "取消"),
            "revive": ("be taken up again", "恢复"),
        },
    ),
    "order": TransitionTexts(
        ("order", "订单"),
        {
            "placed": ("waiting for payment", "等待付款"),
            "paid": ("paid", "已付款"),
            "partly_shipped": ("shipped in part", "已部分发货"),
            "shipped": ("shipped", "已发货"),
            "turned_back": ("on its way back to the merchant", "包裹已退回"),
            "delivered": ("delivered", "已送达"),
            "completed": ("completed", "已完成"),
            "cancelled": ("cancelled", "已取消"),
        },
        {
            "pay": ("be paid", "付款"),
            "cancel": ("be cancelled", "取消"),
            "expire": ("expire", "超时关闭"),
            "ship_part": ("be shipped in part", "部分发货"),
            "ship": ("be shipped", "发货"),
            "deliver": ("be delivered", "送达"),
            "confirm": ("be confirmed as received", "确认收货"),
            "merchant_silent": ("be cancelled for not being shipped in time", "因超时未发货而取消"),
            "give_up_rest": ("go on without its rest", "放弃未发商品"),
            "turn_back": ("turn back", "退回"),
            "unproven": ("be taken for lost", "视为丢失"),
            "reach": ("be on its way again", "恢复运输"),
            "nothing_left": ("be cancelled for having nothing left to send", "因无待发商品而取消"),
            "revive": ("be taken up again", "恢复"),
        },
    ),
    "payment": TransitionTexts(
        ("payment", "支付"),
        {
            "started": ("being prepared", "正在创建"),
            "pending": ("waiting for the payer", "等待付款"),
            "captured": ("paid", "已支付"),
            "surplus": ("on its way back to the payer", "正在退回"),
            "closed": ("closed", "已关闭"),
            "failed": ("refused by the provider", "已被支付渠道拒绝"),
            "refunded": ("refunded", "已全额退款"),
            "returned": ("returned to the payer", "已退回"),
        },
        {
            "answer": ("be offered to the payer", "等待付款"),
            "poll": ("be asked about", "查询"),
            "capture": ("be captured", "入账"),
            "overrun": ("be captured as a surplus", "作为多付款入账"),
            "close": ("be closed", "关闭"),
            "refuse": ("be refused", "拒绝"),
            "empty": ("be refunded as a whole", "全额退款"),
            "refill": ("take a refund back", "收回退款"),
        },
    ),
    "refund": TransitionTexts(
        ("refund", "退款"),
        {
            "requested": ("being sent to the provider", "已提交支付渠道"),
            "pending": ("under way at the provider", "处理中"),
            "abnormal": ("stuck at the provider", "异常"),
            "failed": ("refused by the provider", "已失败"),
            "closed": ("closed", "已关闭"),
            "succeeded": ("done", "已成功"),
            "replaced": ("replaced by another refund", "已由另一笔退款代替"),
            "owed": ("owed to the buyer", "为欠付款项"),
            "paid_offline": ("paid by other means", "已以其他方式付款"),
        },
        {
            "poll": ("be asked about", "查询"),
            "accept": ("be accepted by the provider", "受理"),
            "succeed": ("succeed", "成功"),
            "turn_abnormal": ("become stuck", "转为异常"),
            "fail": ("fail", "失败"),
            "close": ("be closed", "关闭"),
            "bounce": ("come back from the bank", "被银行退回"),
            "retry": ("be tried again", "重试"),
            "replace": ("be replaced", "代替"),
            "withhold": ("be taken off the provider", "改为线下付款"),
            "pay_offline": ("be paid by other means", "以其他方式付款"),
            "redirect": ("be sent to another card", "改退至其他银行卡"),
        },
    ),
    "dispute": TransitionTexts(
        ("dispute", "争议"),
        {
            "open": ("open", "处理中"),
            "won": ("won", "已胜诉"),
            "lost": ("lost", "已败诉"),
            "ended": ("ended", "已结束"),
        },
        {
            "win": ("be won", "胜诉"),
            "lose": ("be lost", "败诉"),
            "end": ("be ended", "结束"),
            "reopen": ("be opened again", "重新开启"),
        },
    ),
    "erasure": TransitionTexts(
        ("request to be forgotten", "注销申请"),
        {
            "requested": ("waiting for its week to pass", "在等待期内"),
            "closing": ("closing the account", "正在关闭账号"),
            "erasing": ("being carried out", "正在执行"),
            "held": ("held by something that is not settled", "因未了结的事项而暂停"),
            "done": ("done", "已完成"),
            "withdrawn": ("withdrawn", "已撤回"),
        },
        {
            "withdraw": ("be withdrawn", "撤回"),
            "close": ("close the account", "关闭账号"),
            "erase": ("be carried out", "执行"),
            "hold": ("be held", "暂停"),
            "finish": ("be finished", "完成"),
            "ask_again": ("be asked for again", "重新申请"),
        },
    ),
    "archive": TransitionTexts(
        ("archive of personal data", "个人信息副本"),
        {
            "making": ("being made", "生成中"),
            "ready": ("ready", "可下载"),
            "failed": ("not made", "生成失败"),
            "gone": ("deleted", "已删除"),
        },
        {
            "go_on": ("go on", "继续"),
            "finish": ("be finished", "完成"),
            "give_up": ("be given up", "放弃"),
            "expire": ("end", "到期"),
            "drop": ("be deleted", "删除"),
            "ask_again": ("be asked for again", "重新申请"),
        },
    ),
    "stray": TransitionTexts(
        ("record", "记录"),
        {
            "open": ("open", "待处理"),
            "placed": ("recorded as a payment", "已对应到支付"),
            "returned": ("settled, as the money was returned", "已退回款项"),
            "closed": ("closed", "已关闭"),
        },
        {
            "hear": ("take more news", "接收新消息"),
            "place": ("be recorded as a payment", "对应到支付"),
            "return": ("be settled as returned", "标记为已退回"),
            "close": ("be closed", "关闭"),
        },
    ),
    "quarantine": TransitionTexts(
        ("notice", "通知"), {"resolved": ("resolved", "已处理")}, {"resolve": ("be resolved", "处理")}
    ),
    "parcel": TransitionTexts(
        ("parcel", "包裹"),
        {
            "created": ("not collected yet", "尚未揽收"),
            "collected": ("collected", "已揽收"),
            "in_transit": ("in transit", "运输中"),
            "customs": ("at the customs", "清关中"),
            "out_for_delivery": ("out for delivery", "派送中"),
            "ready_for_pickup": ("ready for pickup", "待取件"),
            "problem": ("delayed by a problem", "运输异常"),
            "refused": ("refused by the recipient", "已被拒收"),
            "returning": ("on its way back", "退回途中"),
            "delivered": ("delivered", "已签收"),
            "returned": ("back at the merchant", "已退回商家"),
            "lost": ("lost", "已丢失"),
        },
        {
            "collect": ("be collected", "揽收"),
            "move": ("move on", "继续运输"),
            "customs": ("enter the customs", "进入清关"),
            "set_out": ("go out for delivery", "派送"),
            "store": ("be kept for pickup", "待取件"),
            "fail": ("meet a problem", "转为异常"),
            "refuse": ("be refused", "拒收"),
            "turn_back": ("be sent back", "退回"),
            "sign": ("be signed for", "签收"),
            "return": ("be returned", "退回商家"),
            "lose": ("be taken for lost", "认定丢失"),
        },
    ),
    "watch": TransitionTexts(
        ("tracking", "物流跟踪"),
        {
            "waiting": ("waiting to be subscribed", "等待订阅"),
            "watched": ("pushed by the carriers' hub", "已订阅推送"),
            "polled": ("asked about by us", "改为主动查询"),
            "broken": ("interrupted", "已中断"),
            "finished": ("finished", "已结束"),
        },
        {
            "subscribe": ("be subscribed", "订阅"),
            "retry": ("be tried again", "重试"),
            "give_up": ("be given up", "放弃订阅"),
            "ask": ("be asked about", "查询"),
            "abort": ("be interrupted", "中断"),
            "correct": ("take another number", "更改单号"),
            "finish": ("be finished", "结束"),
        },
    ),
    "virtual_delivery": TransitionTexts(
        ("delivery", "交付"),
        {
            "awaiting": ("waiting for the merchant", "等待商家交付"),
            "overdue": ("overdue", "已超过约定时间"),
            "delivered": ("delivered", "已交付"),
            "confirmed": ("confirmed", "已确认收到"),
            "called_off": ("paid back before it was delivered", "交付前已退款"),
            "revoked": ("paid back", "已退款失效"),
        },
        {
            "deliver": ("be delivered", "交付"),
            "miss": ("be missed", "标记为逾期"),
            "confirm": ("be confirmed", "确认收到"),
            "call_off": ("be called off", "取消"),
            "revoke": ("be taken back", "收回"),
        },
    ),
    "complaint": TransitionTexts(
        ("complaint", "投诉"),
        {
            "awaiting_merchant": ("waiting for the merchant", "等待商家处理"),
            "refund_offered": ("waiting for the buyer, who is offered a refund", "商家已提出退款，等待买家确认"),
            "remedy_offered": ("waiting for the buyer, who is offered a remedy", "商家已提出补救方案，等待买家确认"),
            "rejected": ("rejected by the merchant", "已被商家拒绝"),
            "escalated": ("waiting for the platform's decision", "等待平台裁决"),
            "merchant_asked": ("waiting for the merchant's statement", "等待商家说明"),
            "buyer_asked": ("waiting for the buyer's statement", "等待买家补充说明"),
            "appealed": ("appealed against, waiting for another decision", "申诉处理中"),
            "overdue": ("waiting for the platform's decision, which is overdue", "平台裁决已逾期"),
            "refunding": ("being refunded", "退款处理中"),
            "resolved": ("resolved", "已解决"),
            "dismissed": ("dismissed", "已驳回"),
            "withdrawn": ("withdrawn", "已撤销"),
        },
        {
            "offer_refund": ("be answered with a refund", "提出退款"),
            "offer_remedy": ("be answered with a remedy", "提出补救方案"),
            "reject": ("be rejected", "拒绝"),
            "accept": ("be accepted", "接受"),
            "lapse": ("lapse", "视为接受"),
            "escalate": ("be taken to the platform", "申请平台介入"),
            "silence": ("be taken further for want of an answer", "因超时未答复而升级"),
            "withdraw": ("be withdrawn", "撤销"),
            "grant_refund": ("be decided with a refund", "裁决退款"),
            "grant_remedy": ("be decided with a remedy", "裁决补救"),
            "dismiss": ("be dismissed", "驳回"),
            "ask_merchant": ("wait for the merchant's statement", "要求商家说明"),
            "ask_buyer": ("wait for the buyer's statement", "请买家补充说明"),
            "state": ("be answered with a statement", "答复说明"),
            "forfeit_refund": ("be decided with a refund for want of answers", "因多次超时裁决退款"),
            "forfeit_remedy": ("be decided for want of answers", "因多次超时裁决补救"),
            "uphold": ("be upheld", "维持原裁决"),
            "appeal": ("be appealed against", "申诉"),
            "replacement_failed": ("have its replacement fail", "换货失败"),
            "refund_refused": ("have its refund refused", "退款被拒"),
            "refund_done": ("be refunded", "完成退款"),
            "refund_failed": ("have its refund fail", "退款失败"),
            "refund_bounced": ("have its refund come back", "退款被退回"),
            "reopen": ("be opened again", "重新开启"),
        },
    ),
    "booking": TransitionTexts(
        ("booking", "预约"),
        {
            "held": ("kept until its order is paid", "等待付款"),
            "booked": ("booked", "已预约"),
            "redeemed": ("redeemed", "已核销"),
            "missed": ("over, and nobody came", "已逾期"),
            "cancelled": ("cancelled", "已取消"),
            "declined": ("called off by the merchant", "已被商家取消"),
            "void": ("over, as its order is", "已随订单结束"),
        },
        {
            "pay": ("be confirmed", "确认"),
            "move": ("be moved", "改期"),
            "redeem": ("be redeemed", "核销"),
            "miss": ("be missed", "标记为逾期"),
            "cancel": ("be cancelled", "取消"),
            "decline": ("be called off", "取消"),
            "end": ("be ended", "结束"),
        },
    ),
    "reconciliation": TransitionTexts(
        ("reconciliation", "对账"),
        {
            "wanted": ("waiting for the bill", "等待账单"),
            "reading": ("reading the bill", "正在读取账单"),
            "checking": ("checking our own records", "正在核对本店记录"),
            "done": ("done", "已完成"),
            "failed": ("failed", "已失败"),
        },
        {
            "wait": ("wait for the bill", "等待账单"),
            "fetch": ("fetch the bill", "获取账单"),
            "next": ("go on", "继续"),
            "read": ("be read to its end", "读完账单"),
            "finish": ("be finished", "完成"),
            "give_up": ("be given up", "放弃"),
            "again": ("be run again", "重新进行"),
        },
    ),
    "case": TransitionTexts(
        ("case", "差错单"),
        {
            "open": ("open", "待处理"),
            "escalated": ("escalated", "已升级"),
            "settled": ("settled by itself", "已自行核平"),
            "resolved": ("resolved", "已处理"),
        },
        {
            "escalate": ("be escalated", "升级"),
            "settle": ("be settled", "核平"),
            "resolve": ("be resolved", "处理"),
            "reopen": ("be opened again", "重新开启"),
        },
    ),
}
