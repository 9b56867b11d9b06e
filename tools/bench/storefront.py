"""A storefront that browses as storefronts do: manifests and files from behind the CDN, no function and no table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from chalicelib.publishing import domain
from tools.dev import edge
from tools.shared.httpd import Request


class NotPublished(Exception):
    """A reader found nothing where it should stand: the measurement would be of something else."""


def browse(product_ids: Iterable[str]) -> int:
    """Look at the first page of the newest products and at each product's page; return how many files were fetched.

    Raises:
        NotPublished: if one of them is not there.
    """
    newest = _manifest("all")["newest"][0]
    if not _file("all", newest):
        raise NotPublished("the first page of a list is empty")
    fetched = 2
    for product_id in product_ids:
        shard = domain.product_shard(product_id)
        (name,) = _manifest(shard).get(product_id) or (None,)
        if name is None or _file(shard, name)["product_id"] != product_id:
            raise NotPublished(product_id)
        fetched += 2
    return fetched


def _manifest(shard: str) -> dict[str, list[str]]:
    files: dict[str, list[str]] = _get(f"/published/current/{shard}.json")["files"]
    return files


def _file(shard: str, name: str) -> Any:
    return _get(f"/published/files/{shard}/{name}.json")


def _get(path: str) -> Any:
    answer = edge.serve(Request("GET", path, [], b"", "127.0.0.1"))
    if answer.status != 200:
        raise NotPublished(path)
    return json.loads(answer.body)
