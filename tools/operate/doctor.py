"""``python -m tools.operate.doctor [provider...]``: says in words what is wrong in the payment providers' set-up.

It reads settings and secrets of this stage (or a secret from a file, before it is uploaded), calls no provider, and
never prints a secret. It ends with one line of JSON; the exit code is 1 if anything is wrong. Without names it looks at
our own keys and at every provider, and one that is not set up at all is only mentioned; a provider that is named must
be complete.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments import providers
from chalicelib.payments.ports import Advice
from chalicelib.runtime import aws, names, strength
from chalicelib.runtime.config import config, setting
from tools.shared import place

NOTIFY_URL_CAP = 255
"""The least of what the providers allow."""
SOON = timedelta(days=30)
LIVE_STAGE = "prod"
STAND_IN_STAGES = ("local", "dev")
_DEFAULTS = {"", "default", "secret", "changeme", "change-me", "password", "test", "todo", "xxx"}


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know, in both languages. Never holds a secret's value."""

    provider: str
    level: Level
    en: str
    zh: str


Tell = Callable[[Level, str, str], None]
Secret = Mapping[str, Any]


def names_of_all() -> list[str]:
    """Return the providers there are, by the names of their folders."""
    return providers.names()


def examine(provider: str, *, named: bool, secret: Secret | None = None) -> list[Finding]:
    """Look at one provider; ``secret`` replaces what Secrets Manager holds."""
    findings: list[Finding] = []

    def tell(level: Level, en: str, zh: str) -> None:
        findings.append(Finding(provider, level, en, zh))

    if provider not in names_of_all():
        tell(Level.ERROR, "there is no such provider here", "没有这个支付服务商")
        return findings
    adapter = providers.adapter(provider).build()
    if not adapter.enabled:
        variable = f"BIANDAN_{provider.upper()}"
        tell(Level.NOTE, f"it is off; {variable}=on turns it on", f"未启用；设置 {variable}=on 以启用")
        if not named:
            return findings
    if adapter.for_tests_only and config().stage not in STAND_IN_STAGES:
        tell(Level.NOTE, "it is for the stages local and dev only", "仅用于 local 和 dev 阶段")
        return findings
    _webhook(provider, tell)
    held = secret if secret is not None else _held(provider, tell, required=named)
    if held is not None:
        _texts(held, tell)
        _strength(provider, held, tell)
        _pems(held, tell)
        _CHECKS.get(provider, _by_the_adapter)(provider, held, tell)
    return findings


# --- what all providers share -----------------------------------------------------------------------------------------


def _held(provider: str, tell: Tell, *, required: bool, secret_name: str = "") -> Secret | None:
    """Return the secret as Secrets Manager holds it, without the refusals of ``runtime.secrets``."""
    name = names.secret_name(secret_name or f"payments-{provider}")
    level = Level.ERROR if required else Level.NOTE
    try:
        text = aws.call("secretsmanager", "GetSecretValue", {"SecretId": name})["SecretString"]
    except Exception as error:
        if aws.error_code(error) == "ResourceNotFoundException":
            tell(level, f"not set up: the secret {name} does not exist", f"未配置：密钥 {name} 不存在")
        else:
            kind = type(error).__name__
            tell(Level.ERROR, f"the secret {name} cannot be read ({kind})", f"无法读取密钥 {name}（{kind}）")
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        tell(Level.ERROR, f"the secret {name} is not a JSON object", f"密钥 {name} 不是 JSON 对象")
        return None
    return value


def _webhook(provider: str, tell: Tell) -> None:
    url = f"{config().public_url}/v1/webhooks/payments/{provider}"
    parts = urlsplit(url)
    local = config().is_local
    if parts.scheme != "https" and not local:
        tell(Level.ERROR, f"the webhook address {url} is not https", f"回调地址 {url} 不是 https")
    if len(url) > NOTIFY_URL_CAP:
        tell(
            Level.ERROR,
            f"the webhook address has {len(url)} characters, at most {NOTIFY_URL_CAP} are taken",
            f"回调地址有 {len(url)} 个字符，最多 {NOTIFY_URL_CAP} 个",
        )
    if parts.query or parts.fragment or "?" in url or "#" in url:
        tell(Level.ERROR, "the webhook address has a query or a fragment", "回调地址不能带查询参数或片段")
    if not local and (parts.hostname or "").split(".")[0] in ("localhost", "127", "10", "192"):
        tell(Level.ERROR, f"nobody outside reaches {url}", f"外网无法访问 {url}")


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a secret with the way to it (``keys[0]``)."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{number}]")


