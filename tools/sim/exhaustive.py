"""The deadly pairs: every interleaving of their calls to storage, queues and the provider, with and without a crash.

A depth-first walk over the scheduler's choices. Orders that differ only in calls which cannot see each other (other
partitions, two reads) are walked once (sleep sets); ``--full`` walks them all. After each walk the world comes to its
end and the oracle is asked; ends that are alike are looked at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chalicelib.kernel import ids
from chalicelib.runtime import names
from chalicelib.runtime.intents import Intent
from tools.sim.actors import Cast
from tools.sim.people import Person
from tools.sim.tasks import Task
from tools.sim.world import World

Access = frozenset[tuple[str, bool]]
"""Resources a call touches, and whether it may change them."""
Work = Callable[[], Any]
ANYWHERE = "*"


# --- the walk ---------------------------------------------------------------------------------------------------------


def access(pending: Any) -> Access:  # noqa: PLR0911 - one line a kind of call
    """Return what a call about to be made touches: partitions of tables, queues, the provider."""
    service, operation, params = pending
    if service == "outside":
        return frozenset({("provider", not operation.startswith("GET"))})
    if service == "sqs":
        return frozenset({(f"sqs {params.get('QueueUrl', '')}", operation != "GetQueueUrl")})
    if service != "dynamodb":
        return frozenset()
    if operation == "TransactWriteItems":
        parts = [next(iter(item.items())) for item in params["TransactItems"]]
        return frozenset((_partition(part), verb != "ConditionCheck") for verb, part in parts)
    if operation == "BatchGetItem":
        return frozenset(
            (f"{table} {_first(key)}", False) for table, part in params["RequestItems"].items() for key in part["Keys"]
        )
    if operation == "Query":
        if "IndexName" in params:
            return frozenset({(f"{params['TableName']} {ANYWHERE}", False)})
        first = next(iter(params["ExpressionAttributeValues"].values()))
        return frozenset({(f"{params['TableName']} {next(iter(first.values()))}", False)})
    return frozenset({(_partition(params), operation != "GetItem")})


def _first(key: dict[str, Any]) -> str:
    """Return the hash key's value: the models' keys are serialized hash first."""
    return str(next(iter(next(iter(key.values())).values())))


def _partition(part: dict[str, Any]) -> str:
    item = part.get("Key") or part["Item"]
    for name in ("purchase_id", "sku_id", "order_id", "complaint_id", "owner_id", "account_id"):
        if name in item:
            return f"{part['TableName']} {item[name]['S']}"
    return f"{part['TableName']} {ANYWHERE}"


def independent(one: Access, other: Access) -> bool:
    """Say whether two calls can be swapped without anybody seeing it."""
    for name, writes in one:
        for other_name, other_writes in other:
            if (writes or other_writes) and _same(name, other_name):
                return False
    return True


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    if one.endswith(ANYWHERE) or other.endswith(ANYWHERE):
        return one.split(" ", maxsplit=1)[0] == other.split(" ", maxsplit=1)[0]
    return False


@dataclass
class _Node:
    """One choice: who could go on, what each was about to do, who was tried, who need not be."""

    pending: dict[str, Access]
    asleep: set[str]
    chosen: str = ""
    tried: list[str] = field(default_factory=list)

    def open(self) -> list[str]:
        return [name for name in self.pending if name not in self.asleep and name not in self.tried]


@dataclass
class Walk:
    """What a walk came to."""

    interleavings: int = 0
    pruned: int = 0
    crashes: int = 0
    ends: int = 0
    calls: int = 0
    violations: list[str] = field(default_factory=list)
    schedules: list[list[str]] = field(default_factory=list)
    """Of each violation: who went on at each choice."""


class Explorer:
    """Walks one pair from one saved world."""

    def __init__(self, world: World, cast: Cast, works: Sequence[tuple[str, Work]], *, full: bool = False) -> None:
        self.world, self.cast, self.works, self.full = world, cast, works, full
        self.saved = world.save()
        self.ends: dict[int, list[str]] = {}
        self.walk = Walk()
        self.most: dict[str, int] = {}

    def explore(self, crash: tuple[str, int] | None = None, *, stop: bool = False) -> None:
        """Walk every interleaving; ``crash`` ends that task's process right after its n-th call."""
        path: list[_Node] = []
        while True:
            self._run(path, crash)
            if stop and self.walk.violations:
                return
            while path and not path[-1].open():
                path.pop()
            if not path:
                return
            node = path[-1]
            node.chosen = node.open()[0]
            node.tried.append(node.chosen)

    def _run(self, path: list[_Node], crash: tuple[str, int] | None) -> None:
        world = self.world
        world.restore(self.saved)
        self.cast.unanswered.clear()
        tasks = [Task(name, work) for name, work in self.works]
        position = 0
        redundant = False

        def choose(waiting: list[Task]) -> Task:
            nonlocal position, redundant
            by_name = {task.name: task for task in waiting}
            if redundant:
                return waiting[0]
            if position == len(path):
                node = self._grow(path, by_name)
                if not node.chosen:
                    redundant = True
                    return waiting[0]
            task = by_name[path[position].chosen]
            position += 1
            task.crash = crash is not None and (task.name, task.calls) == crash
            return task

        world.scheduler.run(tasks, choose)
        for task in tasks:
            if task.error is not None:
                raise task.error
            self.most[task.name] = max(self.most.get(task.name, 0), task.calls)
        if redundant:
            self.walk.pruned += 1
            path.pop()
            return
        self.walk.interleavings += 1
        self.walk.crashes += crash is not None
        self.walk.calls += position
        found = self._end()
        if found:
            self.walk.violations += found
            self.walk.schedules.append([node.chosen for node in path])

    def _grow(self, path: list[_Node], waiting: dict[str, Task]) -> _Node:
        pending = {name: access(task.pending) for name, task in waiting.items()}
        asleep: set[str] = set()
        if path and not self.full:
            parent = path[-1]
            made = parent.pending[parent.chosen]
            before = parent.asleep | set(parent.tried[:-1])
            asleep = {name for name in before if name in pending and independent(parent.pending[name], made)}
        node = _Node(pending, asleep)
        path.append(node)
        choices = node.open()
        if choices:
            node.chosen = choices[0]
            node.tried.append(node.chosen)
        return node

    def _end(self) -> list[str]:
        """Let the world come to its end and ask the oracle; what ends alike is judged once."""
        world = self.world
        if world.oracle.violations:
            return [str(violation) for violation in world.oracle.violations]
        state = hash((world.state(), tuple(str(request) for request in self.cast.unanswered)))
        if state not in self.ends:
            self.walk.ends += 1
            while self.cast.unanswered and not world.oracle.violations:
                self.cast.retry()
            world.settle(before=self.cast.tidy)
            if not world.oracle.violations:
                world.oracle.finish(world.dead_letters(), excused=world.excused)
            self.ends[state] = [str(violation) for violation in world.oracle.violations]
        return self.ends[state]

    def explore_all(self, *, crashes: bool = True) -> Walk:
        """Walk without a crash, then with one after each call of each task."""
        self.explore()
        if crashes:
            for name, most in sorted(self.most.items()):
                for call in range(1, most + 1):
                    self.explore((name, call))
        return self.walk


