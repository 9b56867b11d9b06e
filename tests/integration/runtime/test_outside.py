"""Calls to addresses that somebody else named, over real sockets and TLS: who is called, and who is not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.runtime import config, outside

HOST = "hooks.example.com"


class Receiver(BaseHTTPRequestHandler):
    """Answers by path, and keeps what it was sent."""

    seen: ClassVar[list[tuple[str, str, bytes]]] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.headers["host"], self.path, body))
        status = {"/moved": 302, "/busy": 429}.get(self.path, 200)
        if self.path == "/slow":
            sleep(1)
        length = 10_000_000 if self.path == "/endless" else 2
        self.send_response(status)
        self.send_header("location", f"https://{HOST}/elsewhere")
        self.send_header("retry-after", "7")
        self.send_header("content-length", str(length))
        self.end_headers()
        try:
            self.wfile.write(b"ok" if length == 2 else b"x" * 100_000)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def _certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context for the host, and a client's that trusts who signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
    return server, client


class Outside:
    """A receiver behind TLS, and a lookup that says where it is."""

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        self.port, self.tls = port, tls
        self.addresses = ["127.0.0.1"]
        self.lookups: list[tuple[str, int]] = []

    def lookup(self, host: str, port: int) -> Sequence[str]:
        self.lookups.append((host, port))
        return self.addresses

    def post(self, path: str, *, host: str = HOST, timeout_s: float = 5) -> outside.Answer:
        return outside.post(
            f"https://{host}:{self.port}{path}",
            headers={"content-type": "application/json"},
            body=b"{}",
            timeout_s=timeout_s,
            lookup=self.lookup,
            tls=self.tls,
        )


@contextmanager
def served(tls: ssl.SSLContext) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, ssl.SSLContext]]:
    server, client = _certified(tmp_path_factory.mktemp("tls"))
    with served(server) as port:
        yield port, client


@pytest.fixture
def world(receiver: tuple[int, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> Outside:
    """Let 127.0.0.1 stand for a public address: there is no other here."""
    public = outside.is_public
    monkeypatch.setattr(outside, "is_public", lambda text: text == "127.0.0.1" or public(text))
    Receiver.seen.clear()
    return Outside(*receiver)


def test_the_address_that_was_looked_up_is_called_under_the_hosts_name(world: Outside) -> None:
    answer = world.post("/hooks?shop=1")
    assert (answer.status, answer.headers["retry-after"]) == (200, "7")
    assert Receiver.seen == [(f"{HOST}:{world.port}", "/hooks?shop=1", b"{}")]
    assert world.lookups == [(HOST, world.port)]


def test_a_certificate_of_another_host_is_nobodys(world: Outside) -> None:
    with pytest.raises(outside.Unreachable):
        world.post("/", host="other.example.com")
    assert Receiver.seen == []


def test_a_redirect_is_an_answer_and_is_not_followed(world: Outside) -> None:
    assert world.post("/moved").status == 302
    assert [path for _, path, _ in Receiver.seen] == ["/moved"]


def test_what_does_not_answer_in_time_may_have_heard_it(world: Outside) -> None:
    began = monotonic()
    with pytest.raises(outside.Unanswered):
        world.post("/slow", timeout_s=0.3)
    assert monotonic() - began < 1


def test_of_an_endless_answer_a_part_is_read(world: Outside) -> None:
    began = monotonic()
    assert world.post("/endless", timeout_s=5).status == 200
    assert monotonic() - began < 2


def test_a_host_that_is_ours_a_neighbours_or_nobodys_is_not_called(world: Outside) -> None:
    world.addresses = ["10.0.0.7", "169.254.169.254", "::1", "fd00:ec2::254"]
    with pytest.raises(outside.NotPublic):
        world.post("/")
    world.addresses = ["10.0.0.7", "127.0.0.1"]
    assert world.post("/").status == 200
    assert len(Receiver.seen) == 1


def test_no_such_host_and_nobody_there_are_unreachable(world: Outside) -> None:
    def nowhere(_: str, __: int) -> Sequence[str]:
        raise socket.gaierror

    world.lookup = nowhere  # type: ignore[method-assign,assignment]
    with pytest.raises(outside.Unreachable):
        world.post("/")
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    with pytest.raises(outside.Unreachable):
        outside.post(
            f"https://{HOST}:{closed}/", headers={}, body=b"", timeout_s=2, lookup=lambda *_: ["127.0.0.1"], tls=None
        )


def test_without_tls_only_a_laptop_calls_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "config", lambda: config.Config("prod", "prod", "x", "https://x", "", "", "", 4))
    for url in ("http://127.0.0.1:1/", "http://hooks.example.com/"):
        with pytest.raises(outside.NotPublic):
            outside.post(url, headers={}, body=b"", timeout_s=1, lookup=lambda *_: ["93.184.216.34"])


def test_on_a_laptop_its_own_receiver_is_called_without_tls(world: Outside) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/busy"
        assert outside.post(url, headers={}, body=b"{}", timeout_s=2).status == 429
        with pytest.raises(outside.NotPublic):
            outside.post("http://10.0.0.7/", headers={}, body=b"{}", timeout_s=1)
    finally:
        server.shutdown()
        server.server_close()
