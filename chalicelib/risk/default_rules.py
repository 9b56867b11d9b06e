"""The rules that an installation begins with. Pure data: all in shadow, until operators put others in force.

The numbers are wide on purpose. What a campus, a family or a busy morning does must stay below them: the simulator's
honest people, and the tables of ``tests/unit/risk``, say how far.
"""

from __future__ import annotations

from typing import Final

from chalicelib.risk.domain import RINGS, FactKind, Mode, Rule, SubjectKind

DAY, WEEK, MONTH = 24, 7 * 24, 30 * 24

DEFAULTS: Final[tuple[Rule, ...]] = (
    # Who signs up.
    Rule("sign_ups_network", 1, SubjectKind.NETWORK, (FactKind.SIGNED_UP,), DAY, 40),
    Rule("accounts_device", 1, SubjectKind.DEVICE, (FactKind.USED_BY,), MONTH, 4),
    # Who orders and never pays: stock is held for nothing.
    Rule("unpaid_account", 1, SubjectKind.ACCOUNT, (FactKind.UNPAID,), 3 * DAY, 6, half_life_h=DAY),
    Rule("unpaid_network", 1, SubjectKind.NETWORK, (FactKind.UNPAID,), DAY, 40),
    # Who takes money back, and says that nothing came.
    Rule(
        "refunds_account",
        1,
        SubjectKind.ACCOUNT,
        (FactKind.REFUNDED,),
        MONTH,
        5,
        per=FactKind.PAID,
        per_mille=600,
    ),
    Rule("complaints_account", 1, SubjectKind.ACCOUNT, (FactKind.COMPLAINED,), MONTH, 8),
    Rule(
        "never_arrived_account",
        1,
        SubjectKind.ACCOUNT,
        (FactKind.NOT_RECEIVED,),
        MONTH,
        4,
        per=FactKind.PAID,
        per_mille=400,
    ),
    # Parcels that never were, and who pays back what was sold.
    Rule(
        "never_arrived_merchant",
        1,
        SubjectKind.MERCHANT,
        (FactKind.NOT_RECEIVED,),
        MONTH,
        4,
        per=FactKind.PAID,
        per_mille=100,
    ),
    Rule("refunds_merchant", 1, SubjectKind.MERCHANT, (FactKind.REFUNDED,), MONTH, 8, per=FactKind.PAID, per_mille=300),
    Rule("new_merchant_burst", 1, SubjectKind.MERCHANT, (FactKind.PAID,), DAY, 50, young_h=MONTH),
    # The same on both sides of orders: invented sales.
    Rule("ring", 1, SubjectKind.MERCHANT, RINGS, MONTH, 2),
    # Many accounts that are one person.
    Rule("accounts_address", 1, SubjectKind.ADDRESS, (FactKind.USED_BY,), MONTH, 6),
    Rule("accounts_phone", 1, SubjectKind.PHONE, (FactKind.USED_BY,), MONTH, 4),
    Rule("accounts_payer", 1, SubjectKind.PAYER, (FactKind.USED_BY,), MONTH, 4),
    Rule("accounts_coupon", 1, SubjectKind.COUPON, (FactKind.USED_BY,), MONTH, 3, mode=Mode.OFF),
)
