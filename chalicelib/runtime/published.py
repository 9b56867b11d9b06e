"""Published files: written once under a name of their content, read for a year, named by a small manifest a shard.

``current/<shard>.json``
    the manifest: which files are current. Kept by readers for seconds.
``files/<shard>/<digest>-<day>.json``
    a file. What lies under a name never changes, so readers keep it for a year.
``history/<shard>/<version>.json``
    manifests before this one, the last of each minute, for going back and for the sweep.

Files are written first and the manifest last, under the condition that it is still the one that was read before
anything was worked out. So a reader never sees half an update, and of two publishers at once the slower one works
everything out again: what it read may be older than what the other has published.

A name carries the day it was first needed on. A name of an earlier day is never written again, so the sweep, which
leaves yesterday's and today's alone, cannot delete what somebody writes at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.runtime import aws, caches, metrics, together
from chalicelib.runtime.config import config

ROOT: Final = "published"
"""First part of every key, and of the path under which a CDN serves it."""
KEPT_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"
KEPT_FOR_SECONDS: Final = "public, max-age=2"
NEVER_KEPT: Final = "no-store"
JSON_TYPE: Final = "application/json"
VERSIONS_KEPT: Final = 20
"""So many manifests are kept to go back to, each the last one of its minute; their files stay. No reader works with one
that is half a minute old."""
SWEPT_AT_ONCE: Final = 2_000
"""A day of bursts leaves more of a list than a function could delete before it is ended."""
REMEMBERED: Final = 3_000
"""Of so many files a process remembers what they hold (some 20 MB): it never changes under their names."""
ATTEMPTS: Final = 8
_MISSING: Final = ("NoSuchKey", "404", "NotFound")
_LOST: Final = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409", *_MISSING)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which files of a shard are current: names by what they are. ``partial``: what goes on beyond them, in the API."""

    shard: str
    version: int = 0
    published_at: datetime | None = None
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    partial: tuple[str, ...] = ()

    def names(self) -> set[str]:
        """Return the names of all its files."""
        return {name for names in self.files.values() for name in names}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a shard is to hold: for each key the contents (``bytes``), or the names (``str``) of files to keep."""

    files: Mapping[str, Sequence[bytes | str]]
    partial: tuple[str, ...] = ()


class Reading(NamedTuple):
    """A manifest as it was read: what replaces it does so only while it is still this one."""

    manifest: Manifest
    tag: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to replace a manifest, with the files that are new. The same ``after``: nothing is to be written."""

    before: Reading
    after: Manifest
    fresh: Mapping[str, bytes]

    @property
    def changes(self) -> bool:
        """Say whether readers would see something new."""
        return self.after is not self.before.manifest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing did. Nothing was written where ``changed`` is false."""

    manifest: Manifest
    before: Manifest
    written: int = 0

    @property
    def changed(self) -> bool:
        """Say whether readers see something new."""
        return self.manifest.version != self.before.version


_decode = msgspec.json.Decoder(Manifest)


def current_key(shard: str) -> str:
    """Return the key of a shard's manifest."""
    return f"{ROOT}/current/{shard}.json"


def history_key(shard: str, version: int) -> str:
    """Return the key of a manifest that was current once."""
    return f"{ROOT}/history/{shard}/{version}.json"


def file_key(shard: str, name: str) -> str:
    """Return the key of a file."""
    return f"{ROOT}/files/{shard}/{name}.json"


def digest_of(name: str) -> str:
    """Return the part of a file's name that follows from its content."""
    return name.rpartition("-")[0]


def digest(content: bytes) -> str:
    """Return the digest of a content."""
    return ids.digest(content.decode())


def read(shard: str) -> Reading:
    """Return a shard's manifest and its tag; an empty one of version 0, and no tag, if there is none."""
    found = _get(current_key(shard))
    if found is None:
        return Reading(Manifest(shard), None)
    return Reading(_decode.decode(found[0]), found[1])


def past(shard: str, version: int) -> Manifest | None:
    """Return a manifest that was current once, if it is still kept."""
    found = _get(history_key(shard, version))
    return _decode.decode(found[0]) if found is not None else None


def content(shard: str, name: str) -> bytes | None:
    """Return what a file holds."""
    found = _get(file_key(shard, name))
    return found[0] if found is not None else None


_remembered: dict[tuple[str, str, str], bytes] = {}
caches.register(_remembered.clear)


