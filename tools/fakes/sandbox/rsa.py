"""RSA keys and certificates of the stand-ins, the same for the same seed: a run replays, and two processes agree.

For stand-ins only: whoever knows the seed knows the key.
"""

from __future__ import annotations

import base64
import random
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_SMALL = [n for n in range(3, 8000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]
_EXPONENT = 65537
_ROUNDS = 6
_KNOWN = {
    "alipay app 1": (446, 992),
    "alipay platform 1": (8, 422),
    "alipay root 1": (724, 242),
    "alipay root 2": (1072, 1492),
    "qqwallet merchant 1": (3624, 12),
    "wechatpay merchant 1": (892, 200),
    "wechatpay platform 1": (194, 534),
    "wechatpay public 1": (578, 346),
}
"""How far from where the search for them begins the primes of usual seeds lie: it costs a quarter of a second each."""


@lru_cache(maxsize=32)
def private_key(seed: str) -> RSAPrivateKey:
    """Return the 2048-bit key of this seed."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    chance = random.Random(f"stand-in key {seed}")  # noqa: S311
    known = _KNOWN.get(seed)
    p, q = (_prime_at(chance, step) for step in known) if known else (_prime(chance), _prime(chance))
    n, d = p * q, pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, n)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def _prime(chance: random.Random) -> int:
    while True:
        start = chance.getrandbits(1024) | (3 << 1022) | 1
        remainders = [start % small for small in _SMALL]
        for step in range(0, 4096, 2):
            if any((rest + step) % small == 0 for rest, small in zip(remainders, _SMALL, strict=True)):
                continue
            candidate = start + step
            if pow(2, candidate - 1, candidate) == 1 and candidate % _EXPONENT != 1 and _is_prime(candidate, chance):
                return candidate


def _prime_at(chance: random.Random, step: int) -> int:
    """Return what :func:`_prime` finds there, and leave ``chance`` as it does. OpenSSL refuses what is no prime."""
    found = (chance.getrandbits(1024) | (3 << 1022) | 1) + step
    for _ in range(_ROUNDS):
        chance.randrange(2, found - 1)
    return found


def _is_prime(candidate: int, chance: random.Random) -> bool:
    odd, twos = candidate - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    for _ in range(_ROUNDS):
        x = pow(chance.randrange(2, candidate - 1), odd, candidate)
        if x in (1, candidate - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % candidate
            if x == candidate - 1:
                break
        else:
            return False
    return True


def private_pem(seed: str) -> str:
    """Return the private key as PKCS#8 PEM."""
    from cryptography.hazmat.primitives import serialization as s

    return private_key(seed).private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode()


def public_pem(seed: str) -> str:
    """Return the public key as PEM."""
    from cryptography.hazmat.primitives import serialization as s

    return private_key(seed).public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()


@lru_cache(maxsize=32)
def certificate_pem(seed: str, not_before: datetime, days: int = 1825, serial: int = 0) -> str:
    """Return a certificate of the seed's key, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.x509.oid import NameOID

    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Biandan stand-in"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Sandbox"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"stand-in {seed}"),
        ]
    )
    key = private_key(seed)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial or random.Random(f"serial {seed}").getrandbits(150) | 1)  # noqa: S311
        .not_valid_before(not_before)
        .not_valid_after(not_before + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(s.Encoding.PEM).decode()


def certificate_serial(pem: str) -> str:
    """Return the certificate's serial, upper-case hex."""
    from cryptography import x509

    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:X}"


def sign(seed: str, message: bytes) -> str:
    """Return the base64 of the RSA-SHA256 signature."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    return base64.b64encode(private_key(seed).sign(message, PKCS1v15(), hashes.SHA256())).decode()


def verifies(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    """Say whether the base64 signature is the key's over the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    try:
        key.verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
