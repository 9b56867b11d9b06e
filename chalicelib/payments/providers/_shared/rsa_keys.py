"""RSA keys and certificates of the providers that sign with SHA-256 and PKCS#1 v1.5: read once, kept for the process.

``cryptography`` is imported on first use. Every function that handles a stranger's input answers, it does not raise.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import caches

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.x509 import Certificate

RSA_SIGNATURE_OIDS = "1.2.840.113549.1.1."
"""Object identifiers of RSA signature algorithms begin so; root bundles also hold SM2 certificates."""
_BEGIN, _END = "-----BEGIN", "-----END"
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key to verify with; one from a certificate is good only between two moments."""

    key: RSAPublicKey
    serial: str = ""
    """Of its certificate: upper-case hex without leading zeros."""
    sn: str = ""
    """Alipay's number of its certificate."""
    not_before: datetime | None = None
    not_after: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Say whether the key may be used now."""
        return (self.not_before is None or self.not_before <= now) and (self.not_after is None or now <= self.not_after)

    def is_of(self, pem: str) -> bool:
        """Say whether it is the public half of a private key: ours, pasted where the provider's belongs.

        Raises:
            Misconfigured: if the private key cannot be read.
        """
        return self.key.public_numbers() == private_key(pem).public_key().public_numbers()

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether the signature is this key's over the message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        try:
            self.key.verify(signature, message, PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def sign(pem: str, message: bytes) -> str:
    """Return the base64 signature of the message, without line breaks.

    Raises:
        Misconfigured: if the key cannot be read.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    return base64.b64encode(private_key(pem).sign(message, PKCS1v15(), hashes.SHA256())).decode()


def unbase64(text: str) -> bytes | None:
    """Return the bytes of base64 in its one canonical spelling, or ``None``: no bit of a signature may be changed."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeError, binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


@lru_cache(maxsize=32)
def private_key(text: str) -> RSAPrivateKey:
    """Read a private key: PEM (PKCS#1 or PKCS#8), or the bare base64 that a provider's console shows.

    Raises:
        Misconfigured: if it is none, or not RSA of 2048 bits or more.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        if _BEGIN in text:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        else:
            key = serialization.load_der_private_key(_bare(text), password=None)
    except Exception as error:
        raise Misconfigured(why="a private key cannot be read") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
        raise Misconfigured(why="a private key is not RSA of at least 2048 bits")
    return key


@lru_cache(maxsize=64)
def verify_key(text: str) -> VerifyKey:
    """Read a public key (PEM or bare base64) or a certificate.

    Raises:
        Misconfigured: if it is neither, or not RSA of 2048 bits or more.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if "CERTIFICATE" in text:
        return _from_certificate(text)
    try:
        if _BEGIN in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            key = serialization.load_der_public_key(_bare(text))
    except Exception as error:
        raise Misconfigured(why="a public key cannot be read") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise Misconfigured(why="a public key is not RSA of at least 2048 bits")
    return VerifyKey(key)


def _from_certificate(text: str) -> VerifyKey:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
        key = certificate.public_key()
    except Exception as error:
        raise Misconfigured(why="a certificate cannot be read") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise Misconfigured(why="a certificate holds no RSA key of at least 2048 bits")
    return VerifyKey(
        key,
        serial=format(certificate.serial_number, "X"),
        sn=certificate_sn(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


@lru_cache(maxsize=8)
def root_sn(bundle: str) -> str:
    """Return Alipay's number of a root bundle: that of each RSA-signed certificate in it, joined by ``_``.

    Raises:
        Misconfigured: if there is none.
    """
    from cryptography import x509

    numbers: list[str] = []
    for block in pem_blocks(bundle):
        try:
            certificate = x509.load_pem_x509_certificate(block.encode())
            rsa = certificate.signature_algorithm_oid.dotted_string.startswith(RSA_SIGNATURE_OIDS)
        except ValueError:
            continue  # Not even readable (SM2 with odd parameters): certainly not RSA.
        if rsa:
            numbers.append(certificate_sn(certificate))
    if not numbers:
        raise Misconfigured(why="the root certificates hold none signed with RSA")
    return "_".join(numbers)


def certificate_sn(certificate: Certificate) -> str:
    """Return Alipay's number of a certificate: MD5 of the issuer, most specific name first, and the decimal serial."""
    issuer = ",".join(
        f"{_SHORT_NAMES.get(part.oid.dotted_string, part.oid.dotted_string)}={part.value!s}"
        for part in reversed(list(certificate.issuer))
    )
    return hashlib.md5(f"{issuer}{certificate.serial_number}".encode(), usedforsecurity=False).hexdigest()


def pem_blocks(text: str) -> list[str]:
    """Split a bundle into its PEM blocks."""
    blocks: list[str] = []
    for part in text.split(_BEGIN)[1:]:
        body, end, rest = part.partition(_END)
        if end:
            blocks.append(f"{_BEGIN}{body}{end}{rest.splitlines()[0]}\n")
    return blocks


def _bare(text: str) -> bytes:
    return base64.b64decode("".join(text.split()), validate=True)


@caches.register
def forget() -> None:
    """Drop what was read: after a rotation, or between tests."""
    private_key.cache_clear()
    verify_key.cache_clear()
    root_sn.cache_clear()