# --- the pairs --------------------------------------------------------------------------------------------------------


class Stage:
    """A small market to set pairs up in: one merchant, one SKU of five, two buyers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cast = Cast(world, merchants_=1, buyers=2, small=True)
        self.cast.faithful = True

    @property
    def buyer(self) -> Person:
        """Return the first buyer."""
        return self.cast.buyers[0]

    def placed(self, quantity: int = 2) -> str:
        """Place a purchase."""
        purchase_id = self.cast.buying.shop(self.buyer, quantity=quantity)
        if purchase_id is None:
            raise RuntimeError("nothing was placed")
        return purchase_id

    def started(self, purchase_id: str) -> str:
        """Start an attempt to pay."""
        answer = self.cast.ask(
            self.buyer,
            "POST",
            "/v1/purchases/{purchase_id}/payments",
            {"purchase_id": purchase_id},
            {"provider": self.world.bank.name, "return_url": "https://shop.example/back"},
        )
        if answer is None or not answer.ok:
            raise RuntimeError(f"no payment: {answer}")
        return str(answer.json["payment_id"])

    def paid(self) -> tuple[str, str]:
        """Place and pay; everything about it has settled."""
        purchase_id = self.placed()
        payment_id = self.started(purchase_id)
        self.world.sandbox.pay(payment_id)
        self.world.drain()
        return purchase_id, payment_id

    # Works: what the tasks of a pair do.

    def pays(self, payment_id: str) -> Work:
        """The buyer pays, the provider tells, the notice is taken."""

        def work() -> None:
            self.world.scheduler.pause(("outside", "PAY", {}))
            if self.world.sandbox.orders[payment_id].state == "pending":
                self.world.sandbox.pay(payment_id)
            self.told(payment_id)()

        return work

    def told(self, payment_id: str) -> Work:
        """The provider tells what it knows of an attempt, and the notice is taken."""

        def work() -> None:
            for out in self.world.waiting_notices():
                if self.world.bank.about(out) in (payment_id, ""):
                    self.world.notify(out)
            self.takes("payment-notices", payment_id if self.world.bank.name == "sandbox" else "")()

        return work

    def takes(self, queue: str, about: str) -> Work:
        """A queue's function takes the messages about something."""

        def work() -> None:
            visible = self.world.queues.visible(names.queue_name(queue))
            self.world.deliver(queue, [message for message in visible if about in message.body])

        return work

    def asks(self, who: Person, template: str, path: dict[str, str], body: Any, key: str) -> Work:
        """Somebody posts something."""
        return lambda: self.cast.ask(who, "POST", template, path, body, key=key)

    def due(self, record_id: str) -> None:
        """Let time pass until the record is due, and its message lie in its queue."""
        for _ in range(40):
            self.world.sweep()
            if any(
                f'"record_id":"{record_id}"' in message.body
                for queue in ("checkout", "payments")
                for message in self.world.queues.visible(names.queue_name(queue))
            ):
                return
            self.world.advance(timedelta(seconds=60))
        raise RuntimeError(f"{record_id} never was due")

    def refund(self, purchase_id: str, amount: int, key: str) -> Work:
        """An operator refunds."""
        return self.asks(
            self.cast.operator,
            "/v1/operator/purchases/{purchase_id}/refunds",
            {"purchase_id": purchase_id},
            {"order_id": order_of(purchase_id), "amount": {"minor": amount, "currency": "CNY"}, "reason": "test"},
            key,
        )