def _strength(provider: str, secret: Secret, tell: Tell) -> None:
    """Say what a real stage refuses; the others may use stand-ins."""
    if config().stage in STAND_IN_STAGES:
        return
    for path, why in strength.weaknesses(f"payments-{provider}", secret):
        tell(Level.ERROR, f"{path} {why}", f"{path} 不安全，正式环境会拒绝")


def examine_ours() -> list[Finding]:
    """Look at the secrets that are ours alone: a real stage does not start without them, or with weak ones."""
    findings: list[Finding] = []
    for name in strength.OURS:

        def tell(level: Level, en: str, zh: str, name: str = name) -> None:
            findings.append(Finding(name, level, en, zh))

        held = _held(name, tell, required=True, secret_name=name)
        if held is None or config().is_local:
            continue
        for path, why in strength.weaknesses(name, held):
            tell(Level.ERROR, f"{path} {why}", f"{path} 不安全，正式环境会拒绝")
    return findings


def _texts(secret: Secret, tell: Tell) -> None:
    for path, text in _walk(secret):
        if not text and not config().is_local:
            tell(Level.ERROR, f"{path} is empty: fill it or leave it out", f"{path} 为空：请填写或删除")
        elif text.startswith("local-") or "_local0" in text:
            if not config().is_local:
                tell(Level.ERROR, f"{path} is the default of a laptop", f"{path} 是本机默认值")
        elif text.strip().lower() in _DEFAULTS and text:
            tell(Level.ERROR, f"{path} is a placeholder", f"{path} 是占位内容")
        if text != text.strip() and "-----BEGIN" not in text:
            tell(Level.ERROR, f"{path} begins or ends with white space", f"{path} 首尾有空白字符")


def _pems(secret: Secret, tell: Tell) -> None:
    """Read every PEM text; ``x_certificate`` and ``x_private_key`` side by side must belong together."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    pairs: dict[str, dict[str, Any]] = {}
    for path, text in _walk(secret):
        if "-----BEGIN" not in text or "root" in path:  # Bundles of roots hold algorithms that we need not know.
            continue
        stem = re.sub(r"(private_key|certificate|\bpem)$", "*", path)
        data = text.encode()
        try:
            if "PRIVATE KEY" in text:
                key = serialization.load_pem_private_key(data, password=None)
                pairs.setdefault(stem, {})["key"] = (path, key.public_key())
            elif "CERTIFICATE" in text:
                certificate = x509.load_pem_x509_certificate(data)
                _validity(path, certificate, tell)
                pairs.setdefault(stem, {})["certificate"] = (path, certificate.public_key())
            else:
                serialization.load_pem_public_key(data)
        except TypeError:
            tell(Level.ERROR, f"{path} is encrypted; store it decrypted", f"{path} 已加密，请存放解密后的内容")
        except Exception:
            tell(Level.ERROR, f"{path} cannot be read as PEM", f"{path} 不是可读的 PEM")
    for pair in pairs.values():
        if len(pair) == 2 and _spki(pair["key"][1]) != _spki(pair["certificate"][1]):
            one, other = pair["key"][0], pair["certificate"][0]
            tell(Level.ERROR, f"{one} does not belong to {other}", f"{one} 与 {other} 不匹配")


def _spki(public_key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _validity(path: str, certificate: Any, tell: Tell) -> None:
    now, end = clock.now(), certificate.not_valid_after_utc
    if now > end:
        tell(Level.ERROR, f"{path} expired on {end:%Y-%m-%d}", f"{path} 已于 {end:%Y-%m-%d} 过期")
    elif now < certificate.not_valid_before_utc:
        start = certificate.not_valid_before_utc
        tell(Level.ERROR, f"{path} is not valid before {start:%Y-%m-%d}", f"{path} 在 {start:%Y-%m-%d} 之前无效")
    elif end - now < SOON:
        tell(Level.WARNING, f"{path} ends on {end:%Y-%m-%d}", f"{path} 将于 {end:%Y-%m-%d} 到期")


def _address(variable: str, official: str, tell: Tell) -> None:
    """Complain of a provider's address that a real stage must not use."""
    url = setting(variable, official)
    if url.rstrip("/") != official and config().stage not in STAND_IN_STAGES:
        tell(
            Level.ERROR,
            f"{variable} is not the provider's own address; stand-ins are for local and dev",
            f"{variable} 不是服务商的正式地址；替身仅用于 local 和 dev",
        )
    elif not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        tell(Level.ERROR, f"{variable} is not https", f"{variable} 不是 https")


