"""Configuration from the environment, read once. The stage decides how strict we are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Config:
    """What an installation is told. No secrets here: those come by name from Secrets Manager (``runtime.secrets``)."""

    stage: str
    installation: str
    """The stage, with a label where an account and region hold more than one of it: part of every name."""
    region: str
    public_url: str
    """Base URL under which providers and hubs reach us, no trailing slash."""
    bucket: str
    """S3 bucket of evidence and other uploads."""
    published_bucket: str
    """S3 bucket of what everybody may read, behind the CDN."""
    audit_bucket: str
    """S3 bucket of what is written once: the audit's seals."""
    outbound_timeout_s: float

    @property
    def is_local(self) -> bool:
        """Say whether this is a laptop or a test, where default secrets are tolerated.

        A function in the cloud never is, also where somebody forgot to tell it its stage.
        """
        return self.stage == LOCAL and not on_lambda()


@cache
def config() -> Config:
    """Return the configuration of this process."""
    stage = os.environ.get("BIANDAN_STAGE", LOCAL)
    installation = os.environ.get("BIANDAN_INSTALLATION", stage)
    return Config(
        stage=stage,
        installation=installation,
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        public_url=os.environ.get("BIANDAN_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/"),
        bucket=os.environ.get("BIANDAN_BUCKET", f"biandan-{installation}-uploads"),
        published_bucket=os.environ.get("BIANDAN_PUBLISHED_BUCKET", f"biandan-{installation}-published"),
        audit_bucket=os.environ.get("BIANDAN_AUDIT_BUCKET", f"biandan-{installation}-audit"),
        outbound_timeout_s=float(os.environ.get("BIANDAN_OUTBOUND_TIMEOUT_S", "4")),
    )


def on_lambda() -> bool:
    """Say whether this process is a Lambda function."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def setting(name: str, default: str = "") -> str:
    """Return an extra setting by its environment variable, for adapters (a provider's base URL, say)."""
    return os.environ.get(name, default)
