"""Objects in the uploads bucket: read, written, and shown to others by signed addresses. Nobody else spells S3's calls.

What a CDN serves lies in a bucket of its own: see ``runtime.published``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import IO, Any, NamedTuple

from chalicelib.runtime import aws, sdk
from chalicelib.runtime.config import config

_PIECE = 1024 * 1024
_ABSENT = ("404", "NoSuchKey", "NotFound")


class Missing(Exception):
    """There is no such object."""


class OutOfRange(Exception):
    """The object is too short for the piece that was asked for: it is empty."""


class Changed(Exception):
    """The object is not the one that was read before."""


class Piece(NamedTuple):
    """The beginning of an object, and what is known of all of it."""

    content: bytes
    size: int
    content_type: str
    etag: str


class Form(NamedTuple):
    """Where a browser posts a file, and the fields that go before it."""

    url: str
    fields: dict[str, str]


def put(key: str, content: bytes, content_type: str) -> None:
    """Write an object."""
    aws.call("s3", "PutObject", {**_place(key), "Body": content, "ContentType": content_type})


def put_file(key: str, file: IO[bytes], size: int, content_type: str) -> None:
    """Write an object from a file that is open at its beginning: the memory it takes is not that of the whole."""
    aws.call("s3", "PutObject", {**_place(key), "Body": file, "ContentLength": size, "ContentType": content_type})


def get(key: str, *, start: int = 0, length: int | None = None) -> bytes:
    """Read an object, or a piece of it."""
    params = _place(key)
    if length is not None:
        params["Range"] = f"bytes={start}-{start + length - 1}"
    content: bytes = aws.call("s3", "GetObject", params)["Body"].read()
    return content


def copy_to(key: str, file: IO[bytes]) -> None:
    """Write an object into a file, a piece at a time: the memory it takes is not that of the whole.

    Raises:
        Missing: if there is none.
    """
    try:
        body = aws.call("s3", "GetObject", _place(key))["Body"]
    except Exception as error:
        if aws.error_code(error) in (*_ABSENT, "AccessDenied"):
            raise Missing from error
        raise
    while piece := body.read(_PIECE):
        file.write(piece)


def begin_of(key: str, length: int) -> Piece:
    """Read the first bytes of an object of which nothing is known yet.

    Raises:
        Missing: if there is none.
        OutOfRange: if it is empty.
    """
    try:
        found = aws.call("s3", "GetObject", {**_place(key), "Range": f"bytes=0-{length - 1}"})
    except Exception as error:
        code = aws.error_code(error)
        if code in (*_ABSENT, "AccessDenied"):  # Without ListBucket, S3 says "denied" for what is missing.
            raise Missing from error
        if code == "InvalidRange":
            raise OutOfRange from error
        raise
    size = int(str(found.get("ContentRange", "/0")).rpartition("/")[2])
    return Piece(found["Body"].read(), size, str(found.get("ContentType", "")), str(found["ETag"]))


def size(key: str) -> int | None:
    """Return an object's size, or None if there is none."""
    try:
        answer = aws.call("s3", "HeadObject", _place(key))
    except Exception as error:
        if aws.error_code(error) not in _ABSENT:
            raise
        return None
    return int(answer["ContentLength"])


def erase(key: str) -> None:
    """Delete an object with all its earlier versions: nobody can bring it back. One that is gone is not missed."""
    found = aws.call("s3", "ListObjectVersions", {"Bucket": config().bucket, "Prefix": key})
    for version in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
        if version["Key"] == key:
            aws.call("s3", "DeleteObject", {**_place(key), "VersionId": version["VersionId"]})


def erase_below(prefix: str) -> None:
    """Delete all objects whose keys begin so, with all their versions. Where there is none, nothing happens."""
    while True:
        found = aws.call("s3", "ListObjectVersions", {"Bucket": config().bucket, "Prefix": prefix})
        for version in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
            aws.call("s3", "DeleteObject", {**_place(version["Key"]), "VersionId": version["VersionId"]})
        if not found.get("IsTruncated"):
            return


def copy(source: str, key: str, *, etag: str, content_type: str) -> None:
    """Copy exactly the object that was read, whatever has taken its place since.

    Raises:
        Changed: if it is another now.
    """
    params = {
        **_place(key),
        "CopySource": f"{config().bucket}/{source}",
        "CopySourceIfMatch": etag,
        "MetadataDirective": "REPLACE",
        "ContentType": content_type,
    }
    try:
        aws.call("s3", "CopyObject", params)
    except Exception as error:
        if aws.error_code(error) != "PreconditionFailed":
            raise
        raise Changed from error


def upload_url(key: str, *, size: int, content_type: str, within: timedelta) -> str:
    """Sign an address to which exactly this many bytes may be PUT. No call is made."""
    params = {**_place(key), "ContentLength": size, "ContentType": content_type}
    return _signed("put_object", params, within)


def upload_form(key: str, *, largest: int, content_type: str, within: timedelta) -> Form:
    """Sign a form that takes this type, at most this many bytes, and no other place. No call is made."""
    form = sdk.client("s3").generate_presigned_post(
        config().bucket,
        key,
        Fields={"Content-Type": content_type},
        Conditions=[{"Content-Type": content_type}, ["content-length-range", 1, largest]],
        ExpiresIn=int(within.total_seconds()),
    )
    return Form(form["url"], form["fields"])


def download_url(key: str, file_name: str, *, within: timedelta, content_type: str | None = None) -> str:
    """Sign an address that gives the object away as a file to be saved, never run. No call is made."""
    params = {**_place(key), "ResponseContentDisposition": f'attachment; filename="{file_name}"'}
    if content_type is not None:
        params["ResponseContentType"] = content_type
    return _signed("get_object", params, within)


def _signed(operation: str, params: dict[str, Any], within: timedelta) -> str:
    client = sdk.client("s3")
    url: str = client.generate_presigned_url(operation, Params=params, ExpiresIn=int(within.total_seconds()))
    return url


def _place(key: str) -> dict[str, Any]:
    return {"Bucket": config().bucket, "Key": key}
