"""``make bench-webhook``: how long a provider's notice waits until it is verified and durable, and what that costs.

The dev server runs as a process of its own with its streams and queues at rest: what is measured ends where the notice
lies in its queue and the provider has its answer. Notices are signed here, with the stand-ins' keys. The engine's CPU
is told apart: on AWS that work is SQS's. Last come the adapters alone, in this process: microseconds of ``verify``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments import ports
from chalicelib.payments import providers as adapters
from chalicelib.runtime import log, outbound
from tools.bench.http import Result, Server
from tools.fakes.sandbox import mount, providers
from tools.fakes.sandbox.stand_in import Steering
from tools.shared import tables

WARM_UP = 20
_METHODS = {"alipay": "qr", "sandbox": "page"}
Sent = tuple[dict[str, str], bytes]


@dataclass(frozen=True)
class Notices:
    """One provider's notices of a payment, and the adapter that reads them."""

    adapter: Any
    genuine: list[Sent]
    forged: list[Sent]


def notices(name: str, count: int) -> Notices:
    """Let a buyer pay at a stand-in and sign what it says about that so many times, each time afresh."""
    stand_in = providers.create(lambda: clock.now().timestamp())[name]
    module = import_module(f"{adapters.__name__}.{name}")
    if name == "sandbox":
        keys = stand_in.keys
        adapter = module.build(
            module.Configuration(stand_in.base_url, keys.merchant_id, keys.api_key, (keys.webhook_key,))
        )
    else:
        adapter = module.build(providers.secret_of(name, stand_in))
    hosts = {host: stand_in for host, whose in providers.HOSTS.items() if whose == name}
    outbound.install(mount.by_host(hosts or {urlsplit(stand_in.base_url).netloc: stand_in}))
    payment_id = ids.child_id("pay", "pur_" + ids.digest(name), 1)
    made = adapter.create(_order(payment_id, name, adapter.methods[0]))
    assert made.outcome is ports.Outcome.PENDING, made
    stand_in.pay(payment_id)
    outbound.install(None)
    content = next(out.content for out in stand_in.outbox if _captures(adapter, stand_in.signed_notice(out.content)))
    return Notices(
        adapter,
        [stand_in.signed_notice(content, Steering()) for _ in range(count)],
        [stand_in.signed_notice(content, Steering(tamper=True)) for _ in range(count)],
    )


def _order(payment_id: str, name: str, method: str) -> ports.PaymentOrder:
    now = clock.now()
    return ports.PaymentOrder(
        payment_id=payment_id,
        amount=Money(1990),
        description="茶 Tea",
        method=_METHODS.get(name, method),
        created_at=now,
        expires_at=now + timedelta(minutes=31),
        notify_url=f"https://shop.example/v1/webhooks/payments/{name}",
        return_url="https://shop.example/done",
    )


def _captures(adapter: Any, sent: Sent) -> bool:
    """Say whether a notice tells of the capture (Stripe tells of a charge as well, which nobody acts on)."""
    try:
        report = adapter.verify(headers=sent[0], body=sent[1]).report
    except ports.NoticeRefused:
        return False
    return report is not None and report.outcome is ports.Outcome.CAPTURED


def over_http(server: Server, name: str, kind: str, sent: list[Sent]) -> Result:
    """Post them one after another over one connection; return what that took. The first of all is told apart."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    path = f"/v1/webhooks/payments/{name}"

    def post(one: Sent) -> tuple[float, bool]:
        began = time.perf_counter()
        connection.request("POST", path, body=one[1], headers=one[0])
        answer = connection.getresponse()
        answer.read()
        accepted = 200 <= answer.status < 300
        return (time.perf_counter() - began) * 1000, accepted is (kind == "genuine")

    for one in sent[:WARM_UP]:
        post(one)
    before, began = server.cpu_s(), time.perf_counter()
    answers = [post(one) for one in sent[WARM_UP:]]
    seconds, after = time.perf_counter() - began, server.cpu_s()
    connection.close()
    return Result(
        name=f"{name} {kind}",
        clients=1,
        count=len(answers),
        seconds=seconds,
        latencies_ms=[took for took, _ in answers],
        ours_s=after[0] - before[0],
        engine_s=after[1] - before[1],
        failures=sum(not right for _, right in answers),
    )


def alone(adapter: Any, sent: list[Sent]) -> float:
    """Return the median of ``verify`` in microseconds."""
    took: list[float] = []
    for headers, body in sent:
        began = time.perf_counter()
        with suppress(ports.NoticeRefused):
            adapter.verify(headers=headers, body=body)
        took.append(time.perf_counter() - began)
    return round(median(took) * 1_000_000, 1)


def serve() -> None:
    """Be the server: say where it is, rest its queues, go on until standard input ends."""
    from tools.dev.server import DevServer, log_to

    log_to(None)
    with DevServer(port=0, seed=False, record=False) as server:
        server.pump.stop(settle_s=5)
        print(json.dumps(server.info()), flush=True)
        sys.stdin.read()


def started() -> Server:
    """Start :func:`serve` as a child."""
    command = [sys.executable, "-m", "tools.bench.webhook", "--serve"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit("the dev server did not start")
    info = json.loads(line)
    return Server(child, info["api"], info)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-webhook ARGS=...", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="notices of each kind per provider")
    parser.add_argument("--providers", nargs="*", default=list(providers.PORTS), choices=list(providers.PORTS))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    log.set_level("CRITICAL")
    os.environ.setdefault("BIANDAN_QQWALLET", "on")
    print("Starting the dev server ...", flush=True)
    server = started()
    try:
        rows = [row for name in options.providers for row in _measured(server, name, options.count)]
    finally:
        assert server.process.stdin is not None
        server.process.stdin.close()
        server.process.wait(timeout=60)
    print(_table(rows))
    print(json.dumps({"bench": "webhook", "count": options.count, "rows": rows}))
    return 1 if any(row["failures"] for row in rows) else 0


def _measured(server: Server, name: str, count: int) -> list[dict[str, Any]]:
    made = notices(name, count + WARM_UP)
    rows = []
    for kind, sent in (("genuine", made.genuine), ("forged", made.forged)):
        figures = over_http(server, name, kind, sent).figures()
        del figures["run"], figures["clients"]
        rows.append({"provider": name, "notice": kind, **figures, "verify_us": alone(made.adapter, sent)})
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    heads = ["provider", "notice", "a second", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "engine CPU ms", "verify us"]
    names = ["provider", "notice", "per_s", "p50_ms", "p95_ms", "p99_ms", "cpu_ms", "engine_cpu_ms", "verify_us"]
    return tables.table(heads, [[row[name] for name in names] for row in rows])


if __name__ == "__main__":
    sys.exit(main())
