"""What browsers send of passkeys, checked by ``webauthn``, which the first of them imports (some 200 ms).

Everything here was written by a stranger. The library answers most of what is wrong by errors of its own, and some by
whatever its parsers meet (keys that are missing, points on no curve, nesting without end): all of it is one refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from chalicelib.auth import relying_party
from chalicelib.auth.passkeys.domain import Made, Passkey, PasskeyRefused, PasskeyUnusable, Signed
from chalicelib.auth.relying_party import Party
from chalicelib.kernel import base64url

T = TypeVar("T")
ALGORITHMS: Final = (-7, -8, -257)
"""ES256, EdDSA (Ed25519) and RS256, by their numbers in COSE: what authenticators know; one of these, or none."""
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 4096
LONGEST_ID: Final = 1023
"""WebAuthn, section 5.4.3: a credential's id in bytes."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a passkey said of itself when it was made."""

    public_key: str
    signs: int
    is_eligible: bool
    is_backed_up: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a passkey said when it signed."""

    signs: int
    is_backed_up: bool
    verified: bool
    """Whether its authenticator knew its person again: by a finger, a face or a number."""


class _Wrong(Exception):
    """What the library does not look at, and is wrong."""


def made(made: Made, *, token: str, party: Party) -> NewKey:
    """Return what was made for an open step, once it is sure that it was made for that, here, by a person who is known.

    Raises:
        PasskeyUnusable: if not.
    """
    return _judged(lambda: _made(made, token, party), PasskeyUnusable)


def signed(signed: Signed, passkey: Passkey, *, token: str, party: Party, verifies: bool) -> Answer:
    """Return what a passkey signed for an open step; its counter is for the caller to judge.

    Raises:
        PasskeyRefused: if it did not sign exactly that, or ``verifies`` wants its person known again and it was not.
    """
    return _judged(lambda: _signed(signed, passkey, token, party, verifies=verifies), PasskeyRefused)


def _judged(check: Callable[[], T], refusal: type[Exception]) -> T:
    try:
        return check()
    except MemoryError:
        raise
    except Exception as error:
        raise refusal from error


def _made(made: Made, token: str, party: Party) -> NewKey:
    from webauthn import verify_registration_response
    from webauthn.helpers import parse_attestation_object
    from webauthn.helpers.structs import AttestationFormat

    origin = _origin(made.client_data, party)
    raw = base64url.decode(made.attestation)
    found = parse_attestation_object(raw)
    if found.fmt != AttestationFormat.NONE:  # None was asked for; certificates of makers are not for us to keep.
        raise _Wrong("attested")
    data = found.auth_data.attested_credential_data
    if data is None or base64url.encode(data.credential_id) != made.credential or len(data.credential_id) > LONGEST_ID:
        raise _Wrong("another id")
    verified = verify_registration_response(
        credential=_credential(made.credential, clientDataJSON=made.client_data, attestationObject=made.attestation),
        expected_challenge=base64url.decode(relying_party.challenge_of(token)),
        expected_rp_id=party.domain,
        expected_origin=[origin],
        require_user_verification=True,
        supported_pub_key_algs=_algorithms(),
    )
    _check_key(verified.credential_public_key)
    return NewKey(
        public_key=base64url.encode(verified.credential_public_key),
        signs=verified.sign_count,
        is_eligible=found.auth_data.flags.be,
        is_backed_up=verified.credential_backed_up,
    )


def _signed(signed: Signed, passkey: Passkey, token: str, party: Party, *, verifies: bool) -> Answer:
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authenticator_data

    if signed.credential != passkey.credential:
        raise _Wrong("another id")
    origin = _origin(signed.client_data, party)
    verified = verify_authentication_response(
        credential=_credential(
            signed.credential,
            clientDataJSON=signed.client_data,
            authenticatorData=signed.authenticator_data,
            signature=signed.signature,
        ),
        expected_challenge=base64url.decode(relying_party.challenge_of(token)),
        expected_rp_id=party.domain,
        expected_origin=[origin],
        credential_public_key=base64url.decode(passkey.public_key),
        credential_current_sign_count=0,  # Judged by who asked, so that a copy is told from a wrong signature.
        require_user_verification=verifies,
    )
    flags = parse_authenticator_data(base64url.decode(signed.authenticator_data)).flags
    if flags.be != passkey.is_eligible:
        raise _Wrong("eligible for copies, or not, unlike when it was made")
    return Answer(verified.new_sign_count, verified.credential_backed_up, verified.user_verified)


def _origin(client_data: str, party: Party) -> str:
    """Return of which origin the page is: one of ours, and not framed by another's."""
    from webauthn.helpers import parse_client_data_json

    said = parse_client_data_json(base64url.decode(client_data))
    if not isinstance(said.origin, str) or not party.has(said.origin) or said.cross_origin:
        raise _Wrong("another origin")
    return said.origin


def _credential(credential: str, **response: str) -> dict[str, Any]:
    return {"id": credential, "rawId": credential, "type": "public-key", "response": response}


def _algorithms() -> list[Any]:
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    return [COSEAlgorithmIdentifier(number) for number in ALGORITHMS]


def _check_key(cose: bytes) -> None:
    """Refuse a key that is of another kind than its algorithm, on no curve, or too weak or too long to be one."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    decoded = decode_credential_public_key(cose)
    key = decoded_public_key_to_cryptography(decoded)
    fits = {
        -7: isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1),
        -8: isinstance(key, Ed25519PublicKey),
        -257: isinstance(key, RSAPublicKey) and _is_sound(key),
    }
    if not fits.get(int(decoded.alg), False):
        raise _Wrong("the key does not fit its algorithm")


def _is_sound(key: Any) -> bool:
    return bool(LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS and key.public_numbers().e >= 3)
