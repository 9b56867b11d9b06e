"""Steps that no other room has words for. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.kernel.texts import Texts

STOCK: Mapping[str, Texts] = {
    "stock.taken": ("Its units were taken from stock", "已扣减库存"),
    "stock.put_back": ("Its units went back to stock", "已退回库存"),
}
PARCEL_MADE: Texts = ("The merchant handed over a parcel", "商家交运包裹")

ACCOUNT: Mapping[str, Texts] = {
    "account.registered": ("The account was made", "注册账号"),
    "email.verified": ("An e-mail address was shown to be theirs, lately", "最近一次验证邮箱"),
    "phone.verified": ("A phone number was shown to be theirs, lately", "最近一次验证手机号"),
    "role.given": ("A role was given", "授予角色"),
    "role.taken": ("A role was taken away", "撤销角色"),
    "session.began": ("Somebody signed in", "登录"),
    "order.placed": ("An order was placed", "下单"),
    "erasure.requested": ("The person asked to be forgotten", "申请注销与删除"),
    "erasure.moved": ("The erasure went on", "注销与删除进展"),
}

ACTS: Mapping[str, Texts] = {
    "request_refund": ("An operator requested a refund", "运营人员申请退款"),
    "ask_refund_approval": ("An operator asked a second person to approve a refund", "运营人员提交退款审批"),
    "approve_refund": ("A second operator approved", "第二名运营人员批准"),
    "reject_refund": ("The approval was refused or taken back", "审批被拒绝或撤回"),
    "retry_refund": ("An operator had a refund tried again", "运营人员重试退款"),
    "take_refund_offline": ("An operator took a refund on, to pay it by hand", "运营人员接管退款，改为线下处理"),
    "note_paid_offline": ("An operator paid a refund by hand", "运营人员登记线下退款"),
    "send_refund_to_card": ("An operator sent a refund to another card", "运营人员将退款改汇至银行卡"),
    "query_payment": ("An operator asked the provider about a payment", "运营人员查询支付状态"),
    "query_refund": ("An operator asked the provider about a refund", "运营人员查询退款状态"),
    "resolve_quarantined": ("An operator closed a notice that was kept apart", "运营人员处理被隔离的通知"),
    "resolve_case": ("An operator closed a case of reconciliation", "运营人员处理对账差异"),
    "decide_complaint": ("An operator decided a complaint", "运营人员裁决投诉"),
    "decide_return": ("An operator decided a return", "运营人员裁决退换货"),
    "reveal_contact": ("An operator looked at the address", "运营人员查看收货信息"),
    "explain_order": ("An operator had this order explained", "运营人员查阅订单说明"),
    "explain_account": ("An operator had this account explained", "运营人员查阅账号说明"),
    "grant_role": ("An operator gave a role", "运营人员授予角色"),
    "revoke_role": ("An operator took a role away", "运营人员撤销角色"),
    "ask_role": ("An operator asked for a role to be given", "运营人员申请授予角色"),
    "approve_role": ("A second operator approved a role", "第二名运营人员批准角色"),
    "reject_role": ("A request for a role was refused or taken back", "角色申请被拒绝或撤回"),
    "change_merchant": ("An operator changed a merchant's standing", "运营人员变更商户状态"),
    "release_number": ("An operator released a tracking number", "运营人员释放运单号"),
    "settle_parcel": ("An operator said what became of a parcel", "运营人员认定包裹去向"),
    "settle_stray": ("An operator settled money that fits nothing", "运营人员处理无主款项"),
}
OTHER_ACT: Texts = ("An operator acted", "运营人员操作")


def of_act(act: str) -> Texts:
    """Return an act in words."""
    return ACTS.get(act, OTHER_ACT)
