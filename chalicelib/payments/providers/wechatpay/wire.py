"""WeChat Pay v3 on the wire: settings, signatures of requests and clients, verification, the sealed resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments.ports import BadSignature, StaleNotice, UnknownKey, UnreadableNotice
from chalicelib.payments.providers._shared import reading, rsa_keys
from chalicelib.runtime import secrets
from chalicelib.runtime.config import config, setting

NAME = "wechatpay"
OFFICIAL_HOSTS = ("https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com")
"""The second is the disaster twin: same paths; the host is not signed."""
SCHEME = "WECHATPAY2-SHA256-RSA2048"
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"
PROBE = "WECHATPAY/SIGNTEST/"
"""WeChat sends such signatures to see whether we verify. The prefix is legal base64 on purpose."""
WINDOW_S = 300
AEAD = "AEAD_AES_256_GCM"
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{1,64}", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]{1,1024}")
"""What a header of a signature may hold: a line break in one would shift the lines of what was signed."""
_APPS = ("native", "jsapi", "mini", "h5", "app")


@dataclass(frozen=True, slots=True)
class Settings:
    """A merchant's configuration, read and checked."""

    mchid: str
    apps: Mapping[str, str]
    """The app id for each method; the official account, the mini program and the app have one each."""
    signing_serial: str
    signing_pem: str = field(repr=False)
    apiv3_keys: tuple[bytes, ...] = field(repr=False)
    """All that may have sealed a notice: while the key is being changed, the old and the new one."""
    platform_keys: Mapping[str, rsa_keys.VerifyKey]
    """By normalised serial: ``PUB_KEY_ID_...`` and platform certificates side by side."""
    sealing_serial: str = ""
    """The id of the public key to seal with and to be answered with, in public-key mode."""
    hosts: tuple[str, ...] = OFFICIAL_HOSTS
    fetches_keys: bool = False
    """Whether WeChat Pay's certificates are fetched by the job, into a secret of their own."""


def settings(configuration: Mapping[str, Any], *, to_call: bool = True) -> Settings:
    """Read a configuration; ``docs/providers/wechatpay.md`` explains it. Who only verifies needs no merchant key.

    Raises:
        Misconfigured: with everything that is missing or wrong, in words.
    """
    reader = reading.Reader(NAME, configuration)
    mchid, appid = reader.text("mchid"), reader.text("appid")
    apps = reader.configuration.get("appids", {})
    if not isinstance(apps, dict) or not all(isinstance(app, str) and app for app in apps.values()):
        reader.problems.append("appids is no object of texts")
        apps = {}
    strangers = [name for name in apps if name not in _APPS]
    if strangers and to_call:
        reader.problems.append(f"appids names {', '.join(strangers)}: the methods are {', '.join(_APPS)}")
    serial, pem = _signing_key(reader) if to_call else ("", "")
    platform_keys, sealing_serial = _platform_keys(reader)
    result = Settings(
        mchid=mchid,
        apps={name: apps.get(name, appid) for name in _APPS},
        signing_serial=serial,
        signing_pem=pem,
        apiv3_keys=_apiv3_keys(reader),
        platform_keys=platform_keys,
        sealing_serial=sealing_serial,
        hosts=_hosts(reader),
        fetches_keys=reader.configuration.get("fetch_platform_certificates") is True,
    )
    reader.refuse_problems()
    return result


