"""A purchase's story and its refunds in words: every kind that can be shown has both texts, none is for machines."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import chalicelib
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.payments.domain import buyer_texts, story_texts
from chalicelib.payments.domain.approval import APPROVAL, ApprovalStatus
from chalicelib.payments.domain.dispute import DISPUTE, DisputeStatus
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import REFUND, Refund, RefundStatus
from chalicelib.payments.domain.stray import StrayKind
from chalicelib.reconciliation.advice import _WORDS

ROOT = Path(chalicelib.__file__).parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")
MACHINE = re.compile(r"[a-z]+_[a-z]+|[{}`]")
KINDS = {
    *(f"refund.{status}" for status in RefundStatus if status is not REFUND.initial),
    *(f"dispute.{status}" for status in DisputeStatus if status is not DISPUTE.initial),
    *(f"approval.{status}" for status in ApprovalStatus if status is not APPROVAL.initial),
}


def test_every_kind_of_happening_has_words() -> None:
    literal = {
        node.value
        for node in ast.walk(ast.parse((ROOT / "payments" / "reviews" / "story.py").read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[a-z]+\.[a-z]+", node.value)
    }
    of_their_own = {"purchase.changed", "order.changed"}
    assert literal > of_their_own
    assert set(story_texts.HAPPENINGS) == (literal - of_their_own) | KINDS | {"refund.bounced"}


def test_no_table_of_payments_has_a_word_for_machines() -> None:
    assert set(buyer_texts._PAYMENTS) == set(PaymentStatus)
    assert set(buyer_texts._STRAYS) == set(StrayKind)
    tables = (
        story_texts.HAPPENINGS,
        buyer_texts._PAYMENTS,
        buyer_texts._SURPLUS,
        buyer_texts._REFUNDS,
        buyer_texts._WHY_BACK,
        buyer_texts._STRAYS,
    )
    for en, zh in (pair for table in tables for pair in table.values()):
        assert en.isascii()
        assert CHINESE.search(zh)
        assert not MACHINE.search(en), en
        assert not MACHINE.search(zh), zh


def refund(reason: str, **more: str) -> Refund:
    return Refund(
        refund_id="ref_1",
        purchase_id="pur_1",
        payment_id="pay_1",
        order_id="ord_1",
        status=RefundStatus.REQUESTED,
        amount=Money(100),
        reason=reason,
        request_token="cause",
        due_at=None,
        requested_at=clock.now(),
        since=clock.now(),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("found", "en", "zh"),
    [
        (refund("cancel"), "The order was called off.", "订单已取消。"),
        (refund("rest"), "Some of the order is not sent.", "部分商品不再发货。"),
        (refund("cancel", by="acc_1"), "cancel", "cancel"),
        (refund("complaint cpl_1", about="cpl_1"), "A complaint was granted.", "投诉已成立。"),
        (
            refund("made at the provider", external_number="50"),
            "It was given back at the payment provider.",
            "已在支付渠道后台退款。",
        ),
        (refund("purchase_paid"), "This purchase had been paid before.", "该订单此前已支付，此笔为重复付款。"),
    ],
)
def test_a_refund_says_why_in_words(found: Refund, en: str, zh: str) -> None:
    assert (buyer_texts.why_back(found, "en"), buyer_texts.why_back(found, "zh-CN")) == (en, zh)


def test_an_operator_s_advice_names_no_field() -> None:
    for kind, advice in _WORDS.items():
        for en, zh in (advice.what, advice.todo):
            assert en.isascii(), kind
            assert CHINESE.search(zh), kind
            assert not MACHINE.search(en), (kind, en)
            assert not MACHINE.search(zh), (kind, zh)
            assert "why）" not in zh, kind