def _text_of(secret: Secret, name: str) -> str:
    value = secret.get(name)
    return value if isinstance(value, str) else ""


def _missing(name: str, tell: Tell) -> None:
    tell(Level.ERROR, f"{name} is missing", f"缺少 {name}")


def _list_of(secret: Secret, name: str, tell: Tell) -> list[str]:
    """Return a list of texts that must hold one at least, and none twice."""
    value = secret.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) and entry for entry in value):
        tell(Level.ERROR, f"{name} must be a list of at least one text", f"{name} 必须是至少含一项文本的列表")
        return []
    if len(set(value)) != len(value):
        tell(Level.WARNING, f"{name} holds the same entry twice", f"{name} 中有重复项")
    if len(value) > 2:
        tell(
            Level.WARNING,
            f"{name} holds {len(value)} entries; remove the old ones once a rotation is over",
            f"{name} 有 {len(value)} 项；轮换结束后请删除旧项",
        )
    return value


# --- one function a provider ------------------------------------------------------------------------------------------


def _by_the_adapter(provider: str, secret: Secret, tell: Tell) -> None:
    """Ask the adapter's own ``diagnose``."""
    for said in providers.adapter(provider).diagnose(secret):
        if isinstance(said, Advice):
            tell(Level.WARNING, str(said), f"请留意：{said}")
        else:
            tell(Level.ERROR, str(said), f"配置有误：{said}")


def _qqwallet(provider: str, secret: Secret, tell: Tell) -> None:
    if not _text_of(secret, "mch_id"):
        _missing("mch_id", tell)
    elif not re.fullmatch(r"[0-9]{8,12}", _text_of(secret, "mch_id")):
        tell(Level.WARNING, "mch_id is not a number of about ten digits", "mch_id 不是约十位的数字")
    if not _text_of(secret, "appid"):
        tell(
            Level.WARNING,
            "appid is missing: notices of every app of this merchant count as ours",
            "缺少 appid：该商户所有应用的通知都会被视为本店通知",
        )
    for number, key in enumerate(_list_of(secret, "keys", tell)):
        if len(key) != 32 and not config().is_local:
            tell(Level.WARNING, f"keys[{number}] does not have 32 characters", f"keys[{number}] 不是 32 个字符")
    if secret.get("sign_type", "MD5") == "HMAC-SHA256":
        tell(
            Level.WARNING,
            "sign_type HMAC-SHA256 is not documented by QQ Wallet; MD5 is",
            "QQ 钱包文档只有 MD5，没有 HMAC-SHA256",
        )
    if not _text_of(secret, "op_user_password"):
        tell(Level.ERROR, "op_user_password is missing: no refunds", "缺少 op_user_password：无法退款")
    if not _text_of(secret, "certificate") or not _text_of(secret, "private_key"):
        tell(
            Level.ERROR,
            "certificate or private_key is missing: no refunds (they need a TLS client certificate)",
            "缺少 certificate 或 private_key：无法退款（退款需要双向证书）",
        )
    _address("BIANDAN_QQWALLET_URL", "https://qpay.qq.com", tell)
    _address("BIANDAN_QQWALLET_REFUND_URL", "https://api.qpay.qq.com", tell)
    _buildable(provider, secret, tell)


def _stripe(provider: str, secret: Secret, tell: Tell) -> None:
    if _text_of(secret, "secret_key"):
        _stripe_key(secret, "secret_key", ("sk", "rk"), tell)
    else:
        _missing("secret_key", tell)
    if _text_of(secret, "publishable_key"):
        _stripe_key(secret, "publishable_key", ("pk",), tell)
    else:
        tell(
            Level.WARNING, "publishable_key is missing: only Checkout works", "缺少 publishable_key：只能使用 Checkout"
        )
    for number, hook in enumerate(_list_of(secret, "webhook_secrets", tell)):
        if not hook.startswith("whsec_"):
            tell(
                Level.ERROR,
                f"webhook_secrets[{number}] does not begin with whsec_ (the whole text is the key)",
                f"webhook_secrets[{number}] 不以 whsec_ 开头（整个文本就是密钥）",
            )
    account = _text_of(secret, "account")
    if account and not account.startswith("acct_"):
        tell(Level.ERROR, "account does not begin with acct_", "account 不以 acct_ 开头")
    back = _text_of(secret, "return_url")
    if back and not back.startswith("https://") and not config().is_local:
        tell(Level.ERROR, "return_url is not https", "return_url 不是 https")
    if "livemode" in secret:
        tell(
            Level.ERROR,
            "livemode stands in the secret: leave it out, the stage decides",
            "密钥中含有 livemode：请删除，由阶段决定",
        )
    _address("BIANDAN_STRIPE_URL", "https://api.stripe.com", tell)
    _buildable(provider, secret, tell)


