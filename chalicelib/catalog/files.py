"""Files of bulk jobs in the uploads bucket: ``catalog/<merchant>/<job>/…``."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chalicelib.runtime import objects

WITHIN: Final = timedelta(minutes=15)
"""How long a signed address counts."""


def key(merchant_id: str, job_id: str, name: str) -> str:
    """Return the object's key."""
    return f"catalog/{merchant_id}/{job_id}/{name}"


def upload_url(name: str, content_length: int) -> str:
    """Sign an address to which exactly this many bytes may be PUT within a quarter of an hour. No call is made."""
    return objects.upload_url(name, size=content_length, content_type="text/csv", within=WITHIN)


def download_url(name: str, file_name: str) -> str:
    """Sign an address from which the object can be fetched for a quarter of an hour. No call is made."""
    return objects.download_url(name, file_name, within=WITHIN)