def contents(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes | None]:
    """Return what many files hold, by (shard, name); None for one that is not there. What was read is remembered."""
    bucket = config().published_bucket
    found: dict[tuple[str, str], bytes | None] = {}
    unknown: list[tuple[str, str]] = []
    for shard, name in dict.fromkeys(wanted):
        held = _remembered.get((bucket, shard, name))
        if held is None:
            unknown.append((shard, name))
        else:
            found[shard, name] = held
    bodies = together.all_of(partial(content, *one) for one in unknown)
    for one, body in zip(unknown, bodies, strict=True):
        found[one] = body
        if body is not None:
            _remember(bucket, one, body)
    return found


def _remember(bucket: str, one: tuple[str, str], body: bytes) -> None:
    if len(_remembered) >= REMEMBERED:
        _remembered.clear()
    _remembered[bucket, *one] = body


def read_many(shards_: Iterable[str]) -> dict[str, Reading]:
    """Return the manifests of many shards."""
    wanted = list(dict.fromkeys(shards_))
    return dict(zip(wanted, together.all_of(partial(read, shard) for shard in wanted), strict=True))


def draft(before: Reading, wanted: Contents) -> Draft:
    """Work out what has to be written for a shard to hold this."""
    was = before.manifest
    files, fresh = _named(wanted, was)
    if files == was.files and wanted.partial == was.partial:
        return Draft(before, was, {})
    return Draft(before, Manifest(was.shard, was.version + 1, clock.now(), files, wanted.partial), fresh)


def write(drafts: Iterable[Draft]) -> set[str]:
    """Write drafts: all their files, then their manifests; returns the shards at which another publisher was faster.

    Whoever lost reads the manifest and its sources anew, in this order, and drafts again: only then does the condition
    on the manifest keep an older reading from replacing a newer one.
    """
    wanted = [one for one in drafts if one.changes]
    first = [
        partial(_put, file_key(one.after.shard, name), body, KEPT_FOR_A_YEAR)
        for one in wanted
        for name, body in one.fresh.items()
    ]
    first += [partial(_keep, one.before.manifest) for one in wanted if _ends_a_minute(one)]
    together.all_of(first)
    bucket = config().published_bucket
    for one in wanted:
        for name, body in one.fresh.items():
            _remember(bucket, (one.after.shard, name), body)
    done = together.all_of(partial(_swap, one.after, one.before.tag) for one in wanted)
    lost = {one.after.shard for one, swapped in zip(wanted, done, strict=True) if not swapped}
    metrics.count("files_published", sum(len(one.fresh) for one in wanted))
    if lost:
        metrics.count("lost_races", len(lost))
    return lost


def publish(shard: str, work_out: Callable[[Manifest], Contents]) -> Outcome:
    """Bring a shard in line with what ``work_out`` reads. It is run again when another publisher was faster.

    ``work_out`` gets the manifest that is current and must read its sources anew each time, consistently.

    Raises:
        Busy: if others were faster all the time.
    """
    for _ in range(ATTEMPTS):
        before = read(shard)
        wanted = draft(before, work_out(before.manifest))
        if not write([wanted]):
            return Outcome(wanted.after, before.manifest, len(wanted.fresh))
    raise Busy


def go_back(shard: str, version: int) -> Manifest:
    """Make a manifest that was current once current again, as a new version. No file is written.

    Raises:
        NotFound: if it is not kept any more.
        Busy: if publishers were faster all the time.
    """
    for _ in range(ATTEMPTS):
        before, tag = read(shard)
        wanted = past(shard, version)
        if wanted is None:
            raise NotFound(what="manifest")
        _keep(before)
        after = Manifest(shard, before.version + 1, clock.now(), wanted.files, wanted.partial)
        if _swap(after, tag):
            return after
    raise Busy


def _named(wanted: Contents, before: Manifest) -> tuple[dict[str, tuple[str, ...]], dict[str, bytes]]:
    """Return the names of all contents, and what is to be written under the new ones."""
    known = {digest_of(name): name for name in before.names()}
    day = f"{clock.now():%y%m%d}"
    fresh: dict[str, bytes] = {}

    def name_of(part: bytes | str) -> str:
        if isinstance(part, str):
            return part
        found = digest(part)
        if found in known:
            return known[found]
        fresh[f"{found}-{day}"] = part
        return f"{found}-{day}"

    files = {key: tuple(name_of(part) for part in parts) for key, parts in sorted(wanted.files.items())}
    return files, fresh


