"""What each kind of trouble means and what an operator does about it, in words. Pure; in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.kernel.texts import Texts


@dataclass(frozen=True, slots=True)
class Advice:
    """What it is, and what to do next: English first, then Chinese."""

    what: Texts
    todo: Texts


def of(kind: str, why: str = "", *, healed: bool = False) -> Advice:
    """Return what to say of a finding or a case; ``why`` is its word for machines."""
    if healed:
        return _HEALED
    return _WORDS.get(f"{kind}:{why}") or _WORDS.get(kind) or _OTHERWISE


_NOTHING = ("Nothing.", "无需处理。")
_HEALED = Advice(
    (
        "Our books did not know it; the provider confirmed it, it is recorded.",
        "我方漏记，已向服务商查询确认并补记。",
    ),
    _NOTHING,
)
_OTHERWISE = Advice(
    ("Something does not fit.", "账目不符。"),
    ("Compare what the bill says with the purchase's story.", "请对照账单内容与订单资金流水。"),
)
_WORDS: Mapping[str, Advice] = {
    "match": Advice(("Both sides say the same.", "双方一致。"), _NOTHING),
    "other": Advice(
        ("A fee, payout or correction of the provider, of no order.", "服务商的费用、结算或调账，不属于任何订单。"),
        _NOTHING,
    ),
    "discounted": Advice(
        (
            "Both sides say the same; the provider settles less, because we bear a discount that it gave to the buyer.",
            "双方一致；因商户承担了服务商发放的优惠（代金券），应结金额少于订单金额。",
        ),
        (
            "Nothing: it is booked as a discount. If nobody here wanted that coupon, end it in the provider's console.",
            "无需处理，已记入优惠账户；若非我方发放的优惠券，请在服务商后台停用。",
        ),
    ),
    "missing_here": Advice(
        (
            "The provider moved money; our books do not have it, and a query did not prove it.",
            "服务商账单有此笔资金变动，我方未记账，查询也未能确认。",
        ),
        (
            (
                "Read the purchase's story and query the payment again; if the answer stays the "
                "same, ask the provider's "
                "desk with its number and resolve the case with what they say."
            ),
            "查看该订单资金流水并再次查询支付；结果不变时，凭服务商单号联系其客服，并按答复结案。",
        ),
    ),
    "missing_here:unknown_payment": Advice(
        (
            "The provider took money under a number that is none of ours.",
            "服务商收到一笔款项，其商户单号不属于本系统。",
        ),
        (
            (
                "Find out which other system uses this merchant account. If nobody's, refund it in "
                "the provider's console "
                "and resolve the case as refunded."
            ),
            "查明哪个系统共用了该商户号；若无主，请在服务商后台退款，并以“已退款”结案。",
        ),
    ),
    "missing_there": Advice(
        (
            "Our books have money moving on this day; no bill of the days around it has it.",
            "我方记有此笔资金变动，当日及前后账单均无。",
        ),
        (
            (
                "Wait for the next day's bill (it settles the case by itself). Then query the "
                "payment; if the provider "
                "does not know it, stop the delivery and ask its desk with our number."
            ),
            "先等次日账单（出现后自动结案）；仍无则查询该支付，服务商不认时请暂停发货，并凭商户单号联系其客服。",
        ),
    ),
    "differs": Advice(
        ("Both sides know it, and not as the same.", "双方均有此笔，但内容不一致。"),
        (
            "Compare the bill's side with ours, query the payment, and ask the provider's desk which is right.",
            "对照双方内容并查询该支付，向服务商确认以何为准。",
        ),
    ),
    "differs:amount": Advice(
        ("The bill has another amount than our books.", "账单金额与我方记账金额不一致。"),
        (
            (
                "Query the payment. If the bill is right, give back or collect the difference; if "
                "it is not, have the "
                "provider correct its bill and repeat the day."
            ),
            "查询该支付：账单正确则退还或补收差额；账单有误则请服务商更正后重新对账。",
        ),
    ),
    "differs:settled": Advice(
        (
            "The provider settles another amount than was paid, and the bill names no discount that explains it.",
            "应结金额与订单金额不符，且账单所列优惠无法解释差额。",
        ),
        (
            "Ask the provider's desk why it settles another amount, and resolve the case with what they say.",
            "请向服务商核实应结金额的差异原因，并按答复结案。",
        ),
    ),
    "differs:currency": Advice(
        ("The bill has another currency than our books.", "账单币种与我方记账币种不一致。"),
        (
            "Ask the provider's desk which currency was charged before anything is refunded.",
            "退款前请向服务商确认实际扣款币种。",
        ),
    ),
    "differs:transaction": Advice(
        (
            "The bill has our number with another transaction: the buyer may have paid twice.",
            "同一商户单号对应另一笔交易，买家可能重复付款。",
        ),
        (
            "Look for both transactions in the provider's console; refund the one our books do not have there.",
            "在服务商后台核对两笔交易，将我方未记账的一笔在后台退款。",
        ),
    ),
    "differs:state": Advice(
        ("Our refund is done; the bill says it failed.", "我方记为退款成功，账单显示退款失败。"),
        (
            (
                "Check in the provider's console whether the buyer has the money. If not, pay it "
                "another way and resolve "
                "the case as corrected."
            ),
            "在服务商后台核实买家是否到账；未到账则以其他方式退款，并以“已更正”结案。",
        ),
    ),
    "differs:returned": Advice(
        ("A refund came back: the buyer does not have the money.", "退款被退回，买家未收到款项。"),
        (
            (
                "The provider did not confirm it: query the refund again. Once it is taken back here, renew it, or pay "
                "the buyer another way and resolve the case as refunded."
            ),
            "服务商尚未确认：请再次查询该退款。系统冲回后可重新发起；或以其他方式付款给买家，并以“已退款”结案。",
        ),
    ),
    "differs:provider": Advice(
        (
            "The bill names a payment that our books have elsewhere.",
            "账单中的支付在我方记在另一服务商名下。",
        ),
        ("Check both providers' consoles: the buyer may have paid twice.", "核对两家服务商后台，买家可能重复付款。"),
    ),
    "unknown_refund": Advice(
        (
            "Money went back under a number that is none of ours: somebody refunded in the provider's console.",
            "有一笔退款的单号不属于本系统：可能有人在服务商后台退款。",
        ),
        (
            (
                "Find out who did it and why. If the purchase keeps it as a notice, take it into the books there: the "
                "case settles by itself. Else resolve it with the reason. Do not refund the same again here."
            ),
            "查明操作人与原因。若该订单的存疑通知中有此退款，请在该处“入账”，本单随即自动结案；否则注明原因结案。请勿重复退款。",
        ),
    ),
    "duplicate": Advice(
        ("The bill has the same movement twice.", "账单中同一笔变动出现两次。"),
        (
            (
                "Look in the provider's console whether it happened twice. If so, have one "
                "reversed; if not, have the bill "
                "corrected and repeat the day."
            ),
            "在服务商后台核实是否真的发生两次：是则请其冲正一笔，否则请其更正账单后重新对账。",
        ),
    ),
    "dispute": Advice(
        ("The payer's bank took money back, or gave it back.", "付款方银行撤回或返还了资金（拒付争议）。"),
        (
            (
                "Answer in the provider's console before its deadline, with the delivery as "
                "evidence; do not refund the "
                "order besides. Resolve the case with the outcome."
            ),
            "请在期限前于服务商后台提交发货凭证应诉，期间勿另行退款；有结果后结案。",
        ),
    ),
    "dispute:silent": Advice(
        (
            "A dispute moved money, and the provider did not say how it stands.",
            "争议引起资金变动，但服务商未答复其状态。",
        ),
        (
            "Repeat the day once the provider answers; this case then follows the dispute.",
            "待服务商恢复应答后重新对账，本单将随争议状态更新。",
        ),
    ),
    "unreadable": Advice(
        (
            "Part of the bill cannot be read, or its totals do not fit.",
            "账单部分无法识别，或合计与明细不符。",
        ),
        (
            "Repeat the day; if it stays so, fetch the file from the provider's console and compare the lines named.",
            "请重新对账；仍如此时，从服务商后台下载账单，核对所列行。",
        ),
    ),
    "bill_missing": Advice(
        ("The provider's bill did not come for a day.", "服务商账单一整天未能获取。"),
        (
            "See the reason given, mend the access, then repeat the day.",
            "根据所列原因恢复访问权限后，重新对账。",
        ),
    ),
    "deadline_parked": Advice(
        (
            "What was to happen to a record by the clock was refused again and again; nobody tries it any more.",
            "某条记录到期后的自动处理屡次被拒，系统已停止重试。",
        ),
        (
            (
                "See the reason given and mend that, then resolve the case as corrected: it is tried again. "
                "Any change of the record does the same."
            ),
            "查看所列被拒原因并排除后，以“已更正”结案，系统将再次处理；该记录有任何变更时也会重试。",
        ),
    ),
    "refund_owed": Advice(
        (
            "The provider cannot give this money back (too many refunds, too late, given up): the buyer is owed it.",
            "服务商无法退回该款项（退款次数已满、超过期限或已放弃），尚欠买家。",
        ),
        (
            (
                "Pay the buyer another way, then note it at the refund as paid, with the bank's reference; the case "
                "settles by itself."
            ),
            "请以其他方式付款给买家，再在该退款上登记已付款及银行流水号；登记后自动结案。",
        ),
    ),
    "refund_stuck": Advice(
        ("A refund that the provider does not finish.", "退款未能完成。"),
        (
            (
                "See the reason: fill up the balance (it is tried again by itself for some days, and can be retried at "
                "once), or ask the buyer for another card. It settles by itself once the money is there."
            ),
            "查看原因：补足余额（数日内系统会自动重试，也可立即重试），或联系买家更换收款账户；到账后自动结案。",
        ),
    ),
}
