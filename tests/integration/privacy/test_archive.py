"""Everything about a person in one archive: asked with a fresh proof, whole, theirs alone, gone by itself."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.complaints import service as complaints
from chalicelib.kernel.errors import NotFound
from chalicelib.privacy import service as privacy
from chalicelib.privacy.archive import domain, plain, sections, store, writing
from chalicelib.privacy.archive import service as archives
from chalicelib.privacy.archive.domain import AskedTooSoon, Leaving, NotReady, Status
from chalicelib.privacy.archive.labels import ZH
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.runtime import aws, objects
from chalicelib.runtime.config import config
from tests.support import people
from tools.bench import erasure as trial
from tools.bench.crowd import CrowdedLab
from tools.operate import erasure_scan

WEEK, SOON = timedelta(days=7, minutes=1), timedelta(minutes=20)


@pytest.fixture
def lab() -> Iterator[CrowdedLab]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "BIANDAN_"))}
    with trial.world() as opened:
        yield opened
    os.environ.update(kept)


def lying(account_id: str) -> list[str]:
    """Return what lies in the bucket of a person's archives."""
    found = aws.call("s3", "ListObjectsV2", {"Bucket": config().bucket, "Prefix": domain.PREFIX})["Contents"]
    return [one["Key"] for one in found if account_id[4:] in one["Key"]]


def opened(account_id: str) -> zipfile.ZipFile:
    found = store.load(account_id)
    assert found is not None
    return zipfile.ZipFile(io.BytesIO(objects.get(found.whole)))


def texts(archive: zipfile.ZipFile, ending: str) -> str:
    return "\n".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(ending))


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in keys(one)}
    return {name for one in value for name in keys(one)} if isinstance(value, list) else set()


def test_every_holding_has_an_exporter_or_says_why_there_is_nothing_to_hand_out() -> None:
    names = [holding.name for holding in HOLDINGS]
    assert len(set(names)) == len(names)
    assert set(sections.EXPORTERS) == set(names)
    handed_out = {one for one in sections.EXPORTERS.values() if isinstance(one, str)}
    assert handed_out | {"disclosures"} == {section.name for section in sections.SECTIONS}, "others looked at the same"


def test_all_that_the_shop_knows_of_a_person_is_in_it_and_nobody_elses(lab: CrowdedLab) -> None:
    other, account_id = trial.settle(lab, 2)
    values = erasure_scan.collect([account_id, other])
    archives.request(account_id)
    assert archives.archive(account_id).status is Status.MAKING
    lab.drain()
    made = archives.archive(account_id)
    assert (made.status, made.size > 2000, lying(account_id)) == (Status.READY, True, [made.whole])
    archive = opened(account_id)
    assert archive.testzip() is None
    told = texts(archive, ".json")
    wanted = {text for what, known in values[account_id].items() if what != "digest" for text in known}
    assert {text for text in wanted if text not in told} == set()
    assert [text for known in values[other].values() for text in known if text in told] == []
    for language in ("zh", "en"):
        pages = texts(archive, f".{language}.html")
        assert values[account_id]["street"][0] in pages
        assert all(holding.words.said(language)[:6] in pages for holding in HOLDINGS)
    manifest = json.loads(archive.read("manifest.json"))
    assert {one["name"] for one in manifest["holdings"]} == {holding.name for holding in HOLDINGS}
    assert all((one["section"] is None) is not (one["withheld"] is None) for one in manifest["holdings"])
    assert "argon2" not in told
    assert other not in told
    found = {name for part in archive.namelist() if "/" in part and part.endswith(".json")
             for name in keys(json.loads(archive.read(part)))}  # fmt: skip
    assert {name for name in found - set(ZH) if name != "section"} == set()
    seen = {needle.person for where, needle in erasure_scan.scan(values).found if domain.PREFIX in where}
    assert seen == {account_id}, "the scan looks into archives"


def test_it_is_fetched_by_its_person_alone_with_a_fresh_proof_and_a_message_says_when(lab: CrowdedLab) -> None:
    [account_id] = trial.settle(lab, 1)
    client, stale = lab.client(people.token(account_id)), lab.client(people.token(account_id, proved_ago=timedelta(1)))
    assert stale.call("PUT", "/v1/me/archive", {}).status == 401
    assert client.call("GET", "/v1/me/archive").status == 404
    asked = client.expect(200, "PUT", "/v1/me/archive", {})
    assert (asked["status"], client.expect(200, "PUT", "/v1/me/archive", {})) == ("making", asked)
    refused = client.call("POST", "/v1/me/archive/link", {})
    assert (refused.status, refused.json["code"]) == (409, "archive_not_ready")
    told: list[str] = []

    def listen(service: str, _: str, params: Any, proceed: Any) -> Any:
        if service == "dynamodb":
            told.append(json.dumps(params, default=str))
        return proceed()

    with aws.hooked(listen):
        lab.drain()
    assert sum("archive_ready" in one and '"Put"' in one for one in told) == 1
    assert client.expect(200, "GET", "/v1/me/archive")["bytes"] > 1000
    assert stale.call("POST", "/v1/me/archive/link", {}).status == 401
    link = client.expect(200, "POST", "/v1/me/archive/link", {})
    assert archives.archive(account_id).whole in link["url"]
    stranger = lab.client(people.buyer().token)
    assert stranger.call("POST", "/v1/me/archive/link", {}).status == 404
    assert client.expect(200, "DELETE", "/v1/me/archive")["status"] == "gone"
    assert lying(account_id) == []
    again = client.call("PUT", "/v1/me/archive", {})
    assert (again.status, again.json["code"]) == (429, "archive_asked_too_soon")
    lab.pass_time(timedelta(hours=1, minutes=1))
    assert archives.request(account_id).number == 2
    lab.drain()
    assert [key.rsplit("/", 1)[1] for key in lying(account_id)] == ["2.zip"]


