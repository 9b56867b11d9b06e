"""A thousand complaints by the clock: none is ever without a deadline, and every missed turn is noticed in a minute.

What people do is the rooms' own use cases over rows in memory; nobody tells the clock anything but the time. That the
real sweep finds what is due within a minute, test_mediation.py shows of each state.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.complaints import answering, cases, deciding, domain, store, timing
from chalicelib.complaints.answering import Answer
from chalicelib.complaints.cases import Case, Change, Party, Statement
from chalicelib.complaints.deciding import Verdict
from chalicelib.complaints.domain import FILED, Complaint, Entry
from chalicelib.complaints.grounds import Payer, Reason, Wish
from chalicelib.complaints.refusals import NotAppealable
from chalicelib.complaints.states import COMPLAINT, Cause, Status, Turn
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.runtime.intents import system_intent

MANY = 1000
FIRST = datetime(2026, 9, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Crowd:
    """Rows in memory, and whoever acts on them: often nobody."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = clock.Fixed(FIRST)
        self.rows: dict[str, Complaint] = {}
        self.plan: list[tuple[datetime, int, str, int, str]] = []
        self.steps = 0
        self.told: Counter[str] = Counter()

    def load(self, complaint_id: str, *, consistent: bool = True) -> Complaint:
        return self.rows[complaint_id]

    def write(self, case: Case, change: Change) -> Complaint:
        after = replace(change.after, version=case.complaint.version + 1)
        if after.history[-1].what in (Cause.FORFEIT_REFUND, Cause.FORFEIT_REMEDY):
            assert not case.complaint.person, "a clock decided what a person was asked to decide"
        if change.refund is not None:
            after = replace(after, refund_id=f"ref_{after.complaint_id}")
        self.rows[after.complaint_id] = after
        self.told.update(type(event).__name__ for event in change.events)
        self.look_ahead(after)
        return after

    def file(self, number: int) -> None:
        now = clock.now()
        person = self.rng.choice(((), (Wish.REFUND,), (Wish.APOLOGY, Wish.REFUND), (Wish.COMPENSATION,)))
        entry = Entry(now, Turn.BUYER, FILED, "broken")
        complaint = Complaint(
            complaint_id=f"cmp_{number}", order_id="ord_1", line_id="1", buyer_id="acc_b", merchant_id="mer_1",
            reason=self.rng.choice(list(Reason)), status=COMPLAINT.initial, filed_at=now, since=now, turn_since=now,
            history=(entry,), wishes=person,
        )  # fmt: skip
        self.rows[complaint.complaint_id] = domain.begun(complaint)
        self.look_ahead(self.rows[complaint.complaint_id])

    def look_ahead(self, complaint: Complaint) -> None:
        """Say what will happen to it next: somebody acts in time, or the sweep of the minute after finds it."""
        due = complaint.due_at
        assert (due is None) is (complaint.turn is Turn.NOBODY), complaint
        if due is None:
            if complaint.decision and complaint.appealed_by is None and self.rng.random() < 0.3:
                self.put(clock.now() + timedelta(days=self.rng.uniform(0, 16)), complaint, "appeal")
            return
        assert due > clock.now(), complaint
        swept = due + (FIRST - due) % MINUTE
        self.put(swept, complaint, "swept")
        if self.rng.random() < 0.55:
            self.put(clock.now() + (due - clock.now()) * self.rng.random(), complaint, "act")

    def put(self, at: datetime, complaint: Complaint, what: str) -> None:
        self.steps += 1
        heapq.heappush(self.plan, (at, self.steps, complaint.complaint_id, complaint.version, what))

    def run(self) -> None:
        filing = sorted(FIRST + timedelta(days=self.rng.uniform(0, 30)) for _ in range(MANY))
        for number, at in enumerate(filing):
            heapq.heappush(self.plan, (at, -number, str(number), 0, "file"))
        while self.plan:
            at, _, name, version, what = heapq.heappop(self.plan)
            self.clock.moment = max(at, self.clock.moment)
            if what == "file":
                self.file(int(name))
            elif self.rows[name].version == version:
                getattr(self, what)(self.rows[name])

    def swept(self, before: Complaint) -> None:
        due = before.due_at
        assert due is not None
        after = timing.time_out(before.complaint_id)
        assert after.version > before.version, f"{before.status} was missed and nothing happened"
        assert after.due is None or not before.due or after.since - due < MINUTE
        self.told[f"missed {before.status.value}"] += 1

    def act(self, complaint: Complaint) -> None:
        {
            Turn.MERCHANT: self.answer,
            Turn.BUYER: self.respond,
            Turn.OPERATOR: self.judge,
            Turn.PLATFORM: self.pay,
        }[complaint.turn](complaint)

    def intent(self) -> Any:
        self.steps += 1
        return system_intent(f"step {self.steps}")

    def answer(self, complaint: Complaint) -> None:
        merchant = Party(Turn.MERCHANT, "acc_m", "mer_1")
        if self.rng.random() < 0.1 and not complaint.person:
            answering.ask_person(merchant, complaint.complaint_id, self.intent())
            return
        cause = self.rng.choice((Cause.OFFER_REFUND, Cause.OFFER_REMEDY, Cause.REJECT))
        amount = Money(500) if cause is Cause.OFFER_REFUND else None
        answering.reply(merchant, complaint.complaint_id, Answer(cause, Statement("x"), amount=amount), self.intent())

    def respond(self, complaint: Complaint) -> None:
        buyer = Party(Turn.BUYER, "acc_b", "acc_b")
        if complaint.status is Status.BUYER_ASKED:
            answering.state(buyer, complaint.complaint_id, Statement("x"), self.intent())
        elif self.rng.random() < 0.6:
            answering.escalate(buyer, complaint.complaint_id, Statement("x"), self.intent())
        else:
            answering.accept(buyer, complaint.complaint_id, self.intent())

    def judge(self, complaint: Complaint) -> None:
        operator = Party(Turn.OPERATOR, f"acc_o{len(complaint.decisions)}")
        if complaint.appealed_by is None and self.rng.random() < 0.5:
            side = self.rng.choice((Cause.ASK_MERCHANT, Cause.ASK_BUYER))
            deciding.ask(operator, complaint.complaint_id, side, Statement("?"), self.intent())
            return
        refund = self.rng.random() < 0.5
        verdict = Verdict(
            Cause.GRANT_REFUND if refund else Cause.DISMISS, "facts", "CN-CPL-24-1", Statement("x"),
            amount=Money(700) if refund else None, payer=Payer.PLATFORM if refund else None,
        )  # fmt: skip
        deciding.decide(operator, complaint.complaint_id, verdict, self.intent())

    def pay(self, complaint: Complaint) -> None:
        timing.end_refund(complaint.complaint_id, (complaint.refund_id or "",), succeeded=self.rng.random() < 0.8)

    def appeal(self, complaint: Complaint) -> None:
        party = self.rng.choice((Party(Turn.BUYER, "acc_b", "acc_b"), Party(Turn.MERCHANT, "acc_m", "mer_1")))
        late = clock.now() - complaint.since > domain.APPEAL_WITHIN
        if late:
            with pytest.raises(NotAppealable):
                answering.appeal(party, complaint.complaint_id, Statement("x"), self.intent())
        else:
            answering.appeal(party, complaint.complaint_id, Statement("x"), self.intent())


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    made = Crowd(7)
    line = SimpleNamespace(line_id="1", total=Money(1000))
    order = SimpleNamespace(lines=(line,), kept=lambda: {"1": 1}, given_up=dict, unsent=dict)
    money = SimpleNamespace(left_of=lambda _, **__: Money(1000))
    stand_ins: list[tuple[Any, str, Callable[..., Any]]] = [
        (store, "load", made.load),
        (store, "open_lines", lambda order_id: SimpleNamespace(lines={"1": order_id})),
        (cases, "write", made.write),
        (timing, "_overtaken", lambda *_: False),
        (orders, "load_order", lambda _: order),
        (payments, "refund_context", lambda _: money),
    ]
    for module, name, stand_in in stand_ins:
        monkeypatch.setattr(module, name, stand_in)
    return made


def test_a_thousand_complaints_have_deadlines_and_no_turn_is_missed_unnoticed(crowd: Crowd) -> None:
    with clock.use(crowd.clock):
        crowd.run()

    assert len(crowd.rows) == MANY
    ends = Counter(complaint.status for complaint in crowd.rows.values())
    assert set(ends) == {Status.RESOLVED, Status.DISMISSED}, "every path ends"
    by_clock = [one for one in crowd.rows.values() if one.decisions and not one.decisions[0].by]
    assert len(by_clock) > 30
    missed = {status for status in Status if crowd.told[f"missed {status.value}"]}
    assert missed == {status for status in Status if COMPLAINT.timeout(status) is not None}, "each state was missed"
    appealed = [one for one in crowd.rows.values() if one.appealed_by is not None]
    assert len(appealed) > 30
    assert all(len({decision.by for decision in one.decisions}) == len(one.decisions) for one in appealed)
