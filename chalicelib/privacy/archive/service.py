"""Use cases of archives: ask for one, fetch it, drop it; and its making, a step a message."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import IO, TYPE_CHECKING

from chalicelib.auth import service as auth
from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, NotFound
from chalicelib.privacy import domain as erasures
from chalicelib.privacy import store as erasure_store
from chalicelib.privacy.archive import domain, store
from chalicelib.privacy.archive.domain import Archive, AskedTooSoon, Cause, Leaving, Making, NotReady, Status
from chalicelib.privacy.events import ArchiveAdvanced
from chalicelib.runtime import log, metrics, objects
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork

if TYPE_CHECKING:
    from chalicelib.privacy.archive.sections import File
    from chalicelib.privacy.archive.writing import Writer

STEP_S = 20.0
"""After so long no further part is begun: a part takes a second or two, and the function ends after a minute."""
_ZIP = "application/zip"


def request(account_id: str) -> Archive:
    """Ask for an archive. While one is being made, or is there, that one is meant.

    Raises:
        AskedTooSoon: if the last one was asked for a moment ago, and deleted since.
        Leaving: if the account is being closed.
    """
    language = auth.account(account_id).language
    _check_stays(account_id)

    def attempt() -> Archive:
        before, now = store.load(account_id), clock.now()
        if before is None:
            wanted = Archive(account_id, domain.MACHINE.initial, now, now, language=language)
        elif before.status in (Status.MAKING, Status.READY):
            return before
        else:
            wait = domain.AGAIN_AFTER - (now - before.asked_at)
            if before.status is Status.GONE and wait.total_seconds() > 0:
                raise AskedTooSoon(wait_s=int(wait.total_seconds()) + 1)
            wanted = replace(
                before.moved(Cause.ASK_AGAIN, now),
                asked_at=now,
                number=before.number + 1,
                making=Making(),
                size=0,
                language=language,
            )
        return _save(wanted, goes_on=True)

    found = racing(attempt)
    log.info("archive requested", archive_id=found.archive_id)
    return found


def archive(account_id: str) -> Archive:
    """Return what became of it.

    Raises:
        NotFound: if none was asked for.
    """
    found = store.load(account_id)
    if found is None:
        raise NotFound(what="archive")
    return found


def link(account_id: str) -> tuple[str, datetime]:
    """Return an address under which the archive can be fetched for some minutes, by whoever has the address.

    Raises:
        NotFound: if none was asked for.
        NotReady: if there is none now.
    """
    found = archive(account_id)
    if found.status is not Status.READY:
        raise NotReady
    name = f"archive-{found.asked_at.date().isoformat()}.zip"
    url = objects.download_url(found.whole, name, within=domain.LINK_FOR, content_type=_ZIP)
    return url, clock.now() + domain.LINK_FOR


def drop(account_id: str) -> Archive:
    """Delete the archive now. Again changes nothing.

    Raises:
        NotFound: if none was asked for.
    """
    found = archive(account_id)
    if found.status in (Status.MAKING, Status.READY):
        found = racing(lambda: _ended(account_id, Cause.DROP))
    objects.erase_below(found.folder)  # Again, where a run before was cut off.
    return found


def forget(account_id: str) -> None:
    """Delete it because the person is to be forgotten; what is being made ends by itself."""
    if store.load(account_id) is not None:
        drop(account_id)


def time_out(archive_id: str) -> None:
    """End an archive whose time is over; a stale call changes nothing."""
    account_id = domain.account_of(archive_id)
    found = store.load(account_id)
    if found is None or found.due_at is None or found.due_at > clock.now():
        return
    if found.status is Status.MAKING:
        log.warning("archive was not made in time", archive_id=archive_id, step=found.step)
        metrics.count("archives_failed")
        found = _save(found.moved(Cause.GIVE_UP, clock.now()))
    else:
        found = _save(found.moved(Cause.EXPIRE, clock.now()))
    objects.erase_below(found.folder)


def advance(archive_id: str, step: int) -> None:
    """Do one step of the making, unless it was done: each can be done again without harm."""
    account_id = domain.account_of(archive_id)
    found = store.load(account_id)
    if found is not None and found.status in (Status.GONE, Status.FAILED):
        objects.erase_below(found.folder)  # It ended while a step ran, which wrote what nobody waits for.
    if found is None or found.status is not Status.MAKING or found.step != step:
        return
    try:
        _check_stays(account_id)
    except Leaving:
        drop(account_id)
        return
    with tempfile.TemporaryFile() as file:
        _write(found, file)


def _write(found: Archive, file: IO[bytes]) -> None:
    from chalicelib.privacy.archive.writing import Writer

    if found.making != Making():
        objects.copy_to(found.half_made(found.step), file)
    with closing(Writer(file)) as writer:  # Also where the step fails: its file is gone in a moment.
        _fill(found, writer, file)


def _fill(found: Archive, writer: Writer, file: IO[bytes]) -> None:
    from chalicelib.privacy.archive.sections import SECTIONS  # With the zip's code: only this step needs them.

    making, until = found.making, time.monotonic() + STEP_S
    while making.section < len(SECTIONS):
        section = SECTIONS[making.section]
        part = section.read(found.account_id, making.after)
        fitting = _fitting(part.files, room=domain.MOST_BYTES - writer.size)
        if part.records:
            writer.add(section, making.part + 1, part, fitting)
        making = Making(
            section=making.section + (part.after is None),
            after=part.after,
            part=0 if part.after is None else making.part + 1,
            records=making.records + len(part.records),
            left_out=making.left_out + len(part.files) - len(fitting),
        )
        if time.monotonic() >= until:
            break
    if making.section < len(SECTIONS):
        writer.close()
        _put(found.half_made(found.step + 1), file)
        _save(replace(found.moved(Cause.GO_ON, clock.now()), making=making), goes_on=True)
        if found.making != Making():
            objects.erase(found.half_made(found.step))
        return
    writer.finish(
        {
            "account_id": found.account_id,
            "asked_at": found.asked_at.isoformat(),
            "made_at": clock.now().isoformat(),
            "records": making.records,
            "files_left_out": making.left_out,
        }
    )
    writer.close()
    size = _put(found.whole, file)
    _finish(replace(found.moved(Cause.FINISH, clock.now()), making=making, size=size))
    if found.making != Making():
        objects.erase(found.half_made(found.step))


def _fitting(files: Iterable[File], *, room: int) -> list[File]:
    kept: list[File] = []
    for file in files:
        if file.size <= room:
            room -= file.size
            kept.append(file)
    return kept


def _put(key: str, file: IO[bytes]) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    objects.put_file(key, file, size, _ZIP)
    return size


def _finish(ready: Archive) -> None:
    """Mark it made and tell its person, in one transaction; a rival that did so has told them."""
    try:
        with UnitOfWork() as work:
            store.save(work, ready)
            fact = f"{ready.archive_id}#{ready.number}"
            auth.tell_person(work, ready.account_id, "archive_ready", fact=fact, useless_at=ready.since + domain.KEPT)
    except AlreadyExists:
        return
    metrics.count("archives_made")
    log.info("archive made", archive_id=ready.archive_id, bytes=ready.size, records=ready.making.records)


def _ended(account_id: str, cause: Cause) -> Archive:
    found = archive(account_id)
    if not domain.MACHINE.takes(found.status, cause):
        return found
    return _save(found.moved(cause, clock.now()))


def _save(archive: Archive, *, goes_on: bool = False) -> Archive:
    told = [ArchiveAdvanced(archive_id=archive.archive_id, step=archive.step)] if goes_on else []
    with UnitOfWork() as work:
        store.save(work, archive, told)
    return replace(archive, version=archive.version + 1)


def _check_stays(account_id: str) -> None:
    erasure = erasure_store.load(account_id)
    if erasure is not None and erasure.status not in (erasures.Status.REQUESTED, erasures.Status.WITHDRAWN):
        raise Leaving
