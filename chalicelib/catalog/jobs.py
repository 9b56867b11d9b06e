"""Bulk jobs: their states and progress. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from chalicelib.kernel.errors import Conflict, Invalid, NotFound
from chalicelib.kernel.machine import StateMachine

FILE_CAP_BYTES: Final = 32 * 1024 * 1024
"""About 60,000 lines. A larger file is cut by its merchant."""


class JobKind(StrEnum):
    """Which way the file goes."""

    IMPORT = "import"
    EXPORT = "export"


class JobStatus(StrEnum):
    """Where a job stands."""

    AWAITING_UPLOAD = "awaiting_upload"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class JobCause(StrEnum):
    """What moves a job."""

    START = "start"
    FINISH = "finish"
    FAIL = "fail"


MACHINE: StateMachine[JobStatus, JobCause] = StateMachine(
    name="bulk_job",
    initial=JobStatus.AWAITING_UPLOAD,
    edges={
        JobStatus.AWAITING_UPLOAD: {JobCause.START: JobStatus.RUNNING},
        JobStatus.RUNNING: {JobCause.FINISH: JobStatus.FINISHED, JobCause.FAIL: JobStatus.FAILED},
        JobStatus.FINISHED: {},
        JobStatus.FAILED: {},
    },
)


class JobNotFound(NotFound):
    """No such job of the merchant."""

    en, zh = "There is no such job.", "任务不存在。"

    def __init__(self) -> None:
        super().__init__(what="job")


class UploadMissing(Conflict):
    """The job was started before its file was uploaded."""

    code = "upload_missing"
    en, zh = "Upload the file first.", "请先上传文件。"


class UnknownEncoding(Invalid):
    """The content type names an encoding that is not read here."""

    code = "unknown_encoding"
    en = "Files in {charset} are not read; save it as UTF-8, or send it in one of the encodings of this route."
    zh = "不支持 {charset} 编码，请另存为 UTF-8 或使用支持的编码。"
    shown = ("charset",)


@dataclass(frozen=True, slots=True)
class NoteCount:
    """What is to be known of products that were taken: in how many lines, and the first of them."""

    code: str
    column: str
    line: int
    lines: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. ``offset`` and ``line`` say where its file goes on, ``after`` where its list does."""

    offset: int = 0
    line: int = 1
    size: int = 0
    encoding: str = ""
    columns: tuple[str, ...] = ()
    created: int = 0
    updated: int = 0
    refused: int = 0
    lines_refused: int = 0
    exported: int = 0
    parts: tuple[tuple[int, int], ...] = ()
    """(step, entries) of each file the steps left behind: refused lines, or lines exported."""
    after: str = ""
    failure: str = ""
    lines: int = 0
    """Lines of products read: blank ones and the header do not count."""
    skipping: str | None = None
    """The handle of a product that was refused for its length, and whose lines go on."""
    notes: tuple[NoteCount, ...] = ()
    note_parts: tuple[tuple[int, int], ...] = ()
    """(step, entries) of each file of single notes."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the merchant said beside the file."""

    default_category: str = ""
    currency: str = "CNY"
    stated: bool = False
    """Whether the merchant named the currency; else products keep theirs, and new ones have the shop's."""
    encoding: str = ""
    """The codec of the file, if its encoding was named."""


@dataclass(frozen=True, slots=True)
class Job:
    """One import or export."""

    job_id: str
    merchant_id: str
    kind: JobKind
    status: JobStatus
    created_at: datetime
    options: Options = Options()
    progress: Progress = Progress()
    step: int = 0
    ended_at: datetime | None = None
    fingerprint: str = ""
    version: int = 0
