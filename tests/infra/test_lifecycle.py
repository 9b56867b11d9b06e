"""How long the bucket keeps what the code writes: the stack's own rules, applied to keys that are really written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.catalog import bulk, files
from chalicelib.catalog.jobs import Options
from chalicelib.complaints import evidence
from chalicelib.kernel import ids
from chalicelib.reconciliation import files as bills
from chalicelib.reconciliation.domain import Run, RunStatus
from chalicelib.runtime import aws, laid_aside, sdk
from chalicelib.runtime.config import config
from chalicelib.runtime.intents import system_intent
from chalicelib.virtual import files as virtual_files
from infra import stack
from tests.support import goods, people
from tests.support.pump import Pump

PNG = b"\x89PNG\r\n\x1a\n" + b"picture " * 20
WRITERS = {
    "catalog/bulk.py",
    "catalog/files.py",
    "complaints/evidence.py",
    "privacy/archive/service.py",
    "reconciliation/files.py",
    "runtime/laid_aside.py",
    "virtual/files.py",
}
"""Modules of the package that put something into the bucket, by a call or by a form."""
SEAMS = {"runtime/objects.py", "runtime/published.py", "runtime/write_once.py"}
"""Those that spell the calls; all but the first put into a bucket of their own, with rules of its own."""
Rule = dict[str, Any]


def rules(stage: str) -> list[Rule]:
    """Return the bucket's rules as the template of a stage has them."""
    bucket = stack.template(stage)["Resources"]["UploadsBucket"]["Properties"]
    found: list[Rule] = bucket["LifecycleConfiguration"]["Rules"]
    return [rule for rule in found if rule["Status"] == "Enabled"]


def expires_after_days(stage: str, key: str) -> int | None:
    """Apply the rules to a key as S3 does: the shortest of all that fit; None keeps it for good."""
    fit = [
        rule["ExpirationInDays"]
        for rule in rules(stage)
        if "ExpirationInDays" in rule and key.startswith(rule.get("Prefix", ""))
    ]
    return min(fit, default=None)


@contextmanager
def keys_written() -> Iterator[set[str]]:
    """Collect the keys of all objects that calls put into the bucket of uploads."""
    seen: set[str] = set()

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if service == "s3" and operation in ("PutObject", "CopyObject") and params["Bucket"] == config().bucket:
            seen.add(params["Key"])
        return proceed()

    with aws.hooked(hook):
        yield seen


def objects() -> set[str]:
    found = sdk.client("s3").list_objects_v2(Bucket=config().bucket).get("Contents", [])
    return {one["Key"] for one in found}


def test_nothing_else_writes_into_the_bucket() -> None:
    package = Path(__file__).parents[2] / "chalicelib"
    spelled = re.compile(r"\"(?:PutObject|CopyObject|put_object|CreateMultipartUpload)\"|generate_presigned_post")
    called = re.compile(r"\bobjects\.(?:put|put_file|copy|upload_url|upload_form)\(")
    texts = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*.py")}

    assert {path for path, text in texts.items() if spelled.search(text)} == SEAMS
    assert {path for path, text in texts.items() if called.search(text)} == WRITERS


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_uploads_that_nobody_attached_are_gone_after_two_days(cloud: str, stage: str) -> None:
    account_id, evidence_id = ids.new_id("acc"), ids.new_id("evd")
    ticket = evidence.ticket(account_id, evidence_id, content_type="image/png", size=len(PNG))
    incoming = ticket.fields["key"]
    sdk.client("s3").put_object(Bucket=config().bucket, Key=incoming, Body=PNG, ContentType="image/png")
    with keys_written() as written:
        evidence.attach("cmp_" + "0" * 24, account_id, [evidence_id])

    [kept] = written
    assert expires_after_days(stage, incoming) == 2
    assert expires_after_days(stage, kept) == 3 * 365 + 1
    assert objects() == {incoming, kept}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_what_a_merchant_delivers_stays_and_what_it_only_uploaded_goes(cloud: str, stage: str) -> None:
    merchant_id = ids.new_id("mer")
    content = b"%PDF-1.7 a licence"
    ticket = virtual_files.ticket(
        merchant_id, content_type="application/pdf", size=len(content), intent=system_intent("file")
    )
    incoming = ticket.fields["key"]
    sdk.client("s3").put_object(Bucket=config().bucket, Key=incoming, Body=content, ContentType="application/pdf")
    with keys_written() as written:
        file = virtual_files.keep(merchant_id, ticket.file_id)

    [kept] = written
    assert (file.name, file.size) == (f"{ticket.file_id}.pdf", len(content))
    assert expires_after_days(stage, incoming) == 2
    assert expires_after_days(stage, kept) is None
    with pytest.raises(virtual_files.FileRefused):
        virtual_files.keep(ids.new_id("mer"), ticket.file_id)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_files_of_bulk_work_are_kept_for_a_month(cloud: str, stage: str) -> None:
    goods.categories()
    merchant_id = people.merchant().merchant_id
    content = b"Handle,Title,Variant Price,Type\r\ncup,Cup,9.90,tea\r\nbad,Bad,,tea\r\n"
    with keys_written() as written:
        bulk.import_file(merchant_id, content, Options(), intent=system_intent("one"))
        bulk.begin_export(merchant_id, intent=system_intent("two"))
        Pump().drain()
    waiting = files.key(merchant_id, "imp_1", bulk.SOURCE)
    assert waiting in files.upload_url(waiting, 10)

    assert len(written) >= 4
    assert {expires_after_days(stage, key) for key in (*written, waiting)} == {30}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_bills_are_accounting_records_and_kept(cloud: str, stage: str) -> None:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    run = Run("rec_1", "sandbox", "2026-11-21", RunStatus.DONE, moment, moment, parts=1)
    with keys_written() as written:
        bills.put_piece(run, 0, ())
        bills.put_part(run, 0, ())
        bills.put_report(run)

    assert written
    assert {expires_after_days(stage, key) for key in written} == {None}
    cool = [rule for rule in rules(stage) if "Transitions" in rule]
    assert all(any(key.startswith(rule["Prefix"]) for rule in cool) for key in written)


def test_every_rule_is_of_a_place_that_is_written() -> None:
    account_id, evidence_id, complaint_id = ids.new_id("acc"), ids.new_id("evd"), "cmp_" + "0" * 24
    places = {
        evidence._incoming(account_id, evidence_id),
        evidence._kept(complaint_id, evidence_id),
        files.key("mer_1", "imp_1", bulk.SOURCE),
        "reconciliation/rec_1/1/report.csv",
        laid_aside.OURS,
        laid_aside.REPLAYED,
        "archives/arc_1/1.zip",
        virtual_files._incoming("mer_1", "vfl_1"),
        virtual_files.kept("vfl_1"),
    }

    for rule in rules("prod"):
        assert any(place.startswith(rule.get("Prefix", "")) for place in places), rule["Id"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_what_was_overwritten_or_deleted_can_be_had_back_for_thirty_days_and_no_longer(stage: str) -> None:
    bucket = stack.template(stage)["Resources"]["UploadsBucket"]["Properties"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    old = [rule for rule in rules(stage) if "NoncurrentVersionExpiration" in rule]
    days = {rule.get("Prefix", ""): rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in old}
    assert days == {"": 30, "archives/": 1}, "for every key; a person's archive that is gone is gone"
