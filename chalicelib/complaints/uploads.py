"""How much one account may upload a day. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from chalicelib.kernel.errors import ShopError

MB: Final = 1024 * 1024
FILES_A_DAY: Final = 30
BYTES_A_DAY: Final = 100 * MB
"""What the forms of one day allow together, whether they are used or not: S3 takes what a form allows."""


class TooManyUploads(ShopError):
    """The account's forms of this day are used up."""

    code, status = "too_many_uploads", 429
    en = "At most {files} files and {megabytes} MB can be uploaded a day; go on tomorrow."
    zh = "每天最多上传 {files} 个文件、共 {megabytes} MB，请明天再试。"
    shown = ("files", "megabytes")


@dataclass(frozen=True, slots=True)
class Day:
    """What an account was given forms for on one day: bytes by file."""

    account_id: str
    day: str
    files: dict[str, int]
    version: int = 0

    def having(self, evidence_id: str, size: int) -> Day:
        """Return the day with one more form; a form that was given before counts once.

        Raises:
            TooManyUploads: if that is more than a day allows.
        """
        files = {**self.files, evidence_id: size}
        if evidence_id not in self.files and (len(files) > FILES_A_DAY or sum(files.values()) > BYTES_A_DAY):
            raise TooManyUploads(files=FILES_A_DAY, megabytes=BYTES_A_DAY // MB)
        return replace(self, files=files)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the one copy of an upload lies: under the complaint it was attached to first."""

    evidence_id: str
    account_id: str
    complaint_id: str
    content_type: str
    size: int
    sha256: str = ""
    """Of its bytes, once somebody asked; they never change."""
    version: int = 0
