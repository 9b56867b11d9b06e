"""Over a real socket: the sandbox served on 127.0.0.1, called by the real transport."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any

import pytest

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import Action, Attempt, Outcome, PaymentOrder
from chalicelib.payments.providers.sandbox.adapter import Sandbox, build
from chalicelib.payments.providers.sandbox.wire import Configuration
from chalicelib.runtime import outbound
from tools.fakes.sandbox.core import Keys
from tools.fakes.sandbox.server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(hang_s=3).start()
    yield running
    running.stop()
    outbound.forget_pool()


def adapter(url: str) -> Sandbox:
    keys = Keys()
    return build(Configuration(url, keys.merchant_id, keys.api_key, (keys.webhook_key,)))


def order(notify_url: str = "http://127.0.0.1:9/none") -> PaymentOrder:
    now = clock.now()
    return PaymentOrder(
        ids.child_id("pay", "pur_" + ids.digest(ids.new_id("x")), 1), Money(1999), "Tea 茶", "page", now,
        now + timedelta(minutes=30), notify_url,
    )  # fmt: skip


def test_a_whole_payment_over_the_network_with_its_notice_posted_back(server: Server) -> None:
    got: list[tuple[dict[str, str], bytes]] = []
    arrived = threading.Event()

    class Shop(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((dict(self.headers.items()), body))
            self.send_response(200 if len(got) > 1 else 500)
            self.send_header("content-length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    shop = HTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    wanted = order(f"http://127.0.0.1:{shop.server_address[1]}/v1/webhooks/payments/sandbox")
    provider = adapter(server.url)

    instruction = provider.create(wanted)
    assert (instruction.outcome, instruction.action) == (Outcome.PENDING, Action.REDIRECT)
    with urllib.request.urlopen(f"{server.url}/", timeout=60) as page:
        assert wanted.payment_id in page.read().decode()
    pay = urllib.request.Request(f"{server.url}/pay/{wanted.payment_id}", data=b"", method="POST")
    with urllib.request.urlopen(pay, timeout=60) as answer:
        assert [order["state"] for order in json.loads(answer.read())["orders"]] == ["paid"]
    assert arrived.wait(60)
    notice = provider.verify(headers=got[0][0], body=got[0][1])
    assert notice.payment_id == wanted.payment_id
    attempt = Attempt(wanted.payment_id, wanted.amount, wanted.created_at)
    assert provider.query(attempt).amount == Money(1999)
    deadline = time.monotonic() + 60
    while not server.sandbox.outbox and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [out.tries for out in server.sandbox.outbox] == [1]  # Answered 500: it will come again.
    shop.shutdown()
    shop.server_close()


def test_no_answer_in_time_may_have_been_heard(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = order()
    server.sandbox.steer(wanted.payment_id, silent_after=("create",))
    real = outbound.request
    monkeypatch.setattr(outbound, "request", lambda *a, **k: real(*a, **{**k, "timeout_s": 0.3}))

    assert adapter(server.url).create(wanted).outcome is Outcome.UNKNOWN
    assert wanted.payment_id in server.sandbox.orders
    assert adapter(server.url).create(wanted).outcome is Outcome.PENDING
    assert server.sandbox.orders[wanted.payment_id].creates == 2


def test_failures_say_whether_the_other_side_may_have_heard() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    with pytest.raises(outbound.OutboundFailed):
        outbound.request("GET", f"http://127.0.0.1:{closed}/", headers={})
    with pytest.raises(outbound.OutboundFailed):
        outbound.request("GET", "http://no-such-host.invalid/", headers={})

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(outbound.OutboundTimeout):
            outbound.request("POST", f"http://127.0.0.1:{silent.getsockname()[1]}/", headers={}, body=b"x",
                             timeout_s=0.2)  # fmt: skip
    outbound.forget_pool()


def test_redirects_are_not_followed_and_headers_come_in_lower_case(server: Server) -> None:
    answer = outbound.request("GET", f"{server.url}/state", headers={})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body)["orders"] == []


# --- how much, how long -----------------------------------------------------------------------------------------------


class Speaker(BaseHTTPRequestHandler):
    """Answers what the address says: ``/<status>/<bytes announced>/<bytes sent>/<seconds between two pieces>``."""

    def do_GET(self) -> None:
        status, announced, sent, pause = self.path.strip("/").split("/")
        self.send_response(int(status))
        self.send_header("content-length", announced)
        self.end_headers()
        with contextlib.suppress(OSError):
            for start in range(0, int(sent), 1000):
                self.wfile.write(b"x" * min(1000, int(sent) - start))
                self.wfile.flush()
                time.sleep(float(pause))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def speaker() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()
    outbound.forget_pool()


def fetched(url: str, *, cap: int = 10**6, timeout_s: float = 5.0) -> tuple[int, bytes, bytes]:
    file = io.BytesIO()
    answer = outbound.download("GET", url, headers={}, into=file, cap_bytes=cap, timeout_s=timeout_s)
    return answer.status, answer.body, file.getvalue()


def test_a_file_is_written_as_it_comes_and_an_error_is_not(speaker: str) -> None:
    assert fetched(f"{speaker}/200/300000/300000/0") == (200, b"", b"x" * 300_000)
    assert fetched(f"{speaker}/404/7/7/0") == (404, b"x" * 7, b"")
    assert outbound.request("GET", f"{speaker}/200/5/5/0", headers={}).body == b"x" * 5


def test_too_much_is_said_in_words_and_spoils_no_later_call(speaker: str) -> None:
    with pytest.raises(outbound.OutboundTooLarge):
        fetched(f"{speaker}/200/5000000/5000000/0")
    with pytest.raises(outbound.OutboundTooLarge):
        outbound.request("GET", f"{speaker}/200/5000000/5000000/0", headers={}, timeout_s=5)
    assert fetched(f"{speaker}/200/9/9/0") == (200, b"", b"x" * 9)


def test_a_file_that_is_cut_off_or_trickles_is_no_answer(speaker: str) -> None:
    with pytest.raises(outbound.OutboundTimeout):
        fetched(f"{speaker}/200/9000/5000/0")
    started = time.monotonic()
    with pytest.raises(outbound.OutboundTimeout):
        fetched(f"{speaker}/200/90000/90000/1", timeout_s=0.5)
    with pytest.raises(outbound.OutboundTimeout):
        outbound.request("GET", f"{speaker}/200/90000/90000/1", headers={}, timeout_s=0.5)
    assert time.monotonic() - started < 60  # All of it would take three minutes.
