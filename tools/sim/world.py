"""One seed's world: the real handlers over storage, queues, a provider and a carrier's hub in memory, and a fake clock.

A step is one actor's action, one invocation of a handler (HTTP, relay, a queue's function, the deadline job) or one
move of the clock. Every call to storage, queues, secrets and providers goes through :meth:`World._seam`, where tasks
are switched, faults injected and the oracle asked. Nothing else can be reached: anything unknown raises.
"""

from __future__ import annotations

import logging
import os
import random
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import urlsplit

import msgspec
from chalice.app import Chalice, EventSourceHandler

from chalicelib import topology
from chalicelib.kernel import clock, context, ids
from chalicelib.runtime import aws, caches, deadlines, log, names, outbound, patience, relay, together
from chalicelib.runtime import functions as runtime_functions
from chalicelib.runtime.db import dynamo
from infra import functions as deployed
from infra.tables import table_specs
from tools.fakes import resources
from tools.fakes.carriers.hub import Hub
from tools.fakes.sandbox.stand_in import Outgoing
from tools.generate import routing
from tools.sim import http
from tools.sim.bank import SETTINGS, Bank
from tools.sim.faults import Crash, Faults
from tools.sim.http import Answer
from tools.sim.objects import Objects
from tools.sim.oracle import Oracle, riders
from tools.sim.queues import Message, Queues, Secrets
from tools.sim.stopwatch import Stopwatches
from tools.sim.storage import Key, Params, Storage, Table
from tools.sim.tasks import Scheduler, Task

START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SHARDS = 2
"""Of each table's stream: order holds within an item, not across items."""
HOP_S = 1.0
"""What a hop takes while the world is served: a stream to the relay, a queue to its function, a notice to its route."""
_BODY = re.compile(r"(?:pur|ord|pay|ref|shp)_([0-9a-z]{24})")
_SCHEDULER = Scheduler()

Shard = tuple[str, int]


class NetworkUsed(BaseException):
    """Something tried to leave the simulator."""


@dataclass(frozen=True)
class Line:
    """One line of the story: when, in which step, who, why, what; and the purchases it is about."""

    step: int
    at: datetime
    who: str
    cause: str
    what: str
    about: frozenset[str]

    def __str__(self) -> str:
        return f"{self.step:6d} {self.at:%m-%d %H:%M:%S} {self.who:18.18} {self.what}" + (
            f"   <- {self.cause}" if self.cause not in ("none", "") else ""
        )


@cache
def _specs() -> tuple[Params, ...]:
    return tuple({name: value for name, value in spec.items() if name != "ttl"} for spec in table_specs().values())


@cache
def _functions() -> dict[str, Callable[[Params, Any], Params]]:
    found: dict[str, Callable[[Params, Any], Params]] = {}
    for queue, module in topology.QUEUES.items():
        loaded = import_module(module)  # One that cannot be imported must fail here, not go unplayed.
        [function] = [value for value in vars(loaded).values() if isinstance(value, EventSourceHandler)]
        found[queue] = function
    return found


@cache
def job_every_s() -> float:
    """Return how often the deployed schedule runs the deadline job."""
    app = Chalice("schedules")
    app.register_blueprint(runtime_functions.functions)
    [source] = [source for source in app.event_sources if getattr(source, "name", "") == "deadlines"]
    rate = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", str(vars(source)["schedule_expression"]))
    if rate is None:
        raise RuntimeError(f"no rate: {vars(source)}")
    return float(rate[1]) * {"minute": 60.0, "hour": 3600.0}[rate[2]]


@cache
def _application() -> Any:
    return routing.application()