def order_of(purchase_id: str) -> str:
    """Return the only order of a purchase."""
    return ids.child_id("ord", purchase_id, 1)


Pair = Callable[[Stage], Sequence[tuple[str, Work]]]


def expiry_and_capture(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The half hour is over while the buyer pays."""
    purchase_id = stage.placed()
    payment_id = stage.started(purchase_id)
    stage.world.drain()
    stage.due(purchase_id)
    return [("expiry", stage.takes("checkout", purchase_id)), ("capture", stage.pays(payment_id))]


def two_captures(stage: Stage) -> Sequence[tuple[str, Work]]:
    """Two attempts are paid, because the first could not be closed; both notices arrive."""
    purchase_id = stage.placed()
    first = stage.started(purchase_id)
    stage.world.sandbox.steer(first, down=("close", "query"))
    second = stage.started(purchase_id)
    stage.world.sandbox.steer(first, down=())
    stage.world.sandbox.pay(first)
    stage.world.sandbox.pay(second)
    return [("first", stage.told(first)), ("second", stage.told(second))]


def capture_and_cancel(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The buyer pays in one window and calls off in another."""
    purchase_id = stage.placed()
    payment_id = stage.started(purchase_id)
    cancel = stage.asks(
        stage.buyer, "/v1/purchases/{purchase_id}/cancel", {"purchase_id": purchase_id}, {"reason": "x"}, "cancel-0001"
    )
    return [("cancel", cancel), ("capture", stage.pays(payment_id))]


def two_refunds(stage: Stage) -> Sequence[tuple[str, Work]]:
    """Two operators refund everything."""
    purchase_id, _ = stage.paid()
    total = stage.world.oracle.sales[purchase_id].total
    return [
        ("one", stage.refund(purchase_id, total, "refund-0001")),
        ("other", stage.refund(purchase_id, total, "refund-0002")),
    ]


def one_refund_twice(stage: Stage) -> Sequence[tuple[str, Work]]:
    """One operator clicks twice."""
    purchase_id, _ = stage.paid()
    return [
        ("click", stage.refund(purchase_id, 700, "refund-0001")),
        ("again", stage.refund(purchase_id, 700, "refund-0001")),
    ]


def refund_and_cancel(stage: Stage) -> Sequence[tuple[str, Work]]:
    """An operator refunds a part while the buyer cancels the paid order."""
    purchase_id, _ = stage.paid()
    cancel = stage.asks(
        stage.buyer, "/v1/orders/{order_id}/cancel", {"order_id": order_of(purchase_id)}, {"reason": "x"}, "cancel-0001"
    )
    return [("cancel", cancel), ("refund", stage.refund(purchase_id, 700, "refund-0001"))]


def refund_sent_and_told(stage: Stage) -> Sequence[tuple[str, Work]]:
    """A refund is sent twice (the message came twice), and the provider's notice about it arrives."""
    purchase_id, payment_id = stage.paid()
    stage.refund(purchase_id, 700, "refund-0001")()
    for shard in stage.world.waiting_shards():
        stage.world.relay(shard)
    [message] = stage.world.queues.visible(names.queue_name("payments"))
    stage.world.queues._put(names.queue_name("payments"), message.body, 0, {})  # noqa: SLF001
    first, second = stage.world.queues.visible(names.queue_name("payments"))
    return [
        ("sent", lambda: stage.world.deliver("payments", [first])),
        ("again", lambda: (stage.world.deliver("payments", [second]), stage.told(payment_id)())),
    ]


def query_and_notice(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The capture is learnt by a question and by the notice at the same time."""
    purchase_id = stage.placed()
    payment_id = stage.started(purchase_id)
    stage.world.sandbox.pay(payment_id)
    query = stage.asks(
        stage.cast.operator, "/v1/operator/payments/{payment_id}/query", {"payment_id": payment_id}, {}, "query-0001"
    )
    return [("query", query), ("notice", stage.told(payment_id))]


def next_attempt_and_notice(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The browser comes back and starts another attempt (which asks and closes) while the first one's notice comes."""
    purchase_id = stage.placed()
    payment_id = stage.started(purchase_id)
    again = stage.asks(
        stage.buyer,
        "/v1/purchases/{purchase_id}/payments",
        {"purchase_id": purchase_id},
        {"provider": "sandbox"},
        "attempt-0002",
    )
    return [("browser", again), ("notice", stage.pays(payment_id))]


def chase_and_notice(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The silent provider is asked at the moment when it speaks."""
    purchase_id = stage.placed()
    payment_id = stage.started(purchase_id)
    stage.world.drain()
    stage.due(payment_id)
    return [("chase", stage.takes("payments", payment_id)), ("notice", stage.pays(payment_id))]


def _attempts(stage: Stage, purchase_id: str) -> Work:
    """The buyer starts an attempt and pays at once if there is something to pay."""
    payment_id = ids.child_id("pay", purchase_id, 1)
    path, body = {"purchase_id": purchase_id}, {"provider": "sandbox"}

    def work() -> None:
        stage.asks(stage.buyer, "/v1/purchases/{purchase_id}/payments", path, body, "attempt-0001")()
        if payment_id in stage.world.oracle.shown:
            stage.pays(payment_id)()

    return work


def expiry_and_attempt(stage: Stage) -> Sequence[tuple[str, Work]]:
    """An attempt is started in the moment of expiry."""
    purchase_id = stage.placed()
    stage.world.drain()
    stage.due(purchase_id)
    return [("expiry", stage.takes("checkout", purchase_id)), ("attempt", _attempts(stage, purchase_id))]


def cancel_and_attempt(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The buyer calls off in one window and starts to pay in another."""
    purchase_id = stage.placed()
    cancel = stage.asks(
        stage.buyer, "/v1/purchases/{purchase_id}/cancel", {"purchase_id": purchase_id}, {"reason": "x"}, "cancel-0001"
    )
    return [("cancel", cancel), ("attempt", _attempts(stage, purchase_id))]


def expiry_twice(stage: Stage) -> Sequence[tuple[str, Work]]:
    """One deadline is told twice."""
    purchase_id = stage.placed()
    stage.started(purchase_id)
    stage.world.drain()
    stage.due(purchase_id)
    [message, *_] = stage.world.queues.visible(names.queue_name("checkout"))
    stage.world.queues._put(names.queue_name("checkout"), message.body, 0, {})  # noqa: SLF001
    first, second = stage.world.queues.visible(names.queue_name("checkout"))[:2]
    return [
        ("expiry", lambda: stage.world.deliver("checkout", [first])),
        ("again", lambda: stage.world.deliver("checkout", [second])),
    ]


def last_units(stage: Stage) -> Sequence[tuple[str, Work]]:
    """Two buyers order three of five units."""
    quotes = []
    for buyer in stage.cast.buyers:
        [sku_id] = stage.cast.sku_ids
        stage.cast.ask(buyer, "PUT", "/v1/cart/lines/{sku_id}", {"sku_id": sku_id}, {"quantity": 3})
        answer = stage.cast.ask(buyer, "POST", "/v1/quotes", None, {"address_id": buyer.address_id})
        if answer is None:
            raise RuntimeError("no quote")
        quotes.append(answer.json["quote"])
    return [
        (f"buyer {number}", stage.asks(buyer, "/v1/purchases", {}, {"quote": quote}, f"place-000{number}"))
        for number, (buyer, quote) in enumerate(zip(stage.cast.buyers, quotes, strict=True), start=1)
    ]


def late_capture_and_last_units(stage: Stage) -> Sequence[tuple[str, Work]]:
    """Money comes for what expired while another buyer takes of its units the one that it cannot do without."""
    purchase_id = stage.placed(quantity=3)
    payment_id = stage.started(purchase_id)
    stage.world.drain()
    stage.due(purchase_id)
    stage.world.drain()
    rival, [sku_id] = stage.cast.buyers[1], stage.cast.sku_ids
    stage.cast.ask(rival, "PUT", "/v1/cart/lines/{sku_id}", {"sku_id": sku_id}, {"quantity": 3})
    answer = stage.cast.ask(rival, "POST", "/v1/quotes", None, {"address_id": rival.address_id})
    if answer is None or not answer.ok:
        raise RuntimeError("no quote")
    body = {"quote": answer.json["quote"]}
    placed = Intent(scope=rival.account_id, key="place-0002", fingerprint="").record_id("pur")
    stage.world.oracle.intents[placed] = body["quote"]
    stage.world.oracle.paid_when_closed.add(payment_id)
    stage.world.sandbox.pay_closed(payment_id)
    return [
        ("late money", stage.told(payment_id)),
        ("rival", stage.asks(rival, "/v1/purchases", {}, body, "place-0002")),
    ]


def ship_and_cancel(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The merchant ships what the buyer cancels."""
    purchase_id, _ = stage.paid()
    path = {"order_id": order_of(purchase_id)}
    body = {
        "lines": [{"line_id": "1", "quantity": 2}],
        "carrier": "shunfeng",
        "tracking_number": "SF0000000001",
    }
    return [
        ("ship", stage.asks(stage.cast.staff[0], "/v1/merchant/orders/{order_id}/shipments", path, body, "ship-0001")),
        ("cancel", stage.asks(stage.buyer, "/v1/orders/{order_id}/cancel", path, {"reason": "x"}, "cancel-0001")),
    ]


def _refunded(stage: Stage, amount: int) -> tuple[str, str]:
    """Pay and refund a part; returns the purchase and the refund, both settled."""
    purchase_id, _ = stage.paid()
    stage.refund(purchase_id, amount, "refund-0000")()
    stage.world.drain()
    return purchase_id, ids.child_id("ref", purchase_id, 1)


def bounce_and_refund(stage: Stage) -> Sequence[tuple[str, Work]]:
    """A refund that had gone through comes back while an operator refunds the rest."""
    purchase_id, refund_id = _refunded(stage, 700)
    stage.world.sandbox.settle(refund_id, "closed")
    left = stage.world.oracle.sales[purchase_id].total - 700
    payment_id = stage.world.oracle.sales[purchase_id].refunds[refund_id].payment_id
    return [("bounce", stage.told(payment_id)), ("refund", stage.refund(purchase_id, left, "refund-0001"))]


def bounce_and_question(stage: Stage) -> Sequence[tuple[str, Work]]:
    """A refund comes back; its notice and an operator's question find it out at the same time."""
    purchase_id, refund_id = _refunded(stage, 700)
    stage.world.sandbox.settle(refund_id, "closed")
    payment_id = stage.world.oracle.sales[purchase_id].refunds[refund_id].payment_id
    path = {"refund_id": refund_id}
    query = stage.asks(stage.cast.operator, "/v1/operator/refunds/{refund_id}/query", path, {}, "query-0001")
    return [("bounce", stage.told(payment_id)), ("query", query)]


def adoption_and_bounce(stage: Stage) -> Sequence[tuple[str, Work]]:
    """A refund of the console comes back while an operator takes it into the books."""
    purchase_id, payment_id = stage.paid()
    stage.world.oracle.console_refunds.add(payment_id)
    number = stage.world.sandbox.console_refund(payment_id, 700).out_refund_no
    stage.world.drain()

    def bounces() -> None:
        stage.world.scheduler.pause(("outside", "BOUNCE", {}))
        if stage.world.sandbox.refunds[number].state == "succeeded":
            stage.world.sandbox.settle(number, "closed")
        stage.told(payment_id)()

    return [("adopt", _adopts(stage, purchase_id, "adopt-0001")), ("bounce", bounces)]


def adoption_and_refund(stage: Stage) -> Sequence[tuple[str, Work]]:
    """An operator takes a refund of the console into the books while another refunds everything."""
    purchase_id, payment_id = stage.paid()
    stage.world.oracle.console_refunds.add(payment_id)
    stage.world.sandbox.console_refund(payment_id, 700)
    stage.world.drain()
    total = stage.world.oracle.sales[purchase_id].total
    return [
        ("adopt", _adopts(stage, purchase_id, "adopt-0001")),
        ("refund", stage.refund(purchase_id, total, "refund-0001")),
    ]


def two_adoptions(stage: Stage) -> Sequence[tuple[str, Work]]:
    """Two operators take the same refund of the console into the books."""
    purchase_id, payment_id = stage.paid()
    stage.world.oracle.console_refunds.add(payment_id)
    stage.world.sandbox.console_refund(payment_id, 700)
    stage.world.drain()
    return [
        ("one", _adopts(stage, purchase_id, "adopt-0001")),
        ("other", _adopts(stage, purchase_id, "adopt-0002")),
    ]


def _adopts(stage: Stage, purchase_id: str, key: str) -> Work:
    [note_id] = stage.world.oracle.sales[purchase_id].notes
    return stage.asks(
        stage.cast.operator,
        "/v1/operator/purchases/{purchase_id}/quarantined/{quarantine_id}/resolve",
        {"purchase_id": purchase_id, "quarantine_id": note_id},
        {"how": "adopt", "order_id": order_of(purchase_id), "note": "by phone"},
        key,
    )


def dispute_and_refund(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The payer's bank contests the payment while an operator refunds it."""
    purchase_id, payment_id = stage.paid()
    stage.world.oracle.contested.add(payment_id)
    stage.world.sandbox.dispute(payment_id, amount=700)
    total = stage.world.oracle.sales[purchase_id].total
    return [("dispute", stage.told(payment_id)), ("refund", stage.refund(purchase_id, total, "refund-0001"))]


def dispute_and_renewal(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The payer's bank contests the payment while an operator renews a refund that came back."""
    purchase_id, refund_id = _refunded(stage, 700)
    stage.world.sandbox.settle(refund_id, "closed")
    stage.world.drain()
    payment_id = stage.world.oracle.sales[purchase_id].refunds[refund_id].payment_id
    stage.world.oracle.contested.add(payment_id)
    stage.world.sandbox.dispute(payment_id)
    path = {"refund_id": refund_id}
    retry = stage.asks(stage.cast.operator, "/v1/operator/refunds/{refund_id}/retry", path, {}, "retry-0001")
    return [("dispute", stage.told(payment_id)), ("renewal", retry)]


def _nearly(stage: Stage, days: float) -> None:
    """Let so many days pass but for some minutes, with everything settled."""
    stage.world.drain()
    stage.world.advance(timedelta(days=days, minutes=-10))
    stage.world.sweep()
    stage.world.drain()


def _shipped(stage: Stage, purchase_id: str, units: int) -> None:
    """Ship so many units; everything about it has settled."""
    _ships(stage, purchase_id, units)()
    stage.world.drain()


def _files(stage: Stage, purchase_id: str, reason: str) -> Work:
    body = {"order_id": order_of(purchase_id), "line_id": "1", "reason": reason, "text": "It is not right."}
    return stage.asks(stage.buyer, "/v1/complaints", {}, body, "complain-0001")


def _offered(stage: Stage, purchase_id: str) -> str:
    """File a complaint about a unit that is missing, and have its price offered."""
    _files(stage, purchase_id, "not_received")()
    [complaint_id] = stage.world.oracle.complaints
    body = {"answer": "refund", "amount": {"minor": 1999, "currency": "CNY"}, "text": "Sorry."}
    path = {"complaint_id": complaint_id}
    stage.asks(stage.cast.staff[0], "/v1/merchant/complaints/{complaint_id}/reply", path, body, "reply-0001")()
    return complaint_id


def agreement_and_rest(stage: Stage) -> Sequence[tuple[str, Work]]:
    """The buyer accepts the price of the unit that is missing in the moment when the rest is given up."""
    purchase_id, _ = stage.paid()
    _shipped(stage, purchase_id, 1)
    _nearly(stage, 15)
    complaint_id = _offered(stage, purchase_id)
    stage.due(order_of(purchase_id))
    path = {"complaint_id": complaint_id}
    accept = stage.asks(stage.buyer, "/v1/complaints/{complaint_id}/accept", path, {}, "accept-0001")
    return [("accept", accept), ("rest", stage.takes("checkout", order_of(purchase_id)))]


def units_and_cancel(stage: Stage) -> Sequence[tuple[str, Work]]:
    """An operator refunds one of two units while the buyer cancels the order."""
    purchase_id, _ = stage.paid()
    path = {"order_id": order_of(purchase_id)}
    cancel = stage.asks(stage.buyer, "/v1/orders/{order_id}/cancel", path, {"reason": "x"}, "cancel-0001")
    return [("units", _refunds_units(stage, purchase_id, 1)), ("cancel", cancel)]


def units_and_parcel(stage: Stage) -> Sequence[tuple[str, Work]]:
    """An operator refunds both units while the merchant ships one."""
    purchase_id, _ = stage.paid()
    return [
        ("units", _refunds_units(stage, purchase_id, 2)),
        ("ship", _ships(stage, purchase_id, 1)),
    ]


def _ships(stage: Stage, purchase_id: str, units: int) -> Work:
    body = {
        "lines": [{"line_id": "1", "quantity": units}],
        "carrier": "shunfeng",
        "tracking_number": "SF0000000001",
    }
    path = {"order_id": order_of(purchase_id)}
    return stage.asks(stage.cast.staff[0], "/v1/merchant/orders/{order_id}/shipments", path, body, "ship-0001")


def _refunds_units(stage: Stage, purchase_id: str, units: int) -> Work:
    body = {
        "order_id": order_of(purchase_id),
        "lines": [{"line_id": "1", "quantity": units}],
        "reason": "test",
    }
    path = {"purchase_id": purchase_id}
    return stage.asks(stage.cast.operator, "/v1/operator/purchases/{purchase_id}/refunds", path, body, "refund-0001")


def confirmation_and_complaint(stage: Stage) -> Sequence[tuple[str, Work]]:
    """A complaint is filed in the moment when the order, whose parcel was signed for, confirms itself."""
    purchase_id, _ = stage.paid()
    _shipped(stage, purchase_id, 2)
    stage.world.hub.advance("SF0000000001", "signed")
    _nearly(stage, 7)
    stage.due(order_of(purchase_id))
    return [
        ("complaint", _files(stage, purchase_id, "damaged")),
        ("confirmation", stage.takes("checkout", order_of(purchase_id))),
    ]


AFTERWARDS = (
    *("agreement / rest given up", "refund of units / cancel", "refund of units / parcel", "confirmation / complaint"),
    *("bounce / refund of the rest", "bounce / question", "adoption / bounce of it", "adoption / refund"),
    *("adoption / adoption", "dispute / refund", "dispute / renewal"),
)
"""Pairs about money that had settled, or about goods."""
AT_STRIPE = ("dispute / refund", "dispute / renewal")
"""Pairs that only a provider can play which tells of disputes."""
PAIRS: dict[str, Pair] = {
    "expiry / capture": expiry_and_capture,
    "two captures": two_captures,
    "capture / cancel": capture_and_cancel,
    "refund / refund": two_refunds,
    "refund clicked twice": one_refund_twice,
    "refund / cancel of the order": refund_and_cancel,
    "refund sent twice / its notice": refund_sent_and_told,
    "query / notice": query_and_notice,
    "next attempt / notice": next_attempt_and_notice,
    "chase / notice": chase_and_notice,
    "expiry / new attempt": expiry_and_attempt,
    "cancel / new attempt": cancel_and_attempt,
    "expiry / expiry": expiry_twice,
    "last units": last_units,
    "late capture / last units": late_capture_and_last_units,
    "ship / cancel": ship_and_cancel,
    "bounce / refund of the rest": bounce_and_refund,
    "bounce / question": bounce_and_question,
    "adoption / bounce of it": adoption_and_bounce,
    "adoption / refund": adoption_and_refund,
    "adoption / adoption": two_adoptions,
    "dispute / refund": dispute_and_refund,
    "dispute / renewal": dispute_and_renewal,
    "agreement / rest given up": agreement_and_rest,
    "refund of units / cancel": units_and_cancel,
    "refund of units / parcel": units_and_parcel,
    "confirmation / complaint": confirmation_and_complaint,
}


def walk(name: str, *, full: bool = False, crashes: bool = True, stop: bool = False) -> Walk:
    """Walk one pair."""
    with World(f"pair {name}", provider="stripe" if name in AT_STRIPE else "sandbox") as world:
        stage = Stage(world)
        works = PAIRS[name](stage)
        explorer = Explorer(world, stage.cast, works, full=full)
        if stop:
            explorer.explore(stop=True)
            return explorer.walk
        return explorer.explore_all(crashes=crashes)


def _walked(name: str, full: bool) -> tuple[str, Walk, float]:  # noqa: FBT001
    from tools.sim.__main__ import environment

    environment()
    started = time.monotonic()
    return name, walk(name, full=full), time.monotonic() - started


def main() -> int:
    """Walk all pairs and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tools.sim.exhaustive", description=__doc__)
    parser.add_argument("--full", action="store_true", help="walk also the orders that nobody can tell apart")
    parser.add_argument("--only", help="one pair")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    wanted = [arguments.only] if arguments.only else list(PAIRS)
    totals = Walk()
    started = time.monotonic()
    with ProcessPoolExecutor(arguments.workers) as pool:
        for name, result, seconds in pool.map(_walked, wanted, [arguments.full] * len(wanted)):
            print(
                f"{name:32} {result.interleavings:7d} interleavings ({result.crashes} with a crash,"
                f" {result.pruned} alike skipped)  {result.ends:5d} ends  {len(result.violations)} violations"
                f"  {seconds:.1f} s",
                flush=True,
            )
            for violation, schedule in zip(result.violations[:3], result.schedules, strict=False):
                print(f"    {violation}\n      {' '.join(schedule)}")
            totals.interleavings += result.interleavings
            totals.crashes += result.crashes
            totals.ends += result.ends
            totals.violations += result.violations
    print(
        json.dumps(
            {
                "pairs": len(wanted),
                "interleavings": totals.interleavings,
                "with_crash": totals.crashes,
                "ends": totals.ends,
                "violations": len(totals.violations),
                "seconds": round(time.monotonic() - started, 1),
            }
        )
    )
    return 1 if totals.violations else 0


if __name__ == "__main__":
    sys.exit(main())