def test_it_is_deleted_by_itself_and_one_that_is_never_made_is_given_up(lab: CrowdedLab) -> None:
    kept, stuck = trial.settle(lab, 2)
    archives.request(kept)
    lab.drain()
    lab.pass_time(timedelta(days=3, minutes=15))
    assert (archives.archive(kept).status, lying(kept)) == (Status.GONE, [])
    with pytest.raises(NotReady):
        archives.link(kept)
    asked = archives.request(stuck)
    lab.time.advance(domain.MADE_WITHIN + SOON)
    archives.time_out(asked.archive_id)
    assert archives.archive(stuck).status is Status.FAILED
    archives.advance(asked.archive_id, asked.step)  # Its message comes at last.
    assert (archives.archive(stuck).status, lying(stuck)) == (Status.FAILED, [])
    assert archives.request(stuck).status is Status.MAKING  # At once: it was our fault.
    lab.drain()


def test_it_is_made_in_steps_each_of_which_may_come_twice(lab: CrowdedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id = trial.settle(lab, 2)[1]
    asked = archives.request(account_id)
    monkeypatch.setattr(archives, "STEP_S", 0)  # One part a step.
    step = asked.step
    while archives.archive(account_id).status is Status.MAKING:
        archives.advance(asked.archive_id, step)
        archives.advance(asked.archive_id, step)
        assert len(lying(account_id)) == 1
        step += 1
    assert step - asked.step == len(sections.SECTIONS)
    monkeypatch.undo()
    in_steps = opened(account_id).namelist()
    archives.drop(account_id)
    lab.pass_time(timedelta(hours=1, minutes=1))
    archives.request(account_id)
    lab.drain()
    assert sorted(opened(account_id).namelist()) == sorted(in_steps) == sorted(set(in_steps))


def test_a_step_that_runs_while_it_is_dropped_leaves_nothing(lab: CrowdedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    [account_id] = trial.settle(lab, 1)
    asked = archives.request(account_id)
    finish = writing.Writer.finish

    def dropped(self: writing.Writer, facts: dict[str, Any]) -> None:
        archives.drop(account_id)
        finish(self, facts)

    with monkeypatch.context() as patched:
        patched.setattr(writing.Writer, "finish", dropped)
        with pytest.raises(Exception, match="changed"):
            archives.advance(asked.archive_id, asked.step)
    lab.drain()  # The message comes again.
    assert (archives.archive(account_id).status, lying(account_id)) == (Status.GONE, [])


def test_files_of_complaints_are_in_it_as_far_as_they_fit(lab: CrowdedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id = trial.settle(lab, 2)[1]
    picture = os.urandom(3_000_000)
    objects.put("evidence/kept/one", picture, "image/jpeg")
    there = [("cmp_x/a.jpg", "evidence/kept/one", len(picture)), ("cmp_x/b.jpg", "evidence/kept/one", len(picture))]
    monkeypatch.setattr(complaints, "files_of", lambda _: there)
    monkeypatch.setattr(domain, "MOST_BYTES", 4_000_000)
    archives.request(account_id)
    lab.drain()
    archive = opened(account_id)
    files = [name for name in archive.namelist() if name.startswith("files/")]
    assert len(files) == 1
    assert archive.read(files[0]) == picture
    assert archives.archive(account_id).making.left_out == 1


def test_an_erasure_takes_it_away_and_none_is_made_any_more(lab: CrowdedLab) -> None:
    account_id, late = trial.settle(lab, 2)[:1] * 1 + trial.settle(lab, 1)
    for one in (account_id, late):
        archives.request(one)
    lab.drain()
    privacy.request_erasure(account_id)
    lab.pass_time(timedelta(hours=2))
    assert lying(account_id)  # Who leaves may take it along.
    lab.pass_time(WEEK)
    assert lying(account_id) == []
    with pytest.raises(Leaving):
        archives.request(account_id)
    privacy.request_erasure(late)
    asked = archives.request(late)
    lab.time.advance(WEEK)
    privacy.time_out(f"ers_{late[4:]}")
    archives.advance(asked.archive_id, asked.step)
    assert (lying(late), archives.archive(late).status) == ([], Status.GONE)


def test_nothing_is_there_for_who_asked_for_nothing(lab: CrowdedLab) -> None:
    [account_id] = trial.settle(lab, 1)
    for call in (archives.archive, archives.link, archives.drop):
        with pytest.raises(NotFound):
            call(account_id)
    archives.forget(account_id)
    with pytest.raises(NotFound):
        archives.archive(account_id)


def test_others_are_not_named() -> None:
    me, she = "acc_" + "1" * 26, "acc_" + "2" * 26
    found = plain.plain({"by": me, "decided_by": she, "version": 3, "note": ""}, of=me)
    assert found == {"by": "you", "decided_by": "another person", "version": 3}
    assert issubclass(AskedTooSoon, Exception)
