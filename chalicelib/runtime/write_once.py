"""Objects that are written once: in a bucket of their own, in which the stack lets nobody change or delete one.

Every version that was ever written can be read, so one that was put over another is seen, too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.runtime import aws
from chalicelib.runtime.config import config

_ABSENT = ("404", "NoSuchKey", "NotFound")
_THERE = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


@dataclass(frozen=True, slots=True)
class Version:
    """One of the versions of an object."""

    key: str
    version_id: str
    deletes: bool = False
    """It is a marker that hides the object."""


def write(key: str, content: bytes) -> bool:
    """Write an object that is not there yet; says whether it was not."""
    # What is locked on its way in wants its digest; it is no secret.
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    params = {"Bucket": config().audit_bucket, "Key": key, "Body": content, "ContentType": "application/json"}
    try:
        aws.call("s3", "PutObject", {**params, "ContentMD5": md5, "IfNoneMatch": "*"})
    except Exception as error:
        if aws.error_code(error) not in _THERE:
            raise
        return False
    return True


def read(key: str, version_id: str = "") -> bytes | None:
    """Return an object, or one version of it; None if there is none."""
    params = {"Bucket": config().audit_bucket, "Key": key, **({"VersionId": version_id} if version_id else {})}
    try:
        content: bytes = aws.call("s3", "GetObject", params)["Body"].read()
    except Exception as error:
        if aws.error_code(error) not in _ABSENT:
            raise
        return None
    return content


def versions(prefix: str) -> Iterator[Version]:
    """Yield every version of every object under a prefix, by key, of each the latest first."""
    place: dict[str, str] = {}
    while True:
        params = {"Bucket": config().audit_bucket, "Prefix": prefix, **place}
        page = aws.call("s3", "ListObjectVersions", params)
        for one in page.get("Versions", ()):
            yield Version(one["Key"], one["VersionId"])
        for one in page.get("DeleteMarkers", ()):
            yield Version(one["Key"], one["VersionId"], deletes=True)
        if not page.get("IsTruncated"):
            return
        place = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