def _ends_a_minute(one: Draft) -> bool:
    """Say whether the manifest that goes is the last of its minute.

    A burst would else push out in seconds all that one can go back to. Nothing is lost to the sweep: a file that it may
    delete is of an earlier day, so the kept manifest before names it too, or the one that somebody went back to does.
    """
    was, now = one.before.manifest.published_at, one.after.published_at
    return was is not None and now is not None and f"{was:%Y%m%d%H%M}" != f"{now:%Y%m%d%H%M}"


def _keep(was: Manifest) -> None:
    """Keep a manifest for going back to it."""
    if was.version:
        _put(history_key(was.shard, was.version), msgspec.json.encode(was), NEVER_KEPT)


def _swap(after: Manifest, tag: str | None) -> bool:
    """Replace exactly the manifest that was read; says whether it was still there."""
    condition = {"IfMatch": tag} if tag is not None else {"IfNoneMatch": "*"}
    try:
        _put(current_key(after.shard), msgspec.json.encode(after), KEPT_FOR_SECONDS, **condition)
    except Exception as error:
        if aws.error_code(error) not in _LOST:
            raise
        return False
    return True


# What nobody names any more


def sweep(shard: str) -> int:
    """Delete the files and manifests of a shard that are out of reach; returns how many, at most ``SWEPT_AT_ONCE``.

    What the current manifest and the last :data:`VERSIONS_KEPT` kept ones name stays, and so does all that was written
    yesterday and today.
    """
    now, _ = read(shard)
    kept = sorted(_versions(shard))
    named = now.names()
    for version in kept[-VERSIONS_KEPT:]:
        found = past(shard, version)
        named |= found.names() if found is not None else set()
    doomed = [history_key(shard, version) for version in kept[:-VERSIONS_KEPT]]
    yesterday = f"{clock.now() - timedelta(days=1):%y%m%d}"
    for key in keys(f"{ROOT}/files/{shard}/"):
        name = key.rpartition("/")[2].removesuffix(".json")
        if name not in named and name.rpartition("-")[2] < yesterday:
            doomed.append(key)
        if len(doomed) >= SWEPT_AT_ONCE:
            break
    doomed = doomed[:SWEPT_AT_ONCE]
    together.all_of(partial(_delete, key) for key in doomed)
    metrics.count("files_swept", len(doomed))
    return len(doomed)


def _delete(key: str) -> None:
    aws.call("s3", "DeleteObject", {"Bucket": config().published_bucket, "Key": key})


def _versions(shard: str) -> list[int]:
    found = keys(f"{ROOT}/history/{shard}/")
    return [int(key.rpartition("/")[2].removesuffix(".json")) for key in found]


def shards(*, after: str = "", limit: int = 1_000) -> list[str]:
    """Return names of shards that have a manifest, in order, those behind ``after``."""
    prefix = f"{ROOT}/current/"
    start = {"StartAfter": current_key(after)} if after else {}
    answer = aws.call(
        "s3", "ListObjectsV2", {"Bucket": config().published_bucket, "Prefix": prefix, "MaxKeys": limit, **start}
    )
    return [found["Key"].removeprefix(prefix).removesuffix(".json") for found in answer.get("Contents", [])]


def keys(prefix: str) -> Iterator[str]:
    """Yield the keys of all objects under a prefix."""
    more: dict[str, Any] = {}
    while True:
        answer = aws.call("s3", "ListObjectsV2", {"Bucket": config().published_bucket, "Prefix": prefix, **more})
        yield from (str(found["Key"]) for found in answer.get("Contents", []))
        if not answer.get("IsTruncated"):
            return
        more = {"ContinuationToken": answer["NextContinuationToken"]}


# S3


def _get(key: str) -> tuple[bytes, str] | None:
    try:
        answer = aws.call("s3", "GetObject", {"Bucket": config().published_bucket, "Key": key})
    except Exception as error:
        if aws.error_code(error) not in _MISSING:
            raise
        return None
    return answer["Body"].read(), str(answer["ETag"])


def _put(key: str, body: bytes, cache_control: str, **condition: str) -> None:
    params = {
        "Bucket": config().published_bucket,
        "Key": key,
        "Body": body,
        "ContentType": JSON_TYPE,
        "CacheControl": cache_control,
    }
    aws.call("s3", "PutObject", {**params, **condition})
