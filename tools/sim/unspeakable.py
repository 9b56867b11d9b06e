"""What no log line, queue or refusal may hold: the secrets of the installation."""

from __future__ import annotations

from typing import Any

_SPOKEN = (
    *("merchant_id", "customer", "mchid", "mch_id", "appid", "app_id", "seller_id", "op_user_id", "sign_type"),
    *("publishable_key", "certificate", "platform_keys", "alipay_keys", "appids"),
)
"""Parts of secrets that are no secrets: they go out with every call."""


def secret_values(local: dict[str, dict[str, Any]]) -> list[str]:
    """Return the secret parts of an installation's secrets."""
    found: list[str] = []
    for value in local.values():
        for name, part in value.items():
            if name in _SPOKEN:
                continue
            for entry in part if isinstance(part, list) else [part]:
                secret = str(entry.get("seed") or entry.get("pem")) if isinstance(entry, dict) else entry
                if isinstance(secret, str):
                    found.append(secret)
    return found
