from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments.domain import buyer_texts
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import RefundStatus
from tests.unit.payments.test_payments_domain import refund, started


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_state_has_words_in_both_languages(language: str) -> None:
    payments = [buyer_texts.of_payment(replace(started, status=status), language) for status in PaymentStatus]
    refunds = [buyer_texts.of_refund(replace(refund(1), status=status), language) for status in RefundStatus]
    assert len(set(payments)) == len(PaymentStatus)
    assert len(set(refunds)) == 7, "an operator looks after failed, abnormal and closed ones alike"
    assert all(text.isascii() is (language == "en") for text in (*payments, *refunds))


def test_every_reason_to_give_money_back_is_told() -> None:
    ended = [f"purchase_{status.value}" for status in PurchaseStatus if status is not PurchaseStatus.AWAITING_PAYMENT]
    for code in (*ended, "amount_differs"):
        gone = replace(started, status=PaymentStatus.RETURNED, surplus_reason=code)
        assert buyer_texts.of_payment(gone, "en").endswith(" Your money was returned to where it came from.")
        assert buyer_texts.of_payment(gone, "zh") != "款项已原路退回。", code
        assert buyer_texts.of_payment(gone, "zh").endswith("款项已原路退回。")


def test_a_refused_payment_does_not_tell_the_providers_word() -> None:
    failed = replace(started, status=PaymentStatus.FAILED, failure_code="purchase_paid")
    assert buyer_texts.of_payment(failed, "en") == "The provider refused this payment; nothing was charged."