def _stripe_key(secret: Secret, name: str, prefixes: tuple[str, ...], tell: Tell) -> None:
    """Complain of a key of another kind, or of the other mode than the stage."""
    found = re.match(r"(sk|rk|pk)_(test|live)_", _text_of(secret, name))
    if found is None or found.group(1) not in prefixes:
        shapes = [f"{prefix}_..." for prefix in prefixes]
        tell(
            Level.ERROR,
            f"{name} does not look like {' or '.join(shapes)}",
            f"{name} 不是 {'、'.join(shapes)} 的形式",
        )
    elif (found.group(2) == "live") != (config().stage == LIVE_STAGE):
        stage, mode = config().stage, found.group(2)
        tell(
            Level.ERROR,
            f"{name} is of {mode} mode, but this is stage {stage}: only {LIVE_STAGE} is live",
            f"{name} 是 {mode} 模式，而当前阶段是 {stage}：只有 {LIVE_STAGE} 是正式环境",
        )


def _buildable(provider: str, secret: Secret, tell: Tell) -> None:
    """The adapter has the last word: what it refuses must not look sound here."""
    try:
        providers.adapter(provider).build(secret)
    except Misconfigured as error:
        tell(Level.ERROR, f"the adapter refuses it: {error.detail('en')}", f"适配器拒绝：{error.detail('zh')}")


_CHECKS: dict[str, Callable[[str, Secret, Tell], None]] = {"qqwallet": _qqwallet, "stripe": _stripe}


# --- the command ------------------------------------------------------------------------------------------------------

_MARKS = {Level.ERROR: "✗", Level.WARNING: "!", Level.NOTE: "·"}
_SOUND = {"en": "nothing to complain of", "zh": "没有发现问题"}


def _from_file(path: Path, providers_: list[str]) -> Secret:
    if len(providers_) != 1:
        raise ValueError("--file needs exactly one provider")
    try:
        secret = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {type(error).__name__}") from error
    if not isinstance(secret, dict):
        raise ValueError(f"{path} is not a JSON object")
    return secret


def main(arguments: list[str] | None = None) -> int:
    """Print what was found; 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.operate.doctor", description=__doc__.split("\n\n")[0] if __doc__ else ""
    )
    parser.add_argument("providers", nargs="*", metavar="provider", help="which ones (default: all)")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="language of the words")
    parser.add_argument("--file", type=Path, help="a secret as a JSON file, instead of Secrets Manager; one provider")
    wanted = parser.parse_args(arguments)
    chosen: list[str] = wanted.providers or names_of_all()
    secret: Secret | None = None
    try:
        if wanted.file:
            secret = _from_file(wanted.file, wanted.providers)
        else:
            print(place.settle() or config().stage, file=sys.stderr)
    except (ValueError, place.Nowhere) as error:
        parser.error(str(error))
    counts = dict.fromkeys(Level, 0)
    looked = [(name, examine(name, named=bool(wanted.providers), secret=secret)) for name in chosen]
    if not wanted.providers and not config().is_local:
        ours = examine_ours()
        looked = [(name, [one for one in ours if one.provider == name]) for name in strength.OURS] + looked
    for provider, findings in looked:
        print(provider)
        for finding in findings:
            counts[finding.level] += 1
            print(f"  {_MARKS[finding.level]} {finding.en if wanted.language == 'en' else finding.zh}")
        if not findings:
            print(f"  ✓ {_SOUND[wanted.language]}")
    totals = {f"{level.value}s": count for level, count in counts.items()}
    print(json.dumps({"stage": config().stage, "providers": len(chosen), **totals}))
    return 1 if counts[Level.ERROR] else 0


if __name__ == "__main__":
    sys.exit(main())
