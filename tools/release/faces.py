"""Publishes what ``make web`` built, behind the CDN of a stage: hashed files first, each page's document last.

So no page names a file that is not there. What the newest build has no more stays for pages that are still open
(``infra.faces.LEFT_KEPT_DAYS``); a release that goes back writes its files anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import faces
from tools.release.errors import DeployError
from tools.web import build

ROOT = Path(__file__).resolve().parents[2]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """A file of a face: where it lies here, and its key in the bucket."""

    path: Path
    key: str
    kind: str
    kept: str


def built(face: faces.Face, root: Path = ROOT / "web") -> list[Built]:
    """Return the files of a face in the order in which they are published; none if it is not built.

    Raises:
        DeployError: if there is a file that no page consists of.
    """
    folder = root / face.name / face.built
    if not (folder / faces.DOCUMENT).is_file():
        return []
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        kind = faces.kind(name)
        if kind is None:
            raise DeployError(f"{path} is no part of a page (infra/faces.py says what is): build it without")
        found.append(Built(path, f"{faces.PREFIX}{face.at}{name}", kind, faces.kept(name)))
    return sorted(found, key=lambda file: (file.kept != faces.FOREVER, file.key.endswith(".html"), file.key))


def publish(
    s3: Any,
    outputs: Mapping[str, str],
    say: Say = print,
    *,
    root: Path = ROOT / "web",
    make: Callable[[Say], None] = build.build_all,
) -> int:
    """Build every face and publish it; returns how many files there are.

    Raises:
        DeployError: see ``built``.
    """
    if "CdnId" not in outputs:
        say("no CDN stands before this stage (--cdn on), so shop and console are not published")
        return 0
    try:
        make(say)
    except build.Missing as missing:
        say(f"shop and console stay as they are published: {missing}")
        return 0
    bucket, total = outputs["PublishedBucketName"], 0
    for face in faces.FACES:
        files = built(face, root)
        if not files:
            say(f"{face.name} is not there to be built, and stays as it is published")
            continue
        for file in files:
            s3.put_object(
                Bucket=bucket,
                Key=file.key,
                Body=file.path.read_bytes(),
                ContentType=file.kind,
                CacheControl=file.kept,
                Tagging=f"{faces.LEFT}=no",
            )
        left = _leave(s3, bucket, face, {file.key for file in files})
        total += len(files)
        say(f"{face.name}: {len(files)} files are published, {left} older ones leave in {faces.LEFT_KEPT_DAYS} days")
    return total


def _leave(s3: Any, bucket: str, face: faces.Face, current: set[str]) -> int:
    """Tag what the newest build has no more, once: it is written anew, since its days count from the last write."""
    left = 0
    for key in _keys(s3, bucket, f"{faces.PREFIX}{face.at}"):
        if key in current:
            continue
        tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        if {"Key": faces.LEFT, "Value": "yes"} in tags:
            continue
        name = key.removeprefix(f"{faces.PREFIX}{face.at}")
        s3.copy_object(
            Bucket=bucket,
            Key=key,
            CopySource={"Bucket": bucket, "Key": key},
            MetadataDirective="REPLACE",
            ContentType=faces.kind(name) or "application/octet-stream",
            CacheControl=faces.kept(name),
            TaggingDirective="REPLACE",
            Tagging=f"{faces.LEFT}=yes",
        )
        left += 1
    return left


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (str(found["Key"]) for found in page.get("Contents", ()))
