"""What a rule found, in words for people: which facts, how many, within which time, and by which rule."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.kernel.texts import Texts
from chalicelib.risk.domain import FactKind, Finding

FACTS: Mapping[FactKind, Texts] = {
    FactKind.SIGNED_UP: ("accounts that signed up", "新注册账号"),
    FactKind.USED_BY: ("accounts that used the same", "共用账号"),
    FactKind.UNPAID: ("purchases that ended unpaid", "未付款结束的订单"),
    FactKind.PAID: ("paid orders", "已付款订单"),
    FactKind.REFUNDED: ("orders of which money went back", "发生退款的订单"),
    FactKind.COMPLAINED: ("complaints", "投诉"),
    FactKind.NOT_RECEIVED: ("complaints that nothing came", "称未收到货的投诉"),
    FactKind.OPENED: ("new merchants", "新商家"),
    FactKind.SHARES_DEVICE: ("accounts on the same device", "同设备账号"),
    FactKind.RING_PERSON: ("orders by somebody who works for the merchant", "商家人员自购订单"),
    FactKind.RING_DEVICE: ("orders from a device of the merchant's people", "与商家人员同设备的订单"),
    FactKind.RING_ADDRESS: ("orders to an address of the merchant's people", "寄往商家人员地址的订单"),
    FactKind.RING_PHONE: ("orders with a phone of the merchant's people", "使用商家人员电话的订单"),
    FactKind.RING_PAYER: ("orders paid by who pays for the merchant's people", "由商家人员付款人支付的订单"),
}
"""Kind of fact -> what a number of them is called."""


def explain(finding: Finding, language: str) -> str:
    """Return a finding in one sentence."""
    return _in_english(finding) if language == "en" else _in_chinese(finding)


def _counted(finding: Finding) -> list[tuple[int, Texts]]:
    kinds = [kind for kind, _, _ in finding.evidence]
    return [(kinds.count(kind), FACTS[kind]) for kind in finding.rule.of if kind in kinds]


def _in_english(finding: Finding) -> str:
    rule = finding.rule
    facts = " and ".join(f"{count} {words[0]}" for count, words in _counted(finding))
    beside = f", of {finding.compared_with} {FACTS[rule.per][0]}" if rule.per is not None else ""
    source = f"rule {rule.rule_id}, version {rule.version}, from {rule.least} on"
    return f"{facts} within {rule.window_h} hours{beside}: {source}."


def _in_chinese(finding: Finding) -> str:
    rule = finding.rule
    facts = "、".join(f"{words[1]} {count} 条" for count, words in _counted(finding))
    beside = f"（同期{FACTS[rule.per][1]} {finding.compared_with} 条）" if rule.per is not None else ""
    source = f"规则 {rule.rule_id} 第 {rule.version} 版，阈值 {rule.least}"
    return f"{rule.window_h} 小时内{facts}{beside}：{source}。"
