"""What one account may upload, and that an upload is kept once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import urllib3

from chalicelib.complaints import evidence, upload_store, uploads
from chalicelib.complaints.domain import Evidence
from chalicelib.complaints.refusals import EvidenceMissing
from chalicelib.kernel import ids
from chalicelib.runtime import aws, sdk
from chalicelib.runtime.config import config
from chalicelib.runtime.db import reads
from tests.support import dump, people
from tests.support.http import Answer, call
from tests.support.people import Person

PNG = b"\x89PNG\r\n\x1a\n" + b"picture " * 20
COMPLAINTS = [f"cmp_{number:024d}" for number in range(12)]


def ask(who: Person, size: int = 1000, content_type: str = "image/png", key: str | None = None) -> Answer:
    body = {"content_type": content_type, "size": size}
    return call("POST", "/v1/complaints/evidence", body, token=people.token(who.account_id), key=key)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json.get("code", "")


def put(account_id: str, content: bytes = PNG) -> str:
    evidence_id = ids.new_id("evd")
    key = f"evidence/incoming/{account_id}/{evidence_id}"
    aws.call("s3", "PutObject", {"Bucket": config().bucket, "Key": key, "Body": content, "ContentType": "image/png"})
    return evidence_id


def kept() -> list[str]:
    found = sdk.client("s3").list_objects_v2(Bucket=config().bucket, Prefix="evidence/kept/").get("Contents", [])
    return [one["Key"] for one in found]


@pytest.mark.parametrize(
    ("content_type", "cap"),
    [("image/jpeg", 5), ("image/png", 5), ("image/webp", 5), ("application/pdf", 5), ("video/mp4", 20)],
)
def test_files_are_small(cloud: str, content_type: str, cap: int) -> None:
    who = people.buyer()

    assert ask(who, cap * uploads.MB, content_type).status == 201
    over = ask(who, cap * uploads.MB + 1, content_type)
    assert over.status == 422, over.body


def test_an_account_gets_so_many_forms_a_day(cloud: str, noon: Any) -> None:
    who, other = people.buyer(), people.buyer()
    first = ask(who, key="upload-form-1")
    for _ in range(uploads.FILES_A_DAY - 1):
        assert ask(who).status == 201
    before = dump.tables()

    refused = ask(who)

    assert told(refused) == (429, "too_many_uploads")
    assert (refused.json["files"], refused.json["megabytes"]) == (uploads.FILES_A_DAY, 100)
    assert dump.differences(before, dump.tables()) == []
    assert ask(who, key="upload-form-1").json["evidence_id"] == first.json["evidence_id"]
    assert ask(other).status == 201
    noon.advance(timedelta(hours=12, seconds=1))  # Midnight in China.
    assert ask(who).status == 201


def test_bytes_count_as_the_forms_allow_them(cloud: str) -> None:
    who = people.buyer()
    large = 20 * uploads.MB
    answers = [ask(who, large, "video/mp4") for _ in range(6)]

    assert [answer.status for answer in answers] == [201] * 5 + [429]
    assert told(ask(who, 1)) == (429, "too_many_uploads")


def test_forms_asked_for_at_once_count_each(cloud: str) -> None:
    who = people.buyer()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(who, 20 * uploads.MB, "video/mp4").status, range(16)))

    assert set(answers) <= {201, 429, 503}
    assert answers.count(201) <= 5
    row = reads.get(upload_store.DayRow, upload_store._day_key(who.account_id), consistent=True)
    assert row is not None
    assert len(row.files) == answers.count(201)


def test_an_upload_is_kept_once_however_often_it_is_attached(cloud: str) -> None:
    who = people.buyer()
    evidence_id = put(who.account_id)
    files = [evidence.attach(complaint_id, who.account_id, [evidence_id]) for complaint_id in COMPLAINTS]

    assert len({file for (file,) in files}) == 1
    assert kept() == [f"evidence/kept/{COMPLAINTS[0]}/{evidence_id}"]
    for complaint_id in (COMPLAINTS[0], COMPLAINTS[-1]):
        link, _ = evidence.link(complaint_id, files[-1][0])
        shown = urllib3.PoolManager().request("GET", link)
        assert (shown.status, shown.data) == (200, PNG)
        assert shown.headers["content-disposition"] == f'attachment; filename="{evidence_id}.png"'


def test_what_is_kept_stays_what_was_checked(cloud: str) -> None:
    who = people.buyer()
    evidence_id = put(who.account_id)
    evidence.attach(COMPLAINTS[0], who.account_id, [evidence_id])
    key = f"evidence/incoming/{who.account_id}/{evidence_id}"
    other = PNG + b"another picture"
    aws.call("s3", "PutObject", {"Bucket": config().bucket, "Key": key, "Body": other, "ContentType": "image/png"})

    [again] = evidence.attach(COMPLAINTS[1], who.account_id, [evidence_id])

    link, _ = evidence.link(COMPLAINTS[1], again)
    assert urllib3.PoolManager().request("GET", link).data == PNG
    assert again.size == len(PNG)


def test_what_is_kept_is_attached_by_nobody_else(cloud: str) -> None:
    who, thief = people.buyer(), people.buyer()
    evidence_id = put(who.account_id)
    evidence.attach(COMPLAINTS[0], who.account_id, [evidence_id])

    with pytest.raises(EvidenceMissing):
        evidence.attach(COMPLAINTS[1], thief.account_id, [evidence_id])


def test_files_of_earlier_days_lie_where_they_lay(cloud: str) -> None:
    evidence_id = ids.new_id("evd")
    key = f"evidence/kept/{COMPLAINTS[3]}/{evidence_id}"
    aws.call("s3", "PutObject", {"Bucket": config().bucket, "Key": key, "Body": PNG, "ContentType": "image/png"})

    link, _ = evidence.link(COMPLAINTS[3], Evidence(evidence_id, "image/png", len(PNG)))

    assert urllib3.PoolManager().request("GET", link).data == PNG