class _Ear(logging.Handler):
    """Hears every log line."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear
        self._format = log._JsonLines()  # noqa: SLF001

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(self._format.format(record))


@dataclass
class Totals:
    """What a run did."""

    steps: int = 0
    calls: int = 0
    switches: int = 0
    answers: dict[int, int] = field(default_factory=dict)


class World:
    """Everything of one seed. Use as ``with World(seed) as world``."""

    def __init__(
        self,
        seed: int | str,
        *,
        rate: float = 0.0,
        crashes: float = 0.0,
        tell: bool = False,
        provider: str = "sandbox",
    ) -> None:
        self.seed = seed
        self.rng = random.Random(f"{seed}:actors")  # noqa: S311
        self._schedule = random.Random(f"{seed}:schedule")  # noqa: S311
        self._entropy = random.Random(f"{seed}:entropy")  # noqa: S311
        self._stale = random.Random(f"{seed}:stale")  # noqa: S311
        self.clock = clock.Fixed(START)
        self.totals = Totals()
        self.faults = Faults(random.Random(f"{seed}:faults"), rate=rate, crashes=crashes)  # noqa: S311
        self.stale_rate = rate
        self.scheduler = _SCHEDULER
        self.bank = Bank(provider, now_s=self.now_s, chance=random.Random(f"{seed}:sandbox"))  # noqa: S311
        self.sandbox = self.bank.stand_in
        """The provider's stand-in."""
        self.hub = Hub(self._hub_push, now=lambda: self.clock.moment)
        self.oracle = Oracle(self.bank, now=lambda: self.clock.moment)
        self.oracle.parcels.journeys = self.hub.journeys
        self.watches = Stopwatches(self.oracle, self.bank, job_every_s=job_every_s())
        self.storage = Storage(
            _specs(), now_s=self.now_s, stale=self._is_stale, late=self._is_late, changed=self._changed
        )
        self.queues = Queues(
            [names.queue_name(queue) for queue in topology.QUEUES],
            now_s=self.now_s,
            inspect=self._sent,
            visibility_s={names.queue_name(queue): float(deployed.visibility_s(queue)) for queue in topology.QUEUES},
        )
        local = resources.local_secrets() | self.bank.secrets()
        self.secrets = Secrets({names.secret_name(name): value for name, value in local.items()})
        self.unspeakable: list[str] = _secret_values(local)
        """What no log, queue or error body may hold."""
        self.shards: dict[Shard, deque[Params]] = {}
        self.old_messages: list[tuple[str, str]] = []
        """Queue and body of messages that were handled: SQS may deliver them once more."""
        self.durable: set[str] = set()
        """Ids of events that a queue has accepted."""
        self.noticed: list[str] = []
        """What verified notices were about that the queue has accepted."""
        self.answers: dict[tuple[str, str], str] = {}
        """(Account, key) -> the id of what a POST with it made."""
        self.objects = Objects()
        """Both buckets."""
        self.findings: dict[str, int] = {}
        """What reconciliation found at the end, by class."""
        self.excused: dict[str, str] = {}
        self.hidden: Callable[[Table, Key], bool] = lambda _table, _key: False
        """Which items an index does not show yet."""
        self.digest = 0
        self.last_error = ""
        self.tell = tell
        self.story: list[Line] = []
        self._serial = 0
        self._where = "world"
        self._stack = ExitStack()

    # --- installing ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._stack.enter_context(clock.use(self.clock))
        self._stack.enter_context(patch.dict(os.environ, SETTINGS.get(self.bank.name, {})))
        self._stack.enter_context(aws.hooked(self._seam))
        self._stack.enter_context(patch.object(together, "AT_ONCE", 1))  # One order of things.
        ids.install_entropy(self._entropy.randbytes)
        outbound.install(self._outside)
        patience.install(lambda: 0.0)  # How long this machine takes is not to decide anything.
        jitter, sleep = dynamo.jitter, dynamo.sleep
        dynamo.jitter, dynamo.sleep = self._schedule.random, self._sleep
        logger = log._prepare()  # noqa: SLF001
        handlers = logger.handlers[:]
        logger.handlers[:] = [_Ear(self._heard)]

        def undo() -> None:
            ids.install_entropy(None)
            outbound.install(None)
            patience.install(None)
            dynamo.jitter, dynamo.sleep = jitter, sleep
            logger.handlers[:] = handlers
            caches.forget_all()

        self._stack.callback(undo)
        caches.forget_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def now_s(self) -> float:
        """Return the simulator's time in seconds."""
        return self.clock.moment.timestamp()

    # --- the seam -----------------------------------------------------------------------------------------------------

    def _seam(self, service: str, operation: str, params: Params, _proceed: Callable[[], Params]) -> Params:
        """Stand in for AWS."""
        if service == "s3":
            return self._bucket(operation, params)
        if service not in ("dynamodb", "sqs", "secretsmanager"):
            raise NetworkUsed(f"{service} {operation}")
        if service == "secretsmanager":
            return self.faults.around(service, operation, params, lambda: self.secrets.call(operation, params))
        self._before(service, operation, params)
        try:
            call = self.storage.call if service == "dynamodb" else self.queues.call
            answer = self.faults.around(service, operation, params, lambda: call(operation, params))
        except BaseException as error:
            self._after(operation, params, error)
            raise
        self._after(operation, params, None)
        return answer

    def _bucket(self, operation: str, params: Params) -> Params:
        """Keep the buckets' objects."""
        try:
            return self.objects.call(operation, params)
        except NotImplementedError as error:
            raise NetworkUsed(str(error)) from error

    def _outside(self, request: outbound.Request) -> outbound.Response:
        """Stand in for providers and hubs."""
        parts = urlsplit(request.url)
        operation = f"{request.method} {parts.path}"
        self._before("outside", operation, {"body": request.body})
        if self.bank.serves(parts.netloc):
            send = self._bank_answer
        elif parts.netloc == "poll.kuaidi100.com":
            send = self._hub_answer
        else:
            raise NetworkUsed(request.url)
        try:
            answer = self.faults.outside(lambda: send(request))
        except BaseException as error:
            self._after(operation, {"body": request.body}, error)
            raise
        self._after(operation, {"body": request.body}, None)
        return answer

    def _bank_answer(self, request: outbound.Request) -> outbound.Response:
        """Let the provider answer; note what that tells the shop, and what went wrong about whom."""
        stand_in, understood = self.sandbox, len(self.sandbox.calls)
        before = dict(stand_in._steering)  # noqa: SLF001
        try:
            return self.bank.send(request)
        finally:
            spoilt = [number for number, mood in stand_in._steering.items() if before.get(number) != mood]  # noqa: SLF001
            for number in spoilt:  # What holds once was used up: a call or an answer was lost, or not signed.
                for about in self.oracle.contested if number == "query_dispute" else (number,):
                    self.watches.trouble(about)
            for call in stand_in.calls[understood:]:
                operation, _, number = call.partition(" ")
                if operation == "query" and number not in spoilt and number.startswith("pay_"):
                    there = self.bank.order(number)
                    if there is not None and there.state == "paid":
                        self.watches.told(number)

    def _hub_answer(self, request: outbound.Request) -> outbound.Response:
        status, headers, body = self.hub.handle(urlsplit(request.url).path, request.body)
        return outbound.Response(status, headers, body)

    def _before(self, service: str, operation: str, params: Params) -> None:
        self.totals.calls += 1
        self.scheduler.pause((service, operation, params))

    def _after(self, operation: str, params: Params, error: BaseException | None) -> None:
        self.oracle.check()
        self.digest = zlib.crc32(operation.encode(), self.digest)
        if self.tell:
            self._tell_call(operation, params, error)
        task = self.scheduler.current
        if task is not None and task.crash:
            task.crash = False
            raise Crash

    def _tell_call(self, operation: str, params: Params, error: BaseException | None) -> None:
        text = str(params)
        what = f"    {operation} {_short(operation, params)}"
        if error is not None:
            what += f" !! {type(error).__name__} {aws.error_code(error) if isinstance(error, Exception) else ''}"
        self.say(what, about=text)

    def say(self, what: str, *, about: str = "") -> None:
        """Add a line to the story."""
        if not self.tell:
            return
        where = context.current()
        task = self.scheduler.current
        who = task.name if task is not None else self._where
        cause = where.cause_id if where.cause_id != "http" else ""
        found = frozenset(_BODY.findall(about or what))
        self.story.append(Line(self.totals.steps, self.clock.moment, who, cause, what, found))

    def _sleep(self, _seconds: float) -> None:
        self.scheduler.pause(("sleep", "sleep", {}))

    def _is_stale(self) -> bool:
        if self.faults.armed and self._stale.random() < self.stale_rate:
            self.faults.count("stale_read")
            return True
        return False

    def _is_late(self, table: Table, key: Key) -> bool:
        return self.hidden(table, key)

    def _changed(self, table: Table, record: Params) -> None:
        self.oracle.changed(table, record)
        keys = record["dynamodb"]["Keys"]
        shard = zlib.crc32(str(keys[table.hash_name]).encode()) % SHARDS
        self.shards.setdefault((table.name, shard), deque()).append(record)
        if self.tell:
            new = record["dynamodb"].get("NewImage") or {}
            state = new.get("status", {}).get("S", "")
            self.say(
                f"      {record['eventName'].lower()} {table.name.rsplit('-', 1)[1]}"
                f" {' '.join(next(iter(value.values())) for value in keys.values())}"
                f" v{new.get('version', {}).get('N', '-')} {state}",
                about=str(new),
            )

    def _sent(self, queue: str, body: str) -> None:
        self._inspect(f"queue {queue}", body)
        start = body.find('"id":"') + 6
        event_id = body[start : body.find('"', start)]
        self.durable.add(event_id)
        if event_id.startswith("payment.noticed#"):
            data = msgspec.json.decode(body)["data"]
            self.noticed.append(data["payment_id"])
            self._told(data)
        if self.tell:
            self.say(f"      -> {queue}: {body[start : body.find(chr(34), start)]}", about=body)

    def _told(self, data: dict[str, Any]) -> None:
        """Note what the shop knows by a notice that it has acknowledged, or can know by asking."""
        payment_id = data["payment_id"]
        there = self.bank.order(payment_id) if data.get("foreign") else None
        if data.get("outcome") == "captured" or (there is not None and there.state == "paid"):
            self.watches.told(payment_id)
        if data.get("refund_outcome") == "closed":
            back = self.bank.refund(data["refund_id"])
            if back is not None and back.state == "closed":  # Else it is an old word, from before it went through.
                self.watches.told_more(data["refund_id"])
        if data.get("dispute"):
            self.watches.told_more(self.bank.attempt_of(data["dispute"]))

    def _heard(self, line: str) -> None:
        self._inspect("log", line)
        if '"level":"error"' in line:
            self.last_error = line
            if self.tell:
                self.say(f"      log: {line[-400:]}", about=line)

    def _inspect(self, where: str, text: str) -> None:
        for secret in self.unspeakable:
            if secret in text:
                self.oracle.broken("secrets", f"{where} holds {secret[:6]}...: {text[:200]}")

    # --- invocations --------------------------------------------------------------------------------------------------

    def invoke(self, name: str, work: Callable[[], Any]) -> tuple[bool, Any]:
        """Run one invocation of the product; returns whether the process lived through it, and the result."""
        self.totals.steps += 1
        self.digest = zlib.crc32(name.encode(), self.digest)
        self._where = name
        self.say(name)
        try:
            return True, work()
        except Crash:
            self.say("      crash")
            caches.forget_all()
            return False, None

    def call(
        self,
        method: str,
        template: str,
        path: dict[str, str] | None = None,
        body: Any = None,
        *,
        token: str | None = None,
        key: str | None = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer | None:
        """Make one HTTP call; None if the process ended before it answered."""
        self._serial += 1
        event = http.event(
            method,
            template,
            path or {},
            body,
            token=token,
            key=key,
            raw=raw,
            headers=headers,
            request_id=f"req-{self._serial:06d}",
        )
        lived, answer = self.invoke(f"{method} {event['path']}", lambda: _application()(event, None))
        if not lived:
            return None
        status, text = answer["statusCode"], answer.get("body") or ""
        self.totals.answers[status] = self.totals.answers.get(status, 0) + 1
        self.say(f"      = {status} {text[:140] if status >= 400 else ''}")
        if status >= 400:
            self._inspect(f"{method} {template} {status}", text)
        # Busy, or a provider that did not answer the operator who asked: both honest.
        if status >= 500 and status != 503 and '"provider_silent"' not in text:
            self.oracle.broken(
                "errors", f"{method} {template} answered {status}: {self.last_error[-700:]}", event["path"]
            )
        told = Answer.of(answer)
        if told.json is not None and "payment_id" in told.json and "instruction" in told.json:
            self.oracle.shown.add(told.json["payment_id"])
            instruction = told.json["instruction"] or {}
            link = instruction.get("url") or (instruction.get("params") or {}).get("orderStr")
            if link:
                self.bank.links[told.json["payment_id"]] = link
        return told

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Deliver a provider's notice; 0 if nobody answered."""
        provider = urlsplit(url).path.rsplit("/", 1)[1]
        headers = {name.lower(): value for name, value in headers.items()}
        answer = self.call(
            "POST", "/v1/webhooks/payments/{provider}", {"provider": provider}, raw=body, headers=headers
        )
        return answer.status if answer is not None else 0

    def _hub_push(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        shipment_id = urlsplit(url).path.rsplit("/", 1)[1]
        template = "/v1/webhooks/logistics/kuaidi100/{shipment_id}"
        answer = self.call("POST", template, {"shipment_id": shipment_id}, raw=body, headers=headers)
        return (answer.status, answer.text.encode()) if answer is not None else (0, b"")

    def notify(self, out: Outgoing) -> None:
        """Let the provider post one of its waiting notices; without a 2xx it tries again later."""
        if out not in self.sandbox.outbox:
            return
        self.sandbox.outbox.remove(out)
        headers, body = self.sandbox.signed_notice(out.content, out.steering)
        before = len(self.noticed)
        status = self.post(out.url, headers, body)
        self.sandbox.delivered.append((status, out.content))
        if 200 <= status < 300:
            if not self._is_durable(out, self.noticed[before:]):
                self.oracle.broken("durable", "a notice was acknowledged and is in no queue", self.bank.about(out))
        elif out.tries < len(self.sandbox.retries_s):
            due = self.now_s() + self.sandbox.retries_s[out.tries]
            again = Outgoing(due, out.number, out.url, out.content, out.steering, out.tries + 1)
            self.sandbox.outbox.append(again)

    def _is_durable(self, out: Outgoing, noticed: Sequence[str]) -> bool:
        if self.bank.name == "sandbox":
            return f"payment.noticed#sandbox#{out.content['notice_id']}" in self.durable
        return self.bank.about(out) in noticed or not self.bank.must_last(out)

    def relay(self, shard: Shard, *, count: int = 100, again: bool = False) -> bool:
        """Hand the oldest records of a stream's shard to the relay; ``again`` delivers them once more later."""
        waiting = self.shards[shard]
        records = [waiting[number] for number in range(min(count, len(waiting)))]
        lived, result = self.invoke(f"relay {shard[0]}", lambda: relay.relay({"Records": records}))
        if not lived or result != {"batchItemFailures": []} or again:
            return False
        for record in records:
            # Another invocation for the same shard cannot have run: Lambda gives a shard to one at a time.
            if not waiting or waiting.popleft() is not record:
                raise RuntimeError("a shard was relayed twice at once")
        return True

    def deliver(self, queue: str, messages: Sequence[Message]) -> bool:
        """Hand messages to a queue's function as Lambda's poller does; deletes what it reports as done."""
        full_name = names.queue_name(queue)
        taken = self.queues.receive(full_name, [message.number for message in messages])
        if not taken:
            return True
        records = [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.receives)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{full_name}",
                "awsRegion": "us-east-1",
            }
            for message in taken
        ]
        if self.tell:
            self.say(f"{queue} takes", about=" ".join(message.body for message in taken))
        lived, result = self.invoke(f"queue {queue}", lambda: _functions()[queue]({"Records": records}, None))
        if not lived:
            return False
        failed = {failure["itemIdentifier"] for failure in (result or {}).get("batchItemFailures", [])}
        for message in taken:
            if message.message_id not in failed:
                self.queues.delete(full_name, message)
                self.old_messages.append((queue, message.body))
        return True

    def sweep(self) -> None:
        """Run the deadline job."""
        self.invoke("deadlines", self._sweep)

    def _sweep(self) -> None:
        try:
            deadlines.sweep()
        except Exception as error:  # The schedule runs it again in a minute.
            self.faults.count("sweep_failed")
            self.say(f"      {type(error).__name__}")

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.totals.steps += 1
        self.clock.advance(by)
        self.digest = zlib.crc32(str(by).encode(), self.digest)

    # --- running ------------------------------------------------------------------------------------------------------

    def together(self, works: Sequence[tuple[str, Callable[[], Any]]]) -> None:
        """Run several actions at once: switched at every call, by the seed."""
        tasks = [Task(name, work) for name, work in works]
        before = self.scheduler.switches
        self.scheduler.run(tasks, self._schedule.choice)
        self.totals.switches += self.scheduler.switches - before
        for task in tasks:
            if task.error is not None:
                raise task.error

    def waiting_shards(self) -> list[Shard]:
        """Return the streams' shards that hold records."""
        return [shard for shard, records in self.shards.items() if records]

    def waiting_queues(self) -> list[str]:
        """Return the queues that hold visible messages and whose function is built."""
        now_s = self.now_s()
        return [
            queue
            for queue in _functions()
            if any(m.visible_at <= now_s for m in self.queues.queues[names.queue_name(queue)].messages.values())
        ]

    def waiting_notices(self) -> list[Outgoing]:
        """Return the provider's notices that are due."""
        now_s = self.now_s()
        return [out for out in self.sandbox.outbox if out.due <= now_s]

    def drain(self) -> None:
        """Move everything that can move now, until nothing does."""
        for _ in range(2000):
            moved = False
            for shard in self.waiting_shards():
                moved = True
                self.relay(shard)
            for queue in self.waiting_queues():
                moved = True
                self.deliver(queue, self.queues.visible(names.queue_name(queue))[:10])
            for out in self.waiting_notices():
                moved = True
                self.notify(out)
            if not moved:
                return
        raise RuntimeError("it does not come to rest")

    def serve(self, seconds: float, *, each_minute: Callable[[], None] | None = None) -> None:
        """Let time pass as it does in AWS: the deadline job runs on its schedule, streams and queues are taken up at
        once, a hop lasts a second, and nothing of AWS fails. What P4 and P7 promise is judged meanwhile.
        """
        until = self.now_s() + seconds
        with self.calm():
            self.watches.open(self.now_s())
            while self.now_s() < until and not self.oracle.violations:
                self._serve_once(until, each_minute)
            self.watches.close(self.now_s())

    def _serve_once(self, until: float, each_minute: Callable[[], None] | None) -> None:
        """Hand on what waits now by one hop, then let time pass to the next moment at which something happens."""
        hops: list[Callable[[], Any]] = [lambda shard=shard: self.relay(shard) for shard in self.waiting_shards()]  # type: ignore[misc]
        for queue in self.waiting_queues():
            messages = self.queues.visible(names.queue_name(queue))
            for start in range(0, len(messages), 10):
                batch = messages[start : start + 10]
                hops.append(lambda queue=queue, batch=batch: self.deliver(queue, batch))  # type: ignore[misc]
        hops += [lambda out=out: self.notify(out) for out in self.waiting_notices()]  # type: ignore[misc]
        for hop in hops:
            hop()
        now_s, every_s = self.now_s(), job_every_s()
        job_at = (now_s // every_s + 1) * every_s
        if self.waiting_shards() or self.waiting_queues() or self.waiting_notices():
            step = min(HOP_S, job_at - now_s)
        else:
            step = min([job_at, until, *self._deliveries()]) - now_s
        step = max(step, 0.001)
        self.watches.tick(step, now_s)
        self.advance(timedelta(seconds=step))
        if self.now_s() >= job_at - 0.0005:
            self.sweep()
            if each_minute is not None:
                each_minute()

    def _deliveries(self) -> list[float]:
        moments = [out.due for out in self.sandbox.outbox]
        message = self.queues.next_visible(names.queue_name(queue) for queue in _functions())
        return moments if message is None else [*moments, message]

    def next_moment(self) -> float | None:
        """Return when something happens by itself: a message, a notice, a deadline."""
        moments = self._deliveries()
        for table, _, _ in topology.DUE_TABLES:
            index = self.storage.tables[names.table_name(table)].indexes["due"]
            moments += [float(places[0][0]) for places in index.partitions.values() if places]
        return min(moments, default=None)

    def settle(self, *, before: Callable[[], None] | None = None, limit: int = 3000, serve_s: float = 0.0) -> None:
        """Let queues drain and clocks run out: from moment to moment, until nothing is left to happen.

        First the world is served for a while: whatever is unknown by now must become known in time.
        """
        self.faults.armed = False
        if before is not None:
            before()
        if serve_s:
            self.serve(serve_s)
        for _ in range(limit):
            self.drain()
            if before is not None:
                before()
                self.drain()
            moment = self.next_moment()
            if moment is None:
                return
            self.advance(timedelta(seconds=max(1.0, moment - self.now_s())))
            deadlines.forget()  # Time goes in leaps here, and each is worth a look at everything.
            self.sweep()
            if self.oracle.violations or self.queues.dead():
                return
        raise RuntimeError(f"it does not come to an end: {self._due_records()[:20]}")

    def _due_records(self) -> list[Any]:
        return [
            (key, due_at - self.now_s())
            for table, _, _ in topology.DUE_TABLES
            for places in self.storage.tables[names.table_name(table)].indexes["due"].partitions.values()
            for due_at, key in places
        ] + [
            (name, message.body[:150], message.receives, message.visible_at - self.now_s())
            for name, queue in self.queues.queues.items()
            if queue.dead_letters
            for message in queue.messages.values()
        ]

    def dead_letters(self) -> list[tuple[str, str, str]]:
        """Return queue, reason and body of each dead letter."""
        return [
            (queue, message.attributes.get("reason", {}).get("StringValue", ""), message.body)
            for queue, message in self.queues.dead()
        ]

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Inject nothing for the length of a block."""
        armed, self.faults.armed = self.faults.armed, False
        try:
            yield
        finally:
            self.faults.armed = armed

    # --- snapshots ----------------------------------------------------------------------------------------------------

    def save(self) -> Any:
        """Return what :meth:`restore` takes back: the whole world but the counters."""
        sandbox = self.sandbox
        return (
            self.storage.save(),
            self.queues.save(),
            self.oracle.save(),
            self.bank.save(),
            list(sandbox.outbox),
            dict(sandbox._steering),  # noqa: SLF001
            sandbox._serial,  # noqa: SLF001
            {shard: list(records) for shard, records in self.shards.items()},
            self.clock.moment,
            [rng.getstate() for rng in self._rngs()],
            set(self.durable),
            dict(self.answers),
            self._serial,
        )

    def _rngs(self) -> tuple[random.Random, ...]:
        return self.rng, self._schedule, self._entropy, self._stale, self.sandbox.chance

    def restore(self, saved: Any) -> None:
        """Go back to a saved state, in a fresh process."""
        sandbox = self.sandbox
        self.storage.restore(saved[0])
        self.queues.restore(saved[1])
        self.oracle.restore(saved[2])
        self.bank.restore(saved[3])
        sandbox.outbox = list(saved[4])
        sandbox._steering = dict(saved[5])  # noqa: SLF001
        sandbox._serial = saved[6]  # noqa: SLF001
        self.shards = {shard: deque(records) for shard, records in saved[7].items()}
        self.clock.moment = saved[8]
        for rng, state in zip(self._rngs(), saved[9], strict=True):
            rng.setstate(state)
        self.durable, self.answers = set(saved[10]), dict(saved[11])
        self._serial = saved[12]
        self.story.clear()
        caches.forget_all()

    def state(self) -> int:
        """Return a digest of everything durable: two runs that end alike need only one look at what follows."""
        parts: list[str] = []
        for name, table in sorted(self.storage.tables.items()):
            parts.append(name)
            for _, item in sorted(table.items.items()):
                parts.append(str(sorted((key, str(value)) for key, value in item.items() if key != "events")))
        for name, queue in sorted(self.queues.queues.items()):
            parts.append(name)
            parts.extend(sorted(f"{m.visible_at} {m.receives} {m.body[:90]}" for m in queue.messages.values()))
        parts.extend(self.bank.state())
        parts.extend(
            sorted(str((o.due, o.content.get("state", o.content.get("type")), o.tries)) for o in self.sandbox.outbox)
        )
        for shard, records in sorted(self.shards.items()):
            parts.append(str(shard))
            parts.extend(str(riders(record["dynamodb"].get("NewImage") or {})) for record in records)
        return hash("\n".join(parts))


_SPOKEN = ("merchant_id", "customer", "mchid", "mch_id", "appid", "app_id", "seller_id", "op_user_id", "sign_type")
_SPOKEN_TOO = ("publishable_key", "certificate", "platform_keys", "alipay_keys", "appids")
"""Parts of secrets that are no secrets: they go out with every call."""


def _secret_values(local: dict[str, dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for value in local.values():
        for name, part in value.items():
            if name in (*_SPOKEN, *_SPOKEN_TOO):
                continue
            for entry in part if isinstance(part, list) else [part]:
                secret = str(entry.get("seed") or entry.get("pem")) if isinstance(entry, dict) else entry
                if isinstance(secret, str):
                    found.append(secret)
    return found


def _short(operation: str, params: Params) -> str:
    if "TransactItems" in params:
        return ", ".join(
            f"{verb} {part['TableName'].rsplit('-', 1)[1]}"
            for item in params["TransactItems"]
            for verb, part in item.items()
        )
    table = params.get("TableName", "")
    key = params.get("Key") or {}
    what = " ".join(next(iter(value.values())) for value in key.values())
    if operation == "Query":
        values = params.get("ExpressionAttributeValues", {})
        what = " ".join(str(next(iter(value.values()))) for value in values.values())
    return f"{table.rsplit('-', 1)[-1]} {what}"
