from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.runtime import outbound
from chalicelib.runtime.outbound import ClientCertificate, OutboundFailed, OutboundTimeout

Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def issue(name: str, issuer: Issued | None = None) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signer = issuer[1] if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=issuer is None,
                crl_sign=issuer is None,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    return builder.sign(signer, hashes.SHA256()), key


def pem(issued: Issued) -> ClientCertificate:
    certificate, key = issued
    return ClientCertificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


@pytest.fixture
def demanding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Issued]]:
    """An HTTPS host that demands a client certificate of its own authority and answers with its name."""
    authority = issue("authority")
    server = pem(issue("server", authority))
    (tmp_path / "ca.pem").write_text(pem(authority).certificate)
    (tmp_path / "server.pem").write_text(server.certificate + server.private_key)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            shown: Any = self.connection.getpeercert()
            name = dict(pair for part in shown["subject"] for pair in part)["commonName"]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    host = HTTPServer(("127.0.0.1", 0), Handler)
    host.handle_error = lambda *_: None  # type: ignore[method-assign]
    host.socket = context.wrap_socket(host.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=host.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{host.server_port}/refund", authority
    finally:
        outbound.forget_pool()
        host.shutdown()
        thread.join()
        host.server_close()


def test_a_client_certificate_is_shown(demanding: tuple[str, Issued]) -> None:
    url, authority = demanding
    ours = pem(issue("our shop", authority))
    answer = outbound.request("POST", url, headers={}, body=b"x", client_certificate=ours)
    assert (answer.status, answer.body) == (200, b"our shop")


def test_without_one_the_host_refuses(demanding: tuple[str, Issued]) -> None:
    with pytest.raises((OutboundTimeout, OutboundFailed)):
        outbound.request("POST", demanding[0], headers={}, body=b"x")


@pytest.mark.parametrize("broken", ["", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_an_unusable_certificate_never_reaches_the_host(broken: str) -> None:
    with pytest.raises(OutboundFailed):
        outbound.request("POST", "https://127.0.0.1:9/", headers={}, client_certificate=ClientCertificate(broken, "x"))


def test_a_certificate_and_another_ones_key_are_refused() -> None:
    one, other = pem(issue("one")), pem(issue("other"))
    with pytest.raises(OutboundFailed):
        outbound.request(
            "POST",
            "https://127.0.0.1:9/",
            headers={},
            client_certificate=ClientCertificate(one.certificate, other.private_key),
        )


def test_the_key_is_not_in_the_representation() -> None:
    assert "secret-key" not in repr(ClientCertificate("certificate", "secret-key"))
