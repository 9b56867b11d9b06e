"""Files of bulk jobs in the uploads bucket: ``catalog/<merchant>/<job>/…``."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.runtime import aws
from chalicelib.runtime.config import config

UPLOAD_S: Final = 900
DOWNLOAD_S: Final = 900


def key(merchant_id: str, job_id: str, name: str) -> str:
    """Return the object's key."""
    return f"catalog/{merchant_id}/{job_id}/{name}"


def put(name: str, content: bytes, content_type: str) -> None:
    """Write an object."""
    aws.call("s3", "PutObject", {"Bucket": config().bucket, "Key": name, "Body": content, "ContentType": content_type})


def size(name: str) -> int | None:
    """Return an object's size, or None if there is none."""
    try:
        answer = aws.call("s3", "HeadObject", {"Bucket": config().bucket, "Key": name})
    except Exception as error:
        if aws.error_code(error) not in ("404", "NoSuchKey", "NotFound"):
            raise
        return None
    return int(answer["ContentLength"])


def get(name: str, *, start: int = 0, length: int | None = None) -> bytes:
    """Read an object, or a piece of it."""
    params: dict[str, Any] = {"Bucket": config().bucket, "Key": name}
    if length is not None:
        params["Range"] = f"bytes={start}-{start + length - 1}"
    content: bytes = aws.call("s3", "GetObject", params)["Body"].read()
    return content


def upload_url(name: str, content_length: int) -> str:
    """Sign a URL to which exactly this many bytes may be PUT within a quarter of an hour. No call is made."""
    url: str = aws.client("s3").generate_presigned_url(
        "put_object",
        Params={
            "Bucket": config().bucket,
            "Key": name,
            "ContentLength": content_length,
            "ContentType": "text/csv",
        },
        ExpiresIn=UPLOAD_S,
    )
    return url


def download_url(name: str, file_name: str) -> str:
    """Sign a URL from which the object can be fetched for a quarter of an hour. No call is made."""
    url: str = aws.client("s3").generate_presigned_url(
        "get_object",
        Params={
            "Bucket": config().bucket,
            "Key": name,
            "ResponseContentDisposition": f'attachment; filename="{file_name}"',
        },
        ExpiresIn=DOWNLOAD_S,
    )
    return url
