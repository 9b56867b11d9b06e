"""The payment provider and the payers' banks: moods, refunds that end or come back, the console, contested payments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tools.sim.bank import BOUNCING
from tools.sim.people import RECENT

if TYPE_CHECKING:
    from tools.sim.actors import Cast


class Providing:
    """What the provider does, and what goes wrong there."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def steer(self, number: str) -> None:
        """Decide how the provider treats an attempt."""
        rng, count = self.rng, self.world.faults.count
        mood: dict[str, Any] = {}
        if not self.world.faults.armed:
            return
        if rng.random() < 0.5:
            self.world.sandbox.steer(number)
            return
        for kind, chance, changes in self._moods():
            if rng.random() < chance and all(map(self.world.bank.knows, changes)):
                mood |= changes
                count(kind)
        for what, kind in (
            ("silent_after", "timeout_accepted"),
            ("silent_before", "timeout"),
            ("unsigned", "unsigned"),
            ("no_signature", "no_signature"),
            ("probe", "probe"),
            ("broken", "system_error"),
        ):
            if rng.random() < 0.25 and self.world.bank.knows(what):
                operations = ("create", "query", "close", "refund", "query_refund")
                mood[what] = tuple(rng.choice(operations) for _ in range(rng.randint(1, 3)))
                count(f"provider_{kind}")
        if rng.random() < 0.08:
            mood["down"] = (rng.choice(("query", "close", "close", "refund")),)
            count("provider_down")
        if "refund" in mood.get("refuse", ()) or mood.get("refund") == "failed":
            self.world.excused[number] = "failed"
        self.world.sandbox.steer(number, **mood)

    def _moods(self) -> list[tuple[str, float, dict[str, Any]]]:
        rng, outcomes = self.rng, self.world.sandbox.outcomes
        ends = [outcome for outcome in ("pending", "pending", "failed", "abnormal", "closed") if outcome in outcomes]
        return [
            ("notices_lost", 0.12, {"notify": False}),
            ("notices_late", 0.2, {"delay_s": rng.choice((20, 90, 400, 1700, 1900, 7200))}),
            ("notices_repeated", 0.25, {"duplicates": rng.randint(2, 10)}),
            ("notices_reordered", 0.15, {"reorder": True}),
            ("notices_tampered", 0.06, {"tamper": True}),
            ("notices_stale", 0.04, {"stale": True}),
            ("notices_of_others", 0.04, {"other_merchant": True}),
            ("notices_of_other_apps", 0.04, {"other_app": True}),
            ("notices_of_unknown_keys", 0.04, {"unknown_key": True}),
            ("notice_wrong_amount", 0.08, {"notice_amount": rng.choice((1, 999999))}),
            ("notice_wrong_currency", 0.03, {"notice_currency": "USD"}),
            ("paid_during_close", 0.15, {"pay_during_close": True}),
            ("provider_refuses", 0.04, {"refuse": (rng.choice(("create", "refund")),)}),
            ("refund_not_done", 0.4, {"refund": rng.choice(ends)}),
        ]

    def surely_noticed(self, number: str) -> None:
        """Make sure that a fact which nothing but its notice and the bill would tell of has a good notice."""
        good: dict[str, Any] = {"notify": True, "tamper": False, "other_merchant": False, "notice_amount": None}
        good |= {"stale": False, "other_app": False, "unknown_key": False, "notice_currency": None, "probe": ()}
        bank = self.world.bank
        bank.stand_in.steer(number, **{word: value for word, value in good.items() if bank.knows(word)})

    def settle_refund(self) -> None:
        """Let a pending refund come to its end at the provider."""
        pending = [number for number, refund in self.world.bank.refunds() if refund.state == "pending"]
        if pending:
            number = self.rng.choice(pending)
            self.world.totals.steps += 1
            ends = [end for end in ("abnormal", "closed") if end in self.world.sandbox.outcomes]
            state = self.rng.choice(("succeeded", "succeeded", "succeeded", *ends))
            self.world.say(f"the provider's refund {number} becomes {state}")
            self.world.sandbox.settle(number, state)

    def console_refund(self) -> None:
        """Refund in the provider's console, behind our back."""
        bank = self.world.bank
        sale = self.cast.sale(lambda one: one.status == "paid")
        for number in sale.payments if sale is not None else ():
            there = bank.order(number)
            if there is None or there.state != "paid" or bank.held_back(number):
                continue
            amount = self.rng.choice((1, max(1, there.paid_amount // 10), max(1, there.paid_amount // 2)))
            if there.refunded + amount <= there.paid_amount:
                self.world.faults.count("console_refund")
                self.world.totals.steps += 1
                self.world.oracle.console_refunds.add(number)
                self.world.say(f"somebody refunds {amount} of {number} in the console")
                self.world.sandbox.console_refund(number, amount)
                return

    def bounce_refund(self) -> None:
        """Let a refund that had gone through come back: its notice comes, or nothing but the bill tells of it."""
        bank, oracle = self.world.bank, self.world.oracle
        done = [(number, refund.out_trade_no) for number, refund in bank.refunds() if refund.state == "succeeded"]
        if bank.name not in BOUNCING or not done:
            return
        console = [one for one in done if one[0].startswith("console")]
        number, payment_id = self.rng.choice(console if console and self.rng.random() < 0.25 else done[-RECENT:])
        self.world.totals.steps += 1
        self.world.faults.count("refund_bounced")
        if number.startswith("console") and bank.name == "stripe":
            pass  # It bears no number of ours: nothing spoils its notices.
        elif self.world.faults.armed and self.rng.random() < 0.3:
            oracle.untold.add(number)
            if self.rng.random() < 0.6:
                self.world.sandbox.steer(payment_id, notify=False)
        else:
            self.surely_noticed(payment_id)
            if self.world.faults.armed:
                late, often = self.rng.choice((0, 0, 20, 400)), self.rng.choice((1, 1, 3))
                self.world.sandbox.steer(payment_id, delay_s=late, duplicates=often, reorder=self.rng.random() < 0.3)
        self.world.say(f"the provider's refund {number} of {payment_id} comes back")
        bank.bounce(number)

    def say_old(self) -> None:
        """Let the provider say once more that a refund had failed, which has gone through since."""
        bank = self.world.bank
        done = [number for number, refund in bank.refunds() if refund.state == "succeeded"]
        if bank.name in BOUNCING and self.world.faults.armed and done:
            number = self.rng.choice(done[-RECENT:])
            if not number.startswith("console"):
                self.world.totals.steps += 1
                self.world.faults.count("notice_outdated")
                self.world.say(f"the provider says that {number} failed, which is long past")
                bank.say_old(number)

    def contest(self) -> None:
        """Let a payer's bank contest a payment, ask about it, decide, and decide again."""
        bank, sandbox = self.world.bank, self.world.sandbox
        sale = self.cast.sale(lambda one: any(payment.captured for payment in one.payments.values()))
        able = [number for number in (sale.payments if sale else ()) if bank.contested(number) is not None]
        if not able:
            return
        number, before = self.rng.choice(able), len(sandbox.outbox)
        self.world.totals.steps += 1
        self.world.oracle.contested.add(number)
        self.world.watches.moved_again(number)
        does = bank.contest(number, self.rng)
        self.world.faults.count(f"dispute_{does}")
        self.world.say(f"the payer's bank on {number}: {does}")
        self._told_somehow(before)
        if self.world.faults.armed and self.rng.random() < 0.15:
            self.world.faults.count("provider_timeout")
            sandbox.steer("query_dispute", silent_before=("query_dispute",) * self.rng.randint(1, 3))

    def _told_somehow(self, before: int) -> None:
        """Lose, repeat and delay what the provider has begun to tell since; the last of it comes."""
        outbox, rng = self.world.sandbox.outbox, self.rng
        told = outbox[before:]
        if not self.world.faults.armed:
            return
        del outbox[before:]
        for out in told:
            if out is not told[-1] and rng.random() < 0.3:
                self.world.faults.count("notice_lost")
                continue
            late = rng.choice((0.0, 0.0, 20.0, 400.0))
            outbox += [replace(out, due=out.due + late) for _ in range(rng.choice((1, 1, 1, 3)))]
