"""The keys that providers sign with, fetched by the clock: never in the path of a notice, never into our own secret.

A provider whose configuration says so publishes its certificates; what it publishes goes into a secret of its own
(``payments-<name>-fetched``), which nothing but this job writes and which the adapter reads beside the configured keys.
"""

from __future__ import annotations

import json

from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments import providers
from chalicelib.payments.ports import KeyFetcher, NoticeRefused
from chalicelib.runtime import aws, log, metrics, names, patience, secrets

ASKING_S = 30.0


def refresh() -> dict[str, str]:
    """Fetch the keys of every provider that is to be fetched from; returns what became of each."""
    found: dict[str, str] = {}
    with patience.within(ASKING_S):
        for name in providers.configured():
            adapter = providers.load(name)
            if isinstance(adapter, KeyFetcher):
                found[name] = _refresh(name, adapter)
    metrics.flush("payment-keys")
    return found


def _refresh(name: str, adapter: KeyFetcher) -> str:
    try:
        keys = adapter.fetch_keys()
    except NoticeRefused as refused:  # What there is counts on; somebody must look before it ends.
        log.error("provider keys could not be fetched", provider=name, why=str(refused.params.get("why", refused.code)))
        metrics.count("payment_keys_failed")
        return "failed"
    if not keys:
        return "not wanted"
    return "kept" if _held(name) == keys else _write(name, keys)


def _held(name: str) -> object:
    secrets.forget()
    try:
        return secrets.secret(f"payments-{name}-fetched").get("platform_keys")
    except Misconfigured:
        return None


def _write(name: str, keys: list[dict[str, str]]) -> str:
    secret = names.secret_name(f"payments-{name}-fetched")
    try:
        aws.call(
            "secretsmanager",
            "PutSecretValue",
            {"SecretId": secret, "SecretString": json.dumps({"platform_keys": keys})},
        )
    except Exception as error:
        log.error("provider keys could not be saved", provider=name, kind=aws.error_code(error) or type(error).__name__)
        metrics.count("payment_keys_failed")
        return "failed"
    secrets.forget()
    log.info("provider keys fetched", provider=name, count=len(keys))
    return "fetched"
