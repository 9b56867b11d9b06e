"""Names of things in AWS: ``biandan-<installation>-<thing>``. The only place that composes them."""

from __future__ import annotations

from chalicelib.runtime.config import config

PROJECT = "biandan"


def table_name(table: str) -> str:
    """Return the DynamoDB table's full name."""
    return f"{PROJECT}-{config().installation}-{table}"


def table_of(full_name: str) -> str:
    """Return the short name of a full table name (``biandan-dev-orders`` -> ``orders``)."""
    return full_name.removeprefix(f"{PROJECT}-{config().installation}-")


def queue_name(queue: str) -> str:
    """Return the SQS queue's full name."""
    return f"{PROJECT}-{config().installation}-{queue}"


def dead_letter_name(queue: str) -> str:
    """Return the full name of a queue's dead-letter queue."""
    return f"{queue_name(queue)}-dead"


def secret_name(secret: str) -> str:
    """Return the name of a secret in Secrets Manager."""
    return f"{PROJECT}/{config().installation}/{secret}"
