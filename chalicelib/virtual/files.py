"""Files that merchants deliver: uploaded by a signed form, checked by their bytes, kept once, downloaded by the buyer.

An upload lands under ``virtual/incoming/<merchant>/<file>``; naming it in a pool or a delivery checks its first bytes
and copies exactly that object to ``virtual/kept/<file>``. What is never named expires with its prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ShopError
from chalicelib.runtime import objects
from chalicelib.runtime.intents import Intent
from chalicelib.virtual.domain import FileRef

MB: Final = 1024 * 1024
CAP: Final = 50 * MB
UPLOAD_WITHIN = timedelta(minutes=15)
_HEAD = 16


class FileRefused(ShopError):
    """The file is not one that is delivered."""

    code, status = "file_refused", 422
    en, zh = "File {file_id} was refused: {why}.", "文件 {file_id} 未被接受：{why}。"
    shown = ("file_id", "why")
    texts_of = {  # noqa: RUF012
        "why": {
            "missing": ("it was not uploaded", "尚未上传"),
            "type": ("files of this type are not taken", "不支持的文件类型"),
            "size": ("it is too large, or empty", "文件过大或为空"),
            "content": ("it is not what its type says", "内容与文件类型不符"),
            "changed": ("it was changed meanwhile", "上传后已被更改"),
        }
    }


_ZIP = b"PK\x03\x04"
KINDS: Mapping[str, tuple[str, Callable[[bytes], bool]]] = {
    "application/pdf": ("pdf", lambda head: head.startswith(b"%PDF-")),
    "application/zip": ("zip", lambda head: head.startswith(_ZIP)),
    "application/epub+zip": ("epub", lambda head: head.startswith(_ZIP)),
    "image/jpeg": ("jpg", lambda head: head.startswith(b"\xff\xd8\xff")),
    "image/png": ("png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    "audio/mpeg": ("mp3", lambda head: head.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"))),
    "video/mp4": ("mp4", lambda head: head[4:8] == b"ftyp"),
}
"""Media type -> the end of a file's name, and what its files begin with."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where and how to upload: a form for S3, until a moment."""

    file_id: str
    url: str
    fields: dict[str, str]
    expires_at: datetime


def ticket(merchant_id: str, *, content_type: str, size: int, intent: Intent) -> Ticket:
    """Return a signed form that takes exactly this type, at most this many bytes, and no other place.

    Raises:
        FileRefused: if the type is not taken, or the size is over the cap.
    """
    file_id = ids.derived_id("vfl", merchant_id, intent.scope, intent.key, intent.fingerprint)
    if content_type not in KINDS:
        raise FileRefused(file_id=file_id, why="type")
    if not 0 < size <= CAP:
        raise FileRefused(file_id=file_id, why="size")
    form = objects.upload_form(
        _incoming(merchant_id, file_id), largest=size, content_type=content_type, within=UPLOAD_WITHIN
    )
    return Ticket(file_id, form.url, form.fields, clock.now() + UPLOAD_WITHIN)


def keep(merchant_id: str, file_id: str) -> FileRef:
    """Check an upload of the merchant's and keep it for buyers. Doing it again does the same.

    Raises:
        FileRefused: if it is not there, or not what it should be.
    """
    if not ids.is_id("vfl", file_id):
        raise FileRefused(file_id=file_id, why="missing")
    found = _head(merchant_id, file_id)
    kind = KINDS.get(found.content_type)
    if kind is None:
        raise FileRefused(file_id=file_id, why="type")
    if found.size > CAP:
        raise FileRefused(file_id=file_id, why="size")
    if not kind[1](found.content):
        raise FileRefused(file_id=file_id, why="content")
    try:
        objects.copy(_incoming(merchant_id, file_id), kept(file_id), etag=found.etag, content_type=found.content_type)
    except objects.Changed as error:
        raise FileRefused(file_id=file_id, why="changed") from error
    return FileRef(file_id, f"{file_id}.{kind[0]}", found.content_type, found.size)


def _head(merchant_id: str, file_id: str) -> objects.Piece:
    try:
        return objects.begin_of(_incoming(merchant_id, file_id), _HEAD)
    except objects.Missing as error:
        raise FileRefused(file_id=file_id, why="missing") from error
    except objects.OutOfRange as error:
        raise FileRefused(file_id=file_id, why="content") from error


def _incoming(merchant_id: str, file_id: str) -> str:
    return f"virtual/incoming/{merchant_id}/{file_id}"


def kept(file_id: str) -> str:
    """Return where a file lies."""
    return f"virtual/kept/{file_id}"
