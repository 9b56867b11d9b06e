"""Bulk jobs: their states and progress. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from chalicelib.kernel.errors import Conflict, NotFound
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


@dataclass(frozen=True, slots=True)
class Options:
    """What the merchant said beside the file."""

    default_category: str = ""
    currency: str = "CNY"


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
