"""The seam: every call to storage, queues, buckets, secrets, providers and carriers, and what is heard of it.

Tasks are switched, faults injected and the oracle asked here. Nothing else can be reached: anything unknown raises.
"""

from __future__ import annotations

import logging
import re
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from chalicelib.kernel import context
from chalicelib.runtime import aws, log, outbound
from tools.sim.faults import Crash
from tools.sim.parts import Parts
from tools.sim.storage import Key, Params, Table
from tools.sim.story import Line

SHARDS = 2
"""Of each table's stream: order holds within an item, not across items."""
_BODY = re.compile(r"(?:pur|ord|pay|ref|shp)_([0-9a-z]{24})")


class NetworkUsed(BaseException):
    """Something tried to leave the simulator."""


class Ear(logging.Handler):
    """Hears every log line."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear
        self._format = log._JsonLines()  # noqa: SLF001

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line on as the product would write it."""
        self._hear(self._format.format(record))


class Seam(Parts):
    """Stands in for all that the product calls."""

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
