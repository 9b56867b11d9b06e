"""S3 of the simulator: objects of both buckets, conditional writes, what the app asks of it and nothing else."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from botocore.exceptions import ClientError

Params = dict[str, Any]


class Objects(dict[str, bytes]):
    """Objects by key. Keys of the two buckets never meet: each begins with its owner's prefix."""

    def call(self, operation: str, params: Params) -> Params:
        """Answer one call.

        Raises:
            ClientError: as S3 refuses it.
            NotImplementedError: for what the app never asked before.
        """
        if operation == "PutObject":
            return self._put(params)
        if operation == "GetObject":
            return self._get(params["Key"])
        if operation == "DeleteObject":
            self.pop(params["Key"], None)
            return {}
        if operation == "ListObjectsV2":
            return self._list(params)
        raise NotImplementedError(f"s3 {operation}")

    def _put(self, params: Params) -> Params:
        key, body = params["Key"], params["Body"]
        there = self.get(key)
        if "IfMatch" in params and (there is None or _tag(there) != params["IfMatch"]):
            raise _refused("PutObject", "NoSuchKey" if there is None else "PreconditionFailed")
        if params.get("IfNoneMatch") == "*" and there is not None:
            raise _refused("PutObject", "PreconditionFailed")
        self[key] = body if isinstance(body, bytes) else body.read()
        return {"ETag": _tag(self[key])}

    def _get(self, key: str) -> Params:
        if key not in self:
            raise _refused("GetObject", "NoSuchKey")
        return {"Body": io.BytesIO(self[key]), "ETag": _tag(self[key])}

    def _list(self, params: Params) -> Params:
        found = sorted(key for key in self if key.startswith(params["Prefix"]) and key > params.get("StartAfter", ""))
        return {"Contents": [{"Key": key} for key in found[: params.get("MaxKeys", 1_000)]], "IsTruncated": False}


def _tag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def _refused(operation: str, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)
