"""What the seller bears of a buyer's coupon: read from each provider's bill, told, and booked once."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.payments import service as payments
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine, whole
from chalicelib.payments.providers.alipay import bill as alipay_bill
from chalicelib.payments.providers.qqwallet import bill as qqwallet_bill
from chalicelib.payments.providers.sandbox import adapter as sandbox_provider
from chalicelib.payments.providers.stripe import bill as stripe_bill
from chalicelib.payments.providers.wechatpay import bill as wechatpay_bill
from chalicelib.reconciliation import domain
from chalicelib.reconciliation.domain import Finding, Kind, Line, Ours
from chalicelib.runtime import outbound
from tests.support.paying import Till, accounts, story

DAY = "2026-11-22"
WECHATPAY_COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
WECHATPAY_TOTALS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


def wechatpay(*rows: dict[str, str], totals: tuple[str, ...]) -> Bill:
    names = WECHATPAY_COLUMNS.split(",")
    full = [dict.fromkeys(names, "") | {"交易时间": "2026-08-29 12:00:00", "货币种类": "CNY"} | row for row in rows]
    text = "\n".join(
        [
            WECHATPAY_COLUMNS,
            *("`" + ",`".join(row[name] for name in names) for row in full),
            WECHATPAY_TOTALS,
            "`" + ",`".join(totals),
        ]
    )
    return whole(wechatpay_bill.read_bill(io.BytesIO(b"\xef\xbb\xbf" + text.encode())))


PAID = {
    "微信订单号": "42", "商户订单号": "pay_x", "交易状态": "SUCCESS", "应结订单金额": "90.00", "代金券金额": "10.00",
    "退款金额": "0.00", "手续费": "0.54000", "订单金额": "100.00", "申请退款金额": "0.00",
}  # fmt: skip
BACK = {
    "微信订单号": "42", "商户订单号": "pay_x", "交易状态": "REFUND", "应结订单金额": "0.00", "代金券金额": "0.00",
    "微信退款单号": "50", "商户退款单号": "ref_x", "退款金额": "45.00", "退款状态": "SUCCESS", "手续费": "-0.27000",
    "订单金额": "0.00", "申请退款金额": "50.00",
}  # fmt: skip


def test_wechat_pays_bill_says_what_is_settled_of_a_payment_and_of_a_refund() -> None:
    bill = wechatpay(PAID, BACK, totals=("2", "90.00", "45.00", "0.00", "0.27", "100.00", "50.00"))
    assert bill.defects == ()
    paid, back = bill.lines
    assert (paid.amount, paid.settled, paid.borne) == (Money(10000), Money(9000), Money(1000))
    assert (back.kind, back.amount, back.settled, back.borne) == (BillKind.REFUND, Money(5000), Money(4500), None)


def test_wechat_pays_settled_totals_are_checked_too() -> None:
    bill = wechatpay(PAID, BACK, totals=("2", "100.00", "50.00", "0.00", "0.27", "100.00", "50.00"))
    assert bill.defects == (
        "应结订单总金额 is 100.00, the lines sum to 90.00",
        "退款总金额 is 50.00, the lines sum to 45.00",
    )


ALIPAY_COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,订单金额（元）,商家实收（元）,支付宝优惠（元）,"
    "商家优惠（元）,商家红包消费金额（元）,退款批次号/请求号,服务费（元）"
)


def alipay(*rows: str) -> Bill:
    lines = [
        "#支付宝业务明细查询",
        ALIPAY_COLUMNS,
        *rows,
        "#----业务明细列表结束----",
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("details.csv", "\r\n".join(lines).encode("gb18030"))
    file.seek(0)
    return whole(alipay_bill.read_bill(file))


def test_alipays_bill_says_what_the_seller_gets() -> None:
    when = "2026-01-01 00:00:00,2026-01-01 00:00:00"
    bill = alipay(
        f"1,pay_1,交易,Tea,{when},100.00,88.00,5.00,10.00,2.00,,-0.60",
        f"1,pay_1,退款,Tea,{when},-50.00,-44.00,0.00,-5.00,-1.00,ref_1,0.30",
        f"2,pay_2,交易,Tea,{when},100.00,,,,,,-0.60",
    )
    assert bill.defects == ()
    assert [(line.settled, line.borne) for line in bill.lines] == [
        (Money(8800), Money(1200)),
        (Money(4400), Money(600)),
        (None, None),
    ]


def test_qq_wallets_bill_says_it_of_payments_and_a_refund_only_repeats_it() -> None:
    names = (
        "交易时间,商户订单号,QQ钱包订单号,货币种类,订单金额,商户优惠金额,商户应收金额,交易状态,商户退款订单号,"
        "QQ钱包退款订单号,退款金额,退款状态,退款成功时间,手续费金额"
    )
    order = "`2026-01-01 00:00:00,`pay_1,`9,`CNY,`100.00,`10.00,`90.00,"
    paid = order + "`SUCCESS,`,`,`,`,`,`0.60"
    back = order + "`REFUND,`ref_1,`8,`50.00,`SUCCESS,`2026-01-02 00:00:00,`-0.30"
    text = f"{names}\n{paid}\n{back}\n总交易单数\n`2.0"
    bill = whole(qqwallet_bill.read_bill(io.BytesIO(text.encode())))
    assert bill.defects == ()
    assert [(line.settled, line.borne) for line in bill.lines] == [(Money(9000), Money(1000)), (None, None)]


@pytest.mark.parametrize(("currency", "settled"), [("cny", Money(9000)), ("usd", None)])
def test_stripes_own_amount_is_what_it_settles_where_the_currency_is_the_same(
    currency: str, settled: Money | None
) -> None:
    item = {
        "id": "txn_1",
        "type": "charge",
        "amount": 9000,
        "currency": currency,
        "created": 1_700_000_000,
        "source": {"id": "ch_1", "object": "charge", "amount": 10000, "currency": "cny", "payment_intent": "pi_1"},
    }
    (line,) = stripe_bill.bill_part([item], 0, "").lines
    assert (line.amount, line.settled, line.borne) == (Money(10000), settled, None)


# --- judged -----------------------------------------------------------------------------------------------------------


def judged(*, kind: Kind = Kind.PAYMENT, settled: int | None, borne: int | None = None) -> domain.Verdict:
    line = Line(
        number=1, kind=kind, payment_id="pay_x", transaction_id="t", minor=10000, currency="CNY", fee="", at_s=0,
        settled=settled, borne=borne,
    )  # fmt: skip
    ours = Ours("pay_x", "pur_x", "wechatpay", "captured", True, False, 10000, "CNY", "t")
    return domain.judge(line, ours, provider="wechatpay")


def test_a_discount_that_the_bill_explains_is_a_class_of_its_own_and_any_other_difference_a_case() -> None:
    assert judged(settled=None).finding is Finding.MATCH
    assert judged(settled=10000, borne=1000).finding is Finding.MATCH  # The provider bears that coupon.
    assert judged(settled=9000, borne=1000).finding is Finding.DISCOUNTED
    assert judged(settled=9500, borne=1000).finding is Finding.DISCOUNTED
    assert judged(kind=Kind.REFUND, settled=9000).finding is Finding.DISCOUNTED
    for settled, borne in ((8999, 1000), (9000, None), (9000, 0), (10001, 1000)):
        assert judged(settled=settled, borne=borne) == domain.Verdict(Finding.DIFFERS, "settled")
    assert Finding.DISCOUNTED not in domain.CASES


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def reconcile(till: Till, **more: Any) -> Any:
    answer = till.operate("POST", "/v1/operator/reconciliations", {"provider": "sandbox", "day": DAY, **more})
    assert answer.status == 202, answer
    till.settle()
    return till.operate("GET", f"/v1/operator/reconciliations/{answer.json['run_id']}").json


def test_it_is_told_and_booked_once_and_a_refund_brings_its_part_back(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, payment_id = till.paid((10000,))
    body = {
        "order_id": sale.orders[0].order_id,
        "amount": {"minor": 5000, "currency": "CNY"},
        "reason": "broken",
    }
    assert till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body).status == 201
    till.settle()
    (refund,) = story(sale).refunds
    paid = payments.payment_records(sale.purchase.purchase_id).payment(payment_id)
    common: dict[str, Any] = {
        "payment_id": payment_id,
        "transaction_id": paid.transaction_id or "",
        "fee_text": "",
        "at": paid.captured_at,
    }
    lines = (
        BillLine(BillKind.PAYMENT, amount=Money(10000), settled=Money(9000), borne=Money(1000), line=1, **common),
        BillLine(
            BillKind.REFUND, amount=Money(5000), settled=Money(4500), refund_id=refund.refund_id, line=2, **common
        ),
    )
    monkeypatch.setattr(
        sandbox_provider.Sandbox, "bill_parts", lambda *_, **__: iter([Bill(lines, {"lines": "2"})]), raising=True
    )
    till.clock.advance(timedelta(days=1))

    for more in ({}, {"again": True}):
        run = reconcile(till, **more)
        assert (run["counts"], run["cases"]) == ({"discounted": 2}, 0)
        (told,) = run["classes"]
        assert told["at_stake"] == [{"minor": 1500, "currency": "CNY"}]
        found = till.operate("GET", f"/v1/operator/reconciliations/{run['run_id']}/lines?finding=discounted").json[
            "items"
        ]
        assert [(one["line"]["settled"]["minor"], one["difference"]["minor"]) for one in found] == [
            (9000, -1000),
            (4500, -500),
        ]
        assert accounts(sale)["discounts:sandbox"] == 1000 - 500
        assert accounts(sale)["clearing:sandbox"] == 9000 - 4500
        assert ledger.proof(sale.purchase.purchase_id).balanced


def test_one_that_no_discount_explains_is_a_case(till: Till) -> None:
    till.paid((10000,))
    till.sandbox.bill_defects = ("coupon",)
    till.clock.advance(timedelta(days=1))
    run = reconcile(till)
    assert run["counts"] == {"differs": 1}
    (case,) = till.operate("GET", "/v1/operator/cases").json["items"]
    assert (case["said"]["why"], case["said"]["settled"], case["said"]["difference"]) == (
        "settled",
        "0.01 CNY",
        "-99.99 CNY",
    )
