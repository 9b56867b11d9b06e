"""Alarms about what functions count themselves: the metrics that they write into their logs."""

from __future__ import annotations

NAMESPACE = "Biandan"

ALARMS: tuple[tuple[str, str, str, str], ...] = (
    # Name, metric, the function that counts it, what it means.
    (
        "payment-key-unknown",
        "notices_unknown_key",
        "api",
        "Notices come under a key we do not hold: refresh the provider's keys, or configure the new one.",
    ),
    (
        "payment-keys-failed",
        "payment_keys_failed",
        "payment-keys",
        "A provider's keys could not be fetched or kept: what we hold will end.",
    ),
    (
        "provider-silent-at-expiry",
        "providers_silent_at_expiry",
        "payments",
        "A provider does not say what became of payments whose time is over: their stock stays held.",
    ),
    (
        "changes-laid-aside",
        "changes_laid_aside",
        "relay",
        "The relay could not read a change and laid it aside in the bucket: mend the cause, then replay it.",
    ),
    (
        "money-in-suspense",
        "money_in_suspense",
        "payment-notices",
        "Money came under a number that is none of ours: see the list of suspense.",
    ),
)