def _with_fetched(secret: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration with the certificates that the job has fetched, where it is to fetch any."""
    if secret.get("fetch_platform_certificates") is not True:
        return secret
    try:
        fetched = secrets.secret(f"payments-{NAME}-fetched").get("platform_keys")
    except Misconfigured:  # Nobody has fetched any yet.
        fetched = None
    listed = secret.get("platform_keys")
    if not isinstance(fetched, list) or not isinstance(listed, list):
        return secret
    known = {normalised(str(entry.get("serial", ""))) for entry in listed if isinstance(entry, dict)}
    more = [entry for entry in fetched if normalised(str(entry["serial"])) not in known]
    return {**secret, "platform_keys": [*listed, *more]}


held = reading.Held(NAME, settings, complete=_with_fetched)


def _signing_key(reader: reading.Reader) -> tuple[str, str]:
    """The first of ``merchant_keys`` signs; others may stay listed while the certificate is being changed."""
    first = ("", "")
    for number, entry in enumerate(reader.entries("merchant_keys"), 1):
        serial, pem = str(entry.get("serial", "")), str(entry.get("pem", ""))
        if not _HEX.fullmatch(serial):
            reader.problems.append(f"merchant_keys {number}: serial is not the certificate's hexadecimal serial")
        reader.attempt(f"merchant_keys {number}", lambda pem=pem: rsa_keys.private_key(pem))  # type: ignore[misc]
        first = first if number > 1 else (serial.upper(), pem)
    return first


def _apiv3_keys(reader: reading.Reader) -> tuple[bytes, ...]:
    values = reader.configuration.get("apiv3_keys")
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        reader.problems.append("apiv3_keys is missing or no list of texts")
        return ()
    lengths = (16, 24, 32) if config().is_local else (32,)  # Recorded examples of SDKs use short ones.
    keys = tuple(value.encode("utf-8", "replace") for value in values)
    for number, key in enumerate(keys, 1):
        if len(key) not in lengths:
            reader.problems.append(f"apiv3_keys {number} has {len(key)} bytes, not 32")
    return keys


def _platform_keys(reader: reading.Reader) -> tuple[dict[str, rsa_keys.VerifyKey], str]:
    found: dict[str, rsa_keys.VerifyKey] = {}
    sealing = ""
    for number, entry in enumerate(reader.entries("platform_keys"), 1):
        what = f"platform_keys {number}"
        serial, pem = str(entry.get("serial", "")).strip(), str(entry.get("pem", ""))
        key = reader.attempt(what, lambda pem=pem: rsa_keys.verify_key(pem))  # type: ignore[misc]
        if key is None:
            continue
        if key.serial:
            if serial and normalised(serial) != key.serial:
                reader.problems.append(f"{what}: serial is not the certificate's ({key.serial})")
            serial = key.serial
        elif not serial.startswith(PUBLIC_KEY_PREFIX):
            reader.problems.append(f"{what}: a public key needs its id, {PUBLIC_KEY_PREFIX}...")
        else:
            sealing = sealing or serial
        if normalised(serial) in found:
            reader.problems.append(f"{what}: serial is listed twice")
        found[normalised(serial)] = key
    return found, sealing


def _hosts(reader: reading.Reader) -> tuple[str, ...]:
    told = setting("BIANDAN_WECHATPAY_URL") or reader.text("url", "")
    return (reader.url(told, official=OFFICIAL_HOSTS),) if told else OFFICIAL_HOSTS


def normalised(serial: str) -> str:
    """Return a serial as we compare it: hexadecimal upper-case without leading zeros, a public key's id as it is."""
    return serial.upper().lstrip("0") if _HEX.fullmatch(serial) else serial


def nonce() -> str:
    """Return a fresh nonce of 32 hexadecimal characters."""
    return ids.random_bytes(16).hex().upper()


def request_message(method: str, path_with_query: str, timestamp: str, nonce_str: str, body: bytes) -> bytes:
    """Return what a request's signature covers: path and query exactly as transmitted, body bytes as transmitted."""
    return f"{method}\n{path_with_query}\n{timestamp}\n{nonce_str}\n".encode() + body + b"\n"


def authorization(
    settings: Settings, method: str, path_with_query: str, body: bytes, *, timestamp: str = "", nonce_str: str = ""
) -> str:
    """Return the ``Authorization`` header of a request, signed now: every retry needs a new one."""
    timestamp = timestamp or str(clock.epoch_s(clock.now()))
    nonce_str = nonce_str or nonce()
    signature = rsa_keys.sign(
        settings.signing_pem, request_message(method, path_with_query, timestamp, nonce_str, body)
    )
    return (
        f'{SCHEME} mchid="{settings.mchid}",nonce_str="{nonce_str}",signature="{signature}",'
        f'timestamp="{timestamp}",serial_no="{settings.signing_serial}"'
    )


def pay_sign(pem: str, appid: str, timestamp: str, nonce_str: str, last: str) -> str:
    """Return the signature with which a client opens the cashier; ``last`` is ``prepay_id=...``, or bare for apps."""
    return rsa_keys.sign(pem, f"{appid}\n{timestamp}\n{nonce_str}\n{last}\n".encode())


def authenticate(settings: Settings, headers: Mapping[str, str], body: bytes) -> None:
    """Check that WeChat signed this, reply or notice, within the window. ``headers`` are keyed in lower case.

    Raises:
        BadSignature: for a missing, malformed, wrong or probing signature.
        UnknownKey: for a key that is not configured or not valid now. Nothing is fetched.
        StaleNotice: if it is genuine, but its time is more than 300 s away, in either direction.
    """
    timestamp, nonce_str, signature, serial = (
        _header(headers, f"wechatpay-{name}") for name in ("timestamp", "nonce", "signature", "serial")
    )
    if headers.get("wechatpay-signature-type", SCHEME) != SCHEME:
        raise BadSignature(why="unsupported signature type")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadSignature(why="malformed timestamp")
    if signature.startswith(PROBE):  # Before anything about its key: a probe is to be refused, and worries nobody.
        raise BadSignature(why="a probe of WeChat Pay")
    key = settings.platform_keys.get(normalised(serial))
    if key is None:
        raise UnknownKey(why="signed with a key that is not configured")
    raw = rsa_keys.unbase64(signature)
    if raw is None or not key.verify(f"{timestamp}\n{nonce_str}\n".encode() + body + b"\n", raw):
        raise BadSignature(why="wrong signature")
    if not key.is_valid(clock.now()):
        raise UnknownKey(why="the key is not valid now")
    if abs(clock.now().timestamp() - int(timestamp)) > WINDOW_S:
        raise StaleNotice(why="its time is outside the window")


def may_be_genuine(settings: Settings, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether a notice under a key that we do not hold may be WeChat Pay's: timely, and sealed with our APIv3 key.

    That key only WeChat Pay and we know. Whoever repeats an old notice under an invented serial is out of time.
    """
    if abs(clock.now().timestamp() - int(_header(headers, "wechatpay-timestamp"))) > WINDOW_S:
        return False
    try:
        open_resource(settings.apiv3_keys, reading.strict_json(body.decode())["resource"])
    except (ValueError, KeyError, TypeError, UnreadableNotice):
        return False
    return True


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise BadSignature(why=f"missing or malformed {name}")
    return value


def open_resource(keys: tuple[bytes, ...], resource: object) -> bytes:
    """Decrypt a ``resource`` (or ``encrypt_certificate``) object with the first key that opens it.

    Raises:
        UnreadableNotice: if it is not of the documented form, or none of the keys opens it.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not isinstance(resource, dict) or resource.get("algorithm") != AEAD:
        raise UnreadableNotice(why="unknown sealing algorithm")
    nonce_str, sealed = resource.get("nonce"), resource.get("ciphertext")
    associated = resource.get("associated_data") or ""
    if not isinstance(nonce_str, str) or not isinstance(sealed, str) or not isinstance(associated, str):
        raise UnreadableNotice(why="malformed resource")
    try:
        iv, covered = nonce_str.encode(), associated.encode()
    except UnicodeError as error:
        raise UnreadableNotice(why="malformed resource") from error
    ciphertext = rsa_keys.unbase64(sealed)
    if len(iv) != 12 or ciphertext is None or len(ciphertext) < 16:
        raise UnreadableNotice(why="malformed resource")
    for key in keys:
        try:
            return AESGCM(key).decrypt(iv, ciphertext, covered or None)
        except (InvalidTag, ValueError):
            continue
    raise UnreadableNotice(why="none of the APIv3 keys opens it")


def seal(settings: Settings, text: str) -> tuple[str, str]:
    """Encrypt a sensitive field (RSA-OAEP, SHA-1 as WeChat prescribes); return it and the serial to name.

    Raises:
        Misconfigured: if no platform key is valid now.
    """
    import base64

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    now = clock.now()
    serial = settings.sealing_serial or next((s for s, k in settings.platform_keys.items() if k.is_valid(now)), "")
    if not serial:
        raise Misconfigured(why="payments-wechatpay: no platform key is valid now")
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
    sealed = settings.platform_keys[normalised(serial)].key.encrypt(text.encode(), oaep)
    return base64.b64encode(sealed).decode(), serial


def platform_certificates(apiv3_keys: tuple[bytes, ...], body: bytes) -> dict[str, str]:
    """Open the answer of ``GET /v3/certificates``: PEM by serial, for the configuration. Never called in a webhook.

    Raises:
        UnreadableNotice: if it cannot be read or opened, or a serial is not its certificate's.
    """
    try:
        entries = reading.strict_json(body.decode())["data"]
        found: dict[str, str] = {}
        for entry in entries:
            pem = open_resource(apiv3_keys, entry["encrypt_certificate"]).decode()
            serial = normalised(entry["serial_no"])
            if rsa_keys.verify_key(pem).serial != serial:
                raise UnreadableNotice(why="a serial is not its certificate's")
            found[serial] = pem
    except (ValueError, KeyError, TypeError, AttributeError, Misconfigured) as error:
        raise UnreadableNotice(why="malformed certificates") from error
    return found


def with_platform_keys(settings: Settings, certificates: Mapping[str, str]) -> Settings:
    """Return the settings with further platform certificates, PEM by serial."""
    found = {serial: rsa_keys.verify_key(pem) for serial, pem in certificates.items()}
    return replace(settings, platform_keys={**settings.platform_keys, **found})
