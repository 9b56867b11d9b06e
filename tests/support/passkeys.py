"""An authenticator in software (WebAuthn, CTAP2), which shares no code with what checks it but CBOR's own.

Every field of what it makes and signs can be another one, so that tests can be anybody's authenticator and browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.support.http import Answer, call

ORIGIN, DOMAIN = "http://localhost:5173", "localhost"
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED = 1, 4, 8, 16, 64, 128
AS_EVER = PRESENT | VERIFIED
Json = dict[str, Any]


def text(raw: bytes) -> str:
    """Return bytes as browsers' JSON writes them."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def client_data(kind: str, challenge: Any, origin: str, **more: Any) -> bytes:
    """Return what a browser has signed."""
    said = {"type": f"webauthn.{kind}", "challenge": challenge, "origin": origin, "crossOrigin": False, **more}
    return json.dumps(said).encode()


@dataclass
class Authenticator:
    """One passkey: made once, and used for what it was made for, and for whatever else a test likes."""

    kind: str = "ES256"
    credential: bytes = field(default_factory=lambda: uuid4().bytes + uuid4().bytes)
    signs: int = 0
    counts: bool = True
    """Whether it counts what it signs."""
    flags: int = AS_EVER
    user: str = ""
    key: Any = None

    def __post_init__(self) -> None:
        if self.key is None:
            self.key = {
                "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
                "EdDSA": ed25519.Ed25519PrivateKey.generate,
                "RS256": lambda: rsa.generate_private_key(65537, 2048),
            }[self.kind]()

    def public(self) -> Json:
        """Return its public key as COSE writes it."""
        public = self.key.public_key()
        if self.kind == "ES256":
            at = public.public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: at.x.to_bytes(32), -3: at.y.to_bytes(32)}  # type: ignore[dict-item]
        if self.kind == "EdDSA":
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}  # type: ignore[dict-item]
        numbers = public.public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
        return {1: 3, 3: -257, -1: modulus, -2: numbers.e.to_bytes(3)}  # type: ignore[dict-item]

    def sign(self, message: bytes) -> bytes:
        """Sign something."""
        if self.kind == "ES256":
            return bytes(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        if self.kind == "EdDSA":
            return bytes(self.key.sign(message))
        return bytes(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256()))

    def make(self, options: Json, *, origin: str = ORIGIN, domain: str = "", **other: Any) -> Json:
        """Return what ``navigator.credentials.create`` gives for these options; ``other`` replaces parts of it."""
        self.user = options["user"]["id"]
        self.signs += self.counts
        said = other.get("client") or client_data("create", other.get("challenge", options["challenge"]), origin)
        key = other.get("key", cbor2.dumps(other.get("cose") or self.public(), canonical=True))
        attested = bytes(16) + len(self.credential).to_bytes(2) + self.credential + key
        flags = other.get("flags", self.flags | ATTESTED)
        data = self._head(domain or options["rp"]["id"], flags) + (attested if flags & ATTESTED else b"")
        whole = {"fmt": "none", "attStmt": {}, "authData": data + other.get("tail", b""), **other.get("object", {})}
        return {
            "id": text(other.get("id", self.credential)),
            "client_data": text(said),
            "attestation": text(other.get("attestation") or cbor2.dumps(whole)),
            "transports": ["internal", "hybrid"],
        }

    def answer(self, options: Json, *, origin: str = ORIGIN, domain: str = "", **other: Any) -> Json:
        """Return what ``navigator.credentials.get`` gives for these options; ``other`` replaces parts of it."""
        self.signs = other.get("signs", self.signs + self.counts)
        kind = other.get("kind", "get")
        said = other.get("client") or client_data(kind, other.get("challenge", options["challenge"]), origin)
        data = self._head(domain or options["rpId"], other.get("flags", self.flags)) + other.get("tail", b"")
        signature = other.get("signature") or self.sign(data + hashlib.sha256(said).digest())
        return {
            "id": text(other.get("id", self.credential)),
            "client_data": text(said),
            "authenticator_data": text(data),
            "signature": text(signature),
            "user_handle": other.get("user", self.user),
        }

    def _head(self, domain: str, flags: int) -> bytes:
        return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + self.signs.to_bytes(4)


def add(token: str, authenticator: Authenticator, *, name: str = "Laptop", **other: Any) -> Answer:
    """Add a passkey over HTTP; ``other`` as :meth:`Authenticator.make` takes it."""
    begun = call("POST", "/v1/me/passkeys/begin", token=token)
    assert begun.status == 200, begun.body
    made = authenticator.make(begun.json["public_key"], **other)
    body = {"challenge": begun.json["challenge"], "credential": made, "name": name}
    return call("POST", "/v1/me/passkeys", body, token=token)


def added(token: str, *, kind: str = "ES256", name: str = "Laptop", **more: Any) -> Authenticator:
    """Return a passkey that an account has."""
    authenticator = Authenticator(kind, **more)
    answer = add(token, authenticator, name=name)
    assert answer.status == 201, answer.body
    return authenticator


def begin() -> Json:
    """Begin to sign in."""
    begun = call("POST", "/v1/auth/sign-in/passkey/begin")
    assert begun.status == 200, begun.body
    return dict(begun.json)


def sign_in(authenticator: Authenticator, **other: Any) -> Answer:
    """Sign in over HTTP; ``other`` as :meth:`Authenticator.answer` takes it."""
    begun = begin()
    credential = authenticator.answer(begun["public_key"], **other)
    return call("POST", "/v1/auth/sign-in/passkey", {"challenge": begun["challenge"], "credential": credential})


def prove(token: str, authenticator: Authenticator, **other: Any) -> Answer:
    """Prove once more who one is."""
    begun = call("POST", "/v1/auth/prove/passkey/begin", token=token)
    assert begun.status == 200, begun.body
    credential = authenticator.answer(begun.json["public_key"], **other)
    body = {"challenge": begun.json["challenge"], "credential": credential}
    return call("POST", "/v1/auth/prove/passkey", body, token=token)
