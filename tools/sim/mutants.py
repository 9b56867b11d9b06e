"""Known bugs, put in one at a time: each must be found, or the simulator proves nothing.

Every one was seen in a shop system or is the mistake next to a line of ours. ``tools.sim.hunting`` looks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tools.sim import (
    mutants_books,
    mutants_cards,
    mutants_chain,
    mutants_codes,
    mutants_costs,
    mutants_counting,
    mutants_mediating,
    mutants_returns,
    mutants_waiting,
    mutants_webhooks,
)
from tools.sim.bugs import Bugs

MUTANTS = Bugs()


@MUTANTS.called("stock is taken without a condition")
def _take_unconditionally() -> AbstractContextManager[Any]:
    from chalicelib.inventory import store

    def add_take(work: Any, sku_id: str, bucket: str, quantity: int, refuse: Any) -> None:
        store.add_put_back(work, sku_id, bucket, -quantity, refuse)

    return patch.object(store, "add_take", add_take)


@MUTANTS.called("stock is taken outside the order's transaction")
def _take_apart() -> AbstractContextManager[Any]:
    from chalicelib.inventory import service
    from chalicelib.runtime.db.work import UnitOfWork

    real = service.take

    def take(_work: Any, quantities: Any, *, buckets: Any) -> None:
        with UnitOfWork() as apart:
            real(apart, quantities, buckets=buckets)

    return patch.object(service, "take", take)


@MUTANTS.called("stock comes back outside the order's transaction")
def _put_back_apart() -> AbstractContextManager[Any]:
    from chalicelib.inventory import service
    from chalicelib.runtime.db.work import UnitOfWork

    real = service.put_back

    def put_back(_work: Any, quantities: Any, *, buckets: Any) -> None:
        with UnitOfWork() as apart:
            real(apart, quantities, buckets=buckets)

    return patch.object(service, "put_back", put_back)


@MUTANTS.called("a row's version is not checked")
def _any_version() -> AbstractContextManager[Any]:
    from chalicelib.runtime.db import work

    real = work._conditioned  # noqa: SLF001

    def conditioned(condition: Any) -> dict[str, Any]:
        made = real(condition)
        if made["ConditionExpression"].startswith("#0 = ") and "version" in made["ExpressionAttributeNames"].values():
            return {}
        return made

    return patch.object(work, "_conditioned", conditioned)


@MUTANTS.called("expiry does not ask the provider")
def _expire_blindly() -> AbstractContextManager[Any]:
    from chalicelib.payments import service

    return patch.object(service, "conclude_attempts", lambda _purchase: service.Conclusion.CLOSED)


@MUTANTS.called("a silent provider counts as closed")
def _silence_is_closed() -> AbstractContextManager[Any]:
    from chalicelib.payments.attempts import poll
    from chalicelib.payments.ports import Outcome, Report

    real = poll._close  # noqa: SLF001

    def close(adapter: Any, payment: Any) -> tuple[Report, bool]:
        report, given_up = real(adapter, payment)
        return (Report(Outcome.CLOSED) if report.outcome is Outcome.UNKNOWN else report), given_up

    return patch.object(poll, "_close", close)


@MUTANTS.called("a notice is acknowledged before it is durable")
def _acknowledge_early() -> AbstractContextManager[Any]:
    from chalicelib.payments.webhooks import receive
    from chalicelib.runtime import queues

    class Careless:
        @staticmethod
        def publish(envelope: Any) -> None:
            with suppress(Exception):
                queues.publish(envelope)

    return patch.object(receive, "queues", Careless)


@MUTANTS.called("a silent attempt is asked about with a long back-off")
def _ask_seldom() -> AbstractContextManager[Any]:
    from datetime import timedelta

    from chalicelib.payments.domain import polling

    return patch.object(polling, "EVERY", timedelta(seconds=300))


@MUTANTS.called("a notice of an unknown number is dropped")
def _drop_unknown() -> AbstractContextManager[Any]:
    from chalicelib.payments import service

    return patch.object(service, "take_unknown", lambda _notice: None)


@MUTANTS.called("money of nobody's is booked at every notice")
def _book_strays_twice() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain import stray as stray_rules

    real, count = stray_rules.stray_id, iter(range(10**6))

    def stray_id(provider: str, number: str, _transaction_id: str = "") -> str:
        return real(provider, number, str(next(count)))

    return patch.object(stray_rules, "stray_id", stray_id)


@MUTANTS.called("a capture is booked at every notice")
def _capture_twice() -> AbstractContextManager[Any]:
    from chalicelib.kernel import clock, ids
    from chalicelib.ledger import service as ledger
    from chalicelib.payments.attempts import outcome
    from chalicelib.payments.store import records as store
    from chalicelib.runtime.db.work import UnitOfWork

    real = outcome.record_capture

    def record_capture(payment_id: str, **facts: Any) -> Any:
        payment = store.load_payment(payment_id)
        if payment.holds_money:
            with UnitOfWork() as work:
                ledger.post(
                    work,
                    entry_id=f"payment.captured#{payment_id}#{ids.random_bytes(4).hex()}",
                    purchase_id=payment.purchase_id,
                    at=clock.now(),
                    postings=ledger.surplus_postings(payment.provider, facts["amount"]),
                )
        return real(payment_id, **facts)

    return patch.object(outcome, "record_capture", record_capture)


@MUTANTS.called("a notice's amount is believed")
def _believe_notices() -> AbstractContextManager[Any]:
    from chalicelib.payments.attempts import outcome

    real = outcome.record_capture

    def record_capture(payment_id: str, **facts: Any) -> Any:
        return real(payment_id, **{**facts, "confirmed": True})

    return patch.object(outcome, "record_capture", record_capture)


@MUTANTS.called("a capture after expiry is dropped")
def _drop_late_money() -> AbstractContextManager[Any]:
    from chalicelib.orders import service as orders
    from chalicelib.payments.attempts import capture

    real = capture.record

    def record(payment: Any, amount: Any, transaction_id: str, at: Any) -> Any:
        if orders.load_purchase(payment.purchase_id).status in ("expired", "cancelled"):
            return payment
        return real(payment, amount, transaction_id, at)

    return patch.object(capture, "record", record)


@MUTANTS.called("late money revives its purchase without taking its stock")
def _revive_for_nothing() -> AbstractContextManager[Any]:
    from chalicelib.payments.attempts import late_payment

    return patch.object(late_payment, "take_again", lambda *_: None)


@MUTANTS.called("late money takes of each thing one unit")
def _take_a_part() -> AbstractContextManager[Any]:
    from chalicelib.inventory import service
    from chalicelib.payments.attempts import late_payment

    class Partial:
        placing = staticmethod(service.placing)

        @staticmethod
        def take(work: Any, quantities: Any, **how: Any) -> None:
            service.take(work, dict.fromkeys(quantities, 1), **how)

    return patch.object(late_payment, "inventory", Partial)


@MUTANTS.called("late money goes back although everything is free")
def _never_honour_late() -> AbstractContextManager[Any]:
    from chalicelib.kernel.errors import Conflict
    from chalicelib.payments.attempts import capture

    def honour_late(*_: Any) -> Any:
        raise Conflict

    return patch.object(capture, "_honour_late", honour_late)


@MUTANTS.called("surplus money is kept")
def _keep_surplus() -> AbstractContextManager[Any]:
    from chalicelib.payments.refunds import request as refund_requests

    real = refund_requests.write_request

    def request(work: Any, payment: Any, refund: Any) -> None:
        if refund.order_id is not None:
            real(work, payment, refund)

    return patch.object(refund_requests, "write_request", request)


@MUTANTS.called("a refund gets a new number when it is sent again")
def _renew_numbers() -> AbstractContextManager[Any]:
    from chalicelib.kernel import ids
    from chalicelib.payments.refunds import execute

    real = execute.order_of

    def refund_order(payment: Any, refund: Any) -> Any:
        order = real(payment, refund)
        if not refund.polls:
            return order
        number = (ids.child_number(order.refund_id) + refund.polls) % 100
        return replace(order, refund_id=ids.child_id("ref", order.refund_id, number))

    return patch.object(execute, "order_of", refund_order)


@MUTANTS.called("refunds are not held against what was captured")
def _refund_freely() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain import reservation

    def reserve(payment: Any, amount: Any, **_: Any) -> Any:
        return replace(payment, reserved_minor=payment.reserved_minor + amount.minor)

    @contextmanager
    def both() -> Iterator[None]:
        free = patch.object(reservation, "within_order", lambda *_: None)
        with patch.object(reservation, "hold", reserve), free:
            yield

    return both()


@MUTANTS.called("a refund counts on its order at every telling")
def _count_refunds_twice() -> AbstractContextManager[Any]:
    from chalicelib.orders import domain

    def refund(order: Any, *, refund_id: str, amount: Any) -> Any:
        return replace(order, refunded=order.refunded + amount, refunds=(*order.refunds, refund_id))

    return patch.object(domain, "refund", refund)


@MUTANTS.called("commission is rounded at each refund")
def _lose_roundings() -> AbstractContextManager[Any]:
    from chalicelib.ledger import domain, service

    def refund_postings(provider: str, share: Any, *, before: Any, amount: Any) -> Any:  # noqa: ARG001
        ours = domain.commission_of(amount, share.commission_bps)
        return (
            domain.Posting(domain.clearing(provider), -amount),
            *domain._moving(  # noqa: SLF001
                [
                    domain.Posting(domain.merchant(share.merchant_id), amount - ours),
                    domain.Posting(domain.COMMISSION, ours),
                ]
            ),
        )

    return patch.object(service, "refund_postings", refund_postings)


@MUTANTS.called("a deadline fires without looking again")
def _fire_blindly() -> AbstractContextManager[Any]:
    from chalicelib.checkout import service
    from chalicelib.kernel.errors import ConcurrentUpdate, RetryLater
    from chalicelib.orders import service as orders

    def order_timed_out(order_id: str) -> None:
        order = orders.load_order(order_id)
        if order.due_at is None:
            return
        try:
            service._time_out(order)  # noqa: SLF001
        except ConcurrentUpdate as error:
            raise RetryLater("kept changing", delay_s=1) from error

    return patch.object(service, "order_timed_out", order_timed_out)


@MUTANTS.called("the Idempotency-Key is not looked at")
def _forget_keys() -> AbstractContextManager[Any]:
    from chalicelib.kernel import ids
    from chalicelib.runtime.intents import Intent

    return patch.object(Intent, "record_id", lambda _self, prefix: ids.derived_id(prefix, ids.random_bytes(8).hex()))


@MUTANTS.called("the relay goes on after a failed send")
def _lose_events() -> AbstractContextManager[Any]:
    from chalicelib.runtime import relay

    real = relay.relay

    def careless(event: Any) -> dict[str, Any]:
        real(event)
        return {"batchItemFailures": []}

    return patch.object(relay, "relay", careless)


@MUTANTS.called("a consumer deletes what it failed at")
def _swallow_failures() -> AbstractContextManager[Any]:
    from chalicelib.runtime.consume import Consumer

    return patch.object(Consumer, "_failed", lambda *_args, **_options: True)


@MUTANTS.called("the buyer's phone is logged")
def _log_phones() -> AbstractContextManager[Any]:
    from chalicelib.checkout import quoting
    from chalicelib.runtime import log

    real = quoting.contact_of

    def contact(book: Any, address_id: str) -> Any:
        found = real(book, address_id)
        log.info("quoting", phone=found.phone)
        return found

    return patch.object(quoting, "contact_of", contact)


@MUTANTS.called("the deadline job sleeps through four runs of five")
def _sleep_through() -> AbstractContextManager[Any]:
    from chalicelib.kernel import clock
    from chalicelib.runtime import deadlines

    real = deadlines.sweep
    return patch.object(deadlines, "sweep", lambda: real() if clock.now().minute % 5 == 0 else {})


@MUTANTS.called("back-off grows without a cap")
def _wait_ever_longer() -> AbstractContextManager[Any]:
    from datetime import timedelta

    from chalicelib.payments.domain import polling

    return patch.object(polling, "refund_wait", lambda polls: timedelta(seconds=30 * 2 ** min(polls, 16)))


@MUTANTS.called("a surplus is sent back only when somebody asks about it again")
def _return_at_leisure() -> AbstractContextManager[Any]:
    from chalicelib.payments.ports import RefundOutcome, RefundReport
    from chalicelib.payments.refunds import execute

    real = execute._send  # noqa: SLF001

    def send(payment: Any, refund: Any) -> Any:
        if refund.order_id is None and refund.polls < 2:
            return execute.apply_answer(refund.refund_id, RefundReport(RefundOutcome.UNKNOWN))
        return real(payment, refund)

    return patch.object(execute, "_send", send)


@MUTANTS.called("nobody asks about an attempt once the buyer has its link")
def _rely_on_notices() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain import payment as payment_rules

    real = payment_rules.open_attempt
    return patch.object(payment_rules, "open_attempt", lambda *given: replace(real(*given), due_at=None))


@MUTANTS.called("a word that a refund failed is believed without asking")
def _believe_failures() -> AbstractContextManager[Any]:
    from chalicelib.payments.ports import RefundOutcome
    from chalicelib.payments.refunds import execute
    from chalicelib.payments.webhooks import apply

    def ask_again(refund_id: str) -> Any:
        return execute._bounce(*execute.load_refund(refund_id), code="said")  # noqa: SLF001

    return _both(patch.object(apply, "_PROVED", tuple(RefundOutcome)), patch.object(execute, "_ask_again", ask_again))


@contextmanager
def _both(*patches: AbstractContextManager[Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield


@MUTANTS.called("a word that a refund came back is dropped when the provider is silent")
def _drop_failures() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain.payment import ProviderSilent
    from chalicelib.payments.refunds import execute
    from chalicelib.payments.webhooks import apply

    real = execute._ask_again  # noqa: SLF001

    def ask_again(refund_id: str) -> Any:
        try:
            return real(refund_id)
        except ProviderSilent:
            return execute.load_refund(refund_id)[2]

    return _both(
        patch.object(apply, "_must_wait", lambda *_, **__: False), patch.object(execute, "_ask_again", ask_again)
    )


@MUTANTS.called("a refund that came back leaves the ledger as it was")
def _keep_bounces_off_the_books() -> AbstractContextManager[Any]:
    from chalicelib.ledger import service as ledger
    from chalicelib.payments.refunds import execute

    class Forgetful:
        surplus_postings, refund_postings, Share = ledger.surplus_postings, ledger.refund_postings, ledger.Share

        @staticmethod
        def post(work: Any, **facts: Any) -> None:
            if not facts["entry_id"].startswith("refund.bounced#"):
                ledger.post(work, **facts)

    return patch.object(execute, "ledger", Forgetful)


@MUTANTS.called("contested money can be refunded")
def _refund_contested() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain import reservation

    real = reservation.hold

    def hold(payment: Any, amount: Any) -> Any:
        return replace(real(replace(payment, disputed_minor=0), amount), disputed_minor=payment.disputed_minor)

    return patch.object(reservation, "hold", hold)


@MUTANTS.called("a refund is asked for again though its money is contested")
def _renew_contested() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain import reservation

    return patch.object(reservation, "check_uncontested", lambda _payment: None)


@MUTANTS.called("adoption books what the notice said without asking")
def _adopt_blindly() -> AbstractContextManager[Any]:
    from chalicelib.payments import providers
    from chalicelib.payments.ports import RefundOutcome, RefundReport
    from chalicelib.payments.refunds import external

    class Believed:
        @staticmethod
        def load(name: str) -> Any:
            return _Credulous(providers.load(name))

    class _Credulous:
        def __init__(self, adapter: Any) -> None:
            self.external_refund = getattr(adapter, "external_refund", None)
            self.dispute = getattr(adapter, "dispute", None)

        @staticmethod
        def query_refund(order: Any) -> RefundReport:
            return RefundReport(RefundOutcome.SUCCEEDED, order.amount)

    return patch.object(external, "providers", Believed)


@MUTANTS.called("a genuine notice of others is kept and nobody asks")
def _only_keep_foreign_notices() -> AbstractContextManager[Any]:
    from chalicelib.payments.attempts import outcome
    from chalicelib.payments.reviews import quarantine

    real = outcome.doubt

    def doubt(payment: Any, why: str, **said: str) -> Any:
        if why != "foreign_notice":
            return real(payment, why, **said)
        quarantine.put_aside(payment, why, **said)
        return payment

    return patch.object(outcome, "doubt", doubt)


@MUTANTS.called("units that were paid back are sent and paid back again")
def _pay_units_twice() -> AbstractContextManager[Any]:
    from chalicelib.orders import units
    from chalicelib.payments.domain import refund_decision

    def owed_for(made: Any, wanted: Any) -> Any:
        lines = [line for line in made.order.lines if wanted.get(line.line_id)]
        owed = sum(line.total.minor * wanted[line.line_id] // line.quantity for line in lines)
        return min(owed, made.left()), ()

    return _both(
        patch.object(units, "pay_back", lambda order, paid, _change: units._noted(order, paid)),  # noqa: SLF001
        patch.object(refund_decision, "owed_for", owed_for),
    )


@MUTANTS.called("what will not be sent stays out of stock")
def _keep_given_up() -> AbstractContextManager[Any]:
    from chalicelib.orders import service

    return patch.object(service, "freed", lambda *_: {})


@MUTANTS.called("an order confirms itself over a complaint")
def _confirm_over_complaints() -> AbstractContextManager[Any]:
    from chalicelib.orders import service

    return patch.object(service, "hold", lambda *_: None)


@MUTANTS.called("an owed refund does not reserve its money")
def _owe_unreserved() -> AbstractContextManager[Any]:
    from chalicelib.payments.refunds import request as refund_requests

    real = refund_requests._write  # noqa: SLF001

    def write(work: Any, context: Any, payment: Any, refund: Any) -> Any:
        amount = refund.amount.minor if refund.status == "owed" else 0
        return real(work, context, replace(payment, reserved_minor=payment.reserved_minor - amount), refund)

    return patch.object(refund_requests, "_write", write)


@MUTANTS.called("an owed refund is paid by hand at every request")
def _pay_by_hand_twice() -> AbstractContextManager[Any]:
    from chalicelib.kernel import ids
    from chalicelib.ledger import service as ledger
    from chalicelib.payments.domain import refund as refund_rules
    from chalicelib.payments.refunds import offline

    class Again:
        offline_postings = ledger.offline_postings

        @staticmethod
        def post(work: Any, *, entry_id: str, **facts: Any) -> None:
            ledger.post(work, entry_id=f"{entry_id}#{ids.random_bytes(4).hex()}", **facts)

    def paid_offline(refund: Any, paid: Any, *, now: Any) -> Any:
        return replace(refund, status=refund_rules.RefundStatus.PAID_OFFLINE, offline=paid, since=now)

    return _both(
        patch.object(offline, "check_payable", lambda *_: None),
        patch.object(refund_rules, "pay_offline", paid_offline),
        patch.object(offline, "ledger", Again),
    )


@MUTANTS.called("what one person pays by hand is not counted")
def _count_nothing_by_hand() -> AbstractContextManager[Any]:
    from chalicelib.payments.store import operator_limits

    return patch.object(operator_limits, "count_by_hand", lambda *_, **__: None)


@MUTANTS.called("a buyer may hold without end")
def _hold_without_end() -> AbstractContextManager[Any]:
    from chalicelib.orders import hold_rules

    return patch.object(hold_rules, "admit", lambda *_: None)


@MUTANTS.called("what its buyer called off stays held")
def _hold_called_off() -> AbstractContextManager[Any]:
    from chalicelib.orders import hold_store

    real = hold_store.mark

    def mark(work: Any, account_id: str, purchase_id: str, state: Any) -> None:
        if state != "called_off":
            real(work, account_id, purchase_id, state)

    return patch.object(hold_store, "mark", mark)


MUTANTS |= mutants_waiting.BUGS | mutants_cards.BUGS | mutants_costs.BUGS | mutants_books.BUGS | mutants_chain.BUGS
MUTANTS |= mutants_codes.BUGS
MUTANTS |= mutants_webhooks.BUGS
MUTANTS |= mutants_counting.BUGS | mutants_returns.BUGS | mutants_mediating.BUGS

AT_STRIPE = ("contested money can be refunded", "a refund is asked for again though its money is contested")
"""Bugs that only a provider shows which tells of disputes; the others are hunted at the sandbox, which is faster."""


BY_THE_CLOCK = (
    "the deadline job sleeps through four runs of five",
    "back-off grows without a cap",
    "a surplus is sent back only when somebody asks about it again",
    "nobody asks about an attempt once the buyer has its link",
)
"""Bugs that lose nothing and are only late."""
