"""The audit's chain: what is written is sealed, and whatever is done to it afterwards is found, line by line."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock, ids
from chalicelib.kernel.pages import Window
from chalicelib.oversight import service as oversight
from chalicelib.oversight import store as lines
from chalicelib.oversight.chain import domain, sealing, store
from chalicelib.oversight.chain.proof import Kind, Proof
from chalicelib.runtime import aws, metrics, names, write_once
from chalicelib.runtime.config import config
from chalicelib.runtime.db.work import UnitOfWork
from tools.bench import metering
from tools.operate import audit

ANN, BEN = f"acc_{'a' * 26}", f"acc_{'b' * 26}"
PURCHASE, SHOP = f"pur_{'p' * 24}", f"mer_{'m' * 26}"


def put(*, by: str = ANN, act: str = "request_refund", at: Any = None, **records: str) -> str:
    """Write a line as an act does; returns its key."""
    records = records or {"order_id": f"ord_{'p' * 24}_01"}
    line = oversight.Line(at or clock.now(), by, act, ids.new_id("req"), records, {"amount": "500 CNY"}, (SHOP,))
    row = lines.row(line)
    with UnitOfWork() as work:
        work.save(row, label="audit")
    return f"{row.day}/{row.id}"


@pytest.fixture
def sealed(cloud: str, noon: clock.Fixed) -> list[str]:
    """Three lines of one day, sealed by two batches, and a day that is closed."""
    keys = []
    for by in (ANN, BEN):
        keys.append(put(by=by))
        noon.advance(timedelta(seconds=1))
    noon.advance(timedelta(minutes=2))
    assert sealing.run() == {"lines": 2, "late": 0, "days": 0}
    keys.append(put(act="reveal_contact", purchase_id=PURCHASE))
    noon.advance(timedelta(days=1))
    assert sealing.run() == {"lines": 1, "late": 0, "days": 1}
    return keys


def raw(key: str) -> dict[str, Any]:
    item: dict[str, Any] = lines.raw_lines([(key[:10], key[11:])])[key]
    return item


def table(name: str, operation: str, **params: Any) -> Any:
    return aws.call("dynamodb", operation, {"TableName": names.table_name(name), **params})


def overwrite(key: str, **changed: Any) -> dict[str, Any]:
    item = {**raw(key), **changed}
    table("audit", "PutItem", Item=item)
    return item


def remove(key: str) -> None:
    table("audit", "DeleteItem", Key={"day": {"S": key[:10]}, "id": {"S": key[11:]}})


def links() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = table("chains", "Scan", ConsistentRead=True)["Items"]
    return sorted(items, key=lambda item: (item["subject"]["S"], item["number"]["S"]))


def found(proof: Proof) -> list[tuple[Kind, str]]:
    return [(one.kind, one.where) for one in proof.findings]


def test_what_is_sealed_proves_itself_and_a_repeat_adds_nothing(sealed: list[str], noon: clock.Fixed) -> None:
    proof = audit.prove()
    assert found(proof) == []
    assert sorted(proof.batches) == [1, 2, 3]
    before = links()
    assert sealing.run() == {"lines": 0, "late": 0, "days": 0}
    assert links() == before
    assert audit.prove(head=(3, proof.batches[3])).findings == []
    assert [one.kind for one in audit.prove(head=(3, proof.batches[2])).findings] == [Kind.HEAD_DIFFERS]
    assert audit.main([]) == 0


def test_digests_are_what_the_page_says(sealed: list[str]) -> None:
    """As docs/audit.md writes them down: anybody can work them out without our code."""
    import hashlib
    import json

    def sha(*parts: Any) -> str:
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    first, second, third = (sha("line", raw(key)) for key in sealed)
    one = sha("link", "0" * 64, PURCHASE, 1, sealed[0], first)
    two = sha("link", one, PURCHASE, 2, sealed[1], second)
    three = sha("link", two, PURCHASE, 3, sealed[2], third)
    page = oversight.done_about(PURCHASE, Window(10))
    assert [(p.number, p.link, p.digest, p.batch) for p in page.items] == [
        (1, one, first, 1),
        (2, two, second, 1),
        (3, three, third, 2),
    ]
    batch = json.loads(write_once.read(sealing.key_of(3)) or b"")
    assert batch["closed"] == {"day": "2026-11-22", "count": 3, "digest": store.head("day#2026-11-22").digest}  # type: ignore[union-attr]
    assert batch["digest"] == sha("batch", {**batch, "digest": ""})
    assert batch["previous"] == json.loads(write_once.read(sealing.key_of(2)) or b"")["digest"]
    assert [p.line.by for p in oversight.done_about(BEN, Window(10)).items] == [BEN]
    assert len(oversight.done_about(SHOP, Window(10)).items) == 3


def test_what_was_written_a_moment_ago_is_told_apart(sealed: list[str]) -> None:
    key = put(act="approve_refund")
    assert [one.line.act for one in oversight.done_just_now(PURCHASE)] == ["approve_refund"]
    assert oversight.done_just_now(PURCHASE)[0].digest == domain.line_digest(raw(key))
    assert oversight.done_just_now(BEN) == []
    assert found(audit.prove()) == [], "it is too young to be judged"


def test_a_changed_line_is_named(sealed: list[str]) -> None:
    overwrite(sealed[1], by={"S": ANN})
    assert found(audit.prove()) == [(Kind.LINE_CHANGED, sealed[1])]
    assert audit.main([]) == 1
    assert [p.as_sealed for p in oversight.done_about(PURCHASE, Window(10)).items] == [True, False, True]


def test_an_attribute_that_was_added_is_a_change(sealed: list[str]) -> None:
    overwrite(sealed[0], note={"S": "fine"})
    assert found(audit.prove()) == [(Kind.LINE_CHANGED, sealed[0])]


def test_a_deleted_line_is_named(sealed: list[str]) -> None:
    remove(sealed[0])
    assert found(audit.prove()) == [(Kind.LINE_MISSING, sealed[0])]
    assert [p.number for p in oversight.done_about(PURCHASE, Window(10)).items] == [2, 3]


def test_a_line_put_into_a_day_that_is_over_is_named(sealed: list[str]) -> None:
    key = put(at=clock.now() - timedelta(days=1))
    sealing.run()
    assert found(audit.prove()) == [(Kind.LINE_INSERTED, key)]


def test_lines_that_change_places_are_named(sealed: list[str]) -> None:
    one, two = raw(sealed[0]), raw(sealed[1])
    for item, place in ((one, two), (two, one)):
        table("audit", "PutItem", Item={**item, "day": place["day"], "id": place["id"]})
    assert found(audit.prove()) == [(Kind.LINE_CHANGED, sealed[0]), (Kind.LINE_CHANGED, sealed[1])]


def test_a_tail_that_was_cut_off_is_found(sealed: list[str]) -> None:
    """The last line, all its links, and what the job says of itself: all as it was before."""
    remove(sealed[2])
    for item in links():
        if item["subject"]["S"] == store.JOB:
            was = domain.Progress(1, domain.read(write_once.read(sealing.key_of(1)) or b"").digest)
            doc = {"S": f'{{"number":1,"digest":"{was.digest}","places":{{"2026-11-22":""}}}}'}
            table("chains", "PutItem", Item={**item, "doc": doc})
        elif item["batch"]["N"] != "1":
            table("chains", "DeleteItem", Key={"subject": item["subject"], "number": item["number"]})
    kinds = {kind for kind, _ in found(audit.prove())}
    assert kinds == {Kind.LINE_MISSING, Kind.LINK_MISSING, Kind.END_MISSING}
    assert (Kind.LINE_MISSING, sealed[2]) in found(audit.prove())


def test_a_tail_whose_seals_are_gone_too_is_found_by_a_noted_head(sealed: list[str]) -> None:
    """What an object lock forbids, on a stage that has none: every trace of the last batches is taken away."""
    head = (3, audit.prove().batches[3])
    test_a_tail_that_was_cut_off_is_found(sealed)
    for number in (2, 3):
        for version in list(write_once.versions(sealing.key_of(number))):
            place = {"Bucket": config().audit_bucket, "Key": version.key, "VersionId": version.version_id}
            aws.call("s3", "DeleteObject", place)
    assert found(audit.prove()) == []
    assert found(audit.prove(head=head)) == [(Kind.HEAD_DIFFERS, "batch 3")]


def test_a_forged_line_with_all_its_links_made_anew_is_found(sealed: list[str]) -> None:
    """Whoever may write both tables makes the whole chain anew behind the line; the seals say what it was."""
    item = overwrite(sealed[0], act={"S": "get_merchant"})
    digests = {sealed[0]: domain.line_digest(item)}
    before: dict[str, str] = {}
    for link in links():
        subject = link["subject"]["S"]
        if subject == store.JOB:
            continue
        line = digests.get(link["line"]["S"], link["line_digest"]["S"])
        made = domain.link_digest(
            before.get(subject, domain.BEGINNING), subject, int(link["number"]["S"]), link["line"]["S"], line
        )
        before[subject] = made
        table("chains", "PutItem", Item={**link, "line_digest": {"S": line}, "digest": {"S": made}})
    assert [p.as_sealed for p in oversight.done_about(PURCHASE, Window(1)).items] == [True], "the tables agree"
    proof = found(audit.prove())
    assert proof[0] == (Kind.LINE_CHANGED, sealed[0])
    assert {kind for kind, _ in proof[1:]} == {Kind.LINK_CHANGED}


def test_links_that_are_forged_or_gone_are_named(sealed: list[str]) -> None:
    one, other = [link for link in links() if link["subject"]["S"] == PURCHASE][:2]
    table("chains", "PutItem", Item={**one, "number": {"S": store.number_key(9)}})
    table("chains", "DeleteItem", Key={"subject": other["subject"], "number": other["number"]})
    assert sorted(found(audit.prove())) == [
        (Kind.LINK_FORGED, f"{sealed[0]} on {PURCHASE} as 9"),
        (Kind.LINK_MISSING, f"{sealed[1]} on {PURCHASE} as 2"),
    ]


def test_a_seal_that_was_written_again_or_hidden_or_is_gone_is_named(sealed: list[str]) -> None:
    key = sealing.key_of(2)
    content = write_once.read(key) or b""
    assert write_once.write(key, b"{}") is False, "nothing is written twice"
    aws.call("s3", "PutObject", {"Bucket": config().audit_bucket, "Key": key, "Body": content.replace(b'"2', b'"3')})
    assert found(audit.prove()) == [(Kind.BATCH_REWRITTEN, "batch 2")]
    aws.call("s3", "DeleteObject", {"Bucket": config().audit_bucket, "Key": key})
    assert found(audit.prove()) == [(Kind.BATCH_REWRITTEN, "batch 2")], "what was written first still tells"
    for version in list(write_once.versions(key)):
        aws.call("s3", "DeleteObject", {"Bucket": config().audit_bucket, "Key": key, "VersionId": version.version_id})
    assert (Kind.BATCH_MISSING, "batch 2") in found(audit.prove())


def test_a_late_line_is_sealed_when_its_day_is_closed_and_said_to_be_late(cloud: str, noon: clock.Fixed) -> None:
    put()
    noon.advance(timedelta(minutes=5))
    sealing.run()
    late = put(at=clock.now() - timedelta(minutes=10))
    noon.advance(timedelta(minutes=5))
    assert sealing.run()["lines"] == 0
    assert found(audit.prove()) == [(Kind.LINE_LATE, late)]
    noon.advance(timedelta(days=1))
    assert sealing.run() == {"lines": 1, "late": 1, "days": 1}
    proof = audit.prove()
    assert found(proof) == [(Kind.LINE_LATE, late)]
    assert list(proof.broken) == []


def test_the_job_itself_rings_when_a_day_it_closes_is_not_what_it_sealed(cloud: str, noon: clock.Fixed) -> None:
    keys = [put(by=by) for by in (ANN, BEN)]
    noon.advance(timedelta(minutes=5))
    sealing.run()
    overwrite(keys[0], by={"S": BEN})
    remove(keys[1])
    noon.advance(timedelta(days=1))
    rung: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "count", lambda name, value=1: rung.append(name))
        sealing.run()
    assert rung == ["audit_broken", "audit_broken"]


def test_a_run_that_was_cut_off_between_seal_and_tables_is_taken_up(cloud: str, noon: clock.Fixed) -> None:
    put()
    noon.advance(timedelta(minutes=2))

    def cut(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "TransactWriteItems":
            raise ConnectionError
        return proceed()

    with aws.hooked(cut), pytest.raises(ConnectionError):
        sealing.run()
    assert links() == []
    put(by=BEN)
    noon.advance(timedelta(minutes=2))
    assert sealing.run() == {"lines": 2, "late": 0, "days": 0}
    assert found(audit.prove()) == []


def test_runs_at_the_same_moment_seal_each_line_once(cloud: str, noon: clock.Fixed) -> None:
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: put(by=ANN, request_id=f"rrq_{number:026d}"), range(24)))
    noon.advance(timedelta(minutes=2))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: sealing.run(), range(4)))
    sealing.run()
    proof = audit.prove()
    assert found(proof) == []
    head = store.head(ANN)
    assert head is not None
    assert head.number == 24


def test_what_a_run_costs(cloud: str, noon: clock.Fixed) -> None:
    put()
    noon.advance(timedelta(minutes=2))
    sealing.run()
    with metering.measured() as nothing:
        sealing.run()
    put()
    noon.advance(timedelta(minutes=2))
    with metering.measured() as one:
        sealing.run()
    assert (nothing.calls, nothing.write_units, nothing.read_units) == (2, 0, 2)
    # Progress and lines twice (the second time nothing is left), the heads of four subjects; one transaction.
    assert (one.calls, one.write_units, one.read_units) == (9, 10, 8)
    noon.advance(timedelta(days=1))
    with metering.measured() as closing:
        assert sealing.run()["days"] == 1
    # Progress, the lines of both days, the day's links, its lines and last link; its progress; then a look for more.
    assert (closing.calls, closing.write_units, closing.read_units) == (9, 1, 8)


def test_no_function_may_change_or_delete_a_line_and_only_the_job_writes_links() -> None:
    from infra import policies
    from infra.functions import FUNCTIONS

    allowed: dict[tuple[str, str], set[str]] = {}
    for name in FUNCTIONS:
        for statement in policies.policy(name)["Statement"]:
            for table_of in ("audit", "chains"):
                if policies.att(policies.table_resource(table_of), "Arn") in statement["Resource"]:
                    allowed.setdefault((table_of, name), set()).update(statement["Action"])
    writing = {
        key: {action for action in actions if "Item" in action and "Get" not in action}
        for key, actions in allowed.items()
    }
    assert {key for key, actions in writing.items() if actions - {"dynamodb:PutItem"}} == set()
    assert {name for (table_of, name), actions in writing.items() if table_of == "chains" and actions} == {"audit-seal"}
    assert "dynamodb:PutItem" not in allowed["audit", "audit-seal"]
